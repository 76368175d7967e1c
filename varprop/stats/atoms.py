"""Draws against a law that gives single numbers a positive probability."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from varprop._typing import Float64Array
from varprop.stats.law_fits import LawFit


def stepped_law(draws: ArrayLike, cdf: Callable[[Float64Array], Float64Array], *, test: str) -> LawFit:
    """Compare independent draws with a law that may have atoms anywhere.

    Parameters
    ----------
    draws : array_like
        Finite, two or more. A draw that rounding moved off an atom is off it.
    cdf : callable
        P(w <= x), from an array to an array.
    test : str
        The name that the test has in tables.

    Returns
    -------
    LawFit
        Its p-value is that of a continuous law, which is an upper bound; the bound of Dvoretzky, Kiefer and Wolfowitz
        on the distance holds for every law.

    Raises
    ------
    ValueError
        If there are fewer than two draws, or one is not finite.

    Examples
    --------
    >>> signs = stepped_law([-1.0, 1.0, 1.0, -1.0], lambda x: ((x >= -1) + 1.0 * (x >= 1)) / 2, test="weights_law")
    >>> signs.theta
    0.0
    """
    x = np.asarray(draws, dtype=np.float64).ravel()
    if len(x) < 2 or not np.isfinite(x).all():
        msg = f"{test} needs two or more finite draws, got {len(x)}"
        raise ValueError(msg)
    values, counts = np.unique(x, return_counts=True)
    reached = np.cumsum(counts) / len(x)
    # At an atom both functions jump: they are compared on either side of it.
    at = np.abs(cdf(values) - reached)
    before = np.abs(cdf(np.nextafter(values, -np.inf)) - (reached - counts / len(x)))
    distance = float(max(at.max(), before.max()))

    from scipy import stats

    return LawFit(
        test=test,
        theta=distance,
        se=0.5 / math.sqrt(len(x)),
        df=math.inf,
        n=len(x),
        statistic=math.sqrt(len(x)) * distance,
        pvalue=float(np.clip(stats.kstwo.sf(distance, len(x)), 0.0, 1.0)),
    )
