r"""Attracting correlations of many networks at once, from a table of E[phi(z1) phi(z2)].

For a fixed point q of the length map, c is kept if C_W D(c) = q, where D(c) = (E[phi^2] - E[phi(z1) phi(z2)]) / (1 - c).
D rises with c, to q E[phi'^2] at 1, so a root in t = sqrt(1 - c) is bracketed by 0 and 1. In t, D is smooth even where
phi has kinks, and in log q every Gaussian moment is analytic: Chebyshev interpolants in both converge fast. What they
leave, a step of Newton's method removes.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev

from varprop._typing import Float64Array
from varprop.model.activations import Activation

_IN_Q = 10  # per octave; off by 6.2^-10 = 1e-8 (see `normal_expectation`)
_IN_T = 24
_HALVINGS = 48
_AT_THE_END = 1e-7  # nearer to t = 1 than this, c is 0


def attracting_correlations(
    phi: Activation, weight_variance: Float64Array, q: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Correlations c < 1 that attract at fixed points q with chi_1 > 1, and the slope of the correlation map there."""
    octave = np.floor(np.log2(q)).astype(int)
    series = np.empty((_IN_T, q.size))
    for exponent in np.unique(octave):
        here = octave == exponent
        table = _octave(phi, int(exponent))
        x = 2 * (np.log2(q[here]) - exponent) - 1
        series[:, here] = table.T @ chebyshev.chebvander(x, _IN_Q - 1).T
    wanted = q / weight_variance
    low, high = np.zeros_like(q), np.ones_like(q)
    for _ in range(_HALVINGS):
        t = (low + high) / 2
        # D falls with t.
        above = _values(series, t) > wanted
        low, high = np.where(above, t, low), np.where(above, high, t)
    t = (low + high) / 2
    # So it is for odd phi without biases, and for no others.
    odd = t > 1 - _AT_THE_END
    c = np.where(odd, 0.0, 1 - t * t)
    # f(c) - c without f(1) - 1, which rounding leaves.
    deficit = phi.second_moment(q) - phi.covariance(q, q, c)
    excess = (1 - c) - weight_variance / q * deficit
    slope = weight_variance * phi.derivative_covariance(q, q, c)
    # f is convex, so its slope at c* is below 1; rounding may say otherwise where chi_1 is all but 1.
    step = np.divide(excess, 1 - slope, out=np.zeros_like(c), where=slope < 1)
    c = np.where(odd, 0.0, np.clip(c + step, 0.0, 1.0))
    return c, weight_variance * phi.derivative_covariance(q, q, c)


def _values(series: Float64Array, t: Float64Array) -> Float64Array:
    """Every column's series at its own t in [0, 1]."""
    return np.asarray(chebyshev.chebval(2 * t - 1, series, tensor=False), dtype=np.float64)


def _octave(phi: Activation, exponent: int) -> Float64Array:
    """Chebyshev coefficients, shape (_IN_Q, _IN_T), of D over q in [2^exponent, 2^(exponent + 1)] and t in [0, 1]."""
    in_q, in_t = chebyshev.chebpts1(_IN_Q), chebyshev.chebpts1(_IN_T)
    q, t = np.exp2(exponent + (in_q + 1) / 2), (in_t + 1) / 2
    both = np.array([phi.covariance(float(value), float(value), 1 - t * t) for value in q])
    deficit = (phi.second_moment(q)[:, None] - both) / (t * t)
    return np.asarray(_coefficients(in_q) @ deficit @ _coefficients(in_t).T, dtype=np.float64)


def _coefficients(points: Float64Array) -> Float64Array:
    """From values at the Chebyshev points to coefficients, as a matrix."""
    size = points.size
    matrix = 2 / size * chebyshev.chebvander(points, size - 1).T
    matrix[0] /= 2
    return np.asarray(matrix)
