"""A strip: the verdicts of one claim as a figure small enough for a row of the ledger."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from varprop.report.departures import margin_of
from varprop.report.document import Picture
from varprop.report.figures import house_style
from varprop.report.forest import draw_strip
from varprop.report.records import Record, is_standardised, text_in, value_in
from varprop.report.svg import render_svg
from varprop.report.wording import MISSING, SYMBOLS, count, listing, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.figure import Figure

_WIDTH = 2.6  # inches
_FRAME = 0.3  # inches: the axis with its numbers
_ROW = 0.2
_TALLEST = 1.2


def strip_picture(claim: str, rows: Sequence[Record]) -> Picture:
    """Draw the verdicts of one claim.

    Parameters
    ----------
    claim : str
        Its id, which also names the figure.
    rows : sequence of Record
        Rows of a verdict frame that bear a verdict; at least one.

    Returns
    -------
    Picture
    """
    import pandas as pd

    verdicts = pd.DataFrame(list(rows))
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in SYMBOLS}
    told = listing([f"{n:,} {verdict}" for verdict, n in counts.items() if n])
    alternative = (
        f"{plain(claim)}: {_compared(rows)} in {count(len(rows), 'test')}, with interval and margin; {told}. The row has "
        "the largest departure in numbers."
    )
    draw = partial(strip_figure, verdicts)
    return Picture(
        name=claim,
        heading=f"The verdicts on {claim}",
        caption=f"{count(len(rows), 'test')}, n = {_sizes(rows)}. {_band(rows)}",
        alternative=alternative,
        svg=render_svg(draw(), title=alternative, name=f"strip-{claim}"),
        draw=draw,
        numbers=None,
    )


def strip_figure(verdicts: pd.DataFrame) -> Figure:
    """Draw a line for every verdict, without labels.

    Parameters
    ----------
    verdicts : DataFrame
        The columns of `verify`; rows without a verdict are left out.

    Returns
    -------
    Figure
    """
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


def _compared(rows: Sequence[Record]) -> str:
    """What the axis shows."""
    kinds = dict.fromkeys("standardised means" if is_standardised(row) else "measured over predicted" for row in rows)
    return listing(list(kinds))


def _sizes(rows: Sequence[Record]) -> str:
    """How many networks, or draws of weights, each test has."""
    noun = "draw" if all(text_in(row, "quantity") == "weights" for row in rows) else "network"
    sizes = sorted({int(value_in(row, "n_networks")) for row in rows})
    if len(sizes) == 1:
        return count(sizes[0], noun)
    return f"{count(sizes[0])} to {count(sizes[-1], noun)}"


def _band(rows: Sequence[Record]) -> str:
    """What is shaded."""
    margins = [margin for margin in dict.fromkeys(map(margin_of, rows)) if margin != MISSING]
    return f"Band: the margin, {listing(margins)}." if margins else "No margin."
