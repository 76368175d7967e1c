"""Robbins' normal mixture: evidence against a mean that stays evidence at every look, and the boundary that it makes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop._typing import Float64Array

Alternative = Literal["greater", "two-sided"]

# Newton's steps from the upper bound of the root below: the fifth no longer moves it in double precision, at any level.
_NEWTON_STEPS = 8


@dataclass(frozen=True, slots=True)
class NormalMixture:
    r"""Robbins' normal mixture: a bound that standardised sums stay below for all time.

    Parameters
    ----------
    rho : float
        Standard deviation of the mixing law, > 0, in standard deviations of a single observation. Small values make the
        bound tight late, large ones early; see `tuned`.

    Raises
    ------
    ValueError
        If rho is not finite and > 0.

    Notes
    -----
    Let S_n be a sum of n independent standard normal numbers. For every fixed lambda, exp(lambda S_n - lambda^2 n / 2) is a
    martingale of mean 1, hence so is its average over lambda ~ N(0, rho^2). With u = n rho^2, z = S_n / sqrt(n) and
    x = z sqrt(u / (1 + u)), completing the square gives it in closed form, and averaging over the positive half of the
    normal law (times 2) instead gives the one-sided version:

    .. math::
        E_n = (1 + u)^{-1/2} e^{x^2 / 2}, \qquad E_n^+ = 2 (1 + u)^{-1/2} e^{x^2 / 2} \Phi(x) .

    A non-negative martingale that starts at 1 ever reaches 1 / alpha with probability at most alpha (Ville's inequality).
    So all n at once satisfy, with probability at least 1 - alpha,

    .. math:: |S_n| < \sqrt{2 \, (n + \rho^{-2}) \log(\sqrt{1 + n \rho^2} / \alpha)} ,

    and S_n is below the solution of E+ = 1 / alpha. If the numbers have a mean below 0, lambda > 0 makes of E+ a
    supermartingale, so the one-sided version also holds for "the mean is at most 0". The two-sided bound at level
    2 alpha is a little smaller than the one-sided one at alpha, because it may count a path that crosses on both sides
    only once.

    References
    ----------
    .. [1] Robbins (1970), Annals of Mathematical Statistics 41: statistical methods related to the law of the iterated
       logarithm.
    .. [2] Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Annals of Statistics 52: time-uniform central limit theory
       and asymptotic confidence sequences.

    Examples
    --------
    >>> mixture = NormalMixture.tuned(1000, alpha=0.05)
    >>> mixture.bound(1000, alpha=0.05, alternative="two-sided")
    array(3.04)
    """

    rho: float

    def __post_init__(self) -> None:
        if not 0.0 < self.rho < math.inf:
            msg = f"rho must be finite and > 0, got {self.rho}; NormalMixture.tuned chooses it for a planned number"
            raise ValueError(msg)

    @classmethod
    def tuned(cls, planned: float, *, alpha: float) -> NormalMixture:
        r"""Choose the mixture whose two-sided bound is smallest at a planned number of observations.

        Parameters
        ----------
        planned : float
            Number of observations at which a decision is expected, >= 1. Ten times more or fewer costs little.
        alpha : float
            Two-sided error of the bound, in (0, 1); for the one-sided bound at a, twice a.

        Returns
        -------
        NormalMixture

        Raises
        ------
        ValueError
            If a parameter is out of range.

        Notes
        -----
        With v = 1 + n rho^2, the squared bound on z is v log(v / alpha^2) / (v - 1). Its derivative vanishes where
        v - log v = 1 - log alpha^2, so v = -W(-alpha^2 / e) with the lower branch of Lambert's function.
        """
        if not 1.0 <= planned < math.inf:
            msg = f"planned must be a number of observations >= 1, got {planned}; write for example 2000"
            raise ValueError(msg)
        check_alpha(alpha)
        # alpha^2 underflows in no report: beyond this the bound hardly depends on the tuning.
        v = -special.lambertw(-(max(alpha, 1e-150) ** 2) / math.e, -1).real
        return cls(math.sqrt((v - 1.0) / planned))

    def log_e_value(self, z: ArrayLike, n: ArrayLike, *, alternative: Alternative = "greater") -> Float64Array:
        """Return the logarithm of the evidence against "the mean is 0" (one-sided: "at most 0").

        Parameters
        ----------
        z : array_like
            Sums of standardised observations over the root of their number: estimate over its standard error.
        n : array_like
            Numbers of observations, > 0, of a shape that broadcasts with z.
        alternative : {"greater", "two-sided"}
            What the evidence is for.

        Returns
        -------
        ndarray
            log E, of the broadcast shape. min(1, exp(-log E)) is a p-value at whatever moment one stops.
        """
        u = np.asarray(n, dtype=np.float64) * self.rho**2
        x = np.asarray(z, dtype=np.float64) * np.sqrt(u / (1.0 + u))
        both = 0.5 * (x * x - np.log1p(u))
        return np.asarray(both if alternative == "two-sided" else both + math.log(2.0) + special.log_ndtr(x))

    def bound(self, n: ArrayLike, *, alpha: float, alternative: Alternative = "greater") -> Float64Array:
        """Return the bound on an estimate over its standard error.

        Parameters
        ----------
        n : array_like
            Numbers of observations, > 0.
        alpha : float
            Probability that z (two-sided: its absolute value) ever reaches the bound, in (0, 0.5].
        alternative : {"greater", "two-sided"}
            Which of the two.

        Returns
        -------
        ndarray
            z at which `log_e_value` is log(1 / alpha), of the shape of n.

        Raises
        ------
        ValueError
            If alpha is out of range.
        """
        if not 0.0 < alpha <= 0.5:
            msg = f"alpha must lie in (0, 0.5], got {alpha}; for a bound that holds with 95 % write 0.05"
            raise ValueError(msg)
        u = np.asarray(n, dtype=np.float64) * self.rho**2
        target = 0.5 * np.log1p(u) - math.log(alpha)
        x = np.sqrt(2.0 * target) if alternative == "two-sided" else _one_sided_root(target - math.log(2.0))
        return np.asarray(x * np.sqrt((1.0 + u) / u))


def _one_sided_root(target: Float64Array) -> Float64Array:
    """Solve x^2 / 2 + log Phi(x) = target >= 0: Newton's steps descend from above, since the left side is convex."""
    x = np.sqrt(2.0 * (target + math.log(2.0)))
    for _ in range(_NEWTON_STEPS):
        log_below = special.log_ndtr(x)
        slope = x + np.exp(-0.5 * x * x - log_below) / math.sqrt(2.0 * math.pi)
        x = x - (0.5 * x * x + log_below - target) / slope
    return np.asarray(x)


def check_alpha(alpha: float) -> None:
    """Refuse an error probability out of range."""
    if not 0.0 < alpha < 1.0:
        msg = f"alpha must lie in (0, 1), got {alpha}; write for example 0.05"
        raise ValueError(msg)
