"""Short texts for widths and for nouns with parameters: ``256x20``, ``leaky_relu(slope=0.1)``."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import cycle, islice
from typing import TypeVar

from varprop._arguments import quoted
from varprop.model.activations import get_activation
from varprop.model.initializers import get_initializer
from varprop.model.network import MAX_LAYERS, Network, mlp

Value = TypeVar("Value")

MAX_DEPTH = MAX_LAYERS
"""More layers than this are a slip of the keyboard."""
MOST_LAYERS = 2**20
"""Weight layers of all configurations together; each becomes an object, and a row of every table."""

_WIDTHS = re.compile(r"(?P<pattern>\d{1,9}(?:-\d{1,9})*)(?:x(?P<depth>\d{1,9}))?", re.ASCII)
_NOUN = re.compile(r"(?P<name>[A-Za-z_]\w*)\s*(?:\((?P<parameters>.*)\))?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def parse_widths(text: str) -> tuple[int, ...]:
    """Read widths as ``varprop.model.network.widths_label`` writes them.

    Examples
    --------
    >>> parse_widths("8x3"), parse_widths("784-64-10"), parse_widths("8-4x3")
    ((8, 8, 8, 8), (784, 64, 10), (8, 4, 8, 4))
    """
    match = _WIDTHS.fullmatch(text.strip()) if len(text) <= 10_000 else None
    if match is None or (match["depth"] is None and "-" not in match["pattern"]):
        msg = (
            f"widths must read like 256x20 (256 inputs, 20 weight layers of 256) or 784-64-10, got {quoted(text[:60])}; "
            "write INPUTxDEPTH, or the units of every layer joined by -"
        )
        raise ValueError(msg)
    pattern = [int(units) for units in match["pattern"].split("-")]
    depth = len(pattern) - 1 if match["depth"] is None else int(match["depth"])
    if not 1 <= depth <= MAX_DEPTH:
        msg = f"depth counts weight layers and must lie between 1 and {MAX_DEPTH}, got {depth} in {quoted(text[:60])}"
        raise ValueError(msg)
    return tuple(islice(cycle(pattern), depth + 1))


def layers_of(widths: object) -> int:
    """Weight layers that widths as a study writes them ask for, before they are spelt out; 0 if they cannot be read."""
    if isinstance(widths, list):
        return max(0, len(widths) - 1)
    if isinstance(widths, dict):
        depth = widths.get("depth")
        return depth if type(depth) is int and depth > 0 else 0
    match = _WIDTHS.fullmatch(widths.strip()) if isinstance(widths, str) and len(widths) <= 10_000 else None
    if match is None:
        return 0
    return match["pattern"].count("-") if match["depth"] is None else int(match["depth"])


def parse_noun(text: str) -> tuple[str, dict[str, float | str]]:
    """Read an activation or a law as its label writes it: a name, perhaps with parameters in brackets.

    Examples
    --------
    >>> parse_noun("relu"), parse_noun("variance_scaling(scale=2, mode=fan_in)")
    (('relu', {}), ('variance_scaling', {'scale': 2.0, 'mode': 'fan_in'}))
    """
    match = _NOUN.fullmatch(text.strip())
    parameters: dict[str, float | str] = {}
    for item in (match["parameters"] or "").split(",") if match and (match["parameters"] or "").strip() else ():
        key, equals, value = (part.strip() for part in item.partition("="))
        if not (equals and key.isidentifier() and value):
            match = None
            break
        parameters[key] = float(value) if _NUMBER.fullmatch(value) else value.strip("\"'")
    if match is None:
        msg = f"expected a name, perhaps with parameters, got {quoted(text[:60])}; write relu, or leaky_relu(slope=0.1)"
        raise ValueError(msg)
    return match["name"], parameters


def parse_network(*, widths: str, activation: str, weights: str, biases: str = "zeros") -> Network:
    """Build a multilayer perceptron from the short texts.

    Examples
    --------
    >>> parse_network(widths="8x3", activation="relu", weights="normal(std=0.5)").label
    'relu, normal(std=0.5), 8x3'
    """
    return mlp(
        _named("widths", widths, parse_widths),
        activation=_named("activation", activation, lambda text: _noun(text, get_activation)),
        weights=_named("weights", weights, lambda text: _noun(text, get_initializer)),
        biases=_named("biases", biases, lambda text: _noun(text, get_initializer)),
    )


def _noun(text: str, get: Callable[..., Value]) -> Value:
    name, parameters = parse_noun(text)
    return get(name, **parameters)


def _named(what: str, text: str, parse: Callable[[str], Value]) -> Value:
    """Parse a text; an error says which one it was."""
    try:
        return parse(text)
    except (TypeError, ValueError) as error:
        msg = f"{what}: {error}"
        raise ValueError(msg) from error
