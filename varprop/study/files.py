"""Reading files that somebody else may have put there: regular ones only, and no more of them than there can be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

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
