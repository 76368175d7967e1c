"""Where a figure for a script or a notebook is drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from varprop._arguments import quoted
from varprop.report.as_written import as_written

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
