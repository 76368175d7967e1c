import math

import numpy as np
import pytest
from scipy import stats

from varprop.stats.capital import Capital
from varprop.stats.zero_mean import zero_mean


@pytest.mark.false_alarm(4e-8)
@pytest.mark.parametrize(("width", "networks"), [(16, 50), (2, 3), (2, 20)])
def test_zero_mean_holds_its_level(rejections, at_level, rng, width, networks):
    """Linear units of very different norms, also of width 2 in 3 networks. False alarm 4e-8 a case."""

    def pvalue():
        a = rng.lognormal(sigma=2.0, size=(networks, 1)) * rng.standard_normal((networks, width))
        return zero_mean(a.mean(axis=1), (a**2).mean(axis=1)).pvalue

    assert rejections(pvalue) <= at_level[-1]


@pytest.mark.false_alarm(1e-12)
def test_a_t_test_of_few_narrow_layers_would_not(rng):
    """Negative control: width 2, 3 networks, tanh: at 1e-4 a t test of d is false in .57 % of 20,000 studies, bets in none.

    Some 110 are expected, 2 if the level held; fewer than 40 has probability below 1e-12.
    """
    a = np.tanh(rng.standard_normal((20_000, 3, 2)))
    d = a.mean(axis=2) / np.sqrt((a**2).mean(axis=2))
    t = d.mean(axis=1) / (d.std(axis=1, ddof=1) / math.sqrt(3))
    wrong = np.flatnonzero(2 * stats.t.sf(np.abs(t), 2) <= 1e-4)
    assert len(wrong) > 40
    outcomes = [zero_mean(a[i].mean(axis=1), (a[i] ** 2).mean(axis=1)) for i in wrong]
    assert min(outcome.pvalue for outcome in outcomes) > 0.05


@pytest.mark.false_alarm(8e-8)
def test_zero_mean_covers_a_known_truth(at_level, rng):
    """Units of +-1, + with probability .6: d has mean .2 exactly; missed seldom on either side. False alarm 4e-8, twice.

    Negative control: 0 is missed in nearly all.
    """
    low = high = far = 0
    for _ in range(2000):
        a = np.where(rng.random((100, 16)) < 0.6, 1.0, -1.0)
        outcome = zero_mean(a.mean(axis=1), np.ones(100))
        low, high = low + (outcome.p_below(0.2) <= 0.05), high + (outcome.p_above(0.2) <= 0.05)
        far += outcome.p_above(0.0) <= 0.05
    assert max(low, high) <= at_level[-1]
    assert far > 1900


@pytest.mark.false_alarm(1e-11)
def test_zero_mean_of_relu_is_far_from_zero(rng):
    """E relu / sqrt(E relu^2) = 1 / sqrt(pi) = .56 at large width; found for certain with 50 networks of width 1,000."""
    a = np.maximum(rng.standard_normal((50, 1000)), 0.0)
    outcome = zero_mean(a.mean(axis=1), (a**2).mean(axis=1))
    assert outcome.theta == pytest.approx(1 / math.sqrt(math.pi), abs=0.02)
    assert outcome.pvalue < 1e-9


@pytest.mark.false_alarm(0)
def test_zero_mean_is_bets_on_d_between_its_ends(rng):
    mean, second = rng.normal(size=20), rng.uniform(10, 20, size=20)
    d = mean / np.sqrt(second)
    ours, bets = zero_mean(mean, second), Capital.of((1 + d)[:, None] / 2, low=0.0, high=1.0)
    assert ours.theta == pytest.approx(d.mean(), rel=1e-12)
    assert ours.se == pytest.approx(stats.sem(d), rel=1e-12)
    for threshold in (-0.4, 0.0, 0.1):
        assert ours.p_above(threshold) == pytest.approx(bets.p_above(0, (1 + threshold) / 2), rel=1e-9)
        assert ours.p_below(threshold) == pytest.approx(bets.p_below(0, (1 + threshold) / 2), rel=1e-9)


@pytest.mark.parametrize(("level", "networks"), [(0.05, 66), (0.05 / 20, 126), (0.05 / 150, 166), (1e-4, 190)])
def test_the_least_networks_that_support_a_margin_of_a_twentieth(level, networks):
    """Even where every mean is 0: the price of not knowing how the next network looks."""

    def supported(n):
        outcome = zero_mean(np.zeros(n), np.ones(n))
        return max(outcome.p_above(-0.05), outcome.p_below(0.05)) <= level

    least = next(n for n in range(2, 400) if supported(n))
    assert least == pytest.approx(networks, abs=1)


def test_zero_mean_drops_the_dead_and_says_so():
    outcome = zero_mean([0.1, 0.0, -0.1, np.nan], [1.0, 0.0, 1.0, np.nan])
    assert (outcome.theta, outcome.n) == (0.0, 2)
    assert outcome.note == "2 of 4 networks are dead and left out"
    assert zero_mean([0.5, 0.5], [1.0, 1.0]).se == 0.0


@pytest.mark.parametrize(
    ("mean", "second_moment", "message"),
    [
        ([1.0, 1.0], [0.1, 0.2], "exchanged"),
        ([0.0, 0.1], [0.0, 1.0], "1 of 2 networks are alive"),
        ([0.1, np.inf], [1.0, 1.0], "finite"),
        ([0.1, 0.1], [1.0, -1.0], "finite"),
        ([0.1, 0.1], [1.0], "shape"),
    ],
)
def test_zero_mean_refuses_what_is_no_mean(mean, second_moment, message):
    with pytest.raises(ValueError, match=message):
        zero_mean(mean, second_moment)
