"""The test of a mean over units that should vanish."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from varprop._typing import Float64Array
from varprop.numerics.moments import Moments
from varprop.stats.capital import Capital, capital_means
from varprop.stats.means import dropped_note
from varprop.stats.outcome import Outcome


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
