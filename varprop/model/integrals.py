r"""How the moments of an activation are computed: by closed form, by quadrature, or by Hermite series.

At q = 0, z is 0: phi stands for phi(0), and phi' for its limit from q > 0, which where phi has a kink at 0 is the mean
of the two one-sided slopes in the single moments, and weighs them by quadrant in the derivatives' covariance. A phi
that jumps stands for its limit from q > 0 too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varprop._arguments import quoted
from varprop._typing import Float64Array, FloatArray
from varprop.model.formulas import GaussianFormulas
from varprop.model.slopes import Differentiable, check_slopes
from varprop.numerics.breaks import one_sided_values
from varprop.numerics.hermite import (
    HermiteCoefficients,
    at_mantissa,
    coefficients_in_octave,
    hermite_coefficients,
    hermite_covariance,
    is_settled,
    terms_needed,
)
from varprop.numerics.quadrature import normal_expectation, normal_product_expectation

IntegralMethod = Literal["auto", "formula", "quadrature"]
SingleMoment = Literal["mean", "second_moment", "derivative_second_moment", "value_derivative_moment"]
PairMoment = Literal["covariance", "derivative_covariance"]

# Stands for q = 0 in the moments of phi': z is so small that phi' is at its one-sided limits.
_LIMIT = 1e-200
# A correlation computed as a quotient may leave [-1, 1] by rounding; no more than this is forgiven.
_ROUNDING = 1e-12
# From so many variances in one octave on, their Hermite coefficients are interpolated.
_MANY = 24
_CHUNK = 1024  # points of a Hermite series at a time


class Pointwise(Differentiable, Protocol):
    """What moments need to know of an activation."""

    @property
    def jumps(self) -> tuple[float, ...]:
        """Where phi jumps."""

    @property
    def formulas(self) -> GaussianFormulas:
        """Closed forms."""

    def __call__(self, z: FloatArray) -> FloatArray:
        """phi(z)."""

    def slope(self, z: FloatArray) -> FloatArray:
        """phi'(z)."""


_INTEGRANDS: dict[SingleMoment, Callable[[Pointwise, FloatArray], FloatArray]] = {
    "mean": lambda phi, z: phi(z),
    "second_moment": lambda phi, z: np.square(phi(z)),
    "derivative_second_moment": lambda phi, z: np.square(phi.slope(z)),
    "value_derivative_moment": lambda phi, z: phi(z) * phi.slope(z),
}


def single(phi: Pointwise, moment: SingleMoment, q: ArrayLike, method: IntegralMethod) -> Float64Array:
    """One of the moments under z ~ N(0, q), in the shape of q."""
    variances = _variances("q", q)
    if moment == "derivative_second_moment" and phi.jumps:
        msg = (
            f"the derivative_second_moment of {phi.label} is infinite: phi jumps at z = {phi.jumps[0]:g}, where phi' is "
            "a delta function; what remains are value_derivative_moment, and derivative_covariance for |rho| < 1"
        )
        raise ValueError(msg)
    formula = _formula(phi, moment, method)
    if formula is not None:
        return _finite(phi, moment, variances, formula)
    shifted = np.maximum(variances, _LIMIT) if phi.jumps or "derivative" in moment else variances
    integrand = _INTEGRANDS[moment]
    if "derivative" in moment:
        check_slopes(phi, variances)
    with _naming(phi, moment):
        regular = normal_expectation(lambda z: integrand(phi, z), shifted, phi.edges)
    if moment != "value_derivative_moment" or not phi.jumps:
        return regular
    return _finite(phi, moment, variances, lambda v: regular + _jumps_of_the_square(phi, v))


def variance(phi: Pointwise, q: ArrayLike, method: IntegralMethod) -> Float64Array:
    """Var phi(z) under z ~ N(0, q), in the shape of q."""
    variances = _variances("q", q)
    own = _formula(phi, "variance", "auto" if method == "formula" else method)  # or from mean and second_moment
    if own is not None:
        return _finite(phi, "variance", variances, own)
    mean, second = (_formula(phi, moment, method) for moment in ("mean", "second_moment"))
    if mean is not None and second is not None:
        difference = _finite(phi, "variance", variances, lambda v: second(v) - np.square(mean(v)))
        return np.maximum(difference, 0.0)
    # Of phi - phi(0), whose mean is small where its variance is: little cancels in the difference.
    offset = phi(np.zeros(1))
    shifted = np.maximum(variances, _LIMIT) if phi.jumps else variances
    with _naming(phi, "variance"):
        first = normal_expectation(lambda z: phi(z) - offset, shifted, phi.edges)
        second_about = normal_expectation(lambda z: np.square(phi(z) - offset), shifted, phi.edges)
    return np.maximum(second_about - np.square(first), 0.0)


def pair(
    phi: Pointwise, moment: PairMoment, point: tuple[ArrayLike, ArrayLike, ArrayLike], method: IntegralMethod
) -> Float64Array:
    """One of the covariances under z1 ~ N(0, q1), z2 ~ N(0, q2) with correlation rho, in their broadcast shape."""
    q1, q2, rho = point
    first, second, correlation = np.broadcast_arrays(_variances("q1", q1), _variances("q2", q2), _correlations(rho))
    derivative = moment == "derivative_covariance"
    if derivative and phi.jumps:
        _refuse_meeting_jumps(phi, first, second, correlation)
    formula = _formula(phi, moment, method)
    if formula is not None:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            values = formula(first, second, correlation)
        if not np.isfinite(values).all():
            raise _beyond(phi, moment, f"q1, q2 up to {first.max():g}, {second.max():g}")
        return values
    if derivative:
        check_slopes(phi, np.union1d(first, second))
    if derivative or phi.jumps:
        first, second = np.maximum(first, _LIMIT), np.maximum(second, _LIMIT)
    flat = (first.ravel(), second.ravel(), correlation.ravel())
    if method == "auto" and not (derivative and phi.jumps):
        values = _by_series(phi, derivative, *flat)
    else:
        values = np.full(correlation.size, np.nan)
    function = _function(phi, derivative)
    found: dict[tuple[float, float, float], float] = {}
    with _naming(phi, moment):
        for index in np.flatnonzero(np.isnan(values)):
            where = (float(flat[0][index]), float(flat[1][index]), float(flat[2][index]))
            if where not in found:
                found[where] = normal_product_expectation(function, *where, kinks=phi.edges)
                if derivative and phi.jumps:
                    found[where] += _jumps_of_the_pair(phi, *where)
            values[index] = found[where]
    return values.reshape(correlation.shape)


# Hermite series


def _by_series(phi: Pointwise, derivative: bool, q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    """Those covariances for which the series is accurate, NaN where it is not."""
    values = np.empty_like(rho)
    wide = _where_interpolated(np.unique(np.concatenate([q1, q2])))
    same = np.array_equal(q1, q2)
    # Neighbours share an octave, and so a table, and need about as many terms.
    order = np.lexsort((np.abs(rho), np.frexp(q2)[1], np.frexp(q1)[1]))
    for start in range(0, order.size, _CHUNK):
        chunk = order[start : start + _CHUNK]
        most = terms_needed(float(np.abs(rho[chunk]).max()))
        first = _coefficients(phi, derivative, q1[chunk], wide, most)
        second = first if same else _coefficients(phi, derivative, q2[chunk], wide, most)
        found, error = hermite_covariance(first, second, rho[chunk])
        values[chunk] = np.where(is_settled(error), found, np.nan)
    return values


def _where_interpolated(q: Float64Array) -> frozenset[int]:
    """Octaves with so many distinct variances that a table is worth its making."""
    octaves, counts = np.unique(np.frexp(q[q > 0])[1], return_counts=True)
    return frozenset(octaves[counts >= _MANY].tolist())


def _coefficients(
    phi: Pointwise, derivative: bool, q: Float64Array, wide: frozenset[int], most: int
) -> HermiteCoefficients:
    """Coefficients for each q, by octave from a table or one by one; of one q where all are the same."""
    if np.all(q == q[0]):
        return _at_one(phi, derivative, float(q[0])).shortened(most)
    mantissa, exponent = np.frexp(q)
    exponent = np.where(q == 0, np.iinfo(exponent.dtype).min, exponent)  # 0 belongs to no octave
    parts: list[tuple[NDArray[np.intp], HermiteCoefficients]] = []
    for octave in np.unique(exponent).tolist():
        members = np.flatnonzero(exponent == octave)
        table = _table(phi, derivative, octave) if octave in wide else None
        if table is not None:
            parts.append((members, at_mantissa(table.shortened(most), mantissa[members])))
        else:
            distinct, copies = np.unique(q[members], return_inverse=True)
            for index, value in enumerate(distinct.tolist()):
                parts.append((members[copies == index], _at_one(phi, derivative, value).shortened(most)))
    if len(parts) == 1:
        return parts[0][1]
    # The shorter ones are filled up with zeros: what they leave out is negligible, or else all are of the full length.
    b = np.zeros((max(len(part.values) for _, part in parts), q.size))
    energy, remainder = np.empty(q.size), np.empty(q.size)
    for members, part in parts:
        b[: len(part.values), members] = part.values
        energy[members], remainder[members] = part.energy, part.remainder
    return HermiteCoefficients(b, energy, remainder)


@lru_cache(maxsize=64)
def _table(phi: Pointwise, derivative: bool, octave: int) -> HermiteCoefficients | None:
    return coefficients_in_octave(_function(phi, derivative), octave, phi.edges)


@lru_cache(maxsize=512)
def _at_one(phi: Pointwise, derivative: bool, q: float) -> HermiteCoefficients:
    return hermite_coefficients(_function(phi, derivative), np.array([q]), phi.edges)


def _function(phi: Pointwise, derivative: bool) -> Callable[[FloatArray], FloatArray]:
    return phi.slope if derivative else phi


# Jumps: phi' is phi.slope plus a delta function at every jump, as heavy as the jump is high.


def _jumps_of_the_square(phi: Pointwise, q: Float64Array) -> Float64Array:
    """The part of E[phi phi'] = E[(phi^2)'] / 2 that sits in jumps of phi^2."""
    total = np.zeros_like(q)
    for place in phi.jumps:
        left, right = one_sided_values(phi, place)
        if right**2 != left**2:
            total = total + (right**2 - left**2) / 2 * _density(place, q)
    return total


def _jumps_of_the_pair(phi: Pointwise, q1: float, q2: float, rho: float) -> float:
    """The part of E[phi'(z1) phi'(z2)] with a delta function in it, for |rho| < 1 and q1, q2 > 0."""
    heights = {place: right - left for place in phi.jumps for left, right in [one_sided_values(phi, place)]}
    total = 0.0
    for place, height in heights.items():
        for here, there in ((q1, q2), (q2, q1)):
            # Given that the one variable is at its jump, the other is normal with this mean and this variance.
            mean, spread = rho * math.sqrt(there / here) * place, np.array(there * (1 - rho) * (1 + rho))
            slopes = normal_expectation(_moved(phi.slope, mean), spread, [kink - mean for kink in phi.edges])
            weight = height * float(_density(place, np.array(here)))
            # Two jumps that meet are met twice, once from each variable.
            deltas = sum(other * float(_density(second - mean, spread)) for second, other in heights.items())
            total += weight * (float(slopes) + deltas / 2)
    return total


def _moved(function: Callable[[FloatArray], FloatArray], mean: float) -> Callable[[FloatArray], FloatArray]:
    return lambda z: function(mean + z)


def _density(place: float, q: Float64Array) -> Float64Array:
    """Of N(0, q) at a place; at q = 0 it is 0, or infinite at 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        exponent = np.where(place == 0, 0.0, place * place / (2 * q))
        density: Float64Array = np.where(np.isinf(exponent), 0.0, np.exp(-exponent) / np.sqrt(2 * np.pi * q))
    return density


def _refuse_meeting_jumps(phi: Pointwise, q1: Float64Array, q2: Float64Array, rho: Float64Array) -> None:
    if np.any((np.abs(rho) == 1) | (q1 == 0) | (q2 == 0)):
        msg = (
            f"the derivative_covariance of {phi.label} is infinite at rho = +-1 and at a variance of 0: phi jumps at "
            f"z = {phi.jumps[0]:g}, where phi' is a delta function; use |rho| < 1 and q1, q2 > 0"
        )
        raise ValueError(msg)


# Arguments and results


def _formula(phi: Pointwise, moment: str, method: IntegralMethod) -> Callable[..., Float64Array] | None:
    """The formula to be used, if one is: refused where it was asked for and is not known."""
    if method not in ("auto", "formula", "quadrature"):
        msg = f"method must be 'auto', 'formula' or 'quadrature', got {quoted(method)}"
        raise ValueError(msg)
    formula: Callable[..., Float64Array] | None = getattr(phi.formulas, moment)
    if method == "formula" and formula is None:
        msg = f"no closed form is known for the {moment} of {phi.label}; use method='auto' or 'quadrature'"
        raise ValueError(msg)
    return None if method == "quadrature" else formula


def _finite(
    phi: Pointwise, moment: str, q: Float64Array, formula: Callable[[Float64Array], Float64Array]
) -> Float64Array:
    """What the formula gives, refused where that is not finite."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        values = formula(q)
    if not np.isfinite(values).all():
        raise _beyond(phi, moment, f"q = {np.ravel(q)[~np.isfinite(np.ravel(values))][0]:g}")
    return values


def _beyond(phi: Pointwise, moment: str, where: str) -> ValueError:
    return ValueError(f"the {moment} of {phi.label} is infinite, or beyond what float64 can hold, at {where}")


@contextmanager
def _naming(phi: Pointwise, moment: str) -> Iterator[None]:
    """Say whose moment it was that could not be integrated."""
    try:
        yield
    except ValueError as error:
        msg = f"{moment} of {phi.label}: {error}"
        raise ValueError(msg) from error


def _variances(name: str, q: ArrayLike) -> Float64Array:
    values = np.asarray(q, dtype=np.float64)
    if not (np.isfinite(values) & (values >= 0)).all():
        msg = f"{name} is a variance, finite and >= 0, got {values[~(np.isfinite(values) & (values >= 0))].flat[0]}"
        raise ValueError(msg)
    return values


def _correlations(rho: ArrayLike) -> Float64Array:
    values = np.asarray(rho, dtype=np.float64)
    allowed = np.abs(values) <= 1 + _ROUNDING
    if not allowed.all():
        msg = f"rho is a correlation, between -1 and 1, got {values[~allowed].flat[0]}"
        raise ValueError(msg)
    return np.clip(values, -1.0, 1.0)
