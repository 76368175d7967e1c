r"""Derivatives of elementwise functions by finite differences: the step fits the function, and crosses no kink.

No step fits every function, and how well one does shows only where the function is asked for more than the difference
needs. So each stencil of sixth order has points to spare, whose distances are no multiples of the step: what it predicts
there is compared with what the function says. Two steps that are compared with each other would not do: sin(k z) is the
same at all of z, z + h, z + h / 2 for some k, and its derivative would be 0 by either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from varprop._typing import ArrayFn, Float64Array

_STEP = 2.0**-8  # tried first: balances h^6 against eps / h; a power of two, so that z + k h is exact for moderate z
_FAR = 2.0**16  # a step is no smaller than |z| / 2^16 at first: what grows like a power of z loses its digits else
_FINER = 8.0  # from step to step: the error falls by 8^6, and what rounding does grows by 8
_MOST_STEPS = 32
_COARSER = 3  # times that a step is enlarged where the function is computed with larger errors than float64's
_RESOLVED = 1e-9  # of the slope about z: the sixth order is right to this, and with the spare point far beyond it
DOUBTFUL = 1e-6  # of the slope about z: what is not known to this is not known
_SINGLE = 2.0**-20  # what single precision leaves uncertain of a value, times what weights make of it
_ROUNDING = 16 * 2.0**-52  # of the size of phi over the step: the error of a stencil where values have one of some eps
_CHUNK = 8192  # elements at a time, so that the values at all points of a stencil stay in the cache

_OFF_GRID = round(2**20 * 2**0.5) / 2**20  # in steps: near the root of 2, with few digits, so that z + x h is exact too
_CENTRAL = {-3.0: -1 / 60, -2.0: 3 / 20, -1.0: -3 / 4, 1.0: 3 / 4, 2.0: -3 / 20, 3.0: 1 / 60}
_FORWARD = {0.0: -49 / 20, 1.0: 6.0, 2.0: -15 / 2, 3.0: 20 / 3, 4.0: -15 / 4, 5.0: 6 / 5, 6.0: -1 / 6}
_BACKWARD = {-offset: -weight for offset, weight in _FORWARD.items()}


@dataclass(frozen=True, slots=True)
class _Stencil:
    """Weights of the derivative, of its correction by a point to spare, and of what a second one adds to the doubt."""

    derivative: Mapping[float, float]
    correction: Mapping[float, float]
    surprise: Mapping[float, float]


def _lagrange(points: Sequence[float], at: float) -> dict[float, float]:
    """Weights that predict a polynomial at a place from its values at points."""
    return {x: float(np.prod([(at - y) / (x - y) for y in points if y != x])) for x in points}


def _one_sided(derivative: Mapping[float, float]) -> _Stencil:
    points = tuple(derivative)
    spare = _OFF_GRID if max(points) > 0 else -_OFF_GRID
    # With w(x) the product of x - x_j, a residual r at the spare point adds r w'(0) / w(spare) to the derivative.
    factor = float(np.prod([-x for x in points if x]) / np.prod([spare - x for x in points]))
    predicted = _lagrange(points, spare)
    return _Stencil(derivative, {spare: factor, **{x: -factor * w for x, w in predicted.items()}}, {})


def _two_sided(derivative: Mapping[float, float]) -> _Stencil:
    """The odd part at a spare pair corrects; the even part, which a difference does not see, is to predict phi(z)."""
    right = [x for x in derivative if x > 0]
    odd = {x: _OFF_GRID / x * w for x, w in _even_weights(right, _OFF_GRID).items()}
    squares = np.square(right)
    factor = float(np.prod(-squares) / (_OFF_GRID * np.prod(_OFF_GRID**2 - squares)))
    halves = {_OFF_GRID: factor / 2, **{x: -factor * w / 2 for x, w in odd.items()}}
    even = {x: -w / 2 for x, w in _even_weights([*right, _OFF_GRID], 0.0).items()}
    both = {side * x: w for x, w in even.items() for side in (1, -1)}
    return _Stencil(derivative, {side * x: side * w for x, w in halves.items() for side in (1, -1)}, {0.0: 1.0, **both})


def _even_weights(points: Sequence[float], at: float) -> dict[float, float]:
    """Weights that predict an even polynomial."""
    weights = _lagrange([x * x for x in points], at * at)
    return {x: weights[x * x] for x in points}


_BOTH_SIDES, _RIGHT, _LEFT = _two_sided(_CENTRAL), _one_sided(_FORWARD), _one_sided(_BACKWARD)


def finite_difference(function: ArrayFn, z: Float64Array, kinks: Sequence[float] = ()) -> Float64Array:
    """Derivative of an elementwise function of float64 by differences, as `differences` says; doubtful values and all.

    Parameters
    ----------
    function : callable
        Elementwise on float64 arrays.
    z : ndarray
        Where.
    kinks : sequence of float, optional
        Increasing; where the function or a derivative jumps.

    Returns
    -------
    ndarray, as z

    Examples
    --------
    >>> finite_difference(np.abs, np.array([-1.0, 0.0, 2.0]), kinks=(0.0,)).round(12)
    array([-1.,  1.,  1.])
    """
    return differences(function, z, kinks)[0]


def differences(
    function: ArrayFn, z: Float64Array, kinks: Sequence[float] = ()
) -> tuple[Float64Array, NDArray[np.bool_]]:
    r"""Derivative of an elementwise function, and where it could not be had.

    Parameters
    ----------
    function : callable
        Elementwise on float64 arrays.
    z : ndarray
        Where.
    kinks : sequence of float, optional
        Increasing; where the function or a derivative jumps.

    Returns
    -------
    slope : ndarray, as z
        phi'(z); at a kink the right-hand one.
    doubtful : ndarray of bool, as z
        Where the estimated error is above 1e-6 of the slope about z, and of what rounding makes of phi itself.

    Notes
    -----
    Sixth-order differences with step h = 2^-8 (\|z\| / 2^16 far from 0) have error near 1e-13 of the size of phi where its
    features are about 1 wide. They are central where the stencil lies on one side of every kink, one-sided within 3 h
    of a kink (1e-11). What an additional pair of points would change, and how well phi(z) itself is predicted from the
    other points, say whether h is small enough. Where it is not, h is divided by 8 until it is or rounding prevails,
    each z for itself, and the order is 8. Where a smaller step makes it worse, because phi is computed in single
    precision, say, it is enlarged. Beside a kink that was not told, one-sided differences are tried last.

    Examples
    --------
    >>> slope, doubtful = differences(lambda z: np.sin(3000 * z), np.array([0.0, 1.0]))
    >>> (slope / 3000 - np.cos([0.0, 3000.0])).round(9) + 0.0, doubtful
    (array([0., 0.]), array([False, False]))
    """
    flat = np.ravel(z)
    slope, doubtful = np.empty(flat.shape), np.empty(flat.shape, dtype=bool)
    breaks = np.array([-np.inf, *kinks, np.inf])
    with np.errstate(all="ignore"):  # what is not finite is not resolved
        for start in range(0, flat.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            slope[part], doubtful[part] = _of_a_chunk(function, flat[part], breaks)
    return slope.reshape(np.shape(z)), doubtful.reshape(np.shape(z))


class _Best:
    """The best derivative so far of each element, and what is thought of its error."""

    def __init__(self, function: ArrayFn, z: Float64Array, breaks: Float64Array) -> None:
        self.function, self.z = function, z
        self.value = np.abs(function(z))
        after = np.searchsorted(breaks, z, side="right")
        self.left, self.right = z - breaks[after - 1], breaks[after] - z  # at a kink z lies on its right
        self.slope, self.error = np.full(z.shape, np.nan), np.full(z.shape, np.inf)
        self.size = np.zeros(z.shape)  # of the slope about z
        self.rounding = np.zeros(z.shape, dtype=bool)  # whether no more than that is left of the error
        self.single = np.zeros(z.shape, dtype=bool)  # whether phi seems to be computed in single precision

    def attempt(self, which: NDArray[np.intp], step: Float64Array) -> Float64Array:
        """Differences of a step, one-sided where a kink is near; they are kept where they are better. The errors."""
        left, right = self.left[which], self.right[which]
        central = (3 * step < left) & (3 * step < right)
        forward = ~central & (left <= right)
        error = np.empty(which.size)
        for stencil, among in ((_BOTH_SIDES, central), (_RIGHT, forward), (_LEFT, ~(central | forward))):
            if among.any():
                error[among] = self.try_stencil(stencil, which[among], step[among])
        return error

    def try_stencil(self, stencil: _Stencil, which: NDArray[np.intp], step: Float64Array) -> Float64Array:
        """Differences of one kind and step, kept where they are better; their errors."""
        slope, error, size, rounding = _apply(stencil, self.function, self.z[which], step)
        better = (error < self.error[which]) | (rounding & ~self.rounding[which]) | np.isnan(self.slope[which])
        kept = which[better]
        self.slope[kept], self.error[kept], self.rounding[kept] = slope[better], error[better], rounding[better]
        self.size[kept] = np.fmax(self.size[kept], size[better])
        return error

    def unresolved(self, which: NDArray[np.intp], share: float) -> NDArray[np.intp]:
        """Those whose error is more than rounding, and above a share of the slope about z."""
        return which[~(self.rounding[which] | (self.error[which] <= share * self.size[which]))]


def _of_a_chunk(function: ArrayFn, z: Float64Array, breaks: Float64Array) -> tuple[Float64Array, NDArray[np.bool_]]:
    best = _Best(function, z, breaks)
    every = np.arange(z.size)
    first = np.maximum(_STEP, np.exp2(np.floor(np.log2(np.abs(z) / _FAR))))
    # Between two kinks the stencil of one side has room on the wider one.
    room = np.maximum(best.left, best.right) / 6
    crowded = (np.minimum(best.left, best.right) <= 3 * first) & (room < first)
    first[crowded] = np.exp2(np.floor(np.log2(room[crowded])))
    best.attempt(every, first)
    # Where phi' vanishes at 0, a step that is large beside z is right for the slope about z and not for that at z.
    vanishing = (8 * np.abs(z) < first) & (z != 0) & (np.abs(best.slope) * _RESOLVED < best.error)
    vanishing = np.flatnonzero(vanishing & (best.size > 0))
    best.attempt(vanishing, np.exp2(np.floor(np.log2(np.abs(z[vanishing]) / 8))))
    pending = best.unresolved(every, _RESOLVED)
    if pending.size:
        _reduce(best, pending, first)
        _enlarge(best, best.unresolved(np.flatnonzero(best.single), _RESOLVED), first)
        _try_sides(best, first)
    doubtful = np.zeros(z.shape, dtype=bool)
    doubtful[best.unresolved(every, DOUBTFUL)] = True
    return best.slope, doubtful & np.isfinite(best.value)


def _reduce(best: _Best, pending: NDArray[np.intp], first: Float64Array) -> None:
    """Divide steps until they are small enough, or make it worse as they do in single precision."""
    step, scale = first.copy(), best.value + best.size * np.abs(best.z)
    for _ in range(_MOST_STEPS):
        before = best.error[pending]
        step[pending] /= _FINER
        error = best.attempt(pending, step[pending])
        # Beside a jump the error grows too, until the step is small enough. What grows and is no more than single
        # precision makes of phi is not due to the step; with ever smaller ones, phi would be found to be constant.
        single = (error > _FINER**2 / 2 * before) & (error * step[pending] <= _SINGLE * scale[pending])
        best.single[pending[single]] = True
        pending = best.unresolved(pending[~single & (step[pending] > 2.0**-44 * np.abs(best.z[pending]))], _RESOLVED)
        if not pending.size:
            break


def _enlarge(best: _Best, pending: NDArray[np.intp], first: Float64Array) -> None:
    """Multiply steps, as the errors of a phi that is not computed in float64 demand."""
    for times in range(1, _COARSER + 1):
        step = first[pending] * 4.0**times
        fits = 6 * step < np.maximum(best.left[pending], best.right[pending])
        best.attempt(pending[fits], step[fits])
        pending = best.unresolved(pending[fits], _RESOLVED)


def _try_sides(best: _Best, first: Float64Array) -> None:
    """One-sided differences of a few steps: so close to a kink that was not told, that no central ones resolve it."""
    pending = np.arange(best.z.size)
    for times in range(1, 6):
        for stencil in (_RIGHT, _LEFT):
            pending = best.unresolved(pending, DOUBTFUL)
            if times > 2:  # in single precision all is constant at last
                pending = pending[~best.single[pending]]
            if pending.size:
                best.try_stencil(stencil, pending, first[pending] / _FINER**times)


def _apply(
    stencil: _Stencil, function: ArrayFn, z: Float64Array, step: Float64Array
) -> tuple[Float64Array, Float64Array, Float64Array, NDArray[np.bool_]]:
    """Derivative, its estimated error, the size of the slope about z, and whether the error is that of rounding."""
    others = [offset for offset in {**stencil.derivative, **stencil.correction} if offset]
    offsets = np.array([0.0, *others])
    rows = {offset: row for row, offset in enumerate(offsets.tolist())}
    values = np.empty((offsets.size, z.size))
    for row, offset in zip(values, offsets.tolist(), strict=True):
        row[:] = function(z + offset * step)
    slope, correction, surprise = np.zeros_like(z), np.zeros_like(z), np.zeros_like(z)
    for total, weights in ((slope, stencil.derivative), (correction, stencil.correction), (surprise, stencil.surprise)):
        # One by one: then the order of a sum depends neither on the machine nor on how many z there are.
        for offset, weight in weights.items():
            np.add(total, weight * values[rows[offset]], out=total)
    error = np.fmax(np.abs(correction), np.abs(surprise)) / step
    error[~np.isfinite(slope + error)] = np.inf
    rises = np.abs(values[1:] - values[0]) / np.abs(offsets[1:, None])
    size = rises.max(axis=0) / step
    # Values have errors of some eps, and so have z + x h beside z.
    noise = _ROUNDING * (np.abs(values[0]) / step + (np.abs(z) / step + offsets.max()) * size)
    typical = np.fmax(
        size, np.abs(values[0]) / np.fmax(np.abs(z), 1.0)
    )  # where phi saturates its slope may be any small number
    rounding = (error <= noise) & ((step >= _STEP) | (noise <= _RESOLVED * typical))
    slope[~rounding] += correction[~rounding]
    slope[size == 0] = 0.0  # of equal values the weighted sum is rounding; what they hide is no more than that
    error = np.where(rounding | (size == 0), noise, np.fmax(error, noise / 8))  # small by luck is not right
    return slope / step, error, size, rounding
