"""The yardstick: as many normal numbers as a sample needs, drawn by NumPy and thrown away."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.configuration import Configuration, Moments
from benchmarks.contenders.ours import Ours
from varprop.engine.plan import block_sizes
from varprop.model.network import mlp


class NumpyNormals:
    """Two normals for each unit and input, by NumPy's ziggurat over SFC64, into an array the size of one tile's signal."""

    def __init__(self, configuration: Configuration) -> None:
        self.granule = Ours(configuration).granule
        network = mlp(
            [configuration.width] * (configuration.depth + 1),
            activation=configuration.activation,
            weights=configuration.weights,
        )
        tile, _ = block_sizes(network, n_inputs=configuration.inputs)
        self._units = configuration.inputs * configuration.width
        self._depth = configuration.depth
        self._out = np.empty(tile * self._units, np.float32)
        self._rng = np.random.Generator(np.random.SFC64(1))

    def run(self, networks: int) -> Moments:
        """Draw them; there are no moments."""
        draws = 2 * networks * self._units * self._depth
        for _ in range(math.ceil(draws / len(self._out))):
            self._rng.standard_normal(out=self._out, dtype=np.float32)
        return {}

    def close(self) -> None:
        """Nothing was started."""
