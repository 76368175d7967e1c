"""Files that somebody else may have put there, read with care, and folders that one process at a time writes in."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from varprop.study.errors import Problem, StudyError

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
