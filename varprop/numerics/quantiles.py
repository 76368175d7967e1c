"""Quantiles of a column of any length in little memory: exact while it is short, to one part in a thousand beyond."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varprop._typing import Float64Array

EXACT = 20_000
"""Up to this many values, quantiles are exact."""
_DROPPED = 42
"""Low bits of a float64 that a bin leaves open: 10 of the 52 of its fraction stay, so a bin is 2^-10 of its value wide."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantiles:
    """Values, or how many of them lie in each bin; ``a + b`` holds the values of both.

    Made by `of`.

    Parameters
    ----------
    values : ndarray, shape (n,)
        The values themselves, none once there are more than `EXACT`.
    bins : ndarray of int, shape (bins,)
        Bins with values in them, ascending.
    counts : ndarray of int, shape (bins,)
        Values in each.

    Notes
    -----
    A bin holds the numbers whose sign, exponent and first ten binary digits agree, as a histogram with logarithmic bins
    does, without a logarithm. A quantile is the middle of the bin that has it, so it is off by at most 2^-11 = 0.05 % of
    itself: of the values, that is, not of their ranks. Bins are counted in integers, so the result depends neither on
    the order of the values nor on how they were split, which is what random sketches (KLL, REQ) cannot promise, and
    t-digests of a stream's pieces are off by more: 1 % in rank, measured on a million log-normal values.

    References
    ----------
    .. [1] Masson, Rim & Lee (2019), DDSketch: quantile sketches with relative-error guarantees.

    Examples
    --------
    >>> column = Quantiles.of([4.0, 1.0]) + Quantiles.of([3.0, 2.0, float("nan")])
    >>> column.at([0.0, 0.5, 1.0]).tolist()
    [1.0, 2.5, 4.0]
    """

    values: Float64Array
    bins: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: ArrayLike) -> Quantiles:
        """Take values; NaN is left out.

        Parameters
        ----------
        values : array_like, shape (n,)
            Finite, or NaN.

        Returns
        -------
        Quantiles
        """
        array = np.asarray(values, dtype=np.float64).ravel()
        kept = array[~np.isnan(array)]
        none = np.empty(0, dtype=np.int64)
        return _binned(cls(kept, none, none)) if len(kept) > EXACT else cls(kept, none, none)

    @property
    def n(self) -> int:
        """Number of values."""
        return len(self.values) + int(self.counts.sum())

    def __add__(self, other: Quantiles) -> Quantiles:
        if not len(self.bins) and not len(other.bins) and self.n + other.n <= EXACT:
            return Quantiles(np.concatenate([self.values, other.values]), self.bins, self.counts)
        mine, theirs = _binned(self), _binned(other)
        bins = np.union1d(mine.bins, theirs.bins)
        counts = np.zeros(len(bins), dtype=np.int64)
        for part in (mine, theirs):
            counts[np.searchsorted(bins, part.bins)] += part.counts
        return Quantiles(np.empty(0), bins, counts)

    def at(self, probabilities: Sequence[float]) -> Float64Array:
        """Return quantiles.

        Parameters
        ----------
        probabilities : sequence of float
            In [0, 1].

        Returns
        -------
        ndarray, shape (probabilities,)
            Of the values themselves `numpy.quantile` (interpolated between neighbours); of more than `EXACT` of them the
            middles of bins. NaN if there is no value.
        """
        if not self.n:
            return np.full(len(probabilities), np.nan)
        if not len(self.bins):
            return np.asarray(np.quantile(self.values, probabilities))
        ranks = np.asarray(probabilities) * (self.n - 1)
        place = np.searchsorted(np.cumsum(self.counts), ranks, side="right")
        quantiles: Float64Array = _middles(self.bins)[place]
        return quantiles


def _binned(held: Quantiles) -> Quantiles:
    """The same values as counts in bins."""
    if len(held.bins) or not len(held.values):
        return held
    bins, counts = np.unique(_bin(held.values), return_counts=True)
    return Quantiles(np.empty(0), bins, counts.astype(np.int64))


def _bin(values: Float64Array) -> NDArray[np.int64]:
    """Number of each value's bin: ascending with the value, 0 for what is 0 or as good as 0."""
    magnitude = np.abs(values).view(np.int64) >> _DROPPED
    return np.where(values < 0.0, -magnitude, magnitude)


def _middles(bins: NDArray[np.int64]) -> Float64Array:
    """The number in the middle of each bin; exactly 0 in bin 0, which holds what is below 2^-1032."""
    half = np.int64(1) << (_DROPPED - 1)
    middle = ((np.abs(bins) << _DROPPED) + half).view(np.float64)
    return np.where(bins == 0, 0.0, np.copysign(middle, bins))
