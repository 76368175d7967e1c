"""What Keras does against what it says; `nox -s keras` runs it."""

import os
import random

import pytest

pytest.importorskip("keras", reason="Keras is not installed here; nox -s keras installs it")
pytestmark = pytest.mark.keras


@pytest.fixture(scope="module")
def bridge():
    from varprop.bridges.keras import bridge

    return bridge()


REFUTED = {"initializers.GlorotUniform, one instance": "same_array", "layers.Conv2D(groups=4).kernel": "groups_ignored"}


def test_nothing_but_what_is_known_is_refuted(audits):
    """False alarm 1e-6 a law, some 30 laws."""
    refuted = {one.case.name: one.audit.cause for one in audits.values() if one.audit.verdict == "refuted"}
    assert refuted == REFUTED
    assert not any(one.contradicts for one in audits.values())


def test_dense_is_glorot_uniform(audit_of):
    parts = {part.name: part for part in audit_of("layers.Dense.kernel").audit.parts}
    assert parts["variance"].estimate == pytest.approx(2 / (120 + 200), rel=0.02)
    assert parts["bounds"].p_refute == 1.0


def test_normal_is_truncated_with_the_kurtosis_of_that(audit_of):
    """200,000 draws: 2.366 to within 0.005, its standard error, and far from the normal's 3."""
    audit = audit_of("initializers.HeNormal").audit
    assert "truncated_normal" in audit.law
    assert audit.verdict == "supported"
    assert audit.kurtosis == pytest.approx(2.366, abs=0.04)
    assert audit.law_kurtosis == pytest.approx(2.366, abs=0.001)


def test_defaults_are_xaviers_law_and_hes_is_offered(claimed):
    """False alarm 1e-6; that what is true is not shown, less."""
    assert {found[0] for found in claimed.values()} == {"supported"}
    assert claimed["framework.defaults", "layers.Dense.kernel"] == ("supported", "xavier_uniform")
    assert sum(claim == "framework.defaults.offered" for claim, _ in claimed) == 4
    assert sum(claim == "framework.defaults.convolution" for claim, _ in claimed) == 3


def test_the_backend_is_named(bridge):
    assert bridge.version.endswith(f"on {os.environ.get('KERAS_BACKEND', '')}")


def test_audits_leave_pythons_numbers_alone(bridge):
    state = random.getstate()
    with bridge.seeded(1):
        random.random()
    assert random.getstate() == state
