"""Closed forms as data: the Gaussian moments of an activation that are known by formula, and entries of the catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from varprop._typing import Float64Array, FloatArray

Parameters = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """A function with its parameters filled in; unlike `functools.partial`, equal to another that does the same."""

    function: Callable[..., FloatArray]
    parameters: Parameters

    def __call__(self, *arrays: FloatArray) -> FloatArray:
        """Call the function with these arrays and the parameters."""
        return self.function(*arrays, **dict(self.parameters))


def bind(function: Callable[..., FloatArray], parameters: Parameters) -> Callable[..., FloatArray]:
    """The function with its parameters filled in; itself where there are none."""
    return Bound(function, parameters) if parameters else function


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianFormulas:
    """Closed forms of the moments of one activation, None where none is known.

    Each takes float64 arrays that broadcast, q >= 0 and rho in [-1, 1], and returns a float64 array. At q = 0 it is
    the limit from q > 0.
    """

    mean: Callable[..., Float64Array] | None = None
    second_moment: Callable[..., Float64Array] | None = None
    variance: Callable[..., Float64Array] | None = None
    derivative_second_moment: Callable[..., Float64Array] | None = None
    value_derivative_moment: Callable[..., Float64Array] | None = None
    covariance: Callable[..., Float64Array] | None = None
    derivative_covariance: Callable[..., Float64Array] | None = None

    def bind(self, parameters: Parameters) -> GaussianFormulas:
        """Fill in the parameters of every formula."""
        known = ((field.name, getattr(self, field.name)) for field in fields(self))
        bound: dict[str, Any] = {name: bind(formula, parameters) for name, formula in known if formula}
        return GaussianFormulas(**bound)


NO_FORMULAS = GaussianFormulas()


# ---- entries of the catalogue ----------------------------------------------------------------------------------------


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
