r"""Evidence about a variance ratio that may be looked at any number of times: the chi-square mixture, exact at every size.

Under Gaussian weights and zero or Gaussian biases, n_l times the pivot of a layer of n_l units is chi-square with n_l degrees
of freedom, independent over layers and networks. Whatever pivots are added up, their sum is a variance ratio (true weight
variance over the stated one) times a chi-square number of as many degrees of freedom as units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop._typing import Float64Array
from varprop.stats.mixture import NormalMixture

RatioAlternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True, slots=True)
class ScaleMixture:
    """The law that a variance ratio's likelihood is averaged over: inverse gamma, with its scale equal to its shape.

    Parameters
    ----------
    shape : float
        Greater than 0. The logarithm of the ratio has a variance of about 1 / shape under this law.

    Raises
    ------
    ValueError
        If the shape is not finite and > 0.

    Examples
    --------
    >>> ScaleMixture.tuned(160_000, alpha=0.05)
    ScaleMixture(shape=9741.9)
    """

    shape: float

    def __post_init__(self) -> None:
        if not 0.0 < self.shape < math.inf:
            msg = f"shape must be finite and > 0, got {self.shape}; ScaleMixture.tuned chooses it for a planned size"
            raise ValueError(msg)

    @classmethod
    def tuned(cls, planned_df: float, *, alpha: float) -> ScaleMixture:
        """Choose the mixture that is most powerful at planned degrees of freedom.

        Parameters
        ----------
        planned_df : float
            Units times networks at which a decision is expected, >= 1.
        alpha : float
            Two-sided level, in (0, 1); for a one-sided one twice that. The evidence is valid at any level.

        Returns
        -------
        ScaleMixture
            The data's log ratio has variance 2 / df where a mean has 1 / n: hence 1 / (2 shape) for the rho^2 of
            `NormalMixture.tuned`.

        Raises
        ------
        ValueError
            If a parameter is out of range.
        """
        return cls(1.0 / (2.0 * NormalMixture.tuned(planned_df, alpha=alpha).rho ** 2))


def variance_ratio_e_process(
    total: ArrayLike,
    df: ArrayLike,
    *,
    mixture: ScaleMixture,
    ratio: float = 1.0,
    alternative: RatioAlternative = "two-sided",
) -> Float64Array:
    r"""Return the logarithm of the evidence against a variance ratio, after each of many looks.

    Parameters
    ----------
    total : array_like
        Running sums of n_l times the pivots, >= 0: one per look.
    df : array_like
        Degrees of freedom of each sum, > 0: units times networks.
    mixture : ScaleMixture
        Chosen before the data were seen.
    ratio : float
        The ratio under the null, > 0.
    alternative : {"two-sided", "greater", "less"}
        What the evidence is for. One-sided, the null is that the ratio is at most (at least) the one given.

    Returns
    -------
    ndarray
        log E of every look. Under the null E ever reaches 1 / a with probability at most a, for every a and any number of
        looks, so `anytime_p_values` of it hold whenever one stops.

    Raises
    ------
    ValueError
        If a number is out of range.

    Notes
    -----
    If T = ratio r chi2_nu, the likelihood of r relative to r = 1 is :math:`r^{-\nu/2} e^{x (1 - 1/r)}` with
    x = T / (2 ratio). As pivots come in it is a martingale of mean 1 under the null, for every r, and so is its average over
    an inverse gamma law of r with shape and scale c. With k = c + nu / 2,

    .. math:: E = \frac{c^c \, \Gamma(k)}{\Gamma(c)} \; \frac{e^x}{(c + x)^k} .

    One-sided, the law of r is restricted to r > 1 (or r < 1), which multiplies E by the ratio of that event's posterior to
    its prior probability, P(k, c + x) / P(c, c) with P the regularised incomplete gamma function (for r < 1, 1 - P). The
    likelihood of an r > 1 increases with every pivot, and pivots increase stochastically with the truth, so a truth below the
    null's can only lower the mean of every factor: E is then a supermartingale.

    Examples
    --------
    >>> chi_squares = [24.1, 50.3, 78.9]  # about 1.5 times their degrees of freedom
    >>> log_e = variance_ratio_e_process(chi_squares, [16, 32, 48], mixture=ScaleMixture.tuned(48, alpha=0.05))
    >>> anytime_p_values(log_e)
    array([1. , 0.483, 0.122])
    """
    sums, degrees = _looks(total, df)
    if not 0.0 < ratio < math.inf:
        msg = f"ratio must be finite and > 0, got {ratio}; 1 says that the weights have their stated variance"
        raise ValueError(msg)
    shape = mixture.shape
    x, k = sums / (2.0 * ratio), shape + 0.5 * degrees
    excess = (shape + x - k) / k
    log_e = _least(shape, k) + k * (excess - np.log1p(excess))
    if alternative == "two-sided":
        return np.asarray(log_e)
    side = special.gammainc if alternative == "greater" else special.gammaincc
    with np.errstate(divide="ignore"):  # nothing at all for one side is log E = -inf
        return np.asarray(log_e + np.log(side(k, shape + x)) - math.log(float(side(shape, shape))))


def anytime_p_values(log_e: ArrayLike) -> Float64Array:
    """Return p-values from the evidence seen so far.

    Parameters
    ----------
    log_e : array_like, shape (..., looks)
        Logarithms of an e-process, in the order of the looks.

    Returns
    -------
    ndarray, shape (..., looks)
        One over the greatest E so far, at most 1; each is valid at whatever look one stops.

    Examples
    --------
    >>> anytime_p_values([-1.0, 2.0, 0.5])
    array([1. , 0.135, 0.135])
    """
    return np.exp(-np.maximum(np.maximum.accumulate(np.asarray(log_e, dtype=np.float64), axis=-1), 0.0))


def variance_ratio_sequence(
    total: ArrayLike, df: ArrayLike, *, mixture: ScaleMixture, level: float
) -> tuple[Float64Array, Float64Array]:
    r"""Return intervals for the true variance ratio that hold at all looks at once.

    Parameters
    ----------
    total, df : array_like
        As in `variance_ratio_e_process`, sums > 0.
    mixture : ScaleMixture
        Chosen before the data were seen.
    level : float
        Probability that no interval misses the truth, in (0, 1).

    Returns
    -------
    low, high : ndarray
        The ratios whose two-sided E is below 1 / (1 - level); high is infinite while there are too few degrees of freedom
        to exclude any large ratio.

    Raises
    ------
    ValueError
        If a number is out of range.

    Notes
    -----
    With c + x = k e^h in the notation of `variance_ratio_e_process`, log E is k (e^h - 1 - h) plus a constant: convex in h and
    least at h = 0, so the ratios that are not excluded form an interval, and its ends are the roots of e^h - 1 - h = b.

    Examples
    --------
    >>> variance_ratio_sequence(160_900.0, 160_000, mixture=ScaleMixture.tuned(160_000, alpha=0.05), level=0.95)
    (array(0.995), array(1.02))
    """
    sums, degrees = _looks(total, df)
    if not (sums > 0.0).all():
        msg = "sums must be > 0 for an interval; a layer that is 0 in all networks has no variance ratio"
        raise ValueError(msg)
    if not 0.0 < level < 1.0:
        msg = f"level must lie inside (0, 1), got {level}; for a 95 % sequence write 0.95"
        raise ValueError(msg)
    shape = mixture.shape
    k = shape + 0.5 * degrees
    height = (-math.log1p(-level) - _least(shape, k)) / k
    below, above = (np.asarray(end) for end in np.vectorize(_roots, otypes=[float, float])(height))
    x_low, x_high = k * np.exp(below) - shape, k * np.exp(above) - shape
    high = np.divide(sums, 2.0 * x_low, out=np.full(sums.shape, math.inf), where=x_low > 0.0)
    return np.asarray(sums / (2.0 * x_high)), high


def _least(shape: float, k: Float64Array) -> Float64Array:
    """The least value that log E can take: at a T equal to its degrees of freedom."""

    # What remains of log Gamma once its leading terms have cancelled.
    def remainder(at: Float64Array) -> Float64Array:
        return np.asarray(special.gammaln(at) - special.xlogy(at, at) + at)

    return np.asarray(remainder(k) - remainder(np.asarray(shape)))


def _roots(b: float) -> tuple[float, float]:
    """Both solutions of e^h - 1 - h = b > 0, bracketed by h^2 / 2 on either side and by -1 - h."""
    from scipy.optimize import brentq

    def excess(h: float) -> float:
        return math.expm1(h) - h - b

    quadratic = math.sqrt(2.0 * b)
    return float(brentq(excess, -1.0 - b, -quadratic, xtol=1e-15)), float(brentq(excess, 0.0, quadratic, xtol=1e-15))


def _looks(total: ArrayLike, df: ArrayLike) -> tuple[Float64Array, Float64Array]:
    """Take sums with their degrees of freedom."""
    sums, degrees = np.broadcast_arrays(np.asarray(total, dtype=np.float64), np.asarray(df, dtype=np.float64))
    if not (np.isfinite(sums).all() and (sums >= 0.0).all() and np.isfinite(degrees).all() and (degrees > 0.0).all()):
        msg = (
            "need finite sums >= 0 and degrees of freedom > 0, "
            f"got sums from {sums.min()} to {sums.max()} with {degrees.min()} to {degrees.max()} degrees of freedom"
        )
        raise ValueError(msg)
    return sums, degrees
