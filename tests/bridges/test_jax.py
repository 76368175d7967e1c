"""What JAX and Flax do against what they say; `nox -s jax` runs it."""

import pytest

pytest.importorskip("jax", reason="JAX is not installed here; nox -s jax installs it")
pytest.importorskip("flax", reason="Flax is not installed here; nox -s jax installs it")
pytestmark = pytest.mark.jax

DENSE = ("linen.Dense.kernel", "nnx.Linear.kernel")


@pytest.fixture(scope="module")
def bridge():
    from varprop.bridges.jax import bridge

    return bridge()


def test_nothing_is_refuted(audits):
    """False alarm 1e-6 a law, some 30 laws."""
    assert [str(one.audit) for one in audits.values() if one.audit.verdict == "refuted"] == []


@pytest.mark.parametrize("name", ["he_normal", "glorot_normal", "lecun_normal"])
def test_normal_is_truncated_with_the_kurtosis_of_that(audit_of, name):
    """200,000 draws: 2.366 to within 0.005, its standard error, and far from the normal's 3."""
    audit = audit_of(f"initializers.{name}", "after the cut").audit
    assert audit.verdict == "supported"
    assert audit.kurtosis == pytest.approx(2.366, abs=0.04)
    assert audit.law_kurtosis == pytest.approx(2.366, abs=0.001)


def test_defaults_are_lecuns_law_and_those_of_xavier_and_he_are_offered(claimed):
    """False alarm 1e-6; that what is true is not shown, less."""
    assert {claimed["framework.defaults.flax", name][0] for name in DENSE} == {"supported"}
    assert {claimed["framework.defaults.flax-xavier-he", name] for name in DENSE} == {("refuted", "xavier_normal")}
    assert claimed["framework.defaults.convolution", "linen.Conv.kernel"][0] == "refuted"
    offered = [found for (claim, _), found in claimed.items() if claim == "framework.defaults.offered"]
    assert [verdict for verdict, _ in offered] == ["supported"] * 4
