"""From the tables [network], [grid] and [sweep] to networks with labels, and which of them a claim is about."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from varprop.model.activations import Activation
from varprop.model.initializers import Initializer, get_initializer
from varprop.model.network import Network, mlp, widths_label
from varprop.study.errors import Problem
from varprop.study.items import MOST_LAYERS, NamedPattern
from varprop.study.schema import GridTable, NetworkTable, WhereTable
from varprop.study.sweep import SETS, VARIABLES, Sweep, has_value, value_text

KEYS = ("activation", "weights", "biases", "widths")
"""What tells configurations apart, in the order in which a label names it."""
_PLAIN = ("activation", "weights", "widths")
"""Fields whose text says by itself what it is."""
MAX_CONFIGURATIONS = 10_000

_EXAMPLES = {
    "widths": 'widths = "256x20"',
    "activation": 'activation = "relu"',
    "weights": 'weights = "he_normal"',
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """One network of a study."""

    label: str
    network: Network
    fields: tuple[tuple[str, str], ...]
    swept: float | None = None
    series: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The parts of one configuration."""

    activation: Activation
    weights: Initializer
    biases: Initializer
    widths: tuple[int, ...]
    swept: tuple[str, float] | None = None

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """What each part is called."""
        swept = () if self.swept is None else ((self.swept[0], value_text(self.swept[1])),)
        return (
            ("activation", self.activation.label),
            ("weights", self.weights.label),
            ("biases", self.biases.label),
            ("widths", widths_label(self.widths)),
            *swept,
        )


def cross(
    shared: NetworkTable, grids: Sequence[GridTable], *, several: bool, sweep: Sweep | None = None
) -> tuple[tuple[Choice, ...], list[Problem]]:
    """Cross every grid with what all configurations share; a combination that stands in two grids is kept once."""
    problems: list[Problem] = []
    choices: dict[Choice, None] = {}
    layers = 0
    for index, grid in enumerate(grids):
        path = f"grid[{index}]" if several else "grid"
        problems += _given_once(shared, grid, path, sweep)
        values = [_values(shared, grid, key) for key in KEYS]
        count = math.prod(map(len, values)) * (1 if sweep is None else len(sweep.values))
        if len(choices) + count > MAX_CONFIGURATIONS:
            msg = f"crosses to {count} configurations; a study has at most {MAX_CONFIGURATIONS}: write several studies"
            problems.append(Problem(path, msg))
        elif (layers := layers + _layers(values, sweep)) > MOST_LAYERS:
            msg = f"crosses to {layers} weight layers in all; a study has at most {MOST_LAYERS}: write several studies"
            problems.append(Problem(path, msg))
        elif not problems:
            crossed = itertools.starmap(Choice, itertools.product(*values))
            choices.update(dict.fromkeys(crossed if sweep is None else _taken_through(crossed, sweep)))
    # A key that neither table has is missing once, however many grids there are.
    problems = list(dict.fromkeys(problems))
    return (() if problems else tuple(choices)), problems


def _layers(values: Sequence[Sequence[Any]], sweep: Sweep | None) -> int:
    """Weight layers of a grid's combinations, without making any of them."""
    widths = values[KEYS.index("widths")]
    others = math.prod(map(len, values)) // len(widths)
    if sweep is not None and sweep.variable == "depth":
        return others * len(widths) * int(sum(sweep.values))
    points = 1 if sweep is None else len(sweep.values)
    return others * points * sum(len(one) - 1 for one in widths if one is not None)


def _given_once(shared: NetworkTable, grid: GridTable, path: str, sweep: Sweep | None) -> list[Problem]:
    problems = []
    for key in KEYS:
        here, there = getattr(shared, key) is not None, getattr(grid, key) is not None
        if sweep is not None and key == sweep.sets and key != "widths":
            msg = f"is set by the sweep of {sweep.variable}; leave it out"
            problems += [Problem(f"{where}.{key}", msg) for where, given in (("network", here), (path, there)) if given]
        elif here and there:
            problems.append(Problem(f"{path}.{key}", "is given in [network] too; keep one of the two"))
        elif not (here or there) and key in _EXAMPLES:
            msg = f"is required; write for example {_EXAMPLES[key]}, or a list of {key} in [grid]"
            problems.append(Problem(f"network.{key}", msg))
    return problems + ([] if sweep is None or sweep.sets != "widths" else _one_width(shared, grid, path, sweep))


def _one_width(shared: NetworkTable, grid: GridTable, path: str, sweep: Sweep) -> list[Problem]:
    """A sweep of depth or width changes the widths of one network, all of whose layers are alike."""
    widths = cast("tuple[int, ...] | None", shared.widths)  # what its validators make of it
    if grid.widths is not None:
        return [Problem(f"{path}.widths", f"does not go with a sweep of {sweep.variable}; write one in [network]")]
    if widths is not None and len(set(widths)) > 1:
        msg = (
            f'must all be equal for a sweep of {sweep.variable}, got {widths_label(widths)}; write for example "64x20"'
        )
        return [Problem("network.widths", msg)]
    return []


def _taken_through(choices: Iterable[Choice], sweep: Sweep) -> Iterator[Choice]:
    """Every choice with every value of the sweep."""
    for choice, value in itertools.product(choices, sweep.values):
        swept = (sweep.variable, value)
        if sweep.sets == "widths":
            yield replace(choice, widths=sweep.widths(choice.widths, value), swept=swept)
        elif sweep.sets == "weights":
            yield replace(choice, weights=sweep.law(value), swept=swept)
        else:
            yield replace(choice, biases=sweep.law(value), swept=swept)


def _values(shared: NetworkTable, grid: GridTable, key: str) -> Sequence[Any]:
    listed, single = getattr(grid, key), getattr(shared, key)
    if listed is not None:
        return list(listed)
    return [get_initializer("zeros") if single is None and key == "biases" else single]


def configurations(choices: Sequence[Choice]) -> tuple[Configuration, ...]:
    """Build the networks and label each by what tells it apart.

    The label has every field that varies over the study; if none does, the activation and the weights. What a sweep sets
    is named by the swept value alone.
    """
    # All choices have the same fields, of which what is swept is one that no label needs.
    named_by = [key for key, _ in choices[0].fields] if choices else []
    redundant = {SETS[variable] for variable in VARIABLES if variable in named_by}
    fields = [dict(choice.fields) for choice in choices]
    told = [key for key in named_by if key not in redundant]
    varying = [key for key in told if key not in KEYS or len({field[key] for field in fields}) > 1] or [
        "activation",
        "weights",
    ]
    if varying[0] not in KEYS:
        varying = ["activation", *varying]
    swept_key = varying[-1] if varying[-1] not in KEYS else ""
    found: list[Configuration] = []
    seen: Counter[str] = Counter()
    for choice, field in zip(choices, fields, strict=True):
        named = {key: field[key] if key in _PLAIN else f"{key} {field[key]}" for key in varying}
        label = ", ".join(named.values())
        series = ", ".join(text for key, text in named.items() if key != swept_key)
        seen[label] += 1
        if seen[label] > 1:  # parameters that differ only in digits that their label does not show
            label = f"{label} ({seen[label]})"
        network = mlp(choice.widths, activation=choice.activation, weights=choice.weights, biases=choice.biases)
        swept = None if choice.swept is None else choice.swept[1]
        found.append(Configuration(label, network, choice.fields, swept, series))
    return tuple(found)


def matches(where: WhereTable, choice: Choice) -> bool:
    """Tell whether a table of a claim's ``where`` means this configuration."""
    widths = cast("tuple[tuple[int, ...], ...] | None", where.widths)  # what its validators make of it
    if widths is not None and choice.widths not in widths:
        return False
    for variable in VARIABLES:
        asked = getattr(where, variable)
        if asked is not None and not (
            choice.swept is not None and choice.swept[0] == variable and has_value(asked, choice.swept[1])
        ):
            return False
    return all(
        alternatives is None or any(_matches(pattern, found) for pattern in alternatives)
        for alternatives, found in (
            (where.activation, choice.activation),
            (where.weights, choice.weights),
            (where.biases, choice.biases),
        )
    )


def _matches(pattern: object, found: Activation | Initializer) -> bool:
    return isinstance(pattern, NamedPattern) and pattern.matches(found)


def available(where: WhereTable, choices: Iterable[Choice]) -> str:
    """Say what a ``where`` that matches nothing could have asked for."""
    choices = list(choices)
    asked = [key for key in (*KEYS, *VARIABLES) if getattr(where, key) is not None]
    parts = []
    for key in asked:
        there = list(dict.fromkeys(text for choice in choices for name, text in choice.fields if name == key))
        if not there:
            parts.append(f"{key}: no [sweep] takes it through values")
            continue
        parts.append(f"{key} {', '.join(there[:12])}{', ...' if len(there) > 12 else ''}")
    return "; ".join(parts)
