"""What each noun does to a signal, forward and backward: one rule per type, found by single dispatch."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

import numpy as np

from varprop._typing import FloatArray
from varprop.engine.extremes import extremes
from varprop.engine.haar import HaarMap
from varprop.engine.maps import DenseMap, GaussianMap, LinearMap
from varprop.engine.signal import Signal
from varprop.engine.streams import Streams
from varprop.model.activations import Activation
from varprop.model.initializers import Initializer
from varprop.model.laws import Orthogonal
from varprop.model.layers import Dense, refuse_layer

Backward = Callable[[Signal], Signal]
"""From dLoss/d(output) to dLoss/d(input)."""


@singledispatch
def forward(noun: object, x: Signal, streams: Streams) -> tuple[Signal, Backward]:  # noqa: ARG001 - for the rules
    """Send a signal through one noun."""
    refuse_layer("the engine", noun, supported())


def supported() -> tuple[type, ...]:
    """Types of noun that have a rule."""
    return tuple(kind for kind in forward.registry if kind is not object)


@forward.register
def _dense(noun: Dense, x: Signal, streams: Streams) -> tuple[Signal, Backward]:
    fans = (x.units, noun.units)
    linear = linear_map(noun, fans, x.values.shape[1], streams)
    u = linear.apply(x.values, x.squares)
    if noun.biases.name == "zeros":
        y = Signal(u, x.exponent)
    else:
        # Biases have a scale of their own, so the signal must be at its true one.
        y = Signal(u, x.exponent).plus(_biases(noun, fans, len(u), streams.rng, u.dtype), "a layer with biases")

    def backward(delta: Signal) -> Signal:
        return Signal(linear.adjoint(delta.values, delta.squares), delta.exponent)

    return y, backward


def linear_map(noun: Dense, fans: tuple[int, int], inputs: int, streams: Streams) -> LinearMap:
    """Pick the cheapest map that is exact in law."""
    if streams.dense or not is_undrawn(noun.weights, inputs):
        return DenseMap(noun.weights, fans, streams)
    if isinstance(noun.weights.law, Orthogonal):
        return HaarMap(noun.weights.law.gain, fans, streams)
    return GaussianMap(float(np.sqrt(noun.weights.variance(*fans))), fans, streams)


def is_undrawn(weights: Initializer, inputs: int) -> bool:
    """Tell whether a matrix of this law can be left undrawn for so many inputs."""
    return weights.gaussian or (isinstance(weights.law, Orthogonal) and inputs == 1)


def _biases(noun: Dense, fans: tuple[int, int], networks: int, rng: np.random.Generator, dtype: np.dtype) -> FloatArray:
    """Biases of the tile, shape (networks, 1, units): the same for all inputs of a network."""
    law, (fan_in, fan_out) = noun.biases, fans
    if law.batched:
        drawn = law.sample((networks, fan_out), fan_in=fan_in, fan_out=fan_out, rng=rng, dtype=dtype)
    else:
        one = [law.sample((fan_out,), fan_in=fan_in, fan_out=fan_out, rng=rng, dtype=dtype) for _ in range(networks)]
        drawn = np.stack(one)
    return drawn[:, None, :]


class Slope:
    """phi' at a layer, computed when first asked for, and shared by the backward pass and the quantities."""

    __slots__ = ("_a", "_noun", "_slope", "_z")

    def __init__(self, noun: Activation, z: FloatArray, a: FloatArray) -> None:
        self._noun, self._z, self._a = noun, z, a
        self._slope: FloatArray | None = None

    def values(self) -> FloatArray:
        """phi'(z), shape (networks, inputs, units)."""
        if self._slope is None:
            self._slope = self._noun.slope_given_value(self._z, self._a)
        return self._slope

    def __call__(self, delta: Signal) -> Signal:
        """Backward: dLoss/dz = phi'(z) dLoss/da."""
        return Signal(delta.values * self.values(), delta.exponent)


@forward.register
def _activation(noun: Activation, x: Signal, streams: Streams) -> tuple[Signal, Backward]:  # noqa: ARG001  no weights
    if noun.homogeneous or x.exponent is None:  # a positively homogeneous one takes a signal at any scale
        z, passed = x.values, x.exponent
    else:
        within, passed = extremes(noun).split(x.exponent)
        z = Signal(x.values, within).true_values(noun.label)
    a = noun(z)
    return Signal(a, passed), Slope(noun, z, a)
