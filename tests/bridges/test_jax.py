"""What JAX and Flax do against what they say; `nox -s jax` runs it."""

import numpy as np
import pytest

pytest.importorskip("jax", reason="JAX is not installed here; nox -s jax installs it")
pytest.importorskip("flax", reason="Flax is not installed here; nox -s jax installs it")
pytestmark = pytest.mark.jax


@pytest.fixture(scope="module")
def bridge():
    from varprop.bridges.jax import bridge

    return bridge()


def test_nothing_is_refuted(audits):
    """False alarm 1e-6 a law, some 30 laws."""
    assert [str(one.audit) for one in audits.values() if one.audit.verdict == "refuted"] == []


def test_normal_is_truncated_with_the_kurtosis_of_that(bridge, audit_of, rng):
    """400,000 draws: 2.37 within 0.02 of the fourth moment's standard error 0.004, and far from the normal's 3."""
    assert audit_of("initializers.he_normal", "sqrt(2 / fan_in)").audit.verdict == "supported"
    (case,) = [case for case in bridge.cases if case.name == "initializers.he_normal" and len(case.shape) == 2]
    draws = case.initializer((2000, 200), rng=rng).astype(np.float64)
    assert np.mean(draws**4) / np.mean(draws**2) ** 2 == pytest.approx(2.37, abs=0.02)
