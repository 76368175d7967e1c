"""Rectifiers whose negative side saturates exponentially: elu, selu, celu.

elu(z) is relu(z) + alpha (exp(min(z, 0)) - 1); selu is a multiple of it, and celu is elu on another scale, with
alpha = 1. All moments follow from elu's.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from varprop._typing import Float64Array, FloatArray
from varprop.model.catalogue.rectifiers import both_positive, relu_covariance
from varprop.model.formulas import Entry, GaussianFormulas
from varprop.numerics.bivariate import angle_between, quadrant_integral

_SQRT_2PI = math.sqrt(2 * math.pi)
_SQRT_HALF_PI = math.sqrt(math.pi / 2)

# Klambauer et al. (2017): the alpha and the scale for which mean 0 and variance 1 are a fixed point. Setting
# E[selu] = 0 and E[selu^2] = 1 under N(0, 1) gives them in closed form.
_SELU_ALPHA = math.sqrt(2 / math.pi) / (1 - math.exp(0.5) * math.erfc(math.sqrt(0.5)))
_SELU_SCALE: float = (
    0.5 + _SELU_ALPHA**2 * (math.exp(2) * math.erfc(math.sqrt(2)) / 2 - math.exp(0.5) * math.erfc(math.sqrt(0.5)) + 0.5)
) ** -0.5


def _expm1(z: FloatArray) -> FloatArray:
    """exp(z) - 1 for z <= 0, to two units in the last place.

    By tanh, which NumPy computes two to four times faster than expm1, and rounds alike on every processor.
    """
    half = np.tanh(z / 2)
    less_one: FloatArray = 2 * half / (1 - half)
    return less_one


def _elu(z: FloatArray, *, alpha: float) -> FloatArray:
    a: FloatArray = np.maximum(z, 0) + alpha * _expm1(np.minimum(z, 0))
    return a


def _elu_slope(z: FloatArray, *, alpha: float) -> FloatArray:
    # Where z > 0 the exponential is 1, and the second line leaves 1 whatever alpha is; np.where takes five times longer.
    positive = (z > 0).astype(z.dtype)
    slope: FloatArray = alpha * (np.exp(np.minimum(z, 0)) - positive) + positive
    return slope


def _selu(z: FloatArray) -> FloatArray:
    return _SELU_SCALE * np.maximum(z, 0) + _SELU_SCALE * _SELU_ALPHA * _expm1(np.minimum(z, 0))


def _selu_slope(z: FloatArray) -> FloatArray:
    return _SELU_SCALE * _elu_slope(z, alpha=_SELU_ALPHA)


def _celu(z: FloatArray, *, alpha: float) -> FloatArray:
    a: FloatArray = np.maximum(z, 0) + alpha * _expm1(np.minimum(z, 0) / alpha)
    return a


def _celu_slope(z: FloatArray, *, alpha: float) -> FloatArray:
    slope: FloatArray = np.exp(np.minimum(z, 0) / alpha)
    return slope


def _erfcx_less_one(y: Float64Array) -> Float64Array:
    """exp(y^2) erfc(y) - 1 for y >= 0, to full relative accuracy."""
    near = np.minimum(y, 1.0)
    close = np.expm1(near * near) * special.erfc(near) - special.erf(near)
    return np.where(y < 1, close, special.erfcx(y) - 1)


def _tilted(k: int, q: Float64Array) -> Float64Array:
    """E[exp(k z); z < 0] - 1/2 to full relative accuracy."""
    return _erfcx_less_one(k * np.sqrt(q / 2)) / 2


def _mean(q: Float64Array, *, alpha: float) -> Float64Array:
    return np.sqrt(q) / _SQRT_2PI + alpha * _tilted(1, q)


def _second_moment(q: Float64Array, *, alpha: float) -> Float64Array:
    return q / 2 + alpha**2 * (_tilted(2, q) - 2 * _tilted(1, q))


def _derivative_second_moment(q: Float64Array, *, alpha: float) -> Float64Array:
    return 0.5 + alpha**2 * special.erfcx(np.sqrt(2 * q)) / 2


def _value_derivative_moment(q: Float64Array, *, alpha: float) -> Float64Array:
    return np.sqrt(q) / _SQRT_2PI + alpha**2 * (_tilted(2, q) - _tilted(1, q))


# The covariances, quadrant by quadrant. Along a ray the variables are r a and r b, a and b >= 0, and the radial
# integrals are of Mills' ratio m(g) = exp(g^2/2) Q(g) sqrt(2 pi), the integral of exp(-r^2/2 - g r) over r > 0:
#     integral of r exp(-r^2/2 - g r) = 1 - g m(g),    of r^2 exp(...) = m(g) - g (1 - g m(g)).
# The sums of exp(...) Phi2(...) that the quadrants also come to overflow or cancel from variances of about 10 on.


def _mills(g: Float64Array) -> Float64Array:
    return _SQRT_HALF_PI * special.erfcx(g / math.sqrt(2))


def _mills_loss(g: Float64Array) -> Float64Array:
    """m(g) - m(0)."""
    return _SQRT_HALF_PI * _erfcx_less_one(g / math.sqrt(2))


def _both_negative(a: Float64Array, b: Float64Array) -> Float64Array:
    """(exp(-a r) - 1)(exp(-b r) - 1), integrated along a ray."""
    together = _mills_loss(a + b)
    return (a * (_mills_loss(a) - together) + b * (_mills_loss(b) - together)) / (2 * np.pi)


def _opposite(a: Float64Array, b: Float64Array) -> Float64Array:
    """The sum of a r (exp(-b r) - 1) and b r (exp(-a r) - 1), integrated along a ray."""
    total = sum(x * (_mills_loss(g) - g * (1 - g * _mills(g))) for x, g in ((a, b), (b, a)))
    return np.asarray(total / (2 * np.pi))


def _both_slopes(a: Float64Array, b: Float64Array) -> Float64Array:
    """exp(-(a + b) r), integrated along a ray."""
    return (1 - (a + b) * _mills(a + b)) / (2 * np.pi)


def _one_slope(a: Float64Array, b: Float64Array) -> Float64Array:
    """The sum of exp(-a r) and exp(-b r), integrated along a ray."""
    return (2 - a * _mills(a) - b * _mills(b)) / (2 * np.pi)


def _covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array, *, alpha: float) -> Float64Array:
    s1, s2, rho = np.broadcast_arrays(np.sqrt(q1), np.sqrt(q2), rho)
    negative = quadrant_integral(_both_negative, s1, s2, angle_between(-rho))
    opposite = quadrant_integral(_opposite, s1, s2, angle_between(rho))
    return relu_covariance(q1, q2, rho) + alpha**2 * negative + alpha * opposite


def _derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array, *, alpha: float) -> Float64Array:
    s1, s2, rho = np.broadcast_arrays(np.sqrt(q1), np.sqrt(q2), rho)
    negative = quadrant_integral(_both_slopes, s1, s2, angle_between(-rho))
    opposite = quadrant_integral(_one_slope, s1, s2, angle_between(rho))
    return both_positive(rho) + alpha**2 * negative + alpha * opposite


_ELU = GaussianFormulas(
    mean=_mean,
    second_moment=_second_moment,
    derivative_second_moment=_derivative_second_moment,
    value_derivative_moment=_value_derivative_moment,
    covariance=_covariance,
    derivative_covariance=_derivative_covariance,
)


def _selu_mean(q: Float64Array) -> Float64Array:
    return _SELU_SCALE * _mean(q, alpha=_SELU_ALPHA)


def _selu_second_moment(q: Float64Array) -> Float64Array:
    return _SELU_SCALE**2 * _second_moment(q, alpha=_SELU_ALPHA)


def _selu_derivative_second_moment(q: Float64Array) -> Float64Array:
    return _SELU_SCALE**2 * _derivative_second_moment(q, alpha=_SELU_ALPHA)


def _selu_value_derivative_moment(q: Float64Array) -> Float64Array:
    return _SELU_SCALE**2 * _value_derivative_moment(q, alpha=_SELU_ALPHA)


def _selu_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    return _SELU_SCALE**2 * _covariance(q1, q2, rho, alpha=_SELU_ALPHA)


def _selu_derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    return _SELU_SCALE**2 * _derivative_covariance(q1, q2, rho, alpha=_SELU_ALPHA)


def _celu_mean(q: Float64Array, *, alpha: float) -> Float64Array:
    return alpha * _mean(q / alpha**2, alpha=1.0)


def _celu_second_moment(q: Float64Array, *, alpha: float) -> Float64Array:
    return alpha**2 * _second_moment(q / alpha**2, alpha=1.0)


def _celu_derivative_second_moment(q: Float64Array, *, alpha: float) -> Float64Array:
    return _derivative_second_moment(q / alpha**2, alpha=1.0)


def _celu_value_derivative_moment(q: Float64Array, *, alpha: float) -> Float64Array:
    return alpha * _value_derivative_moment(q / alpha**2, alpha=1.0)


def _celu_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array, *, alpha: float) -> Float64Array:
    return alpha**2 * _covariance(q1 / alpha**2, q2 / alpha**2, rho, alpha=1.0)


def _celu_derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array, *, alpha: float) -> Float64Array:
    return _derivative_covariance(q1 / alpha**2, q2 / alpha**2, rho, alpha=1.0)


EXPONENTIAL_RECTIFIERS = {
    "elu": Entry(
        value=_elu,
        derivative=_elu_slope,
        defaults={"alpha": 1.0},
        kinks=(0.0,),
        max_slope=lambda alpha: max(1.0, abs(alpha)),
        value_range=lambda alpha: (min(-alpha, 0.0), math.inf),
        formulas=_ELU,
    ),
    "selu": Entry(
        value=_selu,
        derivative=_selu_slope,
        kinks=(0.0,),
        max_slope=lambda: _SELU_SCALE * _SELU_ALPHA,
        value_range=lambda: (-_SELU_SCALE * _SELU_ALPHA, math.inf),
        formulas=GaussianFormulas(
            mean=_selu_mean,
            second_moment=_selu_second_moment,
            derivative_second_moment=_selu_derivative_second_moment,
            value_derivative_moment=_selu_value_derivative_moment,
            covariance=_selu_covariance,
            derivative_covariance=_selu_derivative_covariance,
        ),
    ),
    "celu": Entry(
        value=_celu,
        derivative=_celu_slope,
        defaults={"alpha": 1.0},
        positive=("alpha",),
        kinks=(0.0,),
        max_slope=lambda alpha: 1.0,  # noqa: ARG005  at the kink, whatever alpha is
        value_range=lambda alpha: (-alpha, math.inf),
        formulas=GaussianFormulas(
            mean=_celu_mean,
            second_moment=_celu_second_moment,
            derivative_second_moment=_celu_derivative_second_moment,
            value_derivative_moment=_celu_value_derivative_moment,
            covariance=_celu_covariance,
            derivative_covariance=_celu_derivative_covariance,
        ),
    ),
}
