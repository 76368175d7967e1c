"""Corrections for many p-values: exploration over layers, and point nulls with a budget of their own.

Verdicts need neither: their budget is alpha / m (see `varprop.stats.equivalence`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

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
