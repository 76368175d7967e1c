"""Laws of a weight matrix as functions of the layer's fans, and how fans are read off an array's shape."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy import special

from varprop._arguments import quoted
from varprop._typing import Float64Array, FloatArray
from varprop.model.names import finite_number, not_negative
from varprop.model.shapes import (
    NORMAL,
    RADEMACHER,
    TRUNCATED_NORMAL,
    TRUNCATED_VARIANCE,
    UNIFORM,
    AnyShape,
    Dtype,
    Sparse,
    StudentT,
    signs_cdf,
)

FanMode = Literal["fan_in", "fan_out", "fan_avg"]
FanFunction = Callable[[int, int], float]
Sampler = Callable[[tuple[int, ...], np.random.Generator], FloatArray]


class Fans(NamedTuple):
    """Numbers of inputs and of outputs of a layer."""

    fan_in: int
    fan_out: int


def check_fans(fan_in: int, fan_out: int) -> Fans:
    """The fans, once it is certain that they are positive integers."""
    for name, fan in (("fan_in", fan_in), ("fan_out", fan_out)):
        if isinstance(fan, bool) or not isinstance(fan, numbers.Integral) or fan < 1:
            msg = f"{name} must be a positive integer, got {quoted(fan)}"
            raise ValueError(msg)
    return Fans(int(fan_in), int(fan_out))


@dataclass(frozen=True, slots=True)
class Constant:
    """All weights equal to one number."""

    value: float


@dataclass(frozen=True, slots=True)
class Scaled:
    """A shape at the scale `size`, or sqrt(size / n) where `mode` says which fan n is (or their mean)."""

    shape: AnyShape
    size: float
    mode: FanMode | None = None

    def scale(self, fans: Fans) -> float:
        """The scale in a layer of these fans."""
        if self.mode is None:
            return self.size
        n = {"fan_in": fans.fan_in, "fan_out": fans.fan_out, "fan_avg": sum(fans) / 2}[self.mode]
        return math.sqrt(self.size / n)


@dataclass(frozen=True, slots=True)
class Orthogonal:
    """`gain` times a Haar semi-orthogonal matrix: orthonormal columns, or rows where they are the shorter side.

    It is the corner of a uniformly random rotation or reflection of R^d, d the larger fan. So one entry is a
    coordinate x of a uniform unit vector there: x^2 is Beta(1/2, (d - 1)/2), with E[x^2] = 1/d and E[x^4] =
    3 / (d (d + 2)).
    """

    gain: float

    def variance(self, fans: Fans) -> float:
        """Of one entry."""
        return self.gain**2 / max(fans)

    def kurtosis(self, fans: Fans) -> float:
        """Of one entry: 1 for the two-valued entry of a 1 x 1 matrix, and 3 in the limit of wide layers."""
        return 3 * max(fans) / (max(fans) + 2)

    def cdf(self, x: Float64Array, fans: Fans) -> Float64Array:
        """P(w <= x) of one entry, for a gain > 0."""
        unit, d = x / self.gain, max(fans)
        if d == 1:
            return signs_cdf(unit)
        inside = special.betainc(0.5, (d - 1) / 2, np.minimum(unit**2, 1.0))
        return np.asarray(0.5 + np.sign(unit) * inside / 2, dtype=np.float64)

    def sample(self, shape: tuple[int, ...], fans: Fans, rng: np.random.Generator, dtype: Dtype) -> FloatArray:
        """One matrix, or a stack of them, by QR of normal matrices; R's diagonal is made positive, else Q is not Haar."""
        if len(shape) not in (2, 3) or shape[-2:] != (fans.fan_out, fans.fan_in):
            msg = (
                f"orthogonal draws matrices of shape ({fans.fan_out}, {fans.fan_in}), or a stack of them with the "
                f"number of networks in front; asked for {shape}"
            )
            raise ValueError(msg)
        wide = fans.fan_in > fans.fan_out
        # In float64, so that the last rounding alone is between the matrix and a rotation.
        normals = rng.standard_normal((*shape[:-2], max(fans), min(fans)))
        q, r = np.linalg.qr(normals)
        q *= self.gain * np.copysign(1.0, np.einsum("...ii->...i", r))[..., None, :]
        return np.ascontiguousarray(np.swapaxes(q, -1, -2) if wide else q, dtype=dtype)


@dataclass(frozen=True, slots=True)
class Custom:
    """A user's own sampler, which draws one array a call; of its moments and symmetry only what is stated is known."""

    sampler: Sampler
    variance: float | FanFunction | None = None
    kurtosis: float | None = None
    mean: float = 0.0
    symmetric: bool = False

    def sample(self, name: str, shape: tuple[int, ...], fans: Fans, rng: np.random.Generator) -> FloatArray:
        """One array from the sampler, checked; `name` is for the messages."""
        expected = ((fans.fan_out, fans.fan_in), (fans.fan_out,))
        if shape not in expected:
            msg = (
                f"{quoted(name)}, a sampler of one's own, draws one array at a time, of shape {expected[0]} for weights or "
                f"{expected[1]} for biases; asked for {shape}"
            )
            raise ValueError(msg)
        draws = np.asarray(self.sampler(shape, rng))
        if draws.shape != shape or draws.dtype.kind not in "fiu":
            msg = f"{quoted(name)} must return real numbers of shape {shape}, it returned {draws.dtype} of shape {draws.shape}"
            raise ValueError(msg)
        if not np.isfinite(draws).all():
            msg = f"{quoted(name)} must return finite numbers; of {draws.size}, {np.sum(~np.isfinite(draws))} are not"
            raise ValueError(msg)
        return draws


Law = Scaled | Constant | Orthogonal | Custom


_LARGEST = 1e75
"""Of weights: their fourth powers still are numbers, and no framework draws any beyond."""


def _size(name: str, value: object, *, power: int = 1) -> float:
    """The value as a float of 0, or of a size whose fourth power is a number; ``power=2`` of a variance."""
    size, most = not_negative(name, value), _LARGEST**power
    if size and not 1 / most <= size <= most:
        msg = f"{name} must be 0 or lie between {1 / most:g} and {most:g}, got {size:g}"
        raise ValueError(msg)
    return size


def _constant(value: float) -> Law:
    return Constant(finite_number("value", value))


def _normal(std: float) -> Law:
    return Scaled(NORMAL, _size("std", std))


def _uniform(limit: float) -> Law:
    return Scaled(UNIFORM, _size("limit", limit))


def _truncated_normal(std: float) -> Law:
    return Scaled(TRUNCATED_NORMAL, _size("std", std))


def _rademacher(std: float) -> Law:
    return Scaled(RADEMACHER, _size("std", std))


def _student_t(std: float, df: float = 5.0) -> Law:
    if finite_number("df", df) <= 2:
        msg = f"df must be > 2, got {quoted(df)}: with fewer degrees of freedom Student's t has no variance"
        raise ValueError(msg)
    return Scaled(StudentT(float(df)), _size("std", std))


def _sparse(std: float, density: float = 0.1) -> Law:
    if not 0 < finite_number("density", density) <= 1:
        msg = f"density, the probability that a weight is not 0, must lie in (0, 1], got {quoted(density)}"
        raise ValueError(msg)
    # With no zeros it is the normal law, with all that is known of that.
    return Scaled(NORMAL if density == 1 else Sparse(float(density)), _size("std", std))


def _orthogonal(gain: float = 1.0) -> Law:
    return Orthogonal(_size("gain", gain))


def _variance_scaling(scale: float = 1.0, mode: FanMode = "fan_in", distribution: str = "normal") -> Law:
    scale = _size("scale", scale, power=2)
    if mode not in get_args(FanMode):
        msg = f"mode must be one of {', '.join(get_args(FanMode))}, got {quoted(mode)}"
        raise ValueError(msg)
    match distribution:
        case "normal":
            return Scaled(NORMAL, scale, mode)
        case "rademacher":
            return Scaled(RADEMACHER, scale, mode)
        case "uniform":
            return Scaled(UNIFORM, 3 * scale, mode)
        case "truncated_normal":
            # As in JAX and Keras: widened before the cut, so that the variance after it is scale / n.
            return Scaled(TRUNCATED_NORMAL, scale / TRUNCATED_VARIANCE, mode)
    msg = f"distribution must be one of normal, rademacher, truncated_normal, uniform, got {quoted(distribution)}"
    raise ValueError(msg)


BUILDERS: dict[str, Callable[..., Law]] = {
    "zeros": lambda: Constant(0.0),
    "constant": _constant,
    "normal": _normal,
    "uniform": _uniform,
    "truncated_normal": _truncated_normal,
    "rademacher": _rademacher,
    "student_t": _student_t,
    "sparse": _sparse,
    "orthogonal": _orthogonal,
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


# ---- fans of an array ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """Fans, and the number of positions of the kernel that both are multiples of."""

    fans: Fans
    receptive: int


def channels_first(shape: tuple[int, ...], groups: int = 1) -> Reading:
    """(fan_out, fan_in), or (channels out, channels in of one group, *kernel)."""
    receptive = math.prod(shape[2:])
    return Reading(Fans(shape[1] * receptive, shape[0] * receptive // groups), receptive)


def channels_last(shape: tuple[int, ...], groups: int = 1) -> Reading:
    """(*kernel, channels in of one group, channels out), or (fan_in, fan_out)."""
    receptive = math.prod(shape[:-2])
    return Reading(Fans(shape[-2] * receptive, shape[-1] * receptive // groups), receptive)
