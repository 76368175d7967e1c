"""Bounded activations of the S shape: tanh, lecun_tanh, sigmoid, erf, softsign."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from varprop._typing import Float64Array, FloatArray
from varprop.model.formulas import Entry, GaussianFormulas


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


# ---- gated ones ------------------------------------------------------------------------------------------------------


_SQRT_2PI = math.sqrt(2 * math.pi)

# Phi(-x) exp(x^2/2) = t P(t) with t = 1 / (1 + 0.3 x), for 0 <= x <= 14.2 to 3.5e-9 of its value: fitted by iterated
# least squares (Lawson), highest power first. Twelve plain array operations in float32, four times as fast as the
# library's function; that one is more accurate only relative to values that are themselves below 1e-3.
_TAIL = (
    -0.020617954947516937,
    0.11240459061060258,
    -0.22813782655341014,
    0.19167927792811756,
    -0.07933204355382611,
    0.09610541375402554,
    0.07840831793713368,
    0.1102312142637436,
    0.11957234799569072,
    0.11968666083873816,
)


def _single_precision_tail(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Phi(-x) and exp(-x^2/2) in float32, for x in [0, 14]."""
    t = 1 / (0.3 * x + 1)
    tail = _TAIL[0] * t
    for coefficient in _TAIL[1:]:
        tail += coefficient
        tail *= t
    bell = np.exp(-0.5 * (x * x))
    tail *= bell
    return tail, bell


def _gelu(z: FloatArray) -> FloatArray:
    if z.dtype != np.float32:
        return z * special.ndtr(z)
    x = np.minimum(np.abs(z), 14)  # Phi(-14) is 1e-44, and the square of a large z would overflow
    tail, _ = _single_precision_tail(x)
    tail *= x
    return np.maximum(z, np.zeros(z.shape[-1:], dtype=z.dtype)) - tail


def _gelu_slope(z: FloatArray) -> FloatArray:
    if z.dtype != np.float32:
        near = np.minimum(np.abs(z), 40)
        return special.ndtr(z) + z * np.exp(-0.5 * (near * near)) / _SQRT_2PI
    x = np.minimum(np.abs(z), 14)
    slope, bell = _single_precision_tail(x)
    # Phi(z) + z f(z) - 1/2 is odd.
    bell *= x
    bell *= 1 / _SQRT_2PI
    slope -= 0.5
    slope -= bell
    slope = np.copysign(slope, z)
    slope += 0.5
    return slope


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


_SCALE, _CUBE = math.sqrt(2 / math.pi), 0.044715  # Hendrycks and Gimpel (2016)


def _gelu_tanh(z: FloatArray) -> FloatArray:
    # (1 + tanh(u)) / 2 = 1 / (1 + exp(-2u)), without the cancellation at negative u. At z = +-10 it is 1 or 1e-38.
    left = np.maximum(z, -10)
    near = np.minimum(left, 10)
    a: FloatArray = left / (1 + np.exp(-2 * _SCALE * near * (1 + _CUBE * (near * near))))
    return a


def _gelu_tanh_slope(z: FloatArray) -> FloatArray:
    near = np.minimum(np.maximum(z, -10), 10)
    square = near * near
    u = _SCALE * near * (1 + _CUBE * square)
    decay = np.exp(-2 * np.abs(u))
    bell = 4 * decay / ((1 + decay) * (1 + decay))  # 1 - tanh(u)^2
    slope: FloatArray = 0.5 + 0.5 * np.tanh(u) + (0.5 * _SCALE) * near * bell * (1 + (3 * _CUBE) * square)
    return slope


NORMAL_RECTIFIERS = {
    "gelu": Entry(
        value=_gelu,
        derivative=_gelu_slope,
        # phi''(z) = (2 - z^2) f(z), so |phi'| is largest at sqrt(2): Phi(sqrt(2)) + sqrt(2) f(sqrt(2)) = 1.1289.
        max_slope=lambda: (1 + math.erf(1)) / 2 + math.exp(-1) / math.sqrt(math.pi),
        value_range=lambda: (-0.1700, math.inf),
        formulas=GaussianFormulas(
            mean=_gelu_mean,
            second_moment=_gelu_second_moment,
            derivative_second_moment=_gelu_derivative_second_moment,
            value_derivative_moment=_gelu_value_derivative_moment,
            covariance=_gelu_covariance,
            derivative_covariance=_gelu_derivative_covariance,
        ),
    ),
    "gelu_tanh": Entry(
        value=_gelu_tanh,
        derivative=_gelu_tanh_slope,
        max_slope=lambda: 1.1289930686587718,  # at z = 1.41850400879083, the root of phi'', to 30 digits by mpmath
        value_range=lambda: (-0.1701, math.inf),
    ),
}
