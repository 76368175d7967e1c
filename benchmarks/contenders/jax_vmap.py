"""JAX: one network as a function of its key, its gradient by jax.grad, many by vmap, compiled by jit."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.configuration import SECOND_MOMENTS, Configuration, Moments, batch_size, input_rows, only_relu
from varprop.engine.executors import usable_cores


class JaxVmap:
    """The keys are split inside the scan over layers: twice as fast as drawing all of a network's weights before it."""

    def __init__(self, configuration: Configuration) -> None:
        only_relu(configuration, "he_normal")
        self._configuration = configuration
        self._inputs = jnp.asarray(input_rows(configuration))
        # XLA shares a batch among its threads: with less than a network for each, some of them would wait.
        self.granule = max(batch_size(configuration), usable_cores())
        self._batch = jax.jit(jax.vmap(self._one))
        self._key = jax.random.key(1)

    def run(self, networks: int) -> Moments:
        """Sample one batch after the other; XLA uses all cores for each."""
        found = []
        for _ in range(math.ceil(networks / self.granule)):
            self._key, now = jax.random.split(self._key)
            found.append(self._batch(jax.random.split(now, self.granule)))  # returns before it is computed
        return {
            name: np.concatenate([np.asarray(moments[i]) for moments in found])[:networks]
            for i, name in enumerate(SECOND_MOMENTS)
        }

    def close(self) -> None:
        """Nothing was started that JAX would not end."""

    def _one(self, key: Any) -> tuple[Any, Any, Any]:
        width, depth, inputs = self._configuration.width, self._configuration.depth, self._configuration.inputs
        for_weights, for_readout = jax.random.split(key)
        readout = jax.random.normal(for_readout, (inputs, width))
        std = math.sqrt(2 / width)

        def loss(nudges: Any) -> tuple[Any, tuple[Any, Any]]:
            # A nudge of 0 is added to each pre-activation: the gradient in it is that of the pre-activation.
            def layer(signal: Any, drawn_and_added: tuple[Any, Any]) -> tuple[Any, tuple[Any, Any]]:
                its_key, nudge = drawn_and_added
                z = signal @ (std * jax.random.normal(its_key, (width, width))) + nudge
                a = jax.nn.relu(z)
                return a, (z, a)

            _, (z, a) = jax.lax.scan(layer, self._inputs, (jax.random.split(for_weights, depth), nudges))
            return jnp.sum(z[-1] * readout), (_mean_square(z), _mean_square(a))

        gradients, (z, a) = jax.grad(loss, has_aux=True)(jnp.zeros((depth, inputs, width)))
        return z, a, _mean_square(gradients)


def _mean_square(signals: Any) -> Any:
    return jnp.mean(signals**2, axis=(-2, -1))
