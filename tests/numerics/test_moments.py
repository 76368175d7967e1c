"""Moments of a table in pieces are those of the table, to the last digits, against sums that do not round."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from varprop.numerics.moments import Moments

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

TABLES = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 30), st.integers(1, 4)),
    elements=st.floats(-1e6, 1e6) | st.just(np.nan),
)


def exactly(column):
    """Mean, and second to fourth central moments (divided by n), in rational numbers."""
    values = [Fraction(value) for value in column[~np.isnan(column)].tolist()]
    mean = sum(values) / len(values)
    return mean, *(sum((value - mean) ** power for value in values) / len(values) for power in (2, 3, 4))


def in_pieces(table, pieces, *, joint=True):
    return Moments.sum(Moments.of(piece, joint=joint) for piece in np.array_split(table, pieces))


@pytest.mark.parametrize("pieces", [1, 2, 7, 100])
@pytest.mark.parametrize(
    ("offset", "scale"),
    [(0.0, 1.0), (1e3, 1.0), (5.0, 1e-150), (-2.0, 1e150), (0.0, 1e-300)],
    ids=["centred", "far off", "tiny", "huge", "almost subnormal"],
)
def test_every_moment_to_twelve_digits(rng, pieces, offset, scale):
    """Skewed numbers, a third of them missing; at an offset of 1,000 deviations the data keep 13 digits of a deviation."""
    table = scale * (offset + rng.gamma(2.0, size=(300, 3)))
    table[rng.random(table.shape) < 1 / 3] = np.nan
    moments = in_pieces(table, pieces)
    for j in range(3):
        mean, second, third, fourth = exactly(table[:, j])
        n = int(moments.n[j])
        assert n == np.sum(~np.isnan(table[:, j]))
        assert moments.mean[j] == pytest.approx(float(mean), rel=1e-12)
        unit = Fraction(2) ** int(moments.exponent[j])
        sd = math.sqrt(second / unit**2 * n / (n - 1)) * float(unit)
        assert moments.sd[j] == pytest.approx(sd, rel=1e-12)
        standardised = [float(third / unit**3) / math.sqrt(second / unit**2) ** 3, float(fourth / second**2)]
        assert [moments.skewness[j], moments.kurtosis[j]] == pytest.approx(standardised, rel=1e-11)
        assert (moments.low[j], moments.high[j]) == (np.nanmin(table[:, j]), np.nanmax(table[:, j]))


@pytest.mark.parametrize("pieces", [1, 3, 50])
def test_products_of_deviations_over_the_rows_that_have_both(rng, pieces):
    table = rng.gamma(2.0, size=(200, 4)) + 100.0
    table[:, 1] += table[:, 0]
    table[rng.random(table.shape) < 0.2] = np.nan
    moments = in_pieces(table, pieces)
    columns = [[None if math.isnan(value) else Fraction(value) for value in column] for column in table.T.tolist()]
    means = [exactly(column)[0] for column in table.T]
    for j in range(4):
        for k in range(4):
            both = [(a, b) for a, b in zip(columns[j], columns[k], strict=True) if a is not None and b is not None]
            expected = float(sum((a - means[j]) * (b - means[k]) for a, b in both))
            size = math.sqrt(
                math.prod(
                    float(sum((a - m) ** 2 for a in c if a is not None))
                    for c, m in ((columns[j], means[j]), (columns[k], means[k]))
                )
            )
            found = math.ldexp(moments.scatter[j, k], int(moments.exponent[j] + moments.exponent[k]))
            assert found == pytest.approx(expected, abs=1e-12 * size)
            assert moments.count[j, k] == len(both)
    assert moments.rows == 200
    assert moments.rows_present == np.sum(~np.isnan(table).all(axis=1))


def test_a_first_piece_unlike_all_others_costs_no_digits(rng):
    """The centre moves with the mean: one piece of zeros first, then numbers a million deviations away."""
    table = np.concatenate([np.zeros((10, 1)), 1e6 + rng.normal(size=(990, 1))])
    moments = in_pieces(table, 100)
    mean, second, *_ = exactly(table[:, 0])
    assert moments.mean[0] == pytest.approx(float(mean), rel=1e-14)
    assert moments.sd[0] == pytest.approx(math.sqrt(second * 1000 / 999), rel=1e-12)


def test_sums_of_squares_would_lose_them(rng):
    """Negative control: the textbook formula on the same kind of numbers is off by more than the tests above allow."""
    column = 1e6 + rng.normal(size=1000)
    _, second, *_ = exactly(column)
    naive = np.mean(column**2) - np.mean(column) ** 2
    assert abs(naive / float(second) - 1) > 1e-9
    assert Moments.of(column[:, None]).sd[0] ** 2 * 999 / 1000 == pytest.approx(float(second), rel=1e-12)


def test_a_long_column_is_summed_in_short_ones(rng):
    """100,000 numbers, far more than a slab: fsum's mean, and a mean square that keeps its digits."""
    values = rng.lognormal(size=(100_000, 1))
    moments = Moments.of(values)
    mean = math.fsum(values[:, 0]) / len(values)
    assert moments.mean[0] == pytest.approx(mean, rel=1e-14)
    assert moments.sd[0] == pytest.approx(
        math.sqrt(math.fsum((values[:, 0] - mean) ** 2) / (len(values) - 1)), rel=1e-13
    )
    assert moments.skewness[0] == pytest.approx(stats.skew(values[:, 0]), rel=1e-10)
    assert moments.kurtosis[0] == pytest.approx(stats.kurtosis(values[:, 0], fisher=False), rel=1e-10)


@given(TABLES, st.integers(1, 8))
def test_pieces_do_not_matter(table, pieces):
    whole, parts = Moments.of(table, joint=True), in_pieces(table, pieces)
    np.testing.assert_array_equal(whole.count, parts.count)
    np.testing.assert_array_equal(whole.exponent, parts.exponent)
    np.testing.assert_array_equal(whole.low, parts.low)
    np.testing.assert_allclose(whole.scaled_mean, parts.scaled_mean, rtol=0, atol=1e-15)
    np.testing.assert_allclose(whole.scatter, parts.scatter, rtol=0, atol=1e-13)
    assert (whole.rows, whole.rows_present) == (parts.rows, parts.rows_present)


def test_columns_alone_are_the_joint_ones(rng):
    table = rng.gamma(2.0, size=(500, 4))
    table[rng.random(table.shape) < 0.2] = np.nan
    joint, alone = Moments.of(table, joint=True), Moments.of(table)
    for name in ("n", "mean", "sd", "skewness", "kurtosis"):
        np.testing.assert_allclose(getattr(joint, name), getattr(alone, name), rtol=1e-12)
    for column in range(table.shape[1]):
        taken = joint.take(column)
        assert taken.rows_present == taken.n[0] == joint.n[column]


def test_many_full_columns_keep_no_counts_of_pairs(rng):
    """Where no value is missing, pieces added up stay views of one column, with the bits of sums that are kept in full."""
    table = rng.gamma(2.0, size=(60, 7)) * 3.0 ** np.arange(7)
    pieces = [Moments.of(table[i : i + 20], joint=True) for i in (0, 20, 40)]
    full = [replace(one, count=one.count.copy(), total=one.total.copy()) for one in pieces]
    lean, kept = Moments.sum(pieces), Moments.sum(full)
    assert (lean.count.strides[1], lean.total.strides[1]) == (0, 0)
    assert kept.total.strides[1] != 0, "the control"
    for name in ("count", "total", "cross", "scatter", "mean", "sd"):
        np.testing.assert_array_equal(getattr(lean, name), getattr(kept, name))


def test_two_columns_of_many(rng):
    table = rng.normal(size=(40, 5))
    table[:10, 1] = table[5:20, 3] = np.nan
    moments = Moments.of(table, joint=True)
    np.testing.assert_allclose(moments.take(1, 3).scatter, Moments.of(table[:, [1, 3]], joint=True).scatter, rtol=1e-13)
    assert moments.take(1, 3).rows_present == 35
    assert moments.take(3).mean.tolist() == moments.mean[[3]].tolist()


@pytest.mark.parametrize("value", [0.0, 0.1, -1 / 3, 5e-324, 1.7e308])
def test_equal_values_are_exactly_that(value):
    moments = in_pieces(np.array([[value, 1.0]] * 30 + [[np.nan, 2.0]]), 7)
    assert (moments.mean[0], moments.sd[0], moments.constant.tolist()) == (value, 0.0, [True, False])
    assert np.isnan(moments.skewness[0])
    assert moments.scatter[0].tolist() == [0.0, 0.0]


def test_a_column_without_values():
    moments = Moments.of([[np.nan, 1.0]]) + Moments.of([[np.nan, 3.0]])
    assert moments.n.tolist() == [0, 2]
    assert np.isnan([moments.mean[0], moments.sd[0], moments.skewness[0]]).all()
    assert moments.mean[1] == 2.0
    assert (moments + Moments.of([[4.0, np.nan]])).mean.tolist() == [4.0, 2.0]
    assert Moments.of(np.empty((0, 2))).rows == 0


@pytest.mark.parametrize(
    ("table", "message"),
    [([1.0, 2.0], "shape"), ([[1.0], [np.inf]], r"row 1 of column 0 is inf"), ([[[1.0]]], "shape")],
)
def test_what_has_no_moments_is_refused(table, message):
    with pytest.raises(ValueError, match=message):
        Moments.of(table)
