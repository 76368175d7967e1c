"""Texts that a user wrote, made fit to stand in a line of a page, and frames as CSV, in which no text is a formula."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


# Explicit direction marks let a text change how its neighbours are read; the scripts themselves need none of them.
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """One line of printable text: what a user wrote, without control characters and direction overrides."""
    kept = (" " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char for char in text)
    safe = "".join(char for char in kept if char not in _DIRECTION_MARKS)
    return " ".join(safe.encode("utf-8", "replace").decode("utf-8").split())


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SEPARATOR = ";"
"""What divides cells, instead of the comma, where the comma is in numbers; no quotes keep such a program from it."""
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")  # letters without a shape
_GUARD = "'"


def csv_text(frame: pd.DataFrame, *, digits: int | None = 6) -> str:
    """Write a frame as CSV.

    Examples
    --------
    >>> import pandas as pd
    >>> print(csv_text(pd.DataFrame({"ratio": [2 / 3], "note": ["=1+1;=2"]})), end="")
    ratio,note
    0.666667,'=1+1;'=2
    """
    safe = frame.copy(deep=False)
    for name in frame.columns:
        if frame[name].dtype == object or frame[name].dtype.name in {"str", "string", "category"}:
            safe[name] = frame[name].map(_cell)
    form = None if digits is None else f"%.{digits}g"
    written: str = safe.to_csv(
        index=False, header=[str(_cell(name)) for name in frame.columns], float_format=form, lineterminator="\n"
    )
    return written


def unguarded(text: str) -> str:
    """Return the text of a cell as it was before it was written.

    Examples
    --------
    >>> unguarded("'=1+1;'=2"), unguarded("it's 'quoted'")
    ('=1+1;=2', "it's 'quoted'")
    """
    parts = text.split(_SEPARATOR)
    return _SEPARATOR.join(part[1:] if part.startswith(_GUARD) and _is_formula(part[1:]) else part for part in parts)


def _cell(value: object) -> object:
    """A text without control characters and formulas; anything else as it is."""
    if not isinstance(value, str):
        return value
    parts = plain(value).split(_SEPARATOR)
    return _SEPARATOR.join(f"{_GUARD}{part}" if _is_formula(part) else part for part in parts)


def _is_formula(text: str) -> bool:
    """Whether some spreadsheet would take it for a formula: by its first character that can be seen."""
    first = next((char for char in text if not _is_unseen(char)), "")
    return unicodedata.normalize("NFKC", first) in {"=", "+", "-", "@"} and not _NUMBER.fullmatch(text.strip())


def _is_unseen(char: str) -> bool:
    return char.isspace() or char in _FILLERS or unicodedata.category(char) in {"Cc", "Cf", "Mn", "Me"}
