"""Files that somebody else may have put there, folders that one process at a time writes in, and plain texts."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from varprop.study.errors import Problem, StudyError

if TYPE_CHECKING:
    import pandas as pd


_PIECE = 2**24


class NotRegularError(OSError):
    """What has a file's name is a pipe, a device, a socket or a folder, which may give its reader bytes for ever, or none."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, "it is not a regular file", str(path))


class TooLargeError(ValueError):
    """A file that is larger than what it should be ever is."""


def read_bytes(path: Path, *, limit: int) -> bytes:
    """Read a file."""
    # Opening a pipe would wait for its writer, unless it is said not to; elsewhere than on POSIX there are none in folders.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegularError(path)
        data = b"" if status.st_size > limit else _all_of(file, limit)
    if max(status.st_size, len(data)) > limit:
        msg = f"it has more than {limit:,} bytes"
        raise TooLargeError(msg)
    return data


def read_text(path: Path, *, limit: int) -> str:
    """Read a UTF-8 file likewise."""
    return read_bytes(path, limit=limit).decode("utf-8")


def _all_of(file: BinaryIO, limit: int) -> bytes:
    """Read a file that may have grown since it was looked at, in pieces: to ask for the limit at once would take its memory."""
    pieces: list[bytes] = []
    read = 0
    while read <= limit and (piece := file.read(min(_PIECE, limit + 1 - read))):
        pieces.append(piece)
        read += len(piece)
    return b"".join(pieces)


# ---- one that writes, or any number that read -----------------------------------------------------------------------

if sys.platform == "win32":
    import msvcrt

    def _acquire(descriptor: int, *, shared: bool) -> None:  # noqa: ARG001 - Windows has none that is shared
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _acquire(descriptor: int, *, shared: bool) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


_BUSY = "another varprop is at work in this folder; wait for it to finish, or name another folder with --runs"


@contextlib.contextmanager
def locked(folder: Path, *, busy: str = _BUSY) -> Iterator[None]:
    """Hold the folder's lock, to write in it; the system gives it back even if this process is killed."""
    with _held(folder, os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644), shared=False, busy=busy):
        yield


@contextlib.contextmanager
def reading(folders: Iterable[Path]) -> Iterator[None]:
    """Keep others from writing in runs' folders while their samples are read; others may read too."""
    with contextlib.ExitStack() as stack:
        for folder in folders:
            try:
                descriptor = os.open(folder / ".lock", os.O_RDONLY)
            except OSError:
                continue
            stack.enter_context(_held(folder, descriptor, shared=True))
        yield


@contextlib.contextmanager
def _held(folder: Path, descriptor: int, *, shared: bool, busy: str = _BUSY) -> Iterator[None]:
    try:
        try:
            _acquire(descriptor, shared=shared)
        except (BlockingIOError, PermissionError) as error:  # POSIX says the one, Windows the other
            raise StudyError(str(folder), [Problem("", busy)]) from error
        yield
    finally:
        os.close(descriptor)


# ---- plain texts -----------------------------------------------------------------------------------------------------


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
