"""What every test returns: an estimate on the scale of its claim, with its uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, Self

from scipy import special

from varprop.stats.distances import upper
from varprop.stats.floors import Everywhere, Floor, Refused

Guarantee = Literal["proved", "measured", "exact", "none"]
"""What a verdict rests on: an inequality that holds for any number of networks, a level that was measured over a stated
range, a law without chance, or nothing, so that there is no verdict."""

NO_SPREAD = "all networks show one value, which says nothing of how they vary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An estimate, its standard error, and the test that it is zero.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    theta : float
        Estimate of log(truth / prediction), so that 0 means that the prediction is right; for `zero_mean` the
        standardised mean.
    se : float
        Standard error of `theta`, >= 0. If it is 0, all replicates gave the same value; that is no evidence (every
        p-value is 1), unless the law is known to have no spread.
    df : float
        Degrees of freedom of the t law that (theta - truth) / se is referred to; inf for the normal law.
    n : int
        Number of independent replicates: networks, except in `weights_law`, where they are entries.
    statistic : float
        theta / se: plus or minus infinity if `se` alone is 0, and 0 if both are.
    pvalue : float
        Two-sided p-value of the point null theta = 0.
    note : str
        What a reader should know before believing the numbers; empty if there is nothing.
    floor : Floor
        At which levels, and from how many networks on, the reference law is known to hold.
    certain : bool
        Whether the law is known to have no spread, as that of constant weights: then every p-value is 0 or 1.

    Raises
    ------
    ValueError
        If a number is NaN, or outside the range given above.

    See Also
    --------
    Outcome.from_estimate : Computes the statistic and the p-value.

    Examples
    --------
    >>> outcome = Outcome.from_estimate("step_mean", theta=0.02, se=0.01, df=199, n=200)
    >>> outcome.pvalue
    0.0469
    >>> outcome.interval(0.95)
    (0.0003, 0.0397)
    >>> outcome.unit_variance
    0.02
    """

    test: str
    theta: float
    se: float
    df: float
    n: int
    statistic: float
    pvalue: float
    note: str = ""
    floor: Floor = Everywhere()  # noqa: RUF009 - frozen, and without a field
    certain: bool = False

    def __post_init__(self) -> None:
        valid = (
            math.isfinite(self.theta)
            and 0.0 <= self.se < math.inf
            and self.df > 0.0
            and self.n >= 2
            and not math.isnan(self.statistic)
            and 0.0 <= self.pvalue <= 1.0
        )
        if not valid:
            msg = (
                f"an Outcome needs a finite theta, a finite se >= 0, df > 0, n >= 2 and a p-value in [0, 1], got {self}; "
                "a NaN here comes from the arrays that were tested"
            )
            raise ValueError(msg)

    @classmethod
    def from_estimate(
        cls,
        test: str,
        *,
        theta: float,
        se: float,
        df: float,
        n: int,
        note: str = "",
        floor: Floor | None = None,
        certain: bool = False,
    ) -> Outcome:
        """Test theta = 0 by a two-sided t-test.

        Parameters
        ----------
        test : str
            The name that the test has in tables.
        theta, se : float
            Estimate and standard error, as in `Outcome`.
        df : float
            Degrees of freedom, > 0; inf for a normal reference law.
        n : int
            Number of independent replicates, >= 2.
        note : str
            What a reader should know.
        floor : Floor, optional
            Where the reference law holds; everywhere if None.
        certain : bool
            Whether the law is known to have no spread.

        Returns
        -------
        Outcome
            With `statistic` and `pvalue` filled in.

        Raises
        ------
        ValueError
            If a number is NaN or out of range.

        Examples
        --------
        >>> Outcome.from_estimate("step_mean", theta=0.5, se=0.0, df=9, n=10).pvalue
        1.0
        >>> Outcome.from_estimate("step_mean", theta=0.5, se=0.0, df=9, n=10, certain=True).pvalue
        0.0
        """
        theta, se = float(theta), float(se)
        limit = math.copysign(math.inf, theta) if theta else 0.0
        made = cls(
            test=test,
            theta=theta,
            se=se,
            df=float(df),
            n=int(n),
            statistic=theta / se if se else limit,
            pvalue=1.0,
            note=note,
            floor=Everywhere() if floor is None else floor,
            certain=certain,
        )
        return made.tested()

    def tested(self) -> Self:
        """Return the same estimate with the p-value of theta = 0: twice the smaller one-sided one, at most 1."""
        nearer = min(self.p_above(0.0), self.p_below(0.0))
        return replace(self, pvalue=min(1.0, 2.0 * nearer))

    @property
    def unit_variance(self) -> float:
        """Variance that one replicate contributes.

        Returns
        -------
        float
            n se^2, what a plan divides by the number of networks.
        """
        return self.n * self.se**2

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided interval for theta.

        Parameters
        ----------
        level : float
            Nominal coverage, in (0, 1).

        Returns
        -------
        low, high : float
            As `bounds` of half of what is missing to 1.

        Raises
        ------
        ValueError
            If the level is not inside (0, 1).
        """
        if not 0.0 < level < 1.0:
            msg = f"level must lie inside (0, 1), got {level}; for a 95 % interval write 0.95"
            raise ValueError(msg)
        return self.bounds((1.0 - level) / 2.0)

    def bounds(self, level: float) -> tuple[float, float]:
        """Lower and upper bound on theta, each of which fails with at most this probability.

        Parameters
        ----------
        level : float
            One-sided, in (0, 0.5].

        Returns
        -------
        low, high : float
            Minus and plus infinity where the test refuses the level. ``p_above(t) <= level`` for t below `low`,
            ``p_below(t) <= level`` for t above `high`.
        """
        half = self.radius(self.n, level)
        return self.theta - half, self.theta + half

    def radius(self, networks: float, level: float) -> float:
        """Distance of a one-sided bound from the estimate, had the sample so many networks.

        Parameters
        ----------
        networks : int
            >= 2.
        level : float
            One-sided, in (0, 0.5].

        Returns
        -------
        float
            Infinity where the test refuses the level for so many networks.
        """
        if self.se == 0.0:
            return 0.0 if self.certain else math.inf
        raw = self.floor.raw(level, self._at_risk(networks))
        df = self._at_risk(networks) - 1 if math.isfinite(self.df) else self.df
        if raw == 0.0 or df <= 0:
            return math.inf
        return upper(raw, df) * self.se * math.sqrt(self.n / networks)

    def p_above(self, threshold: float) -> float:
        """Evidence that the truth lies above a threshold.

        Parameters
        ----------
        threshold : float
            On the scale of theta, finite.

        Returns
        -------
        float
            One-sided p-value of the null "theta <= threshold", P(T > (theta - threshold) / se), as the floor dilates it. With
            se = 0 it is 1, unless the outcome is certain.
        """
        return self._tail(self.theta - threshold)

    def p_below(self, threshold: float) -> float:
        """Evidence that the truth lies below a threshold.

        Parameters
        ----------
        threshold : float
            On the scale of theta, finite.

        Returns
        -------
        float
            One-sided p-value of the null "theta >= threshold", P(T > (threshold - theta) / se), as the floor dilates it. With
            se = 0 it is 1, unless the outcome is certain.
        """
        return self._tail(threshold - self.theta)

    def p_outside(self, delta: float) -> float:
        """Evidence that the truth lies outside a margin.

        Parameters
        ----------
        delta : float
            Half-width of the margin on the scale of theta, finite and > 0.

        Returns
        -------
        float
            p-value of the null "|theta| <= delta": P(T > (|theta| - delta) / se) + P(T > (|theta| + delta) / se), the
            probability under a truth at the margin of an estimate as far out on either side.
        """
        if self.theta >= 0.0:
            return min(1.0, self.p_above(delta) + self.p_above(-delta))
        return min(1.0, self.p_below(-delta) + self.p_below(delta))

    def guarantee(self, level: float) -> Guarantee:
        """Say what a verdict at a one-sided level rests on.

        Parameters
        ----------
        level : float
            One-sided, in (0, 0.5].

        Returns
        -------
        {"proved", "measured", "exact", "none"}
            "none" where the test refuses the level.
        """
        if self.certain and self.se == 0.0:
            return "exact"
        return "none" if self.refusal(level) else "measured"

    def refusal(self, level: float) -> str:
        """Say why there is no verdict at a one-sided level, whatever the estimate; empty if there may be one."""
        if self.se == 0.0 and not self.certain:
            return self.floor.why if isinstance(self.floor, Refused) else NO_SPREAD
        return self.floor.reason(level, self._at_risk(self.n))

    def _at_risk(self, networks: float) -> int:
        """Of so many networks those that the reference law counts: all but the dead, one more than degrees of freedom."""
        return round(networks if math.isinf(self.df) else networks * (self.df + 1.0) / self.n)

    def _tail(self, excess: float) -> float:
        """P(T > excess / se), where an excess of exactly 0 without any uncertainty is no evidence."""
        if not math.isfinite(excess):
            msg = f"a threshold must be finite, got {excess} beyond theta = {self.theta}"
            raise ValueError(msg)
        if self.se == 0.0:
            return 0.0 if self.certain and excess > 0.0 else 1.0
        return self.floor.p(float(special.stdtr(self.df, -excess / self.se)), self._at_risk(self.n))
