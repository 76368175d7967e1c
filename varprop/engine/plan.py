"""What a simulation will draw, fixed before it starts: its content, its streams, its blocks and their tiles."""

from __future__ import annotations

import hashlib
import json
import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from varprop._arguments import quoted
from varprop._limits import MAX_NETWORKS
from varprop._typing import Float64Array, RNGLike
from varprop.engine.descent import Task
from varprop.engine.norms import NORMS, why_not_norms
from varprop.engine.propagate import least_bytes, places
from varprop.engine.rules import engine_sites, is_undrawn, supported
from varprop.model.inputs import check_inputs
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, check_network, read_steps
from varprop.model.quantities import check_quantities
from varprop.model.sites import Place
from varprop.numerics.randomness import DRAWS_VERSION, NormalsName, choose_normals, input_generator, root_sequence

Method = Literal["matrix-free", "dense", "norms", "trained"]
"""How weights are drawn: some not at all, all of them, nothing but the norms that they lead to, or all to be trained then."""

# Numbers in one layer's signal of a tile, 512 kB in float32: with a quarter of it NumPy's cost per call shows (a tenth of
# the time at width 64), with more a smaller L2 cache than the measured 1 MB ends.
_TILE_SIGNALS = 2**17
_TILE_WEIGHTS = 2**23  # numbers in all weight matrices of a tile that the dense map keeps for the way back
_BLOCK_NETWORKS = 2000  # a block is one file of a run: large enough to be few, small enough to be lost
_BLOCK_DRAWS = 2**28  # below a second of work, so that two workers share what is worth sharing
_BLOCK_VALUES = 2**21  # of one quantity in a block, 16 MB: 2,000 networks of 1,048 layers
_NORMS_COST = 50  # of a layer with method "norms", in draws: five gamma and binomial numbers
_MEMORY = 4 * 2**30  # of one network; more than this does not fit a worker beside its siblings


@dataclass(frozen=True, slots=True)
class Block:
    """One unit of work, of random stream and of storage: ``networks`` networks, number ``first`` onwards."""

    index: int
    first: int
    networks: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Plan:
    """Everything that determines a simulation's numbers; made by `make_plan`, picklable.

    ``content`` is what the draws depend on beside the seed, as plain data, and ``words`` its hash, which keys the
    streams. The number of networks is in neither, so a longer run extends a shorter one.
    """

    network: Network
    inputs: Float64Array
    n_networks: int
    root: np.random.SeedSequence
    dtype: Literal["float32", "float64"]
    method: Method
    normals: NormalsName
    per_input: bool
    where: dict[str, tuple[Place, ...]]
    tile: int
    block: int
    content: dict[str, Any]
    task: Task | None = None  # what networks are trained to compute, if they are

    @property
    def words(self) -> tuple[int, ...]:
        """128 bits of the content's hash, as the words of a spawn key."""
        digest = hashlib.sha256(_canonical(self.content)).digest()
        return tuple(int(word) for word in np.frombuffer(digest[:16], dtype="<u4"))

    @property
    def key(self) -> str:
        """Name of what is stored: content, seed, and which quantities are kept."""
        stored = {
            "content": self.content,
            "seed": self.seed,
            "quantities": list(self.where),
            "per_input": self.per_input,
        }
        return hashlib.sha256(_canonical(stored)).hexdigest()[:24]

    @property
    def seed(self) -> str:
        """The root of all streams, as text: the seed itself for an integer."""
        entropy, spawned = self.root.entropy, self.root.spawn_key
        return f"{entropy}" if not spawned else f"{entropy}, spawn_key={tuple(spawned)}"

    @property
    def draws(self) -> int:
        """About how many random numbers the whole run takes, forward and backward."""
        if self.method == "norms":
            return self.n_networks * _NORMS_COST * len(self.network.widths)
        drawn, signals = sizes(self.network, len(self.inputs), dense=self.method in ("dense", "trained"))
        # A step passes every weight three times for each input, at about a third of what it takes to draw one.
        passes = 0 if self.task is None else self.task.training.steps * len(self.inputs)
        return self.n_networks * (drawn * (1 + passes) + 2 * signals)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks of the run, the last one as short as it has to be."""
        return tuple(self.block_at(index) for index in range(-(-self.n_networks // self.block)))

    def block_at(self, index: int) -> Block:
        """Return one block."""
        first = index * self.block
        return Block(index, first, min(self.block, self.n_networks - first))


def _canonical(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def make_plan(
    network: Network,
    *,
    n_networks: int,
    rng: RNGLike,
    inputs: ArrayLike | int | None = None,
    quantities: Iterable[str] | None = None,
    per_input: bool = False,
    method: str = "auto",
    dtype: str | np.dtype[Any] = "float32",
    normals: str = "auto",
) -> Plan:
    """Check a simulation's arguments and fix what it will draw; the arguments are those of `simulate`."""
    check_networks(n_networks)
    dtype = str(dtype) if isinstance(dtype, np.dtype) else dtype
    if not isinstance(dtype, str) or dtype not in ("float32", "float64"):
        msg = f"dtype must be 'float32' or 'float64', got {quoted(dtype)}"
        raise ValueError(msg)
    if not isinstance(method, str) or method not in ("auto", "dense", "norms"):
        msg = f"method must be 'auto', 'dense' or 'norms', got {quoted(method)}"
        raise ValueError(msg)
    source = choose_normals(normals, "float64" if method == "norms" else dtype)
    root = root_sequence(rng)
    x = make_inputs(inputs, network, root)
    if np.abs(x).max() > np.finfo(dtype).max:
        msg = f"inputs must be numbers that {dtype} can hold, got {np.abs(x).max():g}; scale them, or write dtype='float64'"
        raise ValueError(msg)
    resolved = _method(network, method, n_inputs=len(x))
    tile, block = (
        round_sizes(_BLOCK_NETWORKS, 1, network.depth)
        if resolved == "norms"
        else block_sizes(network, n_inputs=len(x), dense=resolved == "dense")
    )
    content = {
        "network": network.describe(),
        "inputs": describe_rows(inputs, x),
        "dtype": dtype,
        "method": resolved,
        "normals": source,
        "tile": tile,
        "block": block,
        "draws_version": DRAWS_VERSION,
    }
    names = _norms_among(quantities) if resolved == "norms" else check_quantities(quantities)
    where = {name: found for name in names if (found := places(network, name, inputs=len(x)))}
    if not where:
        msg = f"none of the asked quantities ({', '.join(names)}) exists in this network with {len(x)} input(s)"
        raise ValueError(msg)
    return Plan(
        network=network,
        inputs=x,
        n_networks=int(n_networks),
        root=root,
        dtype="float32" if dtype == "float32" else "float64",
        method=resolved,
        normals=source,
        per_input=per_input,
        where=where,
        tile=tile,
        block=block,
        content=content,
    )


def make_inputs(inputs: ArrayLike | int | None, network: Network, root: np.random.SeedSequence) -> Float64Array:
    """Return the inputs as an array (inputs, input_size).

    None is one input of all ones; an integer k is k Gaussian rows scaled to mean square 1, row by row from one
    stream, so that more inputs begin with the fewer.
    """
    check_network(network, "the engine")
    if len(network.input_shape) != 1:
        msg = f"the engine takes flat inputs, this network's have shape {network.input_shape}"
        raise UnsupportedError(msg)
    size = network.input_shape[0]
    given = check_inputs(inputs, size)
    if given is None:
        return np.ones((1, size))
    if isinstance(given, int):
        rows = input_generator(root).standard_normal((given, size))
        scaled: Float64Array = rows / np.sqrt(np.mean(rows**2, axis=1, keepdims=True))
        return scaled
    return given


def check_networks(n_networks: Any) -> None:
    """Refuse what is no number of networks."""
    if (
        isinstance(n_networks, bool)
        or not isinstance(n_networks, numbers.Integral)
        or not 1 <= int(n_networks) <= MAX_NETWORKS
    ):
        msg = (
            f"n_networks must be an integer from 1 to {MAX_NETWORKS}, got {quoted(n_networks)}; write for example 2000"
        )
        raise ValueError(msg)


def describe_rows(given: ArrayLike | int | None, x: Float64Array) -> object:
    """Say what rows a simulation takes, as plain data: by their number where that determines them, else by their hash."""
    if given is None:
        return "ones"
    if isinstance(given, int | np.integer):
        return int(given)
    return {"shape": list(x.shape), "sha256": hashlib.sha256(x.astype("<f8").tobytes()).hexdigest()}


def _norms_among(quantities: Iterable[str] | None) -> tuple[str, ...]:
    """Return what of the asked quantities norms determine: all that there are if None is asked, else all or an error."""
    if quantities is None:
        return tuple(name for name in check_quantities(None) if name in NORMS)
    names = check_quantities(quantities)
    if others := [name for name in names if name not in NORMS]:
        msg = f"method 'norms' does not determine {', '.join(others)}; use 'auto', or ask for {', '.join(NORMS)}"
        raise ValueError(msg)
    return names


def _method(network: Network, method: str, *, n_inputs: int) -> Method:
    """Say "matrix-free" if any layer's weights can be left undrawn, so that the record is true to what was done."""
    if method == "norms":
        if why := why_not_norms(network, n_inputs):
            msg = f"method 'norms' cannot sample this network: {why}; use 'auto'"
            raise UnsupportedError(msg)
        return "norms"
    undrawn = any(is_undrawn(step.weights, n_inputs) for step in read_steps(network, "the engine", supported()))
    return "matrix-free" if undrawn and method == "auto" else "dense"


def block_sizes(network: Network, *, n_inputs: int = 1, dense: bool = False) -> tuple[int, int]:
    """Return the networks in a tile and in a block: from the configuration alone, never from the machine.

    A tile is what is computed at once, so that its arrays stay in cache; a block is a whole number of tiles.
    """
    check_memory(
        least_bytes(engine_sites(network), inputs=n_inputs, dense=dense, itemsize=8),
        n_inputs,
        "narrower layers, fewer inputs, or Gaussian weights with method='auto'",
    )
    drawn, signals = sizes(network, n_inputs, dense=dense)
    fits = min(_TILE_SIGNALS // (n_inputs * max(network.widths)), _TILE_WEIGHTS // max(drawn, 1))
    return round_sizes(fits, drawn + 2 * signals, network.depth)


def check_memory(need: int, n_inputs: int, instead: str) -> None:
    """Refuse a network that takes more bytes than a worker has."""
    if need > _MEMORY:
        msg = (
            f"one network needs about {need / 2**30:.1f} GiB with {n_inputs} input(s), more than the "
            f"{_MEMORY // 2**30} GiB of a worker; use {instead}"
        )
        raise ValueError(msg)


def round_sizes(fits: int, cost: int, layers: int = 1) -> tuple[int, int]:
    """Return networks in a tile, of which so many fit at once, and in a block, of networks that cost so many draws each.

    Of very deep networks both are smaller, since every layer of every network has values that a block holds together.
    Sizes divide 2,000, since people ask for round numbers of networks and a tile begun is a tile sampled whole.
    """
    divisors = [size for size in range(1, _BLOCK_NETWORKS + 1) if _BLOCK_NETWORKS % size == 0]
    most = _BLOCK_VALUES // layers
    tile = max(size for size in divisors if size <= max(min(fits, most), 1))
    quick = min(_BLOCK_DRAWS // cost, most)
    return tile, max(size for size in divisors if size % tile == 0 and size <= max(quick, tile))


def sizes(network: Network, n_inputs: int, *, dense: bool) -> tuple[int, int]:
    """Entries of the weight matrices that are drawn for one network, and numbers in all its signals one way."""
    drawn = sum(
        step.fan_in * step.units
        for step in read_steps(network, "the engine", supported())
        if dense or not is_undrawn(step.weights, n_inputs)
    )
    return drawn, n_inputs * sum(network.widths)
