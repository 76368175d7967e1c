r"""Covariances of functions of two normal variables by their Hermite series.

With h_k = He_k / sqrt(k!) and :math:`b_k(q) = E[g(\sqrt q \, x) \, h_k(x)]` for a standard normal x,

.. math:: E[g(z_1) g(z_2)] = \sum_k b_k(q_1) \, b_k(q_2) \, \rho^k

(Mehler's formula). The series is cheap to sum for many rho; its coefficients fall off exponentially in sqrt(k) for an
analytic g, and like a power of k where g has a kink. By Parseval the squares of all coefficients add up to E[g^2], so
what a truncated series leaves out is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from varprop._typing import ArrayFn, Float64Array, FloatArray
from varprop.numerics.quadrature import BoolArray, unresolved

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_WINDOW = 13.0  # |h_k| sqrt(density) is below 1 for every k, so that beyond this a bounded g leaves less than 1e-18
# Most terms, the width of the panels that resolve them (h_k oscillates at the wave number sqrt(k)), and up to which
# standard deviation so many are tried: past it they take longer than many double integrals, and hardly ever suffice.
_STAGES = ((256, 1.0, 16.0), (1024, 0.5, 16.0), (4096, 0.25, 7.0))
_LEAST = 256  # terms of any series, so that most pairs of variances have equally many
_SETTLED = 2e-15  # the share of E[g^2] that is within rounding of nothing
_TOLERANCE = 1e-14  # of the size sqrt(E[g(z1)^2] E[g(z2)^2]): the truncation error that is let pass
_OCTAVE = 20  # Chebyshev points in log q, as in `varprop.numerics.quadrature.normal_expectation`


@dataclass(frozen=True, slots=True)
class HermiteCoefficients:
    """The first coefficients of a function's Hermite series, for one or several variances of its argument.

    Parameters
    ----------
    values : ndarray, shape (terms, points)
        b_k.
    energy : ndarray, shape (points,)
        E[g^2].
    remainder : ndarray, shape (points,)
        The share of E[g^2] in the terms that were left out.
    """

    values: Float64Array
    energy: Float64Array
    remainder: Float64Array

    def shortened(self, terms: int) -> HermiteCoefficients:
        """The first so many terms; all of E[g^2] may then be in the others.

        Parameters
        ----------
        terms : int
            At least 1.

        Returns
        -------
        HermiteCoefficients
        """
        if terms >= len(self.values):
            return self
        return HermiteCoefficients(self.values[:terms], self.energy, np.ones_like(self.remainder))


def hermite_coefficients(function: ArrayFn, q: Float64Array, kinks: Sequence[float] = ()) -> HermiteCoefficients:
    """Coefficients of g(sqrt(q) x), as many as it takes, up to 4096; up to 256 where g has kinks.

    Parameters
    ----------
    function : callable
        g, elementwise on float64, analytic between kinks.
    q : ndarray, shape (points,)
        Variances, >= 0.
    kinks : sequence of float, optional
        Where g is not analytic.

    Returns
    -------
    HermiteCoefficients
        With an absolute error near 1e-15 sqrt(E[g^2]); without terms and with an infinite remainder where g grows
        too fast to be integrated over 13 standard deviations, has features narrower than 1, or q is beyond 256.

    Examples
    --------
    >>> found = hermite_coefficients(lambda z: z**2, np.array([1.0, 4.0]))
    >>> (found.values[:3] ** 2).round(6)
    array([[ 1., 16.],
           [ 0.,  0.],
           [ 2., 32.]])
    """
    with np.errstate(over="ignore", invalid="ignore"):  # looked for by _is_held
        found = HermiteCoefficients(np.zeros((0, q.size)), np.ones_like(q), np.full_like(q, np.inf))
        for terms, width, widest in _STAGES:
            if np.sqrt(q.max()) > widest:
                break
            x, mass = _nodes(np.sqrt(q), kinks, width)
            values = function(np.sqrt(q)[:, None] * x)
            if not _is_held(values, mass):
                break
            found = _by_recurrence(values, x, mass, terms)
            if kinks or np.all(found.remainder <= _SETTLED):
                break
    return found


def coefficients_in_octave(function: ArrayFn, exponent: int, kinks: Sequence[float] = ()) -> HermiteCoefficients | None:
    """Chebyshev coefficients, in log q over the octave [1/2, 1) 2^exponent, of the Hermite coefficients.

    Parameters
    ----------
    function : callable
        g, elementwise on float64, analytic between kinks.
    exponent : int
        Of the octave.
    kinks : sequence of float, optional
        Where g is not analytic.

    Returns
    -------
    HermiteCoefficients or None
        With 20 Chebyshev coefficients for points, to be evaluated by `at_mantissa`; None if they do not decay.

    Examples
    --------
    >>> table = coefficients_in_octave(np.tanh, 0)
    >>> direct = hermite_coefficients(np.tanh, np.array([0.7]))
    >>> float(abs(at_mantissa(table, np.array([0.7])).values[1] - direct.values[1])[0]) < 1e-15
    True
    """
    angles = np.pi * (np.arange(_OCTAVE) + 0.5) / _OCTAVE
    found = hermite_coefficients(function, np.ldexp(np.exp2((np.cos(angles) - 1) / 2), exponent), kinks)
    transform = 2 / _OCTAVE * np.cos(np.outer(angles, np.arange(_OCTAVE)))
    transform[:, 0] /= 2
    values, energy = found.values @ transform, found.energy @ transform
    size = math.sqrt(found.energy.min())
    if not len(values) or np.abs(values[:, -2:]).max() > _TOLERANCE * size:
        return None
    return HermiteCoefficients(values, energy, np.full_like(energy, found.remainder.max()))


def at_mantissa(table: HermiteCoefficients, mantissa: Float64Array) -> HermiteCoefficients:
    """Hermite coefficients for q = mantissa 2^exponent, from the table of the octave.

    Parameters
    ----------
    table : HermiteCoefficients
        Of `coefficients_in_octave`.
    mantissa : ndarray, shape (points,)
        In [1/2, 1).

    Returns
    -------
    HermiteCoefficients

    Examples
    --------
    >>> table = coefficients_in_octave(np.sin, 0)
    >>> at_mantissa(table, np.array([0.5, 0.75])).energy * 2
    array([0.63212056, 0.77686984])
    """
    basis = np.polynomial.chebyshev.chebvander(2 * np.log2(mantissa) + 1, _OCTAVE - 1).T
    return HermiteCoefficients(table.values @ basis, table.energy @ basis, table.remainder[0] * np.ones_like(mantissa))


def hermite_covariance(
    first: HermiteCoefficients, second: HermiteCoefficients, rho: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """E[g(z1) g(z2)] for correlations rho, and a bound for what the truncated series leaves out.

    Parameters
    ----------
    first, second : HermiteCoefficients
        For the variances of z1 and z2.
    rho : ndarray, shape (points,)
        Correlations in [-1, 1].

    Returns
    -------
    values, error : ndarray, shape (points,)
        The bound is relative to sqrt(E[g(z1)^2] E[g(z2)^2]).

    Examples
    --------
    >>> b = hermite_coefficients(np.cos, np.ones(1))
    >>> value, error = hermite_covariance(b, b, np.array([0.5]))
    >>> (value - np.exp(-1) * np.cosh(0.5)).round(12) == 0, error < 1e-14
    (array([ True]), array([ True]))
    """
    terms = min(len(first.values), len(second.values))
    total = np.zeros_like(rho)
    for k in range(terms - 1, -1, -1):
        total *= rho
        total += first.values[k] * second.values[k]
    # Cauchy and Schwarz: no rest of the series is larger than the product of the two remainders' roots.
    with np.errstate(under="ignore", invalid="ignore"):
        error = np.abs(rho) ** terms * np.sqrt(_left_out(first, terms) * _left_out(second, terms))
    return total, error


def terms_needed(rho: float) -> int:
    """Terms after which the series is below rounding for correlations up to rho, whatever its coefficients are.

    Parameters
    ----------
    rho : float
        In [0, 1].

    Returns
    -------
    int
        At most 4096, for rho near 1: then the coefficients decide.

    Examples
    --------
    >>> terms_needed(0.5), terms_needed(0.99)
    (54, 3657)
    """
    most = _STAGES[-1][0]
    return 1 if rho == 0 else most if rho == 1 else min(most, math.ceil(math.log(2.0**-53) / math.log(rho)) + 1)


def is_settled(error: Float64Array) -> BoolArray:
    """Whether a truncation error, as of `hermite_covariance`, is small enough to let pass: 1e-14."""
    settled: BoolArray = error <= _TOLERANCE
    return settled


def _left_out(b: HermiteCoefficients, terms: int) -> Float64Array:
    """The share of E[g^2] beyond the first terms, all of which may be fewer than b has."""
    rest: Float64Array = b.remainder + np.sum(np.square(b.values[terms:]), axis=0) / np.maximum(b.energy, 1e-300)
    return rest


def _nodes(s: Float64Array, kinks: Sequence[float], width: float) -> tuple[Float64Array, Float64Array]:
    """Nodes x of shape (points, n) and their normal masses, on panels no wider than g(s x) or the width asks for."""
    panels = math.ceil(2 * _WINDOW / min(width, 1 / max(float(s.max()), 1.0)))
    grid = np.broadcast_to(np.linspace(-_WINDOW, _WINDOW, panels + 1), (s.size, panels + 1))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        crossings = np.clip(np.nan_to_num(np.asarray(kinks) / s[:, None]), -_WINDOW, _WINDOW)
    edges = np.sort(np.concatenate([grid, crossings], axis=1), axis=1)
    half = np.diff(edges)[..., None] / 2
    x = edges[:, :-1, None] + half * (1 + _NODES)
    mass = half * (_WEIGHTS / math.sqrt(2 * math.pi)) * np.exp(-0.5 * x * x)
    return x.reshape(s.size, -1), mass.reshape(s.size, -1)


def _is_held(values: FloatArray, mass: Float64Array) -> bool:
    """Whether g is finite, is resolved by the panels, and what the window cuts off is nothing."""
    energy = np.sum(mass * values * values, axis=1)
    if not np.isfinite(energy).all() or unresolved(values, mass).any():
        return False
    outermost = np.maximum(np.abs(values[:, 0]), np.abs(values[:, -1])) * math.exp(-_WINDOW * _WINDOW / 4)
    return bool(np.all(outermost <= 1e-15 * np.sqrt(energy)))


def _by_recurrence(values: FloatArray, x: Float64Array, mass: Float64Array, terms: int) -> HermiteCoefficients:
    """Up to so many coefficients: h_(k+1) sqrt(k+1) = x h_k - sqrt(k) h_(k-1), with g and the masses multiplied in."""
    now: Float64Array = mass * values
    energy = np.sum(now * values, axis=1)
    before = np.zeros_like(now)
    found = np.empty((terms, len(x)))
    captured = np.zeros_like(energy)
    for k in range(terms):
        found[k] = now.sum(axis=1)
        captured += np.square(found[k])
        if k + 1 >= _LEAST and k % 16 == 15 and np.all(energy - captured <= _SETTLED * energy):
            found = found[: k + 1]
            break
        before *= -math.sqrt(k)
        before += x * now
        before /= math.sqrt(k + 1)
        before, now = now, before
    # What rounding hides is not known to be nothing.
    remainder = np.maximum(
        (energy - captured) / np.maximum(energy, np.finfo(np.float64).tiny), np.finfo(np.float64).eps
    )
    return HermiteCoefficients(found, energy, remainder)
