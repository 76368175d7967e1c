"""From the tables [network] and [grid] to networks with labels, and which of them a claim is about."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from varprop.model.activations import Activation
from varprop.model.initializers import Initializer, get_initializer
from varprop.model.network import Network, mlp, widths_label
from varprop.study.errors import Problem
from varprop.study.items import NounPattern
from varprop.study.schema import GridTable, NetworkTable, WhereTable

KEYS = ("activation", "weights", "biases", "widths")
"""What tells configurations apart, in the order in which a label names it."""
MAX_CONFIGURATIONS = 10_000

_EXAMPLES = {
    "widths": 'widths = "256x20"',
    "activation": 'activation = "relu"',
    "weights": 'weights = "he_normal"',
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """One network of a study.

    Parameters
    ----------
    label : str
        What tables and figures call it: what tells it from the study's other networks. Unique in a study.
    network : Network
        What is sampled.
    fields : tuple of (str, str)
        Labels of its activation, weights, biases and widths.
    """

    label: str
    network: Network
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The nouns of one configuration."""

    activation: Activation
    weights: Initializer
    biases: Initializer
    widths: tuple[int, ...]

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """What each noun is called."""
        return (
            ("activation", self.activation.label),
            ("weights", self.weights.label),
            ("biases", self.biases.label),
            ("widths", widths_label(self.widths)),
        )


def cross(
    shared: NetworkTable, grids: Sequence[GridTable], *, several: bool
) -> tuple[tuple[Choice, ...], list[Problem]]:
    """Cross every grid with what all configurations share; a combination that stands in two grids is kept once.

    Parameters
    ----------
    shared : NetworkTable
        Each key stands here or in every grid; biases may be left out.
    grids : sequence of GridTable
        One ``[grid]`` or several ``[[grid]]``.
    several : bool
        Whether the file has ``[[grid]]``, for the paths in problems.

    Returns
    -------
    choices : tuple of Choice
        Empty if there is a problem.
    problems : list of Problem
        A key given twice or not at all, or too many combinations.
    """
    problems: list[Problem] = []
    choices: dict[Choice, None] = {}
    for index, grid in enumerate(grids):
        path = f"grid[{index}]" if several else "grid"
        problems += _given_once(shared, grid, path)
        values = [_values(shared, grid, key) for key in KEYS]
        count = math.prod(map(len, values))
        if len(choices) + count > MAX_CONFIGURATIONS:
            msg = f"crosses to {count} configurations; a study has at most {MAX_CONFIGURATIONS}: write several studies"
            problems.append(Problem(path, msg))
        elif not problems:
            choices.update(dict.fromkeys(itertools.starmap(Choice, itertools.product(*values))))
    # A key that neither table has is missing once, however many grids there are.
    problems = list(dict.fromkeys(problems))
    return (() if problems else tuple(choices)), problems


def _given_once(shared: NetworkTable, grid: GridTable, path: str) -> list[Problem]:
    problems = []
    for key in KEYS:
        here, there = getattr(shared, key) is not None, getattr(grid, key) is not None
        if here and there:
            problems.append(Problem(f"{path}.{key}", "is given in [network] too; keep one of the two"))
        elif not (here or there) and key in _EXAMPLES:
            msg = f"is required; write for example {_EXAMPLES[key]}, or a list of {key} in [grid]"
            problems.append(Problem(f"network.{key}", msg))
    return problems


def _values(shared: NetworkTable, grid: GridTable, key: str) -> Sequence[Any]:
    listed, single = getattr(grid, key), getattr(shared, key)
    if listed is not None:
        return list(listed)
    return [get_initializer("zeros") if single is None and key == "biases" else single]


def configurations(choices: Sequence[Choice]) -> tuple[Configuration, ...]:
    """Build the networks and label each by what tells it apart.

    The label has every field that varies over the study; if none does, the activation and the weights.
    """
    varying = [i for i, _ in enumerate(KEYS) if len({choice.fields[i][1] for choice in choices}) > 1] or [0, 1]
    found: list[Configuration] = []
    seen: Counter[str] = Counter()
    for choice in choices:
        named = [choice.fields[i] for i in varying]
        label = ", ".join(f"biases {text}" if key == "biases" else text for key, text in named)
        seen[label] += 1
        if seen[label] > 1:  # parameters that differ only in digits that their label does not show
            label = f"{label} ({seen[label]})"
        network = mlp(choice.widths, activation=choice.activation, weights=choice.weights, biases=choice.biases)
        found.append(Configuration(label, network, choice.fields))
    return tuple(found)


def matches(where: WhereTable, choice: Choice) -> bool:
    """Tell whether a table of a claim's ``where`` means this configuration."""
    widths = cast("tuple[tuple[int, ...], ...] | None", where.widths)  # what its validators make of it
    if widths is not None and choice.widths not in widths:
        return False
    return all(
        alternatives is None or any(_matches(pattern, noun) for pattern in alternatives)
        for alternatives, noun in (
            (where.activation, choice.activation),
            (where.weights, choice.weights),
            (where.biases, choice.biases),
        )
    )


def _matches(pattern: object, noun: Activation | Initializer) -> bool:
    return isinstance(pattern, NounPattern) and pattern.matches(noun)


def available(where: WhereTable, choices: Iterable[Choice]) -> str:
    """Say what a ``where`` that matches nothing could have asked for."""
    choices = list(choices)
    asked = [key for key in KEYS if getattr(where, key) is not None]
    parts = []
    for key in asked:
        there = list(dict.fromkeys(dict(choice.fields)[key] for choice in choices))
        parts.append(f"{key} {', '.join(there[:12])}{', ...' if len(there) > 12 else ''}")
    return "; ".join(parts)
