"""Gains and levels against a swept variable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from varprop._arguments import checked, quoted
from varprop.model.simulation import Simulation
from varprop.plot.axes import legend_above, new_axes
from varprop.report.sweep_data import sweep_data
from varprop.report.sweep_figure import draw_sweep, sweep_legend
from varprop.report.sweeping import COLUMNS, GAINS, LEVELS, TRANSIENT
from varprop.study.run import Run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from varprop.study.sweep import Variable


@checked
def sweep(
    data: Run | Iterable[Simulation] | pd.DataFrame,
    *,
    variable: Variable | None = None,
    quantity: str = "preactivation_second_moment",
    theory: str | None = "mean-field",
    first_layer: int = TRANSIENT,
    scale: Literal["linear", "log"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the gain per layer, or the level, of a quantity against a swept variable.

    Parameters
    ----------
    data : Run, iterable of Simulation, or DataFrame
        A run whose study has a ``[sweep]``; or samples of networks that differ in one variable, read off the networks
        themselves, a series for each activation; or what `varprop.sweep_data` returns.
    variable : {"weight_variance", "bias_variance", "depth", "width"}, optional
        What was swept; required with simulations, known of the others.
    quantity : str
        "preactivation_second_moment" or "gradient_second_moment", of which the gain per layer is drawn;
        "saturated_fraction" or "derivative_second_moment", of which the mean over layers is.
    theory : str, optional
        Whose curve is drawn; None for none. A frame has its own.
    first_layer : int, default 5
        First of the layers that are measured: past the transient.
    scale : {"linear", "log"}, optional
        Of the swept variable's axis; a study's own, or log if it spans a decade, if None.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        With a legend above it. Marks: mean over networks with its 95 % interval. Dashed: a gain of 1.

    Raises
    ------
    ValueError
        If the study has no sweep, the quantity is none of the four or was not recorded, or the networks do not differ
        in the variable alone.
    TypeError
        If ``data`` is nothing of the three, or ``variable`` is missing.

    Examples
    --------
    >>> import varprop as vp
    >>> sims = [
    ...     vp.simulate(vp.mlp([16] * 9, activation="tanh", weights={"name": "variance_scaling", "scale": v}), n_networks=20, rng=1)
    ...     for v in (0.5, 1, 2, 4)
    ... ]
    >>> vp.plot.sweep(sims, variable="weight_variance", quantity="gradient_second_moment").get_ylabel()
    'gain of δ² per layer'
    """
    import pandas as pd

    if quantity not in (*GAINS, *LEVELS):
        msg = f"quantity must be one of {', '.join((*GAINS, *LEVELS))}, got {quoted(quantity)}"
        raise ValueError(msg)
    if isinstance(data, Run) and scale is None and data.study.sweep is not None:
        scale = data.study.sweep.scale
    if isinstance(data, pd.DataFrame):
        missing = sorted(set(COLUMNS) - set(data.columns))
        if missing:
            msg = f"the frame has no column {', '.join(missing)}; pass what vp.sweep_data returns"
            raise ValueError(msg)
        frame = data
    else:
        frame = sweep_data(data, variable=variable, quantities=(quantity,), theory=theory, first_layer=first_layer)
    rows = frame[frame["quantity"] == quantity]
    if rows.empty:
        msg = f"there is nothing to draw: {quantity} was not recorded, or every network has a single layer"
        raise ValueError(msg)
    low, high = rows["value"].min(), rows["value"].max()
    ax = new_axes() if ax is None else ax
    draw_sweep(ax, rows, log=scale == "log" or (scale is None and low > 0 and high / low >= 10))
    legend = sweep_legend(rows, with_one=quantity in GAINS)
    legend_above(ax, legend, columns=3)
    return ax
