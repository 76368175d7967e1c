"""Means of values that are not negative: a t test and bets together, growth between two of them, and Bennett's inequality."""

import math

import numpy as np
import pytest
from scipy import special

from varprop.numerics.moments import Moments
from varprop.stats.capital import Capital, capital_means
from varprop.stats.means import step_mean_layers
from varprop.stats.mixture import NormalMixture
from varprop.stats.multiple import acceptance_region
from varprop.stats.positive import EitherMean, bennett_mean, growth_bets, means_as_they_stand
from varprop.stats.sequential import SequentialOutcome, at_any_look
from varprop.stats.skewed import skewed_mean, skewed_ratio

LEVELS = (0.05, 0.05 / 20, 0.05 / 150)


def columns_of(values, high=math.inf):
    table = np.asarray(values, dtype=float)
    table = table[:, None] if table.ndim == 1 else table
    return Moments.of(table), Capital.of(table, low=0.0, high=high, unit=1.0)


def either_of(values, *, high=math.inf, scale="logarithm", null=1.0, refused=""):
    moments, bets = columns_of(values, high)
    (found,) = means_as_they_stand("level", moments, bets, null=null, scale=scale, refused=refused)
    return found


# --- a t test and bets ----------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(("scale", "high"), [("relative", math.inf), ("logarithm", math.inf), ("logarithm", 1.0)])
def test_either_has_nine_tenths_of_a_level_and_a_tenth(rng, scale, high):
    values = rng.beta(1.0, 4.0, 300)
    moments, bets = columns_of(values, high)
    found = either_of(values, high=high, scale=scale, null=0.25)
    t = skewed_mean("level", moments, null=0.25, scale=scale)
    (bet,) = capital_means("level", moments, bets, null=0.25, scale=scale)
    assert isinstance(found, EitherMean)
    assert (found.theta, found.se, found.n, found.df) == (t.theta, t.se, 300, 299)
    for threshold in (-0.9, -0.2, 0.0, 0.3):
        for name in ("p_above", "p_below"):
            mine, by_t, by_bets = (getattr(one, name)(threshold) for one in (found, t, bet))
            assert mine == pytest.approx(min(1.0, by_t / 0.9, by_bets / 0.1), rel=1e-12)
    assert found.p_outside(0.1) == pytest.approx(min(1.0, t.p_outside(0.1) / 0.9, bet.p_outside(0.1) / 0.1), rel=1e-12)
    for level in (0.3, *LEVELS, 1e-6):
        low, high_end = found.bounds(level)
        assert low == max(t.bounds(0.9 * level)[0], bet.bounds(0.1 * level)[0])
        assert found.p_above(low - 1e-9) <= level < found.p_above(low + 1e-6)
        if math.isfinite(high_end):
            assert found.p_below(high_end + 1e-9) <= level < found.p_below(high_end - 1e-6)
        assert found.radius(3000, level) == min(t.radius(3000, 0.9 * level), bet.radius(3000, 0.1 * level))


@pytest.mark.false_alarm(0)
def test_where_the_t_test_refuses_bets_are_left(rng):
    """Of values that a few carry a lower bound is proved and no upper one is known; with a high end both are proved."""
    values = np.append(rng.random(300), 300.0)
    found = either_of(values)
    assert found.guarantee(0.05) == "proved"
    assert found.refusal(0.05).startswith("only lower bounds are proved: a few networks carry the mean")
    assert found.bounds(0.05)[1] == math.inf
    assert math.isfinite(found.bounds(0.05)[0])
    assert found.p_below(100.0) == 1.0
    assert found.p_above(-3.0) < 1e-9
    bounded = either_of(values / 300, high=1.0)
    assert math.isfinite(bounded.bounds(0.05)[1])
    assert (bounded.refusal(0.05), bounded.guarantee(0.05)) == ("", "proved")
    by_law = either_of(rng.random(300), refused="no fourth moment")
    assert by_law.refusal(0.05) == "only lower bounds are proved: no fourth moment"
    assert either_of(rng.random(300)).guarantee(0.05) == "measured"
    (alone,) = means_as_they_stand("level", Moments.of(rng.normal(1, 1, (300, 1))), None, null=1.0, scale="relative")
    assert not isinstance(alone, EitherMean)


@pytest.mark.false_alarm(0)
def test_columns_are_judged_each_by_its_own(rng):
    table = rng.random((300, 3))
    moments, bets = columns_of(table)
    together = means_as_they_stand(
        "level", moments, bets, null=[0.4, 0.5, 0.6], scale="relative", refused=["", "x", ""]
    )
    for i, (null, why) in enumerate(((0.4, ""), (0.5, "x"), (0.6, ""))):
        alone = either_of(table[:, i], scale="relative", null=null, refused=why)
        assert together[i].p_above(-0.1) == pytest.approx(alone.p_above(-0.1), rel=1e-12)
        assert together[i].refusal(0.05) == alone.refusal(0.05)


# --- growth ---------------------------------------------------------------------------------------------------------


def growth_of(rng, steps=3, high=math.inf, n=2000):
    """Growth of a mean over some steps, by bets on both ends alone."""
    first = rng.beta(4.0, 4.0, n)
    last = first * rng.beta(8.0, 2.0, n)
    pair = Moments.of(np.column_stack([last, first]), thirds=True)
    growth = skewed_ratio("growth_rate_mean", pair, steps=steps, expected=-0.05)
    ends = [either_of(values, high=high, null=0.5) for values in (last, first)]
    return growth_bets(growth, *ends, steps=steps), growth, ends


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("high", [1.0, math.inf])
def test_growth_is_excluded_where_both_ends_exclude_some_line_between_them(rng, high):
    """By brute force: the best of 81 places for the line, and of 81 about that one."""
    found, growth, (last, first) = growth_of(rng, high=high)

    def best_of(of_last, of_first):
        def worse(line):
            return max(of_last(line), of_first(line))

        near = min(np.linspace(0.0, 0.4, 81), key=worse)
        return min(worse(line) for line in np.linspace(near - 0.005, near + 0.005, 81))

    for threshold in (-0.2, -0.12, 0.0, 0.1):
        shift = 3 * (threshold - growth.theta)
        above = best_of(
            lambda c, shift=shift: last.p_above(last.theta + shift + c), lambda c: first.p_below(first.theta + c)
        )
        below = best_of(
            lambda c, shift=shift: last.p_below(last.theta + shift - c), lambda c: first.p_above(first.theta - c)
        )
        for mine, best in ((found.p_above(threshold), above), (found.p_below(threshold), below)):
            assert mine <= min(1.0, 2 * best) * (1 + 1e-9)
            assert mine == pytest.approx(min(1.0, 2 * best), rel=0.05)
    for level in (0.05, 0.0025):
        low, high_end = found.bounds(level)
        assert found.p_above(low - 1e-6) <= level < found.p_above(low + 1e-4)
        assert found.p_below(high_end + 1e-6) <= level < found.p_below(high_end - 1e-4)
        radii = [one.radius(9000, level / 2) for one in (last, first)]
        assert found.radius(9000, level) == pytest.approx(sum(radii) / 3)
    assert found.p_outside(0.01) == min(1.0, 2 * min(found.p_above(0.01), found.p_below(-0.01)))


@pytest.mark.false_alarm(1e-12)
def test_growth_of_values_with_ends_is_proved(rng):
    """Bets alone on both: the truth, log .8 over 3 steps, lies between bounds that few networks make; false alarm 1e-12.

    Bounds at a level of 1e-12. Negative control: a rate that is .1 off is excluded at it.
    """
    n = 2000
    first = rng.beta(4.0, 4.0, n)
    last = first * rng.beta(8.0, 2.0, n)
    moments = Moments.of(np.column_stack([last, first]), thirds=True)
    ends = [
        capital_means("growth_rate_mean", *columns_of(values, 1.0), null=0.5, scale="logarithm")[0]
        for values in (last, first)
    ]
    growth = skewed_ratio("growth_rate_mean", moments, steps=3, expected=math.log(0.8) / 3)
    found = growth_bets(growth, *ends, steps=3)
    low, high = found.bounds(1e-12)
    assert low < 0.0 < high
    assert found.p_above(-0.2) < 1e-12
    assert found.p_below(0.2) < 1e-12
    assert (found.guarantee(1e-12), found.refusal(0.05)) == ("proved", "")


@pytest.mark.false_alarm(0)
def test_at_many_looks_every_part_is_at_many_looks(rng):
    found, growth, _ = growth_of(rng)
    mixture = NormalMixture.tuned(1000, alpha=0.1)
    both = EitherMean(
        **{name: getattr(growth, name) for name in ("test", "theta", "se", "df", "n", "statistic", "pvalue")},
        t_test=growth,
        bets=found,
    )
    stopped = at_any_look(both, mixture)
    assert stopped.t_test.mixture == mixture
    for end in (stopped.bets.last, stopped.bets.first):
        assert end.t_test.mixture == mixture
        assert at_any_look(end.bets, mixture) is end.bets
    for threshold in (-0.2, -0.05, 0.1):
        assert stopped.p_above(threshold) >= both.p_above(threshold)
        assert stopped.bets.p_below(threshold) >= found.p_below(threshold)
    assert stopped.bets.p_above(-0.03) > found.p_above(-0.03)
    assert not isinstance(stopped, SequentialOutcome)


# --- Bennett --------------------------------------------------------------------------------------------------------


def bennett_of(values, variance):
    moments, bets = columns_of(values)
    return bennett_mean("step_mean", moments, bets, variance=variance)


@pytest.mark.false_alarm(0)
def test_bennetts_inequality_is_the_formula(rng):
    values = rng.gamma(2.0, 0.5, 80)
    found = bennett_of(values, 0.5)
    (bet,) = capital_means("step_mean", *columns_of(values), null=1.0, scale="logarithm")
    assert found.theta == pytest.approx(math.log(values.mean()), rel=1e-12)
    for threshold in (-0.4, -0.05, 0.0, 0.1, 0.5, 3.0):
        mean = math.exp(threshold)
        u = max(0.0, 1 - values.mean() / mean) / 0.5
        expected = math.exp(-80 * 0.5 * ((1 + u) * math.log(1 + u) - u))
        assert found.p_below(threshold) == pytest.approx(expected, rel=1e-9)
        assert found.p_above(threshold) == bet.p_above(threshold)
    for level in LEVELS:
        low, high = found.bounds(level)
        assert low == bet.bounds(level)[0]
        assert found.p_below(high) == pytest.approx(level, rel=1e-9)
    assert found.p_outside(0.05) == min(1.0, 2 * min(found.p_above(0.05), found.p_below(-0.05)))
    assert (found.guarantee(1e-9), found.refusal(1e-9)) == ("proved", "")
    # So few networks exclude no mean, however large: all but one value in a thousand may be 0.
    assert bennett_of(values[:3], 4.0).bounds(1e-6)[1] == math.inf
    low, high = found.bounds(0.05)
    assert found.radius(80, 0.05) == pytest.approx(max(high - found.theta, found.theta - low), rel=1e-9)
    assert found.radius(8000, 0.05) < found.radius(80, 0.05) / 5


def pivots(rng, law, width, shape):
    """Mean squares of so many weights of variance 1: pivots of a layer that is fed a single 1, the worst there is."""
    draws = rng.standard_normal((*shape, width)) if law == "normal" else rng.standard_t(law, (*shape, width))
    scale = 1.0 if law == "normal" else math.sqrt(law / (law - 2))
    return ((draws / scale) ** 2).mean(axis=-1)


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize(
    ("law", "width", "networks"),
    [("normal", 1, 20), ("normal", 2, 20), ("normal", 16, 50), (5, 2, 50), (6, 4, 200), (5, 4, 3)],
)
def test_pivots_of_any_tail_are_judged_at_the_level(rng, law, width, networks):
    """1,000 samples, truth 1 and V = (2 + kappa) / n known: false on either side in no more than the level, .05 and .0025.

    False alarm 1e-8 a case, by four upper ends of 2.5e-9 each. A t test's level is 23 % for 5 at three degrees of freedom,
    where there is no V: that is the control below.
    """
    kurtosis = 3.0 if law == "normal" else 3 + 6 / (law - 4)
    variance = (2 + kurtosis - 3) / width
    found = [bennett_of(one, variance) for one in pivots(rng, law, width, (1000, networks))]
    for level in (0.05, 0.0025):
        most = acceptance_region(1000, level, false_alarm=5e-9)[1]
        assert sum(one.p_below(0.0) <= level for one in found) <= most
        assert sum(one.p_above(0.0) <= level for one in found) <= most


@pytest.mark.false_alarm(1e-12)
def test_a_t_test_of_heavy_tails_does_not_hold_it(rng):
    """Negative control: three degrees of freedom, width 3, 200 networks: false in 20 % at 5 % (less than 10 % below 1e-12)."""
    values = pivots(rng, 3, 3, (200, 1500))
    assert sum(one.p_below(0.0) <= 0.05 for one in step_mean_layers(values)) > 150


@pytest.mark.false_alarm(0)
def test_power_is_not_lost(rng):
    """Where t is allowed too: its margin takes some 2.2 times the networks at .05, as the exponents of both say."""
    high = bennett_of(rng.gamma(8.0, 1 / 8, 4000), 1 / 8)
    t = -special.stdtrit(3999, 0.05) * math.sqrt(1 / 8 / 4000)
    assert (high.bounds(0.05)[1] - high.theta) ** 2 / t**2 == pytest.approx(2 * math.log(20) / 1.645**2, rel=0.1)


@pytest.mark.false_alarm(1e-8)
def test_at_many_looks_the_inequality_gives_way_to_bets(rng):
    """Averages of exponential values at some 140 looks from 2 to 10^6 networks, 2,000 samples: seldom excluded from below.

    False alarm 1e-8, by an acceptance region's upper end at .05. Negative control: by the inequality for one look a fifth of
    the samples and more exclude the truth at some look. In the same numbers as the class's.
    """
    looks = np.unique(np.geomspace(2, 1e6, 160).astype(int))
    sums = rng.standard_gamma(np.diff(looks, prepend=0), (2000, len(looks))).cumsum(axis=1)
    missing = np.clip(1 - sums / looks, 0, 1)
    bets = 2.0 ** np.arange(-9, 3)
    log_capital = looks[:, None] * (bets * missing[..., None] - (np.expm1(bets) - bets))
    p = len(bets) * np.exp(-special.logsumexp(log_capital, axis=2))
    most = acceptance_region(2000, 0.05, false_alarm=2e-8)[1]
    assert (p <= 0.05).any(axis=1).sum() <= most
    once = np.exp(-looks * ((1 + missing) * np.log1p(missing) - missing))
    assert (once <= 0.05).any(axis=1).sum() > 1.3 * most
    values = rng.gamma(1.0, 0.8, 300)
    stopped = at_any_look(bennett_of(values, 1.0), NormalMixture.tuned(100, alpha=0.1))
    share = 1 - values.mean()
    expected = len(bets) * math.exp(-special.logsumexp(300 * (bets * share - (np.expm1(bets) - bets))))
    assert stopped.p_below(0.0) == pytest.approx(min(1.0, expected), rel=1e-9)
    assert stopped.p_below(stopped.bounds(0.01)[1]) == pytest.approx(0.01, rel=1e-6)
