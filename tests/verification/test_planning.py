import numpy as np
import pytest
from scipy import stats

import varprop as vp
from varprop.model.simulation import Simulation
from varprop.stats import multiple
from varprop.stats.mixture import NormalMixture
from varprop.verification.compare import Case, assess, judge
from varprop.verification.prospects import Planned, known_before, plan_table, watched_need
from varprop.verification.questions import UndecidableError
from varprop.verification.verdict import Allowance, of_one_look

NETWORK = vp.mlp([64] * 9, activation="relu", weights="he_normal")
UNKNOWN = vp.mlp([64] * 9, activation="relu", weights="he_normal", biases={"name": "normal", "std": 1e-9})
QUANTITY = "preactivation_second_moment"
QUANTITIES = (QUANTITY, "conditional_variance", "activation_mean", "activation_second_moment", "pivot")
PILOT = 60_000  # so large that what a pilot does not know is no matter here


def claim(test="cumulative_mean", *, quantity=QUANTITY, theory="he", **parts):
    return vp.Claim(id=f"{test}.{theory}", quantity=quantity, test=test, theory=theory, **parts)


@pytest.fixture(scope="module")
def pilot():
    return vp.simulate(NETWORK, n_networks=PILOT, rng=np.random.SeedSequence(611), quantities=QUANTITIES)


def plan(pilot, *claims, alpha=0.05, network=None):
    """Plan by a pilot as if any number of networks could be looked at, each with all of alpha.

    Biases that are all but zero take away what is known of ReLU beforehand.
    """
    level = alpha / len(claims)
    every = tuple((n, level) for n in np.unique(np.geomspace(2, 1e9, 2000).astype(int)).tolist())
    allowance = Allowance(level=level, networks=every[0][0], later=every)
    found = judge([Case("relu", pilot, claims)])
    parts = {"network": network or UNKNOWN, "inputs": 1, "networks": pilot.n_networks, "allowance": allowance}
    return plan_table([Planned(configuration=c, claim=one, evidence=e, fresh=True, **parts) for c, one, e in found])


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
def test_no_claims_no_plan():
    with pytest.raises(ValueError, match="no claim"):
        plan_table([])


@pytest.mark.false_alarm(1e-9)
def test_what_is_known_beforehand_agrees_with_the_pilot(pilot):
    wanted = claim(margin=0.1)
    known = known_before(wanted, NETWORK).need(0.05)
    assert int(plan(pilot, wanted)["n_first"].iloc[0]) == pytest.approx(known, rel=0.5)
    # Where it is known, the pilot is not asked.
    assert int(plan(pilot, wanted, network=NETWORK)["n_first"].iloc[0]) == known


@pytest.mark.parametrize(
    ("network", "wanted", "inputs"),
    [
        (vp.mlp([64] * 9, activation="tanh", weights="he_normal"), claim(), 1),
        (vp.mlp([64, 32, 64], activation="relu", weights="he_normal"), claim(), 1),
        (vp.mlp([64] * 9, activation="relu", weights="he_uniform"), claim(), 1),
        (NETWORK, claim(expect="refuted"), 1),
        (NETWORK, claim(theory="xavier"), 1),
        (NETWORK, claim(layers=(3, 8)), 1),
        (NETWORK, claim(), 3),
        (NETWORK, vp.Claim(id="z", quantity="activation_mean", test="zero_mean"), 1),
    ],
)
def test_nothing_is_known_beforehand_where_nothing_is(network, wanted, inputs):
    assert known_before(wanted, network, inputs=inputs) is None


@pytest.mark.parametrize("theory", ["he", "mean-field", "finite-width", "preserved"])
@pytest.mark.parametrize("test", ["step_mean", "pooled_step_mean", "cumulative_mean", "growth_rate"])
def test_every_theory_that_is_right_is_known(test, theory):
    assert known_before(claim(test, theory=theory), NETWORK) is not None


def test_a_rate_over_a_networks_layers_has_one_step_less():
    rate = known_before(claim("growth_rate", margin=0.1), NETWORK).need(0.05)
    assert rate == vp.required_networks("growth_rate", width=64, depth=7, margin=0.1)


def test_a_plan_is_a_rung_of_the_ladder():
    """The first that has as many networks as its own level asks for."""
    known, level = known_before(claim(margin=0.05), NETWORK), 0.05 / 7
    rungs = [(multiple.size(500, k), multiple.share(k) * level) for k in range(1, 8)]
    allowance = Allowance(level=rungs[0][1], networks=500, later=tuple(rungs))
    parts = {"network": NETWORK, "inputs": 1, "networks": 500, "evidence": UndecidableError("no pilot")}
    row = plan_table([Planned(configuration="a", claim=claim(margin=0.05), allowance=allowance, fresh=True, **parts)])
    enough = [networks for networks, here in rungs if networks >= known.need(here)]
    assert row["n_required"].tolist() == [min(enough)]
    assert row["n_first"].tolist() == [known.need(rungs[0][1])]
    assert known.need(rungs[0][1]) < min(enough)


@pytest.mark.parametrize("level", [0.05, 0.05 / 21])
def test_a_sequence_needs_more_than_a_fixed_sample_and_as_many_as_its_bound_says(level):
    """Two roads: the number found, and the standard errors that the margin then is away, bound and quantile added."""
    mixture = NormalMixture.tuned(3000, alpha=2 * level)
    unit, delta = 5 * 8 / 64, np.log(1.05)
    quantile = stats.norm.ppf(0.95)
    found = watched_need(lambda a: int(np.ceil((stats.norm.isf(a) + quantile) ** 2 * unit / delta**2)), mixture)(level)
    assert np.sqrt(found / unit) * delta == pytest.approx(float(mixture.bound(found, alpha=level)) + quantile, rel=1e-3)


def test_steps_of_one_look_are_fourfold():
    one = of_one_look(50, alpha=0.05, m=2)
    assert one.later[:2] == ((200, 0.025), (800, 0.025))
    assert one.later[-1][0] <= 10**9
