"""Figures for a script or a notebook: each function draws on matplotlib Axes and returns them.

They draw what a report's figures draw, in the style that matplotlib is set to. ``ax=None`` makes a new figure.

Examples
--------
>>> import varprop as vp
>>> net = vp.mlp([32] * 6, activation="relu", weights="he_normal")
>>> ax = vp.plot.profile(vp.simulate(net, n_networks=50, rng=1), theories=["he", "mean-field"])
>>> ax.get_xlabel()
'layer'
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from varprop.model.activations import ActivationLike, as_activation
from varprop.model.simulation import Simulation
from varprop.report.forest import draw_forest, forest_legend, forest_size
from varprop.report.maps import PhaseValue, draw_map, draw_phase_diagram
from varprop.report.profile import ProfileScale, draw_profile, profile_legend
from varprop.report.summary import frame_summary, layer_summary
from varprop.report.wording import axis_label
from varprop.study.run import Run
from varprop.theory.correlation import correlation_fixed_points
from varprop.theory.equilibrium import fixed_points, settled_second_moment

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["correlation_map", "forest", "length_map", "phase_diagram", "profile"]


def profile(
    data: Simulation | Run | pd.DataFrame,
    *,
    theories: Sequence[str] = (),
    quantity: str = "preactivation_second_moment",
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
    quantity : str
        A recorded quantity.
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
        data = simulations[_choose(simulations, configuration)]
    if isinstance(data, Simulation):
        summary = layer_summary(data, quantity)
        predictions = _predictions(data, theories, quantity)
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
    ax = _new_axes() if ax is None else ax
    scale = ProfileScale.fit(summary, predictions)
    draw_profile(ax, summary, predictions, scale=scale, theories=theories)
    ax.set(xlabel="layer", ylabel=axis_label(quantity))
    _legend_above(ax, profile_legend(theories, [scale]), columns=2)
    return ax


def forest(verdicts: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw every verdict: measured over predicted with its interval, and the margin it is held against.

    Parameters
    ----------
    verdicts : DataFrame
        What `verify` returns, or `Run.verdicts()`; rows without a verdict are left out.
    ax : Axes, optional
        Where to draw; a new figure, tall enough for all rows, if None.

    Returns
    -------
    Axes
        A row for each verdict, told by colour and by marker. Rows outside the axis stand at its edge with an arrow and
        their value. If all are tests of a zero mean, the axis is their standardised mean.

    Raises
    ------
    ValueError
        If no row bears a verdict.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([32] * 4, activation="relu", weights="he_normal")
    >>> out = vp.verify(vp.simulate(net, n_networks=200, rng=1), theory="he")
    >>> vp.plot.forest(out).get_xlabel()
    'measured / predicted'
    """
    ax = _new_axes(figsize=forest_size(verdicts)) if ax is None else ax
    draw_forest(ax, verdicts)
    _legend_above(ax, forest_legend(), columns=4)
    return ax


def phase_diagram(table: pd.DataFrame, *, value: PhaseValue = "chi_1", ax: Axes | None = None) -> Axes:
    r"""Draw the phases of wide networks over the variances of weights and biases.

    Parameters
    ----------
    table : DataFrame
        What `varprop.theory.phase_diagram` returns, with two or more values of either variance.
    value : {"chi_1", "xi_c"}, default "chi_1"
        What the colours show, on a log scale: the factor on squared gradients per layer, or the depth scale of
        correlations.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        With a colour bar beside it. Line: chi_1 = 1. Hatched: second moments grow for ever.

    Raises
    ------
    ValueError
        If ``value`` is neither, a column is missing, or an axis has one value.

    Examples
    --------
    >>> import numpy as np
    >>> import varprop as vp
    >>> table = vp.theory.phase_diagram("erf", np.linspace(0.5, 4, 8), np.linspace(0, 1, 8))
    >>> [text.get_text() for text in vp.plot.phase_diagram(table).get_legend().get_texts()]
    ['$\\chi_1 = 1$']
    """
    if value not in ("chi_1", "xi_c"):
        msg = f"value must be 'chi_1' or 'xi_c', got {value!r}"
        raise ValueError(msg)
    needed = {"weight_variance", "bias_variance", "q", "chi_1", value}
    missing = sorted(needed - set(table.columns))
    if missing:
        msg = f"the table lacks {', '.join(missing)}; pass what vp.theory.phase_diagram returns"
        raise ValueError(msg)
    if min(table["weight_variance"].nunique(), table["bias_variance"].nunique()) < 2:
        msg = "a phase diagram needs two or more values of weight_variance and of bias_variance"
        raise ValueError(msg)
    ax = _new_axes() if ax is None else ax
    draw_phase_diagram(ax, table, value)
    return ax


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
        msg = f"q_max must be a finite number > 0, got {q_max!r}"
        raise ValueError(msg)
    q = np.linspace(0.0, end, _POINTS)
    after = weight_variance * phi.second_moment(q) + bias_variance
    ax = _new_axes() if ax is None else ax
    draw_map(ax, q, after, [point for point in known if point[0] <= end], label=phi.label)
    ax.set(xlabel="q of a layer", ylabel="q of the next layer")
    return ax


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
    ax = _new_axes() if ax is None else ax
    draw_map(ax, c, after, [(point.c, point.stable) for point in points], label=f"{phi.label}, q = {q:.3g}")
    ax.set(xlabel="c of a layer", ylabel="c of the next layer")
    return ax


_POINTS = 101


def _choose(labels: Iterable[str], wanted: str | None) -> str:
    """The configuration to draw: the one that is named, or the only one."""
    there = list(labels)
    if wanted is None and len(there) == 1:
        return there[0]
    if wanted not in there:
        came = "none is chosen" if wanted is None else f"there is no {wanted!r}"
        msg = f"{came}; pass configuration= one of {', '.join(map(repr, there))}"
        raise ValueError(msg)
    return wanted


def _frame_summary(frame: pd.DataFrame, quantity: str, configuration: str | None) -> pd.DataFrame:
    """Summarise the rows of one configuration."""
    if "configuration" in frame.columns:
        chosen = _choose(map(str, frame["configuration"].unique()), configuration)
        frame = frame[frame["configuration"] == chosen]
    return frame_summary(frame, quantity)


def _predictions(simulation: Simulation, theories: Sequence[str], quantity: str) -> pd.DataFrame:
    """Every theory's rows of one quantity."""
    import pandas as pd

    from varprop.theory import predict

    empty = pd.DataFrame({"layer": [], "theory": [], "predicted": []})
    frames = [predict(simulation.network, theory=theory, inputs=simulation.inputs) for theory in theories]
    rows = pd.concat(frames) if frames else empty
    return rows[rows["quantity"] == quantity] if frames else empty


def _new_axes(figsize: tuple[float, float] | None = None) -> Axes:
    """Axes of a new figure of pyplot's, so that a notebook shows it and ``plt.savefig`` finds it."""
    from matplotlib import pyplot as plt

    return plt.subplots(layout="constrained", figsize=figsize)[1]


def _legend_above(ax: Axes, content: dict[str, list[object]], *, columns: int) -> None:
    """A legend outside the axes, where it covers no data."""
    ax.legend(**content, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, borderaxespad=0.2)
