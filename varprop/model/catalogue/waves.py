"""Functions of the exponential family, sin, cos, gaussian, exp; and those that jump."""

from __future__ import annotations

import math

import numpy as np

from varprop._typing import Float64Array, FloatArray
from varprop.model.catalogue.rectifiers import both_positive
from varprop.model.catalogue.sigmoids import erf_determinant, half, zero
from varprop.model.formulas import Entry, GaussianFormulas
from varprop.numerics.bivariate import complement


def _sin(z: FloatArray) -> FloatArray:
    return np.sin(z)


def _cos(z: FloatArray) -> FloatArray:
    return np.cos(z)


def _minus_sin(z: FloatArray) -> FloatArray:
    return -np.sin(z)


def _odd_square(q: Float64Array) -> Float64Array:
    """E sin(z)^2."""
    return -np.expm1(-2 * q) / 2


def _even_square(q: Float64Array) -> Float64Array:
    """E cos(z)^2."""
    return (1 + np.exp(-2 * q)) / 2


def _cos_mean(q: Float64Array) -> Float64Array:
    return np.exp(-q / 2)


def _cos_variance(q: Float64Array) -> Float64Array:
    # (1 + exp(-2q)) / 2 - exp(-q)
    return np.square(np.expm1(-q)) / 2


def _spread(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    """Half the variance of z1 - z2 for a correlation rho, without cancellation near rho = 1."""
    s1, s2 = np.sqrt(q1), np.sqrt(q2)
    half: Float64Array = np.square(s1 - s2) / 2 + s1 * s2 * (1 - rho)
    return half


def _odd_pair(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    """E sin(z1) sin(z2): half the difference of E cos(z1 - z2) and E cos(z1 + z2)."""
    size = np.abs(rho)
    double = 2 * size * np.sqrt(q1) * np.sqrt(q2)
    odd: Float64Array = np.copysign(np.exp(-_spread(q1, q2, size)) * -np.expm1(-double) / 2, rho)
    return odd


def _even_pair(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    """E cos(z1) cos(z2): half the sum."""
    return (np.exp(-_spread(q1, q2, rho)) + np.exp(-_spread(q1, q2, -rho))) / 2


def _gaussian(z: FloatArray) -> FloatArray:
    near = np.minimum(np.abs(z), 40)  # the square of a large z would overflow; past 40 the value is 0 anyway
    a: FloatArray = np.exp(-(near * near))
    return a


def _gaussian_slope(z: FloatArray) -> FloatArray:
    return -2 * z * _gaussian(z)


def _gaussian_slope_from_value(z: FloatArray, a: FloatArray) -> FloatArray:
    return -2 * z * a


def _gaussian_mean(q: Float64Array) -> Float64Array:
    return 1 / np.sqrt(1 + 2 * q)


def _gaussian_second_moment(q: Float64Array) -> Float64Array:
    return 1 / np.sqrt(1 + 4 * q)


def _gaussian_variance(q: Float64Array) -> Float64Array:
    # 1 / sqrt(1 + 4q) - 1 / (1 + 2q)
    root = np.sqrt(1 + 4 * q)
    return 4 * q * q / (root * (1 + 2 * q) * (1 + 2 * q + root))


def _gaussian_derivative_second_moment(q: Float64Array) -> Float64Array:
    return 4 * q / (1 + 4 * q) ** 1.5


def _gaussian_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    return 1 / np.sqrt(erf_determinant(q1, q2, rho))


def _gaussian_derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    return 4 * rho * np.sqrt(q1) * np.sqrt(q2) / erf_determinant(q1, q2, rho) ** 1.5


def _exp(z: FloatArray) -> FloatArray:
    return np.exp(z)


def _exp_slope_from_value(_z: FloatArray, a: FloatArray) -> FloatArray:
    return np.positive(a)


def _exp_mean(q: Float64Array) -> Float64Array:
    return np.exp(q / 2)


def _exp_square(q: Float64Array) -> Float64Array:
    return np.exp(2 * q)


def _exp_variance(q: Float64Array) -> Float64Array:
    return np.exp(q) * np.expm1(q)


def _exp_pair(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    return np.exp(_spread(q1, q2, -rho))


WAVES = {
    "sin": Entry(
        value=_sin,
        derivative=_cos,
        max_slope=lambda: 1.0,
        value_range=lambda: (-1.0, 1.0),
        formulas=GaussianFormulas(
            mean=zero,
            second_moment=_odd_square,
            derivative_second_moment=_even_square,
            value_derivative_moment=zero,
            covariance=_odd_pair,
            derivative_covariance=_even_pair,
        ),
    ),
    "cos": Entry(
        value=_cos,
        derivative=_minus_sin,
        max_slope=lambda: 1.0,
        value_range=lambda: (-1.0, 1.0),
        formulas=GaussianFormulas(
            mean=_cos_mean,
            second_moment=_even_square,
            variance=_cos_variance,
            derivative_second_moment=_odd_square,
            value_derivative_moment=zero,
            covariance=_even_pair,
            derivative_covariance=_odd_pair,
        ),
    ),
    "gaussian": Entry(
        value=_gaussian,
        derivative=_gaussian_slope,
        slope_from_value=_gaussian_slope_from_value,
        max_slope=lambda: math.sqrt(2 / math.e),  # at z = +-1 / sqrt(2)
        value_range=lambda: (0.0, 1.0),
        formulas=GaussianFormulas(
            mean=_gaussian_mean,
            second_moment=_gaussian_second_moment,
            variance=_gaussian_variance,
            derivative_second_moment=_gaussian_derivative_second_moment,
            value_derivative_moment=zero,
            covariance=_gaussian_covariance,
            derivative_covariance=_gaussian_derivative_covariance,
        ),
    ),
    "exp": Entry(
        value=_exp,
        derivative=_exp,
        slope_from_value=_exp_slope_from_value,
        max_slope=lambda: math.inf,
        value_range=lambda: (0.0, math.inf),
        formulas=GaussianFormulas(
            mean=_exp_mean,
            second_moment=_exp_square,
            variance=_exp_variance,
            derivative_second_moment=_exp_square,
            value_derivative_moment=_exp_square,
            covariance=_exp_pair,
            derivative_covariance=_exp_pair,
        ),
    ),
}


# ---- jumps -----------------------------------------------------------------------------------------------------------


def _step(z: FloatArray) -> FloatArray:
    return (z > 0).astype(z.dtype)


def _sign(z: FloatArray) -> FloatArray:
    return np.sign(z)


def _quarter(q: Float64Array) -> Float64Array:
    return np.full_like(q, 0.25)


def _one(q: Float64Array) -> Float64Array:
    return np.ones_like(q)


def _step_value_derivative_moment(q: Float64Array) -> Float64Array:
    # phi phi' = (phi^2)' / 2, and step^2 is step: half the density at 0.
    return 0.5 / np.sqrt(2 * np.pi * q)


def _step_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    return np.broadcast_to(both_positive(rho), np.broadcast_shapes(q1.shape, q2.shape, rho.shape))


def _step_derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    # The density of (z1, z2) at (0, 0).
    return 1 / (2 * np.pi * np.sqrt(q1) * np.sqrt(q2) * complement(rho))


def _sign_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    angle = np.arctan2(rho, complement(rho))
    return np.broadcast_to(2 / np.pi * angle, np.broadcast_shapes(q1.shape, q2.shape, rho.shape))


def _sign_derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    return 4 * _step_derivative_covariance(q1, q2, rho)


JUMPS = {
    "step": Entry(
        value=_step,
        derivative=np.zeros_like,
        jumps=(0.0,),
        max_slope=lambda: 0.0,
        value_range=lambda: (0.0, 1.0),
        formulas=GaussianFormulas(
            mean=half,
            second_moment=half,
            variance=_quarter,
            value_derivative_moment=_step_value_derivative_moment,
            covariance=_step_covariance,
            derivative_covariance=_step_derivative_covariance,
        ),
    ),
    "sign": Entry(
        value=_sign,
        derivative=np.zeros_like,
        jumps=(0.0,),
        max_slope=lambda: 0.0,
        value_range=lambda: (-1.0, 1.0),
        formulas=GaussianFormulas(
            mean=zero,
            second_moment=_one,
            variance=_one,
            value_derivative_moment=zero,
            covariance=_sign_covariance,
            derivative_covariance=_sign_derivative_covariance,
        ),
    ),
}
