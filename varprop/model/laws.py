"""Laws of one weight: moments, distribution function and exact draws, as functions of the layer's fans."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy import special

from varprop._typing import Float64Array, FloatArray
from varprop.model.names import finite_number, not_negative

FanMode = Literal["fan_in", "fan_out", "fan_avg"]
FanFunction = Callable[[int, int], float]
Sampler = Callable[[tuple[int, ...], np.random.Generator], FloatArray]
Dtype = type[np.float32] | type[np.float64]

# A standard normal cut at +-2: P(|x| < 2), variance and fourth moment, from E[x^2; cut] = 1 - 2 a f(a) / P and
# E[x^4; cut] = 3 - 2 f(a) (a^3 + 3 a) / P at a = 2.
_CUT = 2.0
_INSIDE = math.erf(_CUT / math.sqrt(2))
_DENSITY = math.exp(-(_CUT**2) / 2) / math.sqrt(2 * math.pi)
TRUNCATED_VARIANCE = 1 - 2 * _CUT * _DENSITY / _INSIDE
_TRUNCATED_FOURTH = 3 - 2 * _DENSITY * (_CUT**3 + 3 * _CUT) / _INSIDE


class Fans(NamedTuple):
    """Numbers of inputs and of outputs of a layer."""

    fan_in: int
    fan_out: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A symmetric law of mean 0 at scale 1, and how it is drawn at another."""

    variance: float
    kurtosis: float
    cdf: Callable[[Float64Array], Float64Array]
    sample: Callable[[tuple[int, ...], float, np.random.Generator, Dtype], FloatArray]  # shape, scale, rng, dtype


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


NORMAL = Shape(1.0, 3.0, _normal_cdf, _sample_normal)
"""Its scale is the standard deviation."""
UNIFORM = Shape(1 / 3, 9 / 5, _uniform_cdf, _sample_uniform)
"""Its scale is the limit, which no draw exceeds."""
TRUNCATED_NORMAL = Shape(
    TRUNCATED_VARIANCE, _TRUNCATED_FOURTH / TRUNCATED_VARIANCE**2, _truncated_normal_cdf, _sample_truncated_normal
)
"""Cut at two standard deviations; its scale is the standard deviation before the cut."""


@dataclass(frozen=True, slots=True)
class Constant:
    """All weights equal to one number."""

    value: float


@dataclass(frozen=True, slots=True)
class Scaled:
    """A shape at the scale `size`, or sqrt(size / n) where `mode` says which fan n is (or their mean)."""

    shape: Shape
    size: float
    mode: FanMode | None = None

    def scale(self, fans: Fans) -> float:
        """The scale in a layer of these fans."""
        if self.mode is None:
            return self.size
        n = {"fan_in": fans.fan_in, "fan_out": fans.fan_out, "fan_avg": sum(fans) / 2}[self.mode]
        return math.sqrt(self.size / n)


@dataclass(frozen=True, slots=True)
class Custom:
    """A user's own sampler, which draws one array a call; of its moments only what is stated is known."""

    sampler: Sampler
    variance: float | FanFunction | None = None
    kurtosis: float | None = None
    mean: float = 0.0


Law = Scaled | Constant | Custom


def _constant(value: float) -> Law:
    return Constant(finite_number("value", value))


def _normal(std: float) -> Law:
    return Scaled(NORMAL, not_negative("std", std))


def _uniform(limit: float) -> Law:
    return Scaled(UNIFORM, not_negative("limit", limit))


def _truncated_normal(std: float) -> Law:
    return Scaled(TRUNCATED_NORMAL, not_negative("std", std))


def _variance_scaling(scale: float = 1.0, mode: FanMode = "fan_in", distribution: str = "normal") -> Law:
    scale = not_negative("scale", scale)
    if mode not in get_args(FanMode):
        msg = f"mode must be one of {', '.join(get_args(FanMode))}, got {mode!r}"
        raise ValueError(msg)
    match distribution:
        case "normal":
            return Scaled(NORMAL, scale, mode)
        case "uniform":
            return Scaled(UNIFORM, 3 * scale, mode)
        case "truncated_normal":
            # As in JAX and Keras: widened before the cut, so that the variance after it is scale / n.
            return Scaled(TRUNCATED_NORMAL, scale / TRUNCATED_VARIANCE, mode)
    msg = f"distribution must be one of normal, truncated_normal, uniform, got {distribution!r}"
    raise ValueError(msg)


BUILDERS: dict[str, Callable[..., Law]] = {
    "zeros": lambda: Constant(0.0),
    "constant": _constant,
    "normal": _normal,
    "uniform": _uniform,
    "truncated_normal": _truncated_normal,
    "xavier_normal": lambda: Scaled(NORMAL, 1.0, "fan_avg"),
    "xavier_uniform": lambda: Scaled(UNIFORM, 3.0, "fan_avg"),
    "he_normal": lambda: Scaled(NORMAL, 2.0, "fan_in"),
    "he_uniform": lambda: Scaled(UNIFORM, 6.0, "fan_in"),
    "lecun_normal": lambda: Scaled(NORMAL, 1.0, "fan_in"),
    "lecun_uniform": lambda: Scaled(UNIFORM, 3.0, "fan_in"),
    "variance_scaling": _variance_scaling,
    # nn.Linear draws weights and biases by kaiming_uniform with a = sqrt(5): a limit of 1 / sqrt(fan_in).
    "torch_linear": lambda: Scaled(UNIFORM, 1.0, "fan_in"),
}
ALIASES = {
    "glorot_normal": "xavier_normal",
    "glorot_uniform": "xavier_uniform",
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
}
