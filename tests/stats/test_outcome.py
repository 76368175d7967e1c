import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from varprop.stats.floors import Strict, Units
from varprop.stats.outcome import Outcome

SURE = Outcome.from_estimate("step_mean", theta=0.1, se=0.0, df=9, n=10, certain=True)


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


def test_without_spread_nothing_is_known():
    """Whatever the estimate: one value in all networks is no evidence, on either side, of anything."""
    found = estimate(0.1, 0.0)
    assert (found.statistic, found.pvalue) == (math.inf, 1.0)
    for threshold in (-5.0, 0.0, 0.1, 5.0):
        assert found.p_above(threshold) == found.p_below(threshold) == 1.0
    assert found.p_outside(0.05) == 1.0
    assert found.interval(0.95) == (-math.inf, math.inf)
    assert found.radius(10**6, 0.05) == math.inf
    assert (found.guarantee(0.5), "one value" in found.refusal(0.5)) == ("none", True)


def test_where_the_law_has_no_spread_p_values_compare():
    assert (SURE.statistic, SURE.pvalue, SURE.interval(0.95)) == (math.inf, 0.0, (0.1, 0.1))
    assert (SURE.p_above(0.0), SURE.p_below(0.0)) == (0.0, 1.0)
    assert (SURE.p_above(0.1), SURE.p_below(0.1)) == (1.0, 1.0)
    assert (SURE.guarantee(1e-9), SURE.refusal(1e-9)) == ("exact", "")
    assert (SURE.p_outside(0.05), SURE.p_outside(0.2)) == (0.0, 1.0)
    assert estimate(-0.1, 0.0).statistic == -math.inf
    null = Outcome.from_estimate("step_mean", theta=0.0, se=0.0, df=9, n=10, certain=True)
    assert (null.statistic, null.pvalue) == (0.0, 1.0)


def test_a_floor_shifts_levels_and_refuses_them():
    """Put together with estimated weights, width 16: from 200 networks on at two thirds of each level, below not at all."""
    floored = Outcome.from_estimate("step_mean", theta=0.1, se=0.02, df=199, n=200, floor=Strict(16))
    plain = Outcome.from_estimate("step_mean", theta=0.1, se=0.02, df=199, n=200)
    assert floored.bounds(0.002) == plain.bounds(0.002 / 1.5)
    assert floored.p_above(0.04) == pytest.approx(1.5 * plain.p_above(0.04))
    assert floored.pvalue == pytest.approx(2 * 1.5 * plain.p_above(0.0))
    assert (floored.guarantee(1e-6), floored.refusal(1e-6)) == ("measured", "")
    few = Outcome.from_estimate("step_mean", theta=0.1, se=0.02, df=198, n=199, floor=Strict(16))
    assert (few.pvalue, few.bounds(0.05)) == (1.0, (-math.inf, math.inf))
    assert few.radius(200, 0.05) < math.inf
    assert "there are 199" in few.refusal(0.05)
    assert few.guarantee(0.05) == "none"


def test_no_statistic_is_large_enough_for_a_level_that_is_refused():
    """Nearly no spread in 200 networks: a p-value below all numbers is still no evidence at 1e-100, which takes a million."""
    sure = Outcome.from_estimate("step_mean", theta=0.1, se=1e-9, df=199, n=200, floor=Units(8))
    assert stats.t.sf(0.1 / 1e-9, 199) == 0.0
    assert 1e-100 < sure.p_above(0.0) < 1e-6
    assert sure.bounds(1e-100) == (-math.inf, math.inf)


def test_networks_at_risk_are_those_that_count():
    """A tenth of 200 networks reached the layer, which 20 degrees of freedom, less one, tell."""
    found = Outcome.from_estimate("step_mean", theta=0.1, se=0.02, df=19, n=200, floor=Units(16))
    assert found.refusal(0.05) == ""
    assert "there are 19" in Outcome.from_estimate(
        "step_mean", theta=0.1, se=0.02, df=18, n=200, floor=Units(16)
    ).refusal(0.05)
    # Ten times the networks, ten times those at risk.
    expected = stats.t.isf(Units(16).raw(0.01, 200), 199) * 0.02 / math.sqrt(10)
    assert found.radius(2000, 0.01) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("df", [1, 2, 3, 10, 199, math.inf])
@pytest.mark.parametrize("level", [1e-100, 1e-200, 1e-250, 1e-300])
def test_no_level_turns_an_interval_round(df, level):
    low, high = estimate(0.1, 0.02, df=df).bounds(level)
    assert low < 0.1 - 0.02 * 20
    assert high > 0.1 + 0.02 * 20


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
