"""The quantities that a sampler records and a theory predicts: one number per network, layer and name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from varprop._arguments import quoted
from varprop.model.names import hint

QuantityPlace = Literal["preactivation", "activation", "gradient", "weights", "loss"]
UnitQuantity = Literal["activation", "gradient"]

_ANY = (-math.inf, math.inf)
_SHARE = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Quantity:
    """What one value of the column ``quantity`` means."""

    name: str
    place: QuantityPlace
    meaning: str
    joint: bool = False
    ends: tuple[float, float] = (0.0, math.inf)


_ALL = (
    Quantity("preactivation_mean", "preactivation", "mean of z over the layer's units", ends=_ANY),
    Quantity("preactivation_variance", "preactivation", "variance of z over the layer's units (ddof 1)"),
    Quantity("preactivation_second_moment", "preactivation", "mean of z^2 over the layer's units"),
    Quantity("conditional_variance", "preactivation", "Var(z) given the layer below: Var(W) |a|^2 + Var(b)"),
    Quantity("pivot", "preactivation", "mean of z^2 over its conditional variance"),
    Quantity("activation_mean", "activation", "mean of a over the layer's units", ends=_ANY),
    Quantity("activation_variance", "activation", "variance of a over the layer's units (ddof 1)"),
    Quantity("activation_second_moment", "activation", "mean of a^2 over the layer's units"),
    Quantity("derivative_second_moment", "activation", "mean of phi'(z)^2 over the layer's units"),
    Quantity("saturated_fraction", "activation", "share of units with |phi'(z)| below 5 % of its maximum", ends=_SHARE),
    Quantity(
        "dead_fraction", "activation", "share of units that output exactly 0 on every input", joint=True, ends=_SHARE
    ),
    Quantity(
        "cosine", "activation", "cosine of two inputs' activations, mean over the pairs", joint=True, ends=(-1.0, 1.0)
    ),
    Quantity("gradient_mean", "gradient", "mean of dLoss/dz over the layer's units", ends=_ANY),
    Quantity("gradient_variance", "gradient", "variance of dLoss/dz over the layer's units (ddof 1)"),
    Quantity("gradient_second_moment", "gradient", "mean of (dLoss/dz)^2 over the layer's units"),
    Quantity("weight_gradient_second_moment", "gradient", "mean of (dLoss/dW)^2 over the layer's weights"),
)
QUANTITIES: dict[str, Quantity] = {quantity.name: quantity for quantity in _ALL}
"""What varprop's own sampler records."""
ADDED = ("derivative_second_moment",)
"""Those that the first versions did not record, in the order of their coming, so that samples of these can still be read."""

_OF_MODULES = (
    Quantity("input_second_moment", "activation", "mean square of what a module is fed"),
    Quantity("input_gradient_second_moment", "gradient", "mean of (dLoss/dx)^2 over what a module is fed, through it"),
)
MODULE_QUANTITIES: dict[str, Quantity] = QUANTITIES | {quantity.name: quantity for quantity in _OF_MODULES}
"""These, and what is recorded of modules of another framework's model alone."""

_AT_THE_START = ("preactivation_variance", "activation_variance")
_OF_TRAINING = (
    Quantity("loss_gradient_variance", "gradient", "variance over the units of d(mean squared error)/dz at the start"),
    Quantity(
        "most_distinct_rows", "weights", "largest number of different rows of W, bit by bit, over all steps", True
    ),
    Quantity(
        "fewest_distinct_rows", "weights", "smallest number of different rows of W, bit by bit, over all steps", True
    ),
    Quantity("most_distinct_columns", "weights", "largest number of different columns of W, likewise", True),
    Quantity("fewest_distinct_columns", "weights", "smallest number of different columns of W, likewise", True),
    Quantity("weight_change", "weights", "root mean square over the entries of W of last minus first", True),
    Quantity("bias_change", "weights", "root mean square over the units of last minus first bias", True),
    Quantity("initial_loss", "loss", "mean squared error before the first step", True),
    Quantity("final_loss", "loss", "mean squared error after the last step", True),
)
TRAINING_QUANTITIES: dict[str, Quantity] = {name: QUANTITIES[name] for name in _AT_THE_START} | {
    quantity.name: quantity for quantity in _OF_TRAINING
}
"""What is recorded of networks that are trained: of their start, and of what training did."""
ALL_QUANTITIES: dict[str, Quantity] = MODULE_QUANTITIES | TRAINING_QUANTITIES
"""Every quantity that a simulation may have."""


def check_quantities(names: Iterable[str] | None, *, known: Mapping[str, Quantity] = QUANTITIES) -> tuple[str, ...]:
    """Return the names in canonical order, each once; None means all that are known.

    Examples
    --------
    >>> check_quantities(["pivot", "preactivation_mean"])
    ('preactivation_mean', 'pivot')
    """
    if names is None:
        return tuple(known)
    if isinstance(names, str):
        names = (names,)
    wanted = set(names)
    for name in sorted(wanted - set(known)):
        msg = f"unknown quantity {quoted(name)}{hint(name, known)}"
        raise ValueError(msg)
    if not wanted:
        msg = "quantities is empty; name at least one, or pass None for all"
        raise ValueError(msg)
    return tuple(name for name in known if name in wanted)
