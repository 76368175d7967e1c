"""What all figures have in common: colours, the house style, panels, round numbers along an axis, names as they are."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop._arguments import quoted
from varprop.study.files import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Text

INK = "#262626"
PAPER = "#ffffff"
GRID = "#dcdcdc"
MARGIN = "#0072b2"  # faint, behind the rows
MARGIN_ALPHA = 0.14
SPREAD_ALPHA = 0.13
GROWTH_ALPHA = 0.28  # where second moments grow for ever


@dataclass(frozen=True, slots=True)
class MarkStyle:
    """Colour and marker of a verdict, or of one of several curves."""

    color: str
    marker: str


@dataclass(frozen=True, slots=True)
class LineStyle:
    """Colour and dashes of a theory; no dashes mean a solid line."""

    color: str
    dashes: tuple[float, ...]


VERDICTS = {
    "supported": MarkStyle("#0072b2", "o"),
    "refuted": MarkStyle("#d55e00", "X"),
    "inconclusive": MarkStyle("#767676", "D"),
}

THEORIES = {
    "mean-field": LineStyle("#00845f", ()),
    "finite-width": LineStyle("#a8437f", (6, 1.5)),
    "he": LineStyle("#d55e00", (4, 2)),
    "xavier": LineStyle("#0072b2", (4, 2, 1, 2)),
    "preserved": LineStyle("#767676", (1, 1.5)),
    "he-variance": LineStyle("#a63603", (2, 1)),
    "xavier-variance": LineStyle("#3182bd", (2, 1, 1, 1)),
}
_OTHER_THEORIES = (LineStyle("#8c6d31", (3, 1, 1, 1, 1, 1)), LineStyle("#7b4173", (5, 3)), LineStyle("#5254a3", (1, 3)))

SERIES = (
    MarkStyle("#0072b2", "o"),
    MarkStyle("#d55e00", "s"),
    MarkStyle("#009e73", "^"),
    MarkStyle("#cc79a7", "D"),
    MarkStyle("#8c6d31", "v"),
    MarkStyle("#5254a3", "P"),
    MarkStyle("#767676", "X"),
)
"""Curves of one figure, a hue and a marker each; from the eighth on they are taken again."""

DEPTH = ("#440154", "#40276f", "#314275", "#225971", "#176d6c", "#198060", "#3d924a", "#76a026")
"""Layers from the first to the last: lightness runs one way in even steps, so that the order shows without hues.

The hues are viridis's, darkened so that the last layer too has a contrast of 3 with the paper."""
_DEPTH_DARK = ("#2f7fa6", "#2a90a8", "#23a49b", "#2fb98a", "#58cb74", "#8fdb54", "#c9e43f", "#fdef4a")

DARK = {
    INK: "#e6e6e6",
    PAPER: "#14171c",
    GRID: "#3a3f47",
    "#0072b2": "#56b4e9",
    "#d55e00": "#f0803c",
    "#767676": "#a8a8a8",
    "#009e73": "#2fc79b",
    "#00845f": "#2fc79b",
    "#a8437f": "#e59ac3",
    "#cc79a7": "#cc79a7",  # light enough for both
    "#a63603": "#e6a26c",
    "#3182bd": "#9ecae1",
    "#8c6d31": "#e7cb94",
    "#7b4173": "#de9ed6",
    "#5254a3": "#9c9ede",
    **dict(zip(DEPTH, _DEPTH_DARK, strict=True)),
}


def series_styles(names: list[str]) -> dict[str, MarkStyle]:
    """Style of each curve of a figure, in order."""
    return {name: SERIES[i % len(SERIES)] for i, name in enumerate(names)}


def theory_styles(theories: list[str]) -> dict[str, LineStyle]:
    """Style of each theory; those this module does not know take the spare ones in turn."""
    spare = iter(_OTHER_THEORIES * len(theories))
    return {theory: THEORIES.get(theory) or next(spare) for theory in theories}


def depth_colors(layers: int) -> list[str]:
    """Colours of so many layers, at most eight, spread over the whole range."""
    return [DEPTH[round(i * (len(DEPTH) - 1) / max(layers - 1, 1))] for i in range(layers)]


def spread_evenly(layers: int, most: int = len(DEPTH)) -> list[int]:
    """Indices of at most so many of the layers, evenly spread, the first and the last among them."""
    shown = min(layers, most)
    return [round(i * (layers - 1) / max(shown - 1, 1)) for i in range(shown)]


_COLUMNS = 3
_PANEL = (3.0, 2.3)  # inches
LONE_PANEL = (5.6, 3.6)


@contextmanager
def house_style() -> Iterator[None]:
    """Draw with matplotlib's defaults and the reports' own settings, whatever a user's matplotlibrc says."""
    import matplotlib as mpl
    import seaborn as sns

    settings: dict[Any, Any] = {key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"}
    settings |= sns.axes_style("whitegrid")
    settings |= {
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), INK),
        # Text is measured in the font that comes with matplotlib, so that the layout is the same on every machine.
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
        "figure.facecolor": PAPER,
        "axes.facecolor": PAPER,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.labelsize": 9,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8.5,
        "axes.linewidth": 0.7,
        "lines.linewidth": 1.2,
        # Text stays text: it can be read aloud, found and shown in scripts that matplotlib's own font lacks.
        "svg.fonttype": "none",
        "pdf.fonttype": 42,  # TrueType, as publishers ask for
        "svg.hashsalt": "varprop",  # else the ids in the file are random
    }
    with mpl.rc_context(settings):
        yield


def panel_grid(panels: int, *, sharex: bool, columns: int = _COLUMNS) -> tuple[Figure, list[Axes]]:
    """Make a figure of so many panels."""
    import seaborn as sns
    from matplotlib.figure import Figure

    columns = min(columns, panels)
    rows = -(-panels // columns)
    size = LONE_PANEL if panels == 1 else (_PANEL[0] * columns, _PANEL[1] * rows + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=sharex)
    for axes in grid.flat[panels:]:
        axes.remove()
    for column in range(columns):
        lowest = max(row for row in range(rows) if row * columns + column < panels)
        grid[lowest, column].tick_params(labelbottom=True)
    for axes in grid.flat[:panels]:
        sns.despine(ax=axes)
    return figure, list(grid.flat[:panels])


def panel_title(configuration: str) -> str:
    """A configuration's label, broken where a panel ends."""
    return "\n".join(textwrap.wrap(plain(configuration), 40, max_lines=3, placeholder=" …"))


def new_axes(figsize: tuple[float, float] | None = None) -> Axes:
    """Axes of a new figure of pyplot's, so that a notebook shows it and ``plt.savefig`` finds it."""
    from matplotlib import pyplot as plt

    return plt.subplots(layout="constrained", figsize=figsize)[1]


def legend_above(ax: Axes, content: dict[str, list[object]], *, columns: int) -> None:
    """A legend outside the axes, where it covers no data."""
    legend = ax.legend(
        **content, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, borderaxespad=0.2
    )
    as_written(legend.get_texts())


def named_above(ax: Axes, *, columns: int) -> None:
    """Name above the axes all that is drawn with a label."""
    handles, labels = ax.get_legend_handles_labels()
    legend_above(ax, {"handles": list(handles), "labels": list(labels)}, columns=columns)


def choose(labels: Iterable[str], wanted: str | None) -> str:
    """The configuration to draw: the one that is named, or the only one."""
    there = list(labels)
    if wanted is None and len(there) == 1:
        return there[0]
    if wanted not in there:
        came = "none is chosen" if wanted is None else f"there is no {quoted(wanted)}"
        msg = f"{came}; pass configuration= one of {', '.join(map(repr, there))}"
        raise ValueError(msg)
    return wanted


def legend_name(text: str) -> str:
    """A name for a legend, which leaves out what begins with an underscore.

    Examples
    --------
    >>> legend_name("_mine"), legend_name("relu")
    (' _mine', 'relu')
    """
    shown = plain(text)
    return f" {shown}" if shown.startswith("_") else shown


def as_written(texts: Iterable[Text]) -> None:
    """Have texts drawn as they are, dollars and all.

    Every text that may hold a name of a user's own (an activation, an initialiser, a configuration, a module, a claim) is made with
    ``parse_math=False`` where matplotlib takes it, and passed here where it does not, as in legends.
    """
    for text in texts:
        text.set_parse_math(False)


def set_round_ticks(axes: Axes, *, most: int) -> None:
    """Put at most so many round numbers on the horizontal axis, whose limits and scale are set already."""
    from matplotlib.ticker import NullFormatter, NullLocator

    axes.set_xticks(_ticks(*axes.get_xlim(), most))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.4g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers inside the axis, the centre among them; 1, 2, 5 in each decade where it spans one or two."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    span = high / low if low > 0 else 1.0
    locator: LogLocator | MaxNLocator
    if span > 6:
        # Over more decades 1, 2 and 5 would be too many, and matplotlib's locator then returns none at all.
        locator = LogLocator(subs=(1.0, 2.0, 5.0) if span <= 150 else (1.0,), numticks=most)
    else:
        locator = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])
    return [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high]


def label_log_axis(axis: Axis, low: float, high: float) -> None:
    """Label powers of ten, and 2 and 5 between them where there are few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_minor_formatter(NullFormatter())
    if np.log10(high / low) <= 2.5 and 1e-4 < low < 1e4:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axis.set_major_locator(LogLocator(numticks=6))
