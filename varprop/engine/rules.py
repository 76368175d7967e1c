"""What each layer does to a signal, forward and backward, and what is measured at it: one rule per type, found by single dispatch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Protocol, TypeVar

import numpy as np

from varprop._typing import Float64Array, FloatArray
from varprop.engine.maps import DenseMap, GaussianMap, HaarMap, LinearMap, extremes
from varprop.engine.signal import Signal, SignalRangeError, Streams, gram, row_count, row_dot, scaled
from varprop.model.activations import Activation
from varprop.model.initializers import Initializer
from varprop.model.laws import Orthogonal
from varprop.model.layers import Dense, refuse_layer
from varprop.model.network import Network, read_sites
from varprop.model.quantities import UnitQuantity
from varprop.model.sites import Place, Site

SATURATED = 0.05
"""A unit is saturated where |phi'(z)| is below this share of its maximum."""


class AtPreactivation:
    """A layer's output z and the signal x it came from."""

    __slots__ = ("_conditional", "fans", "layer", "x", "z")

    def __init__(self, layer: Dense, fans: tuple[int, int], x: Signal, z: Signal) -> None:
        self.layer, self.fans, self.x, self.z = layer, fans, x, z
        self._conditional: Float64Array | None = None

    def conditional(self) -> Float64Array:
        """Var(W) |x|^2 + Var(b) in units of the exponent that z carries; made once for two quantities."""
        if self._conditional is None:
            squares = self.x.squares
            if self.x.exponent is not None or self.z.exponent is not None:
                shift = _exponent(self.x) - _exponent(self.z)
                squares = np.ldexp(squares, 2 * shift[:, None])
            v = self.layer.weights.variance(*self.fans) * squares
            self._conditional = v if self.layer.biases.name == "zeros" else v + self.layer.biases.variance(*self.fans)
        return self._conditional


class Slope:
    """phi' at a layer, computed when first asked for, and shared by the backward pass and the quantities."""

    __slots__ = ("_a", "_layer", "_slope", "_z")

    def __init__(self, layer: Activation, z: FloatArray, a: FloatArray) -> None:
        self._layer, self._z, self._a = layer, z, a
        self._slope: FloatArray | None = None

    def values(self) -> FloatArray:
        """phi'(z), shape (networks, inputs, units)."""
        if self._slope is None:
            self._slope = self._layer.slope_given_value(self._z, self._a)
        return self._slope

    def __call__(self, delta: Signal, *, onward: bool = True) -> Signal:  # noqa: ARG002 - costs nothing to speak of
        """Backward: dLoss/dz = phi'(z) dLoss/da."""
        return Signal(delta.values * self.values(), delta.exponent)


@dataclass(frozen=True, slots=True)
class AtActivation:
    """An activation's output and slope."""

    layer: Activation
    a: Signal
    slope: Slope


@dataclass(frozen=True, slots=True)
class AtGradient:
    """dLoss/dz of a layer and the signal x that the layer received."""

    x: Signal
    delta: Signal


def _exponent(signal: Signal) -> np.ndarray:
    return np.zeros(len(signal.values), dtype=np.int64) if signal.exponent is None else signal.exponent


def _conditional_variance(at: AtPreactivation) -> Float64Array:
    return scaled(at.conditional(), at.z.exponent, 2)


def _pivot(at: AtPreactivation) -> Float64Array:
    v = at.conditional()
    return np.divide(at.z.squares / at.z.units, v, out=np.full_like(v, np.nan), where=v > 0)


def _derivative_second_moment(at: AtActivation) -> Float64Array:
    slope = at.slope.values()
    return row_dot(slope, slope) / at.a.units


def _saturated_fraction(at: AtActivation) -> Float64Array:
    slope = np.abs(at.slope.values())
    return row_count(slope < SATURATED * at.layer.slope_bound()) / at.a.units


def _dead_fraction(at: AtActivation) -> Float64Array:
    zero = at.a.values == 0
    everywhere = zero if zero.shape[1] == 1 else zero.all(axis=1, keepdims=True)
    return row_count(everywhere)[:, 0] / at.a.units


def _cosine(at: AtActivation) -> Float64Array:
    k = gram(at.a.values)
    first, second = np.triu_indices(k.shape[-1], 1)
    squares = np.einsum("nii->ni", k)
    norms = np.sqrt(squares[:, first] * squares[:, second])
    alive = (norms > 0).all(axis=1)
    cosines = np.divide(k[:, first, second], norms, out=np.full_like(norms, np.nan), where=alive[:, None])
    return np.asarray(cosines.mean(axis=1), dtype=np.float64)


def _weight_gradient_second_moment(at: AtGradient) -> Float64Array:
    # dLoss/dW = delta x^T for one input, so the mean of its squares is a product of means.
    product = at.delta.squares / at.delta.units * (at.x.squares / at.x.units)
    both = None if at.delta.exponent is None and at.x.exponent is None else _exponent(at.delta) + _exponent(at.x)
    return scaled(product, both, 2)


PREACTIVATION: dict[str, Callable[[AtPreactivation], Float64Array]] = {
    "preactivation_mean": lambda at: at.z.mean(),
    "preactivation_variance": lambda at: at.z.variance(),
    "preactivation_second_moment": lambda at: at.z.second_moment(),
    "conditional_variance": _conditional_variance,
    "pivot": _pivot,
}
ACTIVATION: dict[str, Callable[[AtActivation], Float64Array]] = {
    "activation_mean": lambda at: at.a.mean(),
    "activation_variance": lambda at: at.a.variance(),
    "activation_second_moment": lambda at: at.a.second_moment(),
    "derivative_second_moment": _derivative_second_moment,
    "saturated_fraction": _saturated_fraction,
    "dead_fraction": _dead_fraction,
    "cosine": _cosine,
}
GRADIENT: dict[str, Callable[[AtGradient], Float64Array]] = {
    "gradient_mean": lambda at: at.delta.mean(),
    "gradient_variance": lambda at: at.delta.variance(),
    "gradient_second_moment": lambda at: at.delta.second_moment(),
    "weight_gradient_second_moment": _weight_gradient_second_moment,
}


# ---- who looks -----------------------------------------------------------------------------------------------------

At = TypeVar("At", AtPreactivation, AtActivation, AtGradient)
UnitWatch = Callable[[UnitQuantity, Place, Signal], None]
"""Is shown every activation's output and every gradient, with the place."""
Where = Mapping[str, tuple[Place, ...]]
"""The places at which each asked quantity exists."""
Recorder = Callable[[str, Place, Float64Array], object]
"""Takes a quantity, a place, and the values there, as they are in `varprop.engine.descent.Recorded`."""


class Probe:
    """What rules hand their signals to: reads off them what is asked for and exists at a place."""

    def __init__(self, where: Where, record: Recorder, watch: UnitWatch | None) -> None:
        self._where = {name: frozenset(found) for name, found in where.items()}
        self._record, self._watch = record, watch

    def read(self, readings: Mapping[str, Callable[[At], Float64Array]], at: At, site: Site) -> None:
        """Evaluate those readings of a family that are asked for at this place."""
        place = site.place
        for name, reading in readings.items():
            if place in self._where.get(name, ()):
                try:
                    self._record(name, place, reading(at))
                except SignalRangeError as error:
                    msg = f"{name} at layer {place[0]}: {error}"
                    raise SignalRangeError(msg) from error

    def watch(self, quantity: UnitQuantity, site: Site, signal: Signal) -> None:
        """Show a signal to whoever watches."""
        if self._watch is not None:
            self._watch(quantity, site.place, signal)


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
