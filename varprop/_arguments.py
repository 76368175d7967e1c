"""What kind of value each argument of a public function may be, read off its annotation: other kinds are refused at the edge.

Without it a text, a list or a bool gets as far as some arithmetic, and either ends there in words about varprop's insides or, worse,
comes through: ``True`` as a margin is 1, and a one-element array is whatever it holds.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
import math
import numbers
import os
import re
import reprlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from collections.abc import Set as AbstractSet
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

_LARGEST_WHOLE = 2**63  # nothing can be had in such numbers, and the digits of larger ones cannot always be printed


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse arguments of another kind than the annotations of a public function say.

    Numbers, texts, bools, paths and values of varprop are looked at, wherever an annotation names nothing else; other arguments
    are the function's own business, and so is the range of a number. NumPy's scalars and fractions become Python's numbers.
    """
    signature = inspect.signature(function)
    kinds = {name: found for name, one in signature.parameters.items() if (found := _kinds(one.annotation))}
    examples = {name: one.default for name, one in signature.parameters.items()}
    positional = [
        name
        for name, one in signature.parameters.items()
        if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD, one.VAR_POSITIONAL}
    ]

    def fit(name: str, value: Any) -> Any:
        return _fit(function.__name__, name, value, kinds[name], examples[name]) if name in kinds else value

    @functools.wraps(function)
    def call(*given: P.args, **options: P.kwargs) -> R:
        named = positional + [""] * (len(given) - len(positional))  # too many are Python's to refuse
        first = (fit(name, value) for name, value in zip(named, given, strict=False))
        return function(*cast(Any, first), **cast(Any, {name: fit(name, value) for name, value in options.items()}))

    return call


def check_fields(made: object) -> None:
    """Refuse fields of another kind than a dataclass says, as `checked` does arguments."""
    for one in dataclasses.fields(cast(Any, made)):
        found = _kinds(str(one.type))
        if (
            found and one.init and not isinstance(value := getattr(made, one.name), bool)
        ):  # its range is its own to check
            _fit(type(made).__name__, one.name, value, found, one.default)


_LITERALS = ("LawQuantity", "PhaseValue", "Variable", "Source")  # names for a Literal of texts
_NUMBERS = {"float": "a number", "int": "an integer", "bool": "True or False"}
_TEXTS = {"str": "a text", "Path": "a path"}
_VARPROPS = ("Network", "ModuleNetwork", "Simulation", "Run", "Study")
_CLASSES = {**dict.fromkeys(_VARPROPS, "varprop"), "Axes": "matplotlib"}
"""Classes by the packages that they are of: known by name, since most must not be imported here."""
_WORDS = {**_NUMBERS, **_TEXTS, **{name: f"a {name}" for name in _VARPROPS}}
_WORDS |= {"Axes": "Axes of matplotlib", "None": "None"}
_WORDS |= {"names": "a list of texts", "items": "a list", "Callable": "a function"}
_MOST = {"names": 1000, "items": 2**17}
_MADE = {
    "Network": "vp.mlp([256] * 21, ...)",
    "Simulation": "vp.simulate(network, ...), or of your own measurements vp.Simulation.from_frame(frame, network)",
    "Run": "vp.load_run(path)",
    "Study": "vp.load_study(path)",
}
_EXAMPLES = {"float": 0.05, "int": 2, "bool": True}


@functools.cache
def _kinds(annotation: object) -> tuple[str, ...]:
    """The kinds that an annotation allows; none if it names one that is not looked at here."""
    text = re.sub(r"Literal\[[^\]]*\]", "str", str(annotation))
    found = tuple(map(_kind, re.split(r" \| (?![^\[]*\])", text)))
    several = sum(kind in _CLASSES or kind in _MOST for kind in found) > 1  # whose function says what it takes them for
    return () if several else found if all(kind in _WORDS for kind in found) and found != ("None",) else ()


def _kind(part: str) -> str:
    """A word of `_WORDS`, or something else that is not looked at."""
    outer, _, inner = part.partition("[")
    if outer in {"Sequence", "Iterable"}:
        return "names" if inner == "str]" else "items"
    return "str" if part in _LITERALS else outer if outer == "Callable" else part


def _fit(function: str, name: str, value: Any, kinds: tuple[str, ...], default: object) -> Any:
    """Return the value, as a plain number if it is one."""
    kind = next((kind for kind in kinds if _fits(kind, value)), None)
    if kind is None:
        raise TypeError(_refusal(function, name, value, kinds, default))
    plain = {"bool": _bool, "int": _whole, "float": _real, "names": _items, "items": _items}.get(kind)
    return plain(name, value, kind) if plain else value


def _fits(kind: str, value: object) -> bool:
    """Whether a value is of a kind."""
    match kind:
        case "None":
            return value is None
        case "int":  # whether a number is whole is a question of its range, which is the function's
            return isinstance(value, numbers.Real)
        case "float":
            return isinstance(value, numbers.Real) and not isinstance(value, bool)
        case "names" | "items":
            return _listed(kind, value)
        case "Callable":
            return callable(value)
    classes = {"bool": bool | np.bool, "str": str, "Path": os.PathLike}
    return isinstance(value, classes[kind]) if kind in classes else _is(value, kind)


def _refusal(function: str, name: str, value: object, kinds: tuple[str, ...], default: object) -> str:
    """What was wanted, what came, and what to write instead."""
    came, wanted = type(value).__name__, " or ".join(_WORDS[kind] for kind in kinds)
    if any(kind in _CLASSES for kind in kinds):
        made = next((f"; write for example {_MADE[kind]}" for kind in kinds if kind in _MADE), "")
        return f"{function} takes {wanted}, got {came} for its argument {name}{made}"
    example = default if isinstance(default, int | float) else None
    if example is None:
        example = next((_EXAMPLES[kind] for kind in kinds if kind in _EXAMPLES), None)
    return f"{name} must be {wanted}, got {came}" + ("" if example is None else f"; write for example {name}={example}")


def _listed(kind: str, value: object) -> bool:
    # A single name stands for a list of it, where a function says so.
    return isinstance(value, str) if kind == "names" and isinstance(value, str | bytes) else isinstance(value, Iterable)


def _items(name: str, value: Any, kind: str) -> Any:
    """A list that is no longer than any, of texts where names are wanted; what is no list at all its function tells."""
    if isinstance(value, str):
        return value
    found = items_of(name, value, most=_MOST[kind], example="['he']" if kind == "names" else "[1, 2]")
    if kind == "names" and not all(isinstance(one, str) for one in found):
        msg = f"{name} must be a list of texts, got {quoted(value)}"
        raise TypeError(msg)
    return value if isinstance(value, Sequence) else found


def _is(value: object, kind: str) -> bool:
    package = _CLASSES[kind]
    return any(one.__name__ == kind and one.__module__.split(".")[0] == package for one in type(value).__mro__)


def _bool(_name: str, value: Any, _kind: str) -> bool:
    return bool(value)


def _whole(name: str, value: Any, kind: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        return value if isinstance(value, bool) else _real(name, value, kind)
    number = int(value)
    if abs(number) >= _LARGEST_WHOLE:
        msg = f"{name} must be an integer of 63 bits at most, got one of {number.bit_length()} bits"
        raise ValueError(msg)
    return number


def _real(name: str, value: Any, _kind: str) -> float:
    if isinstance(value, float):
        return value
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if math.isinf(found) and not isinstance(value, np.floating):
        msg = f"{name} must be a number that float64 can hold, got one beyond 1.8e308"
        raise ValueError(msg)
    return int(value) if isinstance(value, numbers.Integral) else found


class _Short(reprlib.Repr):
    """Representations of one line, whatever is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxstring = self.maxother = _LONGEST
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 8

    def repr_int(self, x: int, _level: int) -> str:
        return repr(x) if abs(x) < 10**40 else f"<integer of {x.bit_length()} bits>"

    def repr_ndarray(self, x: np.ndarray, _level: int) -> str:
        return " ".join(repr(x).split()) if x.size <= 20 else f"<array of {x.dtype} of shape {x.shape}>"

    def repr_instance(self, x: object, level: int) -> str:
        return " ".join(super().repr_instance(x, level).split())


_LONGEST = 200  # characters of one value
_short = _Short()


def quoted(value: object) -> str:
    """Write what came in an error's message: its representation, on one short line, even if it has none.

    Examples
    --------
    >>> quoted("relu"), quoted(10**400), quoted([1] * 1000)
    ("'relu'", '<integer of 1329 bits>', '[1, 1, 1, 1, 1, 1, 1, 1, ...]')
    """
    text = _short.repr(value)
    return text if len(text) <= 2 * _LONGEST else text[: 2 * _LONGEST - 3] + "..."


def items_of(name: str, given: object, *, most: int, example: str, ordered: bool = False) -> list[Any]:
    """Return the items of what a caller gives for a list, of which there may be a billion, or no end."""
    single = isinstance(given, str | bytes | bytearray | memoryview | Mapping) or (
        ordered and isinstance(given, AbstractSet)
    )
    # An array without axes can be gone through by its class, and cannot.
    if single or not isinstance(given, Iterable) or getattr(given, "shape", None) == ():
        msg = f"{name} must be a list, got {type(given).__name__}; write for example {name}={example}"
        raise TypeError(msg)
    found = list(itertools.islice(given, most + 1)) if not isinstance(given, Sized) or len(given) <= most else None
    if found is None or len(found) > most:
        msg = f"{name} must have {most} items at most, got more; write for example {name}={example}"
        raise ValueError(msg)
    return found


def renamed(module: str, **names: object) -> Callable[[str], object]:
    """Make a module's ``__getattr__`` that still knows things by the names that they had."""

    def getattribute(name: str) -> object:
        if name not in names:
            msg = f"module {module!r} has no attribute {name!r}"
            raise AttributeError(msg)
        now = getattr(names[name], "__name__", repr(names[name]))
        warnings.warn(f"{module}.{name} is called {now} now; write that", DeprecationWarning, stacklevel=2)
        return names[name]

    return getattribute
