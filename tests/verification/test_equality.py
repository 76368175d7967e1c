"""Exact equality on real networks: for a reason, of all networks, and of a share of them."""

import math

import numpy as np
import pytest

import varprop as vp
from varprop.model.layers import UnsupportedError
from varprop.verification.claims import Claim
from varprop.verification.compare import Case
from varprop.verification.compare import judge as judge_all
from varprop.verification.prospects import Planned, plan_table
from varprop.verification.reasons import REASONS, check_reason
from varprop.verification.verdict import Allowance

RELU = vp.mlp([16] * 6, activation="relu", weights="he_normal")
FORWARD = "preactivation_second_moment"


@pytest.mark.false_alarm(0)
def test_constant_weights_keep_the_units_of_a_layer_alike(judge):
    """And random ones do not: the symmetry that initialisation has to break."""
    alike = vp.mlp([8] * 4, activation="tanh", weights={"name": "constant", "value": 0.1})
    sim = vp.simulate(alike, n_networks=50, rng=708, dtype="float64")
    for quantity, layers in (("preactivation_variance", None), ("gradient_variance", (1, 2))):
        row = judge(sim, "identity", quantity, layers=layers, reason="equal-units")
        assert (row["verdict"], row["pvalue"], row["pvalue_adjusted"]) == ("supported", 1.0, 1.0)
    random = vp.simulate(RELU, n_networks=50, rng=709)
    row = judge(random, "identity", "preactivation_variance", share=1)
    assert (row["verdict"], row["pvalue"], row["pvalue_adjusted"]) == ("refuted", 0.0, 0.0)
    assert "variance over units of up to" in row["note"]


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("width", [100, 257])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("value", [0.0, 0.01, 0.37])
def test_equal_units_have_no_variance_at_all(width, activation, value, judge):
    """Bit by bit, also where their mean is rounded; one input, whose sums no BLAS kernel does."""
    net = vp.mlp([17, *[width] * 3], activation=activation, weights={"name": "constant", "value": value})
    sim = vp.simulate(net, n_networks=3, rng=713, dtype="float64")
    for quantity in ("preactivation_variance", "activation_variance"):
        row = judge(sim, "identity", quantity, reason="equal-units")
        assert (row["verdict"], row["estimate"]) == ("supported", 0.0)
        assert row["note"] == "all units of a layer are equal"


@pytest.mark.false_alarm(0)
def test_equality_with_a_stated_value(judge):
    net = vp.mlp([6, 20, 20, 3], activation="tanh", weights={"name": "constant", "value": 0.01})
    sim = vp.train(net, steps=3, learning_rate=0.1, n_networks=4, rng=714)
    row = judge(sim, "identity", "most_distinct_rows", equals=1, layers=(1, 2), reason="equal-units")
    assert (row["verdict"], row["estimate"], row["predicted"]) == ("supported", 1.0, 1.0)
    assert row[["margin", "ci_low", "ci_high"]].isna().all()
    row = judge(sim, "identity", "most_distinct_rows", equals=1, share=1)  # the output has three
    assert (row["verdict"], row["estimate"], row["predicted"]) == ("refuted", 3.0, 1.0)
    assert row["note"] == "layer 3: 3 in 4 networks, and 1 is claimed"
    assert judge(sim, "identity", "fewest_distinct_rows", equals=2, share=1)["verdict"] == "refuted"
    # A trained network's numbers are held to the last bit, those of an ordinary one up to single precision.
    change = sim.values("weight_change")[0, 0]
    first = {"layers": (1, 1), "reason": "nothing-random"}
    assert judge(sim, "identity", "weight_change", equals=change, **first)["verdict"] == "supported"
    assert judge(sim, "identity", "weight_change", equals=change * (1 + 1e-15), **first)["verdict"] == "refuted"
    linear = vp.simulate(vp.mlp([16] * 3, activation="linear", weights="orthogonal"), n_networks=50, rng=715)
    assert judge(linear, "identity", FORWARD, equals=1, reason="orthogonal")["verdict"] == "supported"
    assert judge(linear, "identity", FORWARD, equals=1.001, reason="orthogonal")["verdict"] == "refuted"


@pytest.mark.false_alarm(0)
def test_orthogonal_linear_networks_are_all_alike(judge):
    net = vp.mlp([16] * 4, activation="linear", weights="orthogonal")
    sim = vp.simulate(net, n_networks=200, rng=710, quantities=[FORWARD])
    assert judge(sim, "identity", FORWARD, reason="orthogonal")["verdict"] == "supported"
    assert judge(sim, "identity", FORWARD, theory="xavier", reason="orthogonal")["verdict"] == "supported"
    assert judge(sim, "identity", FORWARD, theory="he", reason="orthogonal")["verdict"] == "refuted"
    # Without the reason 200 networks show no more than that most are alike.
    assert judge(sim, "identity", FORWARD)["verdict"] == "inconclusive"
    assert judge(sim, "identity", FORWARD, share=0.98)["verdict"] == "supported"
    row = judge(sim, "identity", FORWARD, share=1)
    assert row["verdict"] == "inconclusive"
    assert "no number of networks shows that all are so" in row["note"]
    gaussian = vp.simulate(RELU, n_networks=200, rng=711, quantities=[FORWARD])
    row = judge(gaussian, "identity", FORWARD, share=1)
    assert row["verdict"] == "refuted"
    assert "200 different values in 200 networks" in row["note"]


@pytest.mark.false_alarm(0)
def test_dead_networks_are_left_out_of_equality(judge):
    sim = vp.simulate(vp.mlp([2] * 4, activation="relu", weights="he_normal"), n_networks=300, rng=712)
    assert "networks have no value and are left out" in judge(sim, "identity", "pivot")["note"]


@pytest.mark.false_alarm(0)
def test_a_theory_has_to_speak_of_what_is_compared(judge):
    sim = vp.simulate(RELU, n_networks=5, rng=808)
    with pytest.raises(ValueError, match=r"one input|says nothing"):
        judge(sim, "identity", "activation_second_moment", theory="xavier-variance")


# ---- of a share of all networks ------------------------------------------------------------------------------------


DYING = vp.mlp([1] * 5, activation="relu", weights="he_normal")
"""Dead after layer 4 with probability 1 - 2^-4 = 93.75 %."""


def dead(n_networks, rng):
    return vp.simulate(DYING, n_networks=n_networks, rng=rng, quantities=["activation_second_moment"])


ALL_DEAD = {"quantity": "activation_second_moment", "equals": 0, "layers": (4, 4)}


@pytest.mark.false_alarm(0)
def test_five_dead_networks_do_not_show_that_all_are(judge):
    """94 % of networks are dead: five were often all dead, and the claim was "supported" in 227 of 300 samples. Whatever the five
    are it is not supported now, of all networks or of 99 % of them; with them all dead it is shown of half of the networks."""
    many = dead(1500, 801)
    values = many.values("activation_second_moment")[:, -1].reshape(300, 5)
    all_dead = (values == 0).all(axis=1)
    assert all_dead.sum() > 100
    for i in np.flatnonzero(all_dead)[:3]:
        frame = many.to_frame()
        sim = vp.Simulation.from_frame(frame[frame["network"].between(5 * i, 5 * i + 4)], DYING)
        for share in (None, 1, 0.9, 0.56):
            assert judge(sim, "identity", **ALL_DEAD, share=share)["verdict"] == "inconclusive"
        row = judge(sim, "identity", **ALL_DEAD, share=0.54)  # .54^5 = .046
        assert row["verdict"] == "supported"
        assert (row["estimate"], row["predicted"], row["n_networks"]) == (1.0, 0.54, 5)
        assert row["p_equivalence"] == pytest.approx(0.54**5)
        assert "holds in at least 54 % of networks; it does not in 0 of 5" in row["note"]


@pytest.mark.false_alarm(1e-9)
def test_many_networks_tell_on_which_side_the_share_is(judge):
    """Of 4,000 networks 93.75 % are dead, standard error .38 %: 99 % is refuted and 90 % supported, ten and seven beyond."""
    sim = dead(4000, 802)
    row = judge(sim, "identity", **ALL_DEAD)
    assert row["verdict"] == "refuted"
    assert row["ci_low"] < 0.9375 < row["ci_high"]
    assert judge(sim, "identity", **ALL_DEAD, share=0.9)["verdict"] == "supported"
    row = judge(sim, "identity", **ALL_DEAD, share=1)
    assert (row["verdict"], row["p_refute"]) == ("refuted", 0.0)
    assert math.isnan(row["ci_low"])


@pytest.mark.false_alarm(0)
def test_597_networks_show_99_percent_at_a_twentieth_of_5_percent():
    """Orthogonal networks are alike, and to that the reason is left out: no exception among N shows .99^N."""
    net = vp.mlp([4, 4], activation="linear", weights="orthogonal")
    claim = {"id": "alike", "test": "identity", "quantity": FORWARD, "equals": 1}
    for networks, verdict in ((596, "inconclusive"), (597, "supported")):
        sim = vp.simulate(net, n_networks=networks, rng=803, quantities=[FORWARD])
        row = vp.verify(sim, claims=[claim], alpha=0.05 / 20).iloc[0]
        assert row["verdict"] == verdict
    for networks, verdict in ((596, "inconclusive"), (597, "inconclusive"), (598, "supported")):
        # Where no value is stated the first network says what the others are to be.
        sim = vp.simulate(net, n_networks=networks, rng=803, quantities=[FORWARD])
        row = vp.verify(sim, claims=[claim | {"equals": None}], alpha=0.05 / 20).iloc[0]
        assert row["verdict"] == verdict
    sim = vp.simulate(net, n_networks=20, rng=803, quantities=[FORWARD])
    assert vp.verify(sim, claims=[claim], alpha=0.05 / 20).iloc[0]["n_required"] == 1280  # rungs: 20 x 4^k
    assert vp.verify(sim, claims=[claim], alpha=1e-300).iloc[0]["verdict"] == "inconclusive"


@pytest.mark.false_alarm(0)
def test_exceptions_count_in_whatever_layer_they_are(judge):
    """Two layers, each with an exception of its own among 100 networks: two networks in which the claim fails."""
    values = np.ones((100, 2))
    values[3, 0] = values[60, 1] = 2.0
    net = vp.mlp([4, 4, 4], activation="linear", weights="lecun_normal")
    sim = vp.simulate(net, n_networks=100, rng=1, quantities=[FORWARD])
    frame = sim.to_frame().sort_values(["network", "layer"])
    frame["value"] = values.ravel()
    sim = vp.Simulation.from_frame(frame, net)
    row = judge(sim, "identity", FORWARD, equals=1)
    assert row["estimate"] == 0.98
    # Without a value at most one is known to differ from the others in each layer.
    row = judge(sim, "identity", FORWARD)
    assert row["estimate"] == 0.99
    assert judge(sim, "identity", FORWARD, equals=1, share=0.999)["verdict"] == "refuted"


@pytest.mark.false_alarm(0)
def test_claims_without_chance_take_no_part_of_alpha():
    """A claim beside two exact ones has all of alpha, and beside one about a share half of it."""
    net = vp.mlp([4, 4], activation="linear", weights="orthogonal")
    sim = vp.simulate(net, n_networks=400, rng=804, quantities=[FORWARD])
    share = {"id": "share", "test": "identity", "quantity": FORWARD, "equals": 1}
    exact = [
        {"id": "reason", "test": "identity", "quantity": FORWARD, "reason": "orthogonal"},
        {"id": "all", "test": "identity", "quantity": FORWARD, "share": 1},
    ]
    verdicts = vp.verify(sim, claims=[share, *exact]).dropna(subset=["verdict"])
    assert verdicts["verdict"].tolist() == ["supported", "supported", "inconclusive"]  # .99^400 = .018
    both = vp.verify(sim, claims=[share, share | {"id": "again"}, share | {"id": "third"}])
    assert both["verdict"].dropna().tolist() == ["inconclusive"] * 3
    assert [Claim(**one).counts for one in (share, *exact)] == [True, False, False]


@pytest.mark.false_alarm(0)
def test_a_plan_knows_the_kinds():
    net = vp.mlp([4, 4], activation="linear", weights="orthogonal")
    sim = vp.simulate(net, n_networks=20, rng=805, quantities=[FORWARD])
    kinds = ({"reason": "orthogonal"}, {"share": 1}, {}, {"share": 1, "equals": 2})
    claims = tuple(Claim(id=str(i), test="identity", quantity=FORWARD, **kind) for i, kind in enumerate(kinds))
    level = 0.05
    allowance = Allowance(level=level, networks=2, later=tuple((n, level) for n in range(2, 400)))
    parts = {"network": net, "inputs": 1, "networks": 20, "allowance": allowance}
    judged = judge_all([Case("one", sim, claims)])
    found = plan_table([Planned(configuration=c, claim=one, evidence=e, **parts) for c, one, e in judged])
    assert found["heads_for"].isna().tolist() == [False, True, False, False]
    assert found["n_required"].fillna(0).tolist() == [2, 0, 299, 2]


# ---- for a reason --------------------------------------------------------------------------------------------------


def network(weights="he_normal", biases="zeros", activation="relu", widths=(6, 8, 8, 3)):
    return vp.mlp(list(widths), activation=activation, weights=weights, biases=biases)


CONSTANT = {"name": "constant", "value": 0.1}
NORMAL = {"name": "normal", "std": 0.1}
HOLDS = [
    ("equal-units", "preactivation_variance", (1, 2, 3), network(CONSTANT, CONSTANT)),
    ("equal-units", "gradient_variance", (1, 2), network(CONSTANT)),
    ("equal-units", "loss_gradient_variance", (1, 2), network("zeros")),
    ("equal-units", "most_distinct_columns", (2, 3), network(CONSTANT)),
    ("zero-weights", "preactivation_second_moment", (1, 2, 3), network("zeros")),
    ("zero-weights", "gradient_second_moment", (1, 2), network("zeros", NORMAL)),
    ("nothing-moves", "weight_change", (1, 2, 3), network("zeros", activation="tanh")),
    ("nothing-moves", "bias_change", (1, 2), network("zeros")),
    ("orthogonal", "preactivation_second_moment", (1,), network("orthogonal")),
    ("orthogonal", "activation_second_moment", (1, 2), network("orthogonal", activation="abs")),
    ("orthogonal", "pivot", (1, 2), network("orthogonal", activation="tanh")),
    ("continuous-weights", "fewest_distinct_rows", (1, 2, 3), network("he_uniform")),
    ("nothing-random", "final_loss", (1, 2, 3), network(CONSTANT, CONSTANT)),
]
LACKS = [
    ("equal-units", "activation_variance", (1,), network(CONSTANT, NORMAL), "biases normal(std=0.1), which differ"),
    ("equal-units", "preactivation_variance", (1,), network(), "weights he_normal, which differ from unit to unit"),
    ("equal-units", "loss_gradient_variance", (3,), network(CONSTANT), "layer 3 is the last"),
    ("equal-units", "most_distinct_columns", (1,), network(CONSTANT), "columns of layer 1 belong to the inputs"),
    ("zero-weights", "activation_second_moment", (1,), network("zeros", CONSTANT), "biases constant(value=0.1)"),
    ("zero-weights", "gradient_second_moment", (3,), network("zeros"), "layer 3 is the last"),
    ("nothing-moves", "weight_change", (1,), network("zeros", activation="sigmoid"), "sigmoid is not 0 at 0"),
    ("nothing-moves", "weight_change", (1,), network("zeros", NORMAL), "not zero"),
    ("nothing-moves", "bias_change", (3,), network("zeros"), "layer 3 is the last, whose biases are trained"),
    ("nothing-moves", "weight_change", (1,), network("zeros", widths=(6, 3)), "no hidden layer"),
    ("orthogonal", "preactivation_second_moment", (2,), network("orthogonal"), "relu, which changes norms"),
    ("orthogonal", "pivot", (3,), network("orthogonal"), "3 units for 8 inputs"),
    ("orthogonal", "pivot", (1,), network(), "weights he_normal"),
    ("orthogonal", "pivot", (1,), network("orthogonal", NORMAL), "biases"),
    (
        "continuous-weights",
        "fewest_distinct_rows",
        (1,),
        network({"name": "rademacher", "std": 0.1}),
        "not known to be continuous",
    ),
    ("nothing-random", "final_loss", (3,), network(CONSTANT, NORMAL), "biases normal"),
]


@pytest.mark.parametrize(("reason", "quantity", "layers", "net"), HOLDS)
def test_a_network_that_has_what_a_reason_needs(reason, quantity, layers, net):
    check_reason(reason, quantity, layers, net)


@pytest.mark.parametrize(("reason", "quantity", "layers", "net", "lacking"), LACKS)
def test_a_network_that_lacks_it(reason, quantity, layers, net, lacking):
    with pytest.raises(UnsupportedError, match=reason) as caught:
        check_reason(reason, quantity, layers, net)
    assert lacking in str(caught.value)
    assert "leave the reason out" in str(caught.value)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(("reason", "quantity", "layers", "net"), HOLDS)
def test_what_follows_from_a_reason_is_so(reason, quantity, layers, net, judge):
    """In every network, to the last bit or up to rounding; and networks that lack the reason differ."""
    from varprop.model.quantities import QUANTITIES

    def sampled(of):
        if quantity in QUANTITIES:
            return vp.simulate(of, n_networks=20, rng=806, dtype="float64", quantities=[quantity])
        return vp.train(of, steps=5, learning_rate=0.1, n_networks=20, rng=806, quantities=[quantity])

    equals = {"weight_change": 0, "bias_change": 0, "most_distinct_columns": 1, "fewest_distinct_rows": None}
    given = {"layers": (layers[0], layers[-1]), "equals": equals.get(quantity)}
    assert judge(sampled(net), "identity", quantity, reason=reason, **given)["verdict"] == "supported"
    if reason == "continuous-weights":
        return
    other = judge(sampled(network(activation="tanh")), "identity", quantity, share=1, **given)
    assert other["verdict"] == "refuted"


@pytest.mark.false_alarm(0)
def test_a_reason_that_does_not_hold_is_an_error(judge):
    sim = vp.simulate(RELU, n_networks=5, rng=807, quantities=[FORWARD])
    with pytest.raises(UnsupportedError, match=r"claim 'identity'.*'orthogonal'.*he_normal"):
        judge(sim, "identity", FORWARD, reason="orthogonal")
    assert all(reason.meaning and reason.quantities for reason in REASONS.values())
