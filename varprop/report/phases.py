"""Where networks stand in the phase diagram of their activation: points beside the edge of chaos."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop._typing import Float64Array
from varprop.model.activations import Activation
from varprop.model.names import in_turn
from varprop.model.network import Network, read_activations, read_dense, widths_label
from varprop.report.document import Column, Picture, Table
from varprop.report.figures import house_style, panel_grid, panel_title
from varprop.report.labels import label_points
from varprop.report.map_figures import on_grid
from varprop.report.palette import GROWTH_ALPHA, INK, MARGIN_ALPHA, VERDICTS
from varprop.report.svg import render_svg
from varprop.report.wording import MISSING, count, listing, number
from varprop.study.plain import plain
from varprop.theory import phase_diagram

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_READER = "a phase diagram"
_GRID = (37, 25)
_AREAS = {
    "ordered": (VERDICTS["supported"].color, r"ordered, $\chi_1 < 1$"),
    "chaotic": (VERDICTS["refuted"].color, r"chaotic, $\chi_1 > 1$"),
    "diverging": (VERDICTS["inconclusive"].color, "q grows for ever"),
}
_LONG = 26  # characters of a label on one line
_TOGETHER = 0.01  # of the axis: points as close as that have one label


def phase_points(networks: Mapping[str, Network]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read off networks where they stand in a phase diagram."""
    import pandas as pd

    rows, left_out = [], {}
    for label, network in networks.items():
        activations = {phi.label for phi in read_activations(network, _READER)}
        dense = [(layer, site.fans) for site, layer in read_dense(network, _READER)]
        if len(activations) != 1:
            left_out[label] = f"it has {count(len(activations), 'different activation')}"
        elif not all(noun.weights.has_variance and noun.biases.has_variance for noun, _ in dense):
            left_out[label] = "the variance of its weights is not known"
        elif any(phi.jumps for phi in read_activations(network, _READER)):
            left_out[label] = "its activation jumps, so that it is chaotic whatever the variances"
        else:
            weights = np.array([fans[0] * noun.weights.variance(*fans) for noun, fans in dense])
            biases = np.array([noun.biases.variance(*fans) for noun, fans in dense])
            spread = {"weight_low": weights.min(), "weight_high": weights.max(), "bias_variance": biases.mean()}
            told = {"configuration": label, "activation": activations.pop(), "weight_variance": weights.mean()}
            rows.append(told | spread)
    columns = ["configuration", "activation", "weight_variance", "weight_low", "weight_high", "bias_variance"]
    return pd.DataFrame(rows, columns=columns), left_out


def draw_points(axes: Axes, points: pd.DataFrame) -> None:
    """Draw networks as points, with a bar where their layers differ."""
    from matplotlib import rcParams

    ink, paper = rcParams["text.color"], rcParams["axes.facecolor"]
    for row in points.to_dict("records"):
        if row["weight_high"] - row["weight_low"] > 1e-9 * row["weight_high"]:
            ends, at = [row["weight_low"], row["weight_high"]], row["bias_variance"]
            axes.plot(ends, [at, at], color=ink, linewidth=2.2, zorder=3)
    style: dict[str, Any] = {"markerfacecolor": ink, "markeredgecolor": paper, "markersize": 7}
    x, y = points["weight_variance"], points["bias_variance"]
    axes.plot(x, y, linewidth=0, marker="o", zorder=4, clip_on=False, label="configuration", **style)


def name_points(axes: Axes, points: pd.DataFrame, labels: Sequence[str]) -> None:
    """Write a label for each place that is taken, beside the edge of chaos and not across it; none where it has no room."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    places = points[["weight_variance", "bias_variance"]].to_numpy(np.float64)
    groups = _groups(places[:, 0], places[:, 1], right - left, high - low)
    texts = ["\n".join(dict.fromkeys(_wrapped(labels[i]) for i in group)) for group in groups]
    label_points(axes, places[[group[0] for group in groups]], texts)


def _wrapped(label: str) -> str:
    """A long label on lines of which all but the first are indented, so that it finds room beside a curve."""
    return "\n".join(textwrap.wrap(plain(label), _LONG, subsequent_indent="  ", break_long_words=False))


def _groups(x: Float64Array, y: Float64Array, width: float, height: float) -> list[list[int]]:
    """Points from left to right, those in one place together."""
    groups: list[list[int]] = []
    for i in np.lexsort((y, x)).tolist():
        for group in groups:
            first = group[0]
            if abs(x[i] - x[first]) <= _TOGETHER * width and abs(y[i] - y[first]) <= _TOGETHER * height:
                group.append(i)
                break
        else:
            groups.append([i])
    return groups


def draw_phases(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the phases as areas, and chi_1 = 1 as a line."""
    from matplotlib import rcParams

    x, y = (np.sort(table[axis].unique()) for axis in ("weight_variance", "bias_variance"))
    q, chi_1 = on_grid(table, "q"), on_grid(table, "chi_1")
    with np.errstate(divide="ignore"):
        excess = np.clip(np.log(chi_1), -3.0, 3.0)
    finite = np.ma.masked_array(excess, np.isinf(q) | np.isnan(excess))
    for phase, ends in (("ordered", [-4.0, 0.0]), ("chaotic", [0.0, 4.0])):
        if not finite.mask.all():
            axes.contourf(x, y, finite, levels=ends, colors=[_AREAS[phase][0]], alpha=MARGIN_ALPHA)
    if np.isinf(q).any():
        lost = np.isinf(q).astype(np.float64)
        axes.contourf(x, y, lost, levels=[1e-6, 2.0], colors=[_AREAS["diverging"][0]], alpha=GROWTH_ALPHA)
    if _has_edge(chi_1):
        axes.contour(x, y, excess, levels=[0.0], colors=[rcParams["text.color"]], linewidths=1.6)
    axes.grid(visible=False)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))


def _has_edge(chi_1: Float64Array) -> bool:
    return bool((chi_1 < 1).any() and (chi_1 > 1).any())


def phase_tables(points: pd.DataFrame, networks: Mapping[str, Network]) -> dict[str, pd.DataFrame]:
    """Compute the phases around the points of each activation."""
    widest = max(4.0, 1.2 * float(points["weight_high"].max()))
    highest = max(0.5, 1.5 * float(points["bias_variance"].max()))
    weights, biases = np.linspace(widest / _GRID[0], widest, _GRID[0]), np.linspace(0.0, highest, _GRID[1])
    nouns = {
        name: _activation(networks[label])
        for label, name in zip(points["configuration"], points["activation"], strict=True)
    }
    return {name: phase_diagram(phi, weights, biases, correlations=False) for name, phi in nouns.items()}


def phase_figure(points: pd.DataFrame, tables: Mapping[str, pd.DataFrame], names: Mapping[str, str]) -> Figure:
    """Draw a panel for each activation."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    with house_style():
        figure, grid = panel_grid(len(tables), sharex=True)
        for axes, (activation, table) in zip(grid, tables.items(), strict=True):
            draw_phases(axes, table)
            draw_points(axes, points[points["activation"] == activation])
            axes.set_title(panel_title(activation), loc="left", parse_math=False)
        figure.supxlabel(r"$\sigma_w^2$ = fan_in Var(W)", fontsize=9)
        figure.supylabel(r"$\sigma_b^2$ = Var(b)", fontsize=9)
        handles: list[Any] = [
            Patch(facecolor=color, alpha=GROWTH_ALPHA if phase == "diverging" else MARGIN_ALPHA, label=label)
            for phase, (color, label) in _AREAS.items()
        ]
        handles.append(Line2D([], [], color=INK, linewidth=1.6, label=r"$\chi_1 = 1$"))
        columns = 4 if len(tables) > 1 else 2
        figure.legend(handles=handles, loc="outside upper left", ncols=columns, frameon=False)
        figure.draw_without_rendering()  # only a figure that is laid out knows where labels have room
        for axes, activation in zip(grid, tables, strict=True):
            mine = points[points["activation"] == activation]
            name_points(axes, mine, [names[label] for label in mine["configuration"]])
    return figure


def phase_pictures(networks: Mapping[str, Network]) -> list[Picture]:
    """Draw the configurations of a study in the phase diagrams of their activations; no picture if none has a place."""
    points, left_out = phase_points(networks)
    if points.empty:
        return []
    tables, names = phase_tables(points, networks), point_names(networks)
    without = [name for name, table in tables.items() if not _has_edge(table["chi_1"].to_numpy(np.float64))]
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
    draw = partial(phase_figure, points, tables, names)
    return [
        Picture(
            name="phase",
            heading="The configurations in their phase diagrams",
            caption=(
                f"Points: {count(len(points), 'configuration')}, at the mean over layers of fan_in Var(W) and Var(b); a bar is the range "
                "where layers differ, and one without a label had no room for it. Areas: what infinitely wide networks do at their fixed point; in the ordered phase squared "
                "gradients shrink from layer to layer, in the chaotic one they grow, and on the line they keep their size. Nothing "
                f"here is sampled, so there is no band. {' '.join(told)}"
            ).rstrip(),
            alternative=alternative,
            svg=render_svg(draw(), title=alternative, name="phase"),
            draw=draw,
            numbers=_numbers(points, networks),
        )
    ]


def _numbers(points: pd.DataFrame, networks: Mapping[str, Network]) -> Table:
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
            "weights": in_turn(layer.weights.label for _, layer in read_dense(network, _READER)),
            "biases": "biases " + in_turn(layer.biases.label for _, layer in read_dense(network, _READER)),
            "widths": widths_label(network.widths),
        }
        for label, network in networks.items()
    }
    varied = [key for key in ("biases", "widths") if len({told[key] for told in parts.values()}) > 1]
    return {label: ", ".join(told[key] for key in ("weights", *varied)) for label, told in parts.items()}


def _activation(network: Network) -> Activation:
    return read_activations(network, _READER)[0]
