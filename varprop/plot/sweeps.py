"""Gains and levels against a swept variable, with the theory's curves; and maps of cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.simulation import Simulation
from varprop.plot.axes import (
    INK,
    PAPER,
    VERDICTS,
    as_written,
    house_style,
    label_log_axis,
    legend_above,
    legend_name,
    new_axes,
    panel_grid,
    series_styles,
)
from varprop.plot.wording import axis_label, count
from varprop.study.files import plain
from varprop.study.run import Run
from varprop.study.sweep_data import COLUMNS, GAINS, LEVELS, TRANSIENT, sweep_data

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from varprop.study.sweep import Variable


VARIABLE_LABELS = {
    "weight_variance": "n_in Var(W)",
    "bias_variance": "Var(b)",
    "depth": "weight layers",
    "width": "units per layer",
}


@checked
def sweep(
    data: Run | Iterable[Simulation] | pd.DataFrame,
    *,
    variable: Variable | None = None,
    quantity: str = "preactivation_second_moment",
    theory: str | None = "mean-field",
    first_layer: int = TRANSIENT,
    scale: Literal["linear", "log"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the gain per layer, or the level, of a quantity against a swept variable.

    Parameters
    ----------
    data : Run, iterable of Simulation, or DataFrame
        A run whose study has a ``[sweep]``; or samples of networks that differ in one variable, read off the networks
        themselves, a series for each activation; or what `varprop.sweep_data` returns.
    variable : {"weight_variance", "bias_variance", "depth", "width"}, optional
        What was swept; required with simulations, known of the others.
    quantity : str
        "preactivation_second_moment" or "gradient_second_moment", of which the gain per layer is drawn;
        "saturated_fraction" or "derivative_second_moment", of which the mean over layers is.
    theory : str, optional
        Whose curve is drawn; None for none. A frame has its own.
    first_layer : int, default 5
        First of the layers that are measured: past the transient.
    scale : {"linear", "log"}, optional
        Of the swept variable's axis; a study's own, or log if it spans a decade, if None.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        With a legend above it. Marks: mean over networks with its 95 % interval. Dashed: a gain of 1.

    Raises
    ------
    ValueError
        If the study has no sweep, the quantity is none of the four or was not recorded, or the networks do not differ
        in the variable alone.
    TypeError
        If ``data`` is nothing of the three, or ``variable`` is missing.

    Examples
    --------
    >>> import varprop as vp
    >>> sims = [
    ...     vp.simulate(vp.mlp([16] * 9, activation="tanh", weights={"name": "variance_scaling", "scale": v}), n_networks=20, rng=1)
    ...     for v in (0.5, 1, 2, 4)
    ... ]
    >>> vp.plot.sweep(sims, variable="weight_variance", quantity="gradient_second_moment").get_ylabel()
    'gain of δ² per layer'
    """
    import pandas as pd

    if quantity not in (*GAINS, *LEVELS):
        msg = f"quantity must be one of {', '.join((*GAINS, *LEVELS))}, got {quoted(quantity)}"
        raise ValueError(msg)
    if isinstance(data, Run) and scale is None and data.study.sweep is not None:
        scale = data.study.sweep.scale
    if isinstance(data, pd.DataFrame):
        missing = sorted(set(COLUMNS) - set(data.columns))
        if missing:
            msg = f"the frame has no column {', '.join(missing)}; pass what vp.sweep_data returns"
            raise ValueError(msg)
        frame = data
    else:
        frame = sweep_data(data, variable=variable, quantities=(quantity,), theory=theory, first_layer=first_layer)
    rows = frame[frame["quantity"] == quantity]
    if rows.empty:
        msg = f"there is nothing to draw: {quantity} was not recorded, or every network has a single layer"
        raise ValueError(msg)
    low, high = rows["value"].min(), rows["value"].max()
    ax = new_axes() if ax is None else ax
    draw_sweep(ax, rows, log=scale == "log" or (scale is None and low > 0 and high / low >= 10))
    legend = sweep_legend(rows, with_one=quantity in GAINS)
    legend_above(ax, legend, columns=3)
    return ax


def sweep_figure(frame: pd.DataFrame, *, log: bool) -> Figure:
    """Draw a panel for each quantity."""
    quantities, series = list(dict.fromkeys(frame["quantity"])), list(dict.fromkeys(frame["series"]))
    with house_style():
        figure, panels = panel_grid(len(quantities), sharex=False, columns=2)
        for axes, quantity in zip(panels, quantities, strict=True):
            draw_sweep(axes, frame[frame["quantity"] == quantity], log=log, series=series)
        columns = 4 if len(quantities) > 1 else 2
        legend = sweep_legend(frame, with_one=any(quantity in GAINS for quantity in quantities))
        drawn = figure.legend(**legend, loc="outside upper left", ncols=columns, frameon=False)
        as_written(drawn.get_texts())
    return figure


def draw_sweep(axes: Axes, rows: pd.DataFrame, *, log: bool, series: list[str] | None = None) -> None:
    """Draw one quantity of a sweep: marks with intervals, curves, and the line of a gain of 1."""
    from matplotlib import rcParams

    quantity, variable = rows["quantity"].iloc[0], rows["variable"].iloc[0]
    is_gain = quantity in GAINS
    if is_gain:
        axes.axhline(1.0, color=rcParams["text.color"], linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)
    styles = series_styles(list(dict.fromkeys(rows["series"])) if series is None else series)
    for name, style in styles.items():
        mine = rows[rows["series"] == name]
        curve = mine[mine["source"] != "measured"].sort_values("value", kind="stable")
        axes.plot(curve["value"], curve["estimate"], color=style.color, linewidth=1.2, zorder=2)
        measured = mine[mine["source"] == "measured"]
        axes.vlines(
            measured["value"], measured["ci_low"], measured["ci_high"], color=style.color, linewidth=1.4, zorder=3
        )
        axes.plot(
            measured["value"],
            measured["estimate"],
            color=style.color,
            marker=style.marker,
            markersize=4,
            linewidth=0,
            zorder=3,
        )
    if log:
        axes.set_xscale("log")
        label_log_axis(axes.xaxis, *axes.get_xlim())
    values = rows["estimate"].to_numpy(float)
    if is_gain or (values.min() > 0 and values.max() / values.min() >= 10):
        axes.set_yscale("log")
        if is_gain:  # a line close to 1 would fill the panel with noise
            low, high = min(values.min(), 0.95), max(values.max(), 1.05)
            axes.set_ylim(low / (high / low) ** 0.05, high * (high / low) ** 0.05)
        label_log_axis(axes.yaxis, *axes.get_ylim())
    axes.set(
        xlabel=VARIABLE_LABELS[variable],
        ylabel=f"gain of {axis_label(quantity)} per layer" if is_gain else axis_label(quantity),
    )


def sweep_legend(frame: pd.DataFrame, *, with_one: bool) -> dict[str, Any]:
    """Handles and labels of everything that `draw_sweep` may have drawn."""
    from matplotlib import rcParams
    from matplotlib.lines import Line2D

    ink = rcParams["text.color"]
    handles: list[Any] = []
    labels: list[str] = []
    for name, style in series_styles(list(dict.fromkeys(frame["series"]))).items():
        handles.append(Line2D([], [], color=style.color, marker=style.marker, markersize=4, linewidth=1.2))
        labels.append(legend_name(name))
    for theory in dict.fromkeys(source for source in frame["source"] if source != "measured"):
        handles.append(Line2D([], [], color=ink, linewidth=1.2))
        labels.append(theory)
    if with_one:
        handles.append(Line2D([], [], color=ink, linewidth=0.9, linestyle=(0, (4, 3))))
        labels.append("gain 1")
    return {"handles": handles, "labels": labels}


# ---- cells -----------------------------------------------------------------------------------------------------------


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
