"""Whether entries that should be independent are, by ranks alone: whatever law they follow, and however many there are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop._typing import Float64Array, RNGLike
from varprop.numerics.streams import generator_of
from varprop.stats.outcome import Outcome

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
