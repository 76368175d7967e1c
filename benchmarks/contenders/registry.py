"""Contenders by the name they have in tables, and what each needs to be installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from benchmarks.configuration import Configuration, Contender

OURS = "varprop"
NORMS = "varprop, norms"
SERIAL = "varprop, 1 thread"
THREADS = "varprop, threads"
PROCESSES = "varprop, processes"
PEERS = ("PyTorch nn.Linear", "PyTorch bmm", "JAX vmap")
NORMALS = "NumPy normals"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a contender is made, and of what."""

    module: str
    make: str
    needs: str = "numpy"
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, configuration: Configuration) -> Contender:
        """Make it, its framework imported here and nowhere else."""
        make = cast(
            "Callable[..., Contender]", getattr(import_module(f"benchmarks.contenders.{self.module}"), self.make)
        )
        return make(configuration, **self.options)


def _ours(**options: str) -> Entry:
    return Entry("ours", "Ours", options=options)


CONTENDERS = {
    OURS: _ours(executor="processes"),
    NORMS: _ours(executor="processes", method="norms"),
    f"{OURS}, ziggurat": _ours(executor="processes", normals="ziggurat"),
    f"{OURS}, dense": _ours(executor="processes", method="dense"),
    SERIAL: _ours(),
    f"{SERIAL}, ziggurat": _ours(normals="ziggurat"),
    f"{SERIAL}, dense": _ours(method="dense"),
    THREADS: _ours(executor="threads"),
    PROCESSES: _ours(executor="processes"),
    PEERS[0]: Entry("torch_loop", "TorchLoop", needs="torch"),
    PEERS[1]: Entry("torch_batched", "TorchBatched", needs="torch"),
    PEERS[2]: Entry("jax_vmap", "JaxVmap", needs="jax"),
    NORMALS: Entry("numpy_normals", "NumpyNormals"),
}


def missing(name: str) -> str:
    """Name the package that a contender needs and that is not installed; empty if it can take part."""
    needs = CONTENDERS[name].needs
    return "" if find_spec(needs) else needs
