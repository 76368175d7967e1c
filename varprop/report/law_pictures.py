"""What a report draws of laws and phases: how networks and units are distributed, and where networks stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop.engine.binning import histograms
from varprop.model.activations import Activation
from varprop.model.histograms import Histograms, UnitCounts
from varprop.model.layers import UnsupportedError
from varprop.model.names import in_turn
from varprop.model.network import Network, read_activations, read_leaves, read_steps, widths_label
from varprop.model.simulation import Simulation
from varprop.numerics.randomness import named_generator
from varprop.plot.axes import spread_evenly
from varprop.plot.exact_laws import LEVEL, QUANTITY, Panel, exact_law_figure
from varprop.plot.phases import READER, has_edge, phase_figure, phase_points
from varprop.plot.spreads import (
    HIDDEN,
    LAYERS,
    SYMBOLS_OF_UNITS,
    Overlay,
    Ridge,
    histogram_figure,
    ridges,
    spread_figure,
)
from varprop.plot.wording import MISSING, axis_label, count, listing, number, percent
from varprop.report.blocks import Column, Picture, Table
from varprop.theory import finite_width_law, phase_diagram

if TYPE_CHECKING:
    import pandas as pd

_QUANTITIES = ("preactivation_second_moment", "gradient_second_moment")
_NAMED = 4  # panels without a law are named if they are fewer
N_NETWORKS = 50
"""Of each configuration: with some hundreds of units a layer, enough for a smooth curve."""
_GRID = (37, 25)


def exact_law_pictures(simulations: Mapping[str, Simulation]) -> list[Picture]:
    """Draw the last layer of every configuration that has an exact law; no picture if none has."""
    panels = [panel for label, simulation in simulations.items() if (panel := _panel(label, simulation)) is not None]
    if not panels:
        return []
    name, networks = "exact-law", count(max(len(panel.logs) for panel in panels), "network")
    alternative = (
        f"Quantiles of log {axis_label(QUANTITY)} in the last layer minus those of the exact finite-width law, in "
        f"{count(len(panels), 'configuration')}, with a band for all quantiles at once."
    )
    return [
        Picture.of(
            name,
            partial(exact_law_figure, panels),
            heading="Networks against their exact law",
            caption=(
                f"Dots: quantiles of log {axis_label(QUANTITY)} in the last layer over up to {networks} that are alive, against "
                "those of the exact law at this width, as differences. Dashed: where they lie if the law is right. Band: all of them lie "
                f"inside with a probability of {percent(LEVEL)} if it is; beyond its ends it is open."
            ),
            alternative=alternative,
        )
    ]


def _panel(label: str, simulation: Simulation) -> Panel | None:
    """The last layer of a configuration, or None where no exact law is known or nothing is left alive."""
    if QUANTITY not in simulation.quantities or len(simulation.inputs) > 1:
        return None
    place = simulation.places(QUANTITY)[-1]
    if isinstance(simulation.network, Network):
        read_leaves(simulation.network, "a law between networks")
    try:
        law = finite_width_law(simulation.architecture, place[0], quantity=QUANTITY, inputs=simulation.inputs)
        law.ppf(np.array([0.5]))
    except (UnsupportedError, TypeError, ValueError):
        return None
    values = simulation.column(QUANTITY, place).ravel()
    alive = values[values > 0]
    return Panel(label, place[0], np.log(alive), law.ppf) if len(alive) > 1 else None


def spread_pictures(simulations: Mapping[str, Simulation]) -> list[Picture]:
    """Draw the signal and the gradient, where they were recorded."""
    pictures = []
    for quantity in _QUANTITIES:
        found = {label: ridges(s, quantity) for label, s in simulations.items() if quantity in s.quantities}
        panels = {label: drawn for label, drawn in found.items() if drawn}
        if panels:
            pictures.append(_spread_picture(panels, quantity))
    return pictures


def _spread_picture(panels: Mapping[str, Sequence[Ridge]], quantity: str) -> Picture:
    name, symbol = f"distributions-{quantity}", axis_label(quantity)
    networks = count(max(ridge.n_networks for drawn in panels.values() for ridge in drawn), "network")
    laws = dict.fromkeys(r.overlay.label for drawn in panels.values() for r in drawn if r.overlay is not None)
    alternative = (
        f"Distribution of {symbol} over networks at up to {LAYERS} layers in {count(len(panels), 'configuration')}, with "
        f"{listing(['the mean', 'the typical network', *(f'the {law}' for law in laws)])}. The table below has the numbers."
    )
    return Picture.of(
        name,
        partial(spread_figure, panels, quantity),
        heading=f"Distribution of {symbol} over networks by depth",
        caption=(
            f"Shaded: histogram of log {symbol} over up to {networks} of each configuration that are alive, at up to {LAYERS} layers, each "
            f"scaled to the same height. {_laws_told(panels)} Diamond: mean over all networks. Circle: the typical network, exp of the mean "
            "logarithm; where the two part, the mean is made by few networks. No band: the shaded area is the spread itself."
        ),
        alternative=alternative,
        numbers=_spread_table(panels, caption=f"The numbers of the figure {name}."),
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


def _spread_table(panels: Mapping[str, Sequence[Ridge]], *, caption: str) -> Table:
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


def histogram_pictures(simulations: Mapping[str, Simulation], *, seed: int, dtype: str) -> list[Picture]:
    """Draw activations and gradients of every configuration."""
    found = sample_histograms(simulations, seed=seed, dtype=dtype)
    activations = {label: one.activations for label, one in found.items() if one.activations is not None}
    gradients = {label: one.gradients for label, one in found.items()}
    return [_histogram_picture(panels) for panels in (activations, gradients) if panels]


def _histogram_picture(panels: Mapping[str, UnitCounts]) -> Picture:
    quantity = next(iter(panels.values())).quantity
    name, symbol = f"histograms-{quantity}", SYMBOLS_OF_UNITS[quantity]
    scales = {found.scale for found in panels.values()}
    axes_told = {
        "log": f"Sizes |{symbol}| on a log axis, whose left end leaves out at most {percent(HIDDEN)} of any drawn layer.",
        "linear": "Values of bounded activations over their whole range: saturated units stand at its ends.",
    }
    alternative = (
        f"Histograms of single {quantity}s in {count(len(panels), 'configuration')}, a curve for each of up to eight layers. "
        "The table below has the numbers."
    )
    return Picture.of(
        name,
        partial(histogram_figure, panels),
        heading=f"Histograms of {quantity}s by depth",
        caption=(
            f"How single {quantity}s {symbol} are distributed over units, in {count(N_NETWORKS, 'network')} of each configuration "
            "that no test uses. A curve for each of up to eight layers, dark for the first and light for the last. "
            f"{' '.join(axes_told[scale] for scale in ('linear', 'log') if scale in scales)} Units that are exactly 0 are in no "
            "curve; their share, in the first layer and the last, stands above the panel. Curves have no band: units of one "
            "network depend on each other."
        ),
        alternative=alternative,
        numbers=_histogram_table(panels, caption=f"The numbers of the figure {name}."),
    )


def _histogram_table(panels: Mapping[str, UnitCounts], *, caption: str) -> Table:
    columns = [Column("Configuration"), *(Column(title, "number") for title in ("Layer", "Units", "Root mean square"))]
    columns += [Column("Exactly 0", "number"), Column("In the outermost bins", "number")]
    rows = []
    for label, found in panels.items():
        for i in spread_evenly(len(found.places)):
            units = int(found.units[i])
            ends = MISSING if found.scale == "log" else percent(int(found.counts[i, 0] + found.counts[i, -1]) / units)
            size = number(float(np.sqrt(found.second_moments[i])))
            rows.append(
                [label, str(found.places[i][0]), count(units), size, percent(int(found.zeros[i]) / units), ends]
            )
    return Table.of(caption, columns, rows).without_empty_columns(MISSING)


def phase_tables(points: pd.DataFrame, networks: Mapping[str, Network]) -> dict[str, pd.DataFrame]:
    """Compute the phases around the points of each activation."""
    widest = max(4.0, 1.2 * float(points["weight_high"].max()))
    highest = max(0.5, 1.5 * float(points["bias_variance"].max()))
    weights, biases = np.linspace(widest / _GRID[0], widest, _GRID[0]), np.linspace(0.0, highest, _GRID[1])
    activations = {
        name: _activation(networks[label])
        for label, name in zip(points["configuration"], points["activation"], strict=True)
    }
    return {name: phase_diagram(phi, weights, biases, correlations=False) for name, phi in activations.items()}


def phase_pictures(networks: Mapping[str, Network]) -> list[Picture]:
    """Draw the configurations of a study in the phase diagrams of their activations; no picture if none has a place."""
    points, left_out = phase_points(networks)
    if points.empty:
        return []
    tables, names = phase_tables(points, networks), point_names(networks)
    without = [name for name, table in tables.items() if not has_edge(table["chi_1"].to_numpy(np.float64))]
    unbounded = [name for name, table in tables.items() if bool(np.isinf(table["q"]).any())]
    told = []
    if without:
        told.append(f"No edge of chaos lies in the panels of {listing(without)}.")
    if unbounded:
        told.append(
            f"With {listing(unbounded)} second moments grow for ever where the darker grey is, so that no network settles."
        )
    reasons: dict[str, list[str]] = {}
    for label, why in left_out.items():
        reasons.setdefault(why, []).append(label)
    told += [f"Left out: {listing(labels)}, since {why}." for why, labels in reasons.items()]
    alternative = (
        f"Phase diagrams of {listing(list(tables))} over the variances of weights and biases, with "
        f"{count(len(points), 'configuration')} as points. The table below has the numbers."
    )
    return [
        Picture.of(
            "phase",
            partial(phase_figure, points, tables, names),
            heading="The configurations in their phase diagrams",
            caption=(
                f"Points: {count(len(points), 'configuration')}, at the mean over layers of fan_in Var(W) and Var(b); a bar is the range "
                "where layers differ, and one without a label had no room for it. Areas: what infinitely wide networks do at their fixed point; in the ordered phase squared "
                "gradients shrink from layer to layer, in the chaotic one they grow, and on the line they keep their size. Nothing "
                f"here is sampled, so there is no band. {' '.join(told)}"
            ).rstrip(),
            alternative=alternative,
            numbers=_phase_table(points, networks),
        )
    ]


def _phase_table(points: pd.DataFrame, networks: Mapping[str, Network]) -> Table:
    """Where each point stands, and what the theory says of that very place."""
    columns = [
        Column("Configuration"),
        *(Column(t, "number") for t in ("fan_in Var(W)", "from", "to", "Var(b)", "chi_1")),
    ]
    rows = []
    there = _at_points(points, networks)
    for row in points.to_dict("records"):
        key = row["activation"], row["weight_variance"], row["bias_variance"]
        even = row["weight_high"] - row["weight_low"] <= 1e-9 * row["weight_high"]
        ends = [MISSING, MISSING] if even else [number(row["weight_low"]), number(row["weight_high"])]
        numbers = [number(row["weight_variance"]), *ends, number(row["bias_variance"]), number(there[key]["chi_1"])]
        rows.append([str(row["configuration"]), *numbers, str(there[key]["phase"])])
    table = Table.of("The numbers of the figure phase.", [*columns, Column("Phase")], rows)
    return table.without_empty_columns(MISSING)


def _at_points(points: pd.DataFrame, networks: Mapping[str, Network]) -> dict[tuple[str, float, float], dict[str, Any]]:
    """What the theory says at the points themselves, by activation and both variances."""
    found: dict[tuple[str, float, float], dict[str, Any]] = {}
    for activation, mine in points.groupby("activation", sort=False):
        phi = _activation(networks[mine["configuration"].iloc[0]])
        axes = (mine[axis].unique() for axis in ("weight_variance", "bias_variance"))
        for row in phase_diagram(phi, *axes, correlations=False).to_dict("records"):
            found[str(activation), row["weight_variance"], row["bias_variance"]] = {
                str(key): value for key, value in row.items()
            }
    return found


def point_names(networks: Mapping[str, Network]) -> dict[str, str]:
    """Call each network by its weights, and by what else of it is not the same in all."""
    parts = {
        label: {
            "weights": in_turn(step.weights.label for step in read_steps(network, READER)),
            "biases": "biases " + in_turn(step.biases.label for step in read_steps(network, READER)),
            "widths": widths_label(network.widths),
        }
        for label, network in networks.items()
    }
    varied = [key for key in ("biases", "widths") if len({told[key] for told in parts.values()}) > 1]
    return {label: ", ".join(told[key] for key in ("weights", *varied)) for label, told in parts.items()}


def _activation(network: Network) -> Activation:
    return read_activations(network, READER)[0]
