"""What a sampler returns: for every network, layer and quantity one number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from varprop._typing import Float64Array
from varprop.model.layers import Dense
from varprop.model.network import Network, Site
from varprop.model.quantities import QUANTITIES, check_quantities

if TYPE_CHECKING:
    import pandas as pd

Place = tuple[int, str]
"""(layer, module): where a column of an array of values was measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """One quantity's values, shape (networks, places) or (networks, places, inputs); NaN where there is no row."""

    values: Float64Array
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Simulation:
    """Measured quantities of a sample of random networks.

    Parameters
    ----------
    network : Network
        What was sampled.
    inputs : ndarray, shape (inputs, input_size)
        The inputs that every network saw.
    samples : mapping of str to Samples
        Values by quantity.
    seed : str
        What reproduces the draws ("unknown" for a user's own measurements).
    method : str
        How the weights were drawn: "matrix-free", "dense", or "measured" for a user's own.
    per_input : bool
        Whether values are kept for every input, or averaged over the inputs.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([8, 8, 8], activation="relu", weights="he_normal")
    >>> sim = vp.simulate(net, n_networks=5, rng=1)
    >>> sim.values("preactivation_second_moment").shape, sim.layers("gradient_second_moment")
    ((5, 2), (1, 2))
    """

    network: Network
    inputs: Float64Array
    samples: Mapping[str, Samples]
    seed: str = "unknown"
    method: str = "measured"
    per_input: bool = False
    n_networks: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_networks", next(iter(self.samples.values())).values.shape[0])

    def __repr__(self) -> str:
        return (
            f"Simulation({self.network.label}; {self.n_networks} networks, {len(self.inputs)} input(s), "
            f"{len(self.samples)} quantities, method {self.method!r}, seed {self.seed})"
        )

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the recorded quantities, in canonical order."""
        return tuple(self.samples)

    def _get(self, quantity: str) -> Samples:
        check_quantities([quantity])
        if quantity not in self.samples:
            msg = f"{quantity!r} was not recorded; this simulation has {', '.join(self.samples)}"
            raise ValueError(msg)
        return self.samples[quantity]

    def values(self, quantity: str) -> Float64Array:
        """Values of one quantity.

        Returns
        -------
        ndarray, shape (n_networks, places) or (n_networks, places, inputs)
            Columns in the order of `places`. NaN where the quantity does not exist for a network, as the cosine
            of a dead one; such an entry has no row in `to_frame`.

        Raises
        ------
        ValueError
            If the quantity is unknown or was not recorded.
        """
        return self._get(quantity).values

    def places(self, quantity: str) -> tuple[Place, ...]:
        """(layer, module) of every column of `values`."""
        return self._get(quantity).places

    def layers(self, quantity: str) -> tuple[int, ...]:
        """Layer number of every column of `values` (1 is the first layer with weights)."""
        return tuple(layer for layer, _ in self.places(quantity))

    def to_frame(self) -> pd.DataFrame:
        """Return everything as a tidy frame.

        Returns
        -------
        DataFrame
            Columns ``network`` (int), ``layer`` (int), ``module`` (str), ``quantity`` (categorical), ``value``
            (float64); kept per input also ``input`` (Int64, missing for quantities of all inputs together).
        """
        import pandas as pd

        columns: dict[str, list[np.ndarray]] = {name: [] for name in ("network", "layer", "module", "input", "code", "value")}
        modules = list(dict.fromkeys(module for sample in self.samples.values() for _, module in sample.places))
        for code, sample in enumerate(self.samples.values()):
            values = sample.values
            joint = values.ndim == 2
            network, place, *rest = np.indices(values.shape, dtype=np.int32, sparse=False)
            columns["network"].append(network.ravel())
            columns["layer"].append(np.array([layer for layer, _ in sample.places])[place.ravel()])
            columns["module"].append(np.array([modules.index(module) for _, module in sample.places])[place.ravel()])
            columns["input"].append(np.full(values.size, -1) if joint else rest[0].ravel())
            columns["code"].append(np.full(values.size, code, dtype=np.int8))
            columns["value"].append(values.ravel())
        flat = {name: np.concatenate(parts) for name, parts in columns.items()}
        exists = ~np.isnan(flat["value"])
        flat = {name: column[exists] for name, column in flat.items()}
        frame = pd.DataFrame(
            {
                "network": flat["network"].astype(np.int64),
                "layer": flat["layer"].astype(np.int64),
                "module": pd.Series(pd.Categorical.from_codes(flat["module"], modules)).astype("str"),
                "quantity": pd.Categorical.from_codes(flat["code"], list(self.samples)),
                "value": flat["value"],
            }
        )
        if self.per_input:
            frame.insert(3, "input", pd.arrays.IntegerArray(flat["input"].astype(np.int64), flat["input"] < 0))
        return frame

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, network: Network, *, inputs: Float64Array | None = None) -> Simulation:
        """Take a user's own measurements.

        Parameters
        ----------
        frame : DataFrame
            Columns ``network``, ``layer``, ``quantity``, ``value``, and optionally ``module`` and ``input``.
            Network identifiers may be anything; every (network, layer, quantity) stands once.
        network : Network
            What was measured: theories take widths, laws and activations from it.
        inputs : ndarray, shape (inputs, input_size), optional
            What was fed in; all ones if None.

        Returns
        -------
        Simulation

        Raises
        ------
        ValueError
            If a column is missing, a quantity or layer is unknown, a row stands twice or a value is not finite.

        Examples
        --------
        >>> import pandas as pd, varprop as vp
        >>> net = vp.mlp([4, 4], activation="relu", weights="he_normal")
        >>> mine = pd.DataFrame({"network": ["a", "b"], "layer": 1, "quantity": "pivot", "value": [0.9, 1.2]})
        >>> vp.Simulation.from_frame(mine, net).values("pivot").ravel().tolist()
        [0.9, 1.2]
        """
        missing = {"network", "layer", "quantity", "value"} - set(frame.columns)
        if missing:
            msg = (
                f"the frame has no column {', '.join(sorted(missing))}; "
                "it needs network, layer, quantity and value (one row for each)"
            )
            raise ValueError(msg)
        values = frame["value"].to_numpy(dtype=np.float64)
        if frame.empty or not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            msg = f"the frame needs finite values, got {bad} that are not in {len(frame)} rows; drop those rows first"
            raise ValueError(msg)
        per_input = "input" in frame.columns
        network_ids, rows = np.unique(frame["network"].to_numpy(), return_inverse=True)
        x = np.ones((1, *network.input_shape)) if inputs is None else np.atleast_2d(np.asarray(inputs, dtype=np.float64))
        names = frame["quantity"].astype(str).to_numpy()
        samples = {}
        for name in check_quantities(dict.fromkeys(names)):
            here = names == name
            part = frame[here]
            places = _places(part, network, name)
            inputs_here = part["input"].to_numpy() if per_input and not QUANTITIES[name].joint else None
            samples[name] = Samples(_pivot(rows[here], len(network_ids), places, inputs_here, values[here], name), tuple(sorted(set(places), key=_order)))
        return cls(network=network, inputs=x, samples=samples, per_input=per_input)


def _order(place: Place) -> tuple[int, tuple[int, int | str]]:
    """Sort by layer, then by module, numbers before names."""
    layer, module = place
    return layer, (0, int(module)) if module.isdigit() else (1, module)  # type: ignore[return-value]


def _places(part: pd.DataFrame, network: Network, name: str) -> list[Place]:
    """(layer, module) of every row; without a module, the one place of that layer where the quantity exists."""
    layers = part["layer"].to_numpy(dtype=np.int64)
    if "module" in part.columns:
        return list(zip(layers.tolist(), part["module"].astype(str).tolist(), strict=True))
    known: dict[int, str] = {}
    for site in network.sites:
        if isinstance(site.noun, Dense) != (QUANTITIES[name].place == "activation"):
            known.setdefault(site.layer, site.module)
    unknown = sorted(set(layers.tolist()) - set(known))
    if unknown:
        msg = f"{name} does not exist at layer {unknown[0]} of this network; it has layers {sorted(known)}"
        raise ValueError(msg)
    return [(layer, known[layer]) for layer in layers.tolist()]


def _pivot(
    rows: np.ndarray, n_rows: int, places: list[Place], inputs: np.ndarray | None, values: Float64Array, name: str
) -> Float64Array:
    """Spread long rows over an array of (networks, places[, inputs]); what has no row is NaN."""
    columns = sorted(set(places), key=_order)
    index = {place: i for i, place in enumerate(columns)}
    where: tuple[np.ndarray, ...] = (rows, np.array([index[place] for place in places]))
    shape: tuple[int, ...] = (n_rows, len(columns))
    if inputs is not None:
        which, code = np.unique(inputs, return_inverse=True)
        where, shape = (*where, code), (*shape, len(which))
    flat = np.ravel_multi_index(where, shape)
    if len(np.unique(flat)) < len(flat):
        msg = f"{name} has two rows for one network and layer; keep one, or average them first"
        raise ValueError(msg)
    out = np.full(shape, np.nan)
    out.flat[flat] = values
    return out


def site_place(site: Site) -> Place:
    """(layer, module) of a network's site."""
    return site.layer, site.module
