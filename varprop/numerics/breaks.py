r"""Where a function of one variable is not smooth, found from its values.

A function is tried on cells, each by interpolation through eight Chebyshev points. Where the last two coefficients are
not negligible the cell is halved. Around a narrow but smooth feature whole rows of cells have to be halved until they
are narrow enough, and then all are resolved at once. A kink leaves one cell unresolved, between resolved ones, level
after level, until the cell is so narrow that what the kink does inside it is lost in rounding; a jump leaves one for
ever.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from varprop._typing import ArrayFn, Float64Array
from varprop.numerics.quadrature import BoolArray

# With the ends of the cell: between an end and a point inside it a kink would go unseen.
_ANGLES = np.pi * np.arange(8) / 7
_POINTS = np.cos(_ANGLES)
_SHARES = np.array([1, 2, 2, 2, 2, 2, 2, 1]) / 7
_LAST = np.cos(np.outer(_ANGLES, [6, 7])) * _SHARES[:, None] * [1, 0.5]  # to the last two Chebyshev coefficients
_TOLERANCE = 1e-13  # of the function's size, some hundred times its rounding
# Not symmetric and no round numbers: a kink on the edge of two cells would be seen from neither.
_EDGES = np.linspace(-64.4142, 64.2361, 173)
_LEVELS = 44  # down to cells of 4e-14
_ALONE = 4  # levels for which a cell has to be the only unresolved one to be believed ...
_CERTAIN = 24  # ... and after which it is even if its neighbour becomes another: what is 5e-8 wide is a break
_MOST_CELLS = 2**13  # of one level: so many are asked for by oscillations and noise, never by a few kinks
_JUMP = 1e-9  # of the function's size
_OCTAVES = np.arange(-20, 6)  # of |z| in which narrow features are looked for
_SCAN = 2**11  # points of an octave
_NARROW = 1e-7  # of what the function varies by in an octave: fourth differences of features 1/40 as wide are smaller
_MOST_FEATURES = 16  # in an octave: what is narrow everywhere is met by any panel, and needs no telling


def find_breaks(function: ArrayFn) -> tuple[tuple[float, ...], tuple[float, ...]]:
    r"""Kinks and jumps of a function on \|z\| <= 64.

    Parameters
    ----------
    function : callable
        Elementwise on float64 arrays.

    Returns
    -------
    kinks, jumps : tuple of float
        Increasing: where a derivative jumps, and where the function itself does.

    Notes
    -----
    Takes 1 to 3 ms if the function is cheap: 10^4 to 10^5 values of it. What counts is the size of a jump beside the
    largest \|value\| of the function no farther from 0, call it 1, and the distance of breaks, 0.01 or more. Then
    jumps down to 1e-8, of the first derivative down to 1e-7, of the second down to 1e-3 and most jumps of 1 in the
    third are found; the first to the last digit, the others (at a size of 1) within 1e-10, 1e-4 and 1e-2. Where a decimal number of few
    digits lies that close it is taken to be meant. Singular points, such as that of the root of \|z\|, are not found.

    Smooth functions have none, however steep: tanh(20 z), tanh(10^6 z). Nothing is found of a function that oscillates
    faster than sin(5 z) out to \|z\| = 64, or that is computed with noise above 1e-13: state the kinks of such a one.

    Examples
    --------
    >>> find_breaks(lambda z: np.clip(z, 0, 6))
    ((0.0, 6.0), ())
    >>> find_breaks(np.sign)
    ((), (0.0,))
    >>> find_breaks(lambda z: np.tanh(20 * z))
    ((), ())
    """
    kinks, jumps = [], []
    with np.errstate(all="ignore"):  # what is not finite is passed over
        for low, high in _joined(sorted(_suspects(function))):
            place = _simplest(low, high)
            if is_jump(function, place) or is_jump(function, place := _crossing(function, low, high)):
                jumps.append(place)
            else:
                kinks.append(_simplest(low, high))
    return tuple(dict.fromkeys(kinks)), tuple(dict.fromkeys(jumps))


def find_features(function: ArrayFn) -> tuple[tuple[float, float], ...]:
    r"""Intervals with isolated features too narrow to be met by chance, where 10^-6 < \|z\| < 64.

    Parameters
    ----------
    function : callable
        Elementwise on float64 arrays.

    Returns
    -------
    tuple of (float, float)
        Their ends. What has features everywhere, as fast oscillations have, has none that is isolated.

    Notes
    -----
    The function is taken at 2048 points of each octave of \|z\|. A feature that none of them meets is not found: one
    narrower than \|z\| / 4096, or than that times some 1/10 if it has tails as a normal density has. Kinks and jumps are
    such features too.

    Examples
    --------
    >>> np.array(find_features(lambda z: np.tanh(z) + np.exp(-((z - 0.7) * 1000) ** 2))).round(2)
    array([[0.7, 0.7]])
    >>> find_features(np.tanh), find_features(lambda z: np.sin(3000 * z))
    ((), ())
    """
    found: list[tuple[float, float]] = []
    share = np.arange(_SCAN + 4) / _SCAN
    with np.errstate(all="ignore"):
        for side in (-1.0, 1.0):
            varies = (
                0.0  # what the function varies by in an octave, the largest so far: beside it tails are no features
            )
            for octave in _OCTAVES.tolist():
                z = side * np.ldexp(1 + share, octave)  # four points into the next one: no place lies between two
                values = np.asarray(function(z), dtype=np.float64)
                varies = max(varies, float(np.ptp(values)))
                floor = _NARROW * varies + 100 * np.spacing(np.abs(values).max())
                # A difference that is not finite is no feature.
                narrow = np.flatnonzero(np.abs(np.diff(values, 4)) > floor)
                if not 0 < narrow.size < _SCAN / 8:
                    continue
                groups = np.split(narrow, np.flatnonzero(np.diff(narrow) > 8) + 1)
                if len(groups) <= _MOST_FEATURES:
                    ends = ((float(z[group[0]]), float(z[group[-1] + 4])) for group in groups)
                    found += [(min(pair), max(pair)) for pair in ends]
    return tuple(found)


def is_jump(function: ArrayFn, place: float) -> bool:
    """Whether the function has different values on the two sides of a place.

    Parameters
    ----------
    function : callable
        Elementwise on float64 arrays.
    place : float
        Finite.

    Returns
    -------
    bool
        True from a step of 1e-9 of the function's size within 1 of the place.

    Examples
    --------
    >>> is_jump(np.sign, 0.0), is_jump(np.abs, 0.0)
    (True, False)
    """
    left, right = one_sided_values(function, place)
    return abs(right - left) > _JUMP * _size(function, place)


def one_sided_values(function: ArrayFn, place: float) -> tuple[float, float]:
    """The function's values next to a place, on the left and on the right.

    Parameters
    ----------
    function : callable
        Elementwise on float64 arrays.
    place : float
        Finite.

    Returns
    -------
    tuple of float

    Examples
    --------
    >>> one_sided_values(np.sign, 0.0)
    (-1.0, 1.0)
    """
    left, right = function(np.nextafter(place, [-np.inf, np.inf])).tolist()
    return left, right


def _suspects(function: ArrayFn) -> Iterator[tuple[float, float]]:
    """Cells that stayed unresolved between resolved ones, as narrow as they got."""
    low, high = _EDGES[:-1], _EDGES[1:]
    bad, radii, sizes = _first_look(function, low, high)
    alone = np.zeros(low.size, dtype=int)
    for _ in range(_LEVELS):
        alone = np.where(_isolated(bad, low, high) | (alone >= _CERTAIN), alone + 1, 0)[bad]
        low, high = low[bad], high[bad]
        if not low.size or low.size > _MOST_CELLS // 2:
            return
        middle = (low + high) / 2
        parents = zip(low.tolist(), high.tolist(), strict=True)
        low, high = np.stack([low, middle], axis=1).ravel(), np.stack([middle, high], axis=1).ravel()
        bad = _unresolved(function, low, high, radii, sizes)
        settled = ~bad.reshape(-1, 2).any(axis=1) & (alone >= _ALONE)
        yield from (cell for cell, done in zip(parents, settled.tolist(), strict=True) if done)
        alone = np.repeat(alone, 2)
    left = bad & (alone >= _ALONE)
    yield from zip(low[left].tolist(), high[left].tolist(), strict=True)


def _joined(cells: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Cells that touch, made one: a break on the edge of two."""
    joined: list[tuple[float, float]] = []
    for low, high in cells:
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined


def _first_look(
    function: ArrayFn, low: Float64Array, high: Float64Array
) -> tuple[BoolArray, Float64Array, Float64Array]:
    """Unresolved cells, the distances from 0 at which they end, in order, and the largest |value| within each."""
    ends = np.maximum(np.abs(low), np.abs(high))
    order = np.argsort(ends)
    radii = ends[order]
    sizes = np.maximum.accumulate(np.abs(function(_nodes(low, high))).max(axis=1)[order])
    return _unresolved(function, low, high, radii, sizes), radii, sizes


def _nodes(low: Float64Array, high: Float64Array) -> Float64Array:
    nodes: Float64Array = (low + high)[:, None] / 2 + (high - low)[:, None] / 2 * _POINTS
    return nodes


def _unresolved(
    function: ArrayFn, low: Float64Array, high: Float64Array, radii: Float64Array, sizes: Float64Array
) -> BoolArray:
    """Cells whose last coefficients are not negligible beside the values there and closer to 0."""
    values = function(_nodes(low, high))
    within = sizes[np.maximum(np.searchsorted(radii, np.abs(low + high) / 2) - 1, 0)]
    size = np.maximum(within, np.abs(values).max(axis=1))
    unresolved: BoolArray = np.abs(values @ _LAST).max(axis=1) > _TOLERANCE * size
    return unresolved


def _isolated(bad: BoolArray, low: Float64Array, high: Float64Array) -> BoolArray:
    """Cells that are unresolved while the ones they touch are not."""
    pairs = bad[1:] & bad[:-1] & (low[1:] == high[:-1])
    touched = np.concatenate([[False], pairs]) | np.concatenate([pairs, [False]])
    isolated: BoolArray = bad & ~touched
    return isolated


def _at(function: ArrayFn, place: float) -> float:
    return float(function(np.array([place]))[0])


def _size(function: ArrayFn, place: float) -> float:
    """The largest |value| near a place."""
    return float(np.abs(function(place + np.linspace(-1.0, 1.0, 9))).max())


def _crossing(function: ArrayFn, low: float, high: float) -> float:
    """Where the function, cell halved by cell, turns from its value at one end to that at the other."""
    left, right = _at(function, low), _at(function, high)
    while (middle := (low + high) / 2) not in (low, high):
        value = _at(function, middle)
        low, high = (middle, high) if abs(value - left) < abs(value - right) else (low, middle)
    return high


def _simplest(low: float, high: float) -> float:
    """The decimal number of few digits in a cell or next to it; its middle where there is none."""
    middle, width = (low + high) / 2, high - low
    # So few that no number would be so close by accident.
    decimals = (round(middle, digits) for digits in range(16) if 10.0**-digits > 1000 * width)
    return next((d + 0.0 for d in decimals if abs(d - middle) <= width), middle)
