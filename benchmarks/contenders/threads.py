"""A share of the networks for every core, each in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.configuration import SECOND_MOMENTS, Moments


class Threads:
    """Samplers that run at the same time.

    PyTorch draws random numbers in one thread, however many it may use, and drawing the weights is most of the work. So
    the fastest way to use two cores is two threads with a generator each, in which PyTorch uses one thread; it
    releases Python's lock while it computes.
    """

    def __init__(self, samplers: Sequence[Callable[[int], Moments]], initializer: Callable[[], object]) -> None:
        self._samplers = samplers
        self._pool = ThreadPoolExecutor(len(samplers), initializer=initializer)

    def run(self, networks: int) -> Moments:
        """Sample so many networks in all, as evenly as it goes."""
        each, more = divmod(networks, len(self._samplers))
        shares = [each + (index < more) for index in range(len(self._samplers))]
        busy = [self._pool.submit(sample, share) for sample, share in zip(self._samplers, shares, strict=True) if share]
        found = [future.result() for future in busy]
        return {name: np.concatenate([part[name] for part in found]) for name in SECOND_MOMENTS}

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
