"""A look: one exact test of a null without a margin, and sharp bounds that such tests share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from varprop._arguments import quoted
from varprop._typing import Float64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a test of an exact null found.

    Parameters
    ----------
    pvalue : float
        At most alpha with probability at most alpha under the null, for every alpha and every size of the sample.
    estimate : float
        What was seen.
    what : str
        What the estimate is, for a reader.

    Raises
    ------
    ValueError
        If the p-value is not in [0, 1].
    """

    pvalue: float
    estimate: float = math.nan
    what: str = ""

    def __post_init__(self) -> None:
        if not 0.0 <= self.pvalue <= 1.0:
            msg = f"a p-value lies in [0, 1], got {quoted(self.pvalue)}; a NaN here comes from the arrays that were tested"
            raise ValueError(msg)


def worst(looks: Mapping[str, Inspection]) -> str:
    """Name of the look with the smallest p-value.

    Parameters
    ----------
    looks : mapping of str to Inspection
        One or more.

    Returns
    -------
    str

    Examples
    --------
    >>> worst({"rows": Inspection(pvalue=0.4), "columns": Inspection(pvalue=0.1)})
    'columns'
    """
    return min(looks, key=lambda name: looks[name].pvalue)


def family(looks: Mapping[str, Inspection]) -> float:
    """Evidence against the null of all looks together: the smallest p-value times their number, at most 1.

    Parameters
    ----------
    looks : mapping of str to Inspection
        One or more.

    Returns
    -------
    float

    Examples
    --------
    >>> family({"rows": Inspection(pvalue=0.4), "columns": Inspection(pvalue=0.1)})
    0.2
    """
    return min(1.0, len(looks) * looks[worst(looks)].pvalue)


def coins(heads: int, tosses: int) -> float:
    """Two-sided p-value of a fair coin.

    Parameters
    ----------
    heads, tosses : int
        0 <= heads <= tosses.

    Returns
    -------
    float
        P(|X - tosses / 2| >= |heads - tosses / 2|), X binomial.

    Examples
    --------
    >>> coins(9, 10)
    0.0215
    """
    return min(1.0, 2.0 * heads_or_more(max(heads, tosses - heads), tosses))


def heads_or_more(heads: int, tosses: int) -> float:
    """P(X >= heads) of a fair coin that is tossed so many times.

    Parameters
    ----------
    heads, tosses : int
        Any numbers, tosses >= 0.

    Returns
    -------
    float

    Examples
    --------
    >>> heads_or_more(9, 10)
    0.0107
    """
    if heads <= 0:
        return 1.0
    return float(special.betainc(heads, tosses - heads + 1, 0.5)) if heads <= tosses else 0.0


def signed_sum(total: float, squares: float) -> float:
    """p-value of a sum of numbers whose signs are fair coins, whatever the numbers.

    Parameters
    ----------
    total : float
        The sum.
    squares : float
        Sum of the squares, >= 0.

    Returns
    -------
    float
        2 exp(-total^2 / (2 squares)), at most 1: Hoeffding's inequality given the magnitudes, so that no moment is needed.

    Examples
    --------
    >>> signed_sum(30.0, 100.0)
    0.0222
    """
    return min(1.0, 2.0 * math.exp(-(total**2) / (2.0 * squares))) if squares > 0.0 else 1.0


def as_gaussian(deviation: float, order: float) -> float:
    """Bound a two-sided tail from the even moments that a variable shares with a standard normal one.

    Parameters
    ----------
    deviation : float
        What was seen of the variable.
    order : float
        Largest even moment that is known to be at most the normal law's; inf if all are.

    Returns
    -------
    float
        min over m <= order / 2 of E[Z^(2m)] / deviation^(2m), by Markov's inequality: about 5 |deviation| times what the
        normal law gives where the order allows 2m = deviation^2.

    Examples
    --------
    >>> as_gaussian(6.0, math.inf), as_gaussian(6.0, 8)
    (2.15e-08, 6.25e-05)
    """
    size = abs(deviation)
    m = math.floor(min(size**2 / 2.0, order / 2.0))  # where the ratio of neighbours, (2m + 1) / size^2, reaches 1
    if m < 1:
        return 1.0
    # E[Z^(2m)] = (2m)! / (2^m m!).
    log = math.lgamma(2 * m + 1) - m * math.log(2.0) - math.lgamma(m + 1) - 2 * m * math.log(size)
    return min(1.0, math.exp(log))


def finite_arrays(test: str, arrays: object, *, least: int) -> Float64Array:
    """Arrays of shape (calls, *shape) as numbers, checked.

    Parameters
    ----------
    test : str
        For the message.
    arrays : array_like
        To be checked.
    least : int
        Fewest dimensions, calls included.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If there are fewer dimensions, no entries, or one that is not finite.
    """
    x = np.asarray(arrays, dtype=np.float64)
    if x.ndim < least or not x.size or not np.isfinite(x).all():
        msg = f"{test} takes finite arrays of shape (calls, ...) with {least} axes or more, got shape {x.shape}"
        raise ValueError(msg)
    return x
