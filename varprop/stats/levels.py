"""The test of a mean against a stated bound."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from varprop.numerics.moments import Moments
from varprop.stats.means import dropped_note, mean_outcome, skewness_note
from varprop.stats.outcome import Outcome


def level(values: ArrayLike, *, bound: float) -> Outcome:
    r"""Estimate how far the mean over networks of a quantity lies above a bound, or below it.

    Parameters
    ----------
    values : array_like, shape (networks,)
        One number for each network; NaN where a network has none.
    bound : float
        What the mean is held against, > 0.

    Returns
    -------
    Outcome
        theta is mean / bound - 1, without a logarithm: a share may be 0 in all networks. For a claim "below the bound" see
        `varprop.stats.equivalence.directional` at threshold 0.

    Raises
    ------
    ValueError
        If the bound is not finite and > 0, a value is infinite, or fewer than two networks have a value.

    Notes
    -----
    A t-test. Where all networks have the same value it is certain; of a share of u units this stands for at most some
    1 / (u n) that was not seen.

    Examples
    --------
    >>> level([0.1, 0.3, 0.2, 0.2], bound=0.5).theta
    -0.6
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 1:
        msg = f"values must have shape (networks,), got {table.shape}"
        raise ValueError(msg)
    if np.isinf(table).any():
        msg = "values must be finite; a network whose signal overflowed must be left out"
        raise ValueError(msg)
    return level_layers(Moments.of(table[:, None]), bound=bound)[0]


def level_layers(values: Moments, *, bound: float) -> list[Outcome]:
    """Hold every layer's mean against a bound, by the moments of the values: the second half of `level`.

    Parameters
    ----------
    values : Moments
        One column per layer.
    bound : float
        As in `level`.

    Returns
    -------
    list of Outcome
        One per layer.

    Raises
    ------
    ValueError
        If the bound is not finite and > 0, or fewer than two networks have a value in a layer.
    """
    if not 0.0 < bound < math.inf:
        msg = f"bound must be finite and > 0, got {bound}; it is a value of the quantity, such as 0.5 for a share"
        raise ValueError(msg)
    outcomes = []
    for column, present in enumerate(values.n.tolist()):
        if present < 2:
            msg = f"{present} of {values.rows} networks have a value, level needs two or more; sample more networks"
            raise ValueError(msg)
        layer = values.take(column)
        notes = dropped_note(values.rows - present, values.rows), skewness_note(layer)
        plain = mean_outcome("level", layer, null=bound, note="; ".join(filter(None, notes)))
        outcomes.append(replace(plain, theta=plain.theta / bound, se=plain.se / bound))
    return outcomes
