"""Error rates that are shared: over many p-values, over the looks at a growing sample, and over the counts of a calibration.

Verdicts need neither: their budget is alpha / m (see `varprop.stats.equivalence`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop._limits import MAX_NETWORKS
from varprop._typing import Float64Array


def exploration_adjust(pvalues: ArrayLike) -> Float64Array:
    """Benjamini-Yekutieli adjustment: the false discovery rate under any dependence.

    Parameters
    ----------
    pvalues : array_like, shape (tests,)
        In [0, 1]; there may be none.

    Returns
    -------
    ndarray, shape (tests,)
        Adjusted p-values in the same order: rejecting those <= alpha keeps the expected share of false rejections <= alpha.

    Raises
    ------
    ValueError
        If a p-value is NaN or outside [0, 1]. A test that could not be done must be left out by name, not passed over.

    References
    ----------
    .. [1] Benjamini and Yekutieli (2001), Annals of Statistics 29, 1165-1188.

    Examples
    --------
    >>> exploration_adjust([0.01, 0.5])
    array([0.03, 0.75])
    """
    p = _checked(pvalues)
    if not p.size:
        return p

    from statsmodels.stats.multitest import fdrcorrection

    return np.asarray(fdrcorrection(p, method="n")[1], dtype=np.float64)


def holm(pvalues: ArrayLike) -> Float64Array:
    """Holm adjustment: the probability of any false rejection under any dependence, for exact point nulls.

    Parameters
    ----------
    pvalues : array_like, shape (tests,)
        In [0, 1]; there may be none.

    Returns
    -------
    ndarray, shape (tests,)
        Adjusted p-values in the same order: rejecting those <= alpha makes any false rejection at most alpha likely.

    Raises
    ------
    ValueError
        If a p-value is NaN or outside [0, 1].

    References
    ----------
    .. [1] Holm (1979), Scandinavian Journal of Statistics 6, 65-70.

    Examples
    --------
    >>> holm([0.04, 0.01, 0.5])
    array([0.08, 0.03, 0.5 ])
    """
    # Not by statsmodels' multipletests, which collects garbage first: 50 to 200 ms a call, most of the time of `verify`.
    p = _checked(pvalues)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1.0)
    return adjusted


def adjust_report(pvalues: ArrayLike, point_null: ArrayLike) -> Float64Array:
    """Adjust a report's p-values, those of exact point nulls within a budget of their own.

    Parameters
    ----------
    pvalues : array_like, shape (rows,)
        In [0, 1]; there may be none.
    point_null : array_like of bool, shape (rows,)
        Rows that test an exact null and stand for a claim as a whole: Holm among themselves. All others, rows per layer
        among them, are explored: Benjamini-Yekutieli among themselves.

    Returns
    -------
    ndarray, shape (rows,)
        Adjusted p-values in the same order.

    Raises
    ------
    ValueError
        If a p-value is NaN or outside [0, 1], or the shapes differ.

    Examples
    --------
    >>> adjust_report([0.04, 0.01, 0.5, 0.01], [True, True, False, False])
    array([0.04, 0.02, 0.75, 0.03])
    """
    p, exact = np.asarray(pvalues, dtype=np.float64), np.asarray(point_null, dtype=bool)
    if p.shape != exact.shape:
        msg = f"need as many marks of point nulls as p-values, got shapes {exact.shape} and {p.shape}"
        raise ValueError(msg)
    adjusted = np.empty_like(p)
    adjusted[exact] = holm(p[exact])
    adjusted[~exact] = exploration_adjust(p[~exact])
    return adjusted


def _checked(pvalues: ArrayLike) -> Float64Array:
    """Return p-values as an array, or raise."""
    p = np.asarray(pvalues, dtype=np.float64)
    if p.ndim != 1:
        msg = f"p-values must form one list, got shape {p.shape}; flatten them, since the correction counts them all"
        raise ValueError(msg)
    if not ((p >= 0.0) & (p <= 1.0)).all():
        msg = (
            f"p-values must lie in [0, 1], got {p[~((p >= 0.0) & (p <= 1.0))][0]}; "
            "NaN would count as a test that did not reject: leave out what could not be tested, and say so"
        )
        raise ValueError(msg)
    return p


# ---- regions of acceptance -------------------------------------------------------------------------------------------


FALSE_ALARM = 8e-7
"""Probability that a count lies outside its acceptance region though the probability is as stated."""


def acceptance_region(trials: int, probability: float, *, false_alarm: float = FALSE_ALARM) -> tuple[int, int]:
    """Return the counts that agree with a stated probability.

    Parameters
    ----------
    trials : int
        Number of simulated studies, >= 1.
    probability : float
        As stated, in [0, 1].
    false_alarm : float
        Probability of a count outside the region if the statement is right, at most; half of it on either side.

    Returns
    -------
    low, high : int
        Both belong to the region.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> acceptance_region(2000, 0.05)
    (56, 151)
    """
    if trials < 1 or not 0.0 <= probability <= 1.0 or not 0.0 < false_alarm < 1.0:
        msg = f"need trials >= 1 and probabilities, got {trials}, {probability} and false_alarm={false_alarm}"
        raise ValueError(msg)
    tail = false_alarm / 2.0
    # The least count k with P(X <= k) > tail, and the least with P(X > k) <= tail.
    low = _least(trials, lambda k: bool(special.bdtr(k, trials, probability) > tail))
    high = _least(trials, lambda k: bool(special.bdtrc(k, trials, probability) <= tail))
    return low, high


def share_interval(count: int, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return Clopper and Pearson's interval for a probability.

    Parameters
    ----------
    count, trials : int
        Events, of so many independent trials.
    level : float
        Coverage, at least, in (0, 1).

    Returns
    -------
    low, high : float

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> share_interval(100, 2000)
    (0.0409, 0.0605)
    """
    if not 0 <= count <= trials or trials < 1 or not 0.0 < level < 1.0:
        msg = f"need 0 <= count <= trials, trials >= 1 and a level inside (0, 1), got {count}, {trials} and {level}"
        raise ValueError(msg)
    tail = (1.0 - level) / 2.0
    low = float(special.betaincinv(count, trials - count + 1, tail)) if count else 0.0
    high = float(special.betaincinv(count + 1, trials - count, 1.0 - tail)) if count < trials else 1.0
    return low, high


def _least(trials: int, holds: Callable[[int], bool]) -> int:
    """Least count from 0 to `trials` of which something holds that holds of all greater ones, and of `trials`."""
    low, high = 0, trials
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


# ---- the ladder of looks ---------------------------------------------------------------------------------------------


STEP = 4
"""Times as many networks on each rung as on the one before: a look that follows soon on another tells little that is new."""
FIRST_SHARE = 0.8
"""Of alpha, for the look that most studies leave it at: it costs 4 to 13 % more networks than all of alpha would."""
_FURTHER = 0.2
"""Of alpha, for all others."""


def share(rung: int) -> float:
    """Return the share of alpha that verdicts on a rung have.

    Parameters
    ----------
    rung : int
        Counted from 1.

    Returns
    -------
    float
        .8 of the first, and of what is left half for each further one: .1, .05, .025.

    Raises
    ------
    ValueError
        If the rung is less than 1.

    Examples
    --------
    >>> [share(rung) for rung in (1, 2, 3)]
    [0.8, 0.1, 0.05]
    """
    if rung < 1:
        msg = f"rungs are counted from 1, got {rung}"
        raise ValueError(msg)
    return FIRST_SHARE if rung == 1 else _FURTHER / 2.0 ** (rung - 1)


def size(first: int, rung: int) -> int:
    """Return the number of networks on a rung.

    Parameters
    ----------
    first : int
        Networks of the first look, >= 1.
    rung : int
        Counted from 1.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If either is less than 1.

    Examples
    --------
    >>> [size(200, rung) for rung in (1, 2, 3)]
    [200, 800, 3200]
    """
    if first < 1 or rung < 1:
        msg = f"a ladder has a first look of one network or more and rungs from 1 on, got {first} and rung {rung}"
        raise ValueError(msg)
    return int(first * STEP ** (rung - 1))


def rung_of(first: int, networks: int) -> int:
    """Return the highest rung that so many networks reach.

    Parameters
    ----------
    first : int
        Networks of the first look, >= 1.
    networks : int
        Of the sample.

    Returns
    -------
    int
        0 if there are fewer than at the first look.

    Examples
    --------
    >>> [rung_of(200, networks) for networks in (100, 200, 799, 1000)]
    [0, 1, 1, 2]
    """
    rung = 0
    while size(first, rung + 1) <= networks:
        rung += 1
    return rung


def above(first: int, rung: int) -> Iterator[tuple[int, int]]:
    """Yield the rungs above one, and how many networks each has, as far as anybody samples.

    Parameters
    ----------
    first : int
        Networks of the first look, >= 1.
    rung : int
        From 0 on; of 0 the first rung follows.

    Yields
    ------
    rung, networks : int

    Examples
    --------
    >>> list(above(10**8, 1))
    [(2, 400000000)]
    """
    while (networks := size(first, rung + 1)) <= MAX_NETWORKS:
        rung += 1
        yield rung, networks
