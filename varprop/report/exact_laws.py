"""The figure of samples against their exact finite-width laws: a panel for each configuration that has one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from varprop._typing import Float64Array
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_sites
from varprop.model.simulation import Simulation
from varprop.report.distributions import draw_quantiles
from varprop.report.document import Picture
from varprop.report.figures import house_style, panel_grid, panel_title
from varprop.report.svg import render_svg
from varprop.report.wording import axis_label, count, percent
from varprop.theory import finite_width_law

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_QUANTITY: Final = "preactivation_second_moment"
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Panel:
    """One configuration: the logarithms of its living networks, and the quantiles of their law."""

    label: str
    layer: int
    logs: Float64Array
    ppf: Callable[[Float64Array], Float64Array]


def exact_law_pictures(simulations: Mapping[str, Simulation]) -> list[Picture]:
    """Draw the last layer of every configuration that has an exact law; no picture if none has."""
    panels = [panel for label, simulation in simulations.items() if (panel := _panel(label, simulation)) is not None]
    if not panels:
        return []
    name, networks = "exact-law", count(max(len(panel.logs) for panel in panels), "network")
    alternative = (
        f"Quantiles of log {axis_label(_QUANTITY)} in the last layer minus those of the exact finite-width law, in "
        f"{count(len(panels), 'configuration')}, with a band for all quantiles at once."
    )
    draw = partial(exact_law_figure, panels)
    return [
        Picture(
            name=name,
            heading="Networks against their exact law",
            caption=(
                f"Dots: quantiles of log {axis_label(_QUANTITY)} in the last layer over up to {networks} that are alive, against "
                "those of the exact law at this width, as differences. Dashed: where they lie if the law is right. Band: all of them lie "
                f"inside with a probability of {percent(_LEVEL)} if it is; beyond its ends it is open."
            ),
            alternative=alternative,
            svg=render_svg(draw(), title=alternative, name=name),
            draw=draw,
            numbers=None,
        )
    ]


def exact_law_figure(panels: Sequence[Panel]) -> Figure:
    """Draw a panel for each configuration."""
    with house_style():
        figure, grid = panel_grid(len(panels), sharex=False)
        for axes, panel in zip(grid, panels, strict=True):
            draw_quantiles(axes, panel.logs, panel.ppf, level=_LEVEL)
            axes.set_title(panel_title(f"{panel.label}, layer {panel.layer}"), loc="left", parse_math=False)
        figure.supxlabel(f"log {axis_label(_QUANTITY)} of the exact law", fontsize=9)
        figure.supylabel("measured minus exact", fontsize=9)
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, frameon=False)
    return figure


def _panel(label: str, simulation: Simulation) -> Panel | None:
    """The last layer of a configuration, or None where no exact law is known or nothing is left alive."""
    if _QUANTITY not in simulation.quantities or len(simulation.inputs) > 1:
        return None
    place = simulation.places(_QUANTITY)[-1]
    if isinstance(simulation.network, Network):
        read_sites(simulation.network, "a law between networks")
    try:
        law = finite_width_law(simulation.architecture, place[0], quantity=_QUANTITY, inputs=simulation.inputs)
        law.ppf(np.array([0.5]))
    except (UnsupportedError, TypeError, ValueError):
        return None
    values = simulation.column(_QUANTITY, place).ravel()
    alive = values[values > 0]
    return Panel(label, place[0], np.log(alive), law.ppf) if len(alive) > 1 else None
