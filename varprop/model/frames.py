"""A user's own frame of measurements as arrays: where each row was measured, and its place in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from varprop._typing import Float64Array
from varprop.model.layers import Dense
from varprop.model.modules import ModuleNetwork
from varprop.model.network import Network
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.reading import read_sites

if TYPE_CHECKING:
    import pandas as pd

_Place = tuple[int, str]  # (layer, module)


def places_of_rows(part: pd.DataFrame, network: Network | ModuleNetwork, name: str) -> list[_Place]:
    """(layer, module) of every row; without a module, the one place of that layer where the quantity exists.

    Raises
    ------
    ValueError
        If the network has no such layer or module.
    """
    if isinstance(network, ModuleNetwork):
        return _places_of_modules(part, network)
    layers = part["layer"].to_numpy(dtype=np.int64)
    sites = read_sites(network, "a frame of measurements")
    if "module" in part.columns:
        return list(zip(layers.tolist(), part["module"].astype(str).tolist(), strict=True))
    known: dict[int, str] = {}
    for site in sites:
        if isinstance(site.noun, Dense) != (ALL_QUANTITIES[name].place == "activation"):
            known.setdefault(site.layer, site.module)
    unknown = sorted(set(layers.tolist()) - set(known))
    if unknown:
        msg = f"{name} does not exist at layer {unknown[0]} of this network; it has layers {sorted(known)}"
        raise ValueError(msg)
    return [(layer, known[layer]) for layer in layers.tolist()]


def _places_of_modules(part: pd.DataFrame, network: ModuleNetwork) -> list[_Place]:
    known = {module: (layer, module) for layer, module in network.places}
    names = part["module"].astype(str).tolist()
    unknown = sorted(set(names) - set(known))
    if unknown:
        msg = f"{network.label} has no module {unknown[0]!r}; it has {', '.join(known)}"
        raise ValueError(msg)
    return [known[name] for name in names]


def spread(
    name: str,
    places: list[_Place],
    axes: list[np.ndarray],
    n_networks: int,
    values: Float64Array,
    *,
    network: Network | ModuleNetwork,
) -> tuple[Float64Array, tuple[_Place, ...]]:
    """Spread long rows over an array of (networks, places[, inputs]); what has no row is NaN.

    Raises
    ------
    ValueError
        If two rows are of one network and place.
    """
    there = set(places)
    called = network.places if isinstance(network, ModuleNetwork) else sorted(there, key=_order)
    columns = tuple(place for place in called if place in there)
    index = {place: i for i, place in enumerate(columns)}
    first, *which = axes
    where = (first, np.array([index[place] for place in places]), *which)
    shape = (n_networks, len(columns), *(int(code.max()) + 1 for code in which))
    flat = np.ravel_multi_index(where, shape)
    if len(np.unique(flat)) < len(flat):
        msg = f"{name} has two rows for one network and layer; keep one, or average them first"
        raise ValueError(msg)
    out = np.full(shape, np.nan)
    out.flat[flat] = values
    return out, columns


def _order(place: _Place) -> tuple[int, int, int, str]:
    """Sort by layer, then by module, numbers before names."""
    layer, module = place
    return (layer, 0, int(module), "") if module.isdigit() else (layer, 1, 0, module)
