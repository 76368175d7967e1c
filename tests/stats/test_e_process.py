"""The chi-square mixture: its closed form by a second road, its mean of 1, and false alarms over all looks."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from varprop.stats.e_process import (
    ScaleMixture,
    anytime_p_values,
    variance_ratio_e_process,
    variance_ratio_sequence,
)

REPLICATIONS = 2000
AT_MOST = 156  # of 2,000 false alarms: more are seen with probability below 4e-8 if their rate is .05
LAYERS, WIDTH, EVERY, BUDGET = 10, 16, 10, 4000  # pivots of 10 layers of 16 units, a look after every 10 networks
NU = LAYERS * WIDTH * EVERY
DF = NU * np.arange(1, BUDGET // EVERY + 1)
MIXTURE = ScaleMixture.tuned(1000 * LAYERS * WIDTH, alpha=0.05)


def totals(rng, ratio=1.0, studies=REPLICATIONS):
    return np.cumsum(ratio * rng.chisquare(NU, (studies, len(DF))), axis=1)


def average(total, df, shape, low, high):
    """Likelihood ratio averaged over the inverse gamma law between two ratios, by quadrature in log r."""
    prior = stats.invgamma(shape, scale=shape)

    def integrand(log_r):
        r = math.exp(log_r)
        return math.exp(-0.5 * df * log_r + total / 2 * (1 - 1 / r)) * prior.pdf(r) * r

    ends = max(low, -3.0), min(high, 3.0)
    mass = prior.cdf(math.exp(high)) - prior.cdf(math.exp(low) if low > -np.inf else 0.0)
    return integrate.quad(integrand, *ends, epsabs=0, epsrel=1e-11, limit=400)[0] / mass


@pytest.mark.parametrize(
    ("alternative", "low", "high"), [("two-sided", -np.inf, np.inf), ("greater", 0.0, np.inf), ("less", -np.inf, 0.0)]
)
@pytest.mark.parametrize(("total", "df"), [(40.0, 30), (20.0, 30), (290.0, 250)])
def test_the_e_value_is_the_average_likelihood_ratio(alternative, low, high, total, df):
    found = variance_ratio_e_process(total, df, mixture=ScaleMixture(20.0), alternative=alternative)
    assert math.exp(found) == pytest.approx(average(total, df, 20.0, low, high), rel=1e-8)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("df", [1, 16, 400])
def test_its_mean_is_one_under_the_null(alternative, df):
    law = stats.chi2(df, scale=1.3)

    def weighted(log_total):
        total = math.exp(log_total)
        log_e = variance_ratio_e_process(total, df, mixture=ScaleMixture(6.0), ratio=1.3, alternative=alternative)
        return math.exp(log_e + law.logpdf(total) + log_total)

    # E undoes the null's light tail, so the integral goes on as far as the mixture reaches, by powers of T.
    ends = np.log(law.mean()) + np.linspace(-60.0, 8.0, 35)
    mean = sum(integrate.quad(weighted, a, b, epsabs=1e-14)[0] for a, b in itertools.pairwise(ends))
    assert mean == pytest.approx(1.0, abs=1e-9)


@given(st.floats(1.0, 1e9), st.floats(0.5, 1e6), st.floats(0.05, 0.999))
def test_the_interval_ends_where_the_e_value_reaches_its_level(df, shape, level):
    mixture = ScaleMixture(shape)
    low, high = variance_ratio_sequence(1.02 * df, df, mixture=mixture, level=level)
    for end in (low, high):
        if np.isfinite(end):
            found = variance_ratio_e_process(1.02 * df, df, mixture=mixture, ratio=float(end))
            assert found == pytest.approx(-math.log1p(-level), rel=1e-5, abs=1e-5)
    assert low < 1.02 < high


def test_few_degrees_of_freedom_exclude_no_large_ratio():
    _, high = variance_ratio_sequence([1.0, 1000.0], [1, 1000], mixture=ScaleMixture(50.0), level=0.95)
    assert np.isinf(high[0])
    assert np.isfinite(high[1])


@pytest.mark.false_alarm(1.2e-7)
def test_false_alarms_over_all_looks(rng):
    """Both sides and each side: of 2,000 studies at most .05 ever reach E = 20, at 400 looks each.

    False alarm at most 4e-8 for each of three counts. With the same numbers, a chi-square test at every look errs in 37 to
    58 %: the negative control.
    """
    sums = totals(rng)
    for alternative in ("two-sided", "greater", "less"):
        log_e = variance_ratio_e_process(sums, DF, mixture=MIXTURE, alternative=alternative)
        assert (anytime_p_values(log_e)[:, -1] <= 0.05).sum() <= AT_MOST
    # Wilson and Hilferty's cube root makes the naive test cheap; it is normal to within 1e-4 at 1,600 degrees of freedom.
    z = ((sums / DF) ** (1 / 3) - (1 - 2 / (9 * DF))) / np.sqrt(2 / (9 * DF))
    assert 0.37 < (np.abs(z) >= 1.96).any(axis=1).mean() < 0.58


@pytest.mark.false_alarm(4e-8)
def test_a_composite_null_is_the_worst_at_its_edge(rng):
    """A truth below the null of "at most 1": even fewer false alarms; false alarm of the test below 4e-8."""
    log_e = variance_ratio_e_process(totals(rng, ratio=0.995), DF, mixture=MIXTURE, alternative="greater")
    assert (log_e.max(axis=1) >= math.log(20)).sum() <= AT_MOST


@pytest.mark.false_alarm(1e-9)
def test_an_error_of_one_percent_is_found_after_about_890_networks(rng):
    """Nearly half of the studies have stopped by then, in ten layers of 16 units.

    In 40,000 the share was .468; of 2,000 it is off by .068, six standard errors, with probability 1e-9. The fixed plan
    takes 1,367.
    """
    log_e = variance_ratio_e_process(totals(rng, ratio=1.01), DF, mixture=MIXTURE)
    by_then = log_e[:, DF <= 890 * LAYERS * WIDTH].max(axis=1) >= math.log(20)
    assert 0.4 < by_then.mean() < 0.536


def test_misuse_is_named():
    mixture = ScaleMixture(10.0)
    with pytest.raises(ValueError, match="sums >= 0"):
        variance_ratio_e_process([-1.0], [10], mixture=mixture)
    with pytest.raises(ValueError, match="degrees of freedom > 0"):
        variance_ratio_e_process([1.0], [0], mixture=mixture)
    with pytest.raises(ValueError, match="ratio must be"):
        variance_ratio_e_process([1.0], [10], mixture=mixture, ratio=0.0)
    with pytest.raises(ValueError, match="no variance ratio"):
        variance_ratio_sequence([0.0], [10], mixture=mixture, level=0.95)
    with pytest.raises(ValueError, match="level must"):
        variance_ratio_sequence([1.0], [10], mixture=mixture, level=95)
    with pytest.raises(ValueError, match="shape must"):
        ScaleMixture(0.0)
