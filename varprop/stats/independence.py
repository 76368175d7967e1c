"""Whether the entries of weight matrices are independent of each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from varprop._typing import Float64Array
from varprop.stats.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Independence:
    """Six looks for dependence between the entries of matrices.

    Parameters
    ----------
    rows, columns : Outcome
        theta estimates by what share the variance of a row's (column's) sum exceeds that of independent entries.
    row_squares, column_squares : Outcome
        The same of the squared entries: below 0 where a row's norm varies too little, as in orthogonal matrices.
    serial, serial_squares : Outcome
        theta estimates the correlation of an entry (its square) with the one drawn before it.

    See Also
    --------
    independence : What makes one.
    """

    rows: Outcome
    columns: Outcome
    row_squares: Outcome
    column_squares: Outcome
    serial: Outcome
    serial_squares: Outcome

    @property
    def looks(self) -> dict[str, Outcome]:
        """The six outcomes by what they look at.

        Returns
        -------
        dict of str to Outcome
        """
        return {
            "rows": self.rows,
            "columns": self.columns,
            "squares in rows": self.row_squares,
            "squares in columns": self.column_squares,
            "neighbours": self.serial,
            "neighbours' squares": self.serial_squares,
        }

    @property
    def pvalue(self) -> float:
        """Of the point null that all entries are independent: six times the smallest p-value, at most 1.

        Returns
        -------
        float
        """
        return min(1.0, 6.0 * min(outcome.pvalue for outcome in self.looks.values()))


def independence(matrices: ArrayLike, *, mean: float = 0.0, variance: float, kurtosis: float) -> Independence:
    r"""Test that the entries of weight matrices are independent, given the law of each.

    Parameters
    ----------
    matrices : array_like, shape (draws, fan_out, fan_in) or (fan_out, fan_in)
        Independent draws of a matrix with two rows and two columns or more.
    mean, variance, kurtosis : float
        Of one entry under its law: E[w], Var(w) > 0 and E[(w - E w)^4] / Var(w)^2 > 1.

    Returns
    -------
    Independence

    Raises
    ------
    ValueError
        If the shape is another, an entry is not finite, or the moments are out of range.

    Notes
    -----
    Let x be the standardised entries, or their standardised squares. Under independence the products of different entries
    are uncorrelated with mean 0 and variance 1, whatever the law. A row of c entries has (sum x)^2 - sum x^2 = the sum of
    its c (c - 1) products, of variance 2 c (c - 1); over c it is the excess of the sum's variance, c - 1 times the mean
    correlation within rows. Sums over R rows are referred to the normal law, good from some hundred rows on. Squared entries
    with heavy tails take more.

    The null is joint with that of the law: entries of another variance shift the squares. A wrong law is for `weights_law`.
    Dependence that shows in no product of two entries or two squares goes unseen.

    Examples
    --------
    >>> draws = np.random.default_rng(1).standard_normal((4, 50, 40))
    >>> independence(draws, variance=1.0, kurtosis=3.0).pvalue > 0.001
    True
    >>> copied = np.repeat(draws, 2, axis=1)
    >>> independence(copied, variance=1.0, kurtosis=3.0).columns.theta
    0.926
    """
    w = np.asarray(matrices, dtype=np.float64)
    w = w[None] if w.ndim == 2 else w
    if w.ndim != 3 or min(w.shape[1:]) < 2 or not len(w) or not np.isfinite(w).all():
        msg = (
            f"independence takes finite matrices of shape (draws, fan_out, fan_in), 2 by 2 or more, got shape {w.shape}; "
            "entries of one row or one column alone are tested by their law"
        )
        raise ValueError(msg)
    if not math.isfinite(mean) or not 0.0 < variance < math.inf or not 1.0 < kurtosis < math.inf:
        msg = f"a law needs a finite mean, a variance > 0 and a kurtosis > 1, got {mean}, {variance} and {kurtosis}"
        raise ValueError(msg)
    x = (w - mean) / math.sqrt(variance)
    y = (x**2 - 1.0) / math.sqrt(kurtosis - 1.0)
    return Independence(
        rows=_within(x, axis=2, test="rows"),
        columns=_within(x, axis=1, test="columns"),
        row_squares=_within(y, axis=2, test="row_squares"),
        column_squares=_within(y, axis=1, test="column_squares"),
        serial=_serial(x, "serial"),
        serial_squares=_serial(y, "serial_squares"),
    )


def _within(x: Float64Array, *, axis: int, test: str) -> Outcome:
    """Excess variance of the sums along an axis."""
    size = x.shape[axis]
    sums = x.sum(axis=axis)
    lines = sums.size
    excess = (float(np.sum(sums**2)) - float(np.sum(x**2))) / (size * lines)
    se = math.sqrt(2.0 * (size - 1) / (size * lines))
    return Outcome.from_estimate(f"weights_law_{test}", theta=excess, se=se, df=math.inf, n=max(2, lines))


def _serial(x: Float64Array, test: str) -> Outcome:
    """Correlation of neighbours in the order in which entries are drawn: along the last axis first."""
    flat = x.ravel()
    pairs = len(flat) - 1
    theta = float(np.sum(flat[1:] * flat[:-1])) / pairs
    return Outcome.from_estimate(f"weights_law_{test}", theta=theta, se=1.0 / math.sqrt(pairs), df=math.inf, n=pairs)
