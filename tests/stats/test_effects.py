"""Gains and e-folding depths."""

import math

import pytest

from varprop.stats.growth import effect_sizes, growth_rate
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
    steady = effect_sizes(outcome(0.0, 0.1))
    assert (steady.gain, steady.depth, steady.depth_interval[1]) == (1.0, math.inf, math.inf)
    assert str(steady) == "gain per layer 1 (0.82 to 1.219)"
    unknown = effect_sizes(outcome(0.0))
    assert (unknown.gain_interval, unknown.depth_interval) == ((0.0, math.inf), (0.0, math.inf))
    unsure = effect_sizes(outcome(-0.01, 0.05))
    assert unsure.depth_interval[1] == math.inf
    assert str(unsure).endswith("e-folding depth 100 layers (9.16 or more)")
    with pytest.raises(ValueError, match="steps"):
        effect_sizes(outcome(0.0), steps=0)
