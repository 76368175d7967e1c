"""What every test returns: an estimate on the scale of its claim, with its uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special


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
        Standard error of `theta`, >= 0. Zero if every replicate gave the same value; then nothing is uncertain, and
        every p-value below is 0 or 1 by comparison.
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
    def from_estimate(cls, test: str, *, theta: float, se: float, df: float, n: int, note: str = "") -> Outcome:
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
        >>> Outcome.from_estimate("step_mean", theta=0.0, se=0.0, df=9, n=10).pvalue
        1.0
        """
        theta, se = float(theta), float(se)
        limit = math.copysign(math.inf, theta) if theta else 0.0
        statistic = theta / se if se else limit
        pvalue = 2.0 * float(special.stdtr(df, -abs(statistic)))
        return cls(test=test, theta=theta, se=se, df=float(df), n=int(n), statistic=statistic, pvalue=pvalue, note=note)

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
        """Two-sided t interval for theta.

        Parameters
        ----------
        level : float
            Nominal coverage, in (0, 1).

        Returns
        -------
        low, high : float
            Both equal to theta if the standard error is 0.

        Raises
        ------
        ValueError
            If the level is not inside (0, 1).
        """
        if not 0.0 < level < 1.0:
            msg = f"level must lie inside (0, 1), got {level}; for a 95 % interval write 0.95"
            raise ValueError(msg)
        half = float(special.stdtrit(self.df, 0.5 + level / 2.0)) * self.se
        return self.theta - half, self.theta + half

    def p_above(self, threshold: float) -> float:
        """Evidence that the truth lies above a threshold.

        Parameters
        ----------
        threshold : float
            On the scale of theta, finite.

        Returns
        -------
        float
            One-sided p-value of the null "theta <= threshold", P(T > (theta - threshold) / se). With se = 0 it is 0 if
            theta exceeds the threshold and 1 otherwise.
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
            One-sided p-value of the null "theta >= threshold", P(T > (threshold - theta) / se). With se = 0 it is 0 if
            theta is less than the threshold and 1 otherwise.
        """
        return self._tail(threshold - self.theta)

    def _tail(self, excess: float) -> float:
        """P(T > excess / se), where an excess of exactly 0 without any uncertainty is no evidence."""
        if not math.isfinite(excess):
            msg = f"a threshold must be finite, got {excess} beyond theta = {self.theta}"
            raise ValueError(msg)
        if self.se == 0.0:
            return 0.0 if excess > 0.0 else 1.0
        return float(special.stdtr(self.df, -excess / self.se))
