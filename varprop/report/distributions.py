"""Samples against a law: quantiles over exact quantiles, and p-values over the diagonal, each with a band for all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.report.palette import MARGIN_ALPHA, VERDICTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOUR = VERDICTS["supported"].color
_POINTS = 400  # as many as a figure can show; more would only be slow


def draw_quantiles(
    axes: Axes, values: Float64Array, ppf: Callable[[Float64Array], Float64Array], *, level: float
) -> None:
    """Draw how far a sample's quantiles are from those of its law, over the latter.

    Notes
    -----
    The differences, since with thousands of values every quantile lies close to the diagonal. The band is that of Dvoretzky, Kiefer and Wolfowitz with Massart's constant, read along the axis of the values: where
    the distribution function is known to +-eps, the quantile of p lies between those of p - eps and p + eps. Beyond, it is
    open, and that is left out.
    """
    from matplotlib import rcParams

    ordered = np.sort(values)
    share = (np.arange(len(ordered)) + 0.5) / len(ordered)
    shown = np.unique(np.linspace(0, len(ordered) - 1, min(_POINTS, len(ordered))).round().astype(int))
    exact = ppf(share[shown])
    eps = half_width(len(ordered), level)
    grid = np.linspace(eps, 1 - eps, _POINTS + 2)[1:-1]
    middle = ppf(grid)
    lower, upper = ppf(np.clip(grid - eps, 1e-9, None)) - middle, ppf(np.clip(grid + eps, None, 1 - 1e-9)) - middle
    axes.fill_between(middle, lower, upper, color=_COLOUR, alpha=MARGIN_ALPHA, linewidth=0, zorder=1, label="band")
    axes.axhline(0.0, color=rcParams["text.color"], linewidth=0.8, linestyle=(0, (4, 3)), zorder=1.5, label="law")
    difference = ordered[shown] - exact
    axes.plot(exact, difference, color=_COLOUR, marker="o", markersize=2.4, linewidth=0, zorder=2, label="sample")
    # At its open ends the band grows without bound, and would set the scale.
    reach = 1.15 * max(np.abs(difference).max(), np.median(upper - lower))
    axes.set_ylim(-reach, reach)


def draw_pvalues(axes: Axes, pvalues: Float64Array, *, level: float) -> None:
    """Draw the share of p-values below each level, over the diagonal where they lie if all nulls are true."""
    from matplotlib import rcParams

    ordered = np.sort(pvalues)
    n = len(ordered)
    eps = half_width(n, level)
    diagonal = np.linspace(0.0, 1.0, 101)
    axes.fill_between(
        diagonal,
        np.clip(diagonal - eps, 0, 1),
        np.clip(diagonal + eps, 0, 1),
        color=_COLOUR,
        alpha=MARGIN_ALPHA,
        linewidth=0,
        zorder=1,
        label="band",
    )
    axes.plot(
        [0, 1], [0, 1], color=rcParams["text.color"], linewidth=0.8, linestyle=(0, (4, 3)), zorder=1.5, label="uniform"
    )
    x = np.concatenate([[0.0], ordered, [1.0]])
    y = np.concatenate([[0.0], np.arange(1, n + 1) / n, [1.0]])
    axes.step(x, y, where="post", color=_COLOUR, linewidth=1.4, zorder=2, label="p-values")
    axes.set(xlim=(0, 1), ylim=(0, 1))


def half_width(n: int, level: float) -> float:
    """Half-width of a band around a distribution function for a sample of n.

    Examples
    --------
    >>> round(half_width(2000, 0.95), 4)
    0.0304
    """
    if not 0 < level < 1:
        msg = f"level must lie inside (0, 1), got {quoted(level)}; for a 95 % band write 0.95"
        raise ValueError(msg)
    return float(np.sqrt(np.log(2 / (1 - level)) / (2 * n)))
