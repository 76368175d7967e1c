"""Moments of the columns of a table, taken piece by piece and put together; means of what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varprop._typing import Float64Array

_SLAB = 4096
"""Rows that are summed at once: short sums added up keep more digits than a long one."""
_NOTHING = -1100
"""Exponent of a column without a value other than 0; below that of the smallest number there is."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums over the rows of a table from which its columns' moments follow; NaN marks what a row does not have.

    Made by `of`, and ``a + b`` are the moments of a table with the rows of b below those of a.

    Parameters
    ----------
    rows, rows_present : int
        Rows in all, and those that have a value in any column.
    low, high : ndarray, shape (columns,)
        Smallest and largest value; infinity and minus infinity of a column without any.
    exponent : ndarray of int, shape (columns,)
        A column is summed in units of 2^exponent, in which it lies in [-1, 1]; scaling by powers of two rounds nothing.
    centre : ndarray, shape (columns,)
        The point that deviations y are taken from, in these units: close to the mean, so that no digits cancel.
    count : ndarray of int, shape (columns,), or (columns, columns) if joint
        Rows that have a value in the column, or in both columns.
    total : ndarray, shape (columns,) or (columns, columns)
        Sums of y; entry j, k is that of y_j over the rows that have a value in column k too.
    cross : ndarray, shape (columns,) or (columns, columns)
        Sums of y^2, or of y_j y_k over the rows that have both.
    cube, fourth : ndarray, shape (columns,)
        Sums of y^3 and of y^4.
    squares, thirds : ndarray, shape (columns, columns), optional
        Entry j, k sums y_j^2, and y_j^2 y_k, over the rows that have both; only where they were asked for.

    Notes
    -----
    With deviations from another centre, y' = y + d, every sum follows from those kept: the sum of y'_j y'_k is
    cross_jk + d_k total_jk + d_j total_kj + d_j d_k count_jk, and likewise for the powers. Two tables are put together by
    moving both to the mean of their centres. No term cancels another, so a few units in the last digit are lost however
    many pieces there are. Sums are NumPy's own (no BLAS), so they do not depend on the processor's kernel; they do depend
    on the order of the pieces in their last digits, which is why pieces are added in the order of the networks.

    Joint moments, from which covariances follow, take memory and time as the square of the number of columns, and are
    therefore taken only where they are asked for; so are the third moments of pairs, from which the skewness of a combination
    of two columns follows.

    Examples
    --------
    >>> a, b = Moments.of([[1.0, 2.0], [3.0, np.nan]]), Moments.of([[5.0, 4.0]])
    >>> both = a + b
    >>> both.n.tolist(), both.mean.tolist(), both.sd.tolist()
    ([3, 2], [3.0, 3.0], [2.0, 1.41])
    """

    rows: int
    rows_present: int
    low: Float64Array
    high: Float64Array
    exponent: NDArray[np.int64]
    centre: Float64Array
    count: NDArray[np.int64]
    total: Float64Array
    cross: Float64Array
    cube: Float64Array
    fourth: Float64Array
    squares: Float64Array | None = None
    thirds: Float64Array | None = None

    @classmethod
    def of(cls, table: ArrayLike, *, joint: bool = False, thirds: bool = False) -> Moments:
        """Take the moments of a table.

        Parameters
        ----------
        table : array_like, shape (rows, columns)
            Finite numbers, or NaN where a row has none.
        joint : bool
            Whether products of columns are wanted too, for `scatter`.
        thirds : bool
            Whether third moments of pairs of columns are wanted too, for `skewness_of`; then they are joint.

        Returns
        -------
        Moments

        Raises
        ------
        ValueError
            If the table has another number of axes, or a value is infinite.
        """
        values = np.asarray(table, dtype=np.float64)
        if values.ndim != 2:
            msg = f"moments are those of a table of shape (rows, columns), got shape {values.shape}"
            raise ValueError(msg)
        if np.isinf(values).any():
            row, column = np.argwhere(np.isinf(values))[0]
            msg = f"values must be finite, or NaN where there is none; row {row} of column {column} is {values[row, column]}"
            raise ValueError(msg)
        slabs = (values[i : i + _SLAB] for i in range(0, max(len(values), 1), _SLAB))
        return cls.sum(_of_slab(slab, joint=joint or thirds, thirds=thirds) for slab in slabs)

    @staticmethod
    def sum(pieces: Iterable[Moments]) -> Moments:
        """Put together the moments of one piece or more, in their order."""
        return reduce(add, pieces)

    def __add__(self, other: Moments) -> Moments:
        exponent = np.maximum(self.exponent, other.exponent)
        mine, theirs = _in_units(self, exponent), _in_units(other, exponent)
        n = np.maximum(self.n + other.n, 1)
        centre = (self.n * mine.centre + other.n * theirs.centre) / n
        mine, theirs = _about(mine, centre), _about(theirs, centre)
        return Moments(
            rows=self.rows + other.rows,
            rows_present=self.rows_present + other.rows_present,
            low=np.minimum(self.low, other.low),
            high=np.maximum(self.high, other.high),
            exponent=exponent,
            centre=centre,
            count=_lean(np.add, mine.count, theirs.count),
            total=_lean(np.add, mine.total, theirs.total),
            cross=mine.cross + theirs.cross,
            cube=mine.cube + theirs.cube,
            fourth=mine.fourth + theirs.fourth,
            squares=_added(mine.squares, theirs.squares),
            thirds=_added(mine.thirds, theirs.thirds),
        )

    def take(self, *columns: int) -> Moments:
        """Return the moments of one column, or, of joint ones, of two.

        Of more, the number of rows that have a value in any of them does not follow from what is kept.
        """
        index = np.array(columns)
        pick = np.ix_(index, index) if self.joint else index
        count = self.count[pick]
        n = _own(count)
        return replace(
            self,
            rows_present=int(n.sum() - (count[0, 1] if len(index) > 1 else 0)),
            low=self.low[index],
            high=self.high[index],
            exponent=self.exponent[index],
            centre=self.centre[index],
            count=count,
            total=self.total[pick],
            cross=self.cross[pick],
            cube=self.cube[index],
            fourth=self.fourth[index],
            squares=None if self.squares is None else self.squares[pick],
            thirds=None if self.thirds is None else self.thirds[pick],
        )

    @property
    def joint(self) -> bool:
        """Whether products of columns are kept."""
        return self.count.ndim == 2

    @property
    def n(self) -> NDArray[np.int64]:
        """Number of values in each column."""
        return _own(self.count)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Whether all values of a column are the same number; its spread is then exactly 0."""
        constant: NDArray[np.bool_] = self.low == self.high
        return constant

    @property
    def mean(self) -> Float64Array:
        """Mean of each column; NaN where it has no value."""
        return np.where(self.constant, self.low, np.ldexp(self.scaled_mean, self.exponent))

    @property
    def scaled_mean(self) -> Float64Array:
        """Mean of each column in units of 2^exponent, where nothing overflows; NaN where it has no value."""
        inside = self.centre + _own(self.total) / np.where(self.n > 0, self.n, np.nan)
        lone = np.where(self.constant, self.low, 0.0)
        return np.where(self.constant, np.ldexp(lone, -self.exponent), inside)

    @property
    def spread(self) -> Float64Array:
        """Sum of squared deviations of each column from its mean, in units of 2^exponent squared; 0 if it is constant."""
        # Rounding can leave a sum of squares below 0 only where it is all rounding.
        return np.where(self.constant, 0.0, np.maximum(_own(_about_means(self).cross), 0.0))

    @property
    def scatter(self) -> Float64Array:
        """Sums of products of two columns' deviations, each from its own mean, in units of 2^exponent; of joint moments.

        Summed over the rows that have both; exactly 0 for a constant column. Shape (columns, columns).
        """
        if not self.joint:
            msg = "these moments are those of each column alone; take them with Moments.of(table, joint=True)"
            raise ValueError(msg)
        scatter = _crossed(self, -_own(self.total) / np.maximum(self.n, 1))
        scatter[self.constant] = scatter[:, self.constant] = 0.0
        return scatter

    @property
    def sd(self) -> Float64Array:
        """Standard deviation of each column (ddof 1); NaN where it has fewer than two values."""
        return np.ldexp(np.sqrt(self.spread / np.where(self.n > 1, self.n - 1, np.nan)), self.exponent)

    @property
    def skewness(self) -> Float64Array:
        """Third central moment over the second to the power 3/2; NaN where a column has no spread."""
        return self._standardised(3)

    @property
    def kurtosis(self) -> Float64Array:
        """Fourth central moment over the square of the second; NaN where a column has no spread."""
        return self._standardised(4)

    def skewness_of(self, weights: tuple[float, float]) -> float:
        """Skewness of a combination of two columns, each divided by its mean, where every row has both.

        Parameters
        ----------
        weights : tuple of float
            Of the two columns over their means.

        Returns
        -------
        float
            NaN where the combination has no spread.

        Raises
        ------
        ValueError
            If there are other than two columns, a row lacks one, or these moments have no third moments of pairs.
        """
        (aa, ab, bb), (aaa, aab, abb, bbb) = self.relative_moments()
        a, b = weights
        second = a * a * aa + 2.0 * a * b * ab + b * b * bb
        third = a**3 * aaa + 3.0 * a * a * b * aab + 3.0 * a * b * b * abb + b**3 * bbb
        return third / second**1.5 if second > 0.0 else float("nan")

    def relative_moments(self) -> tuple[tuple[float, float, float], tuple[float, float, float, float]]:
        """Second and third central moments of two columns, each divided by its mean, where every row has both.

        Returns
        -------
        squares : tuple of float
            Of the first column, of both, of the second.
        cubes : tuple of float
            Of the first column thrice, twice, once, and of the second thrice.

        Raises
        ------
        ValueError
            As `skewness_of`.
        """
        moved = _about_means(self)
        if moved.thirds is None or len(self.low) != 2 or (self.count != self.rows).any():
            msg = "moments of a pair take two full columns with Moments.of(table, thirds=True)"
            raise ValueError(msg)
        a, b = np.where(self.constant, 0.0, 1.0 / self.scaled_mean).tolist()
        (aa, ab), (_, bb) = (moved.cross / self.rows).tolist()
        # Entry j, k of the third moments is that of column j twice and column k once.
        (aaa, aab), (bba, bbb) = (moved.thirds / self.rows).tolist()
        return (a * a * aa, a * b * ab, b * b * bb), (a**3 * aaa, a * a * b * aab, a * b * b * bba, b**3 * bbb)

    def _standardised(self, order: int) -> Float64Array:
        n, moved = np.maximum(self.n, 1), _about_means(self)
        variance = np.where(self.spread > 0.0, self.spread, np.nan) / n
        return np.asarray((moved.cube if order == 3 else moved.fourth) / n / variance ** (order / 2))


def _own(sums: NDArray[Any]) -> NDArray[Any]:
    """Each column's own sum, of sums that are joint or not."""
    return np.diagonal(sums) if sums.ndim == 2 else sums


def _added(mine: Float64Array | None, theirs: Float64Array | None) -> Float64Array | None:
    """Sums of two pieces that were both asked for."""
    return None if mine is None or theirs is None else mine + theirs


def _of_slab(values: Float64Array, *, joint: bool, thirds: bool = False) -> Moments:
    """Moments of a table of few rows, about its own means."""
    present = ~np.isnan(values)
    filled = np.where(present, values, 0.0)
    largest = np.abs(filled).max(axis=0, initial=0.0)
    exponent = np.where(largest > 0.0, np.frexp(largest)[1], _NOTHING).astype(np.int64)
    scaled = np.ldexp(filled, -exponent)
    centre = scaled.sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    deviation = np.where(present, scaled - centre, 0.0)
    square = deviation * deviation
    count, total = _joint_counts(present, deviation) if joint else (present.sum(axis=0), deviation.sum(axis=0))
    return Moments(
        rows=len(values),
        rows_present=int(present.any(axis=1).sum()),
        low=np.where(present, values, np.inf).min(axis=0, initial=np.inf),
        high=np.where(present, values, -np.inf).max(axis=0, initial=-np.inf),
        exponent=exponent,
        centre=centre,
        count=count,
        total=total,
        cross=np.einsum("ij,ik->jk", deviation, deviation) if joint else square.sum(axis=0),
        cube=np.einsum("ij,ij->j", square, deviation),
        fourth=np.einsum("ij,ij->j", square, square),
        squares=np.einsum("ij,ik->jk", square, present.astype(np.float64)) if thirds else None,
        thirds=np.einsum("ij,ik->jk", square, deviation) if thirds else None,
    )


def _joint_counts(present: NDArray[np.bool_], deviation: Float64Array) -> tuple[NDArray[np.int64], Float64Array]:
    """Rows that have two columns, and each column's sum over the rows that have the other one too."""
    rows, columns = present.shape
    if present.all():  # as a rule; for many columns it saves two thirds of the time
        shape = (columns, columns)  # views of one number, and of one column, which take no memory
        return np.broadcast_to(np.array(rows), shape), np.broadcast_to(deviation.sum(axis=0)[:, None], shape)
    weight = present.astype(np.float64)
    count = np.einsum("ij,ik->jk", weight, weight).astype(np.int64)
    return count, np.einsum("ij,ik->jk", deviation, weight)


def _lean(function: Callable[..., NDArray[Any]], *sums: NDArray[Any]) -> NDArray[Any]:
    """Combine sums entry by entry; where all rows have all columns, joint ones stay views of one column."""
    if all(one.ndim == 2 and one.strides[1] == 0 for one in sums):
        return np.broadcast_to(function(*(one[:, :1] for one in sums)), sums[0].shape)
    return function(*sums)


def _in_units(moments: Moments, exponent: NDArray[np.int64]) -> Moments:
    """The same moments in units of other, larger powers of two."""
    shift = moments.exponent - exponent
    rows, columns = (shift[:, None], shift[None, :]) if moments.joint else (shift, shift)
    return replace(
        moments,
        exponent=exponent,
        centre=np.ldexp(moments.centre, shift),
        total=_lean(lambda total: np.ldexp(total, rows), moments.total),
        cross=np.ldexp(moments.cross, rows + columns),
        cube=np.ldexp(moments.cube, 3 * shift),
        fourth=np.ldexp(moments.fourth, 4 * shift),
        squares=None if moments.squares is None else np.ldexp(moments.squares, 2 * rows),
        thirds=None if moments.thirds is None else np.ldexp(moments.thirds, 2 * rows + columns),
    )


def _about_means(moments: Moments) -> Moments:
    """The same moments with deviations from each column's mean."""
    return _about(moments, moments.centre + _own(moments.total) / np.maximum(moments.n, 1))


def _crossed(moments: Moments, step: Float64Array) -> Float64Array:
    """Sums of products of deviations to each of which `step` is added."""
    rows, columns = (step[:, None], step[None, :]) if moments.joint else (step, step)
    cross = moments.total * columns  # term by term in place: of many columns every copy counts
    cross += moments.cross
    cross += moments.total.T * rows
    product = rows * columns
    product *= moments.count
    cross += product
    return cross


def _about(moments: Moments, centre: Float64Array) -> Moments:
    """The same moments with deviations from another centre."""
    step = moments.centre - centre
    rows, columns = (step[:, None], step[None, :]) if moments.joint else (step, step)
    n, total, square = moments.n, _own(moments.total), _own(moments.cross)
    squares, thirds = moments.squares, moments.thirds
    if squares is not None and thirds is not None:
        thirds = thirds + columns * squares + 2.0 * rows * moments.cross + 2.0 * rows * columns * moments.total
        thirds += rows**2 * moments.total.T + rows**2 * columns * moments.count
        squares = squares + 2.0 * rows * moments.total + rows**2 * moments.count
    return replace(
        moments,
        centre=centre,
        total=_lean(lambda total, count: total + rows * count, moments.total, moments.count),
        cross=_crossed(moments, step),
        cube=moments.cube + step * (3.0 * square + step * (3.0 * total + step * n)),
        fourth=moments.fourth + step * (4.0 * moments.cube + step * (6.0 * square + step * (4.0 * total + step * n))),
        squares=squares,
        thirds=thirds,
    )


# ---- means of what is there ------------------------------------------------------------------------------------------


def mean_of_present(values: Float64Array) -> Float64Array:
    """Mean over the last axis of the values that are not NaN; NaN where none is.

    Examples
    --------
    >>> mean_of_present(np.array([[1.0, 3.0], [np.nan, 5.0], [np.nan, np.nan]])).tolist()
    [2.0, 5.0, nan]
    """
    present = ~np.isnan(values)
    count = present.sum(axis=-1)
    total = np.where(present, values, 0.0).sum(axis=-1)
    mean: Float64Array = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean
