import numpy as np
import pytest

import varprop as vp
from varprop.model.simulation import Simulation
from varprop.verification.compare import Case, assess
from varprop.verification.planning import foreseen, plan_claims

NETWORK = vp.mlp([64] * 9, activation="relu", weights="he_normal")
QUANTITY = "preactivation_second_moment"
QUANTITIES = (QUANTITY, "conditional_variance", "activation_mean", "activation_second_moment", "pivot")
PILOT = 60_000  # so large that what a pilot does not know is no matter here


def claim(test="cumulative_mean", *, quantity=QUANTITY, theory="he", **parts):
    return vp.Claim(id=f"{test}.{theory}", quantity=quantity, test=test, theory=theory, **parts)


@pytest.fixture(scope="module")
def pilot():
    return vp.simulate(NETWORK, n_networks=PILOT, rng=np.random.SeedSequence(611), quantities=QUANTITIES)


def plan(pilot, *claims, alpha=0.05):
    return plan_claims([Case("relu", pilot, claims)], alpha=alpha)


@pytest.mark.false_alarm(2e-9)
def test_a_right_prediction_is_planned_at_the_truth(pilot):
    """The pilot's variance in the formula for the truth nearest to 0 that agrees with the pilot.

    Unless the pilot is six standard errors off, with probability 2e-9, that is a quarter of the margin or less: 43 % more.
    """
    row = plan(pilot, claim(margin=0.05)).iloc[0]
    assert (row["heads_for"], row["pilot"]) == ("supported", PILOT)
    assert row["n_required"] == pytest.approx(vp.required_networks(variance=(2 + 7 * 5) / 64, margin=0.05), rel=0.5)


@pytest.mark.false_alarm(1e-12)
def test_a_wrong_prediction_heads_for_refutation(pilot):
    """He's networks held against Xavier's theory: twice too much in every step, which a handful of networks show."""
    row = plan(pilot, claim("pooled_step_mean", theory="xavier", expect="refuted")).iloc[0]
    assert row["heads_for"] == "refuted"
    assert row["n_required"] < 50


@pytest.mark.false_alarm(1e-9)
@pytest.mark.parametrize("test", ["step_mean", "cumulative_mean", "pooled_step_mean", "growth_rate"])
def test_as_many_networks_as_planned_decide(pilot, test):
    """Six times the plan of power .9 puts the margin 8 standard errors away, of which support takes 1.7: missed with 1e-9.

    `test_too_few_do_not` is the control.
    """
    wanted = claim(test, margin=0.2)
    needed = int(plan(pilot, wanted)["n_required"].iloc[0])
    sim = vp.simulate(NETWORK, n_networks=6 * needed, rng=np.random.SeedSequence([612, len(test)]))
    assert assess([Case("relu", sim, (wanted,))])["verdict"].iloc[0] == "supported"


@pytest.mark.false_alarm(1e-12)
def test_too_few_do_not(pilot):
    """A fortieth of the plan puts the margin .5 standard errors away, and support asks for 1.645.

    Some 65 networks would have to estimate a tenth of their variance: never.
    """
    wanted = claim(margin=0.05)
    needed = int(plan(pilot, wanted)["n_required"].iloc[0])
    sim = vp.simulate(NETWORK, n_networks=needed // 40, rng=np.random.SeedSequence(613))
    assert assess([Case("relu", sim, (wanted,))])["verdict"].iloc[0] != "supported"


@pytest.mark.false_alarm(1e-9)
def test_more_claims_and_layers_take_more(pilot):
    alone = plan(pilot, claim("step_mean", margin=0.2)).iloc[0]["n_required"]
    among = plan(pilot, *[claim("step_mean", margin=0.2)] * 10).iloc[0]["n_required"]
    one_layer = plan(pilot, claim("step_mean", margin=0.2, layers=(5, 5))).iloc[0]["n_required"]
    assert one_layer < alone < among


@pytest.mark.false_alarm(0)
def test_a_truth_on_the_margin_is_named(pilot):
    """Networks are 5 % above the prediction, give or take a thousandth: no side of the margin can be told."""
    values = np.tile(2.0 * 1.05 * (1.0 + 0.001 * np.array([[-1.0], [1.0]])), (25, 8))
    samples = {QUANTITY: type(pilot.samples[QUANTITY])(values, pilot.places(QUANTITY))}
    sim = Simulation(network=NETWORK, inputs=np.ones((1, 64)), samples=samples)
    row = plan(sim, claim(margin=0.05, layers=(1, 1))).iloc[0]
    assert row.isna()["n_required"]
    assert "undecidable at any size" in row["note"]


@pytest.mark.false_alarm(1e-9)
def test_every_kind_of_test_has_a_forecast(pilot):
    claims = [
        vp.Claim(id="law", quantity="pivot", test="pivot_law", margin=0.1),
        vp.Claim(id="exact", quantity=QUANTITY, test="exact_law", margin=0.1),
        vp.Claim(id="log", quantity=QUANTITY, test="log_mean", margin=0.1),
        vp.Claim(id="dead", quantity="activation_second_moment", test="dead_rate", margin=0.1),
        vp.Claim(id="spread", quantity="pivot", test="spread", margin=0.5),
        vp.Claim(id="below", quantity=QUANTITY, test="directional", below=2.0),
        vp.Claim(id="typical", quantity=QUANTITY, test="typical_directional", below=2.0),
        vp.Claim(id="level", quantity="activation_mean", test="level", above=0.3),
        vp.Claim(id="zero", quantity="activation_mean", test="zero_mean"),
        vp.Claim(id="weights", quantity="weights", test="weights_law", theory="he"),
        claim("band", margin=0.3),
    ]
    table = plan(pilot, *claims).set_index("claim")
    assert table["n_required"].notna().all()
    assert (table["heads_for"].drop("zero") == "supported").all()
    assert table.loc["zero", "heads_for"] == "refuted"  # ReLU's mean is no 0
    assert (table["n_required"] >= 2).all()


@pytest.mark.false_alarm(0)
def test_no_claims_no_plan(pilot):
    with pytest.raises(ValueError, match="no claim"):
        plan_claims([Case("relu", pilot, ())])


@pytest.mark.false_alarm(1e-9)
def test_what_is_known_beforehand_agrees_with_the_pilot(pilot):
    wanted = claim(margin=0.1)
    (known,) = foreseen({"relu": [wanted]}, {"relu": NETWORK}, alpha=0.05).values()
    assert int(plan(pilot, wanted)["n_required"].iloc[0]) == pytest.approx(known, rel=0.5)


@pytest.mark.parametrize(
    ("network", "wanted"),
    [
        (vp.mlp([64] * 9, activation="tanh", weights="he_normal"), claim()),
        (vp.mlp([64, 32, 64], activation="relu", weights="he_normal"), claim()),
        (vp.mlp([64] * 9, activation="relu", weights="he_uniform"), claim()),
        (NETWORK, claim(expect="refuted")),
        (NETWORK, vp.Claim(id="z", quantity="activation_mean", test="zero_mean")),
    ],
)
def test_nothing_is_foreseen_where_nothing_is_known(network, wanted):
    assert foreseen({"a": [wanted]}, {"a": network}, alpha=0.05) == {}
