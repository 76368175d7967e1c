"""Tests by signs alone: whether a law is symmetric about 0, a matrix its own transpose, two lines of an array alike."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from varprop._typing import Float64Array
from varprop.stats.inspections import Inspection, finite_arrays, heads_or_more, signed_sum

MOST_LINES = 4096
"""Of more lines, so many at random are compared with each other."""
_BLOCK = 1024  # lines whose products with all others are held at once


def mirror(draws: ArrayLike) -> Inspection:
    r"""Test that independent draws follow a law that is symmetric about 0.

    Parameters
    ----------
    draws : array_like
        Any shape.

    Returns
    -------
    Inspection
        Estimates sup |P(w > x) - P(w < -x)| over x >= 0, for draws that are not 0.

    Raises
    ------
    ValueError
        If a draw is not finite, or there is none.

    Notes
    -----
    If the law is symmetric, then given all magnitudes the signs are independent fair coins, those of equal magnitude too. Ordered
    from the largest magnitude down, their partial sums :math:`S_k` are a simple random walk, and by the reflection principle
    :math:`P(\max_k |S_k| \ge s) \le 2 (P(S_n \ge s) + P(S_n > s))`: exact but for the factor 2, for any law and any number of draws.
    In an asymmetric law some sum grows with n, so that enough draws refute every one.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> mirror(rng.standard_normal(2000)).pvalue > 0.01, mirror(rng.exponential(size=2000) - 1.0).pvalue < 1e-9
    (True, True)
    """
    x = finite_arrays("mirror", np.atleast_1d(np.asarray(draws, dtype=np.float64)), least=1).ravel()
    x = x[x != 0.0]
    n = len(x)
    if not n:
        return Inspection(pvalue=1.0, estimate=0.0, what="distance of the law from its mirror image")
    walk = np.cumsum(np.where(x[np.argsort(-np.abs(x), kind="stable")] > 0.0, 1, -1))
    most = int(np.abs(walk).max())
    # S_n >= s are (n + s) / 2 heads or more.
    reached, passed = (heads_or_more(math.ceil((n + least) / 2), n) for least in (most, most + 1))
    return Inspection(
        pvalue=min(1.0, 2.0 * (reached + passed)),
        estimate=most / n,
        what="distance of the law from its mirror image",
    )


def halves(arrays: ArrayLike) -> Float64Array:
    """Differences of successive arrays, two by two: symmetric about 0 whatever the law of independent entries.

    Parameters
    ----------
    arrays : array_like, shape (calls, ...)
        Two calls or more; the last of an odd number is left out.

    Returns
    -------
    ndarray, shape (calls // 2, ...)
        Divided by the largest in size, unless all are 0.

    Raises
    ------
    ValueError
        If there is one call, or an entry is not finite.

    Examples
    --------
    >>> halves([[1.0, 2.0], [3.0, 2.0], [9.0, 9.0]]).tolist()
    [[-1.0, 0.0]]
    """
    x = finite_arrays("halves", arrays, least=1)
    pairs = len(x) // 2
    if not pairs:
        msg = f"halves takes the differences of two calls or more, got {len(x)}"
        raise ValueError(msg)
    # Halved before, so that no difference of finite numbers is infinite.
    differences = x[0 : 2 * pairs : 2] / 2.0 - x[1 : 2 * pairs : 2] / 2.0
    largest = float(np.abs(differences).max())
    return differences / largest if largest > 0.0 else differences


def transposed(arrays: ArrayLike) -> Inspection:
    r"""Test that the entries of square matrices are independent of those across the diagonal.

    Parameters
    ----------
    arrays : array_like, shape (calls, n, n, ...)
        Entries are independent and symmetric about 0 under the null, as those of `halves` are.

    Returns
    -------
    Inspection
        Estimates the correlation of W_ij with W_ji, 1 if W = W' and -1 if W = -W'.

    Raises
    ------
    ValueError
        If the shape is another, or an entry is not finite.

    Notes
    -----
    The products :math:`W_{ij} W_{ji}`, i < j, have independent fair signs given their sizes, so that for their sum t
    :math:`P(|t| \ge s) \le 2 \exp(-s^2 / (2 \sum (W_{ij} W_{ji})^2))` (Hoeffding), for every law.

    Examples
    --------
    >>> w = np.random.default_rng(1).standard_normal((1, 64, 64))
    >>> transposed(w).pvalue > 0.01, transposed(np.tril(w) + np.swapaxes(np.tril(w, -1), 1, 2)).pvalue < 1e-100
    (True, True)
    """
    x = finite_arrays("transposed", arrays, least=3)
    if x.shape[1] != x.shape[2]:
        msg = f"transposed takes arrays of shape (calls, n, n, ...), got shape {x.shape}"
        raise ValueError(msg)
    upper, lower = np.triu_indices(x.shape[1], 1)
    above, below = x[:, upper, lower], x[:, lower, upper]
    products = above * below
    total = float(products.sum())
    scale = math.sqrt(float(np.sum(above**2)) * float(np.sum(below**2)))
    return Inspection(
        pvalue=signed_sum(total, float(np.sum(products**2))),
        estimate=total / scale if scale > 0.0 else 0.0,
        what="correlation of W_ij with W_ji",
    )


def alike_lines(arrays: ArrayLike, axis: int, *, rng: np.random.Generator) -> Inspection:
    r"""Test that no two lines along an axis of arrays, rows for example, are equal, opposite or otherwise correlated.

    Parameters
    ----------
    arrays : array_like, shape (calls, *shape)
        Entries are independent and symmetric about 0 under the null, as those of `halves` are.
    axis : int
        Of the shape: 0 compares the rows of matrices, 1 their columns. A line has its entries in all calls.
    rng : Generator
        Chooses 4,096 lines of more.

    Returns
    -------
    Inspection
        Estimates the cosine of the two lines that are most alike: 1 if they are equal, -1 if they are opposite.

    Raises
    ------
    ValueError
        If there is no such axis, or an entry is not finite.

    Notes
    -----
    For each pair of lines the bound of `transposed` with the products of their entries, times the number of pairs. Equal Gaussian
    lines of C entries have p = 2 exp(-C / 6) for one pair, so that some 150 entries are needed for a small p-value.

    Examples
    --------
    >>> w = np.random.default_rng(1).standard_normal((20, 30, 10))
    >>> alike_lines(w, 0, rng=np.random.default_rng(2)).pvalue > 0.01
    True
    >>> w[:, 7] = -w[:, 3]
    >>> alike_lines(w, 0, rng=np.random.default_rng(2)).estimate
    -1.0
    """
    x = finite_arrays("alike_lines", arrays, least=2)
    if not 0 <= axis < x.ndim - 1:
        msg = f"axis must be one of the {x.ndim - 1} of an array, from 0 on, got {axis}"
        raise ValueError(msg)
    lines = np.moveaxis(x, axis + 1, 0).reshape(x.shape[axis + 1], -1)
    if len(lines) > MOST_LINES:
        lines = lines[np.sort(rng.choice(len(lines), MOST_LINES, replace=False))]
    pairs = len(lines) * (len(lines) - 1) // 2
    if not pairs:
        return Inspection(pvalue=1.0, estimate=0.0, what="cosine of the two most alike")
    evidence, cosine = max(_evidence(lines), key=lambda found: found[0])
    return Inspection(
        pvalue=min(1.0, 2.0 * pairs * math.exp(-evidence)), estimate=cosine, what="cosine of the two most alike"
    )


def entries_needed(lines: int, level: float) -> int:
    """Entries that two equal Gaussian lines need to be seen by `alike_lines`.

    Parameters
    ----------
    lines : int
        Number of lines that are compared, >= 2.
    level : float
        p-value to be reached.

    Returns
    -------
    int

    Examples
    --------
    >>> entries_needed(64, 1e-7)
    147
    """
    return math.ceil(6.0 * math.log(lines * (lines - 1) / level))


def _evidence(lines: Float64Array) -> Iterator[tuple[float, float]]:
    """Of each block of lines the pair with the largest t^2 / (2 sum of squared products), and its cosine."""
    squares, lengths = lines**2, np.sqrt(np.sum(lines**2, axis=1))
    for first in range(0, len(lines), _BLOCK):
        block = slice(first, first + _BLOCK)
        totals, sums = lines[block] @ lines.T, squares[block] @ squares.T
        ratios = np.divide(totals**2, 2.0 * sums, out=np.zeros_like(totals), where=sums > 0.0)
        here = np.arange(first, first + len(totals))
        ratios[here[:, None] >= np.arange(len(lines))] = 0.0  # every pair once, and no line with itself
        i, j = np.unravel_index(int(ratios.argmax()), ratios.shape)
        scale = float(lengths[first + i] * lengths[j])
        yield float(ratios[i, j]), float(np.clip(totals[i, j] / scale, -1.0, 1.0)) if scale > 0.0 else 0.0
