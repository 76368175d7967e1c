import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import varprop as vp
from tests.two_samples import ks_pvalue
from varprop.model.layers import UnsupportedError
from varprop.stats.outcome import Outcome
from varprop.verification.calibration import selfcheck as checks
from varprop.verification.calibration.rates import Rate, bound_rates, estimate_rates, point_rates
from varprop.verification.calibration.studies import COLUMNS, calibrate
from varprop.verification.calibration.truths import claim_of, draw, judged, layer_norms, null_is_exact
from varprop.verification.claims import TESTS
from varprop.verification.compare import gather
from varprop.verification.tests import of_bounds as bounds
from varprop.verification.validity import has_law

RELU = vp.mlp([16] * 6, activation="relu", weights="he_normal")
RATES = ["level", "coverage", *["false support", "false refutation"] * 2, "support", "refutation"]
CALIBRATED = [name for name, rule in TESTS.items() if rule.null is not None]
BOUNDED = [name for name, rule in TESTS.items() if rule.bound is not None]
BOUND_RATES = ["level", "coverage", "false support", "false refutation", "support", "refutation"]


def outcomes(rng, *, truth=0.0, variance=0.04, n=100, studies=2000):
    """Estimates of normal samples, whose t law is exact."""
    sample = truth + np.sqrt(variance) * rng.standard_normal((studies, n))
    pairs = zip(sample.mean(axis=1), sample.std(axis=1, ddof=1) / np.sqrt(n), strict=True)
    return [Outcome.from_estimate("step_mean", theta=theta, se=se, df=n - 1, n=n) for theta, se in pairs]


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("activation", ["relu", {"name": "leaky_relu", "slope": 0.5}, "linear"], ids=str)
def test_the_law_of_norms_is_that_of_networks(rng, activation):
    """Two roads to every layer's norms: the law, and matrices multiplied out. Twenty Kolmogorov-Smirnov tests at 5e-10: 1e-8.

    The slope's square is a binary fraction, so that both say the same of their mean to the last bit.
    """
    network = vp.mlp([8, 5, 7, 6], activation=activation, weights="he_normal")
    assert has_law(network)
    law = layer_norms(network, n_networks=20_000, rng=rng)
    sampled = vp.simulate(network, n_networks=20_000, rng=rng, method="dense", quantities=law.quantities)
    for name in law.quantities:
        assert law.places(name) == sampled.places(name)
        for mine, theirs in zip(law.values(name).T, sampled.values(name).T, strict=True):
            if np.nanstd(mine) > 1e-6:  # the first conditional variance is the same in all
                present = [column[~np.isnan(column)] for column in (mine, theirs)]
                assert ks_pvalue(*present) > 5e-10


@pytest.mark.false_alarm(0)
def test_another_law_is_told_apart(rng):
    """The control of the test above: twice the units in one layer."""
    values = [
        layer_norms(vp.mlp(widths, activation="relu", weights="he_normal"), n_networks=20_000, rng=rng)
        for widths in ([8, 5, 7, 6], [8, 5, 14, 6])
    ]
    last = [one.values("preactivation_second_moment")[:, -1] for one in values]
    assert ks_pvalue(*last) < 5e-10


@pytest.mark.false_alarm(0)
def test_the_law_knows_no_other_networks(rng):
    for network in (
        vp.mlp([8, 8], activation="tanh", weights="he_normal"),
        vp.mlp([8, 8], activation="relu", weights="he_uniform"),
        vp.mlp([8, 8], activation="relu", weights="he_normal", biases=vp.get_initializer("uniform", limit=0.1)),
    ):
        assert not has_law(network)
        with pytest.raises(UnsupportedError, match="two slopes"):
            layer_norms(network, n_networks=2, rng=rng)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("test", CALIBRATED)
def test_a_study_cut_out_is_judged_as_it_would_be_alone(test):
    """What is judged in bulk is what `gather` says of the same networks on their own."""
    network = vp.mlp([16] * 6, activation="relu", weights="he_normal")
    claim = claim_of(test, network, margin=0.1)
    drawn = draw(
        network, n_networks=600, seed=np.random.SeedSequence(5), source="engine", quantities=TESTS[test].null.reads
    )
    bulk = list(judged(claim, drawn, 2))
    samples = {name: type(s)(s.values[300:], s.places) for name, s in drawn.samples.items()}
    alone = vp.Simulation(network=network, inputs=drawn.inputs, samples=samples, seed=drawn.seed)
    (evidence,) = gather([claim], alone, called="alone")
    assert bulk[1] == evidence.headline.outcome


def test_every_test_is_calibrated_or_said_why_not():
    assert set(TESTS) - set(CALIBRATED) == {"identity", "weights_law"}
    assert {test for test in CALIBRATED if TESTS[test].null.bound} == set(BOUNDED)


@pytest.mark.parametrize("width", [2, 5, 16])
def test_bounds_lie_at_the_truth(width):
    """Two roads: laws put together by `bounds`, and sums over the K ~ Bin(n, 1/2) units above 0.

    A step's logarithm is that of (4 / n) chi2_K / 2, K >= 1; a layer's mean squared slope is K / n if all below live.
    """
    depth, k = 6, np.arange(1, width + 1)
    network = vp.mlp([width] * (depth + 1), activation="relu", weights="he_normal")
    alive = stats.binom.pmf(k, width, 0.5)
    typical = math.log(4.0 / width) + special.digamma(k / 2.0) @ alive / alive.sum()
    assert bounds.typical_gain(network) == pytest.approx(math.exp(typical), rel=1e-9)
    assert bounds.mean_gain(network) == pytest.approx(1.0, rel=1e-12)
    assert bounds.mean_squared_slope(network) == pytest.approx(0.5 * alive.sum() ** (depth - 1), rel=1e-12)
    roots = math.sqrt(4.0 / width) * (special.gamma((k + 1) / 2.0) / special.gamma(k / 2.0)) @ alive
    mean = math.sqrt(2.0) * roots ** (depth - 1) / math.sqrt(2.0 * math.pi)
    assert bounds.mean_activation(network) == pytest.approx(mean, rel=1e-9)


@pytest.mark.false_alarm(1e-8)
def test_bounds_of_other_slopes_and_variances_are_those_of_networks(rng):
    """Three means of 20,000 sampled networks within 5.9 standard errors of their bounds: 4e-9 each of three, and skewness."""
    network = vp.mlp([6, 7, 5, 8], activation={"name": "leaky_relu", "slope": 0.5}, weights="xavier_normal")
    names = ["preactivation_second_moment", "derivative_second_moment", "activation_mean"]
    sim = vp.simulate(network, n_networks=20_000, rng=rng, method="dense", quantities=names)
    q, slopes, means = (sim.values(name) for name in names)
    for values, bound in (
        (np.log(q[:, -1] / q[:, 0]) / 2, math.log(bounds.typical_gain(network))),
        (slopes[:, -1], bounds.mean_squared_slope(network)),
        (means[:, -1], bounds.mean_activation(network)),
    ):
        error = stats.sem(values)
        assert abs(values.mean() - bound) < 5.9 * error
        assert abs(values.mean() - 1.1 * bound) > 5.9 * error


def test_elsewhere_bounds_are_mean_fields():
    tanh = vp.mlp([16] * 4, activation="tanh", weights="xavier_normal")
    said = vp.predict(tanh, theory="mean-field")
    slopes = said[said["quantity"] == "derivative_second_moment"]["predicted"]
    assert bounds.mean_squared_slope(tanh) == slopes.iloc[-1]
    assert bounds.typical_gain(tanh) == bounds.mean_gain(tanh) < 1.0
    assert not any(null_is_exact(test, tanh) for test in BOUNDED)
    assert all(null_is_exact(test, RELU) for test in BOUNDED)


@pytest.mark.false_alarm(6.4e-6)
def test_rates_of_a_test_that_is_right(rng):
    """Normal samples: all eight rates agree with what is promised. False alarm 8e-7 each."""
    found = outcomes(rng)
    rates = [
        *point_rates(found, alpha=0.05, truth=0.0, at_most=False, null=True),
        *estimate_rates(found, alpha=0.05, truth=0.0, delta=0.1, n_networks=100, theta=None),
    ]
    assert [rate.rate for rate in rates] == RATES
    assert all(rate.accepted for rate in rates), rates
    assert rates[-1].planned == pytest.approx(0.9)
    # With the truth at an end of the margin one of the two verdicts is as likely as its level allows.
    assert max(rate.value for rate in rates if rate.rate.startswith("false")) > 0.03


@pytest.mark.false_alarm(8e-7)
def test_rates_of_a_truth_that_is_not_zero(rng):
    """Moved to the truth, a test of a biased prediction is as right as any; unmoved (the control) it is not."""
    found = outcomes(rng, truth=0.07)
    right, wrong = (next(point_rates(found, alpha=0.05, truth=t, at_most=False, null=True)) for t in (0.07, 0.0))
    assert right.accepted
    assert not wrong.accepted


@pytest.mark.false_alarm(1e-9)
@pytest.mark.parametrize(
    ("spoil", "which"), [(0.7, "level"), (1.6, "level"), (0.7, "coverage"), (0.7, "false support")]
)
def test_rates_of_a_test_that_is_wrong(rng, spoil, which):
    """Controls: standard errors that are a factor too small or too large."""
    found = [
        Outcome.from_estimate("step_mean", theta=one.theta, se=spoil * one.se, df=one.df, n=one.n)
        for one in outcomes(rng)
    ]
    rates = [
        *point_rates(found, alpha=0.05, truth=0.0, at_most=False, null=True),
        *estimate_rates(found, alpha=0.05, truth=0.0, delta=0.1, n_networks=100, theta=0.2),
    ]
    assert not all(rate.accepted for rate in rates if rate.rate == which)


@pytest.mark.false_alarm(4e-6)
def test_rates_of_a_bound_that_is_the_truth(rng):
    """Normal samples: five rates of false alarm 8e-7; either verdict is given as often as its level says, and no more."""
    found = outcomes(rng, truth=0.07)
    rates = list(bound_rates(found, alpha=0.05, truth=0.07, n_networks=100, theta=None))
    assert [rate.rate for rate in rates] == BOUND_RATES[1:]
    assert all(rate.accepted for rate in rates), rates
    assert [rate.planned for rate in rates] == pytest.approx([0.95, 0.05, 0.05, 0.9, 0.9])
    assert rates[-1].theta == -rates[-2].theta > 0.0


@pytest.mark.false_alarm(1e-9)
@pytest.mark.parametrize(
    ("spoil", "moved", "which"),
    [
        (0.7, 0.0, "false support"),
        (1.6, 0.0, "false refutation"),
        (0.7, 0.0, "support"),
        (1.0, 0.02, "false support"),
        (1.0, 0.02, "false refutation"),
        (1.0, 0.02, "refutation"),
    ],
)
def test_rates_of_a_bound_that_is_judged_wrongly(rng, spoil, moved, which):
    """Controls: standard errors that are a factor too small or too large, and a bound that is a standard error off."""
    found = [
        Outcome.from_estimate("level", theta=one.theta, se=spoil * one.se, df=one.df, n=one.n) for one in outcomes(rng)
    ]
    rates = bound_rates(found, alpha=0.05, truth=moved, n_networks=100, theta=0.04)
    assert not all(rate.accepted for rate in rates if rate.rate == which)


@pytest.mark.false_alarm(0)
def test_a_bound_of_something_that_does_not_vary_has_no_power_to_plan():
    same = [Outcome.from_estimate("level", theta=0.0, se=0.0, df=9, n=10)] * 4
    rates = list(bound_rates(same, alpha=0.05, truth=0.0, n_networks=10, theta=None))
    assert [(rate.rate, rate.events) for rate in rates] == [
        ("coverage", 4),
        ("false support", 0),
        ("false refutation", 0),
    ]


@pytest.mark.false_alarm(0)
def test_a_study_without_an_answer_rejects_nothing(rng):
    rate = next(point_rates([None] * 5, alpha=0.05, truth=0.0, at_most=True, null=True))
    assert (rate.events, rate.studies, rate.accepted) == (0, 5, True)
    assert Rate(rate="x", alpha=0.05, theta=0.0, events=1, studies=5, planned=np.nan).accepted is None


@pytest.mark.false_alarm(9e-7)
def test_calibrate_gives_a_tidy_table():
    table = calibrate("cumulative_mean", widths=[16] * 6, n_networks=50, repeats=100, rng=3)
    assert tuple(table.columns) == COLUMNS
    assert table["rate"].tolist() == RATES
    assert (table["value"] == table["events"] / table["repeats"]).all()
    assert table["theta"].tolist()[2:6] == pytest.approx([-np.log(1.05), -np.log(1.05), np.log(1.05), np.log(1.05)])
    assert table["accepted"].dropna().all()


@pytest.mark.false_alarm(1.6e-6)
@pytest.mark.parametrize("test", BOUNDED)
def test_tests_of_a_bound_are_calibrated_at_it(test):
    """A narrow network, of which one in ninety dies on the way: both sizes, of false alarm 8e-7."""
    table = calibrate(test, widths=[8] * 4, n_networks=100, repeats=500, rng=8).set_index("rate")
    assert table.index.tolist() == BOUND_RATES
    sizes = table.loc[["false support", "false refutation"]]
    assert sizes["accepted"].all()
    assert (sizes["theta"] == 0.0).all()
    powers = table.loc[["support", "refutation"]]
    if test == "level":  # bets, of which no power is promised; where a t test has 90 % theirs is less, and not nothing
        assert powers["planned"].isna().all()
        assert powers["value"].between(0.2, 0.9).all()
    else:
        assert (powers["planned"] > 0.89).all()


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize(
    ("test", "quantity", "widths", "bound"),
    [
        ("typical_directional", "preactivation_second_moment", [16] * 11, bounds.mean_gain),
        ("level", "derivative_second_moment", [4] * 11, lambda _network: 0.5),
    ],
)
def test_a_bound_that_is_not_the_tests_own_is_found_out(test, quantity, widths, bound):
    """The typical network does not grow as the mean one does; the slopes of networks that die are 0, and not a half.

    Both are refused always: in the second 44 % of the networks are dead by the last layer.
    """
    network = vp.mlp(widths, activation="relu", weights="he_normal")
    claim = replace(claim_of(test, network, margin=0.05), quantity=quantity, below=bound(network))
    (found,) = checks._put_together(
        [checks.judge_studies((claim,), checks._setting(9, 500, widths=widths, purpose="control"), 500, 0)]
    )
    assert checks._level(found).events > checks._level(found).region[1]


@pytest.mark.false_alarm(1e-12)
def test_the_numbers_depend_on_the_seed_alone():
    options = {"widths": [8] * 4, "n_networks": 40, "repeats": 60}
    one, again = (calibrate("step_mean", **options, rng=4, executor=executor) for executor in ("serial", "threads"))
    pd.testing.assert_frame_equal(one, again)
    # Two seeds may well give the same few counts; that eight others all do has probability below 1e-12.
    others = (calibrate("step_mean", **options, rng=seed) for seed in range(5, 13))
    assert not all(other["events"].equals(one["events"]) for other in others)


@pytest.mark.false_alarm(2.4e-6)
def test_networks_of_the_engine_serve_as_well():
    """Tanh has no law of norms; its steps have mean 1 all the same, and over depth the truth is measured. 8e-7 each."""
    options = {"widths": [16] * 4, "activation": "tanh", "weights": "xavier_normal", "n_networks": 100, "repeats": 300}
    for test in ("step_mean", "cumulative_mean", "zero_mean"):
        table = calibrate(test, **options, rng=6).set_index("rate")
        assert table.loc[["level", "coverage"], "accepted"].all(), test
    assert null_is_exact("step_mean", vp.mlp([16] * 4, activation="tanh", weights="xavier_normal"))
    assert not null_is_exact("cumulative_mean", vp.mlp([16] * 4, activation="tanh", weights="xavier_normal"))
    assert not null_is_exact("step_mean", vp.mlp([16] * 4, activation="tanh", weights="xavier_uniform"))


@pytest.mark.false_alarm(1e-12)
def test_wrong_weights_are_found_out():
    """A variance 5 % too large is (1.05)^5 = 28 % over five layers, six standard errors at 500 networks."""
    wrong = vp.get_initializer("variance_scaling", scale=2.1, mode="fan_in", distribution="normal")
    table = calibrate("cumulative_mean", widths=[64] * 6, drawn_weights=wrong, n_networks=500, repeats=50, rng=7)
    assert table["rate"].tolist() == ["rejection"]
    assert table["value"].iloc[0] > 0.8
    assert table["planned"].isna().all()
    # Single weights of the right variance do what they should.
    right = calibrate("cumulative_mean", widths=[64] * 6, n_networks=500, repeats=50, rng=7)
    assert right["value"].iloc[0] < 0.4


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("test", "wrong"),
    [
        ("step_means", {}),
        ("identity", {}),
        ("step_mean", {"n_networks": 1}),
        ("step_mean", {"repeats": 0}),
        ("step_mean", {"margin": 0.0}),
        ("step_mean", {"theta": np.nan}),
        ("step_mean", {"alpha": 0.9}),
        ("step_mean", {"source": "guess"}),
    ],
)
def test_nonsense_is_refused(test, wrong):
    with pytest.raises(ValueError, match=r"must|need"):
        calibrate(test, **{"widths": [8, 8, 8], "rng": 1, "repeats": 2} | wrong)


@pytest.mark.false_alarm(0)
def test_a_test_that_does_not_apply_is_refused():
    for test in ("directional", "typical_directional"):
        with pytest.raises(ValueError, match="two layers or more"):
            calibrate(test, widths=[8, 8], repeats=2, rng=1)
    with pytest.raises(UnsupportedError, match="Gaussian"):
        calibrate("pivot_law", widths=[8, 8, 8], weights="he_uniform", repeats=2, rng=1)


def test_plans_ask_for_what_they_sample():
    for plan in checks.PLANS:
        assert plan.n_networks >= 2
        assert plan.depth >= plan.steps
    assert len(checks.PLANS) == 10


def test_the_report_has_thirty_claims():
    assert len(checks._REPORT) * len(checks._TRUTHS) == checks.REPORT_CLAIMS


def test_a_verdict_about_a_truth_at_the_end_is_false_either_way():
    """An estimate far from its truth, by chance, refutes or supports; one that hits it does neither."""
    hit = Outcome.from_estimate("cumulative_mean", theta=0.0, se=0.01, df=199, n=200)
    far = Outcome.from_estimate("cumulative_mean", theta=0.05, se=0.01, df=199, n=200)
    assert not checks._false_verdict(hit, 30)
    assert checks._false_verdict(far, 30)
    assert not checks._false_verdict(None, 30)


@pytest.mark.false_alarm(4e-7)
def test_the_check_covers_tests_controls_reports_and_plans(monkeypatch):
    """All of it in small. At 12 studies of each kind no test is out of its region, and the strongest controls are."""
    small = (checks.TestFamily("relu", "he_normal", ((8, 3),), ("step_mean", "exact_law", "dead_rate")),)
    monkeypatch.setattr(checks, "FULL", small)
    monkeypatch.setattr(checks, "PLANS", checks.PLANS[-1:])
    table = checks.selfcheck(full=True, seed=1, repeats=12, executor="serial")
    assert list(dict.fromkeys(table["part"])) == ["tests", "controls", "report", "plans"]
    assert table.loc[table["part"] == "tests", "met"].dropna().all()
    strong = table[(table["part"] == "controls") & table["test"].str.startswith("cumulative_mean")]
    assert strong["met"].all()
    assert (strong["value"] == 1.0).all()
    pd.testing.assert_frame_equal(table, checks.selfcheck(full=True, seed=1, repeats=12, executor="threads"))


@pytest.mark.false_alarm(2e-4)
@pytest.mark.montecarlo
def test_the_quick_check_is_met():
    """2,000 studies of every kind: false alarm 8e-7 for each of 240 counts, 2e-4 in all."""
    table = checks.selfcheck(full=False, seed=20150206, executor="serial")
    assert table.loc[~table["met"].fillna(value=True).astype(bool)].empty
