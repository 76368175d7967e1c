import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from varprop.stats.multiple import FALSE_ALARM, acceptance_region, share_interval


def test_the_design_of_2000_studies():
    assert acceptance_region(2000, 0.05) == (56, 151)


@given(st.integers(1, 5000), st.floats(0.0, 1.0))
def test_a_region_errs_as_rarely_as_it_says_and_is_the_smallest(trials, probability):
    low, high = acceptance_region(trials, probability)
    law = stats.binom(trials, probability)
    assert law.cdf(low - 1) <= FALSE_ALARM / 2 * (1 + 1e-9)
    assert law.sf(high) <= FALSE_ALARM / 2 * (1 + 1e-9)
    assert law.cdf(low) > FALSE_ALARM / 2 * (1 - 1e-9)
    assert high == 0 or law.sf(high - 1) > FALSE_ALARM / 2 * (1 - 1e-9)


@given(st.integers(1, 3000), st.data())
def test_share_intervals_are_those_of_scipy(trials, data):
    count = data.draw(st.integers(0, trials))
    theirs = stats.binomtest(count, trials).proportion_ci(0.9)
    assert share_interval(count, trials, level=0.9) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize("wrong", [(0, 0.5), (10, 1.5), (10, float("nan"))])
def test_no_region_of_nonsense(wrong):
    with pytest.raises(ValueError, match="trials"):
        acceptance_region(*wrong)


@pytest.mark.parametrize(("count", "trials", "level"), [(-1, 5, 0.9), (6, 5, 0.9), (1, 5, 1.0)])
def test_no_interval_of_nonsense(count, trials, level):
    with pytest.raises(ValueError, match="count"):
        share_interval(count, trials, level=level)
