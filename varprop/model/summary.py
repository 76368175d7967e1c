"""How the quantities of a sample are distributed over its networks, found in one reading and little memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from varprop._typing import Float64Array
from varprop.model.sites import Place
from varprop.numerics.averages import mean_of_present
from varprop.numerics.moments import Moments
from varprop.numerics.quantiles import Quantiles

if TYPE_CHECKING:
    import pandas as pd


PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the quantiles."""
COLUMNS = (
    "layer",
    "module",
    "quantity",
    "n_networks",
    "mean",
    "sd",
    "skewness",
    "n_zero",
    "log_mean",
    "log_sd",
    *(f"q{round(100 * probability):02d}" for probability in PROBABILITIES),
)
"""``n_networks`` have a value; ``n_zero`` of them have exactly 0, which of a second moment are the dead ones; ``log_mean``
and ``log_sd`` are of the logarithms over the others, missing where any value is negative. ``q05`` to ``q95`` are quantiles."""


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """What is kept of one quantity: moments of the values and of the positive ones' logarithms, zeros, and quantiles."""

    values: Moments
    logs: Moments
    zeros: Float64Array
    quantiles: tuple[Quantiles, ...]

    @classmethod
    def of(cls, table: Float64Array) -> Distribution:
        """Describe a table of shape (networks, places)."""
        positive = table > 0.0
        logs = np.log(table, out=np.full(table.shape, np.nan), where=positive)
        zeros = (table == 0.0).sum(axis=0)
        return cls(Moments.of(table), Moments.of(logs), zeros, tuple(map(Quantiles.of, table.T)))

    def __add__(self, other: Distribution) -> Distribution:
        quantiles = tuple(a + b for a, b in zip(self.quantiles, other.quantiles, strict=True))
        return Distribution(self.values + other.values, self.logs + other.logs, self.zeros + other.zeros, quantiles)


def summarise(pieces: Iterable[Mapping[str, Float64Array]], places: Mapping[str, tuple[Place, ...]]) -> pd.DataFrame:
    """Describe the distribution of every quantity over the networks, piece by piece; see `Simulation.summary`."""
    import pandas as pd

    found: dict[str, Distribution] = {}
    for piece in pieces:
        for name, values in piece.items():
            # Several inputs of one network are no replicates: they are averaged, those that there are.
            taken = Distribution.of(mean_of_present(values) if values.ndim == 3 else values)
            found[name] = found[name] + taken if name in found else taken
    return pd.concat([_frame(name, places[name], found[name]) for name in places], ignore_index=True)


def describe(table: Float64Array, quantity: str, places: tuple[Place, ...]) -> pd.DataFrame:
    """Describe the distribution of one quantity, measured at ``places``, over the rows of a table (networks, places)."""
    return _frame(quantity, places, Distribution.of(table))


def _frame(name: str, places: tuple[Place, ...], found: Distribution) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(_rows(name, places, found), columns=list(COLUMNS))
    numbers = dict.fromkeys(COLUMNS, "float64") | dict.fromkeys(("layer", "n_networks", "n_zero"), "int64")
    return frame.astype(numbers | {"module": "str", "quantity": "str"})


def _rows(name: str, places: tuple[Place, ...], found: Distribution) -> list[tuple[object, ...]]:
    """One row for each place where any network has a value."""
    values, logs = found.values, found.logs
    columns = [values.n, values.mean, values.sd, values.skewness, found.zeros, logs.mean, logs.sd]
    rows: list[tuple[object, ...]] = []
    for i, (layer, module) in enumerate(places):
        n, mean, sd, skewness, zeros, log_mean, log_sd = (column[i].item() for column in columns)
        if values.low[i] < 0.0:
            log_mean = log_sd = math.nan
        if n:
            quantiles = found.quantiles[i].at(PROBABILITIES).tolist()
            rows.append((layer, module, name, n, mean, sd, skewness, zeros, log_mean, log_sd, *quantiles))
    return rows
