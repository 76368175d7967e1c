"""Piecewise linear activations with one kink, at zero: linear, relu, leaky_relu, prelu, abs.

With slope a on the negative side, phi(z) = a z + (1 - a) relu(z), so all moments follow from relu's; the functions
here take a as `slope`, 0 unless told, and so serve relu as they are.
"""

from __future__ import annotations

import math

import numpy as np

from varprop._typing import Float64Array, FloatArray
from varprop.model.catalogue.sigmoids import sigmoid
from varprop.model.formulas import Entry, GaussianFormulas
from varprop.numerics.bivariate import angle_between, complement


def _relu(z: FloatArray) -> FloatArray:
    # Zeros in a row: against a scalar NumPy's maximum takes another loop, three times as slow.
    return np.maximum(z, np.zeros(z.shape[-1:], dtype=z.dtype))


def _relu_slope(z: FloatArray) -> FloatArray:
    return (z > 0).astype(z.dtype)


def _leaky_relu(z: FloatArray, *, slope: float) -> FloatArray:
    # Five times faster in float32 than np.where; the larger of the two branches only while the slope is at most 1.
    branch = np.maximum if slope <= 1 else np.minimum
    a: FloatArray = branch(z, slope * z)
    return a


def _leaky_relu_slope(z: FloatArray, *, slope: float) -> FloatArray:
    if 0 <= slope <= 1:  # ten times faster than np.where, and as exact
        return np.maximum((z > 0).astype(z.dtype), z.dtype.type(slope))
    return np.where(z > 0, z.dtype.type(1), z.dtype.type(slope))


def _abs_slope(z: FloatArray) -> FloatArray:
    return np.sign(z)


def _mean(q: Float64Array, *, slope: float = 0.0) -> Float64Array:
    return (1 - slope) * np.sqrt(q / (2 * np.pi))


def _second_moment(q: Float64Array, *, slope: float = 0.0) -> Float64Array:
    return (1 + slope**2) / 2 * q


def _derivative_second_moment(q: Float64Array, *, slope: float = 0.0) -> Float64Array:
    return np.full_like(q, (1 + slope**2) / 2)


def _value_derivative_moment(q: Float64Array, *, slope: float = 0.0) -> Float64Array:
    return (1 - slope) * (1 + slope) * np.sqrt(q / (2 * np.pi))


def both_positive(rho: Float64Array) -> Float64Array:
    """P(z1 > 0, z2 > 0) for a correlation rho."""
    return angle_between(-rho) / (2 * np.pi)


def relu_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    """E relu(z1) relu(z2): the arc-cosine kernel of order 1 of Cho and Saul (2009)."""
    unit = complement(rho) / (2 * np.pi) + both_positive(rho) * rho
    return np.sqrt(q1) * np.sqrt(q2) * unit


def _covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array, *, slope: float = 0.0) -> Float64Array:
    line = slope * (np.sqrt(q1) * np.sqrt(q2) * rho)
    return line + (1 - slope) ** 2 * relu_covariance(q1, q2, rho)


def _derivative_covariance(
    q1: Float64Array, q2: Float64Array, rho: Float64Array, *, slope: float = 0.0
) -> Float64Array:
    unit = slope + (1 - slope) ** 2 * both_positive(rho)
    return np.broadcast_to(unit, np.broadcast_shapes(q1.shape, q2.shape, rho.shape))


_KINKED_LINE = GaussianFormulas(
    mean=_mean,
    second_moment=_second_moment,
    derivative_second_moment=_derivative_second_moment,
    value_derivative_moment=_value_derivative_moment,
    covariance=_covariance,
    derivative_covariance=_derivative_covariance,
)

RECTIFIERS = {
    "linear": Entry(
        value=np.positive,
        derivative=np.ones_like,
        homogeneous=True,
        max_slope=lambda: 1.0,
        formulas=_KINKED_LINE.bind((("slope", 1.0),)),
    ),
    "relu": Entry(
        value=_relu,
        derivative=_relu_slope,
        kinks=(0.0,),
        homogeneous=True,
        max_slope=lambda: 1.0,
        value_range=lambda: (0.0, math.inf),
        formulas=_KINKED_LINE,
    ),
    "leaky_relu": Entry(
        value=_leaky_relu,
        derivative=_leaky_relu_slope,
        defaults={"slope": 0.01},
        kinks=(0.0,),
        homogeneous=True,
        max_slope=lambda slope: max(1.0, abs(slope)),
        formulas=_KINKED_LINE,
    ),
    "prelu": Entry(
        value=_leaky_relu,
        derivative=_leaky_relu_slope,
        defaults={"slope": 0.25},
        kinks=(0.0,),
        homogeneous=True,
        max_slope=lambda slope: max(1.0, abs(slope)),
        formulas=_KINKED_LINE,
    ),
    "abs": Entry(
        value=np.abs,
        derivative=_abs_slope,
        kinks=(0.0,),
        homogeneous=True,
        max_slope=lambda: 1.0,
        value_range=lambda: (0.0, math.inf),
        formulas=_KINKED_LINE.bind((("slope", -1.0),)),
    ),
}


# ---- smooth ones -----------------------------------------------------------------------------------------------------


def _softplus(z: FloatArray) -> FloatArray:
    # log(1 + y), plus what 1 + y lost of y. Not by log1p, which NumPy rounds otherwise on another processor.
    y = np.exp(-np.abs(z))
    whole = 1 + y
    a: FloatArray = np.maximum(z, 0) + (np.log(whole) + (y - (whole - 1)) / whole)
    return a


def _silu(z: FloatArray) -> FloatArray:
    left = np.maximum(z, -87 if z.dtype == np.float32 else -708)  # before exp(-z) overflows; silu is 0 there
    a: FloatArray = left / (1 + np.exp(-left))
    return a


def _silu_slope(z: FloatArray) -> FloatArray:
    decay = np.exp(-np.abs(z))
    slope: FloatArray = sigmoid(z) + z * (decay / ((1 + decay) * (1 + decay)))
    return slope


# With e = exp(z) and w = e (e + 2), tanh(softplus(z)) = w / (w + 2): from z = 20 on it is 1 in either precision.


def _mish(z: FloatArray) -> FloatArray:
    e = np.exp(np.minimum(z, 20))
    w = e * (e + 2)
    a: FloatArray = z * (w / (w + 2))
    return a


def _mish_slope(z: FloatArray) -> FloatArray:
    near = np.minimum(z, 20)
    e = np.exp(near)
    w = e * (e + 2)
    ratio = 1 / (w + 2)
    slope: FloatArray = w * ratio + 4 * near * (e * (e + 1) * ratio * ratio)
    return slope


LOGISTIC_RECTIFIERS = {
    "softplus": Entry(value=_softplus, derivative=sigmoid, max_slope=lambda: 1.0, value_range=lambda: (0.0, math.inf)),
    # The largest slopes lie at the roots of phi'': for silu at z tanh(z/2) = 2, where phi' = (z + 2) / 4. Both were
    # computed to 30 digits by mpmath.
    "silu": Entry(
        value=_silu,
        derivative=_silu_slope,
        max_slope=lambda: 1.0998393201288669,  # at 2.39935728051547
        value_range=lambda: (-0.2785, math.inf),
    ),
    "mish": Entry(
        value=_mish,
        derivative=_mish_slope,
        max_slope=lambda: 1.0884981612517279,  # at 1.49057117938543
        value_range=lambda: (-0.3089, math.inf),
    ),
}
