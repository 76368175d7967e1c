"""One process at a time that writes in a run's folder, or any number that read."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from varprop.study.errors import Problem, StudyError

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
