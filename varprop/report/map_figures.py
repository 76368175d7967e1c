"""Maps of wide networks: second moments and correlations from layer to layer, and the phases they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from varprop._typing import Float64Array
from varprop.report.as_written import as_written, legend_name
from varprop.report.palette import VERDICTS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

PhaseValue = Literal["chi_1", "xi_c"]

_COLOUR = VERDICTS["supported"].color
_WIDEST = 1.0  # decades of chi_1 either way that have colours of their own


def draw_map(
    axes: Axes, x: Float64Array, y: Float64Array, fixed: Sequence[tuple[float, bool]], *, label: str | None = None
) -> None:
    """Draw a map as a curve over the diagonal, and its fixed points."""
    from matplotlib import rcParams

    paper, ink = rcParams["axes.facecolor"], rcParams["text.color"]
    ends = [x[0], x[-1]]
    axes.plot(ends, ends, color=ink, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1.5, label="unchanged")
    axes.plot(x, y, color=_COLOUR, linewidth=1.6, zorder=2, label=label and legend_name(label))
    for attracts, fill, name in ((True, _COLOUR, "attracts"), (False, paper, "repels")):
        at = [point for point, stable in fixed if stable == attracts]
        if at:
            axes.plot(
                at,
                at,
                linewidth=0,
                marker="o",
                markersize=6.5,
                markerfacecolor=fill,
                markeredgecolor=_COLOUR,
                markeredgewidth=1.4,
                zorder=3,
                clip_on=False,
                label=name,
            )
    axes.set_xlim(*ends)
    as_written(axes.legend(frameon=False, loc="best").get_texts())


def draw_phase_diagram(axes: Axes, table: pd.DataFrame, value: PhaseValue = "chi_1") -> None:
    """Draw chi_1 or xi_c over the variances of weights and biases, with the edge of chaos."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    chi_1, q, shown = (on_grid(table, column) for column in ("chi_1", "q", value))
    x, y = (np.sort(table[axis].unique()) for axis in ("weight_variance", "bias_variance"))
    colours = _around_one(shown) if value == "chi_1" else _over_decades(shown)
    bar_style = colours.pop("bar")
    mesh = axes.pcolormesh(
        x, y, np.ma.masked_array(colours.pop("values"), ~np.isfinite(q)), shading="nearest", rasterized=True, **colours
    )
    bar = axes.figure.colorbar(mesh, ax=axes, label=_NAMES[value], **bar_style)
    bar.outline.set_visible(False)
    bar.minorticks_off()
    handles: list[Any] = []
    if (chi_1 < 1).any() and (chi_1 > 1).any():
        with np.errstate(divide="ignore"):
            excess = np.ma.masked_invalid(np.log(chi_1))
        axes.contour(x, y, excess, levels=[0.0], colors="black", linewidths=1.6)
        handles.append(Line2D([], [], color="black", linewidth=1.6, label=r"$\chi_1 = 1$"))
    if np.isinf(q).any():
        # What has no colour shows the axes themselves.
        axes.patch.set(facecolor="#e6e6e6", edgecolor="#a8a8a8", hatch="///", linewidth=0)
        handles.append(
            Patch(facecolor="#e6e6e6", edgecolor="#a8a8a8", hatch="///", linewidth=0, label="q grows for ever")
        )
    axes.grid(visible=False)
    axes.set(xlabel=r"$\sigma_w^2$ = fan_in Var(W)", ylabel=r"$\sigma_b^2$ = Var(b)")
    if handles:
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderaxespad=0.2)


_NAMES = {
    "chi_1": r"$\chi_1$, factor on squared gradients per layer",
    "xi_c": r"$\xi_c$, layers in which correlations come e times closer",
}


def on_grid(table: pd.DataFrame, column: str) -> Float64Array:
    """A column as an array of (bias variances, weight variances)."""
    return table.pivot(index="bias_variance", columns="weight_variance", values=column).to_numpy(np.float64)  # noqa: PD010  # a table of unique pairs


def _around_one(shown: Float64Array) -> dict[str, Any]:
    """Two hues that meet at 1, on a log scale."""
    from matplotlib.colors import CenteredNorm

    with np.errstate(divide="ignore"):
        logs = np.log10(shown)
    reach = float(np.nanmax(np.abs(np.clip(logs, -_WIDEST, _WIDEST)), initial=0.01))
    factors = [0.1, 0.2, 0.5, 1, 2, 5, 10] if reach > 0.3 else [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.6, 1.8, 2]
    ticks = [factor for factor in factors if abs(np.log10(factor)) <= reach]
    return {
        "values": np.clip(logs, -reach, reach),
        "cmap": "PuOr_r",
        "norm": CenteredNorm(0.0, halfrange=reach),
        "bar": {
            "ticks": np.log10(ticks),
            "format": lambda value, _: f"{10**value:.3g}",
            "extend": _extend(bool((logs < -reach).any()), bool((logs > reach).any())),
        },
    }


def _over_decades(shown: Float64Array) -> dict[str, Any]:
    """From dark to light on a log scale, which ends at 1000 layers."""
    from matplotlib.colors import LogNorm

    positive = shown[shown > 0]
    low = float(np.clip(positive.min(initial=np.inf), _SHALLOWEST, 1.0))
    high = float(np.clip(positive[positive <= _DEEPEST].max(initial=0.0), 10 * low, _DEEPEST))
    return {
        "values": np.clip(shown, low, high),
        "cmap": "cividis",
        "norm": LogNorm(low, high),
        "bar": {
            "format": lambda value, _: f"{value:g}",
            "extend": _extend(bool((shown < low).any()), bool((shown > high).any())),
        },
    }


def _extend(below: bool, above: bool) -> str:
    """Ends of the colour bar that stand for more than they say."""
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]


_SHALLOWEST, _DEEPEST = 0.1, 1000.0
