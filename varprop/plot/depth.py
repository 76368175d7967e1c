"""A quantity over depth: measured means with their intervals, the spread over networks, and what theories predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import numpy as np
from scipy import special

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.histograms import describe
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.simulation import Simulation
from varprop.model.sites import Module, ModuleNetwork
from varprop.plot.axes import (
    LONE_PANEL,
    SPREAD_ALPHA,
    LineStyle,
    choose,
    house_style,
    label_log_axis,
    legend_above,
    new_axes,
    panel_grid,
    panel_title,
    theory_styles,
)
from varprop.plot.wording import axis_label
from varprop.study.files import plain
from varprop.study.run import Run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPREAD = (0.05, 0.95)
"""The quantiles over networks between which the spread is drawn."""
_SPREAD_COLUMNS = ("q05", "q95")
CONFIDENCE = 0.95
"""Level of the mean's interval."""
COLUMNS = ("configuration", "layer", "module", "quantity", "n_networks", "mean", "ci_low", "ci_high", "low", "high")
_DRAWABLE = (1e-200, 1e200)  # beyond, matplotlib's ticks overflow
_LABELS_MAX = 60
"""Beyond this many modules only some are named: the names would run into each other."""
_PITCH = 0.23
"""Inches from one name to the next where they stand upright."""
_LETTER = 0.09
"""Inches that a letter takes at most."""
_FRAME = 1.5
"""Inches beside the axes."""


@checked
def profile(
    data: Simulation | Run | pd.DataFrame,
    *,
    theories: Sequence[str] = (),
    quantity: str | None = None,
    configuration: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a quantity over depth: measured mean with its interval, spread over networks, and theories' predictions.

    Parameters
    ----------
    data : Simulation, Run or DataFrame
        What was measured; a frame has the columns of `Simulation.to_frame`.
    theories : sequence of str
        Theories whose predictions are drawn as lines.
    quantity : str, optional
        A recorded quantity. None takes the second moment of the pre-activations, or of the modules' outputs where only
        modules are known; these are drawn in the order of their calls.
    configuration : str, optional
        Which one, where there are several.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        With a legend above it. Dots: mean over networks; bars: its 95 % interval; band: 5 % to 95 % of the networks.
        On a log scale if more than a decade is spanned; arrows at the edge then stand for means of exactly 0.

    Raises
    ------
    ValueError
        If the quantity was not recorded, a theory is unknown, there are several configurations and none is chosen, or
        theories are asked for with a frame, which does not say what network it is of.
    TypeError
        If ``data`` is nothing of the three.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([16] * 4, activation="tanh", weights="xavier_normal")
    >>> frame = vp.simulate(net, n_networks=20, rng=1).to_frame()
    >>> vp.plot.profile(frame, quantity="gradient_second_moment").get_ylabel()
    'δ²'
    """
    import pandas as pd

    theories = [theories] if isinstance(theories, str) else list(theories)
    if isinstance(data, Run):
        simulations = data.simulations()
        data = simulations[choose(simulations, configuration)]
    network = data.network if isinstance(data, Simulation) else None
    modules = network if isinstance(network, ModuleNetwork) else None
    if quantity is None:
        quantity = "activation_second_moment" if modules else "preactivation_second_moment"
    if isinstance(data, Simulation):
        summary = layer_summary(data, quantity)
        predictions = _predictions(data, theories, quantity, summary)
    elif isinstance(data, pd.DataFrame):
        summary = _frame_summary(data, quantity, configuration)
        if theories:
            msg = (
                f"a frame does not say which network it is of, so {', '.join(theories)} cannot be drawn; "
                "pass vp.Simulation.from_frame(frame, network)"
            )
            raise ValueError(msg)
        predictions = pd.DataFrame({"layer": [], "theory": [], "predicted": []})
    else:
        msg = f"data must be a Simulation, a Run or a DataFrame, got {type(data).__name__}"
        raise TypeError(msg)
    if ax is None:
        ax = new_axes(figsize=module_figure_size(modules) if modules else None)
    if modules:
        summary = by_module(summary, modules)
    scale = ProfileScale.fit(summary, predictions)
    draw_profile(ax, summary, predictions, scale=scale, theories=theories)
    ax.set(xlabel="layer", ylabel=axis_label(quantity))
    if modules:
        label_modules(ax, summary, modules)
    legend_above(ax, profile_legend(theories, [scale]), columns=2)
    return ax


def _frame_summary(frame: pd.DataFrame, quantity: str, configuration: str | None) -> pd.DataFrame:
    """Summarise the rows of one configuration."""
    if "configuration" in frame.columns:
        chosen = choose(map(str, frame["configuration"].unique()), configuration)
        frame = frame[frame["configuration"] == chosen]
    return frame_summary(frame, quantity)


def _predictions(simulation: Simulation, theories: Sequence[str], quantity: str, summary: pd.DataFrame) -> pd.DataFrame:
    """Every theory's rows of one quantity; of a user's own measurements "preserved" is what was measured first."""
    import pandas as pd

    from varprop.theory import get_theory, predict
    from varprop.verification.as_they_stand import is_own

    empty = pd.DataFrame({"layer": [], "theory": [], "predicted": []})
    frames = [predict(simulation.architecture, theory=theory, inputs=simulation.inputs) for theory in theories]
    rows = pd.concat(frames) if frames else empty
    rows = rows[rows["quantity"] == quantity] if frames else empty
    kept = rows["theory"].isin([theory for theory in theories if get_theory(theory).constant])
    if is_own(simulation) and kept.any():
        first = -1 if ALL_QUANTITIES[quantity].place == "gradient" else 0
        rows = rows.assign(predicted=rows["predicted"].mask(kept, float(summary["mean"].iloc[first])))
    return rows


def layer_summary(simulation: Simulation, quantity: str | Sequence[str], *, configuration: str = "") -> pd.DataFrame:
    """Mean, its interval and the spread over networks of a quantity, layer by layer."""
    return profile_rows(simulation.summary([quantity] if isinstance(quantity, str) else quantity), configuration)


def profile_rows(summary: pd.DataFrame, configuration: str) -> pd.DataFrame:
    """What `layer_summary` returns, of rows of `Simulation.summary`."""
    import pandas as pd

    n = summary["n_networks"].to_numpy(np.float64)
    mean, sd = summary["mean"].to_numpy(np.float64), summary["sd"].to_numpy(np.float64)
    half = special.stdtrit(np.maximum(n - 1, 1), (1 + CONFIDENCE) / 2) * sd / np.sqrt(n)
    columns = {
        "configuration": configuration,
        **{name: summary[name].to_numpy() for name in ("layer", "module", "quantity", "n_networks", "mean")},
        "ci_low": mean - half,
        "ci_high": mean + half,
        "low": summary[_SPREAD_COLUMNS[0]].to_numpy(),
        "high": summary[_SPREAD_COLUMNS[1]].to_numpy(),
    }
    return pd.DataFrame(columns, columns=list(COLUMNS), index=range(len(summary)))


def frame_summary(frame: pd.DataFrame, quantity: str, *, configuration: str = "") -> pd.DataFrame:
    """Summarise a tidy frame of samples as `layer_summary` does a simulation."""
    import pandas as pd

    missing = {"network", "layer", "quantity", "value"} - set(frame.columns)
    if missing:
        msg = f"the frame has no column {', '.join(sorted(missing))}; pass one as Simulation.to_frame() returns it"
        raise ValueError(msg)
    rows = frame[frame["quantity"] == quantity]
    if rows.empty:
        there = ", ".join(sorted(map(str, frame["quantity"].unique())))
        msg = f"the frame has no rows of {quoted(quantity)}; it has {there or 'no rows'}"
        raise ValueError(msg)
    module = rows["module"].astype(str) if "module" in rows.columns else rows["layer"].astype(str)
    tables = []
    for place, part in rows.assign(module=module).groupby(["layer", "module"], sort=True):
        layer, name = cast("tuple[int, str]", place)
        replicates = part.groupby("network")["value"].mean().dropna().to_numpy(np.float64)
        tables.append(describe(replicates[:, None], quantity, ((int(layer), name),)))
    return profile_rows(pd.concat(tables, ignore_index=True), configuration)


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
        columns = 4 if figure.get_figwidth() > LONE_PANEL[0] else 2  # as many names as stand side by side
        figure.legend(**profile_legend(theories, scales), loc="outside upper left", ncols=columns, frameon=False)
    return figure


def module_figure_size(network: ModuleNetwork) -> tuple[float, float]:
    """Inches: wide enough for a name at every module, up to a limit, and higher by what the names take."""
    width = max(6.4, min(len(network.modules), _LABELS_MAX) * _PITCH + _FRAME)
    labels = [_label(module) for module in network.modules]
    return width, 4.0 if _fit_level(labels, width - _FRAME) else 4.0 + _LETTER * max(map(len, labels))


def by_module(summary: pd.DataFrame, network: ModuleNetwork) -> pd.DataFrame:
    """A summary whose ``layer`` is the number of the module's call, from 1, in that order."""
    called = {module.name: i for i, module in enumerate(network.modules, start=1)}
    return summary.assign(layer=summary["module"].map(called)).sort_values("layer")


def label_modules(axes: Axes, summary: pd.DataFrame, network: ModuleNetwork) -> None:
    """Name the modules along the axis of a profile, and join the means, since modules differ too much for a band to do so.

    ``summary`` is what `by_module` returns. Names are level where there is room.
    """
    from matplotlib import rcParams

    count = len(network.modules)
    every = -(-count // _LABELS_MAX)
    ticks = range(1, count + 1, every)
    labels = [_label(network.modules[tick - 1]) for tick in ticks]
    level = _fit_level(labels, axes.bbox.width / axes.figure.dpi)
    axes.set_xticks(list(ticks), labels=labels, rotation=0 if level else 90, fontsize="small", parse_math=False)
    axes.set_xlim(0.5, count + 0.5)
    axes.set_xlabel("module, in the order of the calls")
    axes.plot(summary["layer"], summary["mean"], color=rcParams["text.color"], linewidth=0.6, alpha=0.5, zorder=2)


def _label(module: Module) -> str:
    """Its name, and its class where the name is no more than a number in a sequence."""
    last = module.name.rpartition(".")[2].partition("#")[0]
    return plain(f"{module.name} {module.kind}" if last.isdecimal() else module.name)


def _fit_level(labels: Sequence[str], width: float) -> bool:
    """Whether names fit beside each other along so many inches."""
    return len(labels) * (max(map(len, labels)) + 2) * _LETTER < width
