"""The acceptance region by which every level in this folder is judged, and the law that the networks are drawn from."""

import numpy as np
import pytest
from scipy import stats


def test_the_acceptance_region_errs_as_rarely_as_it_says(at_level):
    low, high = at_level[0], at_level[-1]
    false_alarm = stats.binom.cdf(low - 1, 2000, 0.05) + stats.binom.sf(high, 2000, 0.05)
    assert 5e-8 < false_alarm < 1e-7
    assert stats.binom.sf(high, 2000, 0.1) > 0.999
    assert stats.binom.cdf(low - 1, 2000, 0.016) > 0.999


@pytest.mark.false_alarm(2e-8)
def test_the_law_of_a_step_is_that_of_real_networks(he_steps, rng):
    """Two roads to the law: the formula, and weights multiplied out.

    False alarm 1e-8 for each of two Kolmogorov-Smirnov tests.
    """
    width, networks = 8, 4000
    z = rng.standard_normal((networks, width))
    a = np.maximum(z, 0.0)
    weights = rng.normal(0.0, np.sqrt(2 / width), size=(networks, width, width))
    after = np.einsum("nij,nj->ni", weights, a)
    # q_l / q_{l-1} is (|a|^2 / v) (pivot), and |a|^2 is chi2_K for z ~ N(0, 1): here the first factor alone is compared.
    assert stats.ks_2samp(2 * np.mean(a**2, axis=1), he_steps(rng, networks, width)).pvalue > 1e-8
    pivots = np.mean(after**2, axis=1)[a.any(axis=1)] / (2 * np.mean(a**2, axis=1)[a.any(axis=1)])
    assert stats.kstest(width * pivots, stats.chi2(width).cdf).pvalue > 1e-8


@pytest.mark.false_alarm(0)
def test_another_law_is_told_apart(he_steps, rng):
    """Negative control: twice the variance is found, for certain at this size."""
    assert stats.ks_2samp(rng.standard_gamma(0.8, 4000) / 0.8, he_steps(rng, 4000, 8)).pvalue < 1e-8
