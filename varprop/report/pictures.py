"""What a report draws of its verdicts and over depth: figures with their words and their numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from varprop.model.simulation import Simulation
from varprop.plot.depth import CONFIDENCE, SPREAD, layer_summary, profile_figure
from varprop.plot.forests import forest_figure, marks_figure, strip_figure
from varprop.plot.sweeps import (
    ALIKE,
    AXES,
    DIFFERENT,
    PARTED,
    VARIABLE_LABELS,
    Counts,
    counts_of,
    kind_of,
    range_told,
    rows_figure,
    sweep_figure,
)
from varprop.plot.wording import (
    MISSING,
    SYMBOL_KEY,
    SYMBOLS,
    axis_label,
    count,
    interval,
    listing,
    meaning,
    number,
    percent,
    sentence,
)
from varprop.report.blocks import Column, Picture, Table
from varprop.report.tables import margin_of
from varprop.study.files import csv_text, plain
from varprop.study.sweep_data import GAINS, Point, sweep_frame
from varprop.verification.verdict import Verdict, to_frame

if TYPE_CHECKING:
    import pandas as pd

    from varprop.study.study import Study

_UNCLAIMED = ("preactivation_second_moment", "gradient_second_moment")
"""Profiles of a study that claims nothing."""
_PLACE = ["configuration", "layer"]
NAME = "sweep"


def profile_pictures(study: Study, simulations: Mapping[str, Simulation], predictions: pd.DataFrame) -> list[Picture]:
    """Draw every quantity that is claimed something of, in the configurations it is claimed of."""
    import pandas as pd

    predictions = predictions.reindex(columns=["configuration", "layer", "quantity", "theory", "predicted"])
    drawn: dict[str, list[str]] = {}
    for quantity in dict.fromkeys(claim.quantity for claim in study.claims) or _UNCLAIMED:
        scopes = [scope for scope in study.scopes if scope.claim.quantity == quantity]
        labels = [c.label for c in study.configurations if not scopes or any(c.label in s.labels for s in scopes)]
        # Weights are tested too, and are no quantity of a simulation.
        drawn[quantity] = [label for label in labels if quantity in simulations[label].quantities]
    # All quantities of a configuration at once: its samples are read from disk for each time they are asked for.
    wanted_of = {label: [quantity for quantity, labels in drawn.items() if label in labels] for label in simulations}
    rows = {
        label: layer_summary(simulations[label], quantities, configuration=label)
        for label, quantities in wanted_of.items()
        if quantities
    }
    pictures = []
    for quantity, recorded in drawn.items():
        scopes = [scope for scope in study.scopes if scope.claim.quantity == quantity]
        summaries = [rows[label][rows[label]["quantity"] == quantity] for label in recorded]
        if all(summary.empty for summary in summaries):
            continue
        theories = {"mean-field"} | {scope.claim.theory for scope in scopes if scope.claim.theory}
        wanted = (predictions["quantity"] == quantity) & predictions["theory"].isin(theories)
        lines = predictions[wanted & predictions["configuration"].isin(recorded)]
        pictures.append(_profile_picture(quantity, pd.concat(summaries), lines))
    return pictures


def _profile_picture(quantity: str, summary: pd.DataFrame, predictions: pd.DataFrame) -> Picture:
    n_networks, panels = summary["n_networks"], summary["configuration"].nunique()
    networks = count(n_networks.max(), "network")
    if n_networks.min() < n_networks.max():
        networks = f"{count(n_networks.min())} to {networks}"
    theories = list(dict.fromkeys(predictions["theory"]))
    lines = f" Lines: the predictions of {listing(theories)}." if theories else ""
    name = f"profile-{quantity}"
    alternative = (
        f"{sentence(meaning(quantity))[:-1]}, layer by layer, in {count(panels, 'configuration')}: measured means, the spread over "
        f"networks{', and the predictions of ' + listing(theories) if theories else ''}. The table below has the numbers."
    )
    return Picture.of(
        name,
        partial(profile_figure, summary, predictions),
        heading=f"{axis_label(quantity)} over depth ({quantity})",
        caption=(
            f"{sentence(meaning(quantity))} Dots: mean over {networks}, with its {percent(CONFIDENCE)} interval (often smaller "
            f"than the dot). Band: from the {percent(SPREAD[0])} to the {percent(SPREAD[1])} quantile over networks."
            f"{lines} Each panel has its own scale: logarithmic where nothing is negative, and an arrow at its edge then stands for exactly 0."
        ),
        alternative=alternative,
        numbers=summary_table(
            summary, predictions, caption=f"The numbers of the figure {name}.", file=f"tables/figures/{name}.csv"
        ),
    )


def forest_pictures(study: Study, verdicts: Sequence[Verdict]) -> list[Picture]:
    """Draw the verdicts: those on ratios, and those on standardised means, which have an axis of their own."""
    order = {claim: i for i, claim in enumerate(dict.fromkeys(claim.id for claim in study.claims))}
    decided = sorted(verdicts, key=lambda one: order[one.claim.id])
    parts = {
        "forest": ([one for one in decided if not one.standardised], "measured over predicted"),
        "forest-zero-mean": ([one for one in decided if one.standardised], "the standardised mean"),
    }
    pictures = []
    for name, (part, what) in parts.items():
        if not part:
            continue
        counts = Counter[str](one.verdict for one in part)
        told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in SYMBOLS if verdict in counts)
        alternative = f"{sentence(what)[:-1]}, with interval and margin, for {count(len(part), 'verdict')}: {told}. The claims' tables have the numbers."
        pictures.append(
            Picture.of(
                name,
                partial(forest_figure, to_frame(part, rows="verdicts")),
                heading=f"All verdicts: {what}",
                caption=(
                    f"Each row is one verdict: {what}, with its interval. The shaded band is the claim's margin; a "
                    "claim about a bound has none, and its gain per layer, or value, stands over the bound. Marks: circle "
                    "supported, cross refuted, diamond inconclusive. Rows beyond the axis stand at its edge with "
                    f"an arrow and their value. {SYMBOL_KEY}."
                ),
                alternative=alternative,
            )
        )
    return pictures


def summary_table(summary: pd.DataFrame, predictions: pd.DataFrame, *, caption: str, file: str) -> Table:
    """Tabulate the numbers that a profile draws: its alternative for those who cannot see it."""
    theories = list(dict.fromkeys(predictions["theory"]))
    lookup = {
        (row["configuration"], row["layer"], row["theory"]): number(float(row["predicted"]))
        for row in predictions.to_dict("records")
    }
    names = ("Layer", "Networks", "Mean", "95 % interval", "5 %", "95 %", *theories)
    rows = [
        [
            str(row["configuration"]) or MISSING,
            f"{int(row['layer'])}",
            count(row["n_networks"]),
            number(row["mean"]),
            interval(row["ci_low"], row["ci_high"]),
            number(row["low"]),
            number(row["high"]),
            *(lookup.get((row["configuration"], row["layer"], theory), MISSING) for theory in theories),
        ]
        for row in summary.to_dict("records")
    ]
    columns = [Column("Configuration"), *(Column(name, "number") for name in names)]
    wide = predictions.pivot_table(index=_PLACE, columns="theory", values="predicted", sort=False, aggfunc="first")
    numbers = summary.join(wide.reindex(columns=theories), on=_PLACE) if theories else summary
    return Table.of(caption, columns, rows).without_empty_columns(MISSING).with_file(file, csv_text(numbers))


def strip_picture(claim: str, rows: Sequence[Verdict]) -> Picture:
    """Draw the verdicts of one claim."""
    verdicts = to_frame(rows, rows="verdicts")
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in SYMBOLS}
    told = listing([f"{n:,} {verdict}" for verdict, n in counts.items() if n])
    if all(row.claim.rule.equality for row in rows):
        # Else of a share of networks, which has an interval.
        exact = all(math.isnan(row.measured.interval[0]) for row in rows)
        noun = "exact test" if exact else "test of equality"
        alternative = f"{plain(claim)}: a mark for each of {count(len(rows), noun)}; {told}."
        figure, band = marks_figure, f"A mark each; {'exact, so there' if exact else 'there'} is no margin."
    else:
        alternative = (
            f"{plain(claim)}: {_compared(rows)} in {count(len(rows), 'test')}, with interval and margin; {told}. The row has "
            "the largest departure in numbers."
        )
        figure, band = strip_figure, _band(rows)
    return Picture.of(
        claim,
        partial(figure, verdicts),
        ids=f"strip-{claim}",
        heading=f"The verdicts on {claim}",
        caption=f"{count(len(rows), 'test')}, n = {_sizes(rows)}. {band}",
        alternative=alternative,
    )


def _compared(rows: Sequence[Verdict]) -> str:
    """What the axis shows."""
    kinds = dict.fromkeys("standardised means" if row.standardised else "measured over predicted" for row in rows)
    return listing(list(kinds))


def _sizes(rows: Sequence[Verdict]) -> str:
    """How many networks, or draws of weights, each test has."""
    noun = "draw" if all(row.claim.quantity == "weights" for row in rows) else "network"
    sizes = sorted({row.measured.n_networks for row in rows})
    if len(sizes) == 1:
        return count(sizes[0], noun)
    return f"{count(sizes[0])} to {count(sizes[-1], noun)}"


def _band(rows: Sequence[Verdict]) -> str:
    """What is shaded."""
    margins = [margin for margin in dict.fromkeys(map(margin_of, rows)) if margin != MISSING]
    return f"Band: the margin, {listing(margins)}." if margins else "No margin."


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
    return [
        Picture.of(
            NAME,
            partial(sweep_figure, frame, log=study.sweep.scale == "log"),
            heading=f"Sweep of {variable}",
            caption=(
                f"{shown[0].upper()}{shown[1:]}, against {variable}. Measured from layer {first} (past the transient) to layer "
                f"{last}, gradients the other way. Marks: mean over {many}, with its {percent(CONFIDENCE)} interval (often "
                f"smaller than the mark).{_about_curves(theories)} {_about_one(gains)}"
            ).strip(),
            alternative=alternative,
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


def rows_pictures(simulations: Mapping[str, Simulation]) -> list[Picture]:
    """Draw in how many different rows and columns trained networks' matrices are; no picture if that was not recorded."""
    found = [counts_of(label, simulation) for label, simulation in simulations.items()]
    counts = [one for one in found if one.ranges]
    if not counts:
        return []
    name, axes = "rows", [axis for axis in AXES if any(axis in one.ranges for one in counts)]
    kinds = [kind_of(*ends) for one in counts for axis in axes for ends in one.ranges.get(axis, ())]
    told = listing([f"{kinds.count(kind)} {kind.name}" for kind in (ALIKE, PARTED, DIFFERENT) if kind in kinds])
    networks = count(max(one.networks for one in counts), "network")
    alternative = (
        f"Different {listing(axes)} of every layer's weight matrix in {count(len(counts), 'configuration')}, a cell for each: "
        f"{told}. The table below has the numbers."
    )
    return [
        Picture.of(
            name,
            partial(rows_figure, counts),
            heading="Units that stay alike",
            caption=(
                f"A cell is one layer's weight matrix: how many different {listing(axes)} it has, compared bit by bit, from the start "
                f"to the last step of gradient descent, over {networks} of each configuration; the fewest and the most, where they "
                "differ. A row holds the weights of one unit, a column those from one unit of the layer below; the last layer is the "
                "output."
            ),
            alternative=alternative,
            numbers=_rows_table(counts),
        )
    ]


def _rows_table(counts: Sequence[Counts]) -> Table:
    """The figure's numbers, and how far the weights moved."""
    rows = []
    for one in counts:
        for layer in range(len(next(iter(one.ranges.values())))):
            shown = [range_told(*one.ranges[axis][layer]) if axis in one.ranges else MISSING for axis in AXES]
            change = number(float(one.change[layer]) if one.change.size else math.nan)
            rows.append([one.label, f"{layer + 1}", count(one.networks), *shown, change])
    columns = [
        Column("Configuration"),
        Column("Layer", "number"),
        Column("Networks", "number"),
        Column("Different rows", "number"),
        Column("Different columns", "number"),
        Column("Change of the weights", "number"),
    ]
    caption = (
        "The numbers of the figure rows, fewest to most over networks and steps, and the root mean square change of a weight from "
        "the first step to the last, mean over networks."
    )
    return Table.of(caption, columns, rows).without_empty_columns(MISSING)
