"""Profiles over the modules of a model: one place for every call, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from varprop.model.modules import Module, ModuleNetwork
from varprop.study.plain import plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_LABELS_MAX = 60
"""Beyond this many modules only some are named: the names would run into each other."""
_PITCH = 0.23
"""Inches from one name to the next where they stand upright."""
_LETTER = 0.09
"""Inches that a letter takes at most."""
_FRAME = 1.5
"""Inches beside the axes."""


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
