import math

import numpy as np
import pytest
from scipy import stats

from varprop.stats.equivalence import p_refute
from varprop.stats.weights import matching_variances, weights_law

LAWS = {
    "normal": (lambda rng, n: rng.standard_normal(n), 3.0),
    "uniform": (lambda rng, n: rng.uniform(-math.sqrt(3), math.sqrt(3), n), 1.8),
    "laplace": (lambda rng, n: rng.laplace(scale=math.sqrt(0.5), size=n), 6.0),
}


@pytest.mark.false_alarm(2e-7)
@pytest.mark.parametrize("law", LAWS)
def test_true_laws_pass_at_their_level(at_level, rng, law):
    """2,000 matrices of 2,000 entries. False alarm 1e-7, twice a case."""
    draw, kurtosis = LAWS[law]
    results = [weights_law(draw(rng, 2000), variance=1.0, kurtosis=kurtosis) for _ in range(2000)]
    assert sum(result.mean.pvalue <= 0.05 for result in results) in at_level
    assert sum(result.variance.pvalue <= 0.05 for result in results) in at_level


@pytest.mark.false_alarm(1e-12)
def test_the_laws_own_kurtosis_matters(rejections, at_level, rng):
    """Negative control: Laplace draws judged with the normal's kurtosis reject 21 % instead of 5 %.

    Within the region with probability below 1e-9.
    """
    draw, _ = LAWS["laplace"]
    assert rejections(lambda: weights_law(draw(rng, 2000), variance=1.0, kurtosis=3.0).variance.pvalue) > at_level[-1]


@pytest.mark.false_alarm(2.1e-8)
def test_the_two_tests_look_at_different_things(rng):
    """A variance 10 % too large fails the variance alone; a shift of 0.1 sigma fails the mean. 20,000 entries.

    z = 9.5 and 14; missed or found in the other with probability below 1e-8.
    """
    wide = weights_law(math.sqrt(1.1) * rng.standard_normal(20_000), variance=1.0, kurtosis=3.0)
    assert wide.variance.pvalue < 1e-3
    assert wide.mean.pvalue > 1e-8
    shifted = weights_law(0.1 + rng.standard_normal(20_000), variance=1.0, kurtosis=3.0)
    assert shifted.mean.pvalue < 1e-6
    assert weights_law(0.1 + rng.standard_normal(20_000), mean=0.1, variance=1.0, kurtosis=3.0).mean.pvalue > 1e-8


@pytest.mark.false_alarm(1e-12)
def test_an_unscaled_truncated_normal_is_refuted(rng):
    """Cut at two standard deviations and not rescaled, a normal law keeps .774 of its variance.

    256 x 256 entries: 46 standard errors from the 5 % margin, so it is refuted for certain.
    """
    draws = stats.truncnorm.rvs(-2, 2, size=(256, 256), random_state=rng)
    outcome = weights_law(draws, variance=1.0, kurtosis=3.0).variance
    assert math.exp(outcome.theta) == pytest.approx(stats.truncnorm.var(-2, 2), rel=0.03)
    assert p_refute(outcome, math.log(1.05)) < 1e-9


@pytest.mark.false_alarm(1e-12)
def test_exchanged_fans_are_refuted(rng):
    """A (512, 128) matrix scaled by its fan_out where the law has fan_in: a quarter of the variance, for certain."""
    fan_out, fan_in = 512, 128
    draws = rng.normal(0.0, math.sqrt(2 / fan_out), size=(fan_out, fan_in))
    assert p_refute(weights_law(draws, variance=2 / fan_in, kurtosis=3.0).variance, math.log(1.05)) < 1e-9
    assert p_refute(weights_law(draws, variance=2 / fan_out, kurtosis=3.0).variance, math.log(1.05)) > 1e-6


@pytest.mark.false_alarm(0)
def test_agrees_with_scipy_on_the_mean(rng):
    draws = rng.normal(0.3, 2.0, size=50)
    ours = weights_law(draws, mean=0.1, variance=4.0, kurtosis=3.0).mean
    theirs = stats.ttest_1samp(draws, 0.1)
    assert (ours.statistic, ours.pvalue) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9)
    assert ours.theta == pytest.approx((draws.mean() - 0.1) / 2.0)


@pytest.mark.false_alarm(0)
def test_agrees_with_chi_square_on_the_variance(rng):
    """For normal draws the sum of squares has an exact law, which the p-value approaches: within .0054 at 5,000 entries, whatever the draws."""
    draws = rng.standard_normal(5000)
    total = float(np.sum(draws**2))
    exact = 2 * min(stats.chi2.cdf(total, 5000), stats.chi2.sf(total, 5000))
    assert weights_law(draws, variance=1.0, kurtosis=3.0).variance.pvalue == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize(
    ("draws", "law", "message"),
    [
        ([1.0], {}, "two or more"),
        ([1.0, np.nan], {}, "1 not finite"),
        ([0.0, 0.0], {}, "they are constant"),
        ([1.0, 2.0], {"variance": 0.0}, "draw by draw"),
        ([1.0, 2.0], {"kurtosis": 1.0}, "draw by draw"),
        ([1.0, 2.0], {"mean": np.inf}, "draw by draw"),
    ],
)
def test_what_has_no_law_is_refused(draws, law, message):
    with pytest.raises(ValueError, match=message):
        weights_law(draws, **{"variance": 1.0, "kurtosis": 3.0} | law)


# --- distribution and bounds ----------------------------------------------------------------------------------------

CDFS = {"normal": stats.norm.cdf, "uniform": stats.uniform(-math.sqrt(3), 2 * math.sqrt(3)).cdf}


@pytest.mark.false_alarm(2e-7)
@pytest.mark.parametrize("law", CDFS)
def test_distributions_pass_at_their_level(at_level, rng, law):
    """2,000 matrices of 500 entries: the whole distribution, and its ends. False alarm 1e-7, twice a case."""
    draw, kurtosis = LAWS[law]
    found = [weights_law(draw(rng, 500), variance=1.0, kurtosis=kurtosis, cdf=CDFS[law]) for _ in range(2000)]
    assert sum(one.distribution.pvalue <= 0.05 for one in found) in at_level
    assert sum(one.distribution.second_pvalue <= 0.05 for one in found) in at_level
    assert all(one.within_bounds for one in found)


@pytest.mark.false_alarm(1.1e-8)
def test_the_same_variance_does_not_make_the_same_law(rng):
    """Uniform draws of the normal's mean and variance, 10,000: a distance of .057, missed with probability below 1e-9."""
    draw, kurtosis = LAWS["uniform"]
    found = weights_law(draw(rng, 10_000), variance=1.0, kurtosis=kurtosis, cdf=stats.norm.cdf)
    assert found.variance.pvalue > 1e-8
    assert found.distribution.pvalue < 1e-6
    assert found.distribution.second_pvalue < 1e-6  # no draw beyond sqrt(3), of 10,000


@pytest.mark.false_alarm(0)
def test_one_draw_outside_the_bounds_refutes(rng):
    """Of a million only one: invisible to every other test but that of the extremes."""
    draws = rng.uniform(-1.0, 1.0, 10_000)
    law = {"variance": 1 / 3, "kurtosis": 1.8, "cdf": stats.uniform(-1, 2).cdf}
    assert weights_law(draws, **law).within_bounds
    draws[17] = 1.0
    assert weights_law(draws, **law).within_bounds  # on the bound, not beyond
    draws[17] = 1.01
    outside = weights_law(draws, **law)
    assert not outside.within_bounds
    assert outside.distribution.second_pvalue == 0.0


def test_a_distribution_function_has_values_from_0_to_1():
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        weights_law([0.5, -0.5], variance=1.0, kurtosis=3.0, cdf=lambda x: x + 2)
    assert weights_law([0.5, -0.5], variance=1.0, kurtosis=3.0).distribution is None


@pytest.mark.false_alarm(1.8e-6)
def test_the_fan_that_scaled_the_draws_is_named(rng):
    """A (512, 128) matrix: the two variances are 300 standard errors apart. False alarm 6e-7 each (five standard errors)."""
    candidates = {"fan_in": 2 / 128, "fan_out": 2 / 512, "fan_avg": 2 / 320}
    for name, variance in candidates.items():
        draws = rng.normal(0.0, math.sqrt(variance), size=(512, 128))
        assert matching_variances(draws, candidates, kurtosis=3.0) == (name,)
    assert matching_variances(rng.standard_normal(1000), candidates, kurtosis=3.0) == ()
