"""Cells of trained networks: in how many different rows and columns their weight matrices are, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop._typing import Float64Array
from varprop.model.simulation import Simulation
from varprop.plot.axes import house_style
from varprop.plot.palette import INK, PAPER, VERDICTS
from varprop.plot.wording import count
from varprop.study.plain import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXES = ("rows", "columns")
_CELL = (0.52, 0.27)  # inches
_FROM_LEFT = 0.062  # inches for each letter of a label
_GAP = 0.7  # cells between what is told of rows and of columns


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one configuration: the fewest and the most different lines of W over all networks and steps, layer by layer.

    ``ranges`` has for "rows" and "columns", as far as they were recorded, an array of shape (layers, 2). ``change`` is the
    root mean square change of the weights in each layer, mean over networks; empty if it was not recorded.
    """

    label: str
    networks: int
    ranges: Mapping[str, Float64Array]
    change: Float64Array


@dataclass(frozen=True, slots=True)
class Kind:
    """What a cell tells, and how it is drawn."""

    name: str
    fill: str
    alpha: float
    ink: str


ALIKE = Kind("all alike in every step", VERDICTS["supported"].color, 1.0, PAPER)
PARTED = Kind("alike at the start only", VERDICTS["refuted"].color, 0.3, INK)
DIFFERENT = Kind("different from the start", VERDICTS["inconclusive"].color, 0.16, INK)


def counts_of(label: str, simulation: Simulation) -> Counts:
    """Read one configuration's counts, piece by piece."""
    recorded = simulation.quantities
    axes = [axis for axis in AXES if {f"most_distinct_{axis}", f"fewest_distinct_{axis}"} <= set(recorded)]
    lows: dict[str, list[Float64Array]] = {axis: [] for axis in axes}
    highs: dict[str, list[Float64Array]] = {axis: [] for axis in axes}
    changes: list[Float64Array] = []
    for piece in simulation.chunks():
        for axis in axes:
            lows[axis].append(piece.values(f"fewest_distinct_{axis}").min(axis=0))
            highs[axis].append(piece.values(f"most_distinct_{axis}").max(axis=0))
        if "weight_change" in recorded:
            changes.append(piece.values("weight_change").sum(axis=0))
    ranges = {axis: np.stack([np.min(lows[axis], axis=0), np.max(highs[axis], axis=0)], axis=1) for axis in axes}
    change = np.sum(changes, axis=0) / simulation.n_networks if changes else np.empty(0)
    return Counts(label, simulation.n_networks, ranges, change)


def rows_figure(counts: Sequence[Counts]) -> Figure:
    """Draw a row of cells for each configuration, a cell for each layer."""
    from matplotlib.figure import Figure

    axes = [axis for axis in AXES if any(axis in one.ranges for one in counts)]
    depth = max(len(ranges) for one in counts for ranges in one.ranges.values())
    labels = [plain(one.label) for one in counts]
    across = len(axes) * depth + (len(axes) - 1) * _GAP
    width = across * _CELL[0] + _FROM_LEFT * max(map(len, labels)) + 0.4
    with house_style():
        figure = Figure(figsize=(max(width, 6.0), len(counts) * _CELL[1] + 1.1), layout="constrained")
        ax = figure.subplots()
        for row, one in enumerate(counts):
            for group, axis in enumerate(axes):
                for layer, ends in enumerate(one.ranges.get(axis, ())):
                    _draw_cell(ax, group * (depth + _GAP) + layer, row, *ends)
        _set_axes(ax, axes, depth, labels)
        figure.legend(**_legend(), loc="outside upper left", ncols=3, frameon=False)
    return figure


def _draw_cell(ax: Axes, x: float, y: float, low: float, high: float) -> None:
    """One matrix: a coloured cell, and the numbers in it."""
    from matplotlib.patches import Rectangle

    kind = kind_of(low, high)
    ax.add_patch(
        Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, facecolor=kind.fill, alpha=kind.alpha, linewidth=0, zorder=1)
    )
    ax.text(x, y, range_told(low, high), color=kind.ink, fontsize=7.5, ha="center", va="center_baseline", zorder=2)


def _set_axes(ax: Axes, axes: Sequence[str], depth: int, labels: Sequence[str]) -> None:
    """Configurations down, layers across, what is counted above."""
    starts = [group * (depth + _GAP) for group in range(len(axes))]
    ax.set(xlim=(-0.6, starts[-1] + depth - 0.4), ylim=(len(labels) - 0.4, -0.6))
    ax.set_yticks(range(len(labels)), labels=list(labels), parse_math=False)
    ax.set_xticks([start + layer for start in starts for layer in range(depth)])
    ax.set_xticklabels([f"{layer + 1}" for _ in starts for layer in range(depth)])
    for start, axis in zip(starts, axes, strict=True):
        ax.text(start + (depth - 1) / 2, -0.75, f"different {axis}", ha="center", va="bottom", fontsize=9)
    ax.set_xlabel("layer")
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _legend() -> dict[str, Any]:
    from matplotlib.patches import Patch

    kinds = (ALIKE, PARTED, DIFFERENT)
    return {
        "handles": [Patch(facecolor=kind.fill, alpha=kind.alpha, linewidth=0) for kind in kinds],
        "labels": [kind.name for kind in kinds],
    }


def kind_of(low: float, high: float) -> Kind:
    """What a matrix is whose fewest and most different lines are these."""
    if high == 1:
        return ALIKE
    return PARTED if low == 1 else DIFFERENT


def range_told(low: float, high: float) -> str:
    """The fewest and the most in words, or the one number that both are."""
    return count(high) if low == high else f"{count(low)}–{count(high)}"
