r"""Means of bounded values, and lower bounds of means of non-negative ones, by betting: proved for any number of networks.

A bet of a share on every value multiplies a capital by 1 + c X, and divides it by 1 + c mu, which is as much in expectation if
the mean is mu. If the mean is no larger than mu the expected capital never exceeds 1, whatever the law, so that a capital
of 1 / a has a probability of at most a: at the end, and at all looks (Ville's inequality). Several bets share the capital.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.numerics.moments import Moments
from varprop.stats.outcome import Guarantee, Outcome

MeanScale = Literal["difference", "relative", "logarithm"]
"""What theta is of a mean m and a null m0: m - m0, m / m0 - 1, or log(m / m0)."""

_BETS: Float64Array = np.power(4.0, np.arange(-3, 5))
_ALL_IN = 2.0**30
# Half of the capital on the bet that a value of 0 loses at once, which is the best where nearly all values are 0.
_Bets = tuple[Float64Array, Float64Array]
_BOUNDED: _Bets = np.append(_BETS, _ALL_IN), np.log(np.append(np.full(len(_BETS), 0.5 / len(_BETS)), 0.5))
# Nine tenths of the capital on bets for values near their unit, the rest on few that reach over 40 orders of magnitude, so
# that a unit that is far off (a signal that vanished, or exploded) costs width and not the bound.
_NEAR, _FAR = np.arange(-5, 5), np.append(np.arange(-35, -5, 3), np.arange(7, 37, 3))
_POSITIVE: _Bets = (
    np.power(4.0, np.append(_NEAR, _FAR)),
    np.log(np.repeat([0.9 / len(_NEAR), 0.1 / len(_FAR)], [len(_NEAR), len(_FAR)])),
)
_HUGE = 1e200
"""In units: a mean beyond which every capital is lost, and the largest value that is bet on."""
_ROUNDED = 1e-14
_ROUNDING = 1e-4
"""By how much of its range a value in single precision may lie beyond an end."""


@dataclass(frozen=True, slots=True, eq=False)
class Capital:
    """Sums over the rows of a table that all bets on its columns' means follow from; NaN marks what a row does not have.

    Made by `of`; ``a + b`` is that of a table with the rows of b below those of a.

    Parameters
    ----------
    low, high : ndarray, shape (columns,)
        Ends of the values; a high end of infinity says that there is none.
    unit : ndarray, shape (columns,)
        What values are measured in from the low end: the range, or without a high end any scale fixed beforehand.
    n : ndarray of int, shape (columns,)
        Values in each column.
    rise, fall : ndarray, shape (columns, bets)
        Sums of log(1 + c x) and of log(1 + c (1 - x)), x in units from the low end; `fall` is 0 where there is no high end.
    """

    low: Float64Array
    high: Float64Array
    unit: Float64Array
    n: np.ndarray
    rise: Float64Array
    fall: Float64Array

    @classmethod
    def of(cls, table: ArrayLike, *, low: ArrayLike, high: ArrayLike, unit: ArrayLike | None = None) -> Capital:
        """Bet on every column of a table.

        Parameters
        ----------
        table : array_like, shape (rows, columns)
            Numbers between the ends, or NaN.
        low, high : array_like
            Known ends of each column's values, the same for all if a number. All of `high` is infinity, or nothing.
        unit : array_like, optional
            MeanScale of values without a high end, > 0; the nearer, the narrower are bounds, and one that is wrong by 20 orders of magnitude still gives some.

        Returns
        -------
        Capital

        Raises
        ------
        ValueError
            If a value lies outside its ends, or the ends are no range.

        Examples
        --------
        >>> bets = Capital.of([[0.0], [0.0], [0.5]], low=0.0, high=1.0)
        >>> bets.p_above(0, 0.01), bets.p_below(0, 0.9)
        (0.684, 0.00321)
        """
        values = np.asarray(table, dtype=np.float64)
        columns = values.shape[1]
        ends = [np.broadcast_to(np.asarray(end, dtype=np.float64), (columns,)) for end in (low, high)]
        bounded = bool(np.isfinite(ends[1]).all())
        scale = ends[1] - ends[0] if bounded else np.broadcast_to(np.asarray(unit, dtype=np.float64), (columns,))
        if not (np.isfinite(ends[0]).all() and (scale > 0.0).all() and np.isfinite(scale).all()):
            msg = f"values need a finite low end below the high one, or a scale > 0, got {quoted(low)}, {quoted(high)} and {quoted(unit)}"
            raise ValueError(msg)
        x = (values - ends[0]) / scale
        _check_ends(values, x, bounded=bounded)
        x = np.clip(x, 0.0, 1.0 if bounded else _HUGE)  # less than there is makes a lower bound lower
        bets = (_BOUNDED if bounded else _POSITIVE)[0]
        return cls(
            low=ends[0],
            high=ends[1],
            unit=scale,
            n=np.count_nonzero(~np.isnan(x), axis=0),
            rise=_sums(x, bets),
            fall=_sums(1.0 - x, bets) if bounded else np.zeros((columns, len(bets))),
        )

    def __add__(self, other: Capital) -> Capital:
        return replace(self, n=self.n + other.n, rise=self.rise + other.rise, fall=self.fall + other.fall)

    def take(self, column: int) -> Capital:
        """Return the sums of one column."""
        names = ("low", "high", "unit", "n", "rise", "fall")
        return replace(self, **{name: getattr(self, name)[column : column + 1] for name in names})

    @property
    def bounded(self) -> bool:
        """Whether the values have a high end, so that their mean can be bounded from above."""
        return bool(np.isfinite(self.high).all())

    def p_above(self, column: int, mean: float, *, networks: float | None = None) -> float:
        """Return the p-value of "the mean is at most this", valid at all looks.

        Parameters
        ----------
        column : int
            Which.
        mean : float
            In the values' own units; below the low end the p-value is 0, for no mean is there.
        networks : int, optional
            As if each bet had fared like this for so many networks.

        Returns
        -------
        float
        """
        x = (mean - self.low[column]) / self.unit[column]
        if self.bounded and x >= 1.0:
            return 1.0
        return self._p(self.rise[column], int(self.n[column]), float(x), networks)

    def p_below(self, column: int, mean: float, *, networks: float | None = None) -> float:
        """Return the p-value of "the mean is at least this"; 1 where values have no high end. As `p_above` otherwise."""
        if not self.bounded:
            return 1.0
        x = (self.high[column] - mean) / self.unit[column]
        return 1.0 if x >= 1.0 else self._p(self.fall[column], int(self.n[column]), float(x), networks)

    def bounds(self, column: int, level: float, *, networks: float | None = None) -> tuple[float, float]:
        """Return the ends of the means that are not excluded at a one-sided level each.

        Parameters
        ----------
        column : int
            Which.
        level : float
            One-sided, in (0, 0.5].
        networks : int, optional
            As in `p_above`.

        Returns
        -------
        low, high : float
            In the values' own units, within their ends.
        """
        unit, low, high = float(self.unit[column]), float(self.low[column]), float(self.high[column])
        least, below = (self._last(sums[column], column, level, networks) for sums in (self.rise, self.fall))
        return low + least * unit, high - below * unit if self.bounded else math.inf

    def _p(self, sums: Float64Array, n: int, x: float, networks: float | None) -> float:
        """1 / capital, at most 1, where x is the mean in units from the end that the bets are on."""
        if x < 0.0:
            return 0.0
        log_capital = self._log_capital(sums, n, x, networks)
        return math.exp(-log_capital) if log_capital > 0.0 else 1.0

    def _log_capital(self, sums: Float64Array, n: int, x: float, networks: float | None) -> float:
        bets, shares = _BOUNDED if self.bounded else _POSITIVE
        times = 1.0 if networks is None else networks / max(n, 1)
        gains = shares + times * (sums - n * np.log1p(bets * min(x, _HUGE)))
        largest = float(gains.max())
        return largest + math.log(float(np.exp(gains - largest).sum()))

    def _last(self, sums: Float64Array, column: int, level: float, networks: float | None) -> float:
        """The largest x at which the capital still excludes the mean; 0 if it does nowhere. It falls as x grows."""
        from scipy.optimize import brentq

        n = int(self.n[column])

        def excess(x: float) -> float:
            return self._log_capital(sums, n, x, networks) + math.log(level)

        if excess(0.0) <= 0.0:
            return 0.0
        most = 1.0  # where values have a high end no capital is left
        while excess(most) > 0.0:
            most *= 2.0
        return (1.0 - _ROUNDED) * float(brentq(excess, 0.0, most, xtol=1e-300, rtol=_ROUNDED))


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalMean(Outcome):
    """A mean over networks, judged by bets; what is proved holds for any number of networks and at all looks.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    theta : float
        The sample mean on the outcome's scale.
    se : float
        Standard error of theta as of any mean, for plans alone: no p-value uses it.
    df : float
        inf; no t law is involved.
    n : int
        Number of networks.
    statistic : float
        Logarithm of the larger capital against theta = 0, negative if that is the one for a smaller theta.
    pvalue : float
        Of the point null theta = 0: twice the smaller one-sided one, at most 1.
    note : str
        What a reader should know.
    floor : Floor
        Everywhere.
    certain : bool
        False.
    capital : Capital
        Of one column.
    null : float
        The mean at which theta is 0.
    scale : {"difference", "relative", "logarithm"}
        What theta is of mean and null.

    See Also
    --------
    capital_means : What makes them.
    """

    capital: Capital = field(repr=False, compare=False)
    null: float
    scale: MeanScale = "difference"

    def p_above(self, threshold: float) -> float:
        """p-value of the null "theta <= threshold", at this look or at any."""
        return self.capital.p_above(0, self.mean_at(threshold))

    def p_below(self, threshold: float) -> float:
        """p-value of the null "theta >= threshold", at this look or at any."""
        return self.capital.p_below(0, self.mean_at(threshold))

    def p_outside(self, delta: float) -> float:
        """p-value of the null "|theta| <= delta": by half of the capital on either side."""
        return min(1.0, 2.0 * min(self.p_above(delta), self.p_below(-delta)))

    def bounds(self, level: float) -> tuple[float, float]:
        """Bounds on theta that fail with at most this probability each, at this look or at any."""
        low, high = self.capital.bounds(0, level)
        return self._theta(low), self._theta(high)

    def radius(self, networks: float, level: float) -> float:
        """Distance from theta to the farther of its bounds, had every bet fared likewise for so many networks.

        Infinite where values have no high end.
        """
        low, high = (self._theta(end) for end in self.capital.bounds(0, level, networks=networks))
        return max(self.theta - low, high - self.theta)

    def radius_below(self, networks: float, level: float) -> float:
        """Distance from theta to its lower bound alone, had every bet fared likewise for so many networks."""
        return self.theta - self._theta(self.capital.bounds(0, level, networks=networks)[0])

    def guarantee(self, _level: float) -> Guarantee:
        """Return "proved"."""
        return "proved"

    def refusal(self, _level: float) -> str:
        """Return nothing: the bets are valid at every level."""
        return ""

    def mean_at(self, theta: float) -> float:
        """The mean, in the values' own units, of which theta is this."""
        return mean_at(theta, self.null, self.scale)

    def _theta(self, mean: float) -> float:
        return theta_of(mean, self.null, self.scale)


def theta_of(mean: float, null: float, scale: MeanScale) -> float:
    """A mean on the scale of an outcome; minus infinity for the logarithm of one that is not positive."""
    if scale == "difference":
        return mean - null
    if scale == "relative":
        return mean / null - 1.0
    return math.log(mean / null) if mean > 0.0 else -math.inf


def mean_at(theta: float, null: float, scale: MeanScale) -> float:
    """The mean of which theta is this on the scale of an outcome; the inverse of `theta_of`."""
    if scale == "difference":
        return null + theta
    if scale == "relative":
        return null * (1.0 + theta)
    return null * math.exp(min(theta, 709.0))


def capital_means(
    test: str, moments: Moments, capital: Capital, *, null: ArrayLike, scale: MeanScale = "difference"
) -> list[CapitalMean]:
    """Judge the mean of every column by bets.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    moments : Moments
        Of the table, for estimate and standard error.
    capital : Capital
        Of the same table.
    null : array_like
        The mean at which theta is 0, one for each column or one for all; > 0 unless the scale is "difference".
    scale : {"difference", "relative", "logarithm"}
        What theta is.

    Returns
    -------
    list of CapitalMean
        One per column.

    Raises
    ------
    ValueError
        If a column has fewer than two values, or, on the scale of a logarithm, only zeros.

    Examples
    --------
    >>> table = [[0.0], [0.1], [0.0], [0.05]] * 50
    >>> bets = Capital.of(table, low=0.0, high=1.0)
    >>> (mean,) = capital_means("level", Moments.of(table), bets, null=0.5, scale="relative")
    >>> mean.theta, mean.p_below(0.0)
    (-0.925, 2.94e-57)
    """
    nulls = np.broadcast_to(np.asarray(null, dtype=np.float64), capital.n.shape)
    found = []
    for i, (n, mean, sd, at) in enumerate(
        zip(capital.n.tolist(), moments.mean.tolist(), moments.sd.tolist(), nulls.tolist(), strict=True)
    ):
        if n < 2:
            msg = f"{n} of {moments.rows} networks have a value, {test} needs two or more; sample more networks"
            raise ValueError(msg)
        theta = theta_of(mean, at, scale)
        if not math.isfinite(theta):
            msg = f"column {i} is 0 in all networks, so a ratio to it has no logarithm; state a bound instead"
            raise ValueError(msg)
        slope = {"difference": 1.0, "relative": 1.0 / at if at else math.inf, "logarithm": 1.0 / mean if mean else 0.0}
        made = CapitalMean(
            test=test,
            theta=theta,
            se=sd / math.sqrt(n) * abs(slope[scale]),
            df=math.inf,
            n=n,
            statistic=0.0,
            pvalue=1.0,
            capital=capital.take(i),
            null=at,
            scale=scale,
        )
        found.append(replace(made, statistic=signed_evidence(made)).tested())
    return found


def signed_evidence(outcome: Outcome) -> float:
    """Minus the logarithm of the smaller one-sided p-value of theta = 0, negative where theta is the smaller."""
    above, below = outcome.p_above(0.0), outcome.p_below(0.0)
    nearer = min(above, below)
    if nearer == 1.0:
        return 0.0
    return math.copysign(-math.log(nearer) if nearer > 0.0 else math.inf, below - above)


def _sums(x: Float64Array, bets: Float64Array) -> Float64Array:
    """Sums of log(1 + c x) over the rows, one bet c after the other so that memory stays that of the table."""
    present = ~np.isnan(x)
    filled = np.where(present, x, 0.0)
    return np.stack([np.log1p(c * filled).sum(axis=0) for c in bets], axis=1)


def _check_ends(values: Float64Array, x: Float64Array, *, bounded: bool) -> None:
    """Refuse values beyond their ends, by more than single precision explains."""
    wrong = (x < -_ROUNDING) | ((x > 1.0 + _ROUNDING) if bounded else np.isinf(x))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        msg = (
            f"value {values[row, column]:.6g} of row {row} in column {column} lies outside the range that the quantity "
            "has by its definition; were quantities exchanged, or is the activation's stated range wrong?"
        )
        raise ValueError(msg)
