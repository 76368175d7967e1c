import itertools
import math

import numpy as np
import pytest
from scipy import stats

from varprop.stats.inspections import (
    Inspection,
    as_gaussian,
    coins,
    family,
    finite_arrays,
    heads_or_more,
    signed_sum,
    worst,
)

pytestmark = pytest.mark.false_alarm(0)


def test_a_family_is_its_worst_look_times_their_number():
    looks = {"a": Inspection(pvalue=0.5), "b": Inspection(pvalue=0.03), "c": Inspection(pvalue=0.9)}
    assert (worst(looks), family(looks)) == ("b", pytest.approx(0.09))
    assert family({"a": Inspection(pvalue=0.5), "b": Inspection(pvalue=0.6)}) == 1.0


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_a_look_has_a_p_value(p):
    with pytest.raises(ValueError, match="p-value lies in"):
        Inspection(pvalue=p)


@pytest.mark.parametrize("tosses", [1, 2, 9, 200])
def test_coins_are_the_binomial_test_of_scipy(tosses):
    for heads in range(0, tosses + 1, max(1, tosses // 10)):
        assert coins(heads, tosses) == pytest.approx(stats.binomtest(heads, tosses).pvalue, rel=1e-9)
        assert heads_or_more(heads, tosses) == pytest.approx(stats.binom.sf(heads - 1, tosses, 0.5), rel=1e-9)


def test_heads_that_cannot_be_have_their_probabilities():
    assert (heads_or_more(-3, 5), heads_or_more(0, 0), heads_or_more(6, 5), coins(0, 0)) == (1.0, 1.0, 0.0, 1.0)


def test_a_sum_with_fair_signs_is_bounded_for_every_pattern_of_signs():
    """All 2^12 patterns: for every alpha at most that share has a p-value of alpha. The same sum with its root mean square for
    a standard error, as by the normal law, breaks it: the control."""
    sizes = np.array([5.0, 3, 3, 2, 1, 1, 1, 0.5, 0.5, 0.2, 0.1, 0.1])
    squares = float(np.sum(sizes**2))
    totals = [float(np.dot(signs, sizes)) for signs in itertools.product((-1, 1), repeat=len(sizes))]
    bounded = np.sort([signed_sum(total, squares) for total in totals])
    assert (bounded >= np.arange(1, len(bounded) + 1) / len(bounded) - 1e-12).all()
    normal = np.sort(2 * stats.norm.sf(np.abs(totals) / math.sqrt(squares)))
    assert not (normal >= np.arange(1, len(normal) + 1) / len(normal) - 1e-12).all()
    assert signed_sum(0.0, 0.0) == 1.0


def test_moments_bound_the_normal_tail_from_above_and_not_by_much():
    for deviation in (0.5, 1.5, 3.0, 6.0, 12.0):
        exact = 2 * stats.norm.sf(deviation)
        assert exact <= as_gaussian(deviation, math.inf) == as_gaussian(-deviation, math.inf)
        assert as_gaussian(deviation, math.inf) <= min(1.0, 7 * (1 + deviation) * exact)


def test_fewer_moments_bound_by_less():
    """By hand: E[Z^2] / 9 and E[Z^4] / 81."""
    assert as_gaussian(3.0, 2) == pytest.approx(1 / 9)
    assert as_gaussian(3.0, 5) == pytest.approx(3 / 81)
    assert as_gaussian(3.0, 1) == 1.0


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((0, 2)), np.array([[np.inf]])])
def test_arrays_are_checked(bad):
    with pytest.raises(ValueError, match=r"mine takes finite arrays of shape \(calls, ...\) with 2 axes"):
        finite_arrays("mine", bad, least=2)
