"""What a sampler returns: for every network, layer and quantity one number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varprop._arguments import check_fields, checked, quoted
from varprop._typing import Float64Array
from varprop.model.cards import card, count
from varprop.model.frames import read_frame
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network
from varprop.model.quantities import ALL_QUANTITIES, check_quantities
from varprop.model.sites import ModuleNetwork, Place

if TYPE_CHECKING:
    import pandas as pd


class Measurements(Protocol):
    """One quantity's values, in memory or elsewhere."""

    @property
    def values(self) -> Float64Array:
        """Array of shape (networks, places) or (networks, places, inputs); NaN where there is no row."""
        ...

    @property
    def places(self) -> tuple[Place, ...]:
        """Where each column was measured."""
        ...

    @property
    def n_networks(self) -> int:
        """Number of networks, known without the values."""
        ...

    def column(self, index: int) -> Float64Array:
        """One column, shape (networks,) or (networks, inputs)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """One quantity's values in memory, shape (networks, places) or (networks, places, inputs)."""

    values: Float64Array
    places: tuple[Place, ...]

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return len(self.values)

    def column(self, index: int) -> Float64Array:
        """One column, shape (networks,) or (networks, inputs)."""
        return self.values[:, index]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Simulation:
    """Measured quantities of a sample of random networks.

    Parameters
    ----------
    network : Network or ModuleNetwork
        What was sampled; the latter is a model of another framework, of which the modules alone are known.
    inputs : ndarray, shape (inputs, input_size)
        The inputs that every network saw; of a model with several, the first.
    samples : mapping of str to Measurements
        Values by quantity.
    seed : str
        What reproduces the draws ("unknown" for a user's own measurements).
    method : str
        How the weights were drawn: "matrix-free", "dense", "norms", "trained" if they were then trained, or "measured" for a
        user's own.
    normals : str
        How normal numbers were made: "box-muller", "ziggurat", or "measured".
    per_input : bool
        Whether values are kept for every input, or averaged over the inputs.
    first : int
        Number of the first network, other than 0 for a piece of a larger sample.
    pieces : callable, optional
        Reads the samples piece by piece, in the networks' order, where they are not in memory.
    own : bool
        Whether they are a user's own measurements, of which the scale of the inputs and of the loss may not be known.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([8, 8, 8], activation="relu", weights="he_normal")
    >>> sim = vp.simulate(net, n_networks=5, rng=1)
    >>> sim.values("preactivation_second_moment").shape, sim.layers("gradient_second_moment")
    ((5, 2), (1, 2))
    """

    network: Network | ModuleNetwork
    inputs: Float64Array
    samples: Mapping[str, Measurements]
    seed: str = "unknown"
    method: str = "measured"
    normals: str = "measured"
    per_input: bool = False
    first: int = 0
    pieces: Callable[[], Iterator[Mapping[str, Samples]]] | None = None
    own: bool = False
    n_networks: int = field(init=False)

    def __post_init__(self) -> None:
        check_fields(self)
        if (
            not isinstance(self.samples, Mapping)
            or not self.samples
            or not all(hasattr(one, "n_networks") for one in self.samples.values())
        ):
            msg = "samples must hold the measurements of one quantity or more; write Simulation.from_frame(frame, network)"
            raise ValueError(msg)
        object.__setattr__(self, "n_networks", next(iter(self.samples.values())).n_networks)

    def __repr__(self) -> str:
        return (
            f"Simulation({self.network.label}; {self.n_networks} networks, {len(self.inputs)} input(s), "
            f"{len(self.samples)} quantities, method {self.method!r}, normals {self.normals!r}, seed {self.seed})"
        )

    def _repr_html_(self) -> str:
        return _card(self)

    @property
    def architecture(self) -> Network:
        """What was sampled, as layers with their laws.

        Raises
        ------
        UnsupportedError
            If the modules alone are known.
        """
        if isinstance(self.network, ModuleNetwork):
            msg = (
                f"of {self.network.label} only the modules are known, not their laws and widths; test theory 'preserved' "
                "on it, by step_mean"
            )
            raise UnsupportedError(msg)
        return self.network

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the recorded quantities, in canonical order."""
        return tuple(self.samples)

    def _get(self, quantity: str) -> Measurements:
        check_quantities([quantity], known=ALL_QUANTITIES)
        if quantity not in self.samples:
            msg = f"{quoted(quantity)} was not recorded; this simulation has {', '.join(self.samples)}"
            raise ValueError(msg)
        return self.samples[quantity]

    @checked
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
        TypeError
            If an argument is of another kind.
        """
        return self._get(quantity).values

    @checked
    def column(self, quantity: str, place: Place) -> Float64Array:
        """Values of one quantity at one place.

        Returns
        -------
        ndarray, shape (n_networks,) or (n_networks, inputs)
            A column of `values`. Of samples on disk, what else there is stays there.

        Raises
        ------
        ValueError
            If the quantity was not recorded there.
        TypeError
            If an argument is of another kind.
        """
        places = self.places(quantity)
        if not isinstance(place, tuple) or len(place) != 2:
            msg = f"a place is (layer, module), got {quoted(place)}; it was recorded at {quoted(places)}"
            raise TypeError(msg)
        if place not in places:
            layer, module = place
            msg = f"{quantity} was not recorded at layer {quoted(layer)} (module {module!s:.200}); it was at {quoted(places)}"
            raise ValueError(msg)
        return self._get(quantity).column(places.index(place))

    def chunks(self) -> Iterator[Simulation]:
        """Go through the networks, in their order, in pieces that fit in memory.

        Yields
        ------
        Simulation
            This very simulation if its values are in memory; else parts of it that are.
        """
        if self.pieces is None:
            yield self
            return
        first = self.first
        for samples in self.pieces():
            piece = replace(self, samples=samples, first=first, pieces=None)
            yield piece
            first += piece.n_networks

    @checked
    def summary(self, quantities: Iterable[str] | None = None) -> pd.DataFrame:
        """Describe how each quantity is distributed over the networks, layer by layer.

        Parameters
        ----------
        quantities : iterable of str, optional
            Names of recorded quantities; all if None.

        Returns
        -------
        DataFrame
            The columns of `varprop.model.histograms.COLUMNS`, one row per quantity and place. Several inputs of one network
            are averaged first: the network is the replicate. Networks without a value at a layer are left out.

        Raises
        ------
        ValueError
            If a quantity is unknown or was not recorded.
        TypeError
            If an argument is of another kind.

        Notes
        -----
        Samples on disk are read once, piece by piece. Quantiles are exact up to 20,000 networks, and to 0.05 % of
        themselves beyond.

        Examples
        --------
        >>> import varprop as vp
        >>> net = vp.mlp([8, 8, 8], activation="relu", weights="he_normal")
        >>> table = vp.simulate(net, n_networks=50, rng=1).summary(["preactivation_second_moment"])
        >>> table[["layer", "n_networks", "n_zero"]].to_numpy().tolist()
        [[1, 50, 0], [2, 50, 0]]
        """
        from varprop.model.histograms import summarise

        names = self.quantities if quantities is None else check_quantities(quantities, known=ALL_QUANTITIES)
        pieces = ({name: piece.values(name) for name in names} for piece in self.chunks())
        return summarise(pieces, {name: self.places(name) for name in names})

    @checked
    def places(self, quantity: str) -> tuple[Place, ...]:
        """(layer, module) of every column of `values`.

        Raises
        ------
        ValueError
            If the quantity is unknown or was not recorded.
        TypeError
            If an argument is of another kind.
        """
        return self._get(quantity).places

    @checked
    def layers(self, quantity: str) -> tuple[int, ...]:
        """Layer number of every column of `values` (1 is the first layer with weights).

        Raises
        ------
        ValueError
            If the quantity is unknown or was not recorded.
        TypeError
            If an argument is of another kind.
        """
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

        modules = list(dict.fromkeys(module for sample in self.samples.values() for _, module in sample.places))
        parts = [_long(sample, code, modules) for code, sample in enumerate(self.samples.values())]
        *columns, value = (np.concatenate(column) for column in zip(*parts, strict=True))
        exists = ~np.isnan(value)
        network, layer, module, which, code = _integers(columns, exists)
        frame = pd.DataFrame(
            {
                "network": network + self.first,
                "layer": layer,
                "module": pd.Series(pd.Categorical.from_codes(module, pd.Index(modules))).astype("str"),
                "quantity": pd.Categorical.from_codes(code, pd.Index(list(self.samples))),
                "value": value[exists],
            }
        )
        if self.per_input:
            frame.insert(3, "input", pd.Series(pd.arrays.IntegerArray(which, which < 0)))
        return frame

    @classmethod
    @checked
    def from_frame(
        cls, frame: pd.DataFrame, network: Network | ModuleNetwork, *, inputs: ArrayLike | None = None
    ) -> Simulation:
        """Take a user's own measurements.

        Parameters
        ----------
        frame : DataFrame
            Columns ``network``, ``layer``, ``quantity``, ``value``, and optionally ``module`` and ``input``.
            Networks and inputs are called by numbers or by names; every (network, layer, quantity) stands once, and where there are
            several inputs once for each.
        network : Network or ModuleNetwork
            What was measured: theories take widths, laws and activations from it. Rows of the latter need a ``module``
            and no ``layer``.
        inputs : array_like, shape (inputs, input_size), optional
            What was fed in, in the order of the values in the column ``input`` if there is one; all ones if None.

        Returns
        -------
        Simulation

        Raises
        ------
        TypeError
            If the frame is no DataFrame, or the network none.
        ValueError
            If a column is missing, the inputs do not fit, or a row cannot be used as it stands: its quantity, layer or module is
            unknown, it stands twice, its value is no finite number or none that the quantity can have. The message names the row.

        Examples
        --------
        >>> import pandas as pd, varprop as vp
        >>> net = vp.mlp([4, 4], activation="relu", weights="he_normal")
        >>> mine = pd.DataFrame({"network": ["a", "b"], "layer": 1, "quantity": "pivot", "value": [0.9, 1.2]})
        >>> vp.Simulation.from_frame(mine, net).values("pivot").ravel().tolist()
        [0.9, 1.2]
        """
        found = read_frame(frame, network, inputs)
        samples = {name: Samples(values, places) for name, (values, places) in found.columns.items()}
        return cls(network=network, inputs=found.inputs, samples=samples, per_input=found.per_input, own=True)


def _long(sample: Measurements, code: int, modules: list[str]) -> tuple[np.ndarray, ...]:
    """One quantity as columns: network, layer, code of the module, input (-1: all together), code, value."""
    values = sample.values
    network, place, *rest = np.indices(values.shape, dtype=np.int32)
    layers = np.array([layer for layer, _ in sample.places])
    codes = np.array([modules.index(module) for _, module in sample.places])
    which = rest[0] if rest else np.full_like(place, -1)
    columns = (network, layers[place], codes[place], which, np.full_like(place, code), values)
    return tuple(column.ravel() for column in columns)


def _integers(columns: Sequence[np.ndarray], rows: np.ndarray) -> list[NDArray[np.int64]]:
    return [column[rows].astype(np.int64) for column in columns]


def _card(simulation: Simulation) -> str:
    """What a notebook shows of a sample: of what it is, how it was drawn, and a row for each quantity with the layers that have it."""
    facts = {
        "of": simulation.network.label,
        "networks": f"{simulation.n_networks:,}",
        "inputs": f"{len(simulation.inputs):,}, {'kept apart' if simulation.per_input else 'averaged'}",
        "method": f"{simulation.method}, normals {simulation.normals}",
        "seed": simulation.seed,
    }
    rows = []
    for name in simulation.quantities:
        layers = simulation.layers(name)
        rows.append(
            (name, f"{layers[0]} to {layers[-1]}" if len(layers) > 1 else layers[0], ALL_QUANTITIES[name].meaning)
        )
    return card(
        f"Simulation of {count(simulation.n_networks, 'network')}", facts, ("quantity", "layers", "meaning"), rows
    )
