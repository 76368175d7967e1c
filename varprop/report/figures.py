"""Frames -> figures: profiles over depth, and forests of verdicts. Nothing here computes a statistic or saves a file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from varprop.report.forest import draw_forest, forest_legend, forest_size
from varprop.report.palette import GRID, INK, PAPER
from varprop.report.profile import ProfileScale, draw_profile, profile_legend
from varprop.report.wording import axis_label
from varprop.study.plain import plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3
_PANEL = (3.0, 2.3)  # inches
_LONE_PANEL = (5.6, 3.6)


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


def profile_figure(summary: pd.DataFrame, predictions: pd.DataFrame) -> Figure:
    """Draw one quantity over depth, a panel for each configuration, each on a scale of its own."""
    configurations = list(dict.fromkeys(summary["configuration"]))
    scales = []
    theories = list(dict.fromkeys(predictions["theory"]))
    with house_style():
        figure, panels = panel_grid(len(configurations), sharex=True)
        for axes, configuration in zip(panels, configurations, strict=True):
            mine = predictions[predictions["configuration"] == configuration]
            measured = summary[summary["configuration"] == configuration]
            # One scale for all would flatten every panel beside one that spans many decades.
            scales.append(ProfileScale.fit(measured, mine))
            draw_profile(axes, measured, mine, scale=scales[-1], theories=theories)
            if configuration:
                axes.set_title(panel_title(configuration), loc="left", parse_math=False)
        figure.supxlabel("layer", fontsize=9)
        figure.supylabel(axis_label(summary["quantity"].iloc[0]), fontsize=9)
        columns = 4 if figure.get_figwidth() > _LONE_PANEL[0] else 2  # as many names as stand side by side
        figure.legend(**profile_legend(theories, scales), loc="outside upper left", ncols=columns, frameon=False)
    return figure


def panel_grid(panels: int, *, sharex: bool, columns: int = _COLUMNS) -> tuple[Figure, list[Axes]]:
    """Make a figure of so many panels."""
    import seaborn as sns
    from matplotlib.figure import Figure

    columns = min(columns, panels)
    rows = -(-panels // columns)
    size = _LONE_PANEL if panels == 1 else (_PANEL[0] * columns, _PANEL[1] * rows + 0.5)
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


def forest_figure(verdicts: pd.DataFrame) -> Figure:
    """Draw every verdict with its estimate over prediction, its interval and its margin."""
    import seaborn as sns
    from matplotlib.figure import Figure

    with house_style():
        figure = Figure(figsize=forest_size(verdicts), layout="constrained")
        axes = figure.subplots()
        draw_forest(axes, verdicts)
        sns.despine(ax=axes, left=True)
        figure.legend(**forest_legend(verdicts), loc="outside upper right", ncols=4, frameon=False)
    return figure


def panel_title(configuration: str) -> str:
    """A configuration's label, broken where a panel ends."""
    return "\n".join(textwrap.wrap(plain(configuration), 40, max_lines=3, placeholder=" …"))
