"""Worker processes of our own: they start and end with signals in mind, and none outlives the process that started it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import cast

_LOOK_SECONDS = 0.5  # between two looks at whether the parent is still there
_PARENTS = ("SIGINT", "SIGHUP")
"""What a terminal sends to every process of a command, of which the parent is the one to act."""


@contextlib.contextmanager
def worker_processes(workers: int) -> Iterator[Executor]:
    """Give loky's pool, which is kept between calls: to start Python and NumPy anew for each would take longer.

    Whoever leaves by an exception ends the workers at once.
    """
    from loky import get_reusable_executor

    pool = None
    try:
        with _signals_held():
            pool = get_reusable_executor(max_workers=workers, initializer=begin_as_worker_of, initargs=(os.getpid(),))
            pool.submit(abs, 0)  # starts the workers here and now
        yield cast(Executor, pool)
    except BaseException:
        if pool is not None:
            with _signals_held():  # an impatient second Ctrl-C would leave workers behind
                pool.shutdown(wait=True, kill_workers=True)  # nobody waits for the blocks that are under way
        raise


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Let signals wait for a moment, and be ignored by the processes that are started meanwhile.

    A worker that is started has no handlers yet, and one that the pool does not know of yet is never ended. Threads
    inherit the mask too: the pool's own thread, which replaces workers, keeps it.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin_as_worker_of(parent: int) -> None:
    """Prepare a worker process, which is started with signals held: leave interrupts to the parent, and end with it."""
    leave_interrupts_to_the_parent()
    if sys.platform == "win32":
        return
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with, args=(parent,), name="varprop-parent", daemon=True).start()


def leave_interrupts_to_the_parent() -> None:
    """Ignore Ctrl-C, and a terminal that closes, in a worker: they reach every process, and the parent stops them."""
    for name in _PARENTS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _end_with(parent: int) -> None:
    """End this process once its parent has ended, however that was: the pool's own pipes stay open among siblings.

    A process whose parent has ended gets another one, on every POSIX system.
    """
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)
