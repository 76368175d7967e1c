"""A configuration's samples as they lie on disk, read block by block and kept in memory no longer than needed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from varprop._typing import Float64Array
from varprop.engine.plan import Block, Plan
from varprop.engine.simulate import BlockValues, keeps_inputs
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.simulation import Samples, Simulation
from varprop.model.sites import Place
from varprop.study.errors import Problem, StudyError
from varprop.study.manifest import other_draws, read_manifest
from varprop.study.store import DamagedPartError, part_path, read_part

_PIECE = 2**21
"""Numbers in a piece, 16 MB: blocks that are small are read several at a time, since every piece has its overhead."""


@dataclass(frozen=True, slots=True)
class Store:
    """The parts of one plan in a run's folder."""

    folder: Path
    plan: Plan

    def check(self) -> None:
        """See that every part is there, without reading any."""
        for block in self.plan.blocks:
            if not part_path(self.folder / "samples", self.plan, block).exists():
                raise self._unfinished()

    def read(self, block: Block) -> BlockValues:
        """Values of one block."""
        path = part_path(self.folder / "samples", self.plan, block)
        try:
            values = read_part(path, self.plan, block)
        except DamagedPartError as error:
            msg = f"{path.relative_to(self.folder)} is damaged ({error}); `varprop run` samples it again"
            raise StudyError(str(self.folder), [Problem("", msg)]) from error
        if values is None:
            raise self._unfinished()
        return values

    def _unfinished(self) -> StudyError:
        told = ""
        with contextlib.suppress(StudyError):  # a manifest that is damaged is told by whoever reads it
            told = other_draws(read_manifest(self.folder))
        msg = "the run is not finished; `varprop run` goes on where it stopped"
        if told:
            msg = f"{told}; `varprop run` samples anew beside them"
        return StudyError(str(self.folder), [Problem("", msg)])

    def pieces(self) -> Iterator[dict[str, Samples]]:
        """All values, in pieces of several blocks."""
        plan = self.plan
        numbers = sum(
            plan.block * len(places) * (1 if ALL_QUANTITIES[name].joint or not plan.per_input else len(plan.inputs))
            for name, places in plan.where.items()
        )
        step = max(1, _PIECE // numbers)
        for first in range(0, len(plan.blocks), step):
            blocks = [self.read(block) for block in plan.blocks[first : first + step]]
            yield {
                name: Samples(np.concatenate([block[name] for block in blocks]), places)
                for name, places in plan.where.items()
            }

    def simulation(self) -> Simulation:
        """The samples as a simulation whose values stay on disk until they are asked for."""
        plan = self.plan
        samples: Mapping[str, StoredSamples] = {name: StoredSamples(self, name) for name in plan.where}
        return Simulation(
            network=plan.network,
            inputs=plan.inputs,
            samples=samples,
            seed=plan.seed,
            method=plan.method,
            normals=plan.normals,
            per_input=keeps_inputs(plan),
            pieces=self.pieces,
        )


@dataclass(frozen=True, slots=True)
class StoredSamples:
    """One quantity's values on disk."""

    store: Store
    quantity: str

    @property
    def places(self) -> tuple[Place, ...]:
        """Where each column was measured."""
        return self.store.plan.where[self.quantity]

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return self.store.plan.n_networks

    @property
    def values(self) -> Float64Array:
        """All values, shape (networks, places) or (networks, places, inputs), read now."""
        return np.concatenate([self.store.read(block)[self.quantity] for block in self.store.plan.blocks])

    def column(self, index: int) -> Float64Array:
        """One column, shape (networks,) or (networks, inputs), read now."""
        # A copy of the column, so that what else was read with it is given back.
        blocks = self.store.plan.blocks
        return np.concatenate([self.store.read(block)[self.quantity][:, index].copy() for block in blocks])
