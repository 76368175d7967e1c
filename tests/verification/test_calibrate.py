import numpy as np
import pandas as pd
import pytest
from scipy import stats

import varprop as vp
from varprop.model.layers import UnsupportedError
from varprop.stats.outcome import Outcome
from varprop.verification.calibrate import COLUMNS, calibrate
from varprop.verification.calibration import selfcheck as checks
from varprop.verification.calibration.judges import JUDGES, claim_of, judged, null_is_exact
from varprop.verification.calibration.rates import Rate, estimate_rates, point_rates
from varprop.verification.calibration.truths import draw, has_law, layer_norms
from varprop.verification.claims import TESTS
from varprop.verification.evidence import gather

RELU = vp.mlp([16] * 6, activation="relu", weights="he_normal")
RATES = ["level", "coverage", *["false support", "false refutation"] * 2, "support", "refutation"]


def outcomes(rng, *, truth=0.0, variance=0.04, n=100, studies=2000):
    """Estimates of normal samples, whose t law is exact."""
    sample = truth + np.sqrt(variance) * rng.standard_normal((studies, n))
    pairs = zip(sample.mean(axis=1), sample.std(axis=1, ddof=1) / np.sqrt(n), strict=True)
    return [Outcome.from_estimate("step_mean", theta=theta, se=se, df=n - 1, n=n) for theta, se in pairs]


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("activation", ["relu", {"name": "leaky_relu", "slope": 0.3}, "linear"], ids=str)
def test_the_law_of_norms_is_that_of_networks(rng, activation):
    """Two roads to every layer's norms: the law, and matrices multiplied out. Twenty Kolmogorov-Smirnov tests at 5e-10: 1e-8."""
    network = vp.mlp([8, 5, 7, 6], activation=activation, weights="he_normal")
    assert has_law(network)
    law = layer_norms(network, n_networks=20_000, rng=rng)
    sampled = vp.simulate(network, n_networks=20_000, rng=rng, method="dense", quantities=law.quantities)
    for name in law.quantities:
        assert law.places(name) == sampled.places(name)
        for mine, theirs in zip(law.values(name).T, sampled.values(name).T, strict=True):
            if np.nanstd(mine) > 1e-6:  # the first conditional variance is the same in all
                present = [column[~np.isnan(column)] for column in (mine, theirs)]
                assert stats.ks_2samp(*present).pvalue > 5e-10


@pytest.mark.false_alarm(0)
def test_another_law_is_told_apart(rng):
    """The control of the test above: twice the units in one layer."""
    values = [
        layer_norms(vp.mlp(widths, activation="relu", weights="he_normal"), n_networks=20_000, rng=rng)
        for widths in ([8, 5, 7, 6], [8, 5, 14, 6])
    ]
    last = [one.values("preactivation_second_moment")[:, -1] for one in values]
    assert stats.ks_2samp(*last).pvalue < 5e-10


@pytest.mark.false_alarm(0)
def test_the_law_knows_no_other_networks(rng):
    for network in (
        vp.mlp([8, 8], activation="tanh", weights="he_normal"),
        vp.mlp([8, 8], activation="relu", weights="he_uniform"),
        vp.mlp([8, 8], activation="relu", weights="he_normal", biases=vp.get_initializer("normal", std=0.1)),
    ):
        assert not has_law(network)
        with pytest.raises(UnsupportedError, match="two slopes"):
            layer_norms(network, n_networks=2, rng=rng)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("test", sorted(JUDGES))
def test_a_study_cut_out_is_judged_as_it_would_be_alone(test):
    """What is judged in bulk is what `gather` says of the same networks on their own."""
    network = vp.mlp([16] * 6, activation="relu", weights="he_normal")
    claim = claim_of(test, network, margin=0.1)
    drawn = draw(
        network, n_networks=600, seed=np.random.SeedSequence(5), source="engine", quantities=JUDGES[test].reads
    )
    bulk = list(judged(claim, drawn, 2))
    samples = {name: type(s)(s.values[300:], s.places) for name, s in drawn.samples.items()}
    alone = vp.Simulation(network=network, inputs=drawn.inputs, samples=samples, seed=drawn.seed)
    (evidence,) = gather([claim], alone, called="alone")
    assert bulk[1] == evidence.headline.outcome


def test_every_test_is_calibrated_or_said_why_not():
    assert set(TESTS) - set(JUDGES) == {"identity", "weights_law", "directional", "typical_directional", "level"}


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
    """All of it in small. At 12 studies of each kind no test is out of its region but the controls, which all are."""
    small = (checks.Family("relu", "he_normal", ((8, 3),), ("step_mean", "exact_law", "dead_rate")),)
    monkeypatch.setattr(checks, "FULL", small)
    monkeypatch.setattr(checks, "PLANS", checks.PLANS[-1:])
    table = checks.selfcheck(full=True, seed=1, repeats=12, executor="serial")
    assert list(dict.fromkeys(table["part"])) == ["tests", "controls", "report", "plans"]
    assert table.loc[table["part"] == "tests", "met"].dropna().all()
    strong = table[(table["part"] == "controls") & (table["rate"] == "rejection")]
    assert strong["met"].all()
    assert (strong["value"] == 1.0).all()
    pd.testing.assert_frame_equal(table, checks.selfcheck(full=True, seed=1, repeats=12, executor="threads"))


@pytest.mark.false_alarm(2e-4)
@pytest.mark.montecarlo
def test_the_quick_check_is_met():
    """2,000 studies of every kind: false alarm 8e-7 for each of some 170 counts, 2e-4 in all."""
    table = checks.selfcheck(full=False, seed=20150206, executor="serial")
    assert table.loc[~table["met"].fillna(value=True).astype(bool)].empty
