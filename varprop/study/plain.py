"""Texts that a user wrote, made fit to stand in a line of a page or a file."""

from __future__ import annotations

import unicodedata

# Explicit direction marks let a text change how its neighbours are read; the scripts themselves need none of them.
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """One line of printable text: what a user wrote, without control characters and direction overrides."""
    kept = (" " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char for char in text)
    safe = "".join(char for char in kept if char not in _DIRECTION_MARKS)
    return " ".join(safe.encode("utf-8", "replace").decode("utf-8").split())
