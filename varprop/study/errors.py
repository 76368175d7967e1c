"""What is said when a study file is wrong, or when a run stops early, and the helpers that word it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from varprop.model.names import nearest

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_PATH = 400  # characters of one that a message shows
_SHOWN = 60
"""A value from the file is quoted up to this many characters."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a study.

    Parameters
    ----------
    path : str
        Where, as in TOML: ``claims[2].test``; empty for the file as a whole.
    message : str
        What was wrong, what came, what to write instead.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class StudyError(ValueError):
    """A study file, or a run's folder, that cannot be used; the text has every problem found.

    Parameters
    ----------
    source : str
        The file or folder, for the first line.
    problems : sequence of Problem
        At least one.

    Examples
    --------
    >>> print(StudyError("deep.toml", [Problem("seed", "is required"), Problem("alpha", "must be < 0.5, got 2")]))
    deep.toml: 2 problems
      seed: is required
      alpha: must be < 0.5, got 2
    """

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(source, self.problems)  # both, so that it survives pickling between processes

    def __str__(self) -> str:
        source = quoted_path(self.source)
        if len(self.problems) == 1:
            return f"{source}: {self.problems[0]}"
        return "\n  ".join([f"{source}: {len(self.problems)} problems", *map(str, self.problems)])


class FewNetworksWarning(UserWarning):
    """A study asks for too few networks to decide its claims."""


class RunStoppedError(RuntimeError):
    """A run that could not go on, and loses nothing by it: what was sampled is on disk, and the same call resumes."""


def suggestion(wrong: object, known: Iterable[str]) -> str:
    """Name the nearest right word, or all of them if none is near.

    Examples
    --------
    >>> suggestion("rellu", ["relu", "tanh"])
    "did you mean 'relu'?"
    """
    known = list(known)
    near = nearest(wrong, known)
    return f"did you mean {near!r}?" if near else f"write one of {', '.join(known)}"


def shown(value: object) -> str:
    """Write a value from a file on one short line, whatever it is."""
    if isinstance(value, bool):
        return str(value).lower()  # as TOML spells it
    if isinstance(value, int) and abs(value) >= 10**18:
        return f"an integer of {value.bit_length()} bits"  # Python itself refuses to print the longest ones
    if isinstance(value, dict):
        return f"a table ({', '.join(map(toml_key, list(value)[:4]))})" if value else "an empty table"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def toml_path(parts: Iterable[str | int]) -> str:
    """Write a key's path as in TOML.

    Examples
    --------
    >>> toml_path(["grid", "activation", 3, "slope"]), toml_path(["claims", 0, "no such"])
    ('grid.activation[3].slope', 'claims[0]."no such"')
    """
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{toml_key(part)}" if path else toml_key(part)
    return path


def toml_key(key: str) -> str:
    """Write one key, quoted where TOML wants it, on one line."""
    if _BARE_KEY.fullmatch(key):
        return key if len(key) <= _SHOWN else key[: _SHOWN - 3] + "..."
    return shown(key)


def quoted_path(path: object) -> str:
    """Write a path for a message: as it is, unless it holds what would garble a terminal."""
    text = str(path)
    text = text if len(text) <= _LONGEST_PATH else f"{text[: _LONGEST_PATH // 2]}...{text[-_LONGEST_PATH // 2 :]}"
    return text if text.isprintable() else ascii(text)
