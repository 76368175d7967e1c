"""Quantiles in little memory: exact while there are few values, within one part in two thousand beyond, always the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varprop.numerics import quantiles
from varprop.numerics.quantiles import EXACT, Quantiles

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

PROBABILITIES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
LAWS = {
    "log-normal": lambda rng, n: rng.lognormal(sigma=3.0, size=n),
    "both signs": lambda rng, n: rng.normal(size=n),
    "tiny": lambda rng, n: 1e-290 * rng.gamma(2.0, size=n),
    "huge": lambda rng, n: -1e300 * rng.gamma(2.0, size=n),
    "half dead": lambda rng, n: np.where(rng.random(n) < 0.5, 0.0, rng.gamma(2.0, size=n)),
}


def in_pieces(values, pieces):
    first, *others = (Quantiles.of(piece) for piece in np.array_split(values, pieces))
    return sum(others, start=first)


@pytest.mark.parametrize("law", LAWS)
def test_few_values_have_numpys_quantiles(rng, law):
    values = LAWS[law](rng, EXACT)
    np.testing.assert_array_equal(in_pieces(values, 9).at(PROBABILITIES), np.quantile(values, PROBABILITIES))


@pytest.mark.parametrize("pieces", [1, 2, 13])
@pytest.mark.parametrize("law", LAWS)
def test_many_values_have_them_to_one_part_in_two_thousand(rng, law, pieces):
    """The order statistic of that rank, to half a bin: no probability is involved, the bound holds for any data."""
    values = LAWS[law](rng, 100_000)
    expected = np.quantile(values, PROBABILITIES, method="lower")
    np.testing.assert_allclose(in_pieces(values, pieces).at(PROBABILITIES), expected, rtol=2.0**-11)


def test_neither_order_nor_pieces_matter(rng):
    """Bit for bit, so that a report is the same whoever sampled what first."""
    values = rng.lognormal(sigma=2.0, size=50_000)
    expected = Quantiles.of(values).at(PROBABILITIES)
    for pieces in (2, 7, 40):
        np.testing.assert_array_equal(in_pieces(rng.permutation(values), pieces).at(PROBABILITIES), expected)


@pytest.mark.false_alarm(2e-12)
def test_a_sketch_that_draws_would_not_do(rng):
    """Negative control: binning is what bounds the error; keeping every fiftieth value misses by more."""
    values = rng.lognormal(sigma=3.0, size=100_000)
    thinned = np.quantile(values[::50], PROBABILITIES[1:-1])
    assert np.abs(thinned / np.quantile(values, PROBABILITIES[1:-1]) - 1).max() > 2.0**-11


def test_memory_is_bounded(rng):
    held = in_pieces(rng.lognormal(size=400_000), 20)
    assert held.n == 400_000
    assert not len(held.values)
    assert len(held.bins) < 20_000


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40))
def test_a_bin_holds_its_values(values):
    array = np.array(values)
    bins = quantiles._bin(array)
    assert (np.diff(bins[np.argsort(array)]) >= 0).all()
    normal = np.abs(array) >= 1e-307
    np.testing.assert_allclose(quantiles._middles(bins)[normal], array[normal], rtol=2.0**-11)
    np.testing.assert_allclose(quantiles._middles(bins), array, rtol=2.0**-11, atol=1e-307)


def test_missing_values_are_left_out():
    held = Quantiles.of([np.nan, 2.0, np.nan])
    assert (held.n, held.at([0.5]).tolist()) == (1, [2.0])
    assert np.isnan(Quantiles.of([]).at([0.5])).all()
