"""Shares of dead networks, against scipy and by counting all outcomes."""

import numpy as np
import pytest
from scipy import stats

from varprop.stats.chances import dead_rate
from varprop.stats.equivalence import decide, p_equivalence, p_refute


def test_agrees_with_scipy():
    found, theirs = dead_rate(7, 60, expected=0.2), stats.binomtest(7, 60, 0.2)
    interval = theirs.proportion_ci(0.9, method="exact")
    assert found.pvalue == pytest.approx(theirs.pvalue, rel=1e-12)
    assert found.interval(0.9) == pytest.approx((interval.low - 0.2, interval.high - 0.2), rel=1e-9)
    assert found.p_above(0.03) == pytest.approx(stats.binomtest(7, 60, 0.23, "greater").pvalue, rel=1e-9)
    assert found.p_below(0.03) == pytest.approx(stats.binomtest(7, 60, 0.23, "less").pvalue, rel=1e-9)


@pytest.mark.parametrize("truth", [0.0, 0.003, 0.3, 0.9])
def test_level_and_coverage_by_counting(truth):
    """Every outcome of 80 networks with its probability: no chance in this test."""
    outcomes = [dead_rate(k, 80, expected=truth) for k in range(81)]
    weights = stats.binom.pmf(np.arange(81), 80, truth)
    assert sum(w for w, o in zip(weights, outcomes, strict=True) if o.pvalue <= 0.05) <= 0.05 + 1e-12
    covered = [low - 1e-12 <= 0.0 <= high + 1e-12 for low, high in (o.interval(0.95) for o in outcomes)]
    assert sum(w for w, inside in zip(weights, covered, strict=True) if inside) >= 0.95


@pytest.mark.parametrize(("truth", "right"), [(0.12, "supported"), (0.4, "refuted")])
def test_false_verdicts_are_as_rare_as_they_say(truth, right):
    """Expected .1 with a margin of .05: every outcome of 200 networks. Control: verdicts are given at all."""
    weights = stats.binom.pmf(np.arange(201), 200, truth)
    said = {"supported": 0.0, "refuted": 0.0, "inconclusive": 0.0}
    for k, weight in enumerate(weights):
        outcome = dead_rate(k, 200, expected=0.1)
        said[decide(p_equivalence(outcome, 0.05), p_refute(outcome, 0.05), level=0.05)] += weight
    wrong = "refuted" if right == "supported" else "supported"
    assert said[wrong] <= 0.05
    assert said[right] > (0.1 if right == "supported" else 0.99)


@pytest.mark.false_alarm(2e-7)
def test_the_level_in_random_studies(rejections, at_level, rng):
    """Networks of 4 layers of width 4, of which 22.8 % die; 300 of them. False alarm 1e-7. Power: 30 % are found."""
    expected = 1 - (1 - 2**-4) ** 4
    pvalues = [dead_rate(k, 300, expected=expected).pvalue for k in range(301)]
    assert rejections(lambda: pvalues[rng.binomial(300, expected)]) in at_level
    power = stats.binom.pmf(np.flatnonzero(np.array(pvalues) <= 0.05), 300, 0.3).sum()
    found = rejections(lambda: pvalues[rng.binomial(300, 0.3)])
    assert stats.binom.ppf(5e-8, 2000, power) <= found <= stats.binom.ppf(1 - 5e-8, 2000, power)


def test_shares_beyond_0_and_1_are_impossible():
    none = dead_rate(0, 1000, expected=0.001)
    assert (none.p_above(-0.05), none.p_below(-0.05), none.p_above(1.2), none.p_below(1.2)) == (0.0, 1.0, 1.0, 0.0)
    assert p_equivalence(none, 0.05) < 1e-9
    assert none.se > 0.0
    assert dead_rate(10, 10, expected=1.0).interval(0.95)[1] == 0.0


@pytest.mark.parametrize("numbers", [(1, 1, 0.1), (3, 2, 0.1), (-1, 5, 0.1), (1, 5, 1.5), (1, 5, np.nan)])
def test_what_is_no_share_is_refused(numbers):
    dead, networks, expected = numbers
    with pytest.raises(ValueError, match="two networks or more"):
        dead_rate(dead, networks, expected=expected)
    with pytest.raises(ValueError, match="level"):
        dead_rate(1, 5, expected=0.1).interval(0.0)
    with pytest.raises(ValueError, match="threshold"):
        dead_rate(1, 5, expected=0.1).p_above(np.inf)
