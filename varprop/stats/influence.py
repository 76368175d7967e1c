"""Logarithms of column means, with how the networks' contributions to them vary together.

Everything that averages over networks and then takes a logarithm is built on `log_means`: a statistic that adds up such
logarithms has as its influence the sum of theirs, network by network, and its standard error is the spread of those sums.
That spread follows from the covariance of the columns, which is all that is kept of the networks. Correlation between the
columns of one network is thereby accounted for, whatever it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from varprop._typing import Float64Array
from varprop.numerics.moments import Moments

MOST_JOINT = 256
"""Steps of a product whose covariances are measured; of more they would take memory and time as the square of the depth."""


@dataclass(frozen=True, slots=True, eq=False)
class LogMeans:
    """Estimates of log E[column], one per column of a table of shape (networks, columns).

    Parameters
    ----------
    estimate : ndarray, shape (columns,)
        log m + s^2 / (2 n m^2): the second term removes the bias that the logarithm's curvature gives the first.
    se : ndarray, shape (columns,)
        s / (m sqrt(n)), exactly 0 where all networks at risk agree.
    at_risk : ndarray of int, shape (columns,)
        n, the number of networks that have a value.
    moments : Moments
        What they were estimated from.
    """

    estimate: Float64Array
    se: Float64Array
    at_risk: np.ndarray
    moments: Moments

    @property
    def covariance(self) -> Float64Array:
        """Covariance of the estimates, shape (columns, columns); needs joint moments.

        That of influences (value / m - 1) N / n for the networks at risk and 0 for the others, N the number of networks
        that are at risk in any column, divided by N. Their mean over networks is 0.
        """
        networks = max(self.moments.rows_present, 2)
        mean = np.where(np.isfinite(self.estimate), self.moments.scaled_mean, np.nan) * np.maximum(self.at_risk, 1)
        covariance = self.moments.scatter  # fresh: of a thousand columns and more every copy counts
        covariance /= mean[:, None]
        covariance /= mean[None, :]
        covariance *= networks / (networks - 1)
        return covariance

    def standard_error(self, weights: ArrayLike) -> Float64Array:
        """Return the standard error of weighted sums of the estimates.

        Of moments that are not joint the columns are taken as uncorrelated. Steps whose mean given all that came before is a
        constant are: each one's influence has mean 0 whatever the others are.

        Parameters
        ----------
        weights : array_like, shape (..., columns)
            One sum for each row.

        Returns
        -------
        ndarray, shape (...)
            Exactly 0 if no column with a weight has any spread.
        """
        rows = np.asarray(weights, dtype=np.float64)
        if not self.moments.joint:
            return _root((rows**2 * self.se**2).sum(axis=-1))
        return _root((np.einsum("...j,jk->...k", rows, self.covariance) * rows).sum(axis=-1))

    def cumulative_errors(self) -> Float64Array:
        """Return the standard errors of the estimates' running sums, shape (columns,); uncorrelated as in `standard_error`."""
        if not self.moments.joint:
            return _root(np.cumsum(self.se**2))
        return _root(np.diagonal(self.covariance.cumsum(axis=0).cumsum(axis=1)))


def log_means(values: ArrayLike | Moments, *, partly: bool = False) -> LogMeans:
    """Estimate the logarithm of every column's expectation.

    Parameters
    ----------
    values : array_like, shape (networks, columns), or Moments
        Non-negative; NaN where a network is not at risk. Or the moments of such a table.
    partly : bool
        Whether columns that have no logarithm or no standard error get NaN, and no error is raised.

    Returns
    -------
    LogMeans
        Estimates, standard errors and numbers at risk.

    Raises
    ------
    ValueError
        If a value is negative or infinite, or a column is zero throughout or has fewer than two networks at risk.

    Notes
    -----
    With m and s the mean and standard deviation of n independent values of expectation mu and variance sigma^2, expanding
    the logarithm gives E[log m] = log mu - sigma^2 / (2 n mu^2) + O(n^-2), and sd(log m) = sigma / (mu sqrt(n)) + O(n^-3/2).

    Examples
    --------
    >>> means = log_means([[1.0, 2.0], [3.0, 2.0]])
    >>> means.estimate
    array([0.818, 0.693])
    >>> means.se.tolist()
    [0.5, 0.0]
    """
    moments = as_moments(values)
    at_risk = moments.n
    usable = np.array([not column_problem(moments, column) for column in range(len(at_risk))], dtype=bool)
    if not usable.all() and not partly:
        raise ValueError(column_problem(moments, int(usable.argmin())))
    degrees = np.where(usable, at_risk - 1, 1)
    mean = np.where(usable, moments.mean, np.nan)
    squared_cv = moments.spread / np.where(usable, moments.scaled_mean, np.nan) ** 2 / degrees
    return LogMeans(
        estimate=np.log(mean) + squared_cv / (2 * np.maximum(at_risk, 1)),
        se=np.sqrt(squared_cv / np.maximum(at_risk, 1)),
        at_risk=at_risk,
        moments=moments,
    )


def as_moments(values: ArrayLike | Moments, *, joint: bool = False) -> Moments:
    """Take a table with one row per network, or its moments.

    Parameters
    ----------
    values : array_like, shape (networks, columns), or Moments
        Whatever the caller was given.
    joint : bool
        Whether products of columns are wanted of a table.

    Returns
    -------
    Moments

    Raises
    ------
    ValueError
        As `as_table`, or if a value is infinite.
    """
    return values if isinstance(values, Moments) else Moments.of(as_table(values), joint=joint)


def step_ratios(values: ArrayLike) -> Float64Array:
    """Ratios of neighbouring columns among the networks that are still alive.

    Parameters
    ----------
    values : array_like, shape (networks, columns)
        Non-negative and finite, two columns or more. A network that died has 0 from then on.

    Returns
    -------
    ndarray, shape (networks, columns - 1)
        0 at the step where a network dies, NaN (not at risk) afterwards.

    Raises
    ------
    ValueError
        If a value is negative, infinite or NaN, a ratio overflows, or a network comes back to life.

    Examples
    --------
    >>> step_ratios([[2.0, 1.0, 0.0, 0.0], [2.0, 2.0, 3.0, 3.0]])
    array([[0.5, 0. , nan],
           [1. , 1.5, 1. ]])
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        msg = f"steps need two or more columns, got an array of shape {table.shape}; it must be (networks, layers)"
        raise ValueError(msg)
    check_measured(table)
    before, after = table[:, :-1], table[:, 1:]
    revived = (before == 0.0) & (after > 0.0)
    if revived.any():
        network, column = np.argwhere(revived)[0]
        msg = (
            f"network {network} has 0 in column {column} and {after[network, column]} in the next: "
            "its steps are not independent of its past (biases?); use product=False"
        )
        raise ValueError(msg)
    with np.errstate(over="ignore"):
        ratios = np.divide(after, before, out=np.full_like(after, np.nan), where=before > 0.0)
    _check_no_overflow(ratios, "a step")
    return ratios


def relative_to(values: Float64Array, predicted: Float64Array) -> Float64Array:
    """Divide measured values by predictions.

    Parameters
    ----------
    values : ndarray
        Measured; NaN stays NaN.
    predicted : ndarray
        Positive, of a shape that broadcasts.

    Returns
    -------
    ndarray
        The ratios.

    Raises
    ------
    ValueError
        If a ratio overflows.
    """
    with np.errstate(over="ignore"):
        ratios = np.asarray(values / predicted)
    _check_no_overflow(ratios, "a value over its prediction")
    return ratios


def as_table(values: ArrayLike) -> Float64Array:
    """Take an array with one row per network.

    Parameters
    ----------
    values : array_like
        Whatever the caller was given.

    Returns
    -------
    ndarray, shape (networks, columns)
        In float64.

    Raises
    ------
    ValueError
        If it has another number of axes, fewer than two networks or no columns.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or len(table) < 2 or table.shape[1] < 1:
        msg = (
            f"expected an array of shape (networks, layers) with two networks or more, got shape {table.shape}; "
            "for one layer write values[:, None]"
        )
        raise ValueError(msg)
    return table


def check_measured(table: Float64Array) -> None:
    """Refuse NaN and what is no mean square, where every network must have been measured.

    Parameters
    ----------
    table : ndarray, shape (networks, columns)
        Measured values.

    Raises
    ------
    ValueError
        If a value is NaN, negative or infinite.
    """
    missing = np.isnan(table)
    if missing.any():
        network, column = np.argwhere(missing)[0]
        msg = (
            f"{int(missing.sum())} values are NaN, the first of network {network} in column {column}; "
            "a network whose signal died has the value 0, and one that was not measured must be left out"
        )
        raise ValueError(msg)
    if not ((table >= 0.0) & (table < np.inf)).all():
        msg = f"values must be finite and >= 0, got a range of {table.min()} to {table.max()}"
        raise ValueError(msg)


def _root(variance: Float64Array) -> Float64Array:
    """Square root; rounding can leave a variance below 0 only where it is all rounding."""
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def column_problem(moments: Moments, column: int) -> str:
    """Say why the mean of a column has no logarithm or no standard error; empty if it has both.

    Parameters
    ----------
    moments : Moments
        Of a table.
    column : int
        Which.

    Returns
    -------
    str
    """
    at_risk, columns = int(moments.n[column]), len(moments.low)
    if moments.low[column] < 0.0:
        return (
            "values must be finite and >= 0, or NaN for a network that is not at risk; "
            f"got a range of {moments.low[column]} to {moments.high[column]}"
        )
    if at_risk < 2:
        return (
            f"column {column} (of {columns}) has {at_risk} networks at risk and needs two or more; "
            "leave out the layers that no signal reaches, or sample more networks"
        )
    if moments.high[column] == 0.0:
        return (
            f"column {column} (of {columns}) is 0 in all networks, so a ratio to it has no "
            "logarithm; test exact equality, or leave this layer out"
        )
    return ""


def _check_no_overflow(ratios: Float64Array, what: str) -> None:
    """Refuse infinite quotients."""
    if np.isinf(ratios).any():
        msg = f"{what} exceeds the range of float64; rescale the values, or test fewer layers"
        raise ValueError(msg)
