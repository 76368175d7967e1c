"""One process at a time in a run's folder."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from varprop.study.errors import Problem, StudyError

if sys.platform == "win32":
    import msvcrt

    def _acquire(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _acquire(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_BUSY = "another varprop is at work in this folder; wait for it to finish, or name another folder with --runs"


@contextlib.contextmanager
def locked(folder: Path, *, busy: str = _BUSY) -> Iterator[None]:
    """Hold the folder's lock; the system gives it back even if this process is killed.

    Parameters
    ----------
    folder : Path
        An existing folder; a file ``.lock`` stays in it.
    busy : str
        What is said if another process holds the lock.

    Yields
    ------
    None

    Raises
    ------
    StudyError
        If another process holds the lock.
    OSError
        If the folder cannot be written.
    """
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            _acquire(descriptor)
        except (BlockingIOError, PermissionError) as error:  # POSIX says the one, Windows the other
            raise StudyError(str(folder), [Problem("", busy)]) from error
        yield
    finally:
        os.close(descriptor)
