"""All roots of a function of q > 0, found from its values on a grid in log q."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from varprop._typing import Float64Array
from varprop.model.activations import Activation
from varprop.theory.meanfield import second_moment_slope

PER_OCTAVE = 4
"""Points of a scan. A Gaussian moment is analytic in |Im log q| < pi/2, so nothing in it is narrower than about 1."""
LOWEST, HIGHEST = -30, 14
"""Octaves of q that are searched: 1e-9 to 16384."""
_FARTHEST = 24  # whatever the variances
_NEAR = 0.2  # between grid points a function changes by less than this near its extrema
_DEGREE = 7  # of the spline that tells where extrema are: to some 1e-7 of log q
_POLISHING = 3  # steps of Newton's method
_FINE = 8  # parts of a grid interval in which its slope is looked at


def highest_octave(variances: float) -> int:
    """Octave up to which to search when C_W and C_b add up to this: four times as far, as a bounded phi may need."""
    return max(HIGHEST, min(_FARTHEST, math.ceil(math.log2(4 * variances)))) if variances > 0 else HIGHEST


@dataclass(frozen=True, slots=True)
class Scan:
    """Moments of an activation on a grid of q, as far up as they can be computed.

    ``second_moment_slope`` is dE[phi^2]/dq, and ``slope_moment`` E[phi'^2], None for an activation that jumps.
    ``tolerance`` is what a ratio of moments may be off by at each q.
    """

    q: Float64Array
    second_moment: Float64Array
    second_moment_slope: Float64Array
    slope_moment: Float64Array | None
    tolerance: Float64Array


@lru_cache(maxsize=64)
def scan(phi: Activation, highest: int = HIGHEST) -> Scan:
    """Moments from q = 2^LOWEST to 2^highest, or to where phi grows too fast for them."""
    found: list[tuple[Float64Array, ...]] = []
    for octave in range(LOWEST, highest):
        q = np.exp2(octave + np.arange(PER_OCTAVE) / PER_OCTAVE)
        try:
            moments = (
                np.asarray(phi.second_moment(q)),
                second_moment_slope(phi, q),
                np.ones_like(q) if phi.jumps else np.asarray(phi.derivative_second_moment(q)),
            )
        except ValueError:  # they are infinite or too large, as E exp(2 z) is from some q on
            break
        found.append((q, *moments))
    if not found:
        msg = f"the moments of {phi.label} cannot be computed at q = {2.0**LOWEST:.1g}, so no q can be searched"
        raise ValueError(msg)
    grid, second, second_slope, slope = (np.concatenate(part) for part in zip(*found, strict=True))
    # Quadrature's rounding, and what cancels in phi itself near 0.
    return Scan(grid, second, second_slope, None if phi.jumps else slope, 1e-13 + 1e-15 / np.sqrt(grid))


@dataclass(frozen=True, slots=True)
class Root:
    """Where a function is 0, and its sign just left and just right of there."""

    q: float
    left: int
    right: int


def all_roots(
    function: Callable[[Float64Array], Float64Array], q: Float64Array, values: Float64Array, tolerance: Float64Array
) -> list[Root]:
    """Roots of a smooth function of log q from its values on the grid q, in increasing order.

    Extrema between grid points are added to the grid, so that a pair of roots close together is found, or one at
    which the function touches 0. Within the tolerance of 0 no sign is read off.
    """
    x, v, tolerance, extremum = _with_extrema(function, np.log(q), values, tolerance)
    clear = np.abs(v) > tolerance
    signs = np.where(clear, np.sign(v), 0).astype(int)
    roots = []
    known = np.flatnonzero(clear)
    for i, j in itertools.pairwise(known.tolist()):
        if signs[i] != signs[j]:
            roots.append(_between(function, x[i], x[j], int(signs[i])))
        elif extremum[i + 1 : j].any():  # no more than touches 0
            touching = i + 1 + int(np.argmin(np.abs(v[i + 1 : j])))
            roots.append(Root(math.exp(x[touching]), int(signs[i]), int(signs[j])))
    return roots


def _between(function: Callable[[Float64Array], Float64Array], low: float, high: float, sign: int) -> Root:
    from scipy import optimize  # half a second to import

    def of_log(x: float) -> float:
        return float(function(np.array(math.exp(x))))

    return Root(math.exp(optimize.brentq(of_log, low, high, xtol=1e-15, rtol=8.9e-16)), sign, -sign)


def _with_extrema(
    function: Callable[[Float64Array], Float64Array], x: Float64Array, values: Float64Array, tolerance: Float64Array
) -> tuple[Float64Array, Float64Array, Float64Array, NDArray[np.bool_]]:
    """The grid with the extrema between its points at which the function may reach 0, and which points those are."""
    from scipy import interpolate  # half a second to import

    # Roots and extrema stay where they are, and what is huge far off does not spoil the spline here.
    bounded = values / np.hypot(1, values)
    spline = interpolate.make_interp_spline(x, bounded, k=_DEGREE)
    fine = (x[:-1, None] + np.diff(x)[:, None] * np.arange(_FINE + 1) / _FINE).ravel()
    slope = spline(fine, nu=1).reshape(-1, _FINE + 1)
    turns = np.signbit(slope[:, :-1]) != np.signbit(slope[:, 1:])
    # What is flat is within rounding of its neighbours: its turns are noise.
    change = np.abs(slope).max(axis=1) * np.diff(x)
    near = np.minimum(np.abs(bounded[:-1]), np.abs(bounded[1:])) < np.minimum(_NEAR, 2 * change)
    interval, part = np.nonzero(turns & (near & (change > tolerance[1:]))[:, None])
    before, after = slope[interval, part], slope[interval, part + 1]
    width = np.diff(x)[interval] / _FINE
    added = x[interval] + width * (part + before / (before - after))
    for _ in range(_POLISHING):
        step = np.clip(spline(added, nu=1) / spline(added, nu=2), -width, width)
        added = np.clip(added - step, x[interval], x[interval + 1])
    every = np.concatenate([x, added])
    order = np.argsort(every, kind="stable")
    found = np.concatenate([values, function(np.exp(added))]) if added.size else values
    allowed = np.concatenate([tolerance, tolerance[interval]])
    return every[order], found[order], allowed[order], (np.arange(every.size) >= x.size)[order]
