"""Samples of networks -> what a profile shows of each layer: the mean with its interval, and the spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy import special

from varprop._arguments import quoted
from varprop.model.summary import describe

if TYPE_CHECKING:
    import pandas as pd

    from varprop.model.simulation import Simulation

SPREAD = (0.05, 0.95)
"""The quantiles over networks between which the spread is drawn."""
_SPREAD_COLUMNS = ("q05", "q95")
CONFIDENCE = 0.95
"""Level of the mean's interval."""

COLUMNS = ("configuration", "layer", "module", "quantity", "n_networks", "mean", "ci_low", "ci_high", "low", "high")


def layer_summary(simulation: Simulation, quantity: str | Sequence[str], *, configuration: str = "") -> pd.DataFrame:
    """Mean, its interval and the spread over networks of a quantity, layer by layer."""
    return profile_rows(simulation.summary([quantity] if isinstance(quantity, str) else quantity), configuration)


def profile_rows(summary: pd.DataFrame, configuration: str) -> pd.DataFrame:
    """What `layer_summary` returns, of rows of `Simulation.summary`."""
    import pandas as pd

    n = summary["n_networks"].to_numpy(np.float64)
    mean, sd = summary["mean"].to_numpy(np.float64), summary["sd"].to_numpy(np.float64)
    half = special.stdtrit(np.maximum(n - 1, 1), (1 + CONFIDENCE) / 2) * sd / np.sqrt(n)
    columns = {
        "configuration": configuration,
        **{name: summary[name].to_numpy() for name in ("layer", "module", "quantity", "n_networks", "mean")},
        "ci_low": mean - half,
        "ci_high": mean + half,
        "low": summary[_SPREAD_COLUMNS[0]].to_numpy(),
        "high": summary[_SPREAD_COLUMNS[1]].to_numpy(),
    }
    return pd.DataFrame(columns, columns=list(COLUMNS), index=range(len(summary)))


def frame_summary(frame: pd.DataFrame, quantity: str, *, configuration: str = "") -> pd.DataFrame:
    """Summarise a tidy frame of samples as `layer_summary` does a simulation."""
    import pandas as pd

    missing = {"network", "layer", "quantity", "value"} - set(frame.columns)
    if missing:
        msg = f"the frame has no column {', '.join(sorted(missing))}; pass one as Simulation.to_frame() returns it"
        raise ValueError(msg)
    rows = frame[frame["quantity"] == quantity]
    if rows.empty:
        there = ", ".join(sorted(map(str, frame["quantity"].unique())))
        msg = f"the frame has no rows of {quoted(quantity)}; it has {there or 'no rows'}"
        raise ValueError(msg)
    module = rows["module"].astype(str) if "module" in rows.columns else rows["layer"].astype(str)
    tables = []
    for place, part in rows.assign(module=module).groupby(["layer", "module"], sort=True):
        layer, name = cast("tuple[int, str]", place)
        replicates = part.groupby("network")["value"].mean().dropna().to_numpy(np.float64)
        tables.append(describe(replicates[:, None], quantity, ((int(layer), name),)))
    return profile_rows(pd.concat(tables, ignore_index=True), configuration)
