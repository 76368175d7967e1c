"""Exact equality: what a symmetry or a rule without randomness promises, and in how many networks it holds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from varprop._limits import MAX_NETWORKS
from varprop.stats.chances import Proportion
from varprop.stats.equivalence import check_budget
from varprop.stats.outcome import Guarantee, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(Outcome):
    """Whether the rows of a table are all the same.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    theta : float
        Largest departure of a value, relative to its column's largest absolute value; 0 if no departure is beyond
        rounding.
    se : float
        0: nothing is estimated, so that every p-value is 0 or 1. They are about the rows of the table.
    df : float
        inf; no t law is involved.
    n : int
        Number of rows.
    statistic : float
        0 or inf.
    pvalue : float
        1 if the rows agree, 0 if they do not.
    note : str
        What a reader should know.
    distinct_rows : int
        Number of different rows, compared bit by bit.
    spread : float
        Largest difference between two values of a column, or between a value and what it should be.

    See Also
    --------
    identity : What makes one.

    Examples
    --------
    >>> result = identity([[1.0, 2.0], [1.0, 2.0]])
    >>> result.holds, result.distinct_rows
    (True, 1)
    """

    distinct_rows: int
    spread: float

    @property
    def holds(self) -> bool:
        """Whether the rows agree.

        Returns
        -------
        bool
        """
        return self.theta == 0.0

    def p_above(self, threshold: float) -> float:
        """Tell whether the largest departure is above a threshold.

        Parameters
        ----------
        threshold : float
            On the scale of theta.

        Returns
        -------
        float
            0 if it is, 1 if it is not.
        """
        return float(not self.theta > threshold)

    def p_below(self, threshold: float) -> float:
        """Tell whether the largest departure is below a threshold.

        Parameters
        ----------
        threshold : float
            On the scale of theta.

        Returns
        -------
        float
            0 if it is, 1 if it is not.
        """
        return float(not self.theta < threshold)

    def bounds(self, _level: float) -> tuple[float, float]:
        """Return the largest departure twice: of these rows it is known.

        Returns
        -------
        low, high : float
        """
        return self.theta, self.theta

    def refusal(self, _level: float) -> str:
        """Return nothing: rows are compared whatever the level.

        Returns
        -------
        str
        """
        return ""

    def guarantee(self, _level: float) -> Guarantee:
        """Return "exact"."""
        return "exact"


def identity(table: ArrayLike, *, expected: ArrayLike | None = None, rounding: float = 0.0) -> Identity:
    """Find out whether all rows of a table are equal.

    Parameters
    ----------
    table : array_like, shape (rows, columns)
        Finite numbers, two rows or more: networks by layers, or the rows of one weight matrix.
    expected : array_like, shape (columns,), optional
        What every row should be; only each other if None.
    rounding : float
        Departure that is put down to rounding, relative to the column's largest absolute value; 0 for bit by bit.

    Returns
    -------
    Identity

    Raises
    ------
    ValueError
        If there are fewer than two rows, a value is not finite, shapes differ, or `rounding` is not in [0, 1).

    Notes
    -----
    The null is not random: one departure refutes it and nothing short of all rows supports it, so there is no level and
    no margin. It says nothing of rows that are not in the table.

    Examples
    --------
    >>> result = identity([[1.0, 2.0], [1.0, 2.5]])
    >>> result.holds, result.distinct_rows, result.spread, result.theta
    (False, 2, 0.5, 0.2)
    """
    rows = np.asarray(table, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] < 1 or not np.isfinite(rows).all():
        msg = f"identity compares two or more rows of finite numbers, got an array of shape {rows.shape}"
        raise ValueError(msg)
    if not 0.0 <= rounding < 1.0:
        msg = f"rounding must lie in [0, 1), got {rounding}; write 1e-6 for six digits"
        raise ValueError(msg)
    low, high = rows.min(axis=0), rows.max(axis=0)
    departure = high - low
    scale = np.maximum(np.abs(low), np.abs(high))
    if expected is not None:
        target = np.asarray(expected, dtype=np.float64)
        if target.shape != low.shape or not np.isfinite(target).all():
            msg = f"expected must be {len(low)} finite numbers, one per column, got shape {target.shape}"
            raise ValueError(msg)
        departure = np.maximum(np.maximum(high - target, target - low), departure)
        scale = np.maximum(scale, np.abs(target))
    relative = np.divide(departure, scale, out=np.zeros_like(departure), where=departure > 0.0)
    worst = float(relative.max())
    theta = worst if worst > rounding else 0.0
    return Identity(
        test="identity",
        theta=theta,
        se=0.0,
        df=math.inf,
        n=len(rows),
        statistic=math.inf if theta else 0.0,
        pvalue=0.0 if theta else 1.0,
        distinct_rows=len(np.unique(rows, axis=0)),
        spread=float(departure.max()),
    )


def agreeing(table: ArrayLike, value: ArrayLike, *, rounding: float = 0.0) -> NDArray[np.bool_]:
    """Tell which rows of a table are equal to a given one.

    Parameters
    ----------
    table : array_like, shape (rows, columns)
        Finite numbers.
    value : array_like, shape (columns,)
        What a row should be.
    rounding : float
        Departure that is put down to rounding, relative to the larger of both numbers; 0 for bit by bit.

    Returns
    -------
    ndarray of bool, shape (rows,)

    Examples
    --------
    >>> agreeing([[1.0, 2.0], [1.0, 2.5]], [1.0, 2.0]).tolist()
    [True, False]
    """
    rows, target = np.asarray(table, dtype=np.float64), np.asarray(value, dtype=np.float64)
    close = np.abs(rows - target) <= rounding * np.maximum(np.abs(rows), np.abs(target))
    return np.asarray(close.all(axis=1))


def largest_group(column: ArrayLike, *, rounding: float = 0.0) -> int:
    """Count the numbers that may be one, the most of them: no value is shared by more.

    Parameters
    ----------
    column : array_like, shape (rows,)
        Finite numbers, one or more.
    rounding : float
        As in `agreeing`: all numbers that agree with some value lie twice that far apart at most.

    Returns
    -------
    int

    Examples
    --------
    >>> largest_group([0.0, 3.0, 0.0, 1.0])
    2
    """
    x = np.sort(np.asarray(column, dtype=np.float64))
    # The value itself lies within a rounding of each, and so each within two of the smallest in size.
    ends = x + 2.0 * rounding * (1.0 + 2.0 * rounding) * np.abs(x) if rounding else x
    return int((np.searchsorted(x, np.maximum(ends, x), "right") - np.arange(len(x))).max())


def holding_share(holding: int, networks: int, *, share: float) -> Proportion:
    r"""Hold the number of networks in which something is so against a share of all networks.

    Parameters
    ----------
    holding : int
        Networks in which it is so.
    networks : int
        All networks, two or more.
    share : float
        Claimed share, in (0, 1]; 1 stands for all networks.

    Returns
    -------
    Proportion
        ``p_above(0)`` is the p-value for the claim, by Clopper and Pearson: with no exception among N networks share^N. ``p_below(0)``
        is that against it. Of all networks nothing is shown but by one exception, which is proof. `pvalue` is the one against it.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> shown = holding_share(597, 597, share=0.99)
    >>> shown.p_above(0.0), shown.p_above(0.0) <= 0.05 / 20
    (0.00248, True)
    >>> holding_share(999, 1000, share=1.0).p_below(0.0)
    0.0
    """
    if networks < 2 or not 0 <= holding <= networks or not 0.0 < share <= 1.0:
        msg = (
            f"need two networks or more, of which it holds in all at most, and a share in (0, 1], got {holding} of {networks} and "
            f"{share}"
        )
        raise ValueError(msg)
    smoothed = (holding + 0.5) / (networks + 1)
    se = math.sqrt(smoothed * (1.0 - smoothed) / networks)
    theta = holding / networks - share
    found = Proportion(
        test="identity",
        theta=theta,
        se=se,
        df=math.inf,
        n=networks,
        statistic=theta / se,
        pvalue=1.0,
        count=holding,
        expected=share,
    )
    return replace(found, pvalue=found.p_below(0.0))


def networks_to_show(found: Proportion, *, alpha: float, m: int) -> int | None:
    """Return the number of networks that would decide a claim about a share, if it holds in as large a part of them as here.

    Parameters
    ----------
    found : Proportion
        As `holding_share` returns it.
    alpha : float
        Bound on the probability of any false verdict in the report, in (0, 0.5].
    m : int
        Number of verdicts in the report.

    Returns
    -------
    int or None
        None if no feasible number (more than 10^9) would.

    Raises
    ------
    ValueError
        If alpha or m is out of range.

    Examples
    --------
    >>> networks_to_show(holding_share(5, 5, share=0.99), alpha=0.05, m=20)
    597
    """
    check_budget(alpha, m)
    tail, share, part = alpha / m, found.expected, found.count / found.n

    def decides(n: int) -> bool:
        holding = round(part * n) if part < 1.0 else n
        more = special.bdtrc(holding - 1, n, share) if holding else 1.0
        return bool(min(more, special.bdtr(holding, n, share)) <= tail)

    high = 2
    while not decides(high):
        high *= 2
        if high > MAX_NETWORKS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high
