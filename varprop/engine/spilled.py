"""Samples of any size in little memory: each block goes to a temporary file from whoever sampled it, and is read when it is wanted."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from varprop._typing import Float64Array
from varprop.engine.executors import ExecutorLike, run_tasks
from varprop.engine.plan import Plan
from varprop.engine.simulate import give_back_the_heap, run_block, sample, simulation_of
from varprop.model.simulation import Samples, Simulation
from varprop.model.sites import Place

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
