"""``[sweep]``: one variable taken through values, each of them crossed with the grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import AfterValidator, Field, Tag, model_validator

from varprop.model.initializers import Initializer, get_initializer
from varprop.model.layers import MAX_WIDTH
from varprop.study.errors import shown
from varprop.study.items import MAX_DEPTH, StrictTable, forms, reject_all

Variable = Literal["weight_variance", "bias_variance", "depth", "width"]
VARIABLES: tuple[Variable, ...] = get_args(Variable)
SETS: dict[Variable, str] = {
    "weight_variance": "weights",
    "bias_variance": "biases",
    "depth": "widths",
    "width": "widths",
}
"""The key of [network] and [grid] that a sweep of the variable takes the place of, or (widths) changes."""
MAX_POINTS = 1000
_DIGITS = 4
"""Significant digits of a generated value, so that a label says the value itself and ``where`` can name it."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One variable and the values that it takes.

    Examples
    --------
    >>> Sweep("weight_variance", (0.5, 2.0), "log", "normal").law(2.0).label
    'variance_scaling(scale=2, mode=fan_in, distribution=normal)'
    """

    variable: Variable
    values: tuple[float, ...]
    scale: Literal["linear", "log"]
    distribution: str

    @property
    def sets(self) -> str:
        """The key of [network] and [grid] whose place it takes, or (widths) that it changes."""
        return SETS[self.variable]

    def law(self, value: float) -> Initializer:
        """Law of the weights, or of the biases, that has the variance; of a sweep of one of them."""
        if self.variable == "weight_variance":
            return get_initializer("variance_scaling", scale=value, mode="fan_in", distribution=self.distribution)
        if value == 0:
            return get_initializer("zeros")
        if self.distribution == "uniform":
            return get_initializer("uniform", limit=math.sqrt(3 * value))
        return get_initializer("normal", std=math.sqrt(value))

    def widths(self, widths: tuple[int, ...], value: float) -> tuple[int, ...]:
        """Widths of a network whose depth or width is swept; all those given are equal."""
        if self.variable == "depth":
            return (widths[0],) * (int(value) + 1)
        return (int(value),) * len(widths)


def value_text(value: float) -> str:
    """Write a swept value as a label has it.

    Examples
    --------
    >>> value_text(4.0), value_text(0.3536), value_text(2.5e-5)
    ('4', '0.3536', '2.5e-05')
    """
    return f"{value:.12g}"


Number = Annotated[float, Field(ge=0)]


def _listed(values: list[float]) -> list[float]:
    repeated: dict[tuple[str | int, ...], str] = {
        (i,): "is the same as an earlier item; remove one of them"
        for i, value in enumerate(values)
        if value in values[:i]
    }
    if repeated:
        reject_all(repeated)
    return values


class SweepTable(StrictTable):
    """``[sweep]``: one variable taken through values, crossed with the grid."""

    variable: Variable = Field(description="what is swept: n_in Var(W), Var(b), ...", examples=["weight_variance"])
    values: Annotated[list[Number], Field(min_length=1, max_length=MAX_POINTS), AfterValidator(_listed)] | None = Field(
        default=None, description="the values, in place of from, to and points", examples=[[0.5, 1.0, 2.0]]
    )
    start: Number | None = Field(default=None, alias="from", examples=[0.25])
    stop: Number | None = Field(default=None, alias="to", examples=[256.0])
    points: int | None = Field(default=None, ge=2, le=MAX_POINTS, examples=[21])
    scale: Literal["linear", "log"] | None = Field(
        default=None,
        description="spacing; log if left out and the largest value is ten times the least",
        examples=["log"],
    )
    distribution: Literal["normal", "truncated_normal", "uniform"] | None = Field(
        default=None, description="of the weights or biases whose variance is swept", examples=["normal"]
    )

    @model_validator(mode="after")
    def _goes_together(self) -> SweepTable:
        problems = self._misplaced() or self._misspaced() or self._impossible()
        if problems:
            reject_all({(key,): message for key, message in problems.items()})
        return self

    def _misplaced(self) -> dict[str, str]:
        """Keys that are missing, or that do not go with others."""
        said: dict[str, str] = {}
        ends = {"from": self.start, "to": self.stop, "points": self.points}
        if self.values is not None:
            for key, value in ends.items():
                if value is not None:
                    said[key] = "is given beside values; keep the list, or from, to and points"
        elif all(value is None for value in ends.values()):
            said["values"] = "or from, to and points are required; write for example values = [0.5, 1.0, 2.0]"
        else:
            examples = {"from": "from = 0.25", "to": "to = 256.0", "points": "points = 21"}
            for key, value in ends.items():
                if value is None:
                    said[key] = f"is required with the others of from, to and points; write for example {examples[key]}"
        if self.distribution is not None:
            if SETS[self.variable] == "widths":
                said["distribution"] = f"does not go with a sweep of {self.variable}; leave it out"
            elif self.variable == "bias_variance" and self.distribution == "truncated_normal":
                said["distribution"] = "of biases must be normal or uniform"
        return said

    def _misspaced(self) -> dict[str, str]:
        """Ends or a scale that make no values."""
        said: dict[str, str] = {}
        if self.values is None:
            start, stop = self._ends
            if not start < stop:
                said["to"] = f"must be > from, got {shown(stop)} and from = {shown(start)}"
            elif self.scale == "log" and start == 0:
                said["from"] = 'must be > 0 with scale = "log", got 0'
            elif len(set(self._spaced())) < (self.points or 0):
                kind = "whole numbers" if self._whole else f"numbers of {_DIGITS} digits"
                said["points"] = f"asks for more {kind} than there are, got {self.points}; write fewer"
        elif self.scale == "log" and min(self.values) == 0:
            said["scale"] = 'must be "linear" with a value of 0'
        return said

    def _impossible(self) -> dict[str, str]:
        """Values that the variable cannot have."""
        values = self._spaced()
        key = "values" if self.values is not None else "from" if min(values) == 0 else "to"
        if self._whole:
            most = MAX_DEPTH if self.variable == "depth" else MAX_WIDTH
            wrong = [value for value in values if value != int(value) or not 1 <= value <= most]
            if wrong:
                return {key: f"of {self.variable} must be whole numbers between 1 and {most}, got {shown(wrong[0])}"}
        elif self.variable == "weight_variance" and min(values) == 0:
            return {key: "of weight_variance must be > 0, got 0"}
        return {}

    @property
    def _whole(self) -> bool:
        return SETS[self.variable] == "widths"

    @property
    def _ends(self) -> tuple[float, float]:
        return self.start or 0.0, self.stop or 0.0

    def _scale(self) -> Literal["linear", "log"]:
        low, high = (min(self.values), max(self.values)) if self.values is not None else self._ends
        if self.scale is not None:
            return self.scale
        return "log" if low > 0 and high / low >= 10 else "linear"

    def _spaced(self) -> tuple[float, ...]:
        """The values: those listed, or so many between the ends, rounded."""
        if self.values is not None:
            return tuple(self.values)
        space = np.geomspace if self._scale() == "log" else np.linspace
        values = space(*self._ends, self.points or 2).tolist()
        if self._whole:
            return tuple(float(round(value)) for value in values)
        return tuple(float(f"{value:.{_DIGITS}g}") for value in values)

    def sweep(self) -> Sweep:
        """What the table says."""
        return Sweep(self.variable, self._spaced(), self._scale(), self.distribution or "normal")


# ---- where -------------------------------------------------------------------------------------------------------


class RangeTable(StrictTable):
    """``{ from = 1.0, to = 100.0 }``: the swept values between two ends, which count."""

    start: float | None = Field(default=None, alias="from", examples=[1.0])
    stop: float | None = Field(default=None, alias="to", examples=[100.0])

    @model_validator(mode="after")
    def _is_range(self) -> RangeTable:
        if self.start is None and self.stop is None:
            reject_all({("from",): "or to is required; write for example { from = 1.0, to = 100.0 }"})
        if self.start is not None and self.stop is not None and self.start > self.stop:
            reject_all({("to",): f"must be >= from, got {shown(self.stop)} and from = {shown(self.start)}"})
        return self

    def has(self, value: float) -> bool:
        """Tell whether a value lies in the range."""
        above = self.start is None or value >= self.start or math.isclose(value, self.start)
        return above and (self.stop is None or value <= self.stop or math.isclose(value, self.stop))


SweptScope = Annotated[
    Annotated[float, Tag("<number>")]
    | Annotated[list[float], Field(min_length=1), Tag("<list>")]
    | Annotated[RangeTable, Tag("<table>")],
    forms(
        "must be a number, a list of numbers, or a range such as { from = 1.0, to = 100.0 }",
        int="<number>",
        float="<number>",
        list="<list>",
        dict="<table>",
    ),
]
"""What ``where`` asks of a swept value."""


def has_value(asked: float | list[float] | RangeTable, value: float) -> bool:
    """Tell whether a swept value is one that ``where`` asks for."""
    if isinstance(asked, RangeTable):
        return asked.has(value)
    return any(math.isclose(value, one) for one in (asked if isinstance(asked, list) else [asked]))
