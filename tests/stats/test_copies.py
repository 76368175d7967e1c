import itertools
import math

import numpy as np
import pytest

from varprop.stats.copies import coincidence, replays, shared_values

EQUAL = 2.0**-20  # of draws in single precision, and more
LEVEL = 1e-8


# ---- how likely equal draws are -------------------------------------------------------------------------------------


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize("values", [2, 30])
def test_the_bound_on_equal_draws_is_one(rng, values):
    """Below 1 / values in at most 54 of 500 samples at 5 %, but for 1e-7; at 50 %, the control, in more."""
    samples = [rng.integers(values, size=400) for _ in range(500)]
    assert sum(coincidence(x, level=0.05, rng=rng) < 1 / values for x in samples) <= 54
    assert sum(coincidence(x, level=0.5, rng=rng) < 1 / values for x in samples) > 54


@pytest.mark.false_alarm(0)
def test_all_or_none_are_equal(rng):
    assert coincidence(np.ones(10), level=0.01, rng=rng) == 1.0
    # P(no pair equal) = (1 - p)^n = level.
    assert coincidence(np.arange(200.0), level=0.01, rng=rng) == pytest.approx(1 - 0.01 ** (1 / 100))
    for bad in ([1.0], [1.0, np.nan]):
        with pytest.raises(ValueError, match="coincidence takes"):
            coincidence(bad, level=0.01, rng=rng)


# ---- runs that come again --------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize("values", [2, 5])
def test_runs_come_again_no_more_often_than_the_level_says(rng, values):
    """500 streams of letters of which the chance of equal ones is known; at 5 % at most 54, but for 1e-7."""

    def pvalue():
        return replays(rng.integers(values, size=300), equal=1 / values, level=0.05).pvalue

    assert sum(pvalue() <= 0.05 for _ in range(500)) <= 54


@pytest.mark.false_alarm(1e-8)
def test_numbers_of_single_precision_are_equal_by_chance_and_runs_are_not(rng):
    """Of 300,000 normal numbers in single precision some 600 are equal to another; runs by chance with probability 1e-8."""
    x = rng.standard_normal(300_000, dtype=np.float32)
    assert len(np.unique(x)) < len(x)
    assert replays(x, equal=EQUAL, level=LEVEL).pvalue == 1.0


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("period", [1, 3, 997, 100_003])
def test_a_period_is_found_and_told(rng, dtype, period):
    x = np.resize(rng.standard_normal(period, dtype=dtype), 300_000)
    look = replays(x, equal=EQUAL, level=LEVEL)
    assert (look.pvalue <= LEVEL, look.estimate) == (True, period)


@pytest.mark.false_alarm(0)
def test_one_run_of_a_few_numbers_is_enough(rng):
    x = rng.standard_normal(10_000)
    x[7000:7005] = x[100:105]
    found = replays(x, equal=EQUAL, level=LEVEL)
    assert (found.pvalue <= LEVEL, math.isnan(found.estimate)) == (True, True)  # two or three of them are no period
    x[7000:7020] = x[100:120]
    assert replays(x, equal=EQUAL, level=LEVEL).estimate == 6900
    x = rng.standard_normal(10_000)
    x[7000:7002] = x[100:102]
    assert replays(x, equal=EQUAL, level=LEVEL).pvalue == 1.0  # three equal numbers would be needed


@pytest.mark.false_alarm(0)
def test_signs_that_come_again_are_found_by_longer_runs(rng):
    x = np.resize(rng.choice([-1.0, 1.0], 1009), 20_000)
    look = replays(x, equal=0.5, level=LEVEL)
    assert (look.pvalue <= LEVEL, look.estimate) == (True, 1009)


@pytest.mark.false_alarm(0)
def test_a_stream_too_short_for_its_runs_has_no_look():
    assert replays(np.ones(100), equal=0.5, level=LEVEL) is None
    assert replays(np.ones(100), equal=1.0, level=LEVEL) is None
    for draws, equal in (([1.0], 0.5), ([1.0, 2.0], 0.0), ([1.0, np.inf], 0.5)):
        with pytest.raises(ValueError, match="replays takes"):
            replays(draws, equal=equal, level=LEVEL)


# ---- an array in another order ---------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    "values", [[1, 1, 2, 2, 3, 3, 4, 4, 5, 5], [1, 1, 2, 2, 3, 4, 5, 5, 5, 6], [1, 1, 1, 1, 2, 2, 3, 3, 4, 4]]
)
def test_every_order_of_given_values_together_has_the_level(values):
    """All ways to deal them into two arrays of five: for each p-value that occurs, at most that share has one so small."""
    deals = itertools.combinations(range(10), 5)
    found = []
    for first in deals:
        second = [i for i in range(10) if i not in first]
        found.append(shared_values([[values[i] for i in first], [values[i] for i in second]]).pvalue)
    for p in np.unique(found):
        assert np.mean(np.array(found) <= p) <= p + 1e-12


@pytest.mark.false_alarm(0)
def test_numbers_in_another_order_are_found_in_any_call(rng):
    kept = rng.standard_normal(60)
    calls = [kept, *rng.standard_normal((3, 60)), rng.permutation(kept), *rng.standard_normal((2, 60))]
    look = shared_values(calls)
    assert look.estimate == 1.0
    # Sixty values once in each: 2 sqrt(60) 2^-60, of six comparisons.
    assert look.pvalue == pytest.approx(6 * 2 * math.sqrt(60) * 2.0**-60, rel=1e-9)
    assert shared_values(calls, others=3).pvalue == 1.0


@pytest.mark.false_alarm(1e-9)
def test_arrays_of_a_law_of_few_values_are_left_alone(rng):
    """Values that come twice by chance lie in both arrays half the time."""
    for _ in range(200):
        assert shared_values(rng.integers(3000, size=(2, 2000))).pvalue > 1e-12
    with pytest.raises(ValueError, match="two calls or more"):
        shared_values(np.ones((1, 4)))
