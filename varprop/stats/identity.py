"""Exact equality: what a symmetry or a rule without randomness promises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from varprop.stats.outcome import Outcome


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
        0: nothing is estimated, so that every p-value is 0 or 1.
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
    sure = Outcome.from_estimate("identity", theta=theta, se=0.0, df=np.inf, n=len(rows))
    return Identity(
        test=sure.test,
        theta=sure.theta,
        se=sure.se,
        df=sure.df,
        n=sure.n,
        statistic=sure.statistic,
        pvalue=sure.pvalue,
        distinct_rows=len(np.unique(rows, axis=0)),
        spread=float(departure.max()),
    )
