"""Where blocks run: any ``concurrent.futures.Executor``, fed through a bounded window."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Literal, ParamSpec, TypeVar, cast

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
T = TypeVar("T")
ExecutorName = Literal["serial", "threads", "processes"]
ExecutorLike = ExecutorName | Executor | None

_WINDOW = 3  # tasks in flight for each worker: enough that none waits, few enough that results do not pile up
_SHORT = 4 * 10**8  # draws, about 4 s on one core: below that, starting worker processes (1 to 2 s) gains nothing


def run_tasks(
    function: Callable[..., T],
    tasks: Sequence[tuple[Any, ...]],
    executor: ExecutorLike = None,
    *,
    workers: int | None = None,
    work: int = 0,
) -> Iterator[tuple[Any, T]]:
    """Run a function on every task and yield (task's last argument, result) as they finish, in any order.

    Parameters
    ----------
    function : callable
        Picklable, if the executor's workers are processes.
    tasks : sequence of tuple
        Arguments; the last one names the task.
    executor : None, "serial", "threads", "processes" or concurrent.futures.Executor
        None takes "serial" for short work and for one task, else "processes". An executor that is handed in is used
        and left open.
    workers : int, optional
        Number of workers for "threads" and "processes"; the number of usable cores if None.
    work : int
        Numbers to be drawn in all, which decides what None means.

    Yields
    ------
    name, result

    Raises
    ------
    ValueError
        If the executor's name is unknown or the number of workers is not positive.
    TypeError
        If the executor is neither a name nor an Executor.
    """
    if workers is not None and workers < 1:
        msg = f"workers must be at least 1, got {workers}"
        raise ValueError(msg)
    count = min(workers or usable_cores(), max(len(tasks), 1))
    if executor is None:
        executor = "serial" if count == 1 or work < _SHORT else "processes"
    if executor == "serial":
        with _one_blas_thread():
            for task in tasks:
                yield task[-1], function(*task)
        return
    with _open(executor, count) as (pool, call):
        yield from _windowed(pool, call, function, tasks, _WINDOW * count)


@contextlib.contextmanager
def _open(executor: ExecutorLike, workers: int) -> Iterator[tuple[Executor, Callable[..., Any]]]:
    """Give the executor, and how a task is called in it so that n workers use n cores."""
    if executor == "threads":
        # BLAS threads are a property of the process, so they are capped once, around all tasks.
        with _one_blas_thread(), ThreadPoolExecutor(workers) as pool:
            yield pool, _plainly
    elif executor == "processes":
        from loky import get_reusable_executor

        # Reused between calls: starting Python and NumPy anew for each configuration would cost more than it does.
        pool = get_reusable_executor(max_workers=workers, initializer=_leave_interrupts_to_the_parent)
        yield cast(Executor, pool), _capped
    elif isinstance(executor, Executor) or (hasattr(executor, "submit") and not isinstance(executor, str)):
        yield cast(Executor, executor), _capped
    else:
        msg = f"executor must be 'serial', 'threads', 'processes' or a concurrent.futures.Executor, got {executor!r}"
        raise ValueError(msg) if isinstance(executor, str) else TypeError(msg)


@cache
def _controller() -> ThreadpoolController:
    """The BLAS libraries of this process; looking for them takes longer than a short simulation."""
    return ThreadpoolController()


def _one_blas_thread() -> AbstractContextManager[object]:
    return cast(AbstractContextManager[object], _controller().limit(limits=1, user_api="blas"))


def _leave_interrupts_to_the_parent() -> None:
    """Ignore Ctrl-C in a worker: a terminal sends it to every process, and the parent is the one that stops them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _plainly(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return function(*args, **kwargs)


def _capped(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with _one_blas_thread():
        return function(*args, **kwargs)


def _windowed(
    pool: Executor, call: Callable[..., T], function: Callable[..., T], tasks: Sequence[tuple[Any, ...]], window: int
) -> Iterator[tuple[Any, T]]:
    """Keep at most ``window`` tasks submitted; cancel what has not begun if the caller stops or a task fails."""
    waiting = iter(tasks)
    running: dict[Future[T], Any] = {}
    try:
        while True:
            for task in waiting:
                running[pool.submit(call, function, *task)] = task[-1]
                if len(running) >= window:
                    break
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                # Dropped as it comes: a future keeps its result alive for as long as somebody holds it.
                name = running.pop(future)
                yield name, future.result()
    finally:
        for future in running:
            future.cancel()


def usable_cores() -> int:
    """Cores that this process may use, which on a shared machine are fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
