"""Every error of a study file at once, each with its key's path as in TOML and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from varprop.study.errors import Problem, shown, suggestion, toml_path
from varprop.study.items import FORMS, NamedTable, StrictTable, TrainingTable, WidthsTable
from varprop.study.schema import ClaimTable, Document, GridTable, NetworkTable, ReportTable, WhereTable
from varprop.study.sweep import VARIABLES, RangeTable, SweepTable

_NAMED = ("activation", "weights", "biases")
TABLES: dict[tuple[str, ...], type[StrictTable]] = {
    (): Document,
    ("training",): TrainingTable,
    ("network",): NetworkTable,
    ("grid",): GridTable,
    ("sweep",): SweepTable,
    ("claims",): ClaimTable,
    ("claims", "where"): WhereTable,
    ("report",): ReportTable,
    **{("claims", "where", variable): RangeTable for variable in VARIABLES},
    **{(*parent, "widths"): WidthsTable for parent in (("network",), ("grid",), ("claims", "where"))},
    **{(*parent, key): NamedTable for parent in (("network",), ("grid",), ("claims", "where")) for key in _NAMED},
}
"""The class of every table, by its keys from the top, positions in lists left out."""


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """Word every error that pydantic found."""
    return tuple(_problem(details) for details in error.errors(include_url=False))


def _problem(details: ErrorDetails) -> Problem:
    where = tuple(part for part in details["loc"] if part not in FORMS)
    return Problem(toml_path(where), _message(details, where))


def _message(details: ErrorDetails, where: tuple[int | str, ...]) -> str:
    kind, value = details["type"], details["input"]
    context: Mapping[str, Any] = details.get("ctx", {})
    if kind == "study":
        return str(context["message"])
    if kind == "extra_forbidden":
        return _unknown_key(where)
    if kind == "missing":
        return f"is required; write {_example(where)}"
    if kind == "list_type" and where[:1] == ("grid",):
        return f"must be a list in [grid], got {shown(value)}; write {_example(where)}, or move it to [network]"
    if kind == "literal_error":
        allowed = [name.strip("'") for name in str(context["expected"]).replace(" or ", ", ").split(", ")]
        return f"got {shown(value)}; {suggestion(value, allowed)}"
    return f"{_expected(kind, context, details['msg'])}, got {shown(value)}"


_EXPECTED = {
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be a text in quotes",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "greater_than": "must be > {gt:.10g}",
    "greater_than_equal": "must be >= {ge:.10g}",
    "less_than": "must be < {lt:.10g}",
    "less_than_equal": "must be <= {le:.10g}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "string_pattern_mismatch": "must be letters, digits, '.', '_' and '-' only, such as he.forward",
}


def _expected(kind: str, context: Mapping[str, Any], message: str) -> str:
    """Say what a value must be; an error without a wording of ours keeps pydantic's."""
    return _EXPECTED[kind].format(**context) if kind in _EXPECTED else message


def _keys(table: type[BaseModel]) -> dict[str, Any]:
    """Map the keys of a table, as the file spells them, to their examples."""
    return {field.alias or name: (field.examples or [None])[0] for name, field in table.model_fields.items()}


def _table(where: tuple[int | str, ...]) -> type[StrictTable] | None:
    return TABLES.get(tuple(part for part in where if isinstance(part, str)))


def _unknown_key(where: tuple[int | str, ...]) -> str:
    *parents, key = where
    table = _table(tuple(parents))
    keys = _keys(table) if table else {}
    if key in _keys(Document) and parents:
        # TOML's classic: a key of the top that stands below a [table] belongs to that table.
        return f"is unknown here; {key} belongs at the top of the file, before the first [table]"
    elsewhere = [name for name in ("network", "grid") if not parents and key in _keys(TABLES[(name,)])]
    if elsewhere:
        return f"is unknown here; write it in {' or '.join(f'[{name}]' for name in elsewhere)}"
    return f"is unknown; {suggestion(key, keys)}"


def _example(where: tuple[int | str, ...]) -> str:
    *parents, key = where
    table = _table(tuple(parents))
    example = _keys(table).get(str(key)) if table else None
    return f"for example {key} = {_toml_value(example)}" if example is not None else f"{key} = ..."


def _toml_value(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml_value, value))}]"
    return shown(value)
