"""Variances between networks: what one contributes where that is known beforehand, and the test of one sample's variance."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.numerics.randomness import named_generator

# Variance of one step's ratio under ReLU and He, by width n. A layer of n units has K ~ Bin(n, 1/2) positive ones, the
# squares of the two kinds being chi2_K and chi2_{n-K}. What a layer's activations keep is (2 / n) chi2_K, of variance 5 / n,
# 0 where K is 0; what its weights add is the pivot chi2_n / n, of variance 2 / n. A step of pre-activations is what the layer
# before keeps times this layer's pivot, of variance 7 / n to order 1 / n. Of one and the same layer the two have covariance
# 2 / n, so that neighbouring steps of pre-activations are correlated, and over depth they add up to as much as activations do.
_KEPT, _PIVOT, _COMMON = 5.0, 2.0, 2.0
_SPARE = 2
"""Networks that a mean's logarithm takes beyond those by the delta method, where there are few."""
_FEWEST_ALIVE = 1e-8
_MOST_STEPS = 2**16  # no network has more layers
"""Below this a billion networks leave ten alive."""


class Known(NamedTuple):
    """What a plan has to know of a test.

    ``variance`` is what one network contributes, ``alive`` the share of networks that are still at risk at the last step,
    ``spare`` how many networks the formula is short of where there are few.
    """

    variance: float
    alive: float = 1.0
    spare: int = 0


def _at_risk(width: int, steps: int) -> list[float]:
    """Shares of networks that are alive before each step: a layer of n units is dead with probability 2^-n."""
    return [float((1.0 - 2.0**-width) ** step) for step in range(steps)]


def _accumulated(width: int, steps: int) -> float:
    """Variance of a product over depth: each step is measured on the networks that are left."""
    return sum(_KEPT / width / share for share in _at_risk(width, steps))


def _pooled(variance: float) -> Callable[[int, int], float]:
    """Variance of the mean of independent steps."""
    return lambda n, steps: sum(variance / n / share for share in _at_risk(n, steps)) / steps**2


def _pooled_preactivations(width: int, steps: int) -> float:
    """Variance of the mean of steps of which neighbours share a layer."""
    shares = _at_risk(width, steps)
    alone = sum((_KEPT + _PIVOT) / width / share for share in shares)
    return (alone + sum(2.0 * _COMMON / width / share for share in shares[:-1])) / steps**2


def _last(variance: float) -> Callable[[int, int], float]:
    """Variance of the deepest of single steps, which has the fewest networks left."""
    return lambda n, steps: variance / n / _at_risk(n, steps)[-1]


_OVER_DEPTH = ("preactivation_second_moment", "activation_second_moment", "gradient_second_moment")
_VARIANCES: dict[tuple[str, str], Callable[[int, int], float]] = {
    **{("cumulative_mean", quantity): _accumulated for quantity in _OVER_DEPTH},
    **{("growth_rate", quantity): lambda n, steps: _accumulated(n, steps) / steps**2 for quantity in _OVER_DEPTH},
    ("step_mean", "pivot"): _last(_PIVOT),
    ("step_mean", "preactivation_second_moment"): _last(_KEPT + _PIVOT),
    ("step_mean", "activation_second_moment"): _last(_KEPT),
    ("step_mean", "gradient_second_moment"): _last(_KEPT),
    ("pooled_step_mean", "pivot"): _pooled(_PIVOT),
    ("pooled_step_mean", "preactivation_second_moment"): _pooled_preactivations,
    ("pooled_step_mean", "activation_second_moment"): _pooled(_KEPT),
    ("pooled_step_mean", "gradient_second_moment"): _pooled(_KEPT),
}


def known_variance(test: str | None, quantity: str, width: int | None, steps: int | None) -> Known:
    r"""Return the variance of log(truth / prediction) that one network contributes under ReLU and He.

    Parameters
    ----------
    test, quantity : str
        "cumulative_mean" or "growth_rate" of a second moment, "step_mean" or "pooled_step_mean" of one or of the pivot.
    width, steps : int
        Units of a layer, and the number of steps that the test is about.

    Returns
    -------
    Known
        The variance to order 1 / width, deaths counted, and the share of networks that are alive at the last step.

    Raises
    ------
    ValueError
        If it is not known, a number is missing or not positive, or so few networks live through all steps that no number
        of them would do.

    Notes
    -----
    A network whose signal has died is at risk in no later step, so the mean of step l is taken over a share
    :math:`a_l = (1 - 2^{-n})^{l - 1}` of them, and a sum of logarithms over L steps has the variance
    :math:`\sum_l V_l / (N a_l)` for N networks, :math:`V_l = \mathbb{E} r_l^2 / (\mathbb{E} r_l)^2 - 1`.

    Examples
    --------
    >>> known_variance("cumulative_mean", "gradient_second_moment", 50, 10).variance
    1.0
    >>> known_variance("growth_rate", "gradient_second_moment", 4, 20)
    Known(variance=0.123, alive=0.293, spare=2)
    """
    known = _VARIANCES.get((test or "", quantity))
    if known is None or width is None or steps is None or width < 1 or not 1 <= steps <= _MOST_STEPS:
        tests = ", ".join(dict.fromkeys(name for name, _ in _VARIANCES))
        msg = (
            f"need variance, or a test of {tests} with a quantity that it knows, width >= 1 and depth from 1 to {_MOST_STEPS}, "
            f"got test={quoted(test)}, quantity={quoted(quantity)}, width={width} and depth={steps}; "
            "a pilot's variance is its n times se^2"
        )
        raise ValueError(msg)
    alive = _at_risk(width, steps)[-1]
    if alive < _FEWEST_ALIVE:
        msg = (
            f"at width {width} one network in {1.0 / alive:.1g} lives through {steps} steps, so that no feasible number "
            "of networks shows what the last of them do; plan for fewer steps"
        )
        raise ValueError(msg)
    return Known(known(width, steps), alive, _SPARE)


# ---- the variance of one sample --------------------------------------------------------------------------------------


LEAST = 10
"""Variables that a sample has at least."""
CLOSED_FROM = 50
"""Variables from which on four cumulants are enough."""
_SAMPLES = 10**5
_MORE_SAMPLES = 10**6
_RARE = 0.0025
"""Where the smaller number of samples says so little, the larger one is taken."""
_EXTREMES = 10**4  # extremes of the larger number, at either end; some 2,500 of a tail that is rare
_PIECE = 2**21  # variables drawn at once
_SURE = 0.99
"""Of the upper end of Clopper and Pearson's interval that takes the place of a count over the number of samples."""


def resolved(n: int) -> float:
    """Return the smallest tail that is told.

    Parameters
    ----------
    n : int
        Number of variables.

    Returns
    -------
    float
        1e-6 from 100 variables on, 1e-5 with fewer. Simulated samples and the chi-square law bear the tails out so far, to a factor
        of 1.5.
    """
    return 1e-6 if n >= 100 else 1e-5


def log_cumulants(variance: float, n: int) -> tuple[float, float, float, float]:
    r"""First four cumulants of log(S^2 / u).

    Parameters
    ----------
    variance : float
        u >= 0, of one variable; 0 for the normal law, which is the limit.
    n : int
        Number of variables, N >= 2.

    Returns
    -------
    tuple of float
        Mean, variance, and the third and the fourth cumulant.

    Notes
    -----
    The cumulants of S^2, Fisher's second k-statistic, are known to the fourth [1]_; those of a Gamma variable of unit variance
    are :math:`\kappa_r = (r - 1)!\, u^{r/2 - 1}`. The logarithm being close to normal, its own are taken from
    :math:`\log \mathbb{E} (S^2/u)^r = \sum_j r^j \lambda_j / j!`, cut after j = 4, at r = 1 to 4: four equations for
    :math:`\lambda_1` to :math:`\lambda_4`.

    References
    ----------
    .. [1] Stuart & Ord (1994), Kendall's Advanced Theory of Statistics 1, chapter 12. Compared in the tests with simulated samples.

    Examples
    --------
    >>> log_cumulants(1.0, 50)[:2]
    (-0.0741, 0.148)
    """
    u, less = variance, n - 1
    second = 6 * u / n + 2 / less
    third = 120 * u**2 / n**2 + 72 * u / (n * less) + 16 * u * (n - 2) / (n * less**2) + 8 / less**2
    fourth = (
        5040 * u**3 / n**3
        + 2880 * u**2 / (n**2 * less)
        + 1536 * u**2 * (n - 2) / (n**2 * less**2)
        + 288 * u**2 * (4 * n**2 - 9 * n + 6) / (n**2 * less**3)
        + 864 * u / (n * less**2)
        + 384 * u * (n - 2) / (n * less**3)
        + 48 / less**3
    )
    # Moments about 0 of a variable of mean 1.
    moments = (1.0, 1 + second, 1 + 3 * second + third, 1 + 6 * second + 4 * third + fourth + 3 * second**2)
    found = _SOLVE @ np.log(moments)
    return float(found[0]), float(found[1]), float(found[2]), float(found[3])


_SOLVE: Float64Array = np.linalg.inv([[r**j / math.factorial(j) for j in range(1, 5)] for r in range(1, 5)])


def standardised(log_ratio: float, *, variance: float, n: int, doubt: float = 0.0) -> float:
    r"""What log(S^2 / u) is on a normal scale: as probable to be exceeded as the same number of a standard normal variable.

    Parameters
    ----------
    log_ratio : float
        log(S^2 / u).
    variance, n : float and int
        As in `log_cumulants`.
    doubt : float
        Variance of log u, where u is an estimate, >= 0.

    Returns
    -------
    float
        By Cornish and Fisher's expansion: with y the distance from the mean in standard deviations, g the skewness and k the
        excess kurtosis, :math:`y - g (y^2 - 1)/6 - k (y^3 - 3 y)/24 + g^2 (4 y^3 - 7 y)/36`.

    Examples
    --------
    >>> standardised(0.5, variance=1.0, n=50)
    1.50
    """
    mean, spread, third, fourth = log_cumulants(variance, n)
    spread += doubt
    skewness, excess = third / (spread * math.sqrt(spread)), fourth / spread**2
    # Farther out the polynomial would turn back; by then both tails are below what is resolved.
    y = min(6.5, max(-6.5, (log_ratio - mean) / math.sqrt(spread)))
    return y - skewness * (y**2 - 1) / 6 - excess * (y**3 - 3 * y) / 24 + skewness**2 * (4 * y**3 - 7 * y) / 36


def tails(log_ratio: float, *, variance: float, n: int, doubt: float = 0.0) -> tuple[float, float]:
    r"""Probabilities of a log(S^2 / u) as small and as large as the one observed.

    Parameters
    ----------
    log_ratio : float
        log(S^2 / u), as observed.
    variance, n, doubt : float, int and float
        As in `standardised`. Fewer than `CLOSED_FROM` variables take a doubt of 0.

    Returns
    -------
    low, high : float
        Never below `resolved`. From simulated samples, of which there are 100,000, and 1,000,000 where less than .0025 is left,
        they are upper ends of Clopper and Pearson's 99 % intervals.

    Raises
    ------
    ValueError
        If there are fewer than `LEAST` variables, or an estimated u with fewer than `CLOSED_FROM`.

    Examples
    --------
    >>> tails(0.5, variance=0.25, n=20), tails(0.5, variance=0.25, n=200)
    ((0.926, 0.0777), (1.000, 6.97e-05))
    """
    if n < LEAST or (doubt > 0.0 and n < CLOSED_FROM):
        msg = f"the law of a variance takes {LEAST} values or more, and {CLOSED_FROM} where u is estimated, got {n}"
        raise ValueError(msg)
    if n >= CLOSED_FROM:
        z = standardised(log_ratio, variance=variance, n=n, doubt=doubt)
        low, high = float(special.ndtr(z)), float(special.ndtr(-z))
        return max(resolved(n), low), max(resolved(n), high)
    few = _samples(variance, n)
    at_most, below = int(np.searchsorted(few, log_ratio, "right")), int(np.searchsorted(few, log_ratio, "left"))
    low, high = _upper_end(at_most, _SAMPLES), _upper_end(_SAMPLES - below, _SAMPLES)
    if low <= _RARE:
        smallest, _ = _extremes(variance, n)
        low = _upper_end(int(np.searchsorted(smallest, log_ratio, "right")), _MORE_SAMPLES)
    if high <= _RARE:
        _, largest = _extremes(variance, n)
        high = _upper_end(_EXTREMES - int(np.searchsorted(largest, log_ratio, "left")), _MORE_SAMPLES)
    return max(resolved(n), low), max(resolved(n), high)


def _upper_end(count: int, total: int) -> float:
    """The probability that is above a count's own with probability .99."""
    return float(special.betaincinv(count + 1, total - count, _SURE)) if count < total else 1.0


@lru_cache(maxsize=64)
def _samples(variance: float, n: int) -> Float64Array:
    """Simulated log(S^2 / u), sorted."""
    found = np.sort(_drawn(variance, n, _SAMPLES, "few"))
    found.flags.writeable = False
    return found


@lru_cache(maxsize=64)
def _extremes(variance: float, n: int) -> tuple[Float64Array, Float64Array]:
    """The smallest and the largest of more of them, sorted."""
    every = np.sort(_drawn(variance, n, _MORE_SAMPLES, "many"))
    ends = every[:_EXTREMES].copy(), every[-_EXTREMES:].copy()
    for end in ends:
        end.flags.writeable = False
    return ends


def _drawn(variance: float, n: int, samples: int, name: str) -> Float64Array:
    """Simulated log(S^2 / u), from a stream that u, N and the purpose name."""
    rng = named_generator("sample variance", name, repr(variance), str(n))
    shape, size = 1.0 / variance, max(1, _PIECE // n)
    found = np.empty(samples)
    for first in range(0, samples, size):
        drawn = rng.standard_gamma(shape, size=(min(size, samples - first), n))
        drawn -= shape  # so that no digits are lost where the shape is large
        total = drawn.sum(axis=1)
        found[first : first + size] = (np.einsum("ij,ij->i", drawn, drawn) - total**2 / n) / ((n - 1) * shape)
    # Of shapes far below 1 a whole sample may round to nothing.
    return np.log(np.maximum(found, np.finfo(np.float64).tiny))
