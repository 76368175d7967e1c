"""Sample many random networks of one configuration: plan, blocks, streams, executor, one Simulation, in memory or in files."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from varprop._arguments import checked
from varprop._typing import Float64Array, RNGLike
from varprop.engine.descent import Recorded, descend
from varprop.engine.executors import ExecutorLike, run_tasks
from varprop.engine.norms import sample_norms
from varprop.engine.plan import Plan, make_plan
from varprop.engine.propagate import propagate
from varprop.engine.signal import Streams
from varprop.model.network import Network
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.simulation import Measurements, Samples, Simulation
from varprop.model.sites import Place
from varprop.numerics.moments import mean_of_present
from varprop.numerics.randomness import block_generator

BlockValues = dict[str, Float64Array]
"""By quantity: (networks, places), or (networks, places, inputs) where the inputs are kept apart."""


@checked
def simulate(
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
    executor: ExecutorLike = None,
    progress: Callable[[int], object] | None = None,
) -> Simulation:
    """Sample random networks and measure every layer of each.

    Parameters
    ----------
    network : Network
        What to sample. Weights and biases are drawn anew for every network.
    n_networks : int
        Number of networks, 1 to 10^9.
    rng : None, int, SeedSequence or Generator
        Seed. Draws depend on it and on the configuration alone: not on the executor, and a longer simulation
        begins with the networks of a shorter one.
    inputs : None, int or array_like, shape (inputs, input_size)
        None is one input of all ones; an integer is that many Gaussian inputs of mean square 1, the same for all
        networks. Every input has a readout, and so a loss, of its own.
    quantities : iterable of str, optional
        Names of what to record; all that exist if None. What is not asked for is not computed.
    per_input : bool, default False
        Keep the inputs apart instead of averaging over them.
    method : {"auto", "dense", "norms"}
        "auto" draws Gaussian layers, and orthogonal ones if there is one input, without their matrices, which is exact in
        law, and all others in full; "norms" draws nothing but the norms of the signals, which is exact too and costs the
        same at any width, for ReLU-like activations, Gaussian weights, no biases, one input, and second moments; "dense"
        draws every entry of every matrix.
    dtype : {"float32", "float64"} or numpy.dtype
        Of the signals; what is recorded is float64.
    normals : {"auto", "box-muller", "ziggurat"}
        How normal numbers are made of random bits: by `varprop.numerics.randomness.box_muller`, or by NumPy. "auto" is the
        faster one: "box-muller" in float32, "ziggurat" in float64.
    executor : None, "serial", "threads", "processes" or concurrent.futures.Executor
        Where blocks run. None is serial for short work, else worker processes.
    progress : callable, optional
        Called with the number of networks that were just finished.

    Returns
    -------
    Simulation

    Raises
    ------
    ValueError
        If an argument is out of its range, or a signal leaves the range of the number type.
    UnsupportedError
        If the engine has no rule for a layer, or ``method="norms"`` does not cover the network.
    TypeError
        If the network is none, or the inputs are no real numbers.
    BrokenExecutor
        If an executor that was handed in loses its workers, or worker processes keep dying.

    Notes
    -----
    With one input no BLAS takes part, so the numbers are the same whatever kernel a BLAS library picks for the
    processor; with several, and where orthogonal matrices are drawn in full, last bits may differ between machines.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([64] * 6, activation="relu", weights="he_normal")
    >>> sim = vp.simulate(net, n_networks=100, rng=2015, quantities=["preactivation_second_moment"])
    >>> sim.values("preactivation_second_moment").shape
    (100, 5)
    """
    plan = make_plan(
        network,
        n_networks=n_networks,
        rng=rng,
        inputs=inputs,
        quantities=quantities,
        per_input=per_input,
        method=method,
        dtype=dtype,
        normals=normals,
    )
    return sample(plan, executor, progress)


def sample(plan: Plan, executor: ExecutorLike, progress: Callable[[int], object] | None) -> Simulation:
    """Sample all blocks of a plan; ``executor`` and ``progress`` are those of `simulate`."""
    sizes = {block.index: block.networks for block in plan.blocks}
    results: dict[int, BlockValues] = {}
    tasks = [(plan, index) for index in sizes]
    with contextlib.closing(run_tasks(run_block, tasks, executor, work=plan.draws)) as running:
        for index, values in running:
            results[index] = values
            if progress is not None:
                progress(sizes[index])
    return assemble(plan, [results[index] for index in sizes])


def run_block(plan: Plan, index: int) -> BlockValues:
    """Sample one block of a plan; what it returns depends on the plan and the index alone."""
    _keep_the_heap()
    block = plan.block_at(index)
    streams = Streams(block_generator(plan.root, plan.words, index), dense=plan.method == "dense", normals=plan.normals)
    inputs = plan.inputs.astype(plan.dtype)
    # Places first while values are gathered, so that every copy is of contiguous numbers.
    apart = (len(plan.inputs),) if plan.per_input else ()
    gathered = {
        name: np.empty((len(found), block.networks, *(() if ALL_QUANTITIES[name].joint else apart)))
        for name, found in plan.where.items()
    }
    rows = {name: dict(zip(found, gathered[name], strict=True)) for name, found in plan.where.items()}
    for done in range(0, block.networks, plan.tile):
        # The last tile is sampled whole and cut: a longer run must find the same numbers in it.
        some = slice(done, min(done + plan.tile, block.networks))

        def record(name: str, place: Place, values: Float64Array, some: slice = some) -> None:
            rows[name][place][some] = _of_networks(name, values[: some.stop - some.start], per_input=plan.per_input)

        if plan.task is None and plan.method != "norms":
            propagate(plan.network, inputs, streams, networks=plan.tile, where=plan.where, record=record)
            continue
        recorded: Recorded
        if plan.task is not None:
            recorded = descend(plan.network, plan.task, plan.inputs, streams.rng, networks=plan.tile, where=plan.where)
        else:
            square = float(np.square(plan.inputs).sum())
            recorded = sample_norms(plan.network, square, streams, networks=plan.tile, where=plan.where)
        for name, found in recorded.items():
            for place, values in found.items():
                record(name, place, values)
    rows.clear()
    return {name: np.ascontiguousarray(np.swapaxes(gathered.pop(name), 0, 1)) for name in plan.where}


def _of_networks(name: str, values: Float64Array, *, per_input: bool) -> Float64Array:
    """Values at one place, averaged over the inputs if that was asked."""
    if per_input or values.ndim == 1:
        return values
    # A pivot does not exist at a dead input; every other quantity is there at all inputs.
    return mean_of_present(values) if name == "pivot" else np.asarray(values.mean(axis=1), dtype=np.float64)


@cache
def _keep_the_heap() -> None:
    """Have freed memory kept for the next tile, where the C library is glibc; elsewhere this does nothing.

    glibc hands arrays of over 128 kB back to the system as they are freed, and each tile would then fault its pages in
    anew, which took a third of the time. Freeing one larger array moves that limit to its size (see mallopt(3), the
    dynamic threshold); 32 MB is the most that it moves to. The array is never touched, so it costs no memory.
    """
    np.empty(2**25 - 2**16, dtype=np.uint8)


def give_back_the_heap() -> None:
    """Return what `_keep_the_heap` has kept to the system, where the C library is glibc: for who has sampled and goes on."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


def assemble(plan: Plan, blocks: Sequence[Mapping[str, Float64Array]]) -> Simulation:
    """Put the blocks of a plan together, in order."""
    samples = {
        name: Samples(np.concatenate([block[name] for block in blocks]), found) for name, found in plan.where.items()
    }
    return simulation_of(plan, samples)


def simulation_of(
    plan: Plan,
    samples: Mapping[str, Measurements],
    pieces: Callable[[], Iterator[Mapping[str, Samples]]] | None = None,
) -> Simulation:
    """Say what was sampled of a plan; ``pieces`` reads the samples if they are not in memory."""
    return Simulation(
        network=plan.network,
        inputs=plan.inputs,
        samples=samples,
        seed=plan.seed,
        method=plan.method,
        normals=plan.normals,
        per_input=keeps_inputs(plan),
        pieces=pieces,
    )


def keeps_inputs(plan: Plan) -> bool:
    """Tell whether a plan's samples have an axis of inputs."""
    return plan.per_input and any(not ALL_QUANTITIES[name].joint for name in plan.where)


# ---- samples in files ------------------------------------------------------------------------------------------------


_IN_MEMORY = 2**23  # numbers, 64 MB: what is less is not worth a file
_PIECE = 2**21  # numbers that are read at once, 16 MB


@contextlib.contextmanager
def sampled_in_little_memory(plan: Plan, executor: ExecutorLike = None) -> Iterator[Simulation]:
    """Sample a plan, and give the simulation for as long as the context lasts."""
    if plan.n_networks * sum(map(len, plan.where.values())) <= _IN_MEMORY:
        yield sample(plan, executor, None)
        return
    with tempfile.TemporaryDirectory(prefix="varprop-") as folder:
        tasks = [(plan, folder, block.index) for block in plan.blocks]
        with contextlib.closing(run_tasks(_spill, tasks, executor, work=plan.draws)) as running:
            for _ in running:
                pass
        give_back_the_heap()
        whole = _Spilled(plan, folder)
        columns = {name: _SpilledSamples(whole, name) for name in plan.where}
        yield simulation_of(plan, columns, whole.pieces)


def _spill(plan: Plan, folder: str, index: int) -> None:
    for name, values in run_block(plan, index).items():
        np.save(_file(folder, name, index), values)


def _file(folder: str, name: str, index: int) -> Path:
    return Path(folder) / f"{name}-{index}.npy"


@dataclass(frozen=True, slots=True)
class _Spilled:
    """All blocks of a plan, in files."""

    plan: Plan
    folder: str

    def pieces(self) -> Iterator[dict[str, Samples]]:
        """Go through them, a few networks in memory at a time."""
        places = self.plan.where.items()
        step = max(1, _PIECE // sum(len(found) for _, found in places))
        for block in self.plan.blocks:
            for first in range(0, block.networks, step):
                some = slice(first, first + step)
                yield {name: Samples(self.read(name, block.index)[some].copy(), found) for name, found in places}

    def read(self, name: str, index: int) -> Float64Array:
        """Values of one quantity in a block, which are read from its file as they are looked at."""
        found: Float64Array = np.load(_file(self.folder, name, index), mmap_mode="r")
        return found


@dataclass(frozen=True, slots=True)
class _SpilledSamples:
    """One quantity's values, in files."""

    whole: _Spilled
    quantity: str

    @property
    def places(self) -> tuple[Place, ...]:
        """Where each column was measured."""
        return self.whole.plan.where[self.quantity]

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return self.whole.plan.n_networks

    @property
    def values(self) -> Float64Array:
        """All values, read now."""
        return np.concatenate([self.whole.read(self.quantity, block.index) for block in self.whole.plan.blocks])

    def column(self, index: int) -> Float64Array:
        """One column, read now; what else the files have stays there."""
        blocks = self.whole.plan.blocks
        return np.concatenate([self.whole.read(self.quantity, block.index)[:, index] for block in blocks])
