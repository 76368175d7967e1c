"""Histograms of single units: a curve for each of a few layers, coloured by depth."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from varprop.engine.binning import histograms
from varprop.model.histograms import Histograms, UnitCounts
from varprop.model.simulation import Simulation
from varprop.numerics.streams import named_generator
from varprop.report.document import Column, Picture, Table
from varprop.report.figures import house_style, panel_grid, panel_title
from varprop.report.palette import depth_colors, spread_evenly
from varprop.report.svg import render_svg
from varprop.report.wording import MISSING, count, number, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_NETWORKS = 50
"""Of each configuration: with some hundreds of units a layer, enough for a smooth curve."""
_HIDDEN = 0.003  # share of the units of a layer that may lie left of a log axis, whose tail towards 0 has no end
_SYMBOLS = {"activation": "a", "gradient": "δ"}


def sample_histograms(simulations: Mapping[str, Simulation], *, seed: int, dtype: str) -> dict[str, Histograms]:
    """Sample a few networks of each configuration from streams that no other sample uses."""
    return {
        label: histograms(
            simulation.architecture,
            n_networks=N_NETWORKS,
            rng=named_generator(str(seed), "histograms"),
            inputs=simulation.inputs,
            dtype=dtype,
        )
        for label, simulation in simulations.items()
    }


def histogram_curves(found: UnitCounts, *, layers: int = 8) -> pd.DataFrame:
    """Curves of at most so many layers, evenly spread over depth."""
    import pandas as pd

    edges = found.edges
    middle = np.sqrt(edges[:-1] * edges[1:]) if found.scale == "log" else (edges[:-1] + edges[1:]) / 2
    tables = []
    for i in spread_evenly(len(found.places), layers):
        used = np.flatnonzero(found.counts[i])
        shown = slice(used[0], used[-1] + 1) if used.size else slice(0)
        layer, module = found.places[i]
        parts = {"layer": layer, "module": module, "x": middle[shown], "density": found.density[i][shown]}
        tables.append(pd.DataFrame(parts))
    return pd.concat(tables, ignore_index=True)


def draw_histograms(axes: Axes, found: UnitCounts, *, layers: int = 8) -> None:
    """Draw a curve for each of a few layers, named ``layer`` and its number, from dark to light over depth."""
    curves = histogram_curves(found, layers=layers)
    rows = spread_evenly(len(found.places), layers)
    for i, color in zip(rows, depth_colors(len(rows)), strict=True):
        mine = curves[(curves["layer"] == found.places[i][0]) & (curves["module"] == found.places[i][1])]
        axes.plot(mine["x"], mine["density"], color=color, linewidth=1.2, label=f"layer {found.places[i][0]}")
    if found.scale == "log":
        axes.set_xscale("log")
        if len(curves):
            axes.set_xlim(_left_end(found, rows), found.edges[-1])
    else:
        margin = 0.02 * (found.edges[-1] - found.edges[0])
        axes.set_xlim(found.edges[0] - margin, found.edges[-1] + margin)
    axes.set_ylim(bottom=0)


def _left_end(found: UnitCounts, rows: list[int]) -> float:
    """The edge that leaves all but a few of every drawn layer's units on its right."""
    ends = []
    for i in rows:
        cumulative = np.cumsum(found.counts[i])
        if cumulative[-1]:
            ends.append(found.edges[np.searchsorted(cumulative, _HIDDEN * cumulative[-1])])
    return float(min(ends))


def axis_names(found: UnitCounts) -> tuple[str, str]:
    """Names of both axes."""
    symbol = _SYMBOLS[found.quantity]
    return (symbol, f"share per unit of {symbol}") if found.scale == "linear" else (f"|{symbol}|", "share per decade")


def zeros_told(found: UnitCounts) -> str:
    """How many units are exactly 0, from the first layer to the last; empty if none is."""
    if not found.zeros.any():
        return ""
    shares = found.zeros / found.units
    return f"exactly 0: {percent(round(shares[0], 3))} to {percent(round(shares[-1], 3))}"


def histogram_figure(panels: Mapping[str, UnitCounts]) -> Figure:
    """Draw a panel for each configuration."""
    with house_style():
        figure, grid = panel_grid(len(panels), sharex=False)
        for axes, (label, found) in zip(grid, panels.items(), strict=True):
            draw_histograms(axes, found)
            title = "\n".join(filter(None, (panel_title(label), zeros_told(found))))
            axes.set_title(title, loc="left", parse_math=False)
            axes.set_xlabel(axis_names(found)[0])
        scales = dict.fromkeys(axis_names(found)[1] for found in panels.values())
        figure.supylabel(" or ".join(scales), fontsize=9)
        handles, names = max((axes.get_legend_handles_labels() for axes in grid), key=lambda pair: len(pair[0]))
        drawn = {tuple(axes.get_legend_handles_labels()[1]) for axes in grid}
        if len(drawn) > 1:  # depths differ, and one colour stands for several layers
            names = ["first layer", *[""] * (len(names) - 2), "last layer"][-len(names) :]
        figure.legend(handles, names, loc="outside upper left", ncols=min(len(names), 4), frameon=False)
    return figure


def histogram_pictures(simulations: Mapping[str, Simulation], *, seed: int, dtype: str) -> list[Picture]:
    """Draw activations and gradients of every configuration."""
    found = sample_histograms(simulations, seed=seed, dtype=dtype)
    activations = {label: one.activations for label, one in found.items() if one.activations is not None}
    gradients = {label: one.gradients for label, one in found.items()}
    return [_picture(panels) for panels in (activations, gradients) if panels]


def _picture(panels: Mapping[str, UnitCounts]) -> Picture:
    quantity = next(iter(panels.values())).quantity
    name, symbol = f"histograms-{quantity}", _SYMBOLS[quantity]
    scales = {found.scale for found in panels.values()}
    axes_told = {
        "log": f"Sizes |{symbol}| on a log axis, whose left end leaves out at most {percent(_HIDDEN)} of any drawn layer.",
        "linear": "Values of bounded activations over their whole range: saturated units stand at its ends.",
    }
    alternative = (
        f"Histograms of single {quantity}s in {count(len(panels), 'configuration')}, a curve for each of up to eight layers. "
        "The table below has the numbers."
    )
    draw = partial(histogram_figure, panels)
    return Picture(
        name=name,
        heading=f"Histograms of {quantity}s by depth",
        caption=(
            f"How single {quantity}s {symbol} are distributed over units, in {count(N_NETWORKS, 'network')} of each configuration "
            "that no test uses. A curve for each of up to eight layers, dark for the first and light for the last. "
            f"{' '.join(axes_told[scale] for scale in ('linear', 'log') if scale in scales)} Units that are exactly 0 are in no "
            "curve; their share, in the first layer and the last, stands above the panel. Curves have no band: units of one "
            "network depend on each other."
        ),
        alternative=alternative,
        svg=render_svg(draw(), title=alternative, name=name),
        draw=draw,
        numbers=_numbers(panels, caption=f"The numbers of the figure {name}."),
    )


def _numbers(panels: Mapping[str, UnitCounts], *, caption: str) -> Table:
    columns = [Column("Configuration"), *(Column(title, "number") for title in ("Layer", "Units", "Root mean square"))]
    columns += [Column("Exactly 0", "number"), Column("In the outermost bins", "number")]
    rows = []
    for label, found in panels.items():
        for i in spread_evenly(len(found.places)):
            units = int(found.units[i])
            ends = MISSING if found.scale == "log" else _share(int(found.counts[i, 0] + found.counts[i, -1]), units)
            size = number(float(np.sqrt(found.second_moments[i])))
            rows.append([label, str(found.places[i][0]), count(units), size, _share(int(found.zeros[i]), units), ends])
    return Table.of(caption, columns, rows).without_empty_columns(MISSING)


def _share(part: int, whole: int) -> str:
    return percent(part / whole)
