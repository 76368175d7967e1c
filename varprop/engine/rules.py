"""What each layer does to a signal, forward and backward, and what is measured at it: one rule per type, found by single dispatch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Protocol

import numpy as np

from varprop._typing import FloatArray
from varprop.engine.extremes import extremes
from varprop.engine.haar import HaarMap
from varprop.engine.maps import DenseMap, GaussianMap, LinearMap
from varprop.engine.readings import (
    ACTIVATION,
    GRADIENT,
    PREACTIVATION,
    AtActivation,
    AtGradient,
    AtPreactivation,
    Probe,
    Slope,
)
from varprop.engine.signal import Signal, SignalRangeError
from varprop.engine.streams import Streams
from varprop.model.activations import Activation
from varprop.model.initializers import Initializer
from varprop.model.laws import Orthogonal
from varprop.model.layers import Dense, refuse_layer
from varprop.model.network import Network, read_sites
from varprop.model.sites import Site


class Backward(Protocol):
    """From dLoss/d(output) to dLoss/d(input), which is called once."""

    def __call__(self, delta: Signal, *, onward: bool = True) -> Signal:
        """Pass a gradient back; not ``onward`` if nothing below wants it, so that whatever it would cost is saved."""
        ...


@dataclass(frozen=True, slots=True)
class Passage:
    """What a rule is given beside the signal: random streams, who looks, and how the layers that it holds are gone through.

    ``looks`` is False where a way is gone again, and was looked at the first time; ``keeps`` where there is no way back.
    """

    streams: Streams
    probe: Probe
    looks: bool = True
    keeps: bool = True

    def through(self, sites: Sequence[Site], x: Signal) -> tuple[Signal, Backward]:
        """Send a signal through layers that stand one after another."""
        ways: list[Backward] = []
        for site in sites:
            try:
                x, way = forward(site.layer, x, site, self)
            except SignalRangeError as error:
                if site.parts:
                    raise
                msg = f"layer {site.number}: {error}"
                raise SignalRangeError(msg) from error
            if self.keeps:
                ways.append(way)

        def backward(delta: Signal, *, onward: bool = True) -> Signal:
            while ways:  # taken off, so that its arrays are free for the next layer's
                way = ways.pop()
                delta = way(delta, onward=onward or bool(ways))
            return delta

        return x, backward


@singledispatch
def forward(layer: object, x: Signal, site: Site, passage: Passage) -> tuple[Signal, Backward]:  # noqa: ARG001 - for the rules
    """Send a signal through one layer, show the passage's probe what is measured there, and return the way back.

    Parameters
    ----------
    layer : object
        Rules are registered by its type: ``@forward.register``.
    x : Signal
        What comes, of shape (networks, inputs, units).
    site : Site
        Where the layer stands, with its fans and the sites of its parts.
    passage : Passage
        Random streams, the probe, and `Passage.through` for the layers that it holds.

    Returns
    -------
    tuple of Signal and Backward

    Raises
    ------
    UnsupportedError
        If there is no rule for the type.
    """
    refuse_layer("the engine", layer, supported())


def supported() -> tuple[type, ...]:
    """Types of layer that have a rule."""
    return tuple(kind for kind in forward.registry if kind is not object)


def engine_sites(network: Network) -> tuple[Site, ...]:
    """Sites of a network that the engine has rules for."""
    return read_sites(network, "the engine", supported())


@forward.register
def _dense(layer: Dense, x: Signal, site: Site, passage: Passage) -> tuple[Signal, Backward]:
    linear = linear_map(layer, site.fans, x.values.shape[1], passage.streams)
    u = linear.apply(x.values, x.squares)
    if layer.biases.name == "zeros":
        z = Signal(u, x.exponent)
    else:
        # Biases have a scale of their own, so the signal must be at its true one.
        drawn = _biases(layer, site.fans, len(u), passage.streams.rng, u.dtype)
        z = Signal(u, x.exponent).plus(drawn, "a layer with biases")
    if passage.looks:
        passage.probe.read(PREACTIVATION, AtPreactivation(layer, site.fans, x, z), site)

    def backward(delta: Signal, *, onward: bool = True) -> Signal:
        passage.probe.read(GRADIENT, AtGradient(x, delta), site)
        passage.probe.watch("gradient", site, delta)
        return Signal(linear.adjoint(delta.values, delta.squares), delta.exponent) if onward else delta

    return z, backward


def linear_map(layer: Dense, fans: tuple[int, int], inputs: int, streams: Streams) -> LinearMap:
    """Pick the cheapest map that is exact in law."""
    if streams.dense or not is_undrawn(layer.weights, inputs):
        return DenseMap(layer.weights, fans, streams)
    if isinstance(layer.weights.law, Orthogonal):
        return HaarMap(layer.weights.law.gain, fans, streams)
    return GaussianMap(float(np.sqrt(layer.weights.variance(*fans))), fans, streams)


def is_undrawn(weights: Initializer, inputs: int) -> bool:
    """Tell whether a matrix of this law can be left undrawn for so many inputs."""
    return weights.gaussian or (isinstance(weights.law, Orthogonal) and inputs == 1)


def _biases(
    layer: Dense, fans: tuple[int, int], networks: int, rng: np.random.Generator, dtype: np.dtype
) -> FloatArray:
    """Biases of the tile, shape (networks, 1, units): the same for all inputs of a network."""
    law, (fan_in, fan_out) = layer.biases, fans
    if law.batched:
        drawn = law.sample((networks, fan_out), fan_in=fan_in, fan_out=fan_out, rng=rng, dtype=dtype)
    else:
        one = [law.sample((fan_out,), fan_in=fan_in, fan_out=fan_out, rng=rng, dtype=dtype) for _ in range(networks)]
        drawn = np.stack(one)
    return drawn[:, None, :]


@forward.register
def _activation(layer: Activation, x: Signal, site: Site, passage: Passage) -> tuple[Signal, Backward]:
    if layer.homogeneous or x.exponent is None:  # a positively homogeneous one takes a signal at any scale
        z, passed = x.values, x.exponent
    else:
        within, passed = extremes(layer).split(x.exponent)
        z = Signal(x.values, within).true_values(layer.label)
    values = layer(z)
    a, slope = Signal(values, passed), Slope(layer, z, values)  # a signal may set its scale aside
    if passage.looks:
        passage.probe.read(ACTIVATION, AtActivation(layer, a, slope), site)
        passage.probe.watch("activation", site, a)
    return a, slope
