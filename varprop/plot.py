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

from varprop.model.simulation import Simulation
from varprop.report.forest import draw_forest, forest_legend, forest_size
from varprop.report.profile import ProfileScale, draw_profile, profile_legend
from varprop.report.summary import frame_summary, layer_summary
from varprop.report.wording import axis_label
from varprop.study.run import Run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["forest", "profile"]


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
