"""Samples of networks -> what a profile shows of each layer: the mean with its interval, and the spread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy import special

from varprop._typing import Float64Array

if TYPE_CHECKING:
    import pandas as pd

    from varprop.model.simulation import Simulation

SPREAD = (0.05, 0.95)
"""The quantiles over networks between which the spread is drawn."""
CONFIDENCE = 0.95
"""Level of the mean's interval."""

COLUMNS = ("configuration", "layer", "module", "quantity", "n_networks", "mean", "ci_low", "ci_high", "low", "high")


def layer_summary(simulation: Simulation, quantity: str, *, configuration: str = "") -> pd.DataFrame:
    """Mean, its interval and the spread over networks of one quantity, layer by layer.

    Parameters
    ----------
    simulation : Simulation
        What was measured. Several inputs of one network are averaged first: the network is the replicate.
    quantity : str
        A recorded quantity.
    configuration : str
        What the column ``configuration`` is to say.

    Returns
    -------
    DataFrame
        One row per layer: ``mean`` with its 95 % t-interval ``ci_low``, ``ci_high`` (NaN for a single network), and
        the 5 % and 95 % quantiles over networks ``low``, ``high``. Networks without a row at a layer are left out.

    Raises
    ------
    ValueError
        If the quantity is unknown or was not recorded.
    """
    columns = np.moveaxis(simulation.values(quantity), 1, 0)
    by_place = {place: _per_network(column) for place, column in zip(simulation.places(quantity), columns, strict=True)}
    return _summarise(by_place, quantity, configuration)


def frame_summary(frame: pd.DataFrame, quantity: str, *, configuration: str = "") -> pd.DataFrame:
    """Summarise a tidy frame of samples as `layer_summary` does a simulation.

    Parameters
    ----------
    frame : DataFrame
        Columns ``network``, ``layer``, ``quantity``, ``value``, and ``module`` if layers alone do not tell the places
        apart; several rows of one network and place, as one for each input, are averaged.
    quantity : str
        Which rows.
    configuration : str
        What the column ``configuration`` is to say.

    Returns
    -------
    DataFrame
        As `layer_summary`.

    Raises
    ------
    ValueError
        If a column is missing, or no row has the quantity.
    """
    missing = {"network", "layer", "quantity", "value"} - set(frame.columns)
    if missing:
        msg = f"the frame has no column {', '.join(sorted(missing))}; pass one as Simulation.to_frame() returns it"
        raise ValueError(msg)
    rows = frame[frame["quantity"] == quantity]
    if rows.empty:
        there = ", ".join(sorted(map(str, frame["quantity"].unique())))
        msg = f"the frame has no rows of {quantity!r}; it has {there or 'no rows'}"
        raise ValueError(msg)
    module = rows["module"].astype(str) if "module" in rows.columns else rows["layer"].astype(str)
    by_place: dict[tuple[int, str], Float64Array] = {}
    for place, part in rows.assign(module=module).groupby(["layer", "module"], sort=True):
        layer, name = cast("tuple[int, str]", place)
        by_place[int(layer), name] = part.groupby("network")["value"].mean().dropna().to_numpy(np.float64)
    return _summarise(by_place, quantity, configuration)


def _summarise(by_place: Mapping[tuple[int, str], Float64Array], quantity: str, configuration: str) -> pd.DataFrame:
    """One row for each place that has replicates."""
    import pandas as pd

    rows = []
    for (layer, module), replicates in by_place.items():
        if replicates.size:
            low, high = np.quantile(replicates, SPREAD)
            mean, half = _mean_and_half_width(replicates)
            ends = (mean - half, mean + half, low, high)
            rows.append((configuration, layer, module, quantity, len(replicates), mean, *ends))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _per_network(column: Float64Array) -> Float64Array:
    """One number per network: the mean over its inputs, NaN and the networks without any left out."""
    if column.ndim == 1:
        return column[~np.isnan(column)]
    present = ~np.isnan(column)
    kept = present.any(axis=1)
    total: Float64Array = np.where(present, column, 0.0)[kept].sum(axis=1)
    means: Float64Array = total / present[kept].sum(axis=1)
    return means


def _mean_and_half_width(values: Float64Array) -> tuple[float, float]:
    """Mean and t half-width, computed in units of the largest value: a square of 1e200 must not overflow."""
    scale = float(np.abs(values).max())
    if scale == 0.0 or np.ptp(values) == 0.0:
        return float(values[0]), 0.0 if len(values) > 1 else np.nan
    scaled = values / scale
    quantile = float(special.stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2))
    return scale * float(scaled.mean()), scale * quantile * float(scaled.std(ddof=1)) / np.sqrt(len(values))
