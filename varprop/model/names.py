"""How things are named: labels, and what is said of a name or a parameter that does not exist."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from varprop._arguments import quoted

_LONGEST = 100  # characters of a wrong name that a message quotes


def label(name: str, parameters: Iterable[tuple[str, float | str]]) -> str:
    """``relu``, or with parameters ``leaky_relu(slope=0.1)``."""
    arguments = ", ".join(f"{key}={_short(value)}" for key, value in parameters)
    return f"{name}({arguments})" if arguments else name


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The right name that a wrong one is closest to; None if none is near."""
    return next(iter(get_close_matches(str(name)[:_LONGEST].lower(), list(known), n=1)), None)


def hint(name: object, known: Iterable[str]) -> str:
    """End of a message about a wrong name: the nearest right one, or all of them if none is near.

    Examples
    --------
    >>> hint("rellu", ["relu", "tanh"]), hint("x", ["relu", "tanh"])
    ("; did you mean 'relu'?", '; known are relu, tanh')
    """
    known = list(known)
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near else f"; known are {', '.join(known)}"


def in_turn(labels: Iterable[str]) -> str:
    """Different labels, each once, as ``relu/tanh``."""
    return "/".join(dict.fromkeys(labels))


def unknown_name(kind: str, name: object, known: Sequence[str]) -> str:
    """Message for a name that is not there: the nearest right one, and all of them."""
    near = nearest(name, known)
    meant = f"; did you mean {near!r}?" if near else ";"
    return f"there is no {kind} named {_quoted(name)}{meant} Known: {', '.join(known)}"


def check_parameters(kind: str, name: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Raise ValueError for a parameter that the named thing does not take."""
    for key in given:
        if key not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            msg = f"{kind} {quoted(name)} has no parameter {_quoted(key)}; {takes}"
            raise ValueError(msg)


def with_name(kind: str, mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """The mapping, once it is certain that it says which thing it means."""
    if not isinstance(mapping.get("name"), str):
        msg = f'a mapping stands for an {kind} with its "name" and parameters as keys, got {quoted(dict(mapping))}'
        raise ValueError(msg)  # noqa: TRY004  the type is right, its content is not
    return mapping


LONGEST_NAME = 200
"""Characters of a name of one's own: it stands in every label, table and message."""


def check_name(kind: str, name: object) -> None:
    """Refuse what can stand in no table as a name."""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        msg = f"an {kind}'s name must be a non-empty string of {LONGEST_NAME} characters at most, got {quoted(name)}"
        raise ValueError(msg)


def finite_number(name: str, value: object) -> float:
    """The value as a float, or an error that names it."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        msg = f"{name} must be a number, got {quoted(value)}"
        raise TypeError(msg)
    try:
        number = float(value)
    except OverflowError:  # and Python refuses to print the longest of them
        msg = f"{name} must be a number that float64 can hold, below 1.8e308, and is larger"
        raise ValueError(msg) from None
    if not math.isfinite(number):
        msg = f"{name} must be finite, got {quoted(value)}"
        raise ValueError(msg)
    return number


def not_negative(name: str, value: object) -> float:
    """The value as a float, or an error that names it."""
    number = finite_number(name, value)
    if number < 0:
        msg = f"{name} must be >= 0, got {quoted(value)}"
        raise ValueError(msg)
    return number


def _quoted(given: object) -> str:
    """Quote what was given, unless it is longer than any name."""
    text = repr(given)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _short(value: float | str) -> str:
    """The fewest digits that give the same number back."""
    if isinstance(value, str):
        return value
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)
