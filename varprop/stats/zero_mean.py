"""Tests of bounded means by bets: of one that should vanish, and of one below or above a declared level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from varprop._typing import Float64Array
from varprop.numerics.moments import Moments
from varprop.stats.capital import Capital, capital_means
from varprop.stats.means import dropped_note
from varprop.stats.outcome import Outcome
from varprop.stats.positive import means_as_they_stand


def zero_mean(mean: ArrayLike, second_moment: ArrayLike) -> Outcome:
    r"""Test that a layer's mean vanishes, on the scale of its root mean square.

    Parameters
    ----------
    mean : array_like, shape (networks,)
        Mean of a over the layer's units.
    second_moment : array_like, shape (networks,)
        Mean of a^2 over the same units.

    Returns
    -------
    Outcome
        theta is the mean over networks of d = mean(a) / sqrt(mean(a^2)), between -1 and 1: a margin applies to it as it
        is, without a logarithm. Networks with a second moment of 0 (dead) or with NaN are dropped and counted in the note.
        Being bounded, d is judged by bets (`varprop.stats.capital`), for any number of networks.

    Raises
    ------
    ValueError
        If shapes differ, a value is infinite, a mean exceeds its root mean square, or fewer than two networks are left.

    Examples
    --------
    >>> zero_mean([0.1, -0.3, 0.2, 0.0], [1.0, 1.0, 4.0, 0.0]).theta
    -0.0333
    """
    standardised = standardised_means(mean, second_moment)
    if standardised.ndim != 1:
        msg = f"mean and second_moment must both have shape (networks,), got {standardised.shape}"
        raise ValueError(msg)
    column = standardised[:, None]
    return zero_mean_layers(Moments.of(column), Capital.of(column, low=-1.0, high=1.0))[0]


def standardised_means(mean: ArrayLike, second_moment: ArrayLike) -> Float64Array:
    """Divide means by their root mean squares.

    Parameters
    ----------
    mean, second_moment : array_like
        As in `zero_mean`, of any shape that they share.

    Returns
    -------
    ndarray
        Of that shape; NaN where the second moment is 0, as of a dead network, or the mean is NaN.

    Raises
    ------
    ValueError
        If shapes differ, a value is infinite, or a mean exceeds its root mean square.
    """
    means, squares = np.asarray(mean, dtype=np.float64), np.asarray(second_moment, dtype=np.float64)
    if means.shape != squares.shape:
        msg = f"mean and second_moment must have the same shape, got {means.shape} and {squares.shape}"
        raise ValueError(msg)
    if np.isinf(means).any() or np.isinf(squares).any() or (squares < 0.0).any():
        msg = "means must be finite and second moments finite and >= 0; a network whose signal overflowed must be left out"
        raise ValueError(msg)
    standardised = np.divide(means, np.sqrt(squares), out=np.full_like(means, np.nan), where=squares > 0.0)
    # Single precision leaves up to about 1e-6 of excess when all units agree.
    largest = np.abs(standardised[~np.isnan(standardised)]).max(initial=0.0)
    if largest > 1.0 + 1e-4:
        msg = (
            f"a mean over its root mean square is {largest:.6g}, which no layer has; "
            "were mean and second_moment exchanged, or taken over different units?"
        )
        raise ValueError(msg)
    return standardised


def zero_mean_layers(standardised: Moments, bets: Capital) -> list[Outcome]:
    """Test that every layer's mean vanishes, by sums over the standardised means: the second half of `zero_mean`.

    Parameters
    ----------
    standardised : Moments
        Of what `standardised_means` returns, one column per layer.
    bets : Capital
        Of the same table, between -1 and 1.

    Returns
    -------
    list of Outcome
        One per layer.

    Raises
    ------
    ValueError
        If fewer than two networks are alive in a layer.
    """
    for alive in standardised.n.tolist():
        if alive < 2:
            msg = (
                f"{alive} of {standardised.rows} networks are alive, zero_mean needs two or more; sample more networks"
            )
            raise ValueError(msg)
    made = capital_means("zero_mean", standardised, bets, null=0.0)
    return [replace(outcome, note=dropped_note(standardised.rows - outcome.n, standardised.rows)) for outcome in made]


# ---- a declared level ------------------------------------------------------------------------------------------------


def level(values: ArrayLike, *, bound: float, low: float = 0.0, high: float = math.inf) -> Outcome:
    r"""Estimate how far the mean over networks of a quantity lies above a bound, or below it.

    Parameters
    ----------
    values : array_like, shape (networks,)
        One number for each network; NaN where a network has none.
    bound : float
        What the mean is held against, > 0.
    low, high : float
        Ends that the values have by their definition: 0 and 1 of a share. Without a high end the mean is shown to be above
        a bound by what is proved, and to be below one as far as the sample's skewness lets one believe a t test.

    Returns
    -------
    Outcome
        theta is mean / bound - 1, without a logarithm: a share may be 0 in all networks. For a claim "below the bound" see
        `varprop.stats.equivalence.directional` at threshold 0.

    Raises
    ------
    ValueError
        If the bound is not finite and > 0, a value lies outside its ends, or fewer than two networks have a value.

    Notes
    -----
    Values with two ends are judged by bets (`varprop.stats.capital`), for any number of networks: where all networks show 0,
    one that is not may have been missed, and 20 of them exclude a mean of 15 % at level .05 and no less.

    Examples
    --------
    >>> shares = level([0.1, 0.3, 0.2, 0.2] * 10, bound=0.5, high=1.0)
    >>> shares.theta, shares.p_below(0.0)
    (-0.6, 1.32e-08)
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 1:
        msg = f"values must have shape (networks,), got {table.shape}"
        raise ValueError(msg)
    if np.isinf(table).any():
        msg = "values must be finite; a network whose signal overflowed must be left out"
        raise ValueError(msg)
    check_bound(bound)
    column = table[:, None]
    bets = Capital.of(column, low=low, high=high, unit=bound)
    return level_layers(Moments.of(column), bets, bound=bound)[0]


def level_layers(values: Moments, bets: Capital, *, bound: float, refused: Sequence[str] | str = "") -> list[Outcome]:
    """Hold every layer's mean against a bound, by sums over networks: the second half of `level`.

    Parameters
    ----------
    values : Moments
        One column per layer.
    bets : Capital or None
        Of the same table; None if the values have no ends.
    bound : float
        As in `level`.
    refused : str or sequence of str
        Why the law of the values makes a t test impossible; only where they have no high end.

    Returns
    -------
    list of Outcome
        One per layer.

    Raises
    ------
    ValueError
        If the bound is not finite and > 0, or fewer than two networks have a value in a layer.
    """
    check_bound(bound)
    made: Sequence[Outcome]
    if bets is not None and bets.bounded:
        made = capital_means("level", values, bets, null=bound, scale="relative")
    else:
        made = means_as_they_stand("level", values, bets, null=bound, scale="relative", refused=refused)
    notes = [dropped_note(values.rows - outcome.n, values.rows) for outcome in made]
    return [
        replace(outcome, note="; ".join(filter(None, (note, outcome.note))))
        for outcome, note in zip(made, notes, strict=True)
    ]


def check_bound(bound: float) -> None:
    """Refuse a bound that no mean can be compared with in proportion."""
    if not 0.0 < bound < math.inf:
        msg = f"bound must be finite and > 0, got {bound}; it is a value of the quantity, such as 0.5 for a share"
        raise ValueError(msg)
