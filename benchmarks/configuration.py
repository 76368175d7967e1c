"""What is sampled in one measurement, and what every contender has to return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

SECOND_MOMENTS = ("preactivation_second_moment", "activation_second_moment", "gradient_second_moment")
Moments = dict[str, NDArray[Any]]
"""By quantity: shape (networks, depth), averaged over the inputs."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A multilayer perceptron of one width without biases, its inputs, and what is recorded of it."""

    width: int
    depth: int = 20
    inputs: int = 1
    activation: str = "relu"
    weights: Literal["he_normal", "he_uniform"] = "he_normal"
    record: Literal["three", "all"] = "three"

    @property
    def label(self) -> str:
        """The configuration as it stands in tables."""
        inputs = "1 input" if self.inputs == 1 else f"{self.inputs} inputs"
        text = f"{self.activation}, {self.weights}, {self.width}x{self.depth}, {inputs}"
        return text if self.record == "three" else f"{text}, all quantities"


class Contender(Protocol):
    """One way to sample a configuration."""

    granule: int
    """Networks that it computes at once; a measurement takes a multiple of them."""

    def run(self, networks: int) -> Moments:
        """Sample this many networks, forward and backward, and return their second moments."""
        ...

    def close(self) -> None:
        """End what it started: threads, worker processes."""
        ...


def only_relu(configuration: Configuration, *laws: str) -> None:
    """Refuse what a contender was not written for: it would be timed doing something else."""
    if configuration.activation != "relu" or configuration.weights not in laws or configuration.record != "three":
        msg = f"this contender samples relu with {' or '.join(laws)} and three quantities, got {configuration.label}"
        raise ValueError(msg)


def input_rows(configuration: Configuration) -> NDArray[np.float32]:
    """Inputs of mean square 1, shape (inputs, width): one of all ones, or so many Gaussian ones."""
    if configuration.inputs == 1:
        return np.ones((1, configuration.width), np.float32)
    rows = np.random.default_rng(1).standard_normal((configuration.inputs, configuration.width))
    rows /= np.sqrt(np.mean(rows**2, axis=1, keepdims=True))
    return rows.astype(np.float32)


def batch_size(configuration: Configuration) -> int:
    """Networks that a peer computes at once: one layer's matrices take 2 MB, or are those of one network.

    Larger batches leave the cache and were slower at each width, with PyTorch and with JAX; with smaller ones the cost
    of a call shows.
    """
    return min(max(2**19 // configuration.width**2, 1), 256)
