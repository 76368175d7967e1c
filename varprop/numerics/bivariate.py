"""The normal law of two variables: its distribution function, and integrals over one of its quadrants."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop._typing import Float64Array

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_CHUNK = 2048  # points at a time
_PANEL = 2.0  # of asinh(g), where the integrands below are analytic within pi / 2 of the real axis


def complement(rho: Float64Array) -> Float64Array:
    """sqrt(1 - rho^2) without its cancellation, for a correlation in [-1, 1]."""
    root: Float64Array = np.sqrt((1 - rho) * (1 + rho))
    return root


def angle_between(rho: Float64Array) -> Float64Array:
    """arccos(rho), also where rho is near 1."""
    angle: Float64Array = np.arctan2(complement(rho), rho)
    return angle


def bivariate_normal_cdf(h: ArrayLike, k: ArrayLike, rho: ArrayLike) -> Float64Array:
    r"""P(x <= h, y <= k) for standard normal x and y with correlation rho.

    Parameters
    ----------
    h, k : float or ndarray
        Limits, which may be infinite.
    rho : float or ndarray
        Correlation in [-1, 1].

    Returns
    -------
    ndarray
        In the broadcast shape, with an absolute error of some 2e-16.

    Notes
    -----
    By Owen's function T(h, a), the probability that x > h and 0 < y < a x for independent x and y: the quadrant is cut
    along the ray from its corner to the origin into two wedges,

    .. math:: \Phi_2(h, k; \rho) = \tfrac12 [\Phi(h) + \Phi(k)] - T(h, a) - T(k, b) - \tfrac12 [hk < 0]

    with a = (k - rho h) / (h t), b = (h - rho k) / (k t) and t^2 = 1 - rho^2. The difference k - rho h is taken as
    (k - h) + (1 - rho) h, or with the signs that suit a negative rho: near rho = +-1 and h = +-k it is nearly all that
    decides, and the plain product has rounded it away.

    Examples
    --------
    >>> float(bivariate_normal_cdf(0.0, 0.0, 0.5)) * 3
    1.0
    """
    # Past 40 standard deviations nothing is left to lose, and infinity less infinity is avoided.
    limits = (np.clip(np.asarray(limit, dtype=np.float64), -40.0, 40.0) for limit in (h, k))
    x, y, r = np.broadcast_arrays(*limits, np.asarray(rho, dtype=np.float64))
    halves = (special.ndtr(x) + special.ndtr(y)) / 2
    opposite = np.where((x < 0) != (y < 0), 0.5, 0.0)
    inside: Float64Array = np.clip(halves - _wedge(x, y, r) - _wedge(y, x, r) - opposite, 0.0, 1.0)
    return inside


def _wedge(h: Float64Array, k: Float64Array, rho: Float64Array) -> Float64Array:
    """T(h, (k - rho h) / (h t)), where h = 0 is meant as its limit from above, and t = 0 likewise."""
    t = complement(rho)
    difference = residual(h, k, rho)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slope = difference / (h * t)
    # 0 / 0: at h = k = 0 the ray has the slope sqrt((1 - rho) / (1 + rho)), elsewhere it is level.
    slope = np.where(h * t == 0, np.where(difference == 0, 0.0, np.copysign(np.inf, difference * _side(h))), slope)
    with np.errstate(divide="ignore"):
        corner = np.sqrt((1 - rho) / (1 + rho))
    return special.owens_t(h, np.where((h == 0) & (k == 0), corner, slope))


def _side(h: Float64Array) -> Float64Array:
    return np.where(h < 0, -1.0, 1.0)


def residual(h: Float64Array, k: Float64Array, rho: Float64Array) -> Float64Array:
    """The difference k - rho h, without the rounding of the product where it matters."""
    sign = _side(rho)
    return (k - sign * h) + sign * h * (1 - sign * rho)


def quadrant_integral(
    radial: Callable[[Float64Array, Float64Array], Float64Array],
    s1: Float64Array,
    s2: Float64Array,
    angle: Float64Array,
) -> Float64Array:
    r"""Integral over a wedge of the plane of a function whose radial part is known.

    Two normal variables with standard deviations s1 and s2 are :math:`r s_1 \sin\theta` and
    :math:`r s_2 \sin(\omega - \theta)` in polar coordinates of the plane of two independent ones: both are positive
    in a wedge of angle :math:`\omega`, which is :math:`\arccos(-\rho)` for a correlation :math:`\rho`. An expectation
    over that quadrant is then the integral over :math:`\theta` from 0 to :math:`\omega` of

    .. math:: F(a, b) = \frac{1}{2\pi} \int_0^\infty g(a r, b r) \, r \, e^{-r^2/2} \, dr, \qquad
              a = s_1 \sin\theta, \quad b = s_2 \sin(\omega - \theta).

    Parameters
    ----------
    radial : callable
        F(a, b), elementwise for a, b >= 0, whose features in each are no narrower than about max(1, a).
    s1, s2 : ndarray
        Standard deviations, >= 0.
    angle : ndarray
        The wedge's angle omega in [0, pi]; of the same shape.

    Returns
    -------
    ndarray
        Of that shape, with an error near 1e-15 of the integral of \|F\|.

    Notes
    -----
    F changes over a width 1/s at the edges, s the larger of s1 and s2 (where omega is near pi, both variables vanish
    at either edge). Each half of the wedge is therefore mapped by theta = sinh(x) / s and integrated over x by panels
    of 20 Gauss-Legendre nodes: what exp(-a r) leaves after the radial integral is smooth where \|Im x\| < pi/2.

    Examples
    --------
    >>> one = np.ones(())
    >>> float(quadrant_integral(lambda a, b: np.ones_like(a) / (2 * np.pi), one, one, np.pi / 2 * one))
    0.25
    """
    flat = s1.ravel(), s2.ravel(), angle.ravel()
    total = np.empty(angle.size)
    for start in range(0, angle.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        total[part] = _over_wedge(radial, *(values[part, None] for values in flat))
    return total.reshape(angle.shape)


def _over_wedge(
    radial: Callable[[Float64Array, Float64Array], Float64Array],
    s1: Float64Array,
    s2: Float64Array,
    angle: Float64Array,
) -> Float64Array:
    """The integral, for columns of arguments."""
    steep = np.maximum(np.maximum(s1, s2), 1e-8)  # flatter ones are linear over the wedge
    reach = np.arcsinh(steep * angle / 2)
    panels = max(1, int(np.ceil(reach.max() / _PANEL)))
    x = reach * ((np.arange(panels)[:, None] + (1 + _NODES) / 2) / panels).ravel()
    theta, weights = np.sinh(x) / steep, np.cosh(x) / steep * np.tile(_WEIGHTS, panels) * reach / (2 * panels)
    near, far = np.sin(theta), np.sin(angle - theta)
    total: Float64Array = np.sum((radial(s1 * near, s2 * far) + radial(s1 * far, s2 * near)) * weights, axis=1)
    return total
