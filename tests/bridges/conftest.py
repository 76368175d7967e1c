"""A framework's audit, taken once for all tests of its bridge."""

import pytest

from varprop.verification.audit.frameworks import audit_bridge, audit_claims

DRAWS = 200_000
"""At 2 % of the variance 6.2 standard errors of a normal law's."""


@pytest.fixture(scope="module")
def audits(bridge):
    """Audits by name and by whether the law is documented."""
    return {(one.case.name, one.case.statement): one for one in audit_bridge(bridge, n_draws=DRAWS, rng=2015)}


@pytest.fixture(scope="module")
def audit_of(audits):
    """The audit of the only case of a name, or of the one whose statement has some words."""

    def audit_of(name, words=""):
        (found,) = [one for (case, said), one in audits.items() if case == name and words in said]
        return found

    return audit_of


@pytest.fixture(scope="module")
def claimed(bridge):
    """Verdict and nearest law of every claim about defaults, by claim and entry; all are right but for 1e-6."""
    return {
        (one.verdict.claim.id, one.case.name): (one.verdict.verdict, one.nearest.law)
        for one in audit_claims(bridge, rng=2015)
    }
