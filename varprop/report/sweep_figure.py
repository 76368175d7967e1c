"""The figure of a sweep: gains per layer and levels against the swept variable, with the theory's curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from varprop.report.as_written import as_written, legend_name
from varprop.report.document import Column, Picture, Table
from varprop.report.figures import house_style, panel_grid
from varprop.report.palette import series_styles
from varprop.report.profile import label_log_axis
from varprop.report.svg import render_svg
from varprop.report.sweeping import CONFIDENCE, GAINS, Point, sweep_frame
from varprop.report.wording import MISSING, axis_label, count, interval, listing, meaning, number, percent
from varprop.study.plain import csv_text, plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from varprop.model.simulation import Simulation
    from varprop.study.study import Study

NAME = "sweep"
VARIABLE_LABELS = {
    "weight_variance": "n_in Var(W)",
    "bias_variance": "Var(b)",
    "depth": "weight layers",
    "width": "units per layer",
}


def sweep_pictures(study: Study, simulations: Mapping[str, Simulation]) -> list[Picture]:
    """Draw a study's sweep; no picture if it has none, or recorded nothing that the figure shows."""
    if study.sweep is None:
        return []
    points = [Point(c.series, c.swept, simulations[c.label]) for c in study.configurations if c.swept is not None]
    frame = sweep_frame(points, study.sweep.variable)
    if frame.empty:
        return []
    variable = VARIABLE_LABELS[study.sweep.variable]
    quantities, series = list(dict.fromkeys(frame["quantity"])), list(dict.fromkeys(frame["series"]))
    gains, levels = ([q for q in quantities if (q in GAINS) == is_gain] for is_gain in (True, False))
    shown = listing(
        [f"the gain of {axis_label(q)} per layer" for q in gains]
        + [f"{axis_label(q)} ({meaning(q)}; mean over the layers)" for q in levels]
    )
    networks = frame["n_networks"].dropna()
    many = count(networks.max(), "network")
    if networks.min() < networks.max():
        many = f"{count(networks.min())} to {many}"
    theories = [source for source in dict.fromkeys(frame["source"]) if source != "measured"]
    alternative = (
        f"{shown[0].upper()}{shown[1:]} against {variable} in {count(len(series), 'series').replace('seriess', 'series')}: "
        f"{listing([plain(one) for one in series])}. The table below has the numbers."
    )
    first, last = int(frame["first_layer"].min()), int(frame["last_layer"].max())
    draw = partial(sweep_figure, frame, log=study.sweep.scale == "log")
    return [
        Picture(
            name=NAME,
            heading=f"Sweep of {variable}",
            caption=(
                f"{shown[0].upper()}{shown[1:]}, against {variable}. Measured from layer {first} (past the transient) to layer "
                f"{last}, gradients the other way. Marks: mean over {many}, with its {percent(CONFIDENCE)} interval (often "
                f"smaller than the mark).{_about_curves(theories)} {_about_one(gains)}"
            ).strip(),
            alternative=alternative,
            svg=render_svg(draw(), title=alternative, name=NAME),
            draw=draw,
            numbers=sweep_table(frame, caption=f"The numbers of the figure {NAME}."),
        )
    ]


def without_sweep(study: Study, wanted: Sequence[str]) -> tuple[str, ...]:
    """Say that the figure is asked for where there is no sweep."""
    if NAME not in wanted or study.sweep is not None:
        return ()
    return (f"The study asks for the figure “{NAME}” and has no [sweep], so there is nothing to draw.",)


def _about_curves(theories: list[str]) -> str:
    return f" Lines: the prediction of {listing(theories)} over the same layers." if theories else ""


def _about_one(gains: list[str]) -> str:
    return "Dashed: a gain of 1, where nothing grows or shrinks." if gains else ""


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


def sweep_table(frame: pd.DataFrame, *, caption: str) -> Table:
    """Tabulate the measured points of a sweep, with what the theory says there."""
    variable = VARIABLE_LABELS[frame["variable"].iloc[0]]
    theories = [source for source in dict.fromkeys(frame["source"]) if source != "measured"]
    said = {
        (row["series"], row["value"], row["quantity"], row["source"]): number(float(row["estimate"]))
        for row in frame[frame["source"] != "measured"].to_dict("records")
    }
    names = (variable, "Networks", "Layers", "Measured", "95 % interval", *theories)
    columns = [Column("Series"), Column("Quantity"), *(Column(name, "number") for name in names)]
    rows = [
        [
            plain(str(row["series"])),
            f"gain of {axis_label(str(row['quantity']))}"
            if row["quantity"] in GAINS
            else axis_label(str(row["quantity"])),
            number(row["value"]),
            count(row["n_networks"]),
            f"{int(row['first_layer'])}–{int(row['last_layer'])}",
            number(row["estimate"]),
            interval(row["ci_low"], row["ci_high"]),
            *(said.get((row["series"], row["value"], row["quantity"], theory), MISSING) for theory in theories),
        ]
        for row in frame[frame["source"] == "measured"].to_dict("records")
    ]
    table = Table.of(caption, columns, rows).without_empty_columns(MISSING)
    return table.with_file(f"tables/{NAME}.csv", csv_text(frame))
