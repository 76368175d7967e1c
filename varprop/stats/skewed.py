"""Means of skewed values by Hall's transformed t test, which takes the first effect of skewness out of a t statistic."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from scipy import special

from varprop.numerics.moments import Moments
from varprop.stats.capital import MeanScale, mean_at, theta_of
from varprop.stats.floors import Floor, Refused, Skewed
from varprop.stats.mixture import NormalMixture
from varprop.stats.outcome import Outcome

_DOUBLINGS, _HALVINGS = 64, 50
_FAR_OUT = 1e50
"""Standard deviations between mean and threshold from which on the cubic is not worked out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkewedMean(Outcome):
    r"""A mean, or the ratio of two, judged by a t statistic without the first effect of its values' skewness.

    Made by `skewed_mean` and `skewed_ratio`. With W the mean of the networks' departures from a threshold in units of their
    standard deviation, and g their skewness, the t law is that of

    .. math:: \sqrt{n} \left(W + g W^2 / 3 + g^2 W^3 / 27 + g / (6 n)\right),

    a cubic that grows with W [1]_.

    Parameters
    ----------
    test, theta, se, df, n, statistic, pvalue, note, certain : str, float, int, bool
        As `Outcome` has them; theta is that of the sample means as they are.
    floor : Floor
        How far the sample's skewness lets one believe the test.
    squares : tuple of float
        Second central moments of two columns: of the first, of both, of the second (0 where there is one). Of a logarithm's
        each column is in units of its own mean, otherwise the one column in units of its standard deviation.
    cubes : tuple of float
        Third ones, of the first thrice, twice, once, and of the second thrice.
    scale : {"difference", "relative", "logarithm"}
        What theta is.
    null : float
        The mean, or ratio, at which theta is 0.
    mean, unit : float
        The sample's mean and standard deviation; 1 of a logarithm.
    steps : int
        What the logarithm is divided by.
    mixture : NormalMixture, optional
        Where the sample is one of many looks: p-values are those of this mixture.

    References
    ----------
    .. [1] Hall (1992), Journal of the Royal Statistical Society B 54: on the removal of skewness by transformation.
    """

    squares: tuple[float, float, float]
    cubes: tuple[float, float, float, float]
    scale: MeanScale = "logarithm"
    null: float = 1.0
    mean: float = 1.0
    unit: float = 1.0
    steps: int = 1
    mixture: NormalMixture | None = field(default=None, repr=False)

    def bounds(self, level: float) -> tuple[float, float]:
        """Lower and upper bound on theta; infinite where the test refuses the level."""
        return self.theta - self._reach(-1.0, self.n, level), self.theta + self._reach(1.0, self.n, level)

    def radius(self, networks: float, level: float) -> float:
        """Distance from theta to the farther of its bounds, had the sample so many networks and the same skewness."""
        return max(self._reach(side, networks, level) for side in (-1.0, 1.0))

    def p_above(self, threshold: float) -> float:
        """p-value of the null "theta <= threshold"."""
        return self._p(threshold, -1.0)

    def p_below(self, threshold: float) -> float:
        """p-value of the null "theta >= threshold"."""
        return self._p(threshold, 1.0)

    def p_outside(self, delta: float) -> float:
        """p-value of the null "|theta| <= delta"; at any look by half of the level on either side."""
        if self.mixture is None:
            return Outcome.p_outside(self, delta)
        return min(1.0, 2.0 * min(self.p_above(delta), self.p_below(-delta)))

    def at_any_look(self, mixture: NormalMixture) -> SkewedMean:
        """Return the same as one of many looks."""
        return replace(self, mixture=mixture).tested()

    def _p(self, threshold: float, sign: float) -> float:
        """The p-value of what the statistic, times a sign, is small under."""
        if not math.isfinite(threshold):
            msg = f"a threshold must be finite, got {threshold}"
            raise ValueError(msg)
        if self.se == 0.0:
            return 0.0 if self.certain and sign * (threshold - self.theta) > 0.0 else 1.0
        return self.floor.p(self._raw(threshold, sign, self.n), self.n)

    def _raw(self, threshold: float, sign: float, networks: float) -> float:
        statistic = sign * self._statistic(threshold, networks)
        if self.mixture is None:
            return float(special.stdtr(networks - 1, statistic))
        return math.exp(min(0.0, -float(self.mixture.log_e_value(-statistic, networks))))

    def _weighed(self, threshold: float) -> tuple[float, float, float]:
        """By how much the mean lies above that at a threshold, and the weights of both columns in the values of that mean."""
        if self.scale != "logarithm":
            return (self.mean - mean_at(threshold, self.null, self.scale)) / self.unit, 1.0, 0.0
        factor = math.exp(min(self.steps * (threshold - self.theta), 700.0))
        if factor <= 1.0 or self.squares[2] == 0.0:
            return 1.0 - factor, 1.0, factor
        return 1.0 / factor - 1.0, 1.0 / factor, 1.0

    def _statistic(self, threshold: float, networks: float) -> float:
        """Hall's statistic of the values less what they are at a threshold."""
        gap, a, b = self._weighed(threshold)
        aa, ab, bb = self.squares
        aaa, aab, abb, bbb = self.cubes
        if bb == 0.0:
            b = 0.0  # a column without spread, whose weight may be beyond all squares
        variance = a * a * aa - 2.0 * a * b * ab + b * b * bb
        third = a**3 * aaa - 3.0 * a * a * b * aab + 3.0 * a * b * b * abb - b**3 * bbb
        w = gap / math.sqrt(variance * self.n / (self.n - 1)) if variance > 0.0 else math.copysign(math.inf, gap)
        if abs(w) > _FAR_OUT:
            return w
        skewness = third / variance**1.5
        cubic = w + skewness * w**2 / 3.0 + skewness**2 * w**3 / 27.0 + skewness / (6.0 * networks)
        return math.sqrt(networks) * float(cubic)

    def _reach(self, side: float, networks: float, level: float) -> float:
        """How far from theta thresholds on one side are not excluded at a level, by doubling and halving."""
        if self.se == 0.0:
            return 0.0 if self.certain else math.inf
        raw = self.floor.raw(level, networks)
        if raw == 0.0:
            return math.inf

        def excluded(far: float) -> bool:
            return self._raw(self.theta + side * far, side, networks) <= raw

        high = self.se * math.sqrt(self.n / networks)
        for _ in range(_DOUBLINGS):
            if excluded(high):
                break
            high *= 2.0
        else:
            return math.inf
        low = 0.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            low, high = (low, middle) if excluded(middle) else (middle, high)
        return high


def skewed_mean(
    test: str, column: Moments, *, null: float, scale: MeanScale, note: str = "", refused: str = ""
) -> SkewedMean:
    """Judge the mean of one column.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    column : Moments
        Of one column.
    null : float
        The mean at which theta is 0; > 0 unless the scale is "difference".
    scale : {"difference", "relative", "logarithm"}
        What theta is.
    note : str
        What a reader should know.
    refused : str
        Why the law of the values makes a t test impossible, whatever the sample; empty if it does not.

    Returns
    -------
    SkewedMean

    Raises
    ------
    ValueError
        If there are fewer than two values, or the mean is not positive where its logarithm is taken.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.random.default_rng(1).gamma(2.0, 0.5, size=(400, 1))
    >>> found = skewed_mean("level", Moments.of(values), null=1.0, scale="logarithm")
    >>> found.theta, found.interval(0.95)
    (-0.0524, (-0.118, 0.0162))
    """
    n, mean, sd = int(column.n[0]), float(column.mean[0]), float(column.sd[0])
    if n < 2:
        msg = f"{n} of {column.rows} networks have a value, {test} needs two or more; sample more networks"
        raise ValueError(msg)
    if scale == "logarithm" and not mean > 0.0:
        msg = f"the mean over {n} networks is {mean:g}, which has no logarithm; test exact equality, or leave this layer out"
        raise ValueError(msg)
    skewness = float(column.skewness[0])
    logarithm = scale == "logarithm"
    # In units of the mean, or, lest that be 0 or negative, of the standard deviation.
    spread = sd / mean if logarithm else float(sd > 0.0)
    variance = spread**2 * (n - 1) / n
    slope = {"difference": sd, "relative": sd / null if null else sd, "logarithm": spread}[scale]
    return _made(
        test,
        theta=theta_of(mean, null, scale),
        se=slope / math.sqrt(n),
        n=n,
        note=note,
        floor=Refused(refused) if refused else Skewed(skewness),
        squares=(variance, 0.0, 0.0),
        cubes=(0.0 if math.isnan(skewness) else skewness * variance**1.5, 0.0, 0.0, 0.0),
        scale=scale,
        null=null,
        mean=mean,
        unit=sd if sd > 0.0 and not logarithm else 1.0,
        steps=1,
    )


def skewed_ratio(
    test: str, pair: Moments, *, steps: int, expected: float, note: str = "", refused: str = ""
) -> SkewedMean:
    """Judge the growth per step from the mean of a second column to that of the first.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    pair : Moments
        Of two full columns of positive mean, with third moments of pairs.
    steps : int
        Steps between the two.
    expected : float
        Log-rate per step at which theta is 0.
    note, refused : str
        As in `skewed_mean`.

    Returns
    -------
    SkewedMean
        theta is log(mean of the first / mean of the second) / steps less what is expected.

    Raises
    ------
    ValueError
        If a row lacks a value, there are fewer than two, or a mean is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> steps = np.random.default_rng(1).gamma(8.0, 1 / 8, size=(400, 2))
    >>> columns = np.column_stack([steps.prod(axis=1), steps[:, 0]])
    >>> found = skewed_ratio("growth_rate", Moments.of(columns, thirds=True), steps=1, expected=0.0)
    >>> found.theta, found.interval(0.95)
    (-0.013, (-0.0473, 0.0224))
    """
    means = [float(mean) for mean in pair.mean]
    if pair.rows < 2 or not all(mean > 0.0 for mean in means):
        msg = f"growth needs two networks or more and positive means, got {pair.rows} networks with means {means}"
        raise ValueError(msg)
    squares, cubes = pair.relative_moments()
    influence = squares[0] - 2.0 * squares[1] + squares[2]
    log_ratio = math.log(means[0]) - math.log(means[1])
    return _made(
        test,
        theta=log_ratio / steps - expected,
        se=math.sqrt(max(influence, 0.0) / (pair.rows - 1)) / steps,
        n=pair.rows,
        note=note,
        floor=Refused(refused) if refused else Skewed(pair.skewness_of((1.0, -1.0))),
        squares=squares,
        cubes=cubes,
        scale="logarithm",
        null=1.0,
        mean=1.0,
        unit=1.0,
        steps=steps,
    )


def _made(
    test: str,
    *,
    theta: float,
    se: float,
    n: int,
    note: str,
    floor: Floor,
    squares: tuple[float, float, float],
    cubes: tuple[float, float, float, float],
    scale: MeanScale,
    null: float,
    mean: float,
    unit: float,
    steps: int,
) -> SkewedMean:
    """The outcome with its statistic and p-value."""
    made = SkewedMean(
        test=test,
        theta=theta,
        se=se,
        df=float(n - 1),
        n=n,
        statistic=theta / se if se else math.copysign(math.inf, theta) if theta else 0.0,
        pvalue=1.0,
        note=note,
        floor=floor,
        squares=squares,
        cubes=cubes,
        scale=scale,
        null=null,
        mean=mean,
        unit=unit,
        steps=steps,
    )
    return made.tested()
