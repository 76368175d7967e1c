"""How each recorded quantity is read off the signals at one place, as (networks, inputs) or, joint, (networks,)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from varprop._typing import Float64Array, FloatArray
from varprop.engine.signal import Signal, SignalRangeError, gram, row_count, row_dot, scaled
from varprop.model.activations import Activation
from varprop.model.layers import Dense
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
