"""Exact equality is decided by one departure."""

import numpy as np
import pytest
from scipy import stats

from varprop.stats.equivalence import decide, p_equivalence
from varprop.stats.identity import agreeing, holding_share, identity, largest_group, networks_to_show


@pytest.mark.false_alarm(0)
def test_equal_rows_hold_and_one_bit_refutes(rng):
    table = np.tile(rng.standard_normal(5), (7, 1))
    same = identity(table)
    assert (same.holds, same.distinct_rows, same.spread, same.theta, same.pvalue, same.n) == (True, 1, 0.0, 0.0, 1.0, 7)
    table[3, 2] = np.nextafter(table[3, 2], np.inf)
    other = identity(table)
    assert (other.holds, other.distinct_rows, other.pvalue) == (False, 2, 0.0)
    assert identity(table, rounding=1e-12).holds
    assert p_equivalence(same, 0.01) == 0.0


@pytest.mark.false_alarm(0)
def test_a_random_start_has_distinct_rows(rng):
    """The power that a test of symmetry needs: of 20 random rows every one differs from the others."""
    assert identity(rng.standard_normal((20, 4))).distinct_rows == 20


def test_rows_may_have_to_be_something():
    assert identity([[0.0, 1.0], [0.0, 1.0]], expected=[0.0, 1.0]).holds
    off = identity([[0.0, 2.0], [0.0, 2.0]], expected=[0.0, 1.0])
    assert (off.holds, off.distinct_rows, off.spread, off.theta) == (False, 1, 1.0, 0.5)


@pytest.mark.parametrize("table", [[[1.0]], [1.0, 2.0], [[1.0], [np.nan]], np.ones((3, 0))])
def test_what_cannot_be_compared_is_refused(table):
    with pytest.raises(ValueError, match="two or more rows"):
        identity(table)
    with pytest.raises(ValueError, match="rounding"):
        identity([[1.0], [1.0]], rounding=1.0)
    with pytest.raises(ValueError, match="one per column"):
        identity([[1.0], [1.0]], expected=[1.0, 2.0])


# ---- shares --------------------------------------------------------------------------------------------------------

LEVELS = {0.05: (5, 0.549, 299, 2995), 0.05 / 20: (5, 0.301, 597, 5989), 0.05 / 150: (5, 0.201, 797, 8003)}
"""Of each level: with five networks the share that is shown, and the networks that show 99 and 99.9 %."""


@pytest.mark.parametrize("level", LEVELS)
def test_no_exception_among_n(level):
    few, share, percent, permille = LEVELS[level]
    assert (
        holding_share(few, few, share=share).p_above(0.0)
        <= level
        < holding_share(few, few, share=share + 0.002).p_above(0)
    )
    for n, claimed in ((percent, 0.99), (permille, 0.999)):
        assert (
            holding_share(n, n, share=claimed).p_above(0.0)
            <= level
            < holding_share(n - 1, n - 1, share=claimed).p_above(0)
        )
        assert networks_to_show(holding_share(5, 5, share=claimed), alpha=level, m=1) == n


def test_shares_are_those_of_the_binomial_law():
    """Against scipy's exact one-sided tests."""
    for holding in (0, 1, 90, 99, 100):
        found = holding_share(holding, 100, share=0.95)
        exact = [stats.binomtest(holding, 100, 0.95, alternative=side).pvalue for side in ("greater", "less")]
        assert [found.p_above(0.0), found.p_below(0.0)] == pytest.approx(exact, rel=1e-9)
        assert found.pvalue == found.p_below(0.0)


def test_of_all_networks_one_exception_is_proof():
    for n in (2, 5, 10**6):
        assert (holding_share(n, n, share=1.0).p_above(0.0), holding_share(n, n, share=1.0).p_below(0.0)) == (1.0, 1.0)
        refuted = holding_share(n - 1, n, share=1.0)
        assert (refuted.p_above(0.0), refuted.p_below(0.0)) == (1.0, 0.0)
        assert decide(refuted.p_above(0.0), refuted.p_below(0.0), level=1e-306) == "refuted"
    assert networks_to_show(holding_share(9, 9, share=1.0), alpha=0.05, m=1) is None


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_both_sides_hold_their_level_at_the_share_itself(share):
    """Every count of n networks with its exact probability: no rejection is more frequent than its level, on either side."""
    for n in (5, 100, 1000):
        counts = np.arange(n + 1)
        chance = stats.binom.pmf(counts, n, share)
        found = [holding_share(int(k), n, share=share) for k in counts]
        for level in (*LEVELS, 1e-4):
            assert chance[[one.p_above(0.0) <= level for one in found]].sum() <= level
            assert chance[[one.p_below(0.0) <= level for one in found]].sum() <= level


@pytest.mark.parametrize("alpha", [1e-3, 1e-100, 1e-300])
def test_no_alpha_is_too_small(alpha):
    found = holding_share(2, 2, share=0.99)
    assert decide(found.p_above(0.0), found.p_below(0.0), level=alpha) == "inconclusive"
    assert networks_to_show(found, alpha=alpha, m=1) == pytest.approx(np.log(alpha) / np.log(0.99), abs=1)


def test_rows_that_agree():
    table = [[1.0, 2.0], [1.0, 2.0 + 1e-7], [1.0, 3.0], [0.0, 2.0]]
    assert agreeing(table, [1.0, 2.0]).tolist() == [True, False, False, False]
    assert agreeing(table, [1.0, 2.0], rounding=1e-6).tolist() == [True, True, False, False]
    assert agreeing([[1e9], [0.0]], [0.0], rounding=1e-5).tolist() == [False, True]


@pytest.mark.false_alarm(0)
def test_the_largest_group(rng):
    """Against all pairs: no value agrees with more numbers than the group has."""
    assert largest_group([1.0]) == 1
    assert largest_group([2.0, -2.0, 2.0, 5.0]) == 2
    x = np.concatenate([rng.normal(1.0, 1e-5, 200), rng.normal(-3.0, 1e-5, 100)])
    for rounding in (1e-6, 1e-5, 1e-4):
        most = max(
            agreeing(x[:, None], [value], rounding=rounding).sum() for value in np.concatenate([x, x * (1 + rounding)])
        )
        assert most <= largest_group(x, rounding=rounding) <= len(x)
    assert largest_group(x, rounding=1e-3) == 200


@pytest.mark.parametrize(
    ("holding", "networks", "share"), [(1, 1, 0.9), (-1, 5, 0.9), (6, 5, 0.9), (1, 5, 0.0), (1, 5, 1.1)]
)
def test_shares_out_of_range_are_refused(holding, networks, share):
    with pytest.raises(ValueError, match="share in"):
        holding_share(holding, networks, share=share)
