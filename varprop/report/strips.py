"""A strip: the verdicts of one claim as a figure small enough for a row of the ledger."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from varprop.report.document import Picture
from varprop.report.figures import house_style
from varprop.report.forest import draw_strip
from varprop.report.palette import VERDICTS
from varprop.report.svg import render_svg
from varprop.report.tables import margin_of
from varprop.report.wording import MISSING, SYMBOLS, count, listing
from varprop.study.plain import plain
from varprop.verification.verdict import Verdict, to_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.figure import Figure

_WIDTH = 2.6  # inches
_FRAME = 0.3  # inches: the axis with its numbers
_ROW = 0.2
_TALLEST = 1.2
_MARKS = 12  # to a line, where a strip has no axis


def strip_picture(claim: str, rows: Sequence[Verdict]) -> Picture:
    """Draw the verdicts of one claim."""
    verdicts = to_frame(rows, rows="verdicts")
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in SYMBOLS}
    told = listing([f"{n:,} {verdict}" for verdict, n in counts.items() if n])
    if all(row.claim.rule.equality for row in rows):
        exact = all(math.isnan(row.measured.interval[0]) for row in rows)  # else of a share, which has an interval
        noun = "exact test" if exact else "test of equality"
        alternative = f"{plain(claim)}: a mark for each of {count(len(rows), noun)}; {told}."
        draw = partial(marks_figure, verdicts)
        band = f"A mark each; {'exact, so there' if exact else 'there'} is no margin."
    else:
        alternative = (
            f"{plain(claim)}: {_compared(rows)} in {count(len(rows), 'test')}, with interval and margin; {told}. The row has "
            "the largest departure in numbers."
        )
        draw, band = partial(strip_figure, verdicts), _band(rows)
    return Picture(
        name=claim,
        heading=f"The verdicts on {claim}",
        caption=f"{count(len(rows), 'test')}, n = {_sizes(rows)}. {band}",
        alternative=alternative,
        svg=render_svg(draw(), title=alternative, name=f"strip-{claim}"),
        draw=draw,
        numbers=None,
    )


def strip_figure(verdicts: pd.DataFrame) -> Figure:
    """Draw a line for every verdict, without labels."""
    import seaborn as sns
    from matplotlib.figure import Figure

    n_rows = int(verdicts["verdict"].notna().sum())
    height = min(_ROW * n_rows, _TALLEST)
    with house_style():
        figure = Figure(figsize=(_WIDTH, _FRAME + height))
        axes = figure.add_axes((0.04, _FRAME / (_FRAME + height), 0.92, height / (_FRAME + height) - 0.02))
        draw_strip(axes, verdicts, marker_size=min(5.0, 72 * 0.8 * height / n_rows))
        sns.despine(ax=axes, left=True)
    return figure


def marks_figure(verdicts: pd.DataFrame) -> Figure:
    """Draw a mark for every verdict, twelve to a line: of tests of equality there is nothing to measure along an axis."""
    from matplotlib.figure import Figure

    found = verdicts["verdict"].dropna().sort_values(key=lambda names: names.map(list(SYMBOLS).index), kind="stable")
    lines = -(-len(found) // _MARKS)
    height = min(_ROW * lines, _TALLEST)
    with house_style():
        figure = Figure(figsize=(_WIDTH, height + 0.1))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        for index, verdict in enumerate(found):
            style = VERDICTS[verdict]
            axes.plot(
                index % _MARKS, index // _MARKS, color=style.color, marker=style.marker, markersize=5.0, linewidth=0
            )
        axes.set(xlim=(-0.7, _MARKS - 0.3), ylim=(lines - 0.4, -0.6))
        axes.set_axis_off()
    return figure


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
