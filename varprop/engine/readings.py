"""How each recorded quantity is read off the signals at one place, as (networks, inputs) or, joint, (networks,)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from varprop._typing import Float64Array
from varprop.engine.rules import Slope
from varprop.engine.signal import Signal, gram, row_count, row_dot, scaled
from varprop.model.activations import Activation
from varprop.model.layers import Dense

SATURATED = 0.05
"""A unit is saturated where |phi'(z)| is below this share of its maximum."""


class AtPreactivation:
    """A layer's output z and the signal x it came from."""

    __slots__ = ("_conditional", "noun", "x", "z")

    def __init__(self, noun: Dense, x: Signal, z: Signal) -> None:
        self.noun, self.x, self.z = noun, x, z
        self._conditional: Float64Array | None = None

    def conditional(self) -> Float64Array:
        """Var(W) |x|^2 + Var(b) in units of the exponent that z carries; made once for two quantities."""
        if self._conditional is None:
            fans = (self.x.units, self.z.units)
            squares = self.x.squares
            if self.x.exponent is not None or self.z.exponent is not None:
                shift = _exponent(self.x) - _exponent(self.z)
                squares = np.ldexp(squares, 2 * shift[:, None])
            v = self.noun.weights.variance(*fans) * squares
            self._conditional = v if self.noun.biases.name == "zeros" else v + self.noun.biases.variance(*fans)
        return self._conditional


@dataclass(frozen=True, slots=True)
class AtActivation:
    """An activation's output and slope."""

    noun: Activation
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
    return row_count(slope < SATURATED * at.noun.slope_bound()) / at.a.units


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
