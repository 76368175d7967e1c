"""Rectifiers with a smooth or saturating negative side: elu, gelu."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from varprop._typing import Float64Array, FloatArray
from varprop.model.catalogue.entry import Entry
from varprop.model.formulas import GaussianFormulas

_SQRT_HALF = math.sqrt(0.5)
_SQRT_2PI = math.sqrt(2 * math.pi)


def _elu(z: FloatArray, *, alpha: float) -> FloatArray:
    return np.maximum(z, 0) + alpha * np.expm1(np.minimum(z, 0))


def _elu_slope(z: FloatArray, *, alpha: float) -> FloatArray:
    return np.where(z > 0, z.dtype.type(1), alpha * np.exp(np.minimum(z, 0)))


def _elu_slope_from_value(z: FloatArray, a: FloatArray, *, alpha: float) -> FloatArray:
    return np.where(z > 0, z.dtype.type(1), a + alpha)


def _tilted(k: int, q: Float64Array) -> Float64Array:
    """E[exp(k z); z < 0] - 1/2 = (erfcx(y) - 1) / 2 with y = k sqrt(q / 2), to full relative accuracy."""
    y = k * np.sqrt(q / 2)
    near = np.minimum(y, 1.0)
    return np.where(y < 1, np.expm1(near * near) * special.erfc(near) - special.erf(near), special.erfcx(y) - 1) / 2


def _elu_mean(q: Float64Array, *, alpha: float) -> Float64Array:
    return np.sqrt(q) / _SQRT_2PI + alpha * _tilted(1, q)


def _elu_second_moment(q: Float64Array, *, alpha: float) -> Float64Array:
    return q / 2 + alpha**2 * (_tilted(2, q) - 2 * _tilted(1, q))


def _elu_derivative_second_moment(q: Float64Array, *, alpha: float) -> Float64Array:
    return 0.5 + alpha**2 * special.erfcx(np.sqrt(2 * q)) / 2


def _elu_value_derivative_moment(q: Float64Array, *, alpha: float) -> Float64Array:
    return np.sqrt(q) / _SQRT_2PI + alpha**2 * (_tilted(2, q) - _tilted(1, q))


def _gelu(z: FloatArray) -> FloatArray:
    return z * special.ndtr(z)


def _normal_density(z: FloatArray) -> FloatArray:
    near = np.minimum(np.abs(z), 40)  # the square of a large z would overflow; past 40 the density is 0 anyway
    return np.exp(-0.5 * (near * near)) / _SQRT_2PI


def _gelu_slope(z: FloatArray) -> FloatArray:
    return special.ndtr(z) + z * _normal_density(z)


def _gelu_slope_from_value(z: FloatArray, a: FloatArray) -> FloatArray:
    # a / z is Phi(z) to the last place and saves its evaluation, two thirds of the cost of the slope.
    cdf = np.full_like(z, 0.5)
    np.divide(a, z, out=cdf, where=np.abs(z) > 1e-30)
    return cdf + z * _normal_density(z)


def _gelu_mean(q: Float64Array) -> Float64Array:
    return q / (_SQRT_2PI * np.sqrt(1 + q))


def _gelu_second_moment(q: Float64Array) -> Float64Array:
    root = np.sqrt(1 + 2 * q)
    return q / 4 + q / (2 * np.pi) * (np.arctan2(q, root) + 2 * q / ((1 + q) * root))


def _gelu_value_derivative_moment(q: Float64Array) -> Float64Array:
    return q / (_SQRT_2PI * np.sqrt(1 + q)) * (1 + 0.5 / (1 + q))


def _gelu_derivative_second_moment(q: Float64Array) -> Float64Array:
    return _gelu_derivative_covariance(q, q, np.ones_like(q))


def _gelu_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    c = rho * np.sqrt(q1) * np.sqrt(q2)
    product = (1 + q1) * (1 + q2)
    root = np.sqrt(1 + q1 + q2 + q1 * q2 * ((1 - rho) * (1 + rho)))
    angle = np.arctan2(root, -c)  # pi/2 + atan2(c, root), which loses its digits where c is close to -sqrt(product)
    return (c * angle + (c * c / root + q1 * q2 * root) / product) / (2 * np.pi)


def _gelu_derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    c = rho * np.sqrt(q1) * np.sqrt(q2)
    product = (1 + q1) * (1 + q2)
    square = 1 + q1 + q2 + q1 * q2 * ((1 - rho) * (1 + rho))
    root = np.sqrt(square)
    angle = np.arctan2(root, -c)
    return (angle + c / root * (1 / square + (1 - q1 * q2) / product + 1)) / (2 * np.pi)


SMOOTH_RECTIFIERS = {
    "elu": Entry(
        value=_elu,
        derivative=_elu_slope,
        slope_from_value=_elu_slope_from_value,
        defaults={"alpha": 1.0},
        kinks=(0.0,),
        max_slope=lambda alpha: max(1.0, abs(alpha)),
        formulas=GaussianFormulas(
            mean=_elu_mean,
            second_moment=_elu_second_moment,
            derivative_second_moment=_elu_derivative_second_moment,
            value_derivative_moment=_elu_value_derivative_moment,
        ),
    ),
    "gelu": Entry(
        value=_gelu,
        derivative=_gelu_slope,
        slope_from_value=_gelu_slope_from_value,
        # phi''(z) = (2 - z^2) f(z), so |phi'| is largest at sqrt(2): Phi(sqrt(2)) + sqrt(2) f(sqrt(2)) = 1.1289.
        max_slope=lambda: (1 + math.erf(1)) / 2 + math.exp(-1) / math.sqrt(math.pi),
        formulas=GaussianFormulas(
            mean=_gelu_mean,
            second_moment=_gelu_second_moment,
            derivative_second_moment=_gelu_derivative_second_moment,
            value_derivative_moment=_gelu_value_derivative_moment,
            covariance=_gelu_covariance,
            derivative_covariance=_gelu_derivative_covariance,
        ),
    ),
}
