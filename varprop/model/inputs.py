"""Inputs that a caller gives, and what a network is trained on: numbers, and nothing that only turns into them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from varprop._arguments import quoted
from varprop._typing import Float64Array

MAX_NUMBERS = 2**28
"""Of all inputs together, 2 GiB: what takes more is a slip of the keyboard, and is refused before it is drawn."""

_LARGEST = 1e150
"""Of an input: beyond it the square is no number."""


def check_inputs(inputs: ArrayLike | int | None, size: int) -> int | Float64Array | None:
    """Return inputs as they were given, rows as an array."""
    if inputs is None:
        return None
    if isinstance(inputs, int | np.integer) and not isinstance(inputs, bool):
        if not 1 <= inputs <= MAX_NUMBERS // size:
            came = int(inputs) if abs(int(inputs)) < 10**18 else f"an integer of {int(inputs).bit_length()} bits"
            msg = f"inputs must lie between 1 and {MAX_NUMBERS // size} as a number of random inputs of {size}, got {came}"
            raise ValueError(msg)
        return int(inputs)
    x = real_array(inputs)
    if x.ndim != 2 or x.shape[1] != size or not len(x):
        msg = f"inputs must be an array of shape (inputs, {size}), got shape {x.shape}; write inputs=x[None] for one"
        raise ValueError(msg)
    if not np.isfinite(x).all():
        msg = "inputs must be finite; drop or fill NaN and infinity first"
        raise ValueError(msg)
    if np.abs(x).max() > _LARGEST:
        msg = f"inputs must lie within +-{_LARGEST:g}, where their squares are numbers, got {np.abs(x).max():g}; scale them"
        raise ValueError(msg)
    return x


def check_size(given: object, name: str, *, most: int = MAX_NUMBERS) -> None:
    """Refuse more numbers than can be meant, before they are copied; parameters and errors as of `real_array`."""
    size = given.size if isinstance(given, np.ndarray) else len(given) if isinstance(given, Collection) else 0
    if size > most:
        msg = f"{name} must be {most} numbers at most, got {size}"
        raise ValueError(msg)


def real_array(given: ArrayLike, name: str = "inputs", *, most: int = MAX_NUMBERS) -> Float64Array:
    """Return what is given as float64, if that loses nothing; errors as of `check_inputs`."""
    check_size(given, name, most=most)
    rows = given if isinstance(given, list | tuple) else [given]
    if any(np.ma.isMaskedArray(part) for part in rows):
        msg = f"{name} must not be a masked array, whose mask would be lost; fill it first: {name}=x.filled(0.0)"
        raise TypeError(msg)
    try:
        array = np.asarray(given)
    except ValueError as error:  # rows of different lengths
        msg = f"{name} must be an array of real numbers, with rows of one length: {quoted(str(error))}"
        raise ValueError(msg) from error
    alike = array.dtype.kind in "biuf" or (
        array.dtype.kind == "O" and all(isinstance(one, numbers.Real) for one in array.flat)
    )
    if not alike:
        kind = type(given).__name__ if array.ndim == 0 else quoted(str(array.dtype))[1:-1]
        msg = f"{name} must be an array of real numbers, got {kind}; convert them first: np.asarray(x, dtype=float)"
        raise TypeError(msg)
    try:
        return array.astype(np.float64)
    except OverflowError:
        msg = f"{name} must be numbers that float64 can hold, got an integer of more than 1024 bits"
        raise ValueError(msg) from None


# ---- what is trained on ----------------------------------------------------------------------------------------------


MAX_STEPS = 10_000
"""These steps exist to see what an initialisation does under training, not to train for use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Full-batch gradient descent on the mean squared error.

    Examples
    --------
    >>> Training(steps=20, learning_rate=0.1).train_biases
    True
    """

    steps: int
    learning_rate: float
    train_biases: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.steps, bool) or not hasattr(self.steps, "__index__") or not 1 <= self.steps <= MAX_STEPS:
            msg = f"steps must be an integer from 1 to {MAX_STEPS:,}, got {quoted(self.steps)}; write for example steps=20"
            raise ValueError(msg)
        rate = self.learning_rate
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not (math.isfinite(rate) and rate > 0):
            msg = f"learning_rate must be a finite number > 0, got {quoted(rate)}; write for example learning_rate=0.1"
            raise ValueError(msg)
        if not isinstance(self.train_biases, bool):
            msg = f"train_biases must be True or False, got {quoted(self.train_biases)}"
            raise TypeError(msg)

    def describe(self) -> dict[str, Any]:
        """Return the content as plain data, as `Network.describe` does."""
        return {
            "steps": int(self.steps),
            "learning_rate": float(self.learning_rate),
            "train_biases": self.train_biases,
        }
