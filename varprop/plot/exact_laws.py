"""Samples against a law: quantiles over exact quantiles, and p-values over the diagonal, each with a band for all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.inputs import real_array
from varprop.model.simulation import Simulation
from varprop.plot.axes import MARGIN_ALPHA, VERDICTS, house_style, named_above, new_axes, panel_grid, panel_title
from varprop.plot.wording import axis_label
from varprop.theory import finite_width_law

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOUR = VERDICTS["supported"].color
_POINTS = 400  # as many as a figure can show; more would only be slow
QUANTITY: Final = "preactivation_second_moment"
LEVEL = 0.95


@checked
def exact_law(
    simulation: Simulation,
    *,
    layer: int | None = None,
    quantity: str = "preactivation_second_moment",
    level: float = 0.95,
    ax: Axes | None = None,
) -> Axes:
    """Draw how far a sample's quantiles are from those of its exact finite-width law.

    Parameters
    ----------
    simulation : Simulation
        Of a network that has an exact law: two half lines as activation, Gaussian weights, no biases, one input.
    layer : int, optional
        The last one if None.
    quantity : str
        A second moment.
    level : float, default 0.95
        Of the band, which holds for all quantiles at once.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        Of logarithms, over the living networks. Dashed: where the sample lies if the law is right.

    Raises
    ------
    ValueError
        If the quantity or the layer was not recorded, or fewer than two networks are alive.
    UnsupportedError
        If there is no exact law for the network.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([16] * 6, activation="relu", weights="he_normal")
    >>> vp.plot.exact_law(vp.simulate(net, n_networks=500, rng=1)).get_xlabel()
    'log z² of the exact law'
    """
    layers = simulation.layers(quantity)
    chosen = layers[-1] if layer is None else layer
    if chosen not in layers:
        msg = f"{quantity} was not recorded at layer {layer}; it has layers {layers[0]} to {layers[-1]}"
        raise ValueError(msg)
    values = simulation.values(quantity)[:, layers.index(chosen)]
    if values.ndim == 2:
        msg = "the exact law is that of one input; sample with one, or without per_input"
        raise ValueError(msg)
    law = finite_width_law(simulation.architecture, chosen, quantity=quantity, inputs=simulation.inputs)  # type: ignore[arg-type]  # it says what it takes
    alive = values[values > 0]
    if len(alive) < 2:
        msg = f"{len(alive)} of {len(values)} networks are alive at layer {chosen}, which makes no distribution"
        raise ValueError(msg)
    half_width(len(alive), level)
    ax = new_axes() if ax is None else ax
    draw_quantiles(ax, np.log(alive), law.ppf, level=level)
    ax.set(xlabel=f"log {axis_label(quantity)} of the exact law", ylabel=f"measured minus exact, layer {chosen}")
    named_above(ax, columns=3)
    return ax


@checked
def pvalues(values: ArrayLike, *, level: float = 0.95, ax: Axes | None = None) -> Axes:
    """Draw the distribution of p-values, which is the diagonal if all nulls are true and the tests exact.

    Parameters
    ----------
    values : array_like, shape (n,)
        p-values, such as ``verify(...)["pvalue"]``; NaN is left out.
    level : float, default 0.95
        Of the band, which holds at all levels at once, for independent p-values.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there are none, or one lies outside [0, 1].
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> import numpy as np
    >>> import varprop as vp
    >>> vp.plot.pvalues(np.random.default_rng(1).random(200)).get_ylabel()
    'share of p-values below'
    """
    numbers = real_array(values, "values").ravel()
    numbers = numbers[~np.isnan(numbers)]
    if not len(numbers) or numbers.min() < 0 or numbers.max() > 1:
        msg = f"p-values must be numbers in [0, 1], got {len(numbers)} of them"
        raise ValueError(msg)
    half_width(len(numbers), level)
    ax = new_axes() if ax is None else ax
    draw_pvalues(ax, numbers, level=level)
    ax.set(xlabel="p", ylabel="share of p-values below")
    named_above(ax, columns=3)
    return ax


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


@dataclass(frozen=True, slots=True)
class Panel:
    """One configuration: the logarithms of its living networks, and the quantiles of their law."""

    label: str
    layer: int
    logs: Float64Array
    ppf: Callable[[Float64Array], Float64Array]


def exact_law_figure(panels: Sequence[Panel]) -> Figure:
    """Draw a panel for each configuration."""
    with house_style():
        figure, grid = panel_grid(len(panels), sharex=False)
        for axes, panel in zip(grid, panels, strict=True):
            draw_quantiles(axes, panel.logs, panel.ppf, level=LEVEL)
            axes.set_title(panel_title(f"{panel.label}, layer {panel.layer}"), loc="left", parse_math=False)
        figure.supxlabel(f"log {axis_label(QUANTITY)} of the exact law", fontsize=9)
        figure.supylabel("measured minus exact", fontsize=9)
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, frameon=False)
    return figure
