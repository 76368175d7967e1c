import math

import numpy as np
import pytest
from scipy import stats

from varprop.stats.zero_mean import zero_mean


@pytest.mark.false_alarm(1e-7)
def test_zero_mean_holds_its_level(rejections, at_level, rng):
    """Linear units: width 16, 50 networks, of very different norms. False alarm 1e-7."""

    def pvalue():
        a = rng.lognormal(sigma=2.0, size=(50, 1)) * rng.standard_normal((50, 16))
        return zero_mean(a.mean(axis=1), (a**2).mean(axis=1)).pvalue

    assert rejections(pvalue) in at_level


@pytest.mark.false_alarm(1e-7)
def test_zero_mean_covers_a_known_truth(at_level, rng):
    """Units of +-1, + with probability .6: d has mean .2 exactly. False alarm 1e-7."""
    misses = 0
    for _ in range(2000):
        a = np.where(rng.random((100, 16)) < 0.6, 1.0, -1.0)
        low, high = zero_mean(a.mean(axis=1), np.ones(100)).interval(0.95)
        misses += not low <= 0.2 <= high
    assert misses in at_level


@pytest.mark.false_alarm(1e-11)
def test_zero_mean_of_relu_is_far_from_zero(rng):
    """E relu / sqrt(E relu^2) = 1 / sqrt(pi) = .56 at large width; found for certain with 50 networks of width 1,000."""
    a = np.maximum(rng.standard_normal((50, 1000)), 0.0)
    outcome = zero_mean(a.mean(axis=1), (a**2).mean(axis=1))
    assert outcome.theta == pytest.approx(1 / math.sqrt(math.pi), abs=0.02)
    assert outcome.pvalue < 1e-9


@pytest.mark.false_alarm(0)
def test_zero_mean_is_the_plain_t_test_of_d(rng):
    mean, second = rng.normal(size=20), rng.uniform(10, 20, size=20)
    theirs = stats.ttest_1samp(mean / np.sqrt(second), 0.0)
    ours = zero_mean(mean, second)
    assert (ours.statistic, ours.pvalue) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-12)


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
