"""A mean against a bound: bets on shares hold it, and for values without an end a t test beside bets."""

import math

import numpy as np
import pytest

from varprop.stats.capital import Capital
from varprop.stats.equivalence import directional
from varprop.stats.zero_mean import level


def shares(rng, *, networks=100, units=16, mean=0.3):
    """Shares of units that are alike within a network: beta-binomial, with the stated mean."""
    own = rng.beta(6 * mean, 6 * (1 - mean), size=networks)
    return rng.binomial(units, own) / units


@pytest.mark.false_alarm(8e-8)
@pytest.mark.parametrize("direction", ["below", "above"])
def test_a_bound_that_is_the_truth_is_passed_no_oftener_than_the_level_says(direction, at_level, rng):
    """Both verdicts' one-sided p-values at the boundary. False alarm 4e-8 each of two.

    Negative control: bounds that are 20 % off the other way are passed in four studies of five, and in less than seven of ten
    with probability below 1e-15.
    """
    support = refute = wrong = 0
    for _ in range(2000):
        found = shares(rng, networks=200)
        outcome = level(found, bound=0.3, high=1.0)
        p_support, p_refute = directional(outcome, 0.0, direction=direction)
        support, refute = support + (p_support <= 0.05), refute + (p_refute <= 0.05)
        wrong += directional(outcome, 0.2 if direction == "below" else -0.2, direction=direction)[0] <= 0.05
    assert max(support, refute) <= at_level[-1]
    assert wrong > 1400


@pytest.mark.false_alarm(2e-7)
def test_the_t_test_beside_bets_holds_it_too(at_level, rng):
    """Without a high end Hall's t test takes nine tenths of the level: its own p-values on both sides, 2,000 studies of 200."""
    low = high = 0
    for _ in range(2000):
        outcome = level(shares(rng, networks=200), bound=0.3)
        assert outcome.p_below(0.0) >= outcome.t_test.p_below(0.0)
        low, high = low + (outcome.t_test.p_below(0.0) <= 0.05), high + (outcome.t_test.p_above(0.0) <= 0.05)
    assert low in at_level
    assert high in at_level


@pytest.mark.false_alarm(1e-15)
def test_a_pooled_test_of_the_units_would_not_hold_it(at_level, rng):
    """The negative control: units taken for replicates reject a true mean in a third of the studies and more."""
    wrong = 0
    for _ in range(2000):
        found = shares(rng)
        units = np.repeat([1.0, 0.0], [round(found.sum() * 16), round((1 - found).sum() * 16)])
        wrong += level(units, bound=0.3).t_test.pvalue <= 0.05
    assert wrong not in at_level


@pytest.mark.false_alarm(0)
def test_it_is_bets_in_units_of_the_bound(rng):
    values = rng.random(300)
    bets = Capital.of(values[:, None], low=0.0, high=1.0)
    outcome = level(values, bound=0.4, high=1.0)
    assert outcome.theta == pytest.approx(values.mean() / 0.4 - 1)
    for threshold in (-0.2, 0.0, 0.3):
        assert outcome.p_above(threshold) == bets.p_above(0, 0.4 * (1 + threshold))
        assert outcome.p_below(threshold) == bets.p_below(0, 0.4 * (1 + threshold))
    with pytest.raises(ValueError, match="outside the range"):
        level(values, bound=0.4, high=0.5)


def test_networks_without_a_value_are_left_out_and_counted():
    outcome = level([0.1, 0.3, np.nan], bound=0.5, high=1.0)
    assert (outcome.n, outcome.note) == (2, "1 of 3 networks are dead and left out")


@pytest.mark.parametrize("networks", [2, 20, 200])
def test_zeros_alone_show_no_more_than_their_number(networks):
    """Every network shows 0: shares below a half are shown by six and more, below .1 % by none, and without an end nothing."""
    zeros = [0.0] * networks
    assert (level(zeros, bound=0.5, high=1.0).p_below(0.0) <= 0.05) == (networks > 5)
    assert level(zeros, bound=0.001, high=1.0).p_below(0.0) > 0.5
    assert level(zeros, bound=0.5).p_below(0.0) == 1.0
    assert level(zeros, bound=0.5).bounds(0.05) == (-1.0, math.inf)


@pytest.mark.parametrize(
    ("values", "bound", "message"),
    [
        ([0.1, 0.2], 0.0, "bound must be finite and > 0"),
        ([0.1, 0.2], np.nan, "bound must be finite and > 0"),
        ([0.1, np.inf], 0.5, "must be finite"),
        ([0.1, np.nan], 0.5, "1 of 2 networks have a value"),
        ([[0.1, 0.2]], 0.5, "shape"),
    ],
)
def test_misuse_is_named(values, bound, message):
    with pytest.raises(ValueError, match=message):
        level(values, bound=bound)
