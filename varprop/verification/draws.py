"""Single weights, drawn to test an initialiser's own law; a simulation does not keep its matrices."""

from __future__ import annotations

from collections.abc import Iterator

from varprop._typing import FloatArray
from varprop.model.initializers import Initializer
from varprop.model.layers import Dense
from varprop.model.network import Site
from varprop.model.simulation import Simulation
from varprop.numerics.streams import named_generator

N_DRAWS = 10**6
"""Of each law: the standard error of a normal law's variance is then 0.14 %."""


def draw_weights(simulation: Simulation) -> Iterator[tuple[Site, Initializer, FloatArray]]:
    """Draw weights of every different law in a network, the first layer that has it standing for all.

    Yields
    ------
    site : Site
        The layer.
    law : Initializer
        Law of its weights.
    entries : ndarray, shape (10^6,)
        Weights, which depend on the simulation's seed and the law alone.

    Raises
    ------
    ValueError
        If a law's entries are not independent, so that this test's error would be the wrong one.
    """
    seen = set()
    for site in simulation.network.sites:
        noun = site.noun
        if not isinstance(noun, Dense) or (noun.weights.label, site.fans) in seen:
            continue
        seen.add((noun.weights.label, site.fans))
        fan_in, fan_out = site.fans
        if not noun.weights.iid:
            msg = (
                f"weights_law needs independent entries, {noun.weights.label} is a sampler of its own; "
                "test what the layers measure instead, with step_mean or cumulative_mean"
            )
            raise ValueError(msg)
        rng = named_generator(simulation.seed, f"weights {noun.weights.label} {fan_in} {fan_out}")
        yield site, noun.weights, noun.weights.sample((N_DRAWS,), fan_in=fan_in, fan_out=fan_out, rng=rng)
