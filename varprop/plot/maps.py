"""Maps of wide networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from varprop._arguments import checked, quoted
from varprop.model.activations import ActivationLike, as_activation
from varprop.model.network import Network
from varprop.report.map_figures import PhaseValue, draw_map, draw_phase_diagram
from varprop.report.phases import draw_points, name_points, phase_points
from varprop.theory.correlation import correlation_fixed_points
from varprop.theory.equilibrium import fixed_points, settled_second_moment

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

from varprop.plot.axes import new_axes

_POINTS = 101


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
