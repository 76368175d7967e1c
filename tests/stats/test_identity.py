"""Exact equality is decided by one departure."""

import numpy as np
import pytest

from varprop.stats.equivalence import p_equivalence
from varprop.stats.identity import identity


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
