"""PyTorch as in a tutorial: one network of nn.Linear at a time, initialised by nn.init, gradients by autograd."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.configuration import SECOND_MOMENTS, Configuration, Moments, input_rows, only_relu
from benchmarks.contenders.threads import Threads
from varprop.engine.executors import usable_cores


class TorchLoop:
    """The layers are made once and initialised in place for every network."""

    def __init__(self, configuration: Configuration) -> None:
        only_relu(configuration, "he_normal")
        cores = usable_cores()
        self.granule = cores
        torch.set_num_threads(1)
        samplers = [_Network(configuration, seed) for seed in range(cores)]
        self._threads = Threads([sampler.sample for sampler in samplers], lambda: torch.set_num_threads(1))

    def run(self, networks: int) -> Moments:
        """Sample one network after the other, in every thread."""
        return self._threads.run(networks)

    def close(self) -> None:
        """End the threads."""
        self._threads.close()


class _Network:
    """One thread's network."""

    def __init__(self, configuration: Configuration, seed: int) -> None:
        width, depth = configuration.width, configuration.depth
        layers = [torch.nn.Linear(width, width, bias=False) for _ in range(depth)]
        # No gradient of a weight is recorded, so none is computed; that of the input is what builds the graph.
        self._layers = [layer.requires_grad_(requires_grad=False) for layer in layers]
        self._inputs = torch.from_numpy(input_rows(configuration)).requires_grad_()
        self._rng = torch.Generator().manual_seed(seed)

    def sample(self, networks: int) -> Moments:
        """Forward, backward and the three moments of each network."""
        found = [self._one() for _ in range(networks)]
        return {name: np.stack([moments[i] for moments in found]) for i, name in enumerate(SECOND_MOMENTS)}

    def _one(self) -> list[np.ndarray]:
        preactivations, activations, signal = [], [], self._inputs
        for layer in self._layers:
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=self._rng)
            z = layer(signal)
            signal = torch.relu(z)
            preactivations.append(z)
            activations.append(signal)
        readout = torch.randn(z.shape, generator=self._rng)
        gradients = torch.autograd.grad((z * readout).sum(), preactivations)
        with torch.no_grad():
            recorded = (preactivations, activations, gradients)
            return [torch.stack(tuple(signals)).square().mean(dim=(1, 2)).numpy() for signals in recorded]
