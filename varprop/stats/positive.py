"""Means of non-negative values of any law: a t test as far as the sample's skewness allows, and bets beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop._typing import Float64Array
from varprop.numerics.moments import Moments
from varprop.stats.capital import Capital, CapitalMean, MeanScale, capital_means, signed_evidence
from varprop.stats.outcome import Guarantee, Outcome
from varprop.stats.skewed import skewed_mean

_SHARE = 0.1
"""Of the level that bets are judged at; the t test has the rest. A tenth less costs a t test a hundredth of its networks."""
_FARTHEST, _HALVINGS, _HALVINGS_OF_SHARE = 1e3, 40, 60
_BETS_BELOW: Float64Array = np.power(2.0, np.arange(-9, 3))
"""What is bet on averages below a mean at many looks; about distance over variance is best."""
ASSUMES = "assumes that no rarer, larger networks than those sampled carry the mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class EitherMean(Outcome):
    """A mean judged by a t test at nine tenths of a level, and by bets at the tenth that is left.

    What the bets show is proved: lower bounds of any mean of values with a low end, and bounds on both sides where they have a
    high one too. What the t test shows has been measured, where it does not refuse.

    Parameters
    ----------
    test, theta, se, df, n, statistic, pvalue, note, floor, certain : str, float, int, Floor, bool
        As `Outcome` has them; those of the t test but for the p-value.
    t_test : Outcome
        The t test.
    bets : CapitalMean or GrowthBets
        Of the same values, on the same scale.

    See Also
    --------
    means_as_they_stand : What makes them.
    """

    t_test: Outcome = field(repr=False, compare=False)
    bets: Outcome = field(repr=False, compare=False)

    def p_above(self, threshold: float) -> float:
        """p-value of the null "theta <= threshold"."""
        return _either(self.t_test.p_above(threshold), self.bets.p_above(threshold))

    def p_below(self, threshold: float) -> float:
        """p-value of the null "theta >= threshold"."""
        return _either(self.t_test.p_below(threshold), self.bets.p_below(threshold))

    def p_outside(self, delta: float) -> float:
        """p-value of the null "|theta| <= delta"."""
        return _either(self.t_test.p_outside(delta), self.bets.p_outside(delta))

    def bounds(self, level: float) -> tuple[float, float]:
        """The narrower of both tests' bounds, on either side."""
        low, high = self.t_test.bounds((1.0 - _SHARE) * level)
        surely = self.bets.bounds(_SHARE * level)
        return max(low, surely[0]), min(high, surely[1])

    def radius(self, networks: float, level: float) -> float:
        """The smaller of both tests' distances, had the sample so many networks."""
        by_t = self.t_test.radius(networks, (1.0 - _SHARE) * level)
        return min(by_t, self.bets.radius(networks, _SHARE * level))

    def guarantee(self, level: float) -> Guarantee:
        """Return "measured" where the t test does not refuse, else what the bets rest on."""
        if not self.t_test.refusal((1.0 - _SHARE) * level):
            return "measured"
        return self.bets.guarantee(_SHARE * level)

    def refusal(self, level: float) -> str:
        """Why the t test refuses, where bets give no bound from above."""
        why = self.t_test.refusal((1.0 - _SHARE) * level)
        one_sided = math.isinf(self.bets.bounds(_SHARE * level)[1])
        return f"only lower bounds are proved: {why}" if why and one_sided else ""


def _either(by_t: float, by_bets: float) -> float:
    return min(1.0, by_t / (1.0 - _SHARE), by_bets / _SHARE)


def means_as_they_stand(
    test: str,
    moments: Moments,
    capital: Capital | None,
    *,
    null: ArrayLike,
    scale: MeanScale,
    refused: Sequence[str] | str = "",
) -> list[Outcome]:
    """Judge the mean of every column of values whose law is not known.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    moments : Moments
        Of the table, each column alone.
    capital : Capital or None
        Bets on the same table; None where values have no ends.
    null : array_like
        The mean at which theta is 0, > 0, one for each column or one for all.
    scale : {"relative", "logarithm"}
        What theta is; with bets on values >= 0, or for "relative" on any.
    refused : str or sequence of str
        Why the law of the values makes a t test impossible, whatever the sample; empty if it does not. Bets stand.

    Returns
    -------
    list of Outcome
        One per column: `EitherMean` where there are bets.

    Raises
    ------
    ValueError
        If a column has fewer than two values, or only zeros where a logarithm is taken.

    Notes
    -----
    No test can bound the mean of values without an upper end from above whatever their law [1]_: a value that is rare
    enough to be in no sample may carry half of the mean. So what the t test says about that side is measured, on laws like
    those of random networks, and refused where the sample's skewness says that a few networks carry the mean.

    References
    ----------
    .. [1] Bahadur & Savage (1956), Annals of Mathematical Statistics 27: the nonexistence of certain procedures.

    Examples
    --------
    >>> values = np.random.default_rng(1).gamma(8.0, 1 / 8, size=(400, 1))
    >>> bets = Capital.of(values, low=0.0, high=np.inf, unit=1.0)
    >>> (mean,) = means_as_they_stand("cumulative_mean", Moments.of(values), bets, null=1.0, scale="logarithm")
    >>> mean.theta, mean.guarantee(0.05)
    (-0.021, 'measured')
    """
    columns = len(moments.low)
    nulls = np.broadcast_to(np.asarray(null, dtype=np.float64), (columns,)).tolist()
    reasons = [refused] * columns if isinstance(refused, str) else list(refused)
    t_tests = [
        skewed_mean(test, moments.take(i), null=nulls[i], scale=scale, note=ASSUMES, refused=reasons[i])
        for i in range(columns)
    ]
    if capital is None:
        return [*t_tests]
    bets = capital_means(test, moments, capital, null=nulls, scale=scale)
    return [either(t_test, bet) for t_test, bet in zip(t_tests, bets, strict=True)]


def either(t_test: Outcome, bets: Outcome) -> EitherMean:
    """Put a t test and bets on the same mean, or growth, together."""
    parts = {one.name: getattr(t_test, one.name) for one in fields(Outcome)}
    return EitherMean(**parts, t_test=t_test, bets=bets).tested()


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthBets(Outcome):
    """Growth from one mean to another, bounded by bounds on both: proved as far as these are.

    If the ratio of the means is at most r, then for any c the last mean is at most r c, or the first one at least c. Half of
    the level goes to either.

    Parameters
    ----------
    test, theta, se, df, n, statistic, pvalue, note, floor, certain : str, float, int, Floor, bool
        As `Outcome` has them; theta is log(last / first) / steps less what is expected.
    last, first : Outcome
        The two means, on the scale of a logarithm.
    steps : int
        Steps between the two.

    See Also
    --------
    growth_bets : What makes one.
    """

    last: Outcome = field(repr=False, compare=False)
    first: Outcome = field(repr=False, compare=False)
    steps: int

    def p_above(self, threshold: float) -> float:
        """p-value of the null "theta <= threshold"."""
        shift = self.steps * (threshold - self.theta)
        return _split(
            lambda c: self.last.p_above(self.last.theta + shift + c), lambda c: self.first.p_below(self.first.theta + c)
        )

    def p_below(self, threshold: float) -> float:
        """p-value of the null "theta >= threshold"."""
        shift = self.steps * (threshold - self.theta)
        return _split(
            lambda c: self.last.p_below(self.last.theta + shift - c), lambda c: self.first.p_above(self.first.theta - c)
        )

    def p_outside(self, delta: float) -> float:
        """p-value of the null "|theta| <= delta": by half of the level on either side."""
        return _doubled(self, delta)

    def bounds(self, level: float) -> tuple[float, float]:
        """Bounds from those of both means, each at half the level."""
        (low, high), (least, most) = self.last.bounds(level / 2.0), self.first.bounds(level / 2.0)
        ends = (low - self.last.theta, most - self.first.theta), (high - self.last.theta, least - self.first.theta)
        return tuple(self.theta + (far - near) / self.steps for far, near in ends)  # type: ignore[return-value]

    def radius(self, networks: float, level: float) -> float:
        """Distance to a bound, had the sample so many networks."""
        return (self.last.radius(networks, level / 2.0) + self.first.radius(networks, level / 2.0)) / self.steps

    def guarantee(self, level: float) -> Guarantee:
        """Return the weaker of both means' guarantees: "proved" if both are."""
        both = {self.last.guarantee(level / 2.0), self.first.guarantee(level / 2.0)}
        return "proved" if both <= {"proved", "exact"} else "measured"

    def refusal(self, _level: float) -> str:
        """Return nothing: lower bounds are never refused."""
        return ""


def growth_bets(growth: Outcome, last: Outcome, first: Outcome, *, steps: int) -> GrowthBets:
    """Bound growth by bounds on the means at its ends.

    Parameters
    ----------
    growth : Outcome
        Estimate of log(last / first) / steps less what is expected.
    last, first : Outcome
        The two means, on the scale of a logarithm.
    steps : int
        Steps between the two.

    Returns
    -------
    GrowthBets
    """
    parts = {one.name: getattr(growth, one.name) for one in fields(Outcome)}
    return GrowthBets(**parts, last=last, first=first, steps=steps).tested()


def _split(of_last: Callable[[float], float], of_first: Callable[[float], float]) -> float:
    """Twice the smallest level at which both ends exclude, over where the line between them is drawn.

    The one p-value grows with it and the other falls.
    """
    low, high = 0.0, 1.0
    while of_first(high) > of_last(high) and high < _FARTHEST:
        high *= 2.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if of_first(middle) > of_last(middle) else (low, middle)
    return min(1.0, 2.0 * min(max(of_last(c), of_first(c)) for c in (low, high)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BennettMean(Outcome):
    r"""The mean of non-negative values whose relative variance has a known bound: proved on both sides.

    From below the truth is bounded by bets, which need no variance; from above by Bennett's inequality, since values that are
    not negative cannot pull their average far down: of N values of mean m and variance at most V m^2 the average falls below
    m (1 - t) with probability at most exp(-N V h(t / V)), h(u) = (1 + u) log(1 + u) - u.

    Parameters
    ----------
    test, theta, se, df, n, statistic, pvalue, note, floor, certain : str, float, int, Floor, bool
        As `Outcome` has them; theta is the logarithm of the average.
    bets : CapitalMean
        Of the same values, relative to 1.
    variance : float
        V.
    many : bool
        Whether the sample is one of many looks.

    See Also
    --------
    bennett_mean : What makes one.

    Notes
    -----
    The inequality is about one number of networks. With y a value over m, :math:`\exp(c \sum (1 - y_i) - N V (e^c - 1 - c))` is
    at most 1 in expectation for every c > 0, and never exceeds 1 / a with a larger probability than a at whatever look; at
    many looks the average over twelve values of c takes the inequality's place.
    """

    bets: CapitalMean = field(repr=False, compare=False)
    variance: float
    many: bool = False

    def p_above(self, threshold: float) -> float:
        """p-value of the null "theta <= threshold", by bets."""
        return self.bets.p_above(threshold)

    def p_below(self, threshold: float) -> float:
        """p-value of the null "theta >= threshold", by Bennett's inequality."""
        return self._p_missing(-math.expm1(min(self.theta - threshold, 0.0)), self.n)

    def p_outside(self, delta: float) -> float:
        """p-value of the null "|theta| <= delta": by half of the level on either side."""
        return _doubled(self, delta)

    def at_any_look(self) -> BennettMean:
        """Return the same as one of many looks."""
        return replace(self, many=True).tested()

    def bounds(self, level: float) -> tuple[float, float]:
        """Bounds on theta that fail with at most this probability each."""
        return self.bets.bounds(level)[0], self.theta + self._above(self.n, level)

    def radius(self, networks: float, level: float) -> float:
        """Distance to the farther bound, had the sample so many networks."""
        return max(self.bets.radius_below(networks, level), self._above(networks, level))

    def guarantee(self, _level: float) -> Guarantee:
        """Return "proved"."""
        return "proved"

    def refusal(self, _level: float) -> str:
        """Return nothing: the inequality holds at every level."""
        return ""

    def _p_missing(self, missing: float, networks: float) -> float:
        """p-value of a mean of which so large a share is missing in the average of so many networks."""
        if not self.many:
            return math.exp(-networks * self.variance * _bennett(missing / self.variance))
        log_capital = networks * (_BETS_BELOW * missing - self.variance * (np.expm1(_BETS_BELOW) - _BETS_BELOW))
        return math.exp(min(0.0, math.log(len(_BETS_BELOW)) - float(special.logsumexp(log_capital))))

    def _above(self, networks: float, level: float) -> float:
        """Distance to the upper bound: infinite where too few networks exclude no mean."""
        low, high = 0.0, 1.0
        if self._p_missing(high, networks) > level:
            return math.inf
        for _ in range(_HALVINGS_OF_SHARE):
            middle = (low + high) / 2.0
            low, high = (low, middle) if self._p_missing(middle, networks) <= level else (middle, high)
        return -math.log1p(-high) if high < 1.0 else math.inf


def bennett_mean(test: str, moments: Moments, capital: Capital, *, variance: float) -> BennettMean:
    """Judge the mean of one column of non-negative values that should be 1, given a bound on their relative variance.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    moments : Moments
        Of the column.
    capital : Capital
        Of the same column, with a low end of 0 and none above.
    variance : float
        At least the variance of a value over its squared mean, > 0.

    Returns
    -------
    BennettMean
        theta is the logarithm of the average.

    Raises
    ------
    ValueError
        If there are fewer than two values, or only zeros.

    Examples
    --------
    >>> values = np.random.default_rng(1).gamma(2.0, 0.5, size=(400, 1))
    >>> bets = Capital.of(values, low=0.0, high=np.inf, unit=1.0)
    >>> mean = bennett_mean("step_mean", Moments.of(values), bets, variance=0.5)
    >>> mean.bounds(0.05)
    (-0.167, 0.0408)
    """
    (bet,) = capital_means(test, moments, capital, null=1.0, scale="logarithm")
    made = BennettMean(
        test=test,
        theta=bet.theta,
        se=bet.se,
        df=math.inf,
        n=bet.n,
        statistic=0.0,
        pvalue=1.0,
        note="judged without a t test: the tails of the weights' law, or one unit, are too much for that",
        bets=bet,
        variance=variance,
    )
    return replace(made, statistic=signed_evidence(made)).tested()


def _doubled(outcome: Outcome, delta: float) -> float:
    """p-value of the null "|theta| <= delta" where each side has half of the level, as no law says how they share it."""
    return min(1.0, 2.0 * min(outcome.p_above(delta), outcome.p_below(-delta)))


def _bennett(u: float) -> float:
    """(1 + u) log(1 + u) - u."""
    return (1.0 + u) * math.log1p(u) - u
