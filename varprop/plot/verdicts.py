"""Verdicts, a row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varprop._arguments import checked
from varprop.report.forest import draw_forest, forest_legend, forest_size

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

from varprop.plot.axes import legend_above, new_axes

_COLUMNS = ["claim", "configuration", "quantity", "layer", "verdict", "estimate", "ci_low", "ci_high"]


@checked
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
        If a column is missing, or no row bears a verdict.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([32] * 4, activation="relu", weights="he_normal")
    >>> out = vp.verify(vp.simulate(net, n_networks=200, rng=1), theory="he")
    >>> vp.plot.forest(out).get_xlabel()
    'measured / predicted'
    """
    import pandas as pd

    if not isinstance(verdicts, pd.DataFrame):
        msg = f"forest takes a pandas DataFrame, got {type(verdicts).__name__}; pass what vp.verify returns"
        raise TypeError(msg)
    columns = verdicts.columns
    lacking = (
        [name for name in _COLUMNS if name not in columns] if columns.nlevels == 1 and columns.is_unique else _COLUMNS
    )
    if lacking:
        msg = f"the frame has no column {', '.join(lacking)} of its own; pass what vp.verify returns"
        raise ValueError(msg)
    ax = new_axes(figsize=forest_size(verdicts)) if ax is None else ax
    draw_forest(ax, verdicts)
    legend_above(ax, forest_legend(verdicts), columns=4)
    return ax
