"""PyTorch by hand: many networks at once by torch.bmm, forward and backward, into arrays that are made once."""

from __future__ import annotations

import math

import numpy as np
import torch

from benchmarks.configuration import SECOND_MOMENTS, Configuration, Moments, batch_size, input_rows, only_relu
from benchmarks.contenders.threads import Threads
from varprop.engine.executors import usable_cores


class TorchBatched:
    """The weights are drawn in place, layer by layer, and multiplied while they are in cache."""

    def __init__(self, configuration: Configuration) -> None:
        only_relu(configuration, "he_normal", "he_uniform")
        cores = usable_cores()
        self.granule = cores * batch_size(configuration)
        torch.set_num_threads(1)
        samplers = [_Batch(configuration, seed) for seed in range(cores)]
        self._threads = Threads([sampler.sample for sampler in samplers], lambda: torch.set_num_threads(1))

    def run(self, networks: int) -> Moments:
        """Sample one batch after the other, in every thread."""
        return self._threads.run(networks)

    def close(self) -> None:
        """End the threads."""
        self._threads.close()


class _Batch:
    """One thread's arrays. A weight matrix stands as (fan_in, fan_out), so that a signal is a row: bmm's fast side."""

    def __init__(self, configuration: Configuration, seed: int) -> None:
        width, depth, inputs = configuration.width, configuration.depth, configuration.inputs
        self._batch = batch_size(configuration)
        self._inputs = torch.from_numpy(input_rows(configuration)).expand(self._batch, inputs, width)
        self._weights = torch.empty(depth, self._batch, width, width)
        self._preactivations = torch.empty(depth, self._batch, inputs, width)
        self._activations = torch.empty_like(self._preactivations)
        self._gradients = torch.empty_like(self._preactivations)
        self._rng = torch.Generator().manual_seed(seed)
        self._std = math.sqrt(2 / width)
        self._uniform = configuration.weights == "he_uniform"

    def sample(self, networks: int) -> Moments:
        """Sample whole batches, and return as many networks as were asked for."""
        with torch.inference_mode():
            found = [self._one_batch() for _ in range(math.ceil(networks / self._batch))]
        return {
            name: np.concatenate([moments[i] for moments in found])[:networks] for i, name in enumerate(SECOND_MOMENTS)
        }

    def _one_batch(self) -> list[np.ndarray]:
        signal = self._inputs
        for weights, z, a in zip(self._weights, self._preactivations, self._activations, strict=True):
            self._draw(weights)
            torch.bmm(signal, weights, out=z)
            torch.clamp(z, min=0, out=a)
            signal = a
        gradients = self._gradients
        gradients[-1].normal_(generator=self._rng)
        for layer in range(len(gradients) - 1, 0, -1):
            below = gradients[layer - 1]
            torch.bmm(gradients[layer], self._weights[layer].transpose(1, 2), out=below)
            below.mul_(self._preactivations[layer - 1] > 0)
        recorded = (self._preactivations, self._activations, gradients)
        return [signals.square().mean(dim=(2, 3)).T.numpy().copy() for signals in recorded]

    def _draw(self, weights: torch.Tensor) -> None:
        if self._uniform:
            bound = math.sqrt(3) * self._std
            weights.uniform_(-bound, bound, generator=self._rng)
        else:
            weights.normal_(0, self._std, generator=self._rng)
