"""The values inside a study's tables, activations, laws, widths; and the notation of the command line."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from varprop._arguments import quoted
from varprop.model.activations import Activation, activation_names, get_activation
from varprop.model.initializers import Initializer, get_initializer, initializer_names
from varprop.model.inputs import MAX_STEPS, Training
from varprop.model.layers import MAX_WIDTH
from varprop.model.network import MAX_LAYERS, Network, mlp
from varprop.study.errors import shown

Value = TypeVar("Value")

MAX_DEPTH = MAX_LAYERS
"""More layers than this are a slip of the keyboard."""
MOST_LAYERS = 2**20
"""Weight layers of all configurations together; each becomes an object, and a row of every table."""

_WIDTHS = re.compile(r"(?P<pattern>\d{1,9}(?:-\d{1,9})*)(?:x(?P<depth>\d{1,9}))?", re.ASCII)
_NAMED_TEXT = re.compile(r"(?P<name>[A-Za-z_]\w*)\s*(?:\((?P<parameters>.*)\))?", re.ASCII)
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


def parse_named(text: str) -> tuple[str, dict[str, float | str]]:
    """Read an activation or a law as its label writes it: a name, perhaps with parameters in brackets.

    Examples
    --------
    >>> parse_named("relu"), parse_named("variance_scaling(scale=2, mode=fan_in)")
    (('relu', {}), ('variance_scaling', {'scale': 2.0, 'mode': 'fan_in'}))
    """
    match = _NAMED_TEXT.fullmatch(text.strip())
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
        activation=_named("activation", activation, lambda text: _called(text, get_activation)),
        weights=_named("weights", weights, lambda text: _called(text, get_initializer)),
        biases=_named("biases", biases, lambda text: _called(text, get_initializer)),
    )


def _called(text: str, get: Callable[..., Value]) -> Value:
    name, parameters = parse_named(text)
    return get(name, **parameters)


def _named(what: str, text: str, parse: Callable[[str], Value]) -> Value:
    """Parse a text; an error says which one it was."""
    try:
        return parse(text)
    except (TypeError, ValueError) as error:
        msg = f"{what}: {error}"
        raise ValueError(msg) from error


FORMS = ("<text>", "<table>", "<list>", "<integer>", "<number>")
"""Tags of the forms a value may take; they are no keys, so no error's path shows them."""

Named = TypeVar("Named", Activation, Initializer)


class StrictTable(BaseModel):
    """One table of the file: no unknown keys, no conversions, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def reject(message: str, *where: str | int) -> NoReturn:
    """Say that a value is wrong; ``where`` is the way from the value under validation to the wrong part of it."""
    reject_all({where: message})


def reject_all(messages: Mapping[tuple[str | int, ...], str]) -> NoReturn:
    """Say several things at once, each with its way to the wrong part."""
    title = "study"
    errors = [
        InitErrorDetails(type=PydanticCustomError("study", "{message}", {"message": message}), loc=where, input=None)
        for where, message in messages.items()
    ]
    raise ValidationError.from_exception_data(title, errors)


def forms(expected: str, **tags: str) -> Discriminator:
    """Tell the forms of a value apart by its TOML type; ``tags`` maps a Python type's name to a tag."""

    def form(value: object) -> str | None:
        return tags.get(type(value).__name__)

    return Discriminator(form, custom_error_type="form", custom_error_message=expected)


# ---- activations and laws ----------------------------------------------------------------------------------------


_LONGEST = 100  # characters of a text that may be a mode's name


def _check_parameter(value: object) -> float | str:
    if isinstance(value, str):
        if len(value) > _LONGEST:
            reject(f"must be a number or the name of a mode, got {shown(value)}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        reject(f"must be a finite number (or a name, such as a mode), got {shown(value)}")
    return float(value)


Parameter = Annotated[Any, AfterValidator(_check_parameter), WithJsonSchema({"type": ["number", "string"]})]


class NamedTable(StrictTable):
    """A name with parameters."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Parameter]
    name: str = Field(examples=["leaky_relu"])

    @property
    def parameters(self) -> dict[str, float | str]:
        """All keys but the name."""
        return dict(self.__pydantic_extra__)


NamedForm = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[NamedTable, Tag("<table>")],
    forms('must be a name, or a table such as { name = "leaky_relu", slope = 0.1 }', str="<text>", dict="<table>"),
]


def _resolve(item: str | NamedTable, get: Callable[..., Named]) -> Named:
    """Turn a name or table into what it names; an error points at the name or at the parameter it speaks of."""
    name, parameters = (item, {}) if isinstance(item, str) else (item.name, item.parameters)
    try:
        return get(name, **parameters)
    except (TypeError, ValueError) as error:
        _reject_named(item, str(error))


_CALL = re.compile(r": get_\w+\('(?P<name>\w+)', (?P<key>\w+)=(?P<value>[\d.]+)\)")


def _reject_named(item: str | NamedTable, message: str) -> NoReturn:
    """Say what is wrong with an activation or a law, in TOML's terms where the message speaks Python."""
    message = _CALL.sub(r'; write { name = "\g<name>", \g<key> = \g<value> }', message)
    if "did you mean" in message:
        message = message.partition(" Known:")[0]
    if isinstance(item, NamedTable):
        # An unknown key stands in quotes in the message, which names the known ones after it.
        quoted = [key for key in item.parameters if repr(key) in message]
        named = [key for key in item.parameters if re.search(rf"\b{re.escape(key)}\b", message)]
        fallback = ["name"] if message.startswith("there is no") else []
        reject(message, *(quoted or named or fallback)[:1])
    reject(_as_table(item) or message)


def _as_table(text: str) -> str | None:
    """Say how to write ``leaky_relu(slope=0.1)`` in TOML; None if the text is nothing like it."""
    try:
        name, parameters = parse_named(text)
    except ValueError:
        return None
    if not parameters:
        return None
    pairs = ", ".join(f"{key} = {shown(value)}" for key, value in {"name": name, **parameters}.items())
    return f"{shown(text)} is no name; write {{ {pairs} }}"


def _activation(item: str | NamedTable) -> Activation:
    return _resolve(item, get_activation)


def _initializer(item: str | NamedTable) -> Initializer:
    return _resolve(item, get_initializer)


ActivationItem = Annotated[NamedForm, AfterValidator(_activation)]
InitializerItem = Annotated[NamedForm, AfterValidator(_initializer)]


@dataclass(frozen=True, slots=True)
class NamedPattern:
    """What ``where`` asks of an activation or a law: its name, and those parameters that are given."""

    name: str
    parameters: tuple[tuple[str, float | str], ...] = ()

    def matches(self, found: Activation | Initializer) -> bool:
        """Tell whether it has the name and the parameters."""
        have: Mapping[str, Any] = dict(found.parameters)
        return found.name == self.name and all(key in have and have[key] == value for key, value in self.parameters)


def _pattern(item: str | NamedTable, get: Callable[..., Named], names: Iterable[str]) -> NamedPattern:
    name, parameters = (item, {}) if isinstance(item, str) else (item.name, item.parameters)
    if not parameters and name in names:
        return NamedPattern(name)  # some laws cannot be had without parameters; any will do here
    found = _resolve(item, get)  # the name it has of its own: glorot_normal is called xavier_normal
    return NamedPattern(found.name, tuple((key, dict(found.parameters)[key]) for key in parameters))


def activation_pattern(item: str | NamedTable) -> NamedPattern:
    """Read what ``where`` asks of the activation."""
    return _pattern(item, get_activation, activation_names())


def initializer_pattern(item: str | NamedTable) -> NamedPattern:
    """Read what ``where`` asks of the weights or biases."""
    return _pattern(item, get_initializer, initializer_names())


# ---- widths ------------------------------------------------------------------------------------------------------

Width = Annotated[int, Field(ge=1, le=MAX_WIDTH)]


class WidthsTable(StrictTable):
    """Widths by rule: the input's, the hidden layers', and how many weight layers."""

    input: Width = Field(examples=[256])
    hidden: Annotated[
        Annotated[Width, Tag("<integer>")] | Annotated[list[Width], Field(min_length=1), Tag("<list>")],
        forms("must be an integer, or a list of integers that is repeated", int="<integer>", list="<list>"),
    ] = Field(examples=[256])
    depth: int | None = Field(default=None, ge=1, le=MAX_DEPTH, description="number of weight layers", examples=[20])

    @model_validator(mode="after")
    def _has_depth(self) -> WidthsTable:
        if isinstance(self.hidden, int) and self.depth is None:
            reject("is required when hidden is a number; write for example depth = 20", "depth")
        return self

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of the input and of every weight layer."""
        hidden = self.hidden if isinstance(self.hidden, list) else [self.hidden]
        depth = len(hidden) if self.depth is None else self.depth
        return (self.input, *itertools.islice(itertools.cycle(hidden), depth))


def _widths(item: str | list[int] | WidthsTable) -> tuple[int, ...]:
    if isinstance(item, WidthsTable):
        return item.widths
    if isinstance(item, list):
        return tuple(item)
    try:
        widths = parse_widths(item)
    except ValueError as error:
        reject(str(error))
    if not all(1 <= units <= MAX_WIDTH for units in widths):
        reject(f"every width must lie between 1 and {MAX_WIDTH}, got {shown(item)}")
    return widths


Widths = Annotated[
    Annotated[str, Tag("<text>")]
    | Annotated[list[Width], Field(min_length=2, max_length=MAX_DEPTH + 1), Tag("<list>")]
    | Annotated[WidthsTable, Tag("<table>")],
    forms(
        'must be the widths of one network: "256x20", [256, 128, 64] or { input = 256, hidden = 256, depth = 20 }',
        str="<text>",
        list="<list>",
        dict="<table>",
    ),
    AfterValidator(_widths),
]


class TrainingTable(StrictTable):
    """``[training]``: steps of gradient descent on a regression task."""

    steps: int = Field(ge=1, le=MAX_STEPS, description="of full-batch gradient descent", examples=[20])
    learning_rate: float = Field(gt=0, description="what gradients are multiplied with", examples=[0.1])
    train_biases: bool = Field(default=True, description="whether biases are trained too", examples=[False])

    def training(self) -> Training:
        """Return what the engine is to do."""
        return Training(steps=self.steps, learning_rate=self.learning_rate, train_biases=self.train_biases)
