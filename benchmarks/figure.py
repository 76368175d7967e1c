"""Laps -> the figure: how the time of a network grows with width, depth and number, on logarithmic scales."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contenders.registry import OURS, PEERS, SERIAL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_LINES = (OURS, SERIAL, f"{SERIAL}, dense", *PEERS)
# Okabe and Ito's colours, as in the reports; a shape each for those who do not tell them apart.
_COLORS = ("#0072b2", "#0072b2", "#767676", "#d55e00", "#cc79a7", "#009e73")
_MARKERS = ("o", "s", "D", "X", "P", "^")
TITLE = "Time of one network by width and depth, and of a run by number of networks, on logarithmic scales"


def series(laps: pd.DataFrame) -> pd.DataFrame:
    """Median times behind the figure: panel, x, contender, milliseconds.

    They are of one network; in the panel of numbers of networks, of the whole run. The panel of widths has relu networks
    with one input, from all suites that have some.
    """
    import pandas as pd

    from benchmarks.ratios import pick

    by_width = laps[laps["suite"].isin(["width", "width, dense"])]
    peers = pick(laps, {"suite": "peers", "inputs": 1, "activation": "relu"})
    panels = {"width": pd.concat([by_width, peers]), "depth": pick(laps, {"suite": "depth"})}
    panels["networks"] = pick(laps, {"suite": "networks"})
    found = []
    for panel, chosen in panels.items():
        column = "seconds" if panel == "networks" else "seconds_per_network"
        medians = chosen[chosen["contender"].isin(_LINES)].groupby(["contender", panel])[column].median()
        found.append(medians.mul(1000).rename("milliseconds").rename_axis(["contender", "x"]).reset_index())
    return pd.concat(found, keys=panels, names=["panel", None]).reset_index("panel").reset_index(drop=True)


def scaling_figure(points: pd.DataFrame) -> Figure:
    """Draw the points of `series`, a panel each."""
    import seaborn as sns
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    from varprop.plot.axes import house_style

    with house_style():
        figure = Figure(figsize=(9.6, 3.6), layout="constrained")
        names = [name for name in _LINES if name in set(points["contender"])]
        for axes, (panel, label) in zip(
            figure.subplots(1, 3, width_ratios=[2, 1, 1]),
            {"width": "width", "depth": "depth (width 256)", "networks": "networks (256x20)"}.items(),
            strict=True,
        ):
            mine = points[points["panel"] == panel]
            if mine.empty:  # a run of some suites only
                axes.set_axis_off()
                continue
            sns.lineplot(
                mine,
                x="x",
                y="milliseconds",
                hue="contender",
                hue_order=names,
                palette=dict(zip(_LINES, _COLORS, strict=True)),
                style="contender",
                style_order=names,
                markers=dict(zip(_LINES, _MARKERS, strict=True)),
                dashes=False,
                legend=False,
                ax=axes,
            )
            axes.set(
                xscale="log",
                yscale="log",
                xlabel=label,
                ylabel="milliseconds" if panel == "networks" else "milliseconds per network",
            )
            ticks = sorted(mine["x"].unique())
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], rotation=45 if len(ticks) > 5 else 0)
            axes.xaxis.set_minor_locator(NullLocator())
        handles = [
            figure.axes[0].plot([], [], color=_COLORS[i], marker=_MARKERS[i], label=name)[0]
            for i, name in enumerate(_LINES)
            if name in names
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure
