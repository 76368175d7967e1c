"""Labels of points in a plane: each at the nearest place where it covers no line, no mark and no other label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from varprop._typing import Float64Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEP = 3.0  # points between the places that are tried, or more where these would be more than
_TRIED = 60  # places along an axis
_MARK = 5.0  # points from a point's middle to where a label may begin
_CLEAR = 3.5  # points around a label that stay free: a browser's font need not have the widths that are measured here
_ATTEMPTS = 4
_FARTHEST = 90.0  # points from a label to its point; beyond, nobody sees them together
_PIECES = 40  # of a line from a label to its point
_LEADER = 9.0  # a label farther off than so many points has a line to its point
_FONT = 7.5


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """Where a label stands."""

    centre: Float64Array
    start: Float64Array
    distance: float


def nearest_places(
    anchors: Float64Array, sizes: Float64Array, *, frame: tuple[float, float, float, float], lines: Float64Array
) -> list[Anchor | None]:
    """Find a place for each of several boxes."""
    marks = (anchors[:, None] + _ring(_MARK)).reshape(-1, 2)
    taken = np.concatenate([lines.reshape(-1, 2), anchors, marks])
    order = list(range(len(anchors)))
    most: dict[int, Anchor] = {}
    for _ in range(_ATTEMPTS):
        found = _one_by_one(order, anchors, sizes, frame=frame, taken=taken)
        most = max(most, found, key=len)
        if len(found) == len(order):
            break
        order.sort(key=lambda i: i in found)
    return [most.get(i) for i in range(len(anchors))]


def _one_by_one(
    order: Sequence[int],
    anchors: Float64Array,
    sizes: Float64Array,
    *,
    frame: tuple[float, float, float, float],
    taken: Float64Array,
) -> dict[int, Anchor]:
    """Places by the number of the box; none is moved for the sake of a later one."""
    boxes = np.empty((0, 4))
    found: dict[int, Anchor] = {}
    for i in order:
        anchor, size = anchors[i], sizes[i]
        centres = _grid(frame, size)
        low, high = centres - size / 2 - _CLEAR, centres + size / 2 + _CLEAR
        starts = np.clip(anchor, low + _CLEAR, high - _CLEAR)
        distance = np.hypot(*(starts - anchor).T)
        others = anchors[(anchors != anchor).any(axis=1)]
        from_others = np.hypot(*np.moveaxis(np.clip(others, low[:, None], high[:, None]) - others, 2, 0))
        # What is nearer to another point reads as its label.
        astray = np.maximum(distance - from_others.min(axis=1, initial=np.inf), 0.0)
        covers = ((taken > low[:, None]) & (taken < high[:, None])).all(axis=2).any(axis=1)
        meets = ((low[:, None] < boxes[:, 2:]) & (high[:, None] > boxes[:, :2])).all(axis=2).any(axis=1)
        leaders = np.linspace(starts, anchor, _PIECES, axis=1)[:, :, None]
        crosses = np.any(((leaders > boxes[:, :2]) & (leaders < boxes[:, 2:])).all(axis=3), axis=(1, 2))
        free = ~(covers | meets | crosses) & (distance < _FARTHEST)
        if not free.any():
            continue
        # Of about equally near ones that in whose middle the point is best.
        cost = distance + 2 * astray + 0.05 * np.hypot(*(centres - anchor).T)
        best = np.argmin(np.where(free, cost.round(6), np.inf))
        found[i] = Anchor(centres[best], starts[best], float(distance[best]))
        boxes = np.concatenate([boxes, [[*(centres - size / 2)[best], *(centres + size / 2)[best]]]])
        if distance[best] > _LEADER:
            taken = np.concatenate([taken, leaders[best, :, 0]])
    return found


def _ring(radius: float) -> Float64Array:
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _grid(frame: tuple[float, float, float, float], size: Float64Array) -> Float64Array:
    """Middles of all places of a box inside the frame, shape (places, 2)."""
    axes = []
    for low, high, length in zip(frame[:2], frame[2:], size, strict=True):
        room = high - low - length - 2 * _CLEAR
        axes.append(low + _CLEAR + length / 2 + np.arange(0.0, room, max(_STEP, room / _TRIED)))
    x, y = np.meshgrid(*axes)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def label_points(axes: Axes, anchors: Float64Array, texts: Sequence[str]) -> None:
    """Write a label beside each point that has room for it, with a thin line to it where it is not close."""
    from matplotlib import rcParams

    ink = rcParams["text.color"]
    points = 72 / axes.figure.dpi
    (left, low), (right, high) = points * axes.get_window_extent().get_points()
    at = points * axes.transData.transform(anchors)
    places = nearest_places(
        at, points * _sizes(axes, texts), frame=(left, low, right, high), lines=points * _drawn_lines(axes)
    )
    for text, anchor, here, place in zip(texts, anchors.tolist(), at, places, strict=True):
        if place is None:
            continue
        leader = {"arrowstyle": "-", "color": ink, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
        axes.annotate(
            text,
            anchor,
            tuple(place.centre - here),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=_FONT,
            color=ink,
            parse_math=False,
            arrowprops=leader if place.distance > _LEADER else None,
            zorder=5,
        )


def _sizes(axes: Axes, texts: Sequence[str]) -> Float64Array:
    """Width and height of each label in pixels, shape (labels, 2)."""
    found = []
    for text in texts:
        trial = axes.text(0, 0, text, fontsize=_FONT, parse_math=False)
        box = trial.get_window_extent()
        trial.remove()
        found.append((box.width, box.height))
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def _drawn_lines(axes: Axes) -> Float64Array:
    """Pixels along all lines and contours that are seen, shape (n, 2), about one pixel apart."""
    from matplotlib.contour import ContourSet

    seen = (line for line in axes.lines if line.get_linewidth() > 0 and line.get_linestyle() != "None")
    paths = [line.get_path().transformed(line.get_transform()) for line in seen]
    for one in axes.collections:
        if isinstance(one, ContourSet) and not one.filled:
            paths += [path.transformed(one.get_transform()) for path in one.get_paths()]
    pieces = [np.empty((0, 2))]
    for path in paths:
        for polygon in path.to_polygons(closed_only=False):
            corners = np.asarray(polygon, dtype=np.float64)
            along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
            every = np.arange(0.0, along[-1] + 1.0)
            pieces.append(np.stack([np.interp(every, along, corners[:, i]) for i in (0, 1)], axis=1))
    return np.concatenate(pieces)
