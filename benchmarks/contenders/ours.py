"""Ours: `varprop.simulate`, called as a user calls it."""

from __future__ import annotations

from itertools import count

from loky import get_reusable_executor

import varprop as vp
from benchmarks.configuration import SECOND_MOMENTS, Configuration, Moments
from varprop.engine.executors import ExecutorName, usable_cores
from varprop.engine.plan import make_plan


class Ours:
    """One way to call `varprop.simulate`."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        executor: ExecutorName = "serial",
        method: str = "auto",
        normals: str = "auto",
    ) -> None:
        widths = [configuration.width] * (configuration.depth + 1)
        self._network = vp.mlp(widths, activation=configuration.activation, weights=configuration.weights)
        self._inputs = None if configuration.inputs == 1 else configuration.inputs
        self._quantities = SECOND_MOMENTS if configuration.record == "three" else None
        self._executor, self._method, self._normals = executor, method, normals
        self._seeds = count()
        plan = make_plan(self._network, n_networks=1, rng=0, inputs=self._inputs, method=method)
        # Whole blocks, and as many as there are workers: the last worker would else finish alone.
        self.granule = plan.block * (1 if executor == "serial" else usable_cores())

    def run(self, networks: int) -> Moments:
        """Sample this many networks, each time others."""
        simulation = vp.simulate(
            self._network,
            n_networks=networks,
            rng=next(self._seeds),
            inputs=self._inputs,
            quantities=self._quantities,
            executor=self._executor,
            method=self._method,
            normals=self._normals,
        )
        return {name: simulation.values(name) for name in SECOND_MOMENTS}

    def close(self) -> None:
        """End the workers, which would else be kept for ten seconds for the next call."""
        if self._executor == "processes":
            get_reusable_executor(reuse=True).shutdown(wait=True)
