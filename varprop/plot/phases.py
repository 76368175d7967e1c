"""Phases of wide networks over the variances of weights and biases, and where networks stand among them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.network import Network, read_activations, read_steps
from varprop.plot.axes import GROWTH_ALPHA, INK, MARGIN_ALPHA, VERDICTS, house_style, new_axes, panel_grid, panel_title
from varprop.plot.labels import label_points
from varprop.plot.wording import count
from varprop.study.files import plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PhaseValue = Literal["chi_1", "xi_c"]
_COLOUR = VERDICTS["supported"].color
_WIDEST = 1.0  # decades of chi_1 either way that have colours of their own
_NAMES = {
    "chi_1": r"$\chi_1$, factor on squared gradients per layer",
    "xi_c": r"$\xi_c$, layers in which correlations come e times closer",
}
_SHALLOWEST, _DEEPEST = 0.1, 1000.0
READER = "a phase diagram"
_AREAS = {
    "ordered": (VERDICTS["supported"].color, r"ordered, $\chi_1 < 1$"),
    "chaotic": (VERDICTS["refuted"].color, r"chaotic, $\chi_1 > 1$"),
    "diverging": (VERDICTS["inconclusive"].color, "q grows for ever"),
}
_LONG = 26  # characters of a label on one line
_TOGETHER = 0.01  # of the axis: points as close as that have one label


@checked
def phase_diagram(
    table: pd.DataFrame,
    *,
    value: PhaseValue = "chi_1",
    networks: Mapping[str, Network] | None = None,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw the phases of wide networks over the variances of weights and biases.

    Parameters
    ----------
    table : DataFrame
        What `varprop.theory.phase_diagram` returns, with two or more values of either variance.
    value : {"chi_1", "xi_c"}, default "chi_1"
        What the colours show, on a log scale: the factor on squared gradients per layer, or the depth scale of
        correlations.
    networks : mapping of str to Network, optional
        By label, networks to put in as points, at the mean over their layers of fan_in Var(W) and of Var(b); a bar is the
        range where layers differ, and a label that has no room is left out. All have the activation of the table, which does
        not know it.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        With a colour bar beside it. Line: chi_1 = 1. Hatched: second moments grow for ever.

    Raises
    ------
    TypeError
        If ``networks`` is no mapping to networks.
    ValueError
        If ``value`` is neither, a column is missing, an axis has one value, or a network has no place: of several activations,
        one that jumps, a variance that is not known or lies outside the table.

    Examples
    --------
    >>> import numpy as np
    >>> import varprop as vp
    >>> table = vp.theory.phase_diagram("erf", np.linspace(0.5, 4, 8), np.linspace(0, 1, 8))
    >>> [text.get_text() for text in vp.plot.phase_diagram(table).get_legend().get_texts()]
    ['$\\chi_1 = 1$']
    """
    import pandas as pd

    if value not in ("chi_1", "xi_c"):
        msg = f"value must be 'chi_1' or 'xi_c', got {quoted(value)}"
        raise ValueError(msg)
    needed = {"weight_variance", "bias_variance", "q", "chi_1", value}
    if not isinstance(table, pd.DataFrame):
        msg = f"table must be what varprop.theory.phase_diagram returns, got {type(table).__name__}"
        raise TypeError(msg)
    missing = sorted(needed - set(table.columns))
    if missing:
        msg = f"the table lacks {', '.join(missing)}; pass what vp.theory.phase_diagram returns"
        raise ValueError(msg)
    if min(table["weight_variance"].nunique(), table["bias_variance"].nunique()) < 2:
        msg = "a phase diagram needs two or more values of weight_variance and of bias_variance"
        raise ValueError(msg)
    points, left_out = phase_points(_as_networks(networks))
    for label, why in left_out.items():
        msg = f"{quoted(label)} has no place in a phase diagram: {why}"
        raise ValueError(msg)
    activations = list(dict.fromkeys(points["activation"]))
    if len(activations) > 1:
        names = ", ".join(activations)
        msg = f"one phase diagram is of one activation, and these networks have {names}; draw one for each"
        raise ValueError(msg)
    for axis in ("weight_variance", "bias_variance"):
        low, high = table[axis].min(), table[axis].max()
        for label, at in zip(points["configuration"], points[axis], strict=True):
            if not low <= at <= high:
                msg = f"{quoted(label)} has {axis} {at:.4g}, outside the table's {low:.4g} to {high:.4g}; compute a wider one"
                raise ValueError(msg)
    ax = new_axes() if ax is None else ax
    draw_phase_diagram(ax, table, value)
    if len(points):
        ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())
        draw_points(ax, points)
        ax.figure.figure.draw_without_rendering()  # only a figure that is laid out knows where labels have room
        name_points(ax, points, list(points["configuration"]))
    return ax


def _as_networks(given: Mapping[str, Network] | None) -> Mapping[str, Network]:
    """Refuse what is not called by a label each, or is no network."""
    if given is None:
        return {}
    called = type(given).__name__
    if isinstance(given, Mapping):
        if all(isinstance(network, Network) for network in given.values()):
            return given
        called = "a mapping to " + ", ".join(dict.fromkeys(type(network).__name__ for network in given.values()))
    msg = (
        f"networks must be a mapping of labels to networks, got {called}; write for example networks={{'he': network}}"
    )
    raise TypeError(msg)


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


def phase_points(networks: Mapping[str, Network]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read off networks where they stand in a phase diagram."""
    import pandas as pd

    rows, left_out = [], {}
    for label, network in networks.items():
        activations = {phi.label for phi in read_activations(network, READER)}
        steps = read_steps(network, READER)
        if not network.is_chain:
            left_out[label] = "its layers are no chain, which the diagram is of"
        elif len(activations) != 1:
            left_out[label] = f"it has {count(len(activations), 'different activation')}"
        elif not all(step.weights.has_variance and step.biases.has_variance for step in steps):
            left_out[label] = "the variance of its weights is not known"
        elif any(phi.jumps for phi in read_activations(network, READER)):
            left_out[label] = "its activation jumps, so that it is chaotic whatever the variances"
        else:
            weights = np.array([step.gain for step in steps])
            biases = np.array([step.bias_variance for step in steps])
            spread = {"weight_low": weights.min(), "weight_high": weights.max(), "bias_variance": biases.mean()}
            told = {"configuration": label, "activation": activations.pop(), "weight_variance": weights.mean()}
            rows.append(told | spread)
    columns = ["configuration", "activation", "weight_variance", "weight_low", "weight_high", "bias_variance"]
    return pd.DataFrame(rows, columns=columns), left_out


def draw_points(axes: Axes, points: pd.DataFrame) -> None:
    """Draw networks as points, with a bar where their layers differ."""
    from matplotlib import rcParams

    ink, paper = rcParams["text.color"], rcParams["axes.facecolor"]
    for row in points.to_dict("records"):
        if row["weight_high"] - row["weight_low"] > 1e-9 * row["weight_high"]:
            ends, at = [row["weight_low"], row["weight_high"]], row["bias_variance"]
            axes.plot(ends, [at, at], color=ink, linewidth=2.2, zorder=3)
    style: dict[str, Any] = {"markerfacecolor": ink, "markeredgecolor": paper, "markersize": 7}
    x, y = points["weight_variance"], points["bias_variance"]
    axes.plot(x, y, linewidth=0, marker="o", zorder=4, clip_on=False, label="configuration", **style)


def name_points(axes: Axes, points: pd.DataFrame, labels: Sequence[str]) -> None:
    """Write a label for each place that is taken, beside the edge of chaos and not across it; none where it has no room."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    places = points[["weight_variance", "bias_variance"]].to_numpy(np.float64)
    groups = _groups(places[:, 0], places[:, 1], right - left, high - low)
    texts = ["\n".join(dict.fromkeys(_wrapped(labels[i]) for i in group)) for group in groups]
    label_points(axes, places[[group[0] for group in groups]], texts)


def _wrapped(label: str) -> str:
    """A long label on lines of which all but the first are indented, so that it finds room beside a curve."""
    return "\n".join(textwrap.wrap(plain(label), _LONG, subsequent_indent="  ", break_long_words=False))


def _groups(x: Float64Array, y: Float64Array, width: float, height: float) -> list[list[int]]:
    """Points from left to right, those in one place together."""
    groups: list[list[int]] = []
    for i in np.lexsort((y, x)).tolist():
        for group in groups:
            first = group[0]
            if abs(x[i] - x[first]) <= _TOGETHER * width and abs(y[i] - y[first]) <= _TOGETHER * height:
                group.append(i)
                break
        else:
            groups.append([i])
    return groups


def draw_phases(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the phases as areas, and chi_1 = 1 as a line."""
    from matplotlib import rcParams

    x, y = (np.sort(table[axis].unique()) for axis in ("weight_variance", "bias_variance"))
    q, chi_1 = on_grid(table, "q"), on_grid(table, "chi_1")
    with np.errstate(divide="ignore"):
        excess = np.clip(np.log(chi_1), -3.0, 3.0)
    finite = np.ma.masked_array(excess, np.isinf(q) | np.isnan(excess))
    for phase, ends in (("ordered", [-4.0, 0.0]), ("chaotic", [0.0, 4.0])):
        if not finite.mask.all():
            axes.contourf(x, y, finite, levels=ends, colors=[_AREAS[phase][0]], alpha=MARGIN_ALPHA)
    if np.isinf(q).any():
        lost = np.isinf(q).astype(np.float64)
        axes.contourf(x, y, lost, levels=[1e-6, 2.0], colors=[_AREAS["diverging"][0]], alpha=GROWTH_ALPHA)
    if has_edge(chi_1):
        axes.contour(x, y, excess, levels=[0.0], colors=[rcParams["text.color"]], linewidths=1.6)
    axes.grid(visible=False)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))


def has_edge(chi_1: Float64Array) -> bool:
    """Tell whether some places are ordered and others chaotic."""
    return bool((chi_1 < 1).any() and (chi_1 > 1).any())


def phase_figure(points: pd.DataFrame, tables: Mapping[str, pd.DataFrame], names: Mapping[str, str]) -> Figure:
    """Draw a panel for each activation."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    with house_style():
        figure, grid = panel_grid(len(tables), sharex=True)
        for axes, (activation, table) in zip(grid, tables.items(), strict=True):
            draw_phases(axes, table)
            draw_points(axes, points[points["activation"] == activation])
            axes.set_title(panel_title(activation), loc="left", parse_math=False)
        figure.supxlabel(r"$\sigma_w^2$ = fan_in Var(W)", fontsize=9)
        figure.supylabel(r"$\sigma_b^2$ = Var(b)", fontsize=9)
        handles: list[Any] = [
            Patch(facecolor=color, alpha=GROWTH_ALPHA if phase == "diverging" else MARGIN_ALPHA, label=label)
            for phase, (color, label) in _AREAS.items()
        ]
        handles.append(Line2D([], [], color=INK, linewidth=1.6, label=r"$\chi_1 = 1$"))
        columns = 4 if len(tables) > 1 else 2
        figure.legend(handles=handles, loc="outside upper left", ncols=columns, frameon=False)
        figure.draw_without_rendering()  # only a figure that is laid out knows where labels have room
        for axes, activation in zip(grid, tables, strict=True):
            mine = points[points["activation"] == activation]
            name_points(axes, mine, [names[label] for label in mine["configuration"]])
    return figure
