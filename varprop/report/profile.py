"""A profile: one quantity of one configuration, over depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from varprop._typing import Float64Array
from varprop.report.palette import SPREAD_ALPHA, LineStyle, theory_styles

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

_DRAWABLE = (1e-200, 1e200)  # beyond, matplotlib's ticks overflow


@dataclass(frozen=True, slots=True)
class ProfileScale:
    """Where a profile is drawn: linear, or logarithmic with an edge for what a log axis cannot show."""

    log: bool
    floor: float = 0.0
    ceiling: float = np.inf
    has_zeros: bool = False
    has_infinities: bool = False

    @classmethod
    def fit(cls, summary: pd.DataFrame, predictions: pd.DataFrame) -> Self:
        """Choose the scale for everything that shares an axis: a decade or more, so that a flat line looks flat."""
        centres = np.concatenate([summary["mean"].to_numpy(float), predictions["predicted"].to_numpy(float)])
        shown = np.concatenate([centres, summary[["low", "high"]].to_numpy(float).ravel()])
        shown = shown[~np.isnan(shown)]
        positive = shown[(shown > 0) & np.isfinite(shown)]
        if not positive.size or (shown < 0).any():
            return cls(log=False)
        bottom, top = np.log10(np.clip([positive.min(), positive.max()], *_DRAWABLE))
        middle = (top + bottom) / 2
        bottom, top = min(bottom, middle - 0.5), max(top, middle + 0.5)
        zeros, infinities = bool((shown < _DRAWABLE[0]).any()), bool((centres > _DRAWABLE[1]).any())
        room = 0.04 * (top - bottom)
        floor, ceiling = float(10 ** (bottom - room)), float(10 ** (top + room))
        return cls(log=True, floor=floor, ceiling=ceiling, has_zeros=zeros, has_infinities=infinities)

    def place(self, values: Float64Array) -> Float64Array:
        """Values as they are drawn: on a log scale, within its edges."""
        return np.clip(values, self.floor, self.ceiling) if self.log else np.where(np.isinf(values), np.nan, values)


def draw_profile(
    axes: Axes,
    summary: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    scale: ProfileScale | None = None,
    theories: Sequence[str] | None = None,
) -> None:
    """Draw measured means, their intervals, the spread over networks, and each theory's line."""
    from matplotlib import rcParams
    from matplotlib.ticker import MaxNLocator

    ink = rcParams["text.color"]
    scale = ProfileScale.fit(summary, predictions) if scale is None else scale
    styles = theory_styles(list(dict.fromkeys(predictions["theory"] if theories is None else theories)))
    if scale.log:
        _set_log_axis(axes, scale)
    layer = summary["layer"].to_numpy(float)
    mean, low, high, ci_low, ci_high = (
        scale.place(summary[name].to_numpy(float)) for name in ("mean", "low", "high", "ci_low", "ci_high")
    )
    axes.fill_between(layer, low, high, color=ink, alpha=SPREAD_ALPHA, linewidth=0, zorder=1)
    for theory, style in styles.items():
        line = predictions[predictions["theory"] == theory]
        drawn = scale.place(line["predicted"].to_numpy(float))
        above = 2.1 if style.dashes else 2  # dashes let a line that agrees with them shine through
        axes.plot(line["layer"].to_numpy(float), drawn, color=style.color, linestyle=_pattern(style), zorder=above)
    axes.vlines(layer, ci_low, ci_high, color=ink, linewidth=1.4, zorder=3)
    axes.plot(layer, mean, color=ink, marker="o", markersize=2.6, linewidth=0, zorder=3)
    if scale.log:
        _mark_edges(axes, scale, layer, summary["mean"].to_numpy(float))
        axes.set_ylim(scale.floor, scale.ceiling)
    axes.set(xlabel="", ylabel="")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _set_log_axis(axes: Axes, scale: ProfileScale) -> None:
    axes.set_yscale("log")
    label_log_axis(axes.yaxis, scale.floor, scale.ceiling)


def label_log_axis(axis: Axis, low: float, high: float) -> None:
    """Label powers of ten, and 2 and 5 between them where there are few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_minor_formatter(NullFormatter())
    if np.log10(high / low) <= 2.5 and 1e-4 < low < 1e4:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axis.set_major_locator(LogLocator(numticks=6))


def _pattern(style: LineStyle) -> Literal["solid"] | tuple[float, tuple[float, ...]]:
    """A theory's dashes as matplotlib takes them."""
    return (0, style.dashes) if style.dashes else "solid"


def _mark_edges(axes: Axes, scale: ProfileScale, layer: Float64Array, mean: Float64Array) -> None:
    """Mark means that a log axis cannot show, 0 above all, by arrows at its edge."""
    from matplotlib import rcParams

    for at, where, marker in ((scale.floor, mean < scale.floor, "v"), (scale.ceiling, mean > scale.ceiling, "^")):
        if where.any():
            axes.plot(
                layer[where],
                np.full(int(where.sum()), at),
                color=rcParams["text.color"],
                marker=marker,
                markersize=5,
                linewidth=0,
                clip_on=False,
                zorder=4,
            )


def profile_legend(theories: Sequence[str], scales: Sequence[ProfileScale]) -> dict[str, Any]:
    """Handles and labels that name everything `draw_profile` may have drawn on these scales."""
    from matplotlib import rcParams
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    ink = rcParams["text.color"]
    handles: list[Any] = [
        Line2D([], [], color=ink, marker="o", markersize=3, linewidth=1.4),
        Patch(facecolor=ink, alpha=SPREAD_ALPHA, linewidth=0),
    ]
    labels = ["measured mean, 95 % interval", "5–95 % of networks"]
    for theory, style in theory_styles(list(theories)).items():
        handles.append(Line2D([], [], color=style.color, linestyle=_pattern(style)))
        labels.append(theory)
    for present, marker, label in (
        (any(scale.has_zeros for scale in scales), "v", "mean 0, or off the axis"),
        (any(scale.has_infinities for scale in scales), "^", "mean off the axis"),
    ):
        if present:
            handles.append(Line2D([], [], color=ink, marker=marker, markersize=5, linewidth=0))
            labels.append(label)
    return {"handles": handles, "labels": labels}
