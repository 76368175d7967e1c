"""Single weights, drawn to test an initialiser's own law; a simulation does not keep its matrices."""

from __future__ import annotations

import math
from collections.abc import Iterator

from varprop._typing import FloatArray
from varprop.model.initializers import Initializer
from varprop.model.network import Site, read_dense
from varprop.model.simulation import Simulation
from varprop.numerics.streams import named_generator

N_DRAWS = 10**6
"""Of each law: the standard error of a normal law's variance is then 0.14 %."""


def draw_weights(simulation: Simulation) -> Iterator[tuple[Site, Initializer, FloatArray]]:
    """Draw weights of every different law in a network, the first layer that has it standing for all."""
    seen = set()
    for site, noun in read_dense(simulation.architecture, "weights_law"):
        if (noun.weights.label, site.fans) in seen:
            continue
        seen.add((noun.weights.label, site.fans))
        fan_in, fan_out = site.fans
        if not noun.weights.iid:
            msg = (
                f"weights_law needs independent entries, and those of {noun.weights.label} are not known to be; "
                "test what the layers measure instead, with step_mean or cumulative_mean"
            )
            raise ValueError(msg)
        # A variance of 0 has no kurtosis, and its test says so.
        if noun.weights.variance(*site.fans) > 0 and noun.weights.kurtosis(*site.fans) == math.inf:
            msg = (
                f"weights_law tests the variance with an error that takes a fourth moment, and {noun.weights.label} has "
                "none; take more than 4 degrees of freedom"
            )
            raise ValueError(msg)
        rng = named_generator(simulation.seed, f"weights {noun.weights.label} {fan_in} {fan_out}")
        yield site, noun.weights, noun.weights.sample(_stack(fan_in, fan_out), fan_in=fan_in, fan_out=fan_out, rng=rng)


def _stack(fan_in: int, fan_out: int) -> tuple[int, int, int]:
    """Shape of so many matrices, or rows of one that has more, that they hold the weights wanted."""
    rows = min(fan_out, math.ceil(N_DRAWS / fan_in))
    return math.ceil(N_DRAWS / (rows * fan_in)), rows, fan_in
