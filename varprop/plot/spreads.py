"""How single units, and whole networks, are distributed at several depths: curves for the one, ridges for the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.histograms import Histograms, UnitCounts
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_leaves
from varprop.model.simulation import Simulation
from varprop.numerics.moments import mean_of_present
from varprop.plot.axes import (
    SPREAD_ALPHA,
    THEORIES,
    VERDICTS,
    depth_colors,
    house_style,
    legend_above,
    named_above,
    new_axes,
    panel_grid,
    panel_title,
    set_round_ticks,
    spread_evenly,
)
from varprop.plot.wording import axis_label, percent
from varprop.theory import finite_width_law
from varprop.theory.finite_width.predictions import LogNormalLaw, log_normal_laws

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HIDDEN = 0.003  # share of the units of a layer that may lie left of a log axis, whose tail towards 0 has no end
SYMBOLS_OF_UNITS = {"activation": "a", "gradient": "δ"}
LAYERS = 6
"""Ridges in a panel, at most."""
_COLOR = VERDICTS["supported"].color
_THEORY = THEORIES["finite-width"]
_DOTS = (1.0, 1.5)  # of an approximation; dashes are an exact law's
_SHORT = 100.0  # factor between the ends of an axis below which powers of ten alone are too few
_OVERLAP = 0.9  # of the distance between two ridges, that the highest takes


@checked
def histograms(found: Histograms, *, quantity: str = "activation", layers: int = 8, ax: Axes | None = None) -> Axes:
    """Draw histograms of single units, a curve for each of a few layers.

    Parameters
    ----------
    found : Histograms
        What `varprop.histograms` returns.
    quantity : {"activation", "gradient"}
        Which units.
    layers : int, default 8
        Curves at most, from 1 to 8; the layers are evenly spread, the first and the last among them.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        Curves from dark to light over depth. Units that are exactly 0 are in none.

    Raises
    ------
    TypeError
        If it is something else that is to be drawn.
    ValueError
        If the quantity is neither, the network has no activations, or ``layers`` is out of its range.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([64] * 6, activation="tanh", weights="xavier_normal")
    >>> found = vp.histograms(net, n_networks=50, rng=2010)
    >>> vp.plot.histograms(found, quantity="gradient").get_xscale()
    'log'
    """
    if not isinstance(found, Histograms):
        msg = (
            f"found must be what vp.histograms returns, got {type(found).__name__}; write for example "
            "vp.plot.histograms(vp.histograms(network, n_networks=50, rng=1))"
        )
        raise TypeError(msg)
    counts = found.of(quantity)
    if not (isinstance(layers, int | np.integer) and 1 <= layers <= 8):
        msg = f"layers must be an integer from 1 to 8, got {quoted(layers)}: more curves cannot be told apart"
        raise ValueError(msg)
    ax = new_axes() if ax is None else ax
    draw_histograms(ax, counts, layers=layers)
    x, y = axis_names(counts)
    ax.set(xlabel=x, ylabel=y)
    named_above(ax, columns=4)
    return ax


@checked
def distributions(
    simulation: Simulation,
    *,
    quantity: str = "preactivation_second_moment",
    layers: int = 6,
    ax: Axes | None = None,
) -> Axes:
    """Draw how a second moment is distributed over networks, a ridge for each of a few layers.

    Parameters
    ----------
    simulation : Simulation
        In memory or on disk, of any size; one layer at a time is read.
    quantity : str
        A recorded quantity without negative values.
    layers : int, default 6
        Ridges at most, >= 1.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        Shaded: histograms of the living networks' logarithms. Dashed: the exact law, where one is known. Dotted: where none
        is, an approximation, the log-normal law with the mean and sd that theory "finite-width" predicts. Diamond: the mean
        over all networks. Circle: the typical network, exp of the mean logarithm.

    Raises
    ------
    TypeError
        If it is no simulation that is to be drawn.
    ValueError
        If the quantity was not recorded or has negative values, ``layers`` is no integer or less than 1, or no layer has two
        living networks that differ.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([16] * 9, activation="relu", weights="he_normal")
    >>> ax = vp.plot.distributions(vp.simulate(net, n_networks=500, rng=1), layers=3)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['1', '5', '8']
    """
    if not isinstance(simulation, Simulation):
        msg = (
            f"simulation must be a Simulation, got {type(simulation).__name__}; pass what vp.simulate returns, of a run "
            "run.simulations()[label], of a frame vp.Simulation.from_frame(frame, network)"
        )
        raise TypeError(msg)
    if not (isinstance(layers, int | np.integer) and layers >= 1):
        msg = f"layers must be an integer of at least 1, got {quoted(layers)}; 6 is the default"
        raise ValueError(msg)
    drawn = ridges(simulation, quantity, layers=layers)
    if not drawn:
        msg = f"at no layer are there two living networks whose {quantity} differs; sample more networks"
        raise ValueError(msg)
    ax = new_axes() if ax is None else ax
    draw_ridges(ax, drawn)
    ax.set(xlabel=axis_label(quantity), ylabel="layer")
    legend_above(ax, ridge_legend([ax]), columns=2)  # the name of an approximation is long
    return ax


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
            ends.append(found.edges[np.searchsorted(cumulative, HIDDEN * cumulative[-1])])
    return float(min(ends))


def axis_names(found: UnitCounts) -> tuple[str, str]:
    """Names of both axes."""
    symbol = SYMBOLS_OF_UNITS[found.quantity]
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


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """What a law that theory knows without the sample puts into the bins of a ridge."""

    density: Float64Array
    exact: bool
    rough: bool = False

    @property
    def label(self) -> str:
        """What the legend calls it."""
        return "exact law" if self.exact else "log-normal with the predicted mean and sd"


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """One layer: the living networks' logarithms in bins, and what theory puts there."""

    layer: int
    edges: Float64Array
    density: Float64Array
    overlay: Overlay | None
    mean: float
    typical: float
    n_networks: int
    n_dead: int


def ridges(simulation: Simulation, quantity: str, *, layers: int = LAYERS) -> list[Ridge]:
    """Find how a second moment is distributed over networks, one layer in memory at a time."""
    if isinstance(simulation.network, Network):
        read_leaves(simulation.network, "a law between networks")
    places = simulation.places(quantity)
    shown = min(layers, len(places))
    approximations = _approximations(simulation, quantity)
    found = []
    for index in dict.fromkeys(round(i * (len(places) - 1) / max(shown - 1, 1)) for i in range(shown)):
        values = simulation.column(quantity, places[index])
        if values.ndim == 2:
            values = mean_of_present(values[:, None])[:, 0]
        values = values[~np.isnan(values)]
        if values.size and values.min() < 0:
            msg = f"{quantity} has negative values, whose logarithm does not exist; take a second moment"
            raise ValueError(msg)
        logs = np.log(values[values > 0])
        if logs.size < 2 or logs.min() == logs.max():
            continue
        edges = np.linspace(logs.min(), logs.max(), _bins(logs) + 1)
        counts, _ = np.histogram(logs, edges)
        layer, n_dead = places[index][0], int(values.size - logs.size)
        # The predicted mean and sd are those of all networks, which are not the living ones' where some are dead.
        instead = None if n_dead else approximations.get(layer)
        found.append(
            Ridge(
                layer=layer,
                edges=edges,
                density=counts / logs.size / np.diff(edges),
                overlay=_overlay(simulation, quantity, layer, edges, instead=instead),
                mean=float(values.mean()),
                typical=float(np.exp(logs.mean())),
                n_networks=values.size,
                n_dead=n_dead,
            )
        )
    return found


def _bins(logs: Float64Array) -> int:
    """As many bins as Scott's rule says, between 8 and 60."""
    width = 3.49 * logs.std() / np.cbrt(logs.size)
    return int(np.clip(np.ceil((logs.max() - logs.min()) / width), 8, 60))


def _approximations(simulation: Simulation, quantity: str) -> dict[int, LogNormalLaw]:
    """Log-normal laws by layer, none where finite-width theory has no mean and sd."""
    if len(simulation.inputs) > 1:
        return {}
    try:
        return log_normal_laws(simulation.architecture, quantity, inputs=simulation.inputs)
    except (UnsupportedError, ValueError):
        return {}


def _overlay(
    simulation: Simulation, quantity: str, layer: int, edges: Float64Array, *, instead: LogNormalLaw | None
) -> Overlay | None:
    """Take the exact law, where none is known the other one, and None if there is neither."""
    if len(simulation.inputs) > 1:
        return None
    try:
        law = finite_width_law(simulation.architecture, layer, quantity=quantity, inputs=simulation.inputs)  # type: ignore[arg-type]  # it says what it takes
        below = law.cdf(edges)
    except (UnsupportedError, ValueError):
        if instead is None:
            return None
        return Overlay(_mean_density(instead.cdf(edges), edges), exact=False, rough=instead.rough)
    return Overlay(_mean_density(below, edges), exact=True)


def _mean_density(below: Float64Array, edges: Float64Array) -> Float64Array:
    return np.asarray(np.diff(below) / np.diff(edges), dtype=np.float64)


def draw_ridges(axes: Axes, drawn: Sequence[Ridge]) -> None:
    """Draw the first layer at the top and the last at the bottom, over q on a log axis."""
    from matplotlib import rcParams

    ink, paper = rcParams["text.color"], rcParams["axes.facecolor"]
    for row, ridge in enumerate(drawn):
        base, scale = -float(row), _OVERLAP / _height(ridge)
        x = np.exp(ridge.edges)
        axes.axhline(base, color=rcParams["grid.color"], linewidth=0.6, zorder=1)
        outline = base + scale * np.repeat(ridge.density, 2)
        steps = np.repeat(x, 2)[1:-1]
        axes.fill_between(steps, base, outline, color=_COLOR, alpha=2 * SPREAD_ALPHA, linewidth=0, zorder=2)
        axes.plot(steps, outline, color=_COLOR, linewidth=0.9, zorder=2.5, label="networks")
        if (law := ridge.overlay) is not None:
            middle = np.exp((ridge.edges[:-1] + ridge.edges[1:]) / 2)
            line = {"dashes": _THEORY.dashes, "linewidth": 1.4} if law.exact else {"dashes": _DOTS, "linewidth": 1.8}
            style: dict[str, Any] = {"color": _THEORY.color, "zorder": 3} | line
            axes.plot(middle, base + scale * law.density, label=law.label, **style)
        marks: dict[str, Any] = {"linewidth": 0, "markeredgecolor": ink, "markersize": 5, "zorder": 4, "clip_on": False}
        axes.plot([ridge.mean], [base], marker="D", markerfacecolor=ink, label="mean", **marks)
        axes.plot([ridge.typical], [base], marker="o", markerfacecolor=paper, label="typical", **marks)
    axes.set_xscale("log")
    axes.grid(visible=False, axis="y")
    axes.set_yticks([-float(row) for row in range(len(drawn))], [str(ridge.layer) for ridge in drawn])
    axes.set_ylim(-len(drawn) + 0.75, 1.05)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high)  # as the ridges have it, whatever the ticks
    if high / low < _SHORT:
        set_round_ticks(axes, most=4)


def _height(ridge: Ridge) -> float:
    return float(max(ridge.density.max(), 0.0 if ridge.overlay is None else ridge.overlay.density.max()))


def ridge_legend(axes: Sequence[Axes]) -> dict[str, list[object]]:
    """Everything that is drawn in any of the axes, each once."""
    named: dict[str, object] = {}
    for one in axes:
        named |= dict(zip(*reversed(one.get_legend_handles_labels()), strict=True))
    return {"handles": list(named.values()), "labels": list(named)}


def spread_figure(panels: Mapping[str, Sequence[Ridge]], quantity: str) -> Figure:
    """Draw a panel for each configuration."""
    with house_style():
        figure, grid = panel_grid(len(panels), sharex=False)
        for axes, (label, drawn) in zip(grid, panels.items(), strict=True):
            draw_ridges(axes, drawn)
            axes.set_title(panel_title(label), loc="left", parse_math=False)
        figure.supxlabel(axis_label(quantity), fontsize=9)
        figure.supylabel("layer", fontsize=9)
        figure.legend(**ridge_legend(grid), loc="outside upper left", ncols=4 if len(panels) > 1 else 2, frameon=False)
    return figure
