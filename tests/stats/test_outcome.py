import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from varprop.stats.outcome import Outcome

SURE = Outcome.from_estimate("step_mean", theta=0.1, se=0.0, df=9, n=10)


def estimate(theta, se, df=99.0):
    return Outcome.from_estimate("step_mean", theta=theta, se=se, df=df, n=100)


@pytest.mark.false_alarm(0)
def test_agrees_with_the_t_test_of_scipy(rng):
    values = rng.normal(0.2, 1.0, size=30)
    ours = Outcome.from_estimate("step_mean", theta=values.mean(), se=stats.sem(values), df=29, n=30)
    theirs = stats.ttest_1samp(values, 0.0)
    assert (ours.statistic, ours.pvalue) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-12)
    assert ours.interval(0.9) == pytest.approx(tuple(theirs.confidence_interval(0.9)), rel=1e-12)
    for alternative, evidence in (("greater", ours.p_above), ("less", ours.p_below)):
        expected = stats.ttest_1samp(values, 0.3, alternative=alternative).pvalue
        assert evidence(0.3) == pytest.approx(expected, rel=1e-12)
    assert ours.unit_variance == pytest.approx(values.var(ddof=1), rel=1e-12)


def test_infinite_degrees_of_freedom_mean_the_normal_law():
    outcome = estimate(0.03, 0.01, df=math.inf)
    assert outcome.pvalue == pytest.approx(2 * stats.norm.sf(3.0), rel=1e-12)
    assert outcome.interval(0.95) == pytest.approx(stats.norm.interval(0.95, 0.03, 0.01), rel=1e-12)


@given(st.floats(-5, 5), st.floats(1e-3, 10), st.floats(-5, 5), st.floats(1, 1e6))
def test_evidence_on_both_sides_adds_up_to_one(theta, se, threshold, df):
    outcome = estimate(theta, se, df)
    assert outcome.p_above(threshold) + outcome.p_below(threshold) == pytest.approx(1.0, abs=1e-12)
    assert outcome.pvalue == pytest.approx(2 * min(outcome.p_above(0.0), outcome.p_below(0.0)), abs=1e-12)


@given(st.floats(-5, 5), st.floats(1e-3, 10), st.floats(0.01, 0.999))
def test_an_interval_holds_what_a_test_of_its_level_does_not_reject(theta, se, level):
    outcome = estimate(theta, se)
    low, high = outcome.interval(level)
    assert outcome.p_above(low) == pytest.approx((1 - level) / 2, rel=1e-6)
    assert outcome.p_below(high) == pytest.approx((1 - level) / 2, rel=1e-6)


def test_tails_far_out_are_not_rounded_to_zero():
    assert estimate(0.3, 0.01, df=199).pvalue == pytest.approx(2 * stats.t.sf(30, 199), rel=1e-9)


def test_without_spread_p_values_compare():
    assert (SURE.statistic, SURE.pvalue, SURE.interval(0.95)) == (math.inf, 0.0, (0.1, 0.1))
    assert (SURE.p_above(0.0), SURE.p_below(0.0)) == (0.0, 1.0)
    assert (SURE.p_above(0.1), SURE.p_below(0.1)) == (1.0, 1.0)
    assert estimate(-0.1, 0.0).statistic == -math.inf
    null = estimate(0.0, 0.0)
    assert (null.statistic, null.pvalue) == (0.0, 1.0)


@pytest.mark.parametrize(
    "wrong",
    [{"theta": math.nan}, {"theta": math.inf}, {"se": -1.0}, {"se": math.nan}, {"se": math.inf}, {"df": 0}, {"n": 1}],
)
def test_numbers_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match="an Outcome needs"):
        Outcome.from_estimate("step_mean", **{"theta": 0.1, "se": 0.1, "df": 9, "n": 10} | wrong)


@pytest.mark.parametrize("level", [0.0, 1.0, 95, math.nan])
def test_a_level_outside_its_range_is_refused(level):
    with pytest.raises(ValueError, match=r"write 0\.95"):
        SURE.interval(level)


def test_a_threshold_must_be_finite():
    with pytest.raises(ValueError, match="threshold"):
        SURE.p_above(math.nan)


def test_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SURE.theta = 0.0


def test_numbers_are_plain_python():
    outcome = Outcome.from_estimate(
        "step_mean", theta=np.float64(0.1), se=np.float64(0.1), df=np.int64(9), n=np.int64(10)
    )
    kinds = [type(getattr(outcome, name)) for name in ("theta", "se", "df", "n", "statistic", "pvalue")]
    assert kinds == [float, float, float, int, float, float]
