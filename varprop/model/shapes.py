"""Symmetric laws of one number at scale 1: moments, distribution function and exact draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from varprop._typing import Float64Array, FloatArray

Dtype = type[np.float32] | type[np.float64]

# A standard normal cut at +-2: P(|x| < 2), variance and fourth moment, from E[x^2; cut] = 1 - 2 a f(a) / P and
# E[x^4; cut] = 3 - 2 f(a) (a^3 + 3 a) / P at a = 2.
_CUT = 2.0
_INSIDE = math.erf(_CUT / math.sqrt(2))
_DENSITY = math.exp(-(_CUT**2) / 2) / math.sqrt(2 * math.pi)
TRUNCATED_VARIANCE = 1 - 2 * _CUT * _DENSITY / _INSIDE
_TRUNCATED_FOURTH = 3 - 2 * _DENSITY * (_CUT**3 + 3 * _CUT) / _INSIDE
# By parts, E[x^2k; cut] = (2 k - 1) E[x^(2k-2); cut] - 2 a^(2k-1) f(a) / P.
_TRUNCATED_SIXTH = 5 * _TRUNCATED_FOURTH - 2 * _CUT**5 * _DENSITY / _INSIDE
_TRUNCATED_EIGHTH = 7 * _TRUNCATED_SIXTH - 2 * _CUT**7 * _DENSITY / _INSIDE
_SPARSE_CHUNK = 2**20  # entries whose nonzero places are chosen at once, so that choosing stays in cache


@dataclass(frozen=True, slots=True)
class Shape:
    """A symmetric law of mean 0 at scale 1, and how it is drawn at another.

    ``continuous`` is False where some single number has a positive probability. ``sixth`` and ``eighth`` are E[w^6] and E[w^8]
    in units of the standard deviation, as ``kurtosis`` is E[w^4]; NaN if they are not known.
    """

    variance: float
    kurtosis: float
    cdf: Callable[[Float64Array], Float64Array]
    sample: Callable[[tuple[int, ...], float, np.random.Generator, Dtype], FloatArray]  # shape, scale, rng, dtype
    continuous: bool = True
    sixth: float = math.nan
    eighth: float = math.nan


def _normal_cdf(x: Float64Array) -> Float64Array:
    return special.ndtr(x)


def _sample_normal(shape: tuple[int, ...], scale: float, rng: np.random.Generator, dtype: Dtype) -> FloatArray:
    draws: FloatArray = rng.standard_normal(shape, dtype=dtype)
    draws *= dtype(scale)
    return draws


def _uniform_cdf(x: Float64Array) -> Float64Array:
    return np.clip((x + 1) / 2, 0.0, 1.0)


def _sample_uniform(shape: tuple[int, ...], scale: float, rng: np.random.Generator, dtype: Dtype) -> FloatArray:
    draws: FloatArray = rng.random(shape, dtype=dtype)
    # The generator gives multiples k 2^-p of [0, 1), with p bits of precision, whose mean is 1/2 - 2^-(p+1). Taking
    # just that away leaves odd multiples of 2^-(p+1): exact in the dtype and exactly symmetric about 0.
    draws -= dtype(0.5 - float(np.finfo(dtype).epsneg) / 2)
    draws *= _round_down(2 * scale, dtype)
    return draws


def _truncated_normal_cdf(x: Float64Array) -> Float64Array:
    return 0.5 + special.erf(np.clip(x, -_CUT, _CUT) / math.sqrt(2)) / (2 * _INSIDE)


def _sample_truncated_normal(
    shape: tuple[int, ...], scale: float, rng: np.random.Generator, dtype: Dtype
) -> FloatArray:
    draws: FloatArray = rng.standard_normal(shape, dtype=dtype)
    flat = draws.reshape(-1)  # a view: the draws are contiguous
    # Rejection is exact, and redrawing the 4.6 % outside costs far less than an inverse cdf of every draw.
    outside = np.flatnonzero(np.abs(flat) > _CUT)
    while outside.size:
        flat[outside] = rng.standard_normal(outside.size, dtype=dtype)
        outside = outside[np.abs(flat[outside]) > _CUT]
    draws *= _round_down(scale, dtype)
    return draws


def _round_down(x: float, dtype: Dtype) -> np.float32 | np.float64:
    """The largest number of the dtype that is not above x, so that a limit stays one."""
    rounded = dtype(x)
    return rounded if float(rounded) <= x else np.nextafter(rounded, dtype(-np.inf))


def signs_cdf(x: Float64Array) -> Float64Array:
    """P(sign <= x) for -1 and 1 alike likely."""
    return ((x >= -1).astype(np.float64) + (x >= 1)) / 2


def _sample_signs(shape: tuple[int, ...], scale: float, rng: np.random.Generator, dtype: Dtype) -> FloatArray:
    size = math.prod(shape)
    # One random bit a draw.
    bits = np.unpackbits(np.frombuffer(rng.bytes(-(-size // 8)), dtype=np.uint8), count=size)
    draws: FloatArray = bits.reshape(shape).astype(dtype)
    # 2 s, and 2 s - s, are exact in binary: nothing but -s and s comes out.
    draws *= 2 * dtype(scale)
    draws -= dtype(scale)
    return draws


NORMAL = Shape(1.0, 3.0, _normal_cdf, _sample_normal, sixth=15.0, eighth=105.0)
"""Its scale is the standard deviation."""
UNIFORM = Shape(1 / 3, 9 / 5, _uniform_cdf, _sample_uniform, sixth=27 / 7, eighth=9.0)
"""Its scale is the limit, which no draw exceeds."""
TRUNCATED_NORMAL = Shape(
    TRUNCATED_VARIANCE,
    _TRUNCATED_FOURTH / TRUNCATED_VARIANCE**2,
    _truncated_normal_cdf,
    _sample_truncated_normal,
    sixth=_TRUNCATED_SIXTH / TRUNCATED_VARIANCE**3,
    eighth=_TRUNCATED_EIGHTH / TRUNCATED_VARIANCE**4,
)
"""Cut at two standard deviations; its scale is the standard deviation before the cut."""
RADEMACHER = Shape(1.0, 1.0, signs_cdf, _sample_signs, continuous=False, sixth=1.0, eighth=1.0)
"""Minus or plus its scale, each with probability 1/2."""


@dataclass(frozen=True, slots=True)
class StudentT:
    """Student's t with df > 2 degrees of freedom, shrunk to variance 1; its scale is the standard deviation."""

    df: float

    @property
    def variance(self) -> float:
        """Of the law at scale 1."""
        return 1.0

    @property
    def kurtosis(self) -> float:
        """3 (df - 2) / (df - 4), and infinite from df = 4 down."""
        return 3 * (self.df - 2) / (self.df - 4) if self.df > 4 else math.inf

    @property
    def sixth(self) -> float:
        """5 (df - 2) / (df - 6) times the fourth moment, and infinite from df = 6 down."""
        return 5 * (self.df - 2) / (self.df - 6) * self.kurtosis if self.df > 6 else math.inf

    @property
    def eighth(self) -> float:
        """7 (df - 2) / (df - 8) times the sixth moment, and infinite from df = 8 down."""
        return 7 * (self.df - 2) / (self.df - 8) * self.sixth if self.df > 8 else math.inf

    @property
    def continuous(self) -> bool:
        """No single number has a positive probability."""
        return True

    @property
    def _width(self) -> float:
        """What a t variable is multiplied by: its variance is df / (df - 2)."""
        return math.sqrt((self.df - 2) / self.df)

    def cdf(self, x: Float64Array) -> Float64Array:
        """P(w <= x) at scale 1."""
        return np.asarray(special.stdtr(self.df, x / self._width))

    def sample(self, shape: tuple[int, ...], scale: float, rng: np.random.Generator, dtype: Dtype) -> FloatArray:
        """Draw in float64, in which the tails are not cut short, and round."""
        draws = rng.standard_t(self.df, shape)
        draws *= self._width * scale
        return draws.astype(dtype, copy=False)


@dataclass(frozen=True, slots=True)
class Sparse:
    """0 with probability 1 - density, else normal of variance 1 / density; its scale is the standard deviation."""

    density: float

    @property
    def variance(self) -> float:
        """Of the law at scale 1."""
        return 1.0

    @property
    def kurtosis(self) -> float:
        """E[w^4] is density * 3 / density^2."""
        return 3 / self.density

    @property
    def sixth(self) -> float:
        """E[w^6] is density * 15 / density^3."""
        return 15 / self.density**2

    @property
    def eighth(self) -> float:
        """E[w^8] is density * 105 / density^4."""
        return 105 / self.density**3

    @property
    def continuous(self) -> bool:
        """0 has a positive probability."""
        return False

    def cdf(self, x: Float64Array) -> Float64Array:
        """P(w <= x) at scale 1, with a jump of 1 - density at 0."""
        normal: Float64Array = special.ndtr(x * math.sqrt(self.density))
        return self.density * normal + (1 - self.density) * (x >= 0)

    def sample(self, shape: tuple[int, ...], scale: float, rng: np.random.Generator, dtype: Dtype) -> FloatArray:
        """Draw how many are not 0, then which, then their values: a fraction of the cost of drawing all."""
        size = math.prod(shape)
        draws = np.zeros(size, dtype)
        width = dtype(scale / math.sqrt(self.density))
        for first in range(0, size, _SPARSE_CHUNK):
            chunk = draws[first : first + _SPARSE_CHUNK]
            count = int(rng.binomial(len(chunk), self.density))
            places = rng.choice(len(chunk), count, replace=False, shuffle=False)
            chunk[places] = rng.standard_normal(count, dtype=dtype) * width
        return draws.reshape(shape)


AnyShape = Shape | StudentT | Sparse
