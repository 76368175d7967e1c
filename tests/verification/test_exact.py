"""Claims of exact laws, on networks that have them and on networks that do not."""

from dataclasses import replace

import numpy as np
import pytest

import varprop as vp
from varprop.model.layers import UnsupportedError
from varprop.stats.law_fits import exact_law, pivot_law
from varprop.verification.validity import dead_probabilities

NARROW = vp.mlp([8] * 4, activation="relu", weights="he_normal")
QUANTITIES = ("pivot", "preactivation_second_moment", "activation_second_moment", "gradient_second_moment")


@pytest.fixture(scope="module")
def many():
    return vp.simulate(NARROW, n_networks=400_000, rng=601, quantities=["pivot", "preactivation_second_moment"])


@pytest.fixture(scope="module")
def some():
    return vp.simulate(NARROW, n_networks=20_000, rng=602, quantities=QUANTITIES, executor="serial")


@pytest.mark.false_alarm(4e-7)
def test_engine_and_theory_meet_at_the_tests_own_level(many, at_level):
    """2,000 studies of 200 real networks each, layer 3: pivots and the whole law, two statistics each.

    False alarm 1e-7, four times.
    """
    pivots = many.values("pivot")[:, 2].reshape(2000, 200)
    fits = [pivot_law(column, units=8) for column in pivots]
    law = vp.theory.finite_width_law(NARROW, 3)
    signal = many.values("preactivation_second_moment")[:, 2].reshape(2000, 200)
    fits_over_depth = [exact_law(column, law.cdf, dead_probability=law.dead_probability) for column in signal]
    for group in (fits, fits_over_depth):
        assert sum(fit.pvalue <= 0.05 for fit in group) in at_level
        assert sum(fit.second_pvalue <= 0.05 for fit in group) in at_level


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize(
    ("test", "quantity"),
    [
        ("pivot_law", "pivot"),
        ("exact_law", "preactivation_second_moment"),
        ("exact_law", "gradient_second_moment"),
        ("log_mean", "activation_second_moment"),
        ("dead_rate", "activation_second_moment"),
    ],
)
def test_true_laws_are_supported(some, judge, test, quantity):
    """Margins are three estimates' widths and more; refuted at 5 % with probability below 1e-9, p < 1e-8 with 1e-8."""
    row = judge(some, test, quantity)
    assert row["verdict"] == "supported"
    assert row["pvalue_adjusted"] == row["pvalue"] > 1e-8


@pytest.mark.false_alarm(1e-12)
@pytest.mark.parametrize(
    ("test", "quantity", "margin"),
    [("exact_law", "preactivation_second_moment", 0.05), ("log_mean", "activation_second_moment", 0.05)],
)
def test_a_wrong_variance_is_refuted(some, judge, test, quantity, margin):
    """The same networks held to be of 30 % more variance: log q is off by .26 a layer, a distance of .2 and more."""
    held = vp.mlp([8] * 4, activation="relu", weights={"name": "variance_scaling", "scale": 2.6})
    assert judge(replace(some, network=held), test, quantity, margin=margin)["verdict"] == "refuted"


@pytest.mark.false_alarm(1e-12)
def test_wrong_units_are_refuted(some, judge):
    """Negative control: pivots of 8 units taken for those of 16 have twice the variance."""
    frame = some.to_frame()
    wide = vp.Simulation.from_frame(
        frame[frame["quantity"] == "pivot"], vp.mlp([8, 16, 16, 16], activation="relu", weights="he_normal")
    )
    assert judge(wide, "pivot_law", "pivot")["verdict"] == "refuted"


@pytest.mark.false_alarm(1e-12)
def test_too_many_deaths_are_refuted(judge):
    """Width 2 held to be width 8: 44 % of the networks die in two layers, not .8 %.

    20,000 networks: a margin of 5 points is 14 standard errors.
    """
    narrow = vp.simulate(vp.mlp([2] * 3, activation="relu", weights="he_normal"), n_networks=20_000, rng=603)
    right = judge(narrow, "dead_rate", "activation_second_moment")
    assert right["verdict"] == "supported"
    assert right["predicted"] == pytest.approx(0.4375)
    assert "networks are dead after layer 2" in right["note"]
    held = replace(narrow, network=vp.mlp([8] * 3, activation="relu", weights="he_normal"))
    assert judge(held, "dead_rate", "activation_second_moment")["verdict"] == "refuted"


@pytest.mark.false_alarm(6e-9)
@pytest.mark.parametrize("weights", ["he_normal", "he_uniform", "orthogonal"])
def test_death_does_not_depend_on_the_law(weights):
    """Signs are fair coins whatever the weights: 20,000 networks of width 3 and 4, within 6 standard errors (2e-9 a layer).

    Orthogonal rows are not independent; that their formula is refused is the control.
    """
    net = vp.mlp([3, 3, 4, 3], activation="relu", weights=weights)
    if weights == "orthogonal":
        with pytest.raises(UnsupportedError):
            dead_probabilities(net)
        return
    expected = np.array(list(dead_probabilities(net).values()))
    assert expected == pytest.approx([1 - 7 / 8, 1 - 7 / 8 * 15 / 16, 1 - (7 / 8) ** 2 * 15 / 16])
    sim = vp.simulate(net, n_networks=20_000, rng=604, quantities=["activation_second_moment"])
    found = (sim.values("activation_second_moment") == 0).mean(axis=0)
    assert (np.abs(found - expected) < 6 * np.sqrt(expected * (1 - expected) / 20_000)).all()


def test_theory_says_the_same_of_death():
    net = vp.mlp([5, 6, 7], activation="relu", weights="he_normal")
    for layer, probability in dead_probabilities(net).items():
        law = vp.theory.finite_width_law(net, layer, quantity="activation_second_moment")
        assert probability == pytest.approx(law.dead_probability, rel=1e-12)


@pytest.mark.false_alarm(1e-12)
def test_orthogonal_networks_have_a_law_of_their_own(judge):
    """Width 64 under ReLU, 16,000 networks: supported by its own law, refuted by the Gaussian's (variance 3/n for 5/n).

    Four steps: standard deviations of .44 and .57, a distance of .06. Support takes one below .04, 5 / sqrt(n):
    missed with probability below 1e-12.
    """
    net = vp.mlp([64] * 5, activation="relu", weights={"name": "orthogonal", "gain": 2**0.5})
    sim = vp.simulate(net, n_networks=16_000, rng=605, quantities=["activation_second_moment"])
    assert judge(sim, "exact_law", "activation_second_moment", layers=(4, 4))["verdict"] == "supported"
    gaussian = replace(sim, network=vp.mlp([64] * 5, activation="relu", weights="he_normal"))
    assert judge(gaussian, "exact_law", "activation_second_moment", layers=(4, 4))["pvalue"] < 1e-6


@pytest.mark.false_alarm(1e-9)
def test_an_inconclusive_law_names_the_networks_that_would_decide():
    """At alpha 1e-9 fifty networks cannot support a distance, and refute a right law with probability below 1e-9."""
    few = vp.simulate(NARROW, n_networks=50, rng=606, quantities=["pivot"])
    claim = {"id": "few", "test": "pivot_law", "quantity": "pivot"}
    row = vp.verify(few, claims=[claim], alpha=1e-9).iloc[0]
    assert row["verdict"] == "inconclusive"
    assert 1000 < row["n_required"] < 40_000


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("network", "test", "quantity", "message"),
    [
        ({"weights": "he_uniform"}, "pivot_law", "pivot", "Gaussian weights"),
        ({"biases": "torch_linear"}, "pivot_law", "pivot", "zero or Gaussian biases"),
        ({"activation": "tanh"}, "exact_law", "preactivation_second_moment", "positively homogeneous"),
        ({"weights": "he_uniform"}, "log_mean", "preactivation_second_moment", "not Gaussian"),
        ({"activation": "tanh"}, "dead_rate", "activation_second_moment", "positively homogeneous"),
        ({"biases": {"name": "normal", "std": 0.1}}, "dead_rate", "activation_second_moment", "zero biases"),
        ({"weights": {"name": "rademacher", "std": 0.5}}, "dead_rate", "activation_second_moment", "without atoms"),
    ],
)
def test_what_has_no_law_is_refused(judge, network, test, quantity, message):
    net = vp.mlp([4] * 3, **({"activation": "relu", "weights": "he_normal"} | network))
    sim = vp.simulate(net, n_networks=20, rng=607)
    with pytest.raises(UnsupportedError, match=message):
        judge(sim, test, quantity)


@pytest.mark.false_alarm(0)
def test_several_inputs_and_constants_are_refused(judge):
    two = vp.simulate(NARROW, n_networks=20, rng=608, inputs=2, per_input=True)
    for test, quantity in (
        ("pivot_law", "pivot"),
        ("log_mean", "preactivation_second_moment"),
        ("dead_rate", "activation_second_moment"),
    ):
        with pytest.raises(UnsupportedError, match="about one input"):
            judge(two, test, quantity)
    one = vp.simulate(NARROW, n_networks=20, rng=609)
    with pytest.raises(ValueError, match="test identity"):
        judge(one, "exact_law", "conditional_variance", layers=(1, 1))
    with pytest.raises(ValueError, match="no layer of pivot"):
        judge(one, "pivot_law", "pivot", layers=(7, 9))


@pytest.mark.false_alarm(1e-12)
def test_pivots_are_chi_square_with_gaussian_biases_too(judge):
    """Supported with probability above 1 - 1e-6: a distance of .05 is 7 / sqrt(n)."""
    net = vp.mlp([8] * 4, activation="tanh", weights="xavier_normal", biases={"name": "normal", "std": 0.5})
    sim = vp.simulate(net, n_networks=20_000, rng=610, quantities=["pivot"])
    assert judge(sim, "pivot_law", "pivot")["verdict"] == "supported"
