"""Tests by signs: of symmetry about 0, of transposes, of lines that are alike; and dependence within arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop._typing import Float64Array, RNGLike
from varprop.numerics.randomness import generator_of
from varprop.stats.inspections import Inspection, finite_arrays, heads_or_more, signed_sum
from varprop.stats.outcome import Outcome

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


# ---- dependence ------------------------------------------------------------------------------------------------------


_LOG_LIMIT = 600.0  # a ratio of e^600 says as much as an infinite one, and can still be computed with


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceRatio(Outcome):
    """A ratio of mean squares between and within groups, referred to its F law at every threshold.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    theta : float
        log F.
    se : float
        sqrt(2 / between + 2 / within), that of theta where both are large; no p-value uses it.
    df : float
        inf; the reference law is F.
    n : int
        Number of entries.
    statistic : float
        F.
    pvalue : float
        Two-sided, of the point null F = 1.
    note : str
        What a reader should know.
    between, within : int
        Degrees of freedom of the two mean squares.

    See Also
    --------
    dependence : What makes them.
    """

    between: int
    within: int

    def p_above(self, threshold: float) -> float:
        """Evidence that the true log ratio lies above a threshold: P(F > exp(theta - threshold))."""
        return float(special.fdtrc(self.between, self.within, math.exp(self.theta - threshold)))

    def p_below(self, threshold: float) -> float:
        """Evidence that the true log ratio lies below a threshold: P(F < exp(theta - threshold))."""
        return float(special.fdtr(self.between, self.within, math.exp(self.theta - threshold)))


def dependence(arrays: ArrayLike, *, rng: RNGLike) -> dict[str, Outcome]:
    r"""Look for dependence between the entries of arrays, and between arrays.

    Parameters
    ----------
    arrays : array_like, shape (calls, *shape)
        Finite; what repeated calls of one sampler returned, in order.
    rng : int, SeedSequence, Generator or None
        Puts equal entries in a random order.

    Returns
    -------
    dict of str to Outcome
        By what is looked at. "along axis k": log of the mean square between lines along an axis of the array over that
        within them, 0 under independence, above it if entries of a line go together, below if they make up for each
        other; "over calls": the same for the entries at one place of all arrays; "between calls": for those of one array,
        below 0 where arrays have one sum, as permutations of one array have; "neighbours" and "successive calls": the
        correlation of an entry with the next one, and with the one at its place in the next array. Each for the entries,
        and for how far they lie from the median ("magnitudes").

    Raises
    ------
    ValueError
        If an entry is not finite, or there are fewer than three.

    Notes
    -----
    Entries are replaced by normal scores: the i-th smallest of n by the normal quantile of (i - 1/2) / n. Whatever the
    law of independent entries, the scores are a random permutation of these numbers, so that an analysis of variance of
    them has its F law but for terms of order 1/n, without an assumption on moments and far into the tails; a test that
    refers sums of products to the normal law is wrong there by orders of magnitude. Magnitudes are scored likewise; they
    show where the norms of rows vary too much, or too little as those of orthogonal matrices do.

    Examples
    --------
    >>> draws = np.random.default_rng(1).standard_normal((4, 50, 40))
    >>> looks = dependence(draws, rng=1)
    >>> min(outcome.pvalue for outcome in looks.values()) > 0.001
    True
    >>> copied = dependence(np.repeat(draws, 2, axis=1), rng=1)
    >>> copied["along axis 0"].pvalue < 1e-9
    True
    """
    x = np.asarray(arrays, dtype=np.float64)
    if x.ndim < 2 or x.size < 3 or not np.isfinite(x).all():
        msg = f"dependence takes three or more finite entries of shape (calls, *shape), got shape {x.shape}"
        raise ValueError(msg)
    looks: dict[str, Outcome] = {}
    for suffix, scores in zip(("", ", magnitudes"), _normal_scores(x, generator_of(rng)), strict=True):
        for axis, size in enumerate(x.shape):
            if 1 < size < x.size:
                name = ("over calls" if axis == 0 else f"along axis {axis - 1}") + suffix
                looks[name] = _between_lines(scores, axis)
        per_call = x.size // len(x)
        if x.ndim > 2 and 1 < per_call < x.size:
            looks["between calls" + suffix] = _between_lines(scores.reshape(len(x), per_call), 1)
        lags = {"successive calls": per_call} if per_call == 1 else {"neighbours": 1, "successive calls": per_call}
        for name, lag in lags.items():
            if x.size - lag > 2:
                looks[name + suffix] = _lagged(scores.ravel(), lag)
    return looks


def _normal_scores(x: Float64Array, rng: np.random.Generator) -> tuple[Float64Array, Float64Array]:
    """Normal scores of the entries and of their distances from the median, in the shape of x."""
    n = x.size
    shuffled = rng.permutation(n)  # so that sorting leaves ties in a random order
    order = shuffled[np.argsort(x.ravel()[shuffled])]
    levels = (np.arange(n) + 0.5) / n
    scores, magnitudes = np.empty(n), np.empty(n)
    scores[order] = special.ndtri(levels)
    magnitudes[order] = special.ndtri(np.clip(np.abs(2 * levels - 1), 0.5 / n, 1 - 0.5 / n))
    return scores.reshape(x.shape), magnitudes.reshape(x.shape)


def _between_lines(scores: Float64Array, axis: int) -> VarianceRatio:
    """Analysis of variance of the lines along an axis."""
    size = scores.shape[axis]
    n, lines = scores.size, scores.size // size
    means = scores.mean(axis=axis)
    between = size * float(np.sum((means - means.mean()) ** 2))
    within = max(0.0, float(np.sum((scores - scores.mean()) ** 2)) - between)
    d1, d2 = lines - 1, n - lines
    tiny = np.finfo(np.float64).tiny
    theta = math.log(max(between, tiny) / d1) - math.log(max(within, tiny) / d2)
    theta = min(max(theta, -_LOG_LIMIT), _LOG_LIMIT)
    ratio = math.exp(theta)
    tail = min(float(special.fdtr(d1, d2, ratio)), float(special.fdtrc(d1, d2, ratio)))
    return VarianceRatio(
        test="weights_law_independence",
        theta=theta,
        se=math.sqrt(2 / d1 + 2 / d2),
        df=math.inf,
        n=n,
        statistic=ratio,
        pvalue=min(1.0, 2 * tail),
        between=d1,
        within=d2,
    )


def _lagged(scores: Float64Array, lag: int) -> Outcome:
    """Correlation of scores with those so many places further on."""
    first, second = scores[:-lag], scores[lag:]
    first, second = first - first.mean(), second - second.mean()
    norm = math.sqrt(float(np.dot(first, first)) * float(np.dot(second, second)))
    r = float(np.clip(float(np.dot(first, second)) / norm, -1.0, 1.0)) if norm else 0.0
    df = len(first) - 2
    se = math.sqrt((1 - r * r) / df) if df else 0.0
    return Outcome.from_estimate("weights_law_independence", theta=r, se=se, df=max(df, 1), n=len(first))
