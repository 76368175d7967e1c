"""A contender in a process of its own: its libraries' threads, settings and memory touch no other's."""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Any, Self

from benchmarks.comparisons import Entrant
from benchmarks.contenders.registry import CONTENDERS
from benchmarks.memory import peak_bytes


@dataclass(frozen=True, slots=True)
class Lap:
    """One timed run."""

    networks: int
    seconds: float


class Seat:
    """Starts a contender, asks it for laps, and ends it.

    Parameters
    ----------
    entrant : Entrant
        The contender, what it samples, and on how many cores. Its number of networks is rounded up to whole granules.
    seconds : float
        Least time of a lap, for an entrant without a number of networks: it is chosen for that, once.
    """

    def __init__(self, entrant: Entrant, *, seconds: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._entrant = entrant
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, entrant, seconds))
        self._process.start()
        theirs.close()  # so that its end is noticed here

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()  # the child reads the end of its requests and returns
        self._process.join(30)
        self._process.terminate()

    def lap(self) -> Lap:
        """Warm up, then run once against the clock."""
        lap: Lap = self._ask("lap")
        return lap

    def peak_bytes(self) -> int:
        """Peak memory so far, imports included."""
        peak: int = self._ask("memory")
        return peak

    def _ask(self, request: str) -> Any:
        try:
            self._ours.send(request)
            answer = self._ours.recv()
        except (EOFError, ConnectionError):
            msg = f"{self._entrant.contender} failed on {self._entrant.configuration.label}; its own error stands above"
            raise RuntimeError(msg) from None
        return answer


def _serve(requests: Connection, entrant: Entrant, seconds: float) -> None:
    """Answer requests until there are no more; runs in the child."""
    if hasattr(os, "sched_setaffinity"):  # before any library counts the cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: entrant.cores])
    with closing(CONTENDERS[entrant.contender].build(entrant.configuration)) as contender:
        granule = contender.granule
        contender.run(granule)  # compiles, starts workers
        if entrant.networks is None:
            size = _size(contender.run, granule, seconds)
        else:
            size = math.ceil(entrant.networks / granule) * granule
        while True:
            try:
                request = requests.recv()
            except EOFError:
                return
            if request == "memory":
                requests.send(peak_bytes())
                continue
            contender.run(granule)  # caches and idle workers, after the others had their turn
            begun = perf_counter()
            contender.run(size)
            requests.send(Lap(size, perf_counter() - begun))


def _size(run: Callable[[int], object], granule: int, seconds: float) -> int:
    """Networks that take so long, as whole granules; tried with growing numbers, since a short run tells little."""
    granules = 1
    while True:
        begun = perf_counter()
        run(granules * granule)
        took = perf_counter() - begun
        if took >= seconds / 4:
            return max(math.ceil(granules * seconds / took), 1) * granule
        granules = math.ceil(granules * min(max(seconds / 3 / took, 2), 20))
