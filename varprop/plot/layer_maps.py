"""What one wide layer makes of a second moment, and of a correlation: a curve over the diagonal, and its fixed points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.activations import ActivationLike, as_activation
from varprop.plot.axes import VERDICTS, as_written, legend_name, new_axes
from varprop.theory.correlation import correlation_fixed_points
from varprop.theory.equilibrium import fixed_points, settled_second_moment

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 101
_COLOUR = VERDICTS["supported"].color


@checked
def length_map(
    activation: ActivationLike,
    *,
    weight_variance: float,
    bias_variance: float = 0.0,
    q_max: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how one wide layer changes the second moment of the pre-activations.

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    weight_variance : float
        fan_in Var(W), >= 0.
    bias_variance : float, default 0
        Var(b), >= 0.
    q_max : float, optional
        End of the axis; twice the largest fixed point, or 2, if None.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        Dashed: the diagonal, where nothing changes. Full dots attract, hollow ones do not.

    Raises
    ------
    ValueError
        If a variance is negative or not finite, or q_max is not positive.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> import varprop as vp
    >>> vp.plot.length_map("tanh", weight_variance=2.25).get_xlabel()
    'q of a layer'
    """
    phi = as_activation(activation)
    points = fixed_points(phi, weight_variance=weight_variance, bias_variance=bias_variance)
    known = [(point.q, point.stable) for point in points if point.q is not None]
    end = 2 * max((q for q, _ in known), default=1.0) or 2.0 if q_max is None else q_max
    if not (np.isfinite(end) and end > 0):
        msg = f"q_max must be a finite number > 0, got {quoted(q_max)}"
        raise ValueError(msg)
    q = np.linspace(0.0, end, _POINTS)
    after = weight_variance * phi.second_moment(q) + bias_variance
    ax = new_axes() if ax is None else ax
    draw_map(ax, q, after, [point for point in known if point[0] <= end], label=phi.label)
    ax.set(xlabel="q of a layer", ylabel="q of the next layer")
    return ax


@checked
def correlation_map(
    activation: ActivationLike,
    *,
    weight_variance: float,
    bias_variance: float = 0.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw how one wide layer changes the correlation of two inputs, where the length map has settled.

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    weight_variance : float
        fan_in Var(W), >= 0.
    bias_variance : float, default 0
        Var(b), >= 0.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        At the fixed point of the length map that is reached from q = 1. Dashed: the diagonal, where nothing changes.
        Full dots attract, hollow ones do not.

    Raises
    ------
    ValueError
        If a variance is negative or not finite, or the length map settles nowhere, or at q = 0.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> import varprop as vp
    >>> vp.plot.correlation_map("erf", weight_variance=3, bias_variance=0.1).get_ylabel()
    'c of the next layer'
    """
    phi = as_activation(activation)
    q = settled_second_moment(phi, weight_variance=weight_variance, bias_variance=bias_variance)
    if q == 0:
        msg = (
            f"with weight_variance = {weight_variance:g} and no biases the signal through {phi.label} dies out, so its "
            "correlation map does not settle; give biases a variance, or the weights a larger one"
        )
        raise ValueError(msg)
    points = correlation_fixed_points(phi, weight_variance=weight_variance, bias_variance=bias_variance, q=q)
    # Denser towards 1, where phi with a kink has a map that is not analytic.
    c = 1 - 2 * np.linspace(1.0, 0.0, _POINTS) ** 2
    after = (weight_variance * phi.covariance(q, q, c) + bias_variance) / q
    ax = new_axes() if ax is None else ax
    draw_map(ax, c, after, [(point.c, point.stable) for point in points], label=f"{phi.label}, q = {q:.3g}")
    ax.set(xlabel="c of a layer", ylabel="c of the next layer")
    return ax


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
