"""How much layers vary between networks, on real ones: what is expected, what is found, and what is refused."""

import math

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.model.layers import UnsupportedError
from varprop.verification.tests.of_laws import LARGEST_EXCESS, pivot_nulls

RELU = vp.mlp([16] * 6, activation="relu", weights="he_normal")


def nulls(net, inputs=None):
    sim = vp.simulate(net, n_networks=2, rng=1, quantities=["pivot"], inputs=inputs)
    return list(pivot_nulls(sim, sim.places("pivot")).values())


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("biases", ["zeros", "torch_linear"])
def test_the_spread_of_uniform_networks(judge, activation, biases):
    """Width 16, 80,000 networks: standard error .57 %, so the margin of 6 % is ten, and of four layers one is 5.8 off with
    probability 3e-8. Control: the same pivots held to be a Gaussian network's are 17 % off in layer 2 of ReLU.
    """
    net = vp.mlp([16] * 4, activation=activation, weights="he_uniform", biases=biases)
    sim = vp.simulate(net, n_networks=80_000, rng=706, quantities=["pivot"])
    row = judge(sim, "spread", "pivot", margin=0.06)
    assert row["verdict"] == "supported"
    assert row["pvalue"] > 6e-6
    if (activation, biases) == ("relu", "zeros"):
        gaussian = vp.Simulation.from_frame(sim.to_frame(), vp.mlp([16] * 4, activation="relu", weights="he_normal"))
        assert judge(gaussian, "spread", "pivot", margin=0.06)["verdict"] == "refuted"


@pytest.mark.false_alarm(1e-8)
def test_narrow_gaussian_networks_and_few(judge):
    """Ten networks of width 2 have a variance, and support nothing. 4,000 support a margin of 20 %, six standard errors beyond what
    it takes, and with twice the variance of the pivots they refute it."""
    net = vp.mlp([2] * 3, activation="linear", weights="lecun_normal")
    sim = vp.simulate(net, n_networks=10, rng=721, quantities=["pivot"])
    row = judge(sim, "spread", "pivot", margin=0.05)
    assert row["p_equivalence"] > 0.3
    assert 0.0 < row["ci_low"] < row["ratio"] < row["ci_high"]
    wide = vp.mlp([128] * 3, activation="relu", weights="he_normal")
    sim = vp.simulate(wide, n_networks=4000, rng=722, quantities=["pivot"])
    assert judge(sim, "spread", "pivot", margin=0.2)["verdict"] == "supported"
    frame = sim.to_frame()
    frame["value"] = 1 + (frame["value"] - 1) * math.sqrt(2)
    row = judge(vp.Simulation.from_frame(frame, wide), "spread", "pivot", margin=0.2)
    assert row["verdict"] == "refuted"
    assert row["ratio"] == pytest.approx(2.0, rel=0.2)


@pytest.mark.false_alarm(0)
def test_the_expected_variances():
    """Gaussian: 2/n, whatever the biases. Uniform: in layer 1 from the input alone; in layer 2 of a linear network of
    uniform weights the signal is nearly normal, with 3 / (n + 2) for its fourth moment. Within 2 % of the small term."""
    assert [one.variance for one in nulls(vp.mlp([8, 4, 6], activation="tanh", weights="xavier_normal"))] == [
        2 / 4,
        2 / 6,
    ]
    biased = vp.mlp([8, 4], activation="tanh", weights="xavier_normal", biases={"name": "normal", "std": 1.0})
    assert [(one.variance, one.excess, one.doubt) for one in nulls(biased)] == [(2 / 4, None, 0.0)]
    uniform = vp.mlp([3, 64, 32], activation="linear", weights="he_uniform")
    first, second = nulls(uniform, np.array([[1.0, 2.0, 3.0]]))
    assert first.variance == pytest.approx((2 - 1.2 * 98 / 14**2) / 64, rel=1e-12)
    assert first.doubt < 1e-30
    # z of layer 1 has excess -1.2 / 2 of its own: E z^4 = 3 - .6.
    assert second.variance == pytest.approx((2 - 1.2 * 2.4 / 64) / 32, rel=2e-3)
    assert 0 < second.doubt < 1e-7


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("law", ["uniform", "truncated_normal", "rademacher"])
def test_the_expected_kurtosis(rng, law):
    """Inputs 1, 1, 2, 3 and 16 units: of 400,000 pivots the excess has a standard error of some .02, eight of which are allowed.

    Control: a Gaussian layer's .75.
    """
    parameter = {"uniform": "limit"}.get(law, "std")
    x = np.array([[1.0, 1.0, 2.0, 3.0]])
    net = vp.mlp([4, 16], activation="linear", weights={"name": law, parameter: 0.5})
    (null,) = nulls(net, x)
    w = net.layers[0].weights.sample((400_000, 16, 4), fan_in=4, fan_out=16, rng=rng)
    z = np.einsum("nij,j->ni", w, x[0])
    pivots = (z**2).mean(axis=1) / (net.layers[0].weights.variance(4, 16) * 15)
    assert pivots.var() == pytest.approx(null.variance, rel=8 * math.sqrt(3 / 400_000))
    excess = ((pivots - 1) ** 4).mean() / pivots.var() ** 2 - 3
    assert abs(excess - null.excess) < 0.1
    assert abs(excess - 0.75) > 0.3


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("net", "why"),
    [
        (vp.mlp([8, 32], activation="relu", weights={"name": "student_t", "df": 8.0, "std": 0.1}), "eighth moment"),
        (vp.mlp([8, 32], activation="relu", weights={"name": "student_t", "df": 12.0, "std": 0.1}), "not measured"),
        (vp.mlp([8, 32], activation="relu", weights={"name": "sparse", "std": 0.1}), "not measured"),
        (vp.mlp([8, 32], activation="relu", weights="orthogonal"), "eighth moment"),
        (vp.mlp([8, 32], activation="relu", weights={"name": "constant", "value": 0.1}), "eighth moment"),
        (vp.mlp([8, 15], activation="relu", weights="he_uniform"), "16 units or more"),
        (vp.mlp([1, 16], activation="relu", weights={"name": "rademacher", "std": 1.0}), "does not vary"),
        (vp.mlp([4, 4, 16], activation="relu", weights={"name": "rademacher", "std": 0.7}), "16 units or more"),
    ],
    ids=["t8", "t12", "sparse", "orthogonal", "constant", "narrow", "signs of one input", "narrow below"],
)
def test_what_no_level_was_measured_of_is_inconclusive(judge, net, why):
    sim = vp.simulate(net, n_networks=60, rng=707, quantities=["pivot"])
    row = judge(sim, "spread", "pivot")
    assert (row["verdict"], row["n_networks"], row["pvalue"]) == ("inconclusive", 0, 1.0)
    assert why in row["note"]


@pytest.mark.false_alarm(0)
def test_a_mixture_far_from_normal_is_inconclusive(judge):
    """Signs after four ReLU units: what enters the layer decides how much it varies, and the excess is 2.7."""
    net = vp.mlp([4, 4, 16], activation="relu", weights={"name": "rademacher", "std": 0.7})
    sim = vp.simulate(net, n_networks=60, rng=708, quantities=["pivot"])
    row = judge(sim, "spread", "pivot", layers=(2, 2))
    assert row["verdict"] == "inconclusive"
    assert f"up to {LARGEST_EXCESS:g}" in row["note"]


@pytest.mark.false_alarm(0)
def test_too_few_networks_are_inconclusive(judge):
    row = judge(vp.simulate(RELU, n_networks=9, rng=709, quantities=["pivot"]), "spread", "pivot")
    assert row["verdict"] == "inconclusive"
    assert "10 networks or more" in row["note"]
    uniform = vp.mlp([16] * 3, activation="relu", weights="he_uniform")
    row = judge(vp.simulate(uniform, n_networks=49, rng=709, quantities=["pivot"]), "spread", "pivot")
    assert "50 networks or more" in row["note"]
    # One constant column makes the claim inconclusive, and no other claim.
    sim = vp.simulate(RELU, n_networks=20, rng=710, quantities=["pivot", "activation_second_moment"])
    frame = sim.to_frame()
    frame.loc[(frame["quantity"] == "pivot") & (frame["layer"] == 2), "value"] = 1.0
    flat = vp.Simulation.from_frame(frame, RELU)
    claims = [
        {"id": "spread", "test": "spread", "quantity": "pivot"},
        {"id": "dead", "test": "dead_rate", "quantity": "activation_second_moment", "margin": 0.5},
    ]
    rows = vp.verify(flat, claims=claims)
    rows = rows[rows["verdict"].notna()].set_index("claim")
    assert "their variance is 0" in rows.loc["spread", "note"]
    assert rows["verdict"].tolist() == ["inconclusive", "supported"]


@pytest.mark.false_alarm(0)
def test_several_inputs_are_refused(judge):
    with pytest.raises(UnsupportedError, match="about one input"):
        judge(vp.simulate(RELU, n_networks=20, rng=1, inputs=2, per_input=True), "spread", "pivot")


@pytest.mark.false_alarm(0)
def test_what_would_decide_is_more_where_p_values_end(judge):
    """With fewer than 100 networks no p-value is below 1e-5, and with none below 1e-6: 20 times 16 is the first rung of more."""
    sim = vp.simulate(RELU, n_networks=20, rng=711, quantities=["pivot"])
    claim = {"id": "s", "test": "spread", "quantity": "pivot", "margin": 5.0, "layers": (1, 1)}
    for alpha, least in ((5e-6, 320), (1e-7, None), (1e-300, None)):
        row = vp.verify(sim, claims=[claim], alpha=alpha).iloc[0]
        assert row["verdict"] == "inconclusive"
        assert row["n_required"] == least if least else pd.isna(row["n_required"])
