import math

import numpy as np
import pytest
from scipy import stats

from varprop.stats.copies import mean_square
from varprop.stats.weights import weights_law

LAWS = {
    "normal": (3.0, lambda rng, n: rng.standard_normal(n)),
    "t of 5": (9.0, lambda rng, n: rng.standard_t(5, n) * math.sqrt(3 / 5)),
    "sparse": (300.0, lambda rng, n: 10.0 * rng.standard_normal(n) * (rng.random(n) < 0.01)),
    "signs": (1.0, lambda rng, n: rng.choice([-1.0, 1.0], n)),
}


@pytest.mark.false_alarm(2e-7)
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [3, 300])
def test_each_side_holds_its_level_whatever_the_tails(law, n, rng):
    """500 samples with the truth at the threshold: more than 54 at 5 % have probability 1e-7 a side."""
    kurtosis, draw = LAWS[law]
    above = below = 0
    for _ in range(500):
        found = mean_square(draw(rng, n), mean=0.0, variance=1.0, kurtosis=kurtosis)
        above += found.p_above(0.0) <= 0.05
        below += found.p_below(0.0) <= 0.05
    assert max(above, below) <= 54


@pytest.mark.montecarlo
@pytest.mark.false_alarm(1e-7)
def test_the_normal_law_of_the_variance_is_wrong_in_the_tail_of_heavy_laws(rng):
    """200,000 samples of 1,000 draws of Student's t with 5 degrees of freedom, both sides at 1e-4: at most 55 each by the
    inequality, of an expectation of 20 or less, but for 1e-9. By the normal law, the control, more: P(t^2 / n > .35) alone makes some 300.
    """
    inequality, normal = 0, 0
    for _ in range(200):
        x = rng.standard_t(5, (1000, 1000)) * math.sqrt(3 / 5)
        ratios = np.mean(x**2, axis=1)
        normal += int(np.sum(stats.norm.sf(np.log(ratios) / math.sqrt(8 / 1000)) <= 1e-4))
        for sample in x[ratios > 1.2]:  # of smaller ones no p-value can be so small
            inequality += mean_square(sample, mean=0.0, variance=1.0, kurtosis=9.0).p_above(0.0) <= 1e-4
    assert inequality <= 55
    assert normal > 150


@pytest.mark.false_alarm(0)
def test_below_is_above_the_exact_tail_of_normal_draws(rng):
    """n S / sigma^2 is chi-square: Bennett's bound is never below its tail, nor far above it."""
    for n, ratio in ((50, 0.3), (1000, 0.8), (10_000, 0.93)):
        x = rng.standard_normal(n)
        x *= math.sqrt(ratio / np.mean(x**2))
        p = mean_square(x, mean=0.0, variance=1.0, kurtosis=3.0).p_below(0.0)
        exact = stats.chi2.cdf(n * ratio, n)
        assert exact <= p <= exact**0.35


@pytest.mark.false_alarm(1e-9)
def test_above_needs_some_twice_the_draws_of_the_normal_test(rng):
    """A variance 5 % too large, 100,000 normal draws, 10.9 standard errors: 2.9e-28 by the normal law. The estimate lies within six
    standard errors of its mean but for 2e-9."""
    x = math.sqrt(1.05) * rng.standard_normal(100_000)
    found = mean_square(x, mean=0.0, variance=1.0, kurtosis=3.0)
    normal = weights_law(x, variance=1.0, kurtosis=3.0).variance
    assert normal.p_above(0.0) <= found.p_above(0.0) <= normal.p_above(0.0) ** 0.4


@pytest.mark.false_alarm(0)
def test_without_a_difference_there_is_no_evidence():
    found = mean_square([1.0, -1.0, 1.0], mean=0.0, variance=1.0, kurtosis=1.0)
    assert (found.ratio, found.p_above(0.0), found.p_below(0.0)) == (1.0, 1.0, 1.0)
    assert found.p_below(0.1) == pytest.approx(0.0, abs=1e-3)
    assert found.p_above(-800.0) < 1.0
    assert mean_square([0.0] * 5000, mean=0.0, variance=1.0, kurtosis=3.0).p_above(0.0) == 1.0


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("moments", [{"variance": 0.0}, {"kurtosis": 0.5}, {"mean": math.inf}])
def test_moments_out_of_range_are_refused(moments):
    with pytest.raises(ValueError, match="a law needs"):
        mean_square([1.0, 2.0], **({"mean": 0.0, "variance": 1.0, "kurtosis": 3.0} | moments))
