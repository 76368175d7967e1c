"""Layers with weights, and the error for a noun that some part of varprop has no rule for."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from varprop._arguments import quoted
from varprop.model.initializers import Initializer, InitializerLike, as_initializer


class UnsupportedError(TypeError):
    """A layer, law or combination for which the asked computation has no rule."""


def refuse_layer(reader: str, layer: object, known: Iterable[type], *, module: str = "") -> NoReturn:
    """Refuse a layer of a type that a part of varprop has no rule for."""
    where = f" (module {module})" if module else ""
    names = " and ".join(kind.__name__ for kind in known)
    msg = f"{reader} has no rule for a layer of type {type(layer).__name__}{where}; it knows {names}"
    raise UnsupportedError(msg)


@dataclass(frozen=True, slots=True, init=False)
class Dense:
    """A fully connected layer: z = W a + b.

    Parameters
    ----------
    units : int
        Fan-out, >= 1.
    weights : str, Initializer or callable
        Law of W, of shape (units, fan_in).
    biases : str, Initializer or callable, default "zeros"
        Law of b, of shape (units,); it sees the fans of the layer.

    Raises
    ------
    ValueError
        If ``units`` is not a positive integer, a law is unknown, or the biases' law is one of matrices alone.
    TypeError
        If an activation or a law is none.

    Examples
    --------
    >>> Dense(64, weights="he_normal").weights.variance(fan_in=128, fan_out=64)
    0.015625
    """

    units: int
    weights: Initializer
    biases: Initializer

    def __init__(self, units: int, *, weights: InitializerLike, biases: InitializerLike = "zeros") -> None:
        object.__setattr__(self, "units", check_width(units, "units"))
        object.__setattr__(self, "weights", as_initializer(weights))
        object.__setattr__(self, "biases", as_initializer(biases))
        if not self.biases.for_biases:
            msg = f"{self.biases.label} is a law of matrices, and biases are a vector; write for example biases='zeros'"
            raise ValueError(msg)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of z for one input.

        Raises
        ------
        ValueError
            If the input is not flat.
        """
        if len(input_shape) != 1:
            msg = (
                f"Dense takes a flat input, got shape {input_shape}; "
                f"flatten it first: Network({math.prod(input_shape)}, ...)"
            )
            raise ValueError(msg)
        return (self.units,)

    @property
    def label(self) -> str:
        """Short text for tables."""
        biases = "" if self.biases.name == "zeros" else f", biases={self.biases.label}"
        return f"Dense({self.units}, {self.weights.label}{biases})"


def check_width(value: object, what: str) -> int:
    """Return a layer's width as an int, or say what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        msg = f"{what} must be a positive integer, got {quoted(value)}; write for example {what}=256"
        raise ValueError(msg)  # noqa: TRY004 - a width that is none, however it is wrong
    width = int(value)
    if not 1 <= width <= MAX_WIDTH:
        msg = f"{what} must lie between 1 and {MAX_WIDTH}, got {quoted(width)}; write for example {what}=256"
        raise ValueError(msg)
    return int(width)


MAX_WIDTH = 2**20
"""Above this one layer's arrays stop fitting a worker's memory."""
