"""A frame -> the text of a CSV file, in which no text is one that a spreadsheet takes for a formula."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from varprop.study.plain import plain

if TYPE_CHECKING:
    import pandas as pd

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
