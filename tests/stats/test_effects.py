"""Gains, e-folding depths, and means that one network carries."""

import math

import numpy as np
import pytest

from varprop.numerics.moments import Moments
from varprop.stats.effects import effect_sizes, heavy_tail_note, largest_share
from varprop.stats.growth import growth_rate
from varprop.stats.outcome import Outcome


def outcome(theta, se=0.0):
    return Outcome.from_estimate("growth_rate_mean", theta=theta, se=se, df=99, n=100)


def test_a_decay_by_half_in_every_layer():
    rate = growth_rate([[1.0, 0.5, 0.25], [2.0, 1.0, 0.5]]).mean_network
    sizes = effect_sizes(rate)
    assert sizes.gain == pytest.approx(0.5)
    assert sizes.depth == pytest.approx(1 / math.log(2))
    # What is left after that many layers is 1/e.
    assert sizes.gain**sizes.depth == pytest.approx(math.exp(-1))


def test_the_expected_rate_is_put_back_and_steps_are_shared_out():
    assert effect_sizes(outcome(0.1), expected=-0.3).gain == pytest.approx(math.exp(-0.2))
    assert effect_sizes(outcome(math.log(1.05)), steps=10).gain ** 10 == pytest.approx(1.05)


def test_intervals_are_the_outcomes_own():
    found = outcome(-0.2, 0.05)
    low, high = found.interval(0.9)
    sizes = effect_sizes(found, level=0.9)
    assert sizes.gain_interval == pytest.approx((math.exp(low), math.exp(high)))
    assert sizes.depth_interval == pytest.approx((1 / -low, 1 / -high))


def test_no_change_has_no_depth():
    steady = effect_sizes(outcome(0.0))
    assert (steady.gain, steady.depth, steady.depth_interval) == (1.0, math.inf, (math.inf, math.inf))
    assert str(steady) == "gain per layer 1 (1 to 1)"
    unsure = effect_sizes(outcome(-0.01, 0.05))
    assert unsure.depth_interval[1] == math.inf
    assert str(unsure).endswith("e-folding depth 100 layers (9.16 or more)")
    with pytest.raises(ValueError, match="steps"):
        effect_sizes(outcome(0.0), steps=0)


@pytest.mark.false_alarm(0)
def test_the_largest_share(rng):
    values = rng.exponential(size=(50, 1))
    expected = values.max() / values.sum()
    assert largest_share(values[:, 0]) == pytest.approx(expected, rel=1e-12)
    pieces = Moments.of(values[:20]) + Moments.of(np.vstack([values[20:], [[np.nan]]]))
    assert largest_share(pieces) == pytest.approx(expected, rel=1e-12)
    assert largest_share([1e300, 1e300]) == pytest.approx(0.5)


@pytest.mark.false_alarm(1e-7)
def test_a_mean_that_one_network_carries_is_noted(he_steps, rng):
    """ReLU and He at width 16, depth 200 against depth 2, 2,000 networks each.

    log q has a standard deviation of 9 at depth 200. In 10^3 simulated samples of depth 50 the largest network never held
    less than 6 % of the sum, of depth 100 never less than 12 %; at depth 2 it never held more than .8 %.
    """
    deep, shallow = (np.prod(he_steps(rng, (2000, depth), 16), axis=1) for depth in (200, 2))
    assert heavy_tail_note(shallow) == ""
    assert "heavy tail: the largest of 2,000 networks holds" in heavy_tail_note(deep)
    assert heavy_tail_note(deep, margin=1.0) == ""


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [1.0, -1.0], [np.nan], [1.0, np.inf]])
def test_what_has_no_share_is_refused(values):
    with pytest.raises(ValueError, match=r"share of the sum|finite|columns|two"):
        largest_share(values)
    with pytest.raises(ValueError, match="margin"):
        heavy_tail_note([1.0], margin=0.0)
