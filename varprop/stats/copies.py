"""Numbers that come again: streams that repeat themselves, reordered arrays, lines of another mean square."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from varprop.stats.inspections import Inspection, finite_arrays, heads_or_more

_PERIODIC = 10  # runs that come again at one distance, which then is no accident of an order


def coincidence(draws: ArrayLike, *, level: float, rng: np.random.Generator) -> float:
    """Bound the probability that two independent draws of a law that is not known are equal.

    Parameters
    ----------
    draws : array_like
        Two or more independent draws of one law.
    level : float
        Probability with which the bound may be too small, in (0, 1).
    rng : Generator
        Puts the draws into pairs at random, lest a period do so.

    Returns
    -------
    float
        Clopper and Pearson's upper bound, of how many of the pairs are equal.

    Raises
    ------
    ValueError
        If there are fewer than two draws, one is not finite, or the level is out of range.

    Examples
    --------
    >>> coincidence(np.arange(2000.0), level=1e-3, rng=np.random.default_rng(1))
    0.00688
    """
    x = finite_arrays("coincidence", draws, least=1).ravel()
    if len(x) < 2 or not 0.0 < level < 1.0:
        msg = f"coincidence takes two or more draws and a level in (0, 1), got {len(x)} and {level}"
        raise ValueError(msg)
    order = rng.permutation(len(x))
    pairs = len(x) // 2
    equal = int(np.sum(x[order[:pairs]] == x[order[pairs : 2 * pairs]]))
    return 1.0 if equal == pairs else float(special.betaincinv(equal + 1, pairs - equal, 1.0 - level))


def replays(draws: ArrayLike, *, equal: float, level: float) -> Inspection | None:
    """Look for a run of numbers that comes again in a stream of independent draws.

    Parameters
    ----------
    draws : array_like
        In the order in which they were drawn.
    equal : float
        At least the probability that two draws are equal, in (0, 1].
    level : float
        Probability with which chance may give a run again, in (0, 1).

    Returns
    -------
    Inspection or None
        The p-value is at most `level` if a run comes again and 1 if none does; the estimate is after how many draws more than
        half of ten and more do, NaN if there is no such number. None where runs would have to be longer than a quarter of the stream.

    Raises
    ------
    ValueError
        If there are fewer than two draws, one is not finite, or a number is out of range.

    Notes
    -----
    Runs have the length k for which n^2 / 2 times equal^k, a bound on the expected number of pairs of equal runs that do not
    overlap, is at most `level`: three or four numbers of a continuous law in single precision, some 70 of a law of two values. Single
    equal numbers are no evidence: of 10^6 normal numbers in single precision some 7,000 are equal to another.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> replays(rng.standard_normal(5000), equal=2.0**-20, level=1e-8).pvalue
    1.0
    >>> replays(np.resize(rng.standard_normal(1009), 5000), equal=2.0**-20, level=1e-8).estimate
    1009.0
    """
    x = finite_arrays("replays", draws, least=1).ravel()
    if len(x) < 2 or not 0.0 < equal <= 1.0 or not 0.0 < level < 1.0:
        msg = (
            f"replays takes two or more draws, equal in (0, 1] and a level in (0, 1), got {len(x)}, {equal} and {level}"
        )
        raise ValueError(msg)
    n, pairs = len(x), math.log(len(x)) * 2.0 - math.log(2.0)
    length = math.ceil((pairs - math.log(level)) / -math.log(equal)) if equal < 1.0 else n
    if length > n // 4:
        return None
    none = Inspection(pvalue=1.0, what="draws from a run to the same run again")
    ordered = np.sort(x)
    if not (ordered[1:] == ordered[:-1]).any():
        return none
    runs, reached = _ranks(x), 1
    while reached < length:  # runs of twice the length are pairs of runs; the last step is a shorter one
        if int(runs.max()) + 1 == len(runs):
            return none
        step = min(reached, length - reached)
        runs = _ranks(runs[:-step] * np.int64(n) + runs[step:])
        reached += step
    lag = _lag(runs, length)
    if lag is None:
        return none
    return Inspection(
        pvalue=min(level, math.exp(pairs + length * math.log(equal))),
        estimate=lag,
        what="draws from a run to the same run again",
    )


def shared_values(arrays: ArrayLike, others: int = 16) -> Inspection:
    r"""Test that arrays are drawn anew, and are not one array's values in another order.

    Parameters
    ----------
    arrays : array_like, shape (calls, ...)
        Two calls or more; the first is compared with each of the next.
    others : int
        How many of the next, at most.

    Returns
    -------
    Inspection
        Estimates the share of an array's entries whose value the other has, of values that come twice in both together.

    Raises
    ------
    ValueError
        If there is one call, or an entry is not finite.

    Notes
    -----
    Under independence the 2s entries of two arrays are in random order, given their values. Of D values that come twice, as
    many as X have one place in each array; if each entry went to either array by a fair coin, X would be binomial, with D and
    1/2. That exactly s go to the first has a probability of :math:`\binom{2s}{s} 4^{-s} \ge 1 / (2 \sqrt{s})`, hence
    :math:`P(X \ge x) \le 2 \sqrt{s} P(\text{binomial} \ge x)`: exact for every law, those with atoms included. Values that come more
    often are left out, so that of laws with few values nothing is seen.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> kept = rng.standard_normal(100)
    >>> shared_values([rng.permutation(kept), rng.permutation(kept)]).pvalue < 1e-20
    True
    >>> shared_values(rng.standard_normal((2, 100))).pvalue
    1.0
    """
    x = finite_arrays("shared_values", arrays, least=1)
    if len(x) < 2:
        msg = f"shared_values compares two calls or more, got {len(x)}"
        raise ValueError(msg)
    size = x[0].size
    compared = [_shared(x[0].ravel(), other.ravel()) for other in x[1 : 1 + others]]
    evidence = [2.0 * math.sqrt(size) * heads_or_more(across, twice) for across, twice in compared]
    worst = min(range(len(evidence)), key=evidence.__getitem__)
    return Inspection(
        pvalue=min(1.0, len(evidence) * evidence[worst]),
        estimate=compared[worst][0] / size,
        what="share of an array's numbers that another one has",
    )


def _shared(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[int, int]:
    """Values that come twice in two arrays together: how many once in each, and how many at all."""
    pool = np.concatenate([first, second])
    order = np.argsort(pool, kind="stable")
    new = np.concatenate([[True], pool[order[1:]] != pool[order[:-1]]])
    starts = np.flatnonzero(new)
    starts = starts[np.diff(np.append(starts, len(pool))) == 2]
    across = (order[starts] < len(first)) != (order[starts + 1] < len(first))
    return int(across.sum()), len(starts)


def _ranks(values: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Equal values as equal numbers from 0 on."""
    return np.unique(values, return_inverse=True)[1].astype(np.int64, copy=False)


def _lag(runs: NDArray[np.int64], length: int) -> float | None:
    """The distance from most runs to the next equal one, NaN if it varies; None if no two that do not overlap are equal."""
    order = np.argsort(runs, kind="stable")
    again = runs[order[1:]] == runs[order[:-1]]
    starts, ends = np.append(True, ~again), np.append(~again, True)
    if not (order[ends] - order[starts] >= length).any():
        return None
    distances, counts = np.unique((order[1:] - order[:-1])[again], return_counts=True)
    return float(distances[counts.argmax()]) if counts.max() >= max(_PERIODIC, counts.sum() / 2) else math.nan


# ---- mean squares of lines -------------------------------------------------------------------------------------------


_STAKES = 4.0 ** np.arange(-6, 5)  # of a square in units of the stated one
_PIECE = 2**16  # numbers whose logarithms are held at once


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanSquare:
    """The sums that decide how large a mean square is.

    Parameters
    ----------
    n : int
        Number of squares.
    ratio : float
        Their mean over the stated one.
    spread : float
        Variance of a square over its squared mean, under the law: kurtosis - 1.
    logs : tuple of float
        Sums of log(1 + c x) over the squares x in units of the stated mean, for c = 4^-6, ..., 4^4.

    See Also
    --------
    mean_square : What makes one.
    """

    n: int
    ratio: float
    spread: float
    logs: tuple[float, ...]

    def p_above(self, threshold: float) -> float:
        """Evidence that the log of the true ratio lies above a threshold, whatever the law.

        Parameters
        ----------
        threshold : float
            Finite.

        Returns
        -------
        float
            At most alpha with probability at most alpha if the ratio is at most exp(threshold), for every n and law.
        """
        stated = math.exp(threshold)
        gains = np.array(self.logs) - self.n * np.log1p(_STAKES * stated)
        return _small(float(special.logsumexp(gains)) - math.log(len(_STAKES)))

    def p_below(self, threshold: float) -> float:
        """Evidence that the log of the true ratio lies below a threshold, if squares have no larger spread than stated.

        Parameters
        ----------
        threshold : float
            Finite.

        Returns
        -------
        float
            Likewise, if the ratio is at least exp(threshold).
        """
        short = 1.0 - self.ratio / math.exp(threshold)
        if short <= 0.0:
            return 1.0
        v = max(self.spread, 1e-12)
        u = short / v
        return _small(self.n * v * ((1.0 + u) * math.log1p(u) - u))


def _small(evidence: float) -> float:
    """exp(-evidence), at most 1."""
    return math.exp(-max(0.0, evidence))


def mean_square(draws: ArrayLike, *, mean: float, variance: float, kurtosis: float) -> MeanSquare:
    r"""Compare the mean square of draws about a known mean with a stated variance, at the level and for any number of draws.

    Parameters
    ----------
    draws : array_like
        Independent, any shape.
    mean, variance : float
        Of the law; variance > 0.
    kurtosis : float
        The law's E[(w - mean)^4] / variance^2, at least 1.

    Returns
    -------
    MeanSquare
        `p_above` and `p_below` are of log(E[(w - mean)^2] / variance), as those of `weights_law`'s variance are, but they hold
        for tails of any weight, to which the normal law is no guide: of Student's t with 5 degrees of freedom 10^6 draws lie 5
        standard errors off a hundred times as often as that law has it.

    Raises
    ------
    ValueError
        If there are no draws, one is not finite, or a moment is out of range.

    Notes
    -----
    For squares x >= 0 of mean at most mu, and any c > 0, the mean of prod (1 + c x) / (1 + c mu) is at most 1; so is that of an
    average over c, and by Markov's inequality it exceeds 1 / alpha with probability at most alpha. For squares of mean mu and
    variance V mu^2 Bennett's inequality gives P(mean <= mu (1 - t)) <= exp(-n V h(t / V)) with h(u) = (1 + u) log(1 + u) - u,
    since mu - x is at most mu.

    Examples
    --------
    >>> found = mean_square(np.random.default_rng(1).standard_normal(10_000), mean=0.0, variance=0.9, kurtosis=3.0)
    >>> found.p_above(0.0) < 1e-6, found.p_above(0.2), found.p_below(0.0)
    (True, 1.0, 1.0)
    """
    x = finite_arrays("mean_square", draws, least=1).ravel()
    if not math.isfinite(mean) or not 0.0 < variance < math.inf or not 1.0 <= kurtosis < math.inf:
        msg = f"a law needs a finite mean, a variance > 0 and a kurtosis >= 1, got {mean}, {variance} and {kurtosis}"
        raise ValueError(msg)
    squares = ((x - mean) / math.sqrt(variance)) ** 2
    pieces = np.array_split(squares, max(1, len(squares) // _PIECE))
    return MeanSquare(
        n=len(squares),
        ratio=float(squares.mean()),
        spread=kurtosis - 1.0,
        logs=tuple(float(log) for log in np.sum([_logs(piece) for piece in pieces], axis=0)),
    )


def _logs(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([np.log1p(stake * squares).sum() for stake in _STAKES])
