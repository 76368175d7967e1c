"""What a study file may hold: one class a table, and the JSON schema that editors use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from varprop._arguments import quoted
from varprop._limits import MAX_NETWORKS
from varprop.model.activations import activation_names
from varprop.model.initializers import initializer_names
from varprop.model.quantities import QUANTITIES, TRAINING_QUANTITIES
from varprop.stats.equivalence import MARGINS
from varprop.study.errors import shown, suggestion
from varprop.study.items import (
    MAX_DEPTH,
    MOST_LAYERS,
    ActivationItem,
    InitializerItem,
    NamedForm,
    StrictTable,
    TrainingTable,
    Widths,
    activation_pattern,
    forms,
    initializer_pattern,
    layers_of,
    reject,
    reject_all,
)
from varprop.study.sweep import SweepTable, SweptScope
from varprop.theory import THEORIES, get_theory, theory_names
from varprop.verification.claims import TESTS, Claim, claim_problems
from varprop.verification.reasons import REASONS

MAX_SEED = 2**128 - 1
"""NumPy's seed sequences mix seeds into a pool of 128 bits."""
MAX_INPUTS = 2**16
MIN_STUDY_ALPHA = 1e-100
"""Its shares, of thousands of claims at tens of looks, still are numbers."""

Item = TypeVar("Item")

# ---- network, grid, where ----------------------------------------------------------------------------------------


def _no_repeats(items: list[Item]) -> list[Item]:
    for index, item in enumerate(items):
        first = items.index(item)
        if first < index:
            reject(f"is the same as item [{first}]; remove one of them", index)
    return items


def _few_layers(items: object) -> object:
    """Refuse more layers than a study has before any network's widths are spelt out."""
    layers = sum(map(layers_of, items)) if isinstance(items, list) else 0
    if layers > MOST_LAYERS:
        reject(f"has {layers} weight layers in all; a study has at most {MOST_LAYERS}: write several studies")
    return items


class NetworkTable(StrictTable):
    """``[network]``: what all configurations share."""

    widths: Widths | None = Field(default=None, examples=["256x20"])
    activation: ActivationItem | None = Field(default=None, examples=["relu"])
    weights: InitializerItem | None = Field(default=None, examples=["he_normal"])
    biases: InitializerItem | None = Field(default=None, examples=["zeros"])


class GridTable(StrictTable):
    """``[grid]``: lists that are crossed; one configuration for every combination."""

    widths: (
        Annotated[list[Widths], Field(min_length=1), BeforeValidator(_few_layers), AfterValidator(_no_repeats)] | None
    ) = Field(default=None, examples=[["64x20", "256x20"]])
    activation: Annotated[list[ActivationItem], Field(min_length=1), AfterValidator(_no_repeats)] | None = Field(
        default=None, examples=[["tanh", "relu"]]
    )
    weights: Annotated[list[InitializerItem], Field(min_length=1), AfterValidator(_no_repeats)] | None = Field(
        default=None, examples=[["xavier_normal", "he_normal"]]
    )
    biases: Annotated[list[InitializerItem], Field(min_length=1), AfterValidator(_no_repeats)] | None = Field(
        default=None, examples=[["zeros"]]
    )


_Grids = Annotated[
    Annotated[GridTable, Tag("<table>")] | Annotated[list[GridTable], Field(min_length=1), Tag("<list>")],
    forms("must be a table [grid], or several [[grid]]", dict="<table>", list="<list>"),
]


def _alternatives(items: object) -> tuple[object, ...]:
    """One thing or several, as a tuple."""
    return tuple(items) if isinstance(items, list) else (items,)


def _alternatives_of_widths(value: object) -> str | None:
    if isinstance(value, list) and value and not all(isinstance(item, int) for item in value):
        return "<list>"
    return "<text>" if isinstance(value, str | list | dict) else None


_SCOPE_EXPECTED = "must be a name, a table with a name, or a list of alternatives"
_ActivationPattern = Annotated[NamedForm, AfterValidator(activation_pattern)]
_InitializerPattern = Annotated[NamedForm, AfterValidator(initializer_pattern)]
_ActivationScope = Annotated[
    Annotated[_ActivationPattern, Tag("<text>")]
    | Annotated[list[_ActivationPattern], Field(min_length=1), Tag("<list>")],
    forms(_SCOPE_EXPECTED, str="<text>", dict="<text>", list="<list>"),
    AfterValidator(_alternatives),
]
_InitializerScope = Annotated[
    Annotated[_InitializerPattern, Tag("<text>")]
    | Annotated[list[_InitializerPattern], Field(min_length=1), Tag("<list>")],
    forms(_SCOPE_EXPECTED, str="<text>", dict="<text>", list="<list>"),
    AfterValidator(_alternatives),
]
_WidthsScope = Annotated[
    Annotated[Widths, Tag("<text>")] | Annotated[list[Widths], Tag("<list>")],
    Discriminator(
        _alternatives_of_widths,
        custom_error_type="form",
        custom_error_message='must be widths such as "256x20", or a list of alternatives',
    ),
    AfterValidator(_alternatives),
]


class WhereTable(StrictTable):
    """``where``: which configurations a claim is about; a key that is not given matches all."""

    widths: _WidthsScope | None = Field(default=None, examples=["256x20"])
    activation: _ActivationScope | None = Field(default=None, examples=["relu"])
    weights: _InitializerScope | None = Field(default=None, examples=["he_normal"])
    biases: _InitializerScope | None = Field(default=None, examples=["zeros"])
    weight_variance: SweptScope | None = Field(default=None, description="of a sweep", examples=[4.0])
    bias_variance: SweptScope | None = Field(default=None, description="of a sweep", examples=[0.1])
    depth: SweptScope | None = Field(default=None, description="of a sweep", examples=[20])
    width: SweptScope | None = Field(default=None, description="of a sweep", examples=[64])


# ---- claims, report, the whole -----------------------------------------------------------------------------------


def _check_quantity(name: str) -> str:
    if name not in _testable() and name not in QUANTITIES:
        reject(f"{shown(name)} is no quantity; {suggestion(name, _testable())}")
    return name


def _testable() -> tuple[str, ...]:
    """Return every quantity that some test works on."""
    return tuple(dict.fromkeys(quantity for test in TESTS.values() for quantity in test.quantities))


def _check_theory(name: str) -> str:
    if name not in theory_names():
        reject(f"{shown(name)} is no theory; {suggestion(name, theory_names())}")
    return name


def _check_test(name: str) -> str:
    if name not in TESTS:
        reject(f"{shown(name)} is no test; {suggestion(name, TESTS)}")
    return name


def _check_reason(name: str) -> str:
    if name not in REASONS:
        reject(f"{shown(name)} is no reason; {suggestion(name, REASONS)}")
    return name


_QuantityName = Annotated[str, AfterValidator(_check_quantity)]


def _check_recorded(name: str) -> str:
    known = QUANTITIES | TRAINING_QUANTITIES
    if name not in known:
        reject(f"{shown(name)} is no quantity; {suggestion(name, known)}")
    return name


class ClaimTable(StrictTable):
    """``[[claims]]``: one statement, what it is about, and how it is tested."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100, examples=["he.forward"])
    statement: str = Field(default="", examples=["ReLU keeps the second moment."])
    corrected: str = Field(
        default="",
        description="what is true instead, where the statement is not",
        examples=["ReLU keeps half of the second moment."],
    )
    where: Annotated[
        Annotated[WhereTable, Tag("<table>")] | Annotated[list[WhereTable], Field(min_length=1), Tag("<list>")],
        forms("must be a table, or a list of tables of which any may match", dict="<table>", list="<list>"),
    ] = WhereTable()
    quantity: Annotated[
        Annotated[_QuantityName, Tag("<text>")]
        | Annotated[list[_QuantityName], Field(min_length=1), AfterValidator(_no_repeats), Tag("<list>")],
        forms("must be the name of a quantity, or a list of names", str="<text>", list="<list>"),
    ] = Field(examples=["preactivation_second_moment"])
    theory: Annotated[str, AfterValidator(_check_theory)] | None = Field(default=None, examples=["he"])
    test: Annotated[str, AfterValidator(_check_test)] = Field(examples=["cumulative_mean"])
    margin: float = Field(default=0.05, ge=MARGINS[0], le=MARGINS[1], examples=[0.05])
    expect: Literal["supported", "refuted", "inconclusive"] | None = Field(default=None, examples=["supported"])
    layers: Annotated[list[Annotated[int, Field(ge=1, le=MAX_DEPTH)]], Field(min_length=2, max_length=2)] | None = (
        Field(default=None, description="first and last weight layer", examples=[[5, 20]])
    )
    below: float | None = Field(default=None, gt=0, description="gain per layer, or value", examples=[0.9])
    above: float | None = Field(default=None, gt=0, description="gain per layer, or value", examples=[1.1])
    equals: float | None = Field(default=None, description="value of every network", examples=[1])
    reason: Annotated[str, AfterValidator(_check_reason)] | None = Field(
        default=None, description="why an identity holds whatever is drawn", examples=["equal-units"]
    )
    share: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="share of all networks in which an identity holds at least",
        examples=[0.99],
    )

    @model_validator(mode="after")
    def _goes_together(self) -> ClaimTable:
        problems: dict[tuple[str | int, ...], str] = {}
        for index, parts in enumerate(self._parts()):
            for key, message in {**claim_problems(**parts), **_unspoken(parts)}.items():
                several = key == "quantity" and isinstance(self.quantity, list)
                problems[(key, index) if several else (key,)] = message
        if problems:
            reject_all(problems)
        return self

    def _parts(self) -> tuple[dict[str, Any], ...]:
        """Keywords of a claim, for every quantity."""
        keys = ("test", "theory", "margin", "expect", "below", "above", "equals", "reason", "share")
        shared = {key: getattr(self, key) for key in keys}
        layers = None if self.layers is None else (self.layers[0], self.layers[1])
        quantities = self.quantity if isinstance(self.quantity, list) else [self.quantity]
        return tuple({**shared, "layers": layers, "quantity": quantity} for quantity in quantities)

    @property
    def scopes(self) -> tuple[WhereTable, ...]:
        """The tables of ``where``; a configuration has to match one of them."""
        return tuple(self.where) if isinstance(self.where, list) else (self.where,)

    def claims(self) -> tuple[Claim, ...]:
        """Return one claim for every quantity."""
        return tuple(
            Claim(id=self.id, statement=self.statement, corrected=self.corrected, **parts) for parts in self._parts()
        )


def _unspoken(parts: Mapping[str, Any]) -> dict[str, str]:
    """Find out before anything is sampled that a theory predicts nothing of the quantity."""
    theory, quantity = parts["theory"], parts["quantity"]
    if theory is None or quantity not in QUANTITIES or get_theory(theory).speaks_of(quantity):
        return {}
    others = [name for name, other in THEORIES.items() if other.speaks_of(quantity)]
    return {"theory": f"{quoted(theory)} says nothing of {quantity}; write one of {', '.join(others)}"}


class ReportTable(StrictTable):
    """``[report]``: what the report shows besides the claims."""

    figures: list[str] | None = Field(default=None, examples=[["profile", "forest"]])


def _check_version(version: int) -> int:
    if version != 1:
        reject(f"this varprop knows schema 1, got {shown(version)}; write schema = 1, or install a newer varprop")
    return version


def _check_looks(looks: object) -> object:
    if type(looks) is not int or looks != 1:
        reject(f"must be 1 (one look, with all of alpha), got {shown(looks)}; leave it out to look again later")
    return looks


def _rectangular(rows: list[list[float]]) -> list[list[float]]:
    for index, row in enumerate(rows):
        if len(row) != len(rows[0]):
            reject(f"must have as many numbers as row [0], {len(rows[0])}; got {len(row)}", index)
    return rows


class Document(StrictTable):
    """A whole study file."""

    schema_version: Annotated[int, AfterValidator(_check_version), WithJsonSchema({"const": 1})] = Field(
        alias="schema", examples=[1]
    )
    title: str = Field(min_length=1, max_length=300, examples=["Xavier and He"])
    seed: int = Field(ge=0, le=MAX_SEED, examples=[20150206])
    networks: int = Field(ge=1, le=MAX_NETWORKS, description="networks per configuration", examples=[2000])
    alpha: float = Field(
        default=0.05, ge=MIN_STUDY_ALPHA, lt=0.5, description="chance of any false verdict", examples=[0.05]
    )
    stopping: Literal["fixed", "sequential"] = Field(
        default="fixed",
        description="whether a configuration is sampled until its claims are decided, networks being the most",
        examples=["sequential"],
    )
    looks: Annotated[Literal[1], BeforeValidator(_check_looks)] | None = Field(
        default=None,
        description="1: the claims are looked at once, with all of alpha; left out: on a ladder, with shares of it",
        examples=[1],
    )
    inputs: (
        Annotated[
            Annotated[int, Field(ge=1, le=MAX_INPUTS), Tag("<integer>")]
            | Annotated[
                list[Annotated[list[float], Field(min_length=1)]],
                Field(min_length=1, max_length=MAX_INPUTS),
                AfterValidator(_rectangular),
                Tag("<list>"),
            ],
            forms("must be a number of random inputs, or a list of inputs", int="<integer>", list="<list>"),
        ]
        | None
    ) = Field(default=None, examples=[2])
    quantities: (
        Annotated[
            list[Annotated[str, AfterValidator(_check_recorded)]], Field(min_length=1), AfterValidator(_no_repeats)
        ]
        | None
    ) = Field(default=None, description="what is recorded; everything if left out", examples=[["pivot"]])
    dtype: Literal["float32", "float64"] = Field(default="float32", examples=["float32"])
    method: Literal["auto", "dense", "norms"] = Field(default="auto", examples=["auto"])
    normals: Literal["auto", "box-muller", "ziggurat"] = Field(
        default="auto", description="how normal numbers are made of random bits", examples=["box-muller"]
    )
    training: TrainingTable | None = Field(
        default=None, description="steps of gradient descent, of networks to be trained"
    )
    network: NetworkTable = NetworkTable()
    grid: _Grids | None = None
    sweep: SweepTable | None = None
    claims: list[ClaimTable] = Field(default_factory=list)
    report: ReportTable = ReportTable()

    @property
    def grids(self) -> tuple[GridTable, ...]:
        """``[grid]``, or every ``[[grid]]``; an empty table if there is none."""
        if self.grid is None:
            return (GridTable(),)
        return tuple(self.grid) if isinstance(self.grid, list) else (self.grid,)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a study file, for editors (``#:schema`` in the file's first line).

    Returns
    -------
    dict
        JSON Schema, draft 2020-12, with the names of this version's activations, laws, quantities, tests and
        theories as hints.

    Examples
    --------
    >>> json_schema()["properties"]["networks"]["maximum"]
    1000000000
    """
    schema = Document.model_json_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "varprop study"}
    claim = schema["$defs"]["ClaimTable"]["properties"]
    _enumerate(claim["test"], TESTS)
    _enumerate(claim["theory"], theory_names())
    _enumerate(claim["quantity"], _testable())
    _enumerate(claim["reason"], REASONS)
    _enumerate(schema["properties"]["quantities"], QUANTITIES | TRAINING_QUANTITIES)
    for table in ("NetworkTable", "GridTable", "WhereTable"):
        properties = schema["$defs"][table]["properties"]
        _enumerate(properties["activation"], activation_names())
        for key in ("weights", "biases"):
            _enumerate(properties[key], initializer_names())
    result: dict[str, Any] = json.loads(json.dumps(schema))
    return result


def _enumerate(node: object, names: Iterable[str]) -> None:
    """Give every plain string type under ``node`` the known names."""
    if isinstance(node, dict):
        if node.get("type") == "string" and "enum" not in node:
            node["enum"] = list(names)
        for key, child in node.items():
            if key != "examples":
                _enumerate(child, names)
    elif isinstance(node, list):
        for child in node:
            _enumerate(child, names)
