"""How a second moment is distributed over networks: a ridge for each of a few layers, beside the law of theory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop._typing import Float64Array
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_sites
from varprop.model.simulation import Simulation
from varprop.numerics.averages import mean_of_present
from varprop.report.document import Column, Picture, Table
from varprop.report.figures import house_style, panel_grid, panel_title
from varprop.report.palette import SPREAD_ALPHA, THEORIES, VERDICTS
from varprop.report.svg import render_svg
from varprop.report.ticks import set_round_ticks
from varprop.report.wording import axis_label, count, listing, number
from varprop.theory import finite_width_law
from varprop.theory.finite_width.lognormal import LogNormalLaw, log_normal_laws

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LAYERS = 6
"""Ridges in a panel, at most."""
_QUANTITIES = ("preactivation_second_moment", "gradient_second_moment")
_COLOR = VERDICTS["supported"].color
_THEORY = THEORIES["finite-width"]
_DOTS = (1.0, 1.5)  # of an approximation; dashes are an exact law's
_SHORT = 100.0  # factor between the ends of an axis below which powers of ten alone are too few
_NAMED = 4  # panels without a law are named if they are fewer
_OVERLAP = 0.9  # of the distance between two ridges, that the highest takes


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
        read_sites(simulation.network, "a law between networks")
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


def spread_pictures(simulations: Mapping[str, Simulation]) -> list[Picture]:
    """Draw the signal and the gradient, where they were recorded."""
    pictures = []
    for quantity in _QUANTITIES:
        found = {label: ridges(s, quantity) for label, s in simulations.items() if quantity in s.quantities}
        panels = {label: drawn for label, drawn in found.items() if drawn}
        if panels:
            pictures.append(_picture(panels, quantity))
    return pictures


def _picture(panels: Mapping[str, Sequence[Ridge]], quantity: str) -> Picture:
    name, symbol = f"distributions-{quantity}", axis_label(quantity)
    networks = count(max(ridge.n_networks for drawn in panels.values() for ridge in drawn), "network")
    laws = dict.fromkeys(r.overlay.label for drawn in panels.values() for r in drawn if r.overlay is not None)
    alternative = (
        f"Distribution of {symbol} over networks at up to {LAYERS} layers in {count(len(panels), 'configuration')}, with "
        f"{listing(['the mean', 'the typical network', *(f'the {law}' for law in laws)])}. The table below has the numbers."
    )
    draw = partial(spread_figure, panels, quantity)
    return Picture(
        name=name,
        heading=f"Distribution of {symbol} over networks by depth",
        caption=(
            f"Shaded: histogram of log {symbol} over up to {networks} of each configuration that are alive, at up to {LAYERS} layers, each "
            f"scaled to the same height. {_laws_told(panels)} Diamond: mean over all networks. Circle: the typical network, exp of the mean "
            "logarithm; where the two part, the mean is made by few networks. No band: the shaded area is the spread itself."
        ),
        alternative=alternative,
        svg=render_svg(draw(), title=alternative, name=name),
        draw=draw,
        numbers=_numbers(panels, caption=f"The numbers of the figure {name}."),
    )


def _laws_told(panels: Mapping[str, Sequence[Ridge]]) -> str:
    """Say which law is drawn where, and where there is none."""
    overlays = {label: [ridge.overlay for ridge in drawn] for label, drawn in panels.items()}

    def where(test: Callable[[Overlay], bool]) -> str:
        found = [label for label, laws in overlays.items() if any(law is not None and test(law) for law in laws)]
        return f"{len(found)} of {count(len(panels), 'panel')}" if found else ""

    told = []
    if exact := where(lambda law: law.exact):
        told.append(f"Dashed: the exact law at these widths, where one is known ({exact}).")
    if approximate := where(lambda law: not law.exact):
        told.append(
            f"Dotted: where none is known, an approximation ({approximate}): the log-normal law with the mean and sd that "
            "finite-width theory predicts; nothing is fitted to the networks."
        )
    if rough := where(lambda law: law.rough):
        told.append(f"Mean and sd are rough where terms of order 1/width are not small ({rough}).")
    without = [label for label, laws in overlays.items() if not any(law is not None for law in laws)]
    if without:
        places = listing(without) if len(without) < _NAMED else f"{len(without)} of {count(len(panels), 'panel')}"
        told.append(
            f"No law is drawn in {places}, where theory has neither an exact one nor the mean and sd of the living networks."
        )
    return " ".join(told)


def _numbers(panels: Mapping[str, Sequence[Ridge]], *, caption: str) -> Table:
    titles = ("Layer", "Networks", "Dead", "Mean", "Typical", "Typical over mean")
    rows = [
        [
            label,
            str(ridge.layer),
            count(ridge.n_networks),
            count(ridge.n_dead),
            number(ridge.mean),
            number(ridge.typical),
            number(ridge.typical / ridge.mean),
        ]
        for label, drawn in panels.items()
        for ridge in drawn
    ]
    return Table.of(caption, [Column("Configuration"), *(Column(title, "number") for title in titles)], rows)
