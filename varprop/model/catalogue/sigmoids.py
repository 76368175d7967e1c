"""Bounded activations of the S shape: tanh, lecun_tanh, sigmoid, erf, softsign."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from varprop._typing import Float64Array, FloatArray
from varprop.model.catalogue.entry import Entry
from varprop.model.formulas import GaussianFormulas


def zero(q: Float64Array) -> Float64Array:
    """The mean of an odd function."""
    return np.zeros_like(q)


def half(q: Float64Array) -> Float64Array:
    """The mean of 1/2 and an odd function."""
    return np.full_like(q, 0.5)


def _tanh(z: FloatArray) -> FloatArray:
    return np.tanh(z)


def _tanh_slope(z: FloatArray) -> FloatArray:
    a = np.tanh(z)
    return 1 - a * a


def _tanh_slope_from_value(_z: FloatArray, a: FloatArray) -> FloatArray:
    return 1 - a * a


# LeCun et al. (1998), "Efficient BackProp": the constants for which f(1) is 1 and f''(1) nearly largest.
_LECUN_HEIGHT, _LECUN_RATE = 1.7159, 2 / 3


def _lecun_tanh(z: FloatArray) -> FloatArray:
    a: FloatArray = _LECUN_HEIGHT * np.tanh(_LECUN_RATE * z)
    return a


def _lecun_tanh_slope(z: FloatArray) -> FloatArray:
    return (_LECUN_HEIGHT * _LECUN_RATE) * _tanh_slope(_LECUN_RATE * z)


def _lecun_tanh_slope_from_value(_z: FloatArray, a: FloatArray) -> FloatArray:
    return (_LECUN_HEIGHT * _LECUN_RATE) - (_LECUN_RATE / _LECUN_HEIGHT) * (a * a)


def _softsign(z: FloatArray) -> FloatArray:
    a: FloatArray = z / (1 + np.abs(z))
    return a


def _softsign_slope(z: FloatArray) -> FloatArray:
    root = 1 / (1 + np.abs(z))
    slope: FloatArray = root * root
    return slope


def sigmoid(z: FloatArray) -> FloatArray:
    """1 / (1 + exp(-z))."""
    # NumPy's tanh is vectorised: eight times faster in float32 than scipy.special.expit, and nothing overflows. The
    # error is absolute, half a unit in the last place of 1.
    a: FloatArray = 0.5 * np.tanh(0.5 * z) + 0.5
    return a


def _sigmoid_slope(z: FloatArray) -> FloatArray:
    a = np.tanh(0.5 * z)
    slope: FloatArray = 0.25 - 0.25 * (a * a)
    return slope


def _sigmoid_slope_from_value(_z: FloatArray, a: FloatArray) -> FloatArray:
    return a - a * a


def _erf(z: FloatArray) -> FloatArray:
    return special.erf(z)


def _erf_slope(z: FloatArray) -> FloatArray:
    near = np.minimum(np.abs(z), 40)  # the square of a large z would overflow; past 40 the slope is 0 anyway
    slope: FloatArray = 2 / math.sqrt(math.pi) * np.exp(-(near * near))
    return slope


def _erf_second_moment(q: Float64Array) -> Float64Array:
    # asin(2q / (1 + 2q)), written so that it stays accurate where the ratio nears 1.
    return 2 / np.pi * np.arctan2(2 * q, np.sqrt(1 + 4 * q))


def _erf_derivative_second_moment(q: Float64Array) -> Float64Array:
    return 4 / np.pi / np.sqrt(1 + 4 * q)


def erf_determinant(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    """(1 + 2 q1)(1 + 2 q2) - 4 rho^2 q1 q2, without its cancellation."""
    return 1 + 2 * (q1 + q2) + 4 * q1 * q2 * ((1 - rho) * (1 + rho))


def _erf_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    # Williams (1997): (2/pi) asin(2 c / sqrt((1 + 2 q1)(1 + 2 q2))).
    covariance = rho * np.sqrt(q1) * np.sqrt(q2)
    return 2 / np.pi * np.arctan2(2 * covariance, np.sqrt(erf_determinant(q1, q2, rho)))


def _erf_derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    return 4 / np.pi / np.sqrt(erf_determinant(q1, q2, rho))


SIGMOIDS = {
    "tanh": Entry(
        value=_tanh,
        derivative=_tanh_slope,
        slope_from_value=_tanh_slope_from_value,
        max_slope=lambda: 1.0,
        value_range=lambda: (-1.0, 1.0),
        formulas=GaussianFormulas(mean=zero, value_derivative_moment=zero),  # odd
    ),
    "lecun_tanh": Entry(
        value=_lecun_tanh,
        derivative=_lecun_tanh_slope,
        slope_from_value=_lecun_tanh_slope_from_value,
        max_slope=lambda: _LECUN_HEIGHT * _LECUN_RATE,
        value_range=lambda: (-_LECUN_HEIGHT, _LECUN_HEIGHT),
        formulas=GaussianFormulas(mean=zero, value_derivative_moment=zero),
    ),
    "softsign": Entry(
        value=_softsign,
        derivative=_softsign_slope,
        kinks=(0.0,),
        max_slope=lambda: 1.0,
        value_range=lambda: (-1.0, 1.0),
        formulas=GaussianFormulas(mean=zero, value_derivative_moment=zero),
    ),
    "sigmoid": Entry(
        value=sigmoid,
        derivative=_sigmoid_slope,
        slope_from_value=_sigmoid_slope_from_value,
        max_slope=lambda: 0.25,
        value_range=lambda: (0.0, 1.0),
        formulas=GaussianFormulas(mean=half),  # odd about (0, 1/2)
    ),
    "erf": Entry(
        value=_erf,
        derivative=_erf_slope,
        max_slope=lambda: 2 / math.sqrt(math.pi),
        value_range=lambda: (-1.0, 1.0),
        formulas=GaussianFormulas(
            mean=zero,
            second_moment=_erf_second_moment,
            derivative_second_moment=_erf_derivative_second_moment,
            value_derivative_moment=zero,
            covariance=_erf_covariance,
            derivative_covariance=_erf_derivative_covariance,
        ),
    ),
}
