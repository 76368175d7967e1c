"""Profiles over the modules of a model: one place for every call, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varprop.model.modules import ModuleNetwork

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_LABELS_MAX = 60
"""Beyond this many modules only some are named: the names would run into each other."""


def module_figure_size(network: ModuleNetwork) -> tuple[float, float]:
    """Inches: wide enough for a name at every module, up to a limit."""
    return max(6.4, min(0.2 * len(network.modules) + 1.5, 0.2 * _LABELS_MAX + 1.5)), 4.8


def by_module(summary: pd.DataFrame, network: ModuleNetwork) -> pd.DataFrame:
    """A summary whose ``layer`` is the number of the module's call, from 1, in that order."""
    called = {module.name: i for i, module in enumerate(network.modules, start=1)}
    return summary.assign(layer=summary["module"].map(called)).sort_values("layer")


def label_modules(axes: Axes, network: ModuleNetwork) -> None:
    """Name the modules along the axis of a profile."""
    count = len(network.modules)
    every = -(-count // _LABELS_MAX)
    ticks = range(1, count + 1, every)
    names = [network.modules[tick - 1].name for tick in ticks]
    axes.set_xticks(list(ticks), labels=names, rotation=90, fontsize="x-small")
    axes.set_xlim(0.5, count + 0.5)
    axes.set_xlabel("module, in the order of the calls")
