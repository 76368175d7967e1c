"""What a layer is, the fully connected one, and the error for a layer that some part of varprop has no rule for."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from varprop._arguments import quoted
from varprop.model.initializers import Initializer, InitializerLike, as_initializer
from varprop.model.quantities import QuantityPlace


class UnsupportedError(TypeError):
    """A layer, law or combination for which the asked computation has no rule."""


def refuse_layer(reader: str, layer: object, known: Iterable[type], *, module: str = "") -> NoReturn:
    """Refuse a layer of a type that a part of varprop has no rule for."""
    where = f" (module {module})" if module else ""
    names = " and ".join(kind.__name__ for kind in known)
    knows = f"; it knows {names}" if names else ""
    msg = f"{reader} has no rule for a layer of type {type(layer).__name__}{where}{knows}"
    raise UnsupportedError(msg)


class Layer:
    """What stands at one place of a network: a frozen value, which may hold other layers.

    A type of layer is a class of its own below this one, a rule of the engine (`varprop.engine.rules.forward`) and a rule of
    theory (`varprop.theory.state.advance`). It says what it is made of; everything else follows from that.

    Attributes
    ----------
    has_weights : bool
        Whether it has weights of its own, and so a number.
    records : frozenset of str
        The places of quantities (`varprop.model.quantities.Quantity.place`) that are measured at it.
    """

    __slots__ = ()
    has_weights: ClassVar[bool] = False
    records: ClassVar[frozenset[QuantityPlace]] = frozenset()

    @property
    def label(self) -> str:
        """Short text for tables: the name of its class, unless it has another."""
        return type(self).__name__.lower()

    @property
    def parts(self) -> Mapping[str, tuple[Layer, ...]]:
        """The layers that it holds, by the name that is part of their path; each part is fed what the layer itself is."""
        return {}

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the output for one input: the same, unless it has another. Raises ValueError for one that does not fit."""
        return input_shape

    def fans(self, input_shape: tuple[int, ...]) -> tuple[int, int]:
        """(fan_in, fan_out) of its weights."""
        msg = f"{self.label} has no weights of its own, and so no fans; it is fed shape {input_shape}"
        raise UnsupportedError(msg)

    def lacks(self, quantity: str) -> bool:  # noqa: ARG002 - for those that do
        """Tell whether a quantity that is measured at such layers does not exist at this one, whatever its size."""
        return False

    def describe(self) -> dict[str, Any]:
        """Return the content as plain data, by which stored samples are found again."""
        refuse_layer("the description of a network", self, ())


def shape_after(layers: Iterable[Layer], input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that one input has after some layers."""
    for layer in layers:
        input_shape = layer.output_shape(input_shape)
    return input_shape


@dataclass(frozen=True, slots=True, init=False)
class Dense(Layer):
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
    has_weights = True
    records = frozenset({"preactivation", "gradient", "weights", "loss"})

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

    def fans(self, input_shape: tuple[int, ...]) -> tuple[int, int]:
        """(fan_in, fan_out) of W."""
        return input_shape[0], self.units

    def lacks(self, quantity: str) -> bool:
        """A conditional variance takes laws whose variance is known."""
        return quantity in {"conditional_variance", "pivot"} and not (
            self.weights.has_variance and self.biases.has_variance
        )

    def describe(self) -> dict[str, Any]:
        """Units and laws."""
        return {"dense": self.units, "weights": self.weights.describe(), "biases": self.biases.describe()}


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
