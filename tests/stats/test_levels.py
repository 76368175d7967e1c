"""A mean against a bound: its level, its coverage, and the plain t-test that it is."""

import numpy as np
import pytest
from scipy import stats

from varprop.stats.equivalence import directional
from varprop.stats.levels import level


def shares(rng, *, networks=100, units=16, mean=0.3):
    """Shares of units that are alike within a network: beta-binomial, with the stated mean."""
    own = rng.beta(6 * mean, 6 * (1 - mean), size=networks)
    return rng.binomial(units, own) / units


@pytest.mark.false_alarm(3e-7)
@pytest.mark.parametrize("direction", ["below", "above"])
def test_a_bound_that_is_the_truth_is_passed_as_often_as_the_level_says(direction, at_level, rng):
    """Both verdicts' one-sided p-values at the boundary. False alarm 1e-7 each of two, and of the coverage."""
    support = refute = misses = 0
    for _ in range(2000):
        outcome = level(shares(rng), bound=0.3)
        p_support, p_refute = directional(outcome, 0.0, direction=direction)
        support, refute = support + (p_support <= 0.05), refute + (p_refute <= 0.05)
        low, high = outcome.interval(0.95)
        misses += not low <= 0.0 <= high
    assert support in at_level
    assert refute in at_level
    assert misses in at_level


@pytest.mark.false_alarm(1e-15)
def test_a_pooled_test_of_the_units_would_not_hold_it(at_level, rng):
    """The negative control: units taken for replicates reject a true mean in a third of the studies and more."""
    wrong = 0
    for _ in range(2000):
        found = shares(rng)
        units = np.repeat([1.0, 0.0], [round(found.sum() * 16), round((1 - found).sum() * 16)])
        wrong += level(units, bound=0.3).pvalue <= 0.05
    assert wrong not in at_level


@pytest.mark.false_alarm(0)
def test_it_is_the_plain_t_test_in_units_of_the_bound(rng):
    values = rng.random(30)
    theirs, ours = stats.ttest_1samp(values, 0.4), level(values, bound=0.4)
    assert (ours.statistic, ours.pvalue) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-12)
    assert ours.theta == pytest.approx(values.mean() / 0.4 - 1)


def test_networks_without_a_value_are_left_out_and_counted():
    outcome = level([0.1, 0.3, np.nan], bound=0.5)
    assert (outcome.n, outcome.note) == (2, "1 of 3 networks are dead and left out")
    assert level([0.0, 0.0], bound=0.5).p_below(0.0) == 0.0


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
