"""The law of the variance of Gamma variables: against chi-square, simulated samples, and the levels of what is made of it."""

import math

import numpy as np
import pytest
from scipy import special, stats

from varprop.stats.multiple import acceptance_region
from varprop.stats.spread import spread
from varprop.stats.variances import CLOSED_FROM, LEAST, log_cumulants, resolved, standardised, tails

LEVELS = (0.05, 0.05 / 20, 0.05 / 150)


@pytest.mark.parametrize("n", [50, 200, 4000])
def test_normal_variables_have_a_chi_square(n):
    """(N - 1) S^2 is chi-square, whose logarithm has polygamma functions for cumulants, and tails that are known."""
    half = (n - 1) / 2
    exact = [special.digamma(half) - math.log(half), *(special.polygamma(k, half) for k in (1, 2, 3))]
    np.testing.assert_allclose(log_cumulants(0.0, n)[:3], exact[:3], rtol=0.05)
    for level in (*LEVELS, 1.1 * resolved(n)):
        for side, quantile in enumerate((special.chdtri(n - 1, 1 - level), special.chdtri(n - 1, level))):
            found = tails(math.log(quantile / (n - 1)), variance=0.0, n=n)[side]
            assert level / 1.5 < found < 1.1 * level


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize(("variance", "n"), [(2.0, 50), (1.0, 100), (0.25, 50), (0.03, 100)])
def test_four_cumulants_are_those_of_samples(rng, variance, n):
    """100,000 samples: mean and variance within six standard errors (2e-9 a number), and what the cut expansion leaves out.

    Control: with half the excess the variance is far outside.
    """
    x = rng.standard_gamma(1 / variance, (100_000, n)) * variance
    logs = np.log(x.var(axis=1, ddof=1) / variance)
    mean, spread_of, _, _ = log_cumulants(variance, n)
    error = math.sqrt(spread_of / len(logs))
    assert abs(logs.mean() - mean) < 6 * error + 0.002 * math.sqrt(spread_of)
    assert abs(logs.var() / spread_of - 1) < 6 * math.sqrt(2.2 / len(logs)) + 0.006
    assert abs(logs.var() / log_cumulants(variance / 2, n)[1] - 1) > 0.05 or variance < 0.1


@pytest.mark.false_alarm(1e-8)
def test_simulated_tails_are_above_the_exact_ones_and_near():
    """Shape 10^6 is normal, S^2 a chi-square of 19 degrees. Of 100,000 and of 1,000,000 samples the upper ends of 99 % lie
    within eight standard errors of the truth, 1e-15."""
    for level in LEVELS:
        samples = 10**5 if level > 0.0025 else 10**6
        error = math.sqrt(level / samples)
        for side, quantile in enumerate((special.chdtri(19, 1 - level), special.chdtri(19, level))):
            found = tails(math.log(quantile / 19), variance=1e-6, n=20)[side]
            assert level - 8 * error < found < level + 11 * error


def test_tails_end_at_what_is_resolved():
    for n, least in ((500, 1e-6), (99, 1e-5), (12, 1e-5)):
        assert tails(-9.0, variance=0.1, n=n)[0] == tails(9.0, variance=0.1, n=n)[1] == least == resolved(n)
    assert tails(9.0, variance=0.1, n=12)[0] == 1.0


def test_few_variables_and_estimated_truths_are_refused():
    with pytest.raises(ValueError, match=f"{LEAST} values or more"):
        tails(0.0, variance=0.1, n=LEAST - 1)
    with pytest.raises(ValueError, match=f"{CLOSED_FROM} where u is estimated"):
        tails(0.0, variance=0.1, n=CLOSED_FROM - 1, doubt=0.01)
    assert standardised(0.5, variance=0.1, n=60) > standardised(0.5, variance=0.1, n=60, doubt=0.01) > 0


def critical(units, n, truth, side, level):
    """The log(S^2 / expected) from which on a p-value is at most the level, for p_below (0) or p_above (1) of a truth."""
    base = spread(np.linspace(0.5, 1.5, n), expected=2 / units)

    def p(theta):
        moved = type(base)(**{name: getattr(base, name) for name in base.__dataclass_fields__} | {"theta": theta})
        return (moved.p_below if side == 0 else moved.p_above)(truth)

    inside, outside = truth, truth + (-8.0 if side == 0 else 8.0)
    if p(outside) > level:
        return outside
    for _ in range(40):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if p(middle) > level else (inside, middle)
    return outside


def rejections(rng, units, n, truth, studies):
    """How often each one-sided test says that the variance is not the one that it is: two counts for each level."""
    shape = units / 2 / math.exp(truth)
    logs = []
    for start in range(0, studies, 20_000):
        drawn = rng.standard_gamma(shape, (min(20_000, studies - start), n))
        logs.append(np.log(drawn.var(axis=1, ddof=1) / shape**2 * units / 2))
    theta = np.concatenate(logs)
    return {
        level: (
            int((theta <= critical(units, n, truth, 0, level)).sum()),
            int((theta >= critical(units, n, truth, 1, level)).sum()),
        )
        for level in LEVELS
    }


def check(counts, studies):
    """No side is above 1.5 times its level: a count beyond the region of that has probability 4e-7, of each of six."""
    for level, both in counts.items():
        assert max(both) <= acceptance_region(studies, 1.5 * level)[1]


@pytest.mark.false_alarm(1e-6)
@pytest.mark.parametrize(("units", "n"), [(2, 10), (2, 50), (16, 50)])
def test_every_side_holds_its_level(rng, units, n):
    """60,000 studies of Gaussian layers, at 5 %, .05/20 and .05/150; a count beyond 1.5 times the level has probability 4e-7
    at exactly that, and far less at the level itself.

    Control: the t test of the mean squared deviation on the log scale, as of any mean, is false four times too often at .05/20 and
    more; that 64 units and 50 networks pass has probability 1e-20.
    """
    counts = rejections(rng, units, n, 0.0, 60_000)
    check(counts, 60_000)
    # A test that never rejects would hold its level too.
    assert counts[0.05][1] > 2 / 3 * 0.05 * 60_000
    x = rng.chisquare(units, (40_000, n)) / units
    squares = (x - x.mean(axis=1, keepdims=True)) ** 2 * (n / (n - 1)) * units / 2
    mean = squares.mean(axis=1)
    z = np.log(mean) / (squares.std(axis=1, ddof=1) / mean / math.sqrt(n))
    naive = int((z <= -stats.t.isf(LEVELS[1], n - 1)).sum())
    assert naive > acceptance_region(40_000, 1.5 * LEVELS[1])[1]


@pytest.mark.false_alarm(1e-6)
@pytest.mark.parametrize(("units", "n", "truth"), [(8, 100, -math.log(1.2)), (8, 100, math.log(1.05))])
def test_the_ends_of_a_margin_hold_their_level(rng, units, n, truth):
    """As above, where the truth is a Gamma variable of another shape."""
    check(rejections(rng, units, n, truth, 60_000), 60_000)


@pytest.mark.montecarlo
@pytest.mark.false_alarm(1e-6)
@pytest.mark.parametrize("truth", [-math.log(1.2), math.log(1.05), math.log(1.2)])
@pytest.mark.parametrize(("units", "n"), [(8, 12), (2, 20), (64, 40)])
def test_the_ends_of_a_margin_hold_their_level_with_few_networks(rng, units, n, truth):
    """As above; truths between those at which samples are simulated."""
    check(rejections(rng, units, n, truth, 60_000), 60_000)


@pytest.mark.montecarlo
@pytest.mark.false_alarm(1e-6)
@pytest.mark.parametrize("units", [1, 2, 4, 8, 16, 64, 512])
@pytest.mark.parametrize("n", [10, 20, 49, 50, 100, 200, 1000])
def test_every_side_holds_its_level_everywhere(rng, units, n):
    """As above, with 300,000 studies (60,000 of 1,000 networks)."""
    studies = 60_000 if n == 1000 else 300_000
    check(rejections(rng, units, n, 0.0, studies), studies)
