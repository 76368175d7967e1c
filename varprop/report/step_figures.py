"""Steps over depth with a band that holds for all layers at once, and the power of a plan over the number of networks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from varprop._typing import Float64Array
from varprop.report.palette import MARGIN, MARGIN_ALPHA, THEORIES, VERDICTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_band(
    axes: Axes,
    layers: Sequence[int],
    ratios: Float64Array,
    intervals: Sequence[tuple[float, float]],
    *,
    margin: float | None = None,
) -> None:
    """Draw every layer's mean step over its prediction, with its interval."""
    from matplotlib import rcParams

    low, high = np.transpose(intervals)
    colour = VERDICTS["supported"].color
    if margin is not None:
        axes.axhspan(
            1 / (1 + margin), 1 + margin, color=MARGIN, alpha=MARGIN_ALPHA, linewidth=0, zorder=1, label="margin"
        )
    axes.axhline(1.0, color=rcParams["text.color"], linewidth=0.8, linestyle=(0, (4, 3)), zorder=1.5, label="theory")
    axes.errorbar(
        layers,
        ratios,
        yerr=np.maximum([ratios - low, high - ratios], 0.0),
        fmt="o",
        markersize=3.2,
        color=colour,
        linewidth=1.1,
        capsize=2,
        zorder=2,
        label="all layers at once",
    )


def draw_power(axes: Axes, networks: Float64Array, curves: Mapping[float, Float64Array], *, margin: float) -> None:
    """Draw the probability of the right verdict over the number of networks, a curve for each truth."""
    delta = math.log1p(margin)
    for style, (theta, power) in zip(cycle(THEORIES.values()), curves.items(), strict=False):
        what = "supported" if abs(theta) < delta else "refuted"
        axes.plot(
            networks,
            power,
            color=style.color,
            linestyle=(0, style.dashes) if style.dashes else "-",
            linewidth=1.5,
            label=f"truth {math.exp(theta):.4g}: {what}",
        )
    axes.set(xscale="log", ylim=(0, 1.02))
