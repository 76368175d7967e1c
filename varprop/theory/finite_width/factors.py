r"""Independent positive factors whose product is a layer's mean square, each known by the law of its logarithm.

A Gaussian layer multiplies the mean square by chi2_n / n, whatever came before. A positively homogeneous activation
keeps a share of it that depends on the direction of z alone, which is uniform on the sphere: with K units positive,
K ~ Bin(n, 1/2), these hold a share B ~ Beta(K/2, (n - K)/2) of the sum of squares, and phi leaves a B + b (1 - B), where
a and b are its squared slopes. Norm and direction of a Gaussian vector are independent, and so are all these factors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

from varprop._typing import Float64Array
from varprop.theory.finite_width.chain import Slopes

ComplexArray = NDArray[np.complex128]

_NODES, _MASSES = np.polynomial.legendre.leggauss(20)
_PHASE = 12.0  # radians of exp(i t y) over one panel that 20 Gauss-Legendre nodes integrate to rounding
_NEGLIGIBLE = 1e-19  # of a binomial probability
_STIRLING = 16.0  # from here five terms of Stirling's series are good to 1e-17


class Factor(Protocol):
    """What the sum of logarithms needs of one factor, given that it is not 0."""

    @property
    def alive(self) -> float:
        """Probability that the factor is not 0."""
        ...

    @property
    def lowest(self) -> float:
        """E[T^s] exists for Re s above this."""
        ...

    @property
    def highest(self) -> float:
        """E[T^s] is accurate for imaginary parts of s up to this."""
        ...

    @property
    def log_moments(self) -> tuple[float, float]:
        """Mean and variance of ln T, given T > 0."""
        ...

    @property
    def moments(self) -> tuple[float, float]:
        """E[T], and Var(T) / E[T]^2, with T = 0 counted."""
        ...

    def log_mgf(self, s: ComplexArray) -> ComplexArray:
        """The logarithm of E[T^s] given T > 0, up to multiples of 2 pi i."""
        ...


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """chi2_n / n: the mean square of n independent standard normals."""

    n: int

    alive = 1.0
    highest = math.inf

    @property
    def lowest(self) -> float:
        """-n/2."""
        return -self.n / 2

    @property
    def log_moments(self) -> tuple[float, float]:
        """psi(n/2) - ln(n/2) and psi_1(n/2)."""
        return float(special.digamma(self.n / 2) - math.log(self.n / 2)), float(special.polygamma(1, self.n / 2))

    @property
    def moments(self) -> tuple[float, float]:
        """1 and 2/n."""
        return 1.0, 2 / self.n

    def log_mgf(self, s: ComplexArray) -> ComplexArray:
        """See `log_chi_square`."""
        return log_chi_square(np.array(float(self.n)), s)


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The share of its square that a vector of size `before` keeps in `after` coordinates, over after / before.

    Beta(after/2, (before - after)/2): what a rectangular orthogonal matrix does to a vector that it shortens.
    """

    after: int
    before: int

    alive = 1.0
    highest = math.inf

    @property
    def lowest(self) -> float:
        """-after/2."""
        return -self.after / 2

    @property
    def log_moments(self) -> tuple[float, float]:
        """Differences of those of two chi-squares."""
        (m1, v1), (m2, v2) = ChiSquare(self.after).log_moments, ChiSquare(self.before).log_moments
        return m1 - m2, v1 - v2

    @property
    def moments(self) -> tuple[float, float]:
        """1 and the relative variance of a beta law."""
        return 1.0, 2 * (self.before - self.after) / (self.after * (self.before + 2))

    def log_mgf(self, s: ComplexArray) -> ComplexArray:
        """By gamma functions, as those of two chi-squares."""
        return log_chi_square(np.array(float(self.after)), s) - log_chi_square(np.array(float(self.before)), s)


@dataclass(frozen=True, slots=True)
class Share:
    """What a homogeneous activation leaves of the square of n units in uniform direction: a B + b (1 - B).

    ``slopes`` are (a, b), at least one of them > 0, and different: else the share is no random number.
    """

    n: int
    slopes: Slopes

    @property
    def alive(self) -> float:
        """1 - 2^-n where one side is flat, else 1."""
        return 1 - 2.0**-self.n if self.slopes.can_die else 1.0

    @property
    def lowest(self) -> float:
        """By the fewest units that may hold all, else minus infinity: the share is bounded away from 0."""
        return float(-_positive_units(self.n)[0][0] / 2) if self.slopes.can_die else -math.inf

    @property
    def highest(self) -> float:
        """What the nodes of the mixture are made for; no bound where there is a formula."""
        return math.inf if self.slopes.can_die else _resolved(self.n)

    @property
    def moments(self) -> tuple[float, float]:
        """From E[B] = 1/2, E[B^2] = E[K (K + 2)] / (n (n + 2)) = (n + 5) / (4 (n + 2))."""
        mean, fourth = self.slopes.second, self.slopes.fourth
        return mean, 3 * (fourth / mean**2 - 1) / (self.n + 2)

    @property
    def log_moments(self) -> tuple[float, float]:
        """By digamma functions where one side is flat, else by quadrature."""
        if self.slopes.can_die:
            k, probability = _positive_units(self.n)
            means = special.digamma(k / 2) - special.digamma(self.n / 2)
            mean = float(probability @ means)
            spread = special.polygamma(1, k / 2) - special.polygamma(1, self.n / 2)
            return math.log(max(self.slopes)) + mean, float(probability @ (spread + (means - mean) ** 2))
        y, mass = _share_nodes(self.n, *self.slopes)
        mean = float(mass @ y)
        return mean, float(mass @ (y - mean) ** 2)

    def log_mgf(self, s: ComplexArray) -> ComplexArray:
        """A binomial mixture of beta laws: by gamma functions where one side is flat, else by quadrature."""
        if not self.slopes.can_die:
            y, mass = _share_nodes(self.n, *self.slopes)
            return _log_mixture(np.log(mass)[:, None] + y[:, None] * s)
        k, probability = _positive_units(self.n)
        terms = log_chi_square(k[:, None], s) + s * np.log(k / self.n)[:, None] + np.log(probability)[:, None]
        kept: ComplexArray = _log_mixture(terms) - log_chi_square(np.array(float(self.n)), s)
        return kept + s * math.log(max(self.slopes))


def log_chi_square(k: Float64Array, s: ComplexArray) -> ComplexArray:
    r"""The logarithm of E[(chi2_k / k)^s], ln Gamma(k/2 + s) - ln Gamma(k/2) - s ln(k/2).

    The gamma functions of a wide layer are huge and nearly cancel; where k/2 is large, Stirling's series is subtracted
    term by term, and the error stays near 1e-16 \|s\|.
    """
    a, s = np.broadcast_arrays(k / 2, s)
    large = (a > 2 * _STIRLING) & ((a + s).real > _STIRLING)
    result = np.empty(a.shape, dtype=np.complex128)
    b, r = a[~large], s[~large]
    result[~large] = special.loggamma(b + r) - special.gammaln(b) - r * np.log(b)
    b, r = a[large], s[large]
    result[large] = (b + r - 0.5) * _log1p(r / b) - r + _stirling(b + r) - _stirling(b + 0j)
    return result


def _log1p(z: ComplexArray) -> ComplexArray:
    """ln(1 + z) without loss at small z; NumPy's is not accurate for complex arguments."""
    x, y = z.real, z.imag
    return 0.5 * np.log1p(x * (2 + x) + y * y) + 1j * np.arctan2(y, 1 + x)


def _stirling(z: ComplexArray) -> ComplexArray:
    """Stirling's series: ln Gamma(z) - (z - 1/2) ln z + z - ln(2 pi)/2."""
    w = 1 / (z * z)
    return (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / z


def _log_mixture(terms: ComplexArray) -> ComplexArray:
    """Logarithm of the sum of exp(terms) over the first axis, safe from overflow."""
    largest = terms.real.max(axis=0)
    total = np.exp(terms - largest).sum(axis=0)
    # A sum that cancels to exactly 0 stands for one below rounding.
    total[total == 0] = np.finfo(np.float64).tiny
    log: ComplexArray = np.log(total) + largest
    return log


@lru_cache(maxsize=64)
def _positive_units(n: int) -> tuple[Float64Array, Float64Array]:
    """Numbers of units on the steep side, at least one, and their probabilities given that."""
    # Tails beyond 10 standard deviations of Bin(n, 1/2) hold 1e-23.
    k = np.arange(max(1, math.floor(n / 2 - 5 * math.sqrt(n))), min(n, math.ceil(n / 2 + 5 * math.sqrt(n))) + 1.0)
    log = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1) - n * math.log(2)
    probability = np.exp(log)
    keep = probability > _NEGLIGIBLE * probability.max()
    return k[keep], probability[keep] / probability[keep].sum()


def _resolved(n: int) -> float:
    """Largest t that the nodes follow.

    With Gaussian weights chi2_n^{it} is below 1e-14 from some 6 sqrt(n) on (22 for few units); with orthogonal ones the
    share alone has to die away.
    """
    return 200 + 30 * math.sqrt(n)


@lru_cache(maxsize=64)
def _share_nodes(n: int, positive: float, negative: float) -> tuple[Float64Array, Float64Array]:
    r"""Points ln(a B + b (1 - B)) and their masses, for a quadrature over the law of the share.

    With B = sin^2 x the density of Beta(K/2, (n - K)/2) is proportional to sin^{K-1} x cos^{n-K-1} x, smooth on
    [0, pi/2] for every 0 < K < n; K = 0 and K = n are points. Panels are graded towards 0, where the logarithm's branch
    point is as near as the square root of b/a.
    """
    high, low = max(positive, negative), min(positive, negative)
    half, spread = math.pi / 4, math.sqrt(0.75 / n)
    left, right = max(0.0, half - 12 * spread), min(2 * half, half + 12 * spread)
    steps = math.ceil((right - left) / spread)
    ratio = math.sqrt(low / high)
    graded = ratio / 2 * 1.5 ** np.arange(max(0, math.ceil(math.log(4 / ratio) / math.log(1.5))))
    edges = np.unique(np.concatenate([np.linspace(left, right, steps + 1), graded[(graded > left) & (graded < right)]]))
    phase = np.diff(_log_share(edges, high, low)) * _resolved(n)
    parts = np.maximum(1, np.ceil(phase / _PHASE)).astype(np.int64)
    widths = np.repeat(np.diff(edges) / parts, parts)
    starts = np.repeat(edges[:-1], parts) + widths * np.concatenate([np.arange(p) for p in parts])
    x = (starts[:, None] + widths[:, None] * (1 + _NODES) / 2).ravel()
    mass = (widths[:, None] * _MASSES / 2).ravel() * _angle_density(n, x)
    end = 2.0**-n
    total = mass.sum()
    mass = mass / total * (1 - 2 * end) if total > 0 else mass
    y = np.concatenate([_log_share(x, high, low), np.log([low, high])])
    mass = np.concatenate([mass, [end, end]])
    keep = mass > _NEGLIGIBLE * mass.max()
    return y[keep], mass[keep]


def _log_share(x: Float64Array, high: float, low: float) -> Float64Array:
    log: Float64Array = np.log(high * np.sin(x) ** 2 + low * np.cos(x) ** 2)
    return log


def _angle_density(n: int, x: Float64Array) -> Float64Array:
    """Density of x, B = sin^2 x, up to a factor, from all 0 < K < n."""
    k, probability = _positive_units(n)
    k, probability = k[k < n], probability[k < n]
    if not k.size:
        return np.zeros_like(x)
    log = np.log(probability) - special.betaln(k / 2, (n - k) / 2)
    powers = log[:, None] + np.outer(k - 1, np.log(np.sin(x))) + np.outer(n - k - 1, np.log(np.cos(x)))
    density: Float64Array = np.exp(powers).sum(axis=0)
    return density
