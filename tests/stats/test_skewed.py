"""Hall's transformed t test: the published statistic in plain NumPy, its level, and whatever scale values are on."""

import math

import numpy as np
import pytest
from scipy import special, stats

from varprop.numerics.moments import Moments
from varprop.stats.capital import mean_at
from varprop.stats.floors import Skewed
from varprop.stats.mixture import NormalMixture
from varprop.stats.multiple import acceptance_region
from varprop.stats.sequential import at_any_look
from varprop.stats.skewed import skewed_mean, skewed_ratio

SCALES = ("difference", "relative", "logarithm")


def hall(values, mean):
    """Hall's statistic of the null that the mean is this."""
    n = len(values)
    w = (values.mean() - mean) / values.std(ddof=1)
    g = stats.skew(values)
    return math.sqrt(n) * (w + g * w**2 / 3 + g**2 * w**3 / 27 + g / (6 * n))


def made(values, *, null=1.0, scale="logarithm", **options):
    return skewed_mean("level", Moments.of(np.asarray(values)[:, None]), null=null, scale=scale, **options)


def pair_of(rng, n=400):
    """Two positive columns that share a factor."""
    first = rng.gamma(4.0, 0.25, n)
    return np.column_stack([first * rng.gamma(8.0, 1 / 8, n), first])


# --- two roads ------------------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("scale", SCALES)
def test_it_is_halls_test(rng, scale):
    values = rng.gamma(2.0, 0.5, 300)
    found = made(values, scale=scale, null=0.9)
    slope = {"difference": 1.0, "relative": 1 / 0.9, "logarithm": 1 / values.mean()}[scale]
    assert found.se == pytest.approx(values.std(ddof=1) / math.sqrt(300) * slope, rel=1e-12)
    assert mean_at(found.theta, 0.9, scale) == pytest.approx(values.mean(), rel=1e-12)
    for threshold in (-0.3, -0.1, 0.0, 0.02, 0.2):
        statistic = hall(values, mean_at(threshold, 0.9, scale))
        low = found.floor.p(0.0, 300)  # what the skewness allows
        assert found.p_above(threshold) == pytest.approx(max(special.stdtr(299, -statistic), low), rel=1e-8)
        assert found.p_below(threshold) == pytest.approx(max(special.stdtr(299, statistic), low), rel=1e-8)
    assert found.pvalue == pytest.approx(2 * min(found.p_above(0.0), found.p_below(0.0)), rel=1e-12)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_means_below_zero_are_on_their_own_side(rng, sign):
    """Means of either sign, and of 0 but for rounding, where no logarithm is taken."""
    values = sign * rng.gamma(2.0, 0.5, 300)
    for sample in (values, values - values.mean()):
        found = made(sample, scale="difference", null=0.0)
        for threshold in (-0.1, -0.02, 0.05):
            expected = special.stdtr(299, -hall(sample, threshold))
            assert found.p_above(found.theta + threshold) == pytest.approx(
                max(special.stdtr(299, -hall(sample, sample.mean() + threshold)), found.floor.p(0.0, 300)), rel=1e-7
            )
            assert found.p_above(threshold) == pytest.approx(max(expected, found.floor.p(0.0, 300)), rel=1e-7)
    below = made(-rng.gamma(2.0, 0.5, 300), scale="relative", null=0.5)
    assert below.p_below(0.0) == below.floor.p(0.0, 300) < 0.01
    assert below.p_above(0.0) == 1.0


@pytest.mark.false_alarm(0)
def test_growth_is_halls_test_of_a_difference_of_columns(rng):
    """H0 "E a = rho E b" is about the values a - rho b, each over its sample mean, of mean 0."""
    columns = pair_of(rng)
    found = skewed_ratio("growth_rate_mean", Moments.of(columns, thirds=True), steps=5, expected=0.02)
    a, b = (column / column.mean() for column in columns.T)
    log_ratio = math.log(columns[:, 0].mean() / columns[:, 1].mean())
    assert found.theta == pytest.approx(log_ratio / 5 - 0.02, rel=1e-10)
    assert found.se == pytest.approx((a - b).std(ddof=1) / math.sqrt(400) / 5, rel=1e-10)
    assert found.floor == Skewed(pytest.approx(stats.skew(a - b), rel=1e-9))
    low = found.floor.p(0.0, 400)
    for threshold in (-0.03, -0.005, 0.0, 0.003, 0.02):
        factor = math.exp(5 * (threshold - found.theta))
        expected = special.stdtr(399, -hall(a - factor * b, 0.0))
        assert found.p_above(threshold) == pytest.approx(max(expected, low), rel=1e-7)
        assert found.p_below(threshold) == pytest.approx(max(special.stdtr(399, hall(a - factor * b, 0.0)), low))


@pytest.mark.false_alarm(0)
def test_growth_from_a_layer_without_spread_is_the_test_of_the_other(rng):
    values = rng.gamma(4.0, 0.5, 300)
    alone = made(values, null=1.5)
    pair = Moments.of(np.column_stack([values, np.full(300, 1.5)]), thirds=True)
    growth = skewed_ratio("growth_rate_mean", pair, steps=1, expected=0.0)
    assert growth.theta == pytest.approx(alone.theta, rel=1e-12)
    for threshold in (-0.05, 0.0, 0.1):
        assert growth.p_above(threshold) == pytest.approx(alone.p_above(threshold), rel=1e-9)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("scale", SCALES)
def test_bounds_are_where_p_values_cross_the_level(rng, scale):
    values = rng.gamma(4.0, 0.25, 400)
    mixture = NormalMixture.tuned(400, alpha=0.1)
    growth = skewed_ratio("g", Moments.of(pair_of(rng), thirds=True), steps=4, expected=0.0)
    for found in (made(values, scale=scale, null=0.9), growth):
        for outcome in (found, at_any_look(found, mixture)):
            for level in (0.3, 0.05, 0.0025):
                low, high = outcome.bounds(level)
                assert low < outcome.theta < high
                assert outcome.p_above(low) == pytest.approx(level, rel=1e-6)
                assert outcome.p_below(high) == pytest.approx(level, rel=1e-6)
                assert outcome.radius(400, level) == pytest.approx(max(high - outcome.theta, outcome.theta - low))
                assert outcome.interval(1 - 2 * level) == pytest.approx((low, high))
            refused = outcome.bounds(1e-200)
            assert refused == (-math.inf, math.inf)
            assert outcome.refusal(1e-200)
            assert outcome.guarantee(1e-200) == "none"
            assert (outcome.guarantee(0.05), outcome.refusal(0.05)) == ("measured", "")


@pytest.mark.false_alarm(0)
def test_a_radius_foresees_more_networks_of_the_same_skewness(rng):
    """Many times the same sample: bounds as a sample of so many has them, but for N - 1 where N is meant."""
    values = rng.gamma(4.0, 0.25, 400)
    once, often = made(values), made(np.tile(values, 25))
    low, high = often.bounds(0.0025)
    assert once.radius(10_000, 0.0025) == pytest.approx(max(high - often.theta, often.theta - low), rel=2e-3)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("scale", [1e-200, 1e200, 1e-300])
def test_no_scale_of_the_values_matters(rng, scale):
    values, columns = rng.gamma(2.0, 0.5, 300), pair_of(rng)
    for kind in ("relative", "logarithm"):
        plain, scaled = made(values, scale=kind), made(values * scale, scale=kind, null=scale)
        assert scaled.theta == pytest.approx(plain.theta, abs=1e-12)
        for threshold in (-0.1, 0.0, 0.1):
            assert scaled.p_above(threshold) == pytest.approx(plain.p_above(threshold), rel=1e-9)
        assert scaled.bounds(0.05) == pytest.approx(plain.bounds(0.05), rel=1e-9)
    one, other = (
        skewed_ratio("g", Moments.of(columns * factors, thirds=True), steps=3, expected=expected)
        for factors, expected in (([1.0, 1.0], 0.0), ([1.0, scale], -math.log(scale) / 3))
    )
    assert other.p_above(0.01) == pytest.approx(one.p_above(0.01), rel=1e-7)
    assert other.bounds(0.05) == pytest.approx(one.bounds(0.05), rel=1e-7)


@pytest.mark.false_alarm(0)
def test_as_one_of_many_looks_it_is_the_mixtures_evidence(rng):
    values = rng.gamma(4.0, 0.25, 400)
    mixture = NormalMixture.tuned(200, alpha=0.1)
    stopped = at_any_look(made(values), mixture)
    for threshold in (-0.2, 0.0, 0.1):
        evidence = mixture.log_e_value(hall(values, math.exp(threshold)), 400)
        expected = max(min(1.0, math.exp(-float(evidence))), stopped.floor.p(0.0, 400))
        assert stopped.p_above(threshold) == pytest.approx(expected, rel=1e-7)
    assert stopped.p_above(-0.05) > made(values).p_above(-0.05)
    assert stopped.p_outside(0.01) == min(1.0, 2 * min(stopped.p_above(0.01), stopped.p_below(-0.01)))


# --- what it refuses ------------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
def test_values_that_a_few_carry_are_judged_by_none(rng):
    """One value of 200 that is as large as all others together; the p-value is 1, whatever the threshold."""
    values = rng.random(200)
    values[7] = values.sum()
    found = made(values)
    assert found.p_above(-50.0) == found.p_below(50.0) == 1.0
    assert "a few networks carry the mean" in found.refusal(0.05)
    assert found.bounds(0.05) == (-math.inf, math.inf)
    assert math.isfinite(made(np.delete(values, 7)).bounds(0.05)[1])


def test_one_value_in_all_networks_says_nothing():
    found = made([2.0] * 200)
    assert (found.theta, found.se, found.pvalue) == (math.log(2.0), 0.0, 1.0)
    assert found.p_above(-5.0) == found.p_below(5.0) == 1.0
    assert found.bounds(0.05) == (-math.inf, math.inf)
    assert "one value" in found.refusal(0.05)
    assert made([0.0] * 200, scale="relative").p_below(0.0) == 1.0


@pytest.mark.false_alarm(0)
def test_no_threshold_is_too_far_out(rng):
    values, columns = rng.gamma(4.0, 0.25, 400), pair_of(rng)
    growth = skewed_ratio("g", Moments.of(columns, thirds=True), steps=50, expected=0.0)
    for found in (made(values), made(values, scale="relative"), growth):
        least = found.floor.p(0.0, 400)
        for far in (9.0, 1e3, 1e100, 1e300):
            assert (found.p_below(far), found.p_above(far)) == (least, 1.0)
            assert (found.p_below(-far), found.p_above(-far)) == (1.0, least)


def test_what_no_test_can_be_made_of():
    with pytest.raises(ValueError, match="no logarithm"):
        made([0.0, 0.0])
    with pytest.raises(ValueError, match="1 of 1 networks have a value"):
        made([1.0])
    with pytest.raises(ValueError, match="threshold must be finite"):
        made([1.0, 2.0]).p_above(math.inf)
    assert made([1.0, 2.0], refused="a law").refusal(0.5) == "a law"
    with pytest.raises(ValueError, match="full columns"):
        skewed_ratio("g", Moments.of([[1.0, 2.0], [1.0, np.nan]], thirds=True), steps=1, expected=0.0)
    with pytest.raises(ValueError, match="positive means"):
        skewed_ratio("g", Moments.of([[0.0, 2.0], [0.0, 1.0]], thirds=True), steps=1, expected=0.0)


# --- the level ------------------------------------------------------------------------------------------------------


def kept_and_false(values, level):
    """Of samples in columns, of mean 1: how many are said to lie below, and above, though the test is careful.

    The same in plain NumPy, for many samples at once; `test_it_is_halls_test` holds the class to it.
    """
    n = len(values)
    w = (values.mean(axis=0) - 1.0) / values.std(axis=0, ddof=1)
    g = stats.skew(values, axis=0)
    statistic = math.sqrt(n) * (w + g * w**2 / 3 + g**2 * w**3 / 27 + g / (6 * n))
    kept = np.array([Skewed(skewness).raw(level, n) for skewness in g]) > 0.0
    critical = special.stdtrit(n - 1, level)
    return (kept & (statistic <= critical)).sum(), (kept & (statistic >= -critical)).sum()


def plainly_false(values, level):
    t = (values.mean(axis=0) - 1.0) / (values.std(axis=0, ddof=1) / math.sqrt(len(values)))
    return (t <= special.stdtrit(len(values) - 1, level)).sum()


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("variance", [0.2, 1.0, 4.0])
def test_log_normal_means_are_seldom_judged_falsely(rng, variance):
    """4,000 samples of 200 log-normal values: of all of them at most 1.5 a are false on either side, at .05 and .0025.

    That is what the limit on the skewness allows; measured it was 1.45. False alarm 1e-8 a case, by four acceptance regions'
    upper ends. Negative control: a plain t test, whatever the skewness, where the law is widest errs on the low side in 27 and
    15 %, ten standard errors and more above twice what is allowed.
    """
    values = rng.lognormal(-variance / 2, math.sqrt(variance), (200, 4000))
    for level in (0.05, 0.0025):
        most = acceptance_region(4000, 1.5 * level, false_alarm=5e-9)[1]
        assert max(kept_and_false(values, level)) <= most
        if variance == 4.0:
            assert plainly_false(values, level) > 2 * most


@pytest.mark.montecarlo
@pytest.mark.false_alarm(1e-6)
@pytest.mark.parametrize("networks", [100, 1000, 5000])
@pytest.mark.parametrize("variance", [0.05, 0.2, 0.5, 1.0, 2.0])
def test_log_normal_means_are_seldom_judged_falsely_at_small_levels(rng, variance, networks):
    """Likewise at .05, .05/20 and .05/150, from 100 to 5,000 networks: at most 1.6 a of all samples on either side.

    40,000 samples (6,000 of 5,000 networks). False alarm 1e-6 a case, by six upper ends of 3.3e-7 / 2 each.
    """
    samples = 6000 if networks == 5000 else 40_000
    false = np.zeros((3, 2), dtype=int)
    levels = (0.05, 0.05 / 20, 0.05 / 150)
    for _ in range(samples // 2000):
        values = rng.lognormal(-variance / 2, math.sqrt(variance), (networks, 2000))
        false += [kept_and_false(values, level) for level in levels]
    for counts, level in zip(false, levels, strict=True):
        assert counts.max() <= acceptance_region(samples, 1.6 * level, false_alarm=3.3e-7)[1]
