"""Bets on means: against products of bets multiplied out, against whole binomial laws, and where no inequality helps."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import special, stats

from varprop.numerics.moments import Moments
from varprop.stats.capital import Capital, capital_means, mean_at, theta_of
from varprop.stats.multiple import acceptance_region

LEVELS = (0.05, 0.05 / 20, 0.05 / 150, 1e-4)
BOUNDED = {**{4.0**k: 1 / 16 for k in range(-3, 5)}, 2.0**30: 1 / 2}
FAR = (*range(-35, -5, 3), *range(7, 37, 3))
POSITIVE = {4.0**k: 0.09 for k in range(-5, 5)} | {4.0**k: 0.005 for k in FAR}


def multiplied_out(values, mean, bets):
    """1 / capital of "the mean is at most this": one bet after the other, as many factors as there are values."""
    return min(
        1.0, 1.0 / sum(share * math.prod((1 + c * x) / (1 + c * mean) for x in values) for c, share in bets.items())
    )


def shares_of(events, n):
    """Columns of n values 0 and 1, one for each number of events."""
    return (np.arange(n)[:, None] < np.asarray(events)[None, :]).astype(float)


# --- two roads ------------------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
def test_bets_are_products_multiplied_out(rng):
    """Bounded values: both sides, at many means."""
    table = rng.beta(0.5, 3.0, (25, 3))
    bets = Capital.of(table, low=0.0, high=1.0)
    for column in range(3):
        for mean in (1e-6, 0.02, 0.1, 0.2, 0.5, 0.9, 0.999):
            values = table[:, column]
            assert bets.p_above(column, mean) == pytest.approx(multiplied_out(values, mean, BOUNDED), rel=1e-9)
            assert bets.p_below(column, mean) == pytest.approx(multiplied_out(1 - values, 1 - mean, BOUNDED), rel=1e-9)


@pytest.mark.false_alarm(0)
def test_bets_on_any_ends_are_those_on_shares(rng):
    """Between -3 and 5 as between 0 and 1, and cosines as (1 + d) / 2; without a high end in units of the bound."""
    shares = rng.random((20, 1))
    plain, moved = Capital.of(shares, low=0.0, high=1.0), Capital.of(8 * shares - 3, low=-3.0, high=5.0)
    values = rng.lognormal(size=(20, 1))
    tenths = Capital.of(values, low=0.0, high=np.inf, unit=0.1)
    for mean in (0.1, 0.4, 0.6, 0.9):
        assert moved.p_above(0, 8 * mean - 3) == pytest.approx(plain.p_above(0, mean), rel=1e-9)
        assert moved.p_below(0, 8 * mean - 3) == pytest.approx(plain.p_below(0, mean), rel=1e-9)
        expected = multiplied_out(values[:, 0] / 0.1, mean / 0.1, POSITIVE)
        assert tenths.p_above(0, mean) == pytest.approx(expected, rel=1e-9)
        assert tenths.p_below(0, mean) == 1.0


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("scale", [1e-18, 1e-9, 1.0, 1e9, 1e18, 1e250])
def test_a_unit_far_off_leaves_a_lower_bound(rng, scale):
    """Signals that vanish, or explode, by 18 orders of magnitude; beyond all numbers the bound is low, and nothing overflows."""
    values = scale * rng.lognormal(sigma=0.5, size=(400, 1))
    bets = Capital.of(values, low=0.0, high=np.inf, unit=1.0)
    low, high = bets.bounds(0, 1e-4)
    assert (0.7 if scale < 1e200 else 0.0) * values.mean() < low < values.mean()
    assert high == math.inf
    assert bets.p_above(0, 1e308) == pytest.approx(1.0)
    assert bets.p_above(0, 0.0) < 1e-50


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("high", [1.0, np.inf])
def test_pieces_add_up_to_the_whole(rng, high):
    """Whatever the cuts, with values that are missing."""
    table = np.where(rng.random((200, 4)) < 0.1, np.nan, rng.random((200, 4)))
    table[:50, 3] = np.nan
    whole = Capital.of(table, low=0.0, high=high, unit=0.3)
    pieces = [Capital.of(table[a:b], low=0.0, high=high, unit=0.3) for a, b in pairwise((0, 1, 50, 180, 200))]
    merged = pieces[0] + pieces[1] + pieces[2] + pieces[3]
    assert merged.n.tolist() == whole.n.tolist() == (~np.isnan(table)).sum(axis=0).tolist()
    for column in range(4):
        assert merged.p_above(column, 0.45) == pytest.approx(whole.p_above(column, 0.45), rel=1e-10)
        assert merged.p_below(column, 0.55) == pytest.approx(whole.p_below(column, 0.55), rel=1e-10)
        assert whole.take(column).p_above(0, 0.45) == whole.p_above(column, 0.45)
        assert whole.p_above(column, 0.45) == pytest.approx(
            Capital.of(table[~np.isnan(table[:, column])][:, [column]], low=0.0, high=high, unit=0.3).p_above(0, 0.45)
        )


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("high", [1.0, np.inf])
def test_p_values_are_monotone_and_bounds_are_where_they_cross_the_level(rng, high):
    bets = Capital.of(rng.beta(0.3, 2.0, (60, 1)), low=0.0, high=high, unit=0.2)
    means = np.linspace(0.0, 1.0, 301)
    above, below = ([p(0, mean) for mean in means] for p in (bets.p_above, bets.p_below))
    assert (np.diff(above) >= 0).all()
    assert (np.diff(below) <= 0).all()
    for level in (0.5, *LEVELS, 1e-30, 1e-300):
        low, far = bets.bounds(0, level)
        assert bets.p_above(0, low * (1 - 1e-9)) <= level or low == 0.0
        assert bets.p_above(0, low + 1e-9) > level
        if math.isfinite(high):
            assert bets.p_below(0, far + 1e-9) <= level or far == 1.0
            assert bets.p_below(0, far - 1e-9) > level
        else:
            assert math.isinf(far)


def test_means_outside_the_ends_are_excluded_without_a_doubt():
    bets = Capital.of([[0.2], [0.4]], low=0.0, high=1.0)
    assert (bets.p_above(0, -0.1), bets.p_below(0, 1.1)) == (0.0, 0.0)
    assert (bets.p_above(0, 1.0), bets.p_below(0, 0.0)) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("networks", "bounds"),
    [
        (20, (0.153, 0.273, 0.344)),
        (100, (0.033, 0.062, 0.081)),
        (500, (0.0066, 0.0127, 0.0167)),
        (1200, (0.0028, 0.0053, 0.0070)),
        (4000, (0.00083, 0.0016, 0.0021)),
    ],
)
def test_zeros_alone_exclude_no_more_than_this(networks, bounds):
    """0 in every network: the largest mean that is left, at .05, a twentieth of that and a 150th."""
    bets = Capital.of(np.zeros((networks, 1)), low=0.0, high=1.0)
    for level, bound in zip((0.05, 0.05 / 20, 0.05 / 150), bounds, strict=True):
        low, high = bets.bounds(0, level)
        assert low == 0.0
        assert high == pytest.approx(bound, rel=0.02)
        # The bet that loses at once multiplies its half of the capital by 1 / (1 - mu), and no bet does better.
        assert 1 - level ** (1 / networks) < high < 1 - (level / 2) ** (1 / networks)


# --- the level ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("networks", "worst"),
    [
        (2, (0.0343, 0.00149, 1.85e-4, 5.34e-5)),
        (20, (0.0361, 0.00168, 2.19e-4, 6.48e-5)),
        (100, (0.0363, 0.00170, 2.21e-4, 6.57e-5)),
    ],
)
def test_the_level_over_all_laws_of_events_exactly(networks, worst):
    """By whole binomial sums: a lower bound fails if it lies above the truth, worst where the truth is just below it.

    So over all shares the probability of failure is largest at one of the N + 1 bounds themselves: P(X >= k) at the bound of
    k events. It never exceeds the level, and gets as close to it as `worst` says, on both sides alike.
    """
    events = np.arange(networks + 1)
    bets = Capital.of(shares_of(events, networks), low=0.0, high=1.0)
    for level, most in zip(LEVELS, worst, strict=True):
        ends = np.array([bets.bounds(int(k), level) for k in events])
        too_high = max(stats.binom.sf(k - 1, networks, ends[k, 0]) for k in events[1:])
        too_low = max(stats.binom.cdf(k, networks, ends[k, 1]) for k in events[:-1])
        assert max(too_high, too_low) <= level
        assert too_high == pytest.approx(too_low, rel=1e-6)
        assert too_high == pytest.approx(most, rel=0.005)


def test_a_t_test_of_events_does_not_hold_it():
    """The negative control of the above, by the same sums: 20 networks at a share of 5 %, at a nominal .0025."""
    events = np.arange(21)
    mean = events / 20
    se = np.sqrt(mean * (1 - mean) / 19)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_below = np.where(se > 0, special.stdtr(19, (mean - 0.05) / se), (mean >= 0.05).astype(float))
    assert stats.binom.pmf(events[p_below <= 0.0025], 20, 0.05).sum() > 0.3  # at 0 events: .36


@pytest.mark.false_alarm(0)
def test_a_rare_share_is_never_missed(rng):
    """Shares of 64 units of mean 4.2e-4, of which "below 2.1e-4" is false: a t test has it in most samples of two networks.

    Not once by bets: 20 networks of all zeros do not exclude 15 %, 100 not 3 %; and one unit that is not 0 lies above.
    """
    for networks, samples in ((2, 300), (20, 300), (100, 100)):
        shares = rng.binomial(64, 4.19e-4, (networks, samples)) / 64
        bets = Capital.of(shares, low=0.0, high=1.0)
        assert min(bets.p_below(i, 2.1e-4) for i in range(samples)) > 0.05
    assert (shares.max(axis=0) == 0.0).any()


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("variance", [0.2, 1.0, 4.0, 16.0])
def test_lower_bounds_of_log_normals_are_true(rng, variance):
    """500 samples of 500 values whose logarithm has a variance of up to 16: above the mean no oftener than the level.

    False alarm 1e-8 a case, by the upper end of an acceptance region at .05. Negative controls: held against half of the
    mean where the law is narrow enough for a lower bound that near, nearly all of them are too high; and where it is widest a
    t test's upper bounds at .0025 lie below the mean in half of the samples.
    """
    values = rng.lognormal(-variance / 2, math.sqrt(variance), (500, 500))
    bets = Capital.of(values, low=0.0, high=np.inf, unit=1.0)
    high = acceptance_region(500, 0.05, false_alarm=2e-8)[1]
    assert sum(bets.p_above(i, 1.0) <= 0.05 for i in range(500)) <= high
    if variance <= 1.0:
        assert sum(bets.p_above(i, 0.5) <= 0.05 for i in range(500)) > 2 * high
    if variance == 16.0:
        upper = values.mean(axis=0) - special.stdtrit(499, 0.0025) * values.std(axis=0, ddof=1) / math.sqrt(500)
        assert (upper < 1.0).sum() > 2 * high


@pytest.mark.false_alarm(1e-8)
def test_the_level_holds_at_all_looks(rng):
    """1,000 samples of events looked at after every network up to 300: no oftener excluded than the level says.

    False alarm 1e-8, by an acceptance region at .05. Negative control: Clopper-Pearson's bound, which is for one look, fails
    in a fifth of the samples and more.
    """
    share, samples, networks = 0.2, 1000, 300
    found = (rng.random((samples, networks)) < share).cumsum(axis=1)
    n = np.arange(1, networks + 1)
    bets, weights = np.array(list(BOUNDED)), np.log(list(BOUNDED.values()))
    log_capital = found[..., None] * np.log1p(bets) - (n * np.ones_like(found))[..., None] * np.log1p(bets * share)
    ever = (special.logsumexp(log_capital + weights, axis=2) >= -math.log(0.05)).any(axis=1).sum()
    most = acceptance_region(samples, 0.05, false_alarm=2e-8)[1]
    assert ever <= most
    exact = special.bdtrc(found - 1, n, share)
    assert (np.where(found > 0, exact, 1.0) <= 0.05).any(axis=1).sum() > 2 * most
    # The same numbers as the class's, at one look.
    once = Capital.of(shares_of(found[:5, -1], networks), low=0.0, high=1.0)
    at_the_end = np.exp(-special.logsumexp(log_capital[:5, -1] + weights, axis=1)).clip(max=1.0)
    assert [once.p_above(i, share) for i in range(5)] == pytest.approx(at_the_end.tolist(), rel=1e-9)


# --- outcomes -------------------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(("scale", "null"), [("difference", 0.2), ("relative", 0.2), ("logarithm", 0.2)])
def test_an_outcome_is_the_bets_on_its_own_scale(rng, scale, null):
    table = rng.beta(1.0, 3.0, (150, 2))
    bets = Capital.of(table, low=0.0, high=1.0)
    outcomes = capital_means("level", Moments.of(table), bets, null=null, scale=scale)
    slope = {"difference": 1.0, "relative": 1 / null, "logarithm": 1 / table.mean(axis=0)}[scale]
    np.testing.assert_allclose([o.se for o in outcomes], table.std(axis=0, ddof=1) / math.sqrt(150) * slope, rtol=1e-9)
    for i, outcome in enumerate(outcomes):
        assert outcome.theta == pytest.approx(theta_of(table[:, i].mean(), null, scale), rel=1e-9)
        for threshold in (-0.1, 0.0, 0.2):
            mean = mean_at(threshold, null, scale)
            assert theta_of(mean, null, scale) == pytest.approx(threshold, abs=1e-12)
            assert outcome.p_above(threshold) == pytest.approx(bets.p_above(i, mean), rel=1e-9)
            assert outcome.p_below(threshold) == pytest.approx(bets.p_below(i, mean), rel=1e-9)
        low, high = outcome.bounds(0.01)
        ends = bets.bounds(i, 0.01)
        assert (mean_at(low, null, scale), mean_at(high, null, scale)) == pytest.approx(ends, rel=1e-9)
        assert outcome.interval(0.98) == pytest.approx((low, high), rel=1e-9)
        assert outcome.p_outside(0.05) == min(1.0, 2 * min(outcome.p_above(0.05), outcome.p_below(-0.05)))
        assert (outcome.guarantee(1e-9), outcome.refusal(1e-9)) == ("proved", "")
        nearer = min(outcome.p_above(0.0), outcome.p_below(0.0))
        assert outcome.pvalue == min(1.0, 2 * nearer)
        assert outcome.statistic == pytest.approx(math.copysign(-math.log(nearer), outcome.theta))


@pytest.mark.false_alarm(0)
def test_a_radius_is_that_of_the_same_sample_many_times_over(rng):
    table = rng.random((40, 1))
    (once,) = capital_means("level", Moments.of(table), Capital.of(table, low=0.0, high=1.0), null=0.5)
    more = np.tile(table, (9, 1))
    (often,) = capital_means("level", Moments.of(more), Capital.of(more, low=0.0, high=1.0), null=0.5)
    low, high = often.bounds(0.01)
    assert once.radius(360, 0.01) == pytest.approx(max(often.theta - low, high - often.theta), rel=1e-9)
    assert once.radius(360, 0.01) < once.radius(40, 0.01)


def test_zeros_alone_have_an_outcome_and_no_spread():
    table = np.zeros((500, 1))
    (found,) = capital_means(
        "level", Moments.of(table), Capital.of(table, low=0.0, high=1.0), null=0.05, scale="relative"
    )
    assert (found.theta, found.se) == (-1.0, 0.0)
    assert found.p_below(0.0) < 1e-9  # 5 % is excluded
    assert found.p_below(-0.999) > 0.9  # .005 % is not
    assert found.bounds(0.05) == pytest.approx((-1.0, 0.0066 / 0.05 - 1), rel=1e-2)
    with pytest.raises(ValueError, match="no logarithm"):
        capital_means("level", Moments.of(table), Capital.of(table, low=0.0, high=1.0), null=0.05, scale="logarithm")


@pytest.mark.parametrize(
    ("table", "ends", "message"),
    [
        ([[0.5], [1.2]], {"low": 0.0, "high": 1.0}, "value 1.2 of row 1 in column 0 lies outside"),
        ([[0.5], [-0.2]], {"low": 0.0, "high": np.inf, "unit": 1.0}, "outside the range"),
        ([[0.5], [np.inf]], {"low": 0.0, "high": np.inf, "unit": 1.0}, "outside the range"),
        ([[0.5]], {"low": 1.0, "high": 1.0}, "low end below the high one"),
        ([[0.5]], {"low": 0.0, "high": np.inf, "unit": 0.0}, "a scale > 0"),
    ],
)
def test_values_beyond_their_ends_are_refused(table, ends, message):
    with pytest.raises(ValueError, match=message):
        Capital.of(table, **ends)


def test_the_rounding_of_single_precision_is_none():
    beyond, at_the_end = (Capital.of([[1.0 + rounding], [0.3]], low=0.0, high=1.0) for rounding in (1e-6, 0.0))
    assert beyond.p_above(0, 0.2) == at_the_end.p_above(0, 0.2)
    with pytest.raises(ValueError, match="two or more"):
        capital_means("level", Moments.of([[0.3]]), Capital.of([[0.3]], low=0.0, high=1.0), null=0.1)
