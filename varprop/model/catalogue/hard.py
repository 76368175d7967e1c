r"""Saturating functions made of straight lines and parabolas: hard_tanh, hard_sigmoid, relu6, hard_swish.

With s the standard deviation of z, everything is made of moments of z cut off at k, in b = k / s:
P(\|z\| < k) = erf(b / sqrt 2), E[z^2; \|z\| < k] = q gamma(3/2, b^2/2) and E[z^4; \|z\| < k] = 3 q^2 gamma(5/2, b^2/2),
gamma the regularised incomplete gamma function: the laws of chi^2 with 1, 3 and 5 degrees of freedom.

hard_sigmoid(z) is (1 + hard_tanh(z / 3)) / 2.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from varprop._typing import Float64Array, FloatArray
from varprop.model.catalogue.sigmoids import half, zero
from varprop.model.formulas import Entry, GaussianFormulas
from varprop.numerics.bivariate import bivariate_normal_cdf, complement, residual

_SQRT_2PI = math.sqrt(2 * math.pi)
_FAR = 40.0  # standard deviations past which no double has a density


def _hard_tanh(z: FloatArray) -> FloatArray:
    return np.clip(z, -1, 1)


def _hard_tanh_slope(z: FloatArray) -> FloatArray:
    return (np.abs(z) < 1).astype(z.dtype)


def _relu6(z: FloatArray) -> FloatArray:
    return np.clip(z, 0, 6)


def _relu6_slope(z: FloatArray) -> FloatArray:
    return ((z > 0) & (z < 6)).astype(z.dtype)


def _hard_sigmoid(z: FloatArray) -> FloatArray:
    return np.clip(z / 6 + 0.5, 0, 1)


def _hard_sigmoid_slope(z: FloatArray) -> FloatArray:
    return (np.abs(z) < 3).astype(z.dtype) / 6


def _hard_swish(z: FloatArray) -> FloatArray:
    return z * _hard_sigmoid(z)


def _hard_swish_slope(z: FloatArray) -> FloatArray:
    inside = (np.abs(z) < 3).astype(z.dtype)
    return inside * (z / 3 + 0.5) + (z >= 3).astype(z.dtype)


def _cut(k: float, q: Float64Array) -> Float64Array:
    """The cut k in standard deviations, at most 40."""
    s = np.sqrt(q)
    # Below this s the quotient is past 40, and is not formed: it might overflow.
    quotient = np.divide(k, s, out=np.full_like(s, _FAR), where=s > k / _FAR)
    return np.minimum(quotient, _FAR) if k else np.zeros_like(s)


def _inside(k: float, q: Float64Array, *, power: int = 0) -> Float64Array:
    r"""E[z^power; \|z\| < k] for an even power."""
    b = _cut(k, q)
    if power == 0:
        probability: Float64Array = special.erf(b / math.sqrt(2))
        return probability
    scale = q if power == 2 else 3 * q * q
    return scale * special.gammainc((power + 1) / 2, b * b / 2)


def _beyond(k: float, q: Float64Array, *, power: int = 0) -> Float64Array:
    """E[z^power; z > k] for a power of 0, 1 or 2."""
    b = _cut(k, q)
    if power == 0:
        return special.ndtr(-b)
    if power == 1:
        return np.sqrt(q) * _density(b)
    return q / 2 * special.gammaincc(1.5, b * b / 2)


def _density(x: Float64Array) -> Float64Array:
    density: Float64Array = np.exp(-x * x / 2) / _SQRT_2PI
    return density


def _first_below(k: float, q: Float64Array) -> Float64Array:
    """E[z; 0 < z < k]."""
    b = _cut(k, q)
    return -np.sqrt(q) * np.expm1(-b * b / 2) / _SQRT_2PI


def _hard_tanh_second_moment(q: Float64Array) -> Float64Array:
    return _inside(1, q, power=2) + 2 * _beyond(1, q)


def _hard_tanh_derivative_second_moment(q: Float64Array) -> Float64Array:
    return _inside(1, q)


def _hard_sigmoid_second_moment(q: Float64Array) -> Float64Array:
    return 0.25 + _hard_sigmoid_variance(q)


def _hard_sigmoid_variance(q: Float64Array) -> Float64Array:
    return _hard_tanh_second_moment(q / 9) / 4


def _hard_sigmoid_derivative_second_moment(q: Float64Array) -> Float64Array:
    return _inside(3, q) / 36


def _hard_sigmoid_value_derivative_moment(q: Float64Array) -> Float64Array:
    return _inside(3, q) / 12  # phi - 1/2 is odd and phi' even


def _relu6_mean(q: Float64Array) -> Float64Array:
    return _first_below(6, q) + 6 * _beyond(6, q)


def _relu6_second_moment(q: Float64Array) -> Float64Array:
    return _inside(6, q, power=2) / 2 + 36 * _beyond(6, q)


def _relu6_derivative_second_moment(q: Float64Array) -> Float64Array:
    return _inside(6, q) / 2


def _relu6_value_derivative_moment(q: Float64Array) -> Float64Array:
    return _first_below(6, q)


# hard_swish is z (z + 3) / 6 where |z| < 3; odd powers of z vanish there by symmetry.


def _hard_swish_mean(q: Float64Array) -> Float64Array:
    return q * _inside(3, q) / 6  # E[z hard_sigmoid(z)] = q E[hard_sigmoid'(z)]


def _hard_swish_second_moment(q: Float64Array) -> Float64Array:
    return _inside(3, q, power=4) / 36 + _inside(3, q, power=2) / 4 + _beyond(3, q, power=2)


def _hard_swish_derivative_second_moment(q: Float64Array) -> Float64Array:
    return _inside(3, q, power=2) / 9 + _inside(3, q) / 4 + _beyond(3, q)


def _hard_swish_value_derivative_moment(q: Float64Array) -> Float64Array:
    return _inside(3, q, power=2) / 4 + _beyond(3, q, power=1)


# Two inputs. The corner where z1 > j and z2 > k, in h = j / s1 and k = k / s2, has the probability Phi2(-h, -k; rho), and
#     E relu(z1 - j) relu(z2 - k) = s1 s2 [(rho + h k) Phi2(-h, -k; rho) + t f(h) f(u) - h f(k) Phi(-v) - k f(h) Phi(-u)]
# with t^2 = 1 - rho^2, u = (k - rho h) / t and v = (h - rho k) / t: its derivatives by h and k are the first moments.


def _corner_moment(
    s1: Float64Array, s2: Float64Array, h: Float64Array, k: Float64Array, rho: Float64Array
) -> Float64Array:
    """E relu(z1 - h s1) relu(z2 - k s2)."""
    t = complement(rho)
    u, v = _standardised(residual(h, k, rho), t), _standardised(residual(k, h, rho), t)
    probability = bivariate_normal_cdf(-h, -k, rho)
    # The density at the corner is symmetric in h and k, but only the smaller of the two ways to write it is accurate.
    corner = t * _density(h) * _density(np.clip(u, -_FAR, _FAR))
    edges = h * _density(k) * special.ndtr(-v) + k * _density(h) * special.ndtr(-u)
    return s1 * s2 * ((rho + h * k) * probability + corner - edges)


def _standardised(difference: Float64Array, t: Float64Array) -> Float64Array:
    """The difference over t, where 0 / 0 is 0: its limit for rho -> +-1 at h = +-k."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(difference == 0, 0.0, difference / t)


def _pair(
    q1: Float64Array, q2: Float64Array, rho: Float64Array, k: float
) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array, Float64Array]:
    """s1, s2, k / s1, k / s2 and rho in their common shape."""
    q1, q2, rho = np.broadcast_arrays(q1, q2, rho)
    return np.sqrt(q1), np.sqrt(q2), _cut(k, q1), _cut(k, q2), rho


def _hard_tanh_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    # z - relu(z - 1) + relu(-z - 1): what is cut off, not what is left, so that small variances lose no digits.
    s1, s2, b1, b2, rho = _pair(q1, q2, rho, 1)
    line = rho * s1 * s2 * (1 - 2 * special.ndtr(-b1) - 2 * special.ndtr(-b2))
    return line + 2 * (_corner_moment(s1, s2, b1, b2, rho) - _corner_moment(s1, s2, b1, b2, -rho))


def _hard_tanh_derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    _, _, b1, b2, rho = _pair(q1, q2, rho, 1)
    corners = bivariate_normal_cdf(-b1, -b2, rho) + bivariate_normal_cdf(-b1, -b2, -rho)
    return 1 - 2 * special.ndtr(-b1) - 2 * special.ndtr(-b2) + 2 * corners


def _hard_sigmoid_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    return 0.25 + _hard_tanh_covariance(q1 / 9, q2 / 9, rho) / 4


def _hard_sigmoid_derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    return _hard_tanh_derivative_covariance(q1 / 9, q2 / 9, rho) / 36


def _relu6_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    s1, s2, b1, b2, rho = _pair(q1, q2, rho, 6)
    o = np.zeros_like(b1)
    whole, both = _corner_moment(s1, s2, o, o, rho), _corner_moment(s1, s2, b1, b2, rho)
    return whole - _corner_moment(s1, s2, b1, o, rho) - _corner_moment(s1, s2, o, b2, rho) + both


def _relu6_derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    _, _, b1, b2, rho = _pair(q1, q2, rho, 6)
    whole, both = bivariate_normal_cdf(0.0, 0.0, rho), bivariate_normal_cdf(-b1, -b2, rho)
    return whole - bivariate_normal_cdf(-b1, 0.0, rho) - bivariate_normal_cdf(0.0, -b2, rho) + both


HARD = {
    "hard_tanh": Entry(
        value=_hard_tanh,
        derivative=_hard_tanh_slope,
        kinks=(-1.0, 1.0),
        max_slope=lambda: 1.0,
        value_range=lambda: (-1.0, 1.0),
        formulas=GaussianFormulas(
            mean=zero,
            second_moment=_hard_tanh_second_moment,
            derivative_second_moment=_hard_tanh_derivative_second_moment,
            value_derivative_moment=zero,
            covariance=_hard_tanh_covariance,
            derivative_covariance=_hard_tanh_derivative_covariance,
        ),
    ),
    "hard_sigmoid": Entry(
        value=_hard_sigmoid,
        derivative=_hard_sigmoid_slope,
        kinks=(-3.0, 3.0),
        max_slope=lambda: 1 / 6,
        value_range=lambda: (0.0, 1.0),
        formulas=GaussianFormulas(
            mean=half,
            second_moment=_hard_sigmoid_second_moment,
            variance=_hard_sigmoid_variance,
            derivative_second_moment=_hard_sigmoid_derivative_second_moment,
            value_derivative_moment=_hard_sigmoid_value_derivative_moment,
            covariance=_hard_sigmoid_covariance,
            derivative_covariance=_hard_sigmoid_derivative_covariance,
        ),
    ),
    "relu6": Entry(
        value=_relu6,
        derivative=_relu6_slope,
        kinks=(0.0, 6.0),
        max_slope=lambda: 1.0,
        value_range=lambda: (0.0, 6.0),
        formulas=GaussianFormulas(
            mean=_relu6_mean,
            second_moment=_relu6_second_moment,
            derivative_second_moment=_relu6_derivative_second_moment,
            value_derivative_moment=_relu6_value_derivative_moment,
            covariance=_relu6_covariance,
            derivative_covariance=_relu6_derivative_covariance,
        ),
    ),
    "hard_swish": Entry(
        value=_hard_swish,
        derivative=_hard_swish_slope,
        kinks=(-3.0, 3.0),
        max_slope=lambda: 1.5,  # approached from the left of z = 3
        value_range=lambda: (-0.375, math.inf),
        formulas=GaussianFormulas(
            mean=_hard_swish_mean,
            second_moment=_hard_swish_second_moment,
            derivative_second_moment=_hard_swish_derivative_second_moment,
            value_derivative_moment=_hard_swish_value_derivative_moment,
        ),
    ),
}
