"""How numbers, quantities and verdicts are worded: one place, so that every page and figure says the same."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from varprop.model.quantities import ALL_QUANTITIES
from varprop.study.files import plain
from varprop.verification import claims

MISSING = "–"
"""What a table shows where there is no number."""

SYMBOLS = claims.SYMBOLS
"""What stands beside a verdict on every page."""

_AXIS_LABELS = {
    "preactivation_mean": "mean z",
    "activation_mean": "mean a",
    "gradient_mean": "mean δ",
    "preactivation_variance": "var z",
    "activation_variance": "var a",
    "gradient_variance": "var δ",
    "preactivation_second_moment": "z²",
    "activation_second_moment": "a²",
    "gradient_second_moment": "δ²",
    "weight_gradient_second_moment": "(∂L/∂W)²",
    "conditional_variance": "v",
    "pivot": "z²/v",
    "derivative_second_moment": "φ′²",
    "saturated_fraction": "saturated",
    "dead_fraction": "dead",
    "cosine": "cosine",
    "input_second_moment": "x²",
    "input_gradient_second_moment": "(∂L/∂x)²",
    "loss_gradient_variance": "var ∂L/∂z",
    "most_distinct_rows": "most different rows",
    "fewest_distinct_rows": "fewest different rows",
    "most_distinct_columns": "most different columns",
    "fewest_distinct_columns": "fewest different columns",
    "weight_change": "change of W",
    "bias_change": "change of b",
}

SYMBOL_KEY = "z: pre-activations, a: activations, δ = dLoss/dz"


def axis_label(quantity: str) -> str:
    """Name a quantity as briefly as an axis needs; one without a symbol goes by its own name."""
    return _AXIS_LABELS.get(quantity, quantity.replace("_", " "))


def meaning(quantity: str) -> str:
    """Say in one phrase what a recorded quantity is."""
    if quantity == "weights":  # drawn from their law for a test of it, not recorded by a sampler
        return "value of a single weight"
    return ALL_QUANTITIES[quantity].meaning if quantity in ALL_QUANTITIES else quantity.replace("_", " ")


def number(value: float) -> str:
    """Four significant digits.

    Examples
    --------
    >>> [number(v) for v in (1.0, -0.011497, 1999.6, 3.14159e-7, 0.0, sys.float_info.max)]
    ['1.000', '-0.01150', '2000', '3.142e-07', '0', '> 1e308']
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if abs(value) == sys.float_info.max:  # what stands for all that no number holds
        return "> 1e308" if value > 0 else "< -1e308"
    if value == 0.0:
        return "0"
    return f"{value:#.4g}".rstrip(".")


def interval(low: float, high: float) -> str:
    """Both ends of an interval, or the mark of a missing number."""
    if math.isnan(low) or math.isnan(high):
        return MISSING
    return f"{number(low)} to {number(high)}"


def pvalue(value: float) -> str:
    """A p-value to four decimals; what is smaller is said to be smaller, never 0."""
    if math.isnan(value):
        return MISSING
    if value < 0.0001:
        return "<0.0001"
    return ">0.9999" if value > 0.9999 else f"{value:.4f}"


def sentence(text: str) -> str:
    """Begin a phrase with a capital and end it with a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def listing(names: Sequence[str]) -> str:
    """Names in a sentence: ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def count(value: float, noun: str = "") -> str:
    """An integer with thousands separated, with a noun that agrees: ``1 network``, ``2,000 networks``."""
    text = f"{int(value):,}"
    if not noun:
        return text
    return f"{text} {noun}" if int(value) == 1 else f"{text} {noun}s"


def percent(fraction: float) -> str:
    """A margin as a percentage without needless zeros: 0.05 is ``5 %``."""
    return f"{100 * fraction:.4g} %"


def plain_lines(text: str) -> str:
    """The lines of a file a user wrote, each made printable, indentation kept."""
    lines = text.expandtabs(4).splitlines()
    return "\n".join(" " * (len(line) - len(line.lstrip(" "))) + plain(line) for line in lines)
