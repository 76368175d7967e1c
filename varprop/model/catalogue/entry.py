"""What the catalogue holds for one activation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from varprop._typing import FloatArray
from varprop.model.formulas import NO_FORMULAS, GaussianFormulas


def unbounded(**_parameters: float) -> tuple[float, float]:
    """The range of a function that has no ends."""
    return -math.inf, math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One built-in activation; every function takes the activation's parameters as keywords after its arrays.

    All functions but `max_slope` and `value_range` live in a module under their own name, so that what is made of them can be
    pickled.
    """

    value: Callable[..., FloatArray]
    derivative: Callable[..., FloatArray]
    slope_from_value: Callable[..., FloatArray] | None = None
    defaults: Mapping[str, float] = field(default_factory=dict)
    positive: tuple[str, ...] = ()  # parameters that must be > 0
    kinks: tuple[float, ...] = ()
    jumps: tuple[float, ...] = ()
    homogeneous: bool = False
    max_slope: Callable[..., float]
    value_range: Callable[..., tuple[float, float]] = unbounded
    formulas: GaussianFormulas = NO_FORMULAS
