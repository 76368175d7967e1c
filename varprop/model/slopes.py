"""Slopes of a function whose derivative is not stated: by differences, and held against the function itself.

Theory and engine would agree on a wrong derivative as well as on a right one. So both ask here whether the slopes,
integrated from one point to the next, give back the function's own differences, where z of that scale lies.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from varprop._arguments import quoted
from varprop._typing import ArrayFn, Float64Array, FloatArray
from varprop.numerics.differences import DOUBTFUL, differences
from varprop.numerics.quadrature import integration_gap

_GAP = 2e-7  # of E|phi'|: where slopes of 2 are taken for 1, say, E[phi'^2] is off by three times as much
_FEW = 1e-3  # of the sampled z: beside a singular point that was not told, say
_TYPICAL = np.array([NormalDist().inv_cdf((i + 0.5) / 1000) for i in range(1000)])  # values of a standard normal law
_OCTAVES = 600  # beyond 2^-600 or 2^600 squares of z and phi leave the range of float64


class Differentiable(Protocol):
    """What there is to know of an activation."""

    @property
    def label(self) -> str:
        """Name in messages."""

    @property
    def value(self) -> ArrayFn:
        """The function phi."""

    @property
    def derivative(self) -> ArrayFn | None:
        """Its derivative phi', where it is stated."""

    @property
    def breaks(self) -> tuple[float, ...]:
        """Kinks and jumps."""

    @property
    def edges(self) -> tuple[float, ...]:
        """Between which phi is analytic, and has no narrow features that could be overlooked."""

    def __hash__(self) -> int:
        """Equal activations share what has been computed of them."""


def by_differences(phi: Differentiable, z: FloatArray) -> FloatArray:
    """phi'(z) in the dtype of z, from values of phi in float64."""
    return differences(phi.value, z.astype(np.float64), phi.breaks)[0].astype(z.dtype)


def sampled_by_differences(phi: Differentiable, z: FloatArray) -> FloatArray:
    """phi'(z) at sampled z in their dtype, from values of phi in float64; refused where it cannot be had."""
    wide = z.astype(np.float64)
    slope, doubtful = differences(phi.value, wide, phi.breaks)
    if why := _doubt(wide, doubtful):
        raise _refusal(phi, why)
    with np.errstate(over="ignore"):
        q = float(np.mean(np.square(wide)))
    if 0 < q < math.inf:
        check_slopes(phi, np.array(q), where_resolved=True)
    return slope.astype(z.dtype)


def check_slopes(phi: Differentiable, q: Float64Array, *, where_resolved: bool = False) -> None:
    """Refuse slopes by differences that do not add up to the function's own differences, for z ~ N(0, q)."""
    if phi.derivative is not None:
        return
    for octave in np.unique(np.frexp(q[q > 0])[1]).tolist():
        if abs(octave) > _OCTAVES:
            continue
        gap, where = _gap(phi, octave), f"for z ~ N(0, {2.0**octave:.3g})"
        if isinstance(gap, str):
            if not where_resolved:
                raise _refusal(phi, f"{where} {gap}")
        elif math.isinf(gap):
            raise _refusal(phi, f"{where} it is 0, and yet phi changes, as by jumps that are not known")
        elif gap > _GAP:
            raise _refusal(phi, f"{where} its integrals differ from the differences of phi, by {gap:.1g} of their size")


@lru_cache(maxsize=1024)
def _gap(phi: Differentiable, octave: int) -> float | str:
    """Of z ~ N(0, 2^octave); in words, why there is none."""
    typical = math.sqrt(2.0**octave) * _TYPICAL
    if why := _doubt(typical, differences(phi.value, typical, phi.breaks)[1]):  # which spares integrating noise
        return why
    try:
        return integration_gap(phi.value, _slope(phi), 2.0**octave, phi.edges)
    except ValueError as error:
        return f"its square could not be integrated ({error})"


def _doubt(z: Float64Array, doubtful: NDArray[np.bool_]) -> str:
    """Where the derivative is not known, if that is at more than a few z."""
    return f"at z = {z[doubtful][0]:.6g} it is not known to {DOUBTFUL:g}" if doubtful.mean() > _FEW else ""


def _slope(phi: Differentiable) -> ArrayFn:
    return lambda z: by_differences(phi, z)


def _refusal(phi: Differentiable, why: str) -> ValueError:
    return ValueError(
        f"the derivative of activation {quoted(phi.label)}, taken by differences, is refused: {why}; "
        f"state it: Activation(name={quoted(phi.label)}, value=..., derivative=...), with kinks= and jumps= where it has some"
    )
