"""How values are distributed: over the single units of a layer, in bins, and over the networks of a simulation, in a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.network import Network
from varprop.model.quantities import UnitQuantity
from varprop.model.sites import Place
from varprop.numerics.moments import Moments, mean_of_present
from varprop.numerics.quantiles import Quantiles

if TYPE_CHECKING:
    import pandas as pd


Scale = Literal["linear", "log"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class UnitCounts:
    r"""Units of one kind counted into the same bins at every place."""

    quantity: UnitQuantity
    scale: Scale
    edges: Float64Array
    places: tuple[Place, ...]
    counts: NDArray[np.int64]
    zeros: NDArray[np.int64]
    below: NDArray[np.int64]
    above: NDArray[np.int64]
    second_moments: Float64Array

    @property
    def units(self) -> NDArray[np.int64]:
        """Units counted at each place, over all networks and inputs."""
        return np.asarray(self.counts.sum(axis=1) + self.zeros + self.below + self.above)

    @property
    def density(self) -> Float64Array:
        """Share of all units per unit of value, or per decade of size on the log scale; shape (places, bins)."""
        widths = np.diff(np.log10(self.edges) if self.scale == "log" else self.edges)
        return np.asarray(self.counts / self.units[:, None] / widths, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Histograms:
    """Histograms of the single units of many random networks; made by `varprop.histograms`.

    Parameters
    ----------
    network : Network
        What was sampled.
    n_networks : int
        How many.
    seed : str
        What reproduces the draws.
    activations : UnitCounts or None
        Outputs of the activations; None if the network has none.
    gradients : UnitCounts
        dLoss/dz of the layers with weights.
    """

    network: Network
    n_networks: int
    seed: str
    activations: UnitCounts | None
    gradients: UnitCounts

    def __repr__(self) -> str:
        return f"Histograms({self.network.label}; {self.n_networks} networks, seed {self.seed})"

    @checked
    def of(self, quantity: str) -> UnitCounts:
        """Counts of "activation" or of "gradient".

        Raises
        ------
        ValueError
            If it is neither, or the network has no activations.
        TypeError
            If an argument is of another kind.
        """
        if quantity not in ("activation", "gradient"):
            msg = f"quantity must be 'activation' or 'gradient', got {quoted(quantity)}"
            raise ValueError(msg)
        found = self.activations if quantity == "activation" else self.gradients
        if found is None:
            msg = f"{self.network.label} has no activations; take quantity='gradient'"
            raise ValueError(msg)
        return found

    def to_frame(self) -> pd.DataFrame:
        """Return all counts as a tidy frame.

        Returns
        -------
        DataFrame
            Columns ``layer``, ``module``, ``quantity`` ("activation" or "gradient"), ``scale``, ``low``, ``high``, ``count``
            and ``density`` (share of all units per unit of value, or per decade). Exact zeros have a row of their own, with
            low = high = 0 and a density of infinity, or of 0 if there are none; what lies outside the edges has rows that
            end at an infinity (at 0 below a log scale), with density 0.

        Examples
        --------
        >>> import varprop as vp
        >>> net = vp.mlp([64] * 3, activation="relu", weights="he_normal")
        >>> frame = vp.histograms(net, n_networks=50, rng=1).to_frame()
        >>> int(frame.loc[frame["quantity"] == "activation", "count"].sum()) == 50 * 64 * 2
        True
        """
        import pandas as pd

        parts = [_frame(found) for found in (self.activations, self.gradients) if found is not None]
        return pd.concat(parts, ignore_index=True)


def _frame(found: UnitCounts) -> pd.DataFrame:
    import pandas as pd

    lowest = 0.0 if found.scale == "log" else -np.inf
    low = np.concatenate([[0.0, lowest], found.edges])
    high = np.concatenate([[0.0], found.edges, [np.inf]])
    tables = []
    for i, (layer, module) in enumerate(found.places):
        count = np.concatenate([[found.zeros[i], found.below[i]], found.counts[i], [found.above[i]]])
        spike = np.inf if found.zeros[i] else 0.0
        density = np.concatenate([[spike, 0.0], found.density[i], [0.0]])
        told = {"layer": layer, "module": module, "quantity": found.quantity, "scale": found.scale}
        tables.append(pd.DataFrame({**told, "low": low, "high": high, "count": count, "density": density}))
    return pd.concat(tables, ignore_index=True)


# ---- summaries -------------------------------------------------------------------------------------------------------


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
    return pd.concat([_summary_frame(name, places[name], found[name]) for name in places], ignore_index=True)


def describe(table: Float64Array, quantity: str, places: tuple[Place, ...]) -> pd.DataFrame:
    """Describe the distribution of one quantity, measured at ``places``, over the rows of a table (networks, places)."""
    return _summary_frame(quantity, places, Distribution.of(table))


def _summary_frame(name: str, places: tuple[Place, ...], found: Distribution) -> pd.DataFrame:
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
