"""Where blocks run: any ``concurrent.futures.Executor``, fed through a window; workers, clusters, BLAS of one thread."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import logging
import os
import signal
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache, partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, cast

from threadpoolctl import ThreadpoolController

import varprop as vp
from varprop._arguments import quoted

if TYPE_CHECKING:
    from distributed import Client


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


ProcessName = tuple[uuid.UUID, int]

_DRAWN = uuid.uuid4()  # process numbers repeat from host to host; this alone is inherited by a fork
_capped = threading.local()


def this_process() -> ProcessName:
    """Return what no other process has, on whatever host."""
    return _DRAWN, os.getpid()


def one_blas_thread() -> AbstractContextManager[object]:
    """Cap this process's BLAS libraries at one thread, for a while."""
    return cast(AbstractContextManager[object], _controller().limit(limits=1, user_api="blas"))


def on_one_core(caller: ProcessName, call: Callable[[], T]) -> T:
    """Run a call with one BLAS thread, in a worker of any kind whose caller is inside `one_blas_thread`.

    In the caller's process, workers are threads under the caller's cap; to set it is the caller's, since to
    threadpoolctl the number belongs to one thread at a time. Any other process is there to work, and stays capped: were
    each call to put back what it found, the first of two that overlap in a worker would lift the cap of the other.
    """
    if this_process() != caller and not hasattr(_capped, "limiter"):
        _capped.limiter = _controller().limit(limits=1, user_api="blas")  # by thread, as OpenMP counts
    return call()


@cache
def _controller() -> ThreadpoolController:
    """The BLAS libraries of this process; looking for them takes longer than a short simulation."""
    for name in ("numpy", "scipy.special"):  # each brings a BLAS; one that is not loaded yet would not be found
        importlib.import_module(name)
    return ThreadpoolController()


T = TypeVar("T")
WorkItem = tuple[Any, ...]
ExecutorName = Literal["serial", "threads", "processes"]
ExecutorLike = ExecutorName | Executor | None

_WINDOW = 3  # tasks in flight for each worker: enough that none waits, few enough that results do not pile up
_WINDOW_UNKNOWN = 1024  # tasks in flight where nobody says how many workers there are, as in a cluster that grows
_FRUITLESS = 3  # pools in a row that break before they finish anything: then it is no accident

# Measured with loky 3.7 on two cores, widths 32 to 1024, 5 to 20 layers: sampling in this process takes 2 to 6 ns for
# each draw that `Plan.draws` counts. The first simulation in worker processes takes 0.7 to 1.0 s more (Python starts and
# imports the engine, in all workers at once; for a study it imports twice as much), one that finds them there next to
# nothing. So two workers break even with one process at about 5e8 draws, which take it two seconds.
_DRAW_SECONDS = 4e-9
_START_SECONDS = 1.0


def run_tasks(
    function: Callable[..., T],
    tasks: Sequence[WorkItem],
    executor: ExecutorLike = None,
    *,
    workers: int | None = None,
    work: int = 0,
) -> Generator[tuple[Any, T], None, None]:
    """Run a function on every task and yield (task's last argument, result) as they finish, in any order.

    Notes
    -----
    Worker processes that die (killed by hand, or for want of memory) are replaced, and nothing that was yielded
    before is run again. An executor that was handed in is somebody else's to open, so it is not replaced.

    If the caller stops early, tasks that have not begun are cancelled, and worker processes are ended at once;
    threads, and workers of an executor that was handed in, first finish the tasks they are at. A caller that may be
    interrupted closes what it got (`contextlib.closing`): a traceback that somebody keeps would keep the workers too.
    """
    if workers is not None and workers < 1:
        msg = f"workers must be at least 1, got {workers}"
        raise ValueError(msg)
    if isinstance(executor, Executor):
        window = _WINDOW_UNKNOWN if workers is None else _WINDOW * workers
        try:
            with _windowed(executor, function, tasks, range(len(tasks)), window) as results:
                for index, result in results:
                    yield tasks[index][-1], result
        except _losses() as error:
            msg = f"the executor lost its workers or its scheduler ({_first_line(error)}); it takes a new one to go on"
            raise BrokenExecutor(msg) from error
        return
    if executor is not None and not isinstance(executor, str):
        _refuse(executor)
    if executor is None:
        executor = "processes" if len(tasks) > 1 and _worth_workers(work, workers) else "serial"
    if executor == "serial":
        with one_blas_thread():
            for task in tasks:
                yield task[-1], function(*task)
        return
    if executor not in ("threads", "processes"):
        _refuse(executor)
    count = min(workers or usable_cores(), max(len(tasks), 1))
    open_pool: Callable[[], contextlib.AbstractContextManager[Executor]]
    open_pool = partial(ThreadPoolExecutor, count) if executor == "threads" else partial(worker_processes, count)
    yield from _replacing(open_pool, function, tasks, _WINDOW * count, cancel=executor == "threads")


def _refuse(executor: object) -> NoReturn:
    msg = f"executor must be 'serial', 'threads', 'processes' or a concurrent.futures.Executor, got {quoted(executor)}"
    if hasattr(executor, "get_executor"):
        msg += "; write client.get_executor() for a Dask client"
    raise ValueError(msg) if isinstance(executor, str) else TypeError(msg)


def _worth_workers(work: int, workers: int | None) -> bool:
    """Tell whether worker processes save more time than they take to start.

    n workers save a share 1 - 1/n of the time that the draws take in this process.
    """
    alone = work * _DRAW_SECONDS
    if alone <= _START_SECONDS:
        return False  # whatever the number of cores; short work should not even wait for it to be found
    return alone * (1 - 1 / (workers or usable_cores())) > _START_SECONDS


def _replacing(
    open_pool: Callable[[], contextlib.AbstractContextManager[Executor]],
    function: Callable[..., T],
    tasks: Sequence[WorkItem],
    window: int,
    *,
    cancel: bool,
) -> Iterator[tuple[Any, T]]:
    """Run tasks in a pool of our own; what a pool that breaks takes with it goes to a fresh one."""
    left = dict.fromkeys(range(len(tasks)))
    fruitless = 0
    while left:
        try:
            with open_pool() as pool, _windowed(pool, function, tasks, list(left), window, cancel=cancel) as results:
                for index, result in results:
                    del left[index]
                    fruitless = 0
                    yield tasks[index][-1], result
        except _losses() as error:
            fruitless += 1
            if fruitless == _FRUITLESS:
                msg = f"worker processes were lost {_FRUITLESS} times in a row (out of memory?): {_first_line(error)}"
                raise BrokenExecutor(msg) from error


@contextlib.contextmanager
def _windowed(
    pool: Executor,
    function: Callable[..., T],
    tasks: Sequence[WorkItem],
    indices: Sequence[int],
    window: int,
    *,
    cancel: bool = True,
) -> Iterator[Iterator[tuple[int, T]]]:
    """Give (index, result) as tasks finish, at most ``window`` of them submitted; in the end cancel what is left.

    Not where the pool itself is ended with its workers: loky fails every task then, and trips over one that was cancelled.
    """
    caller = this_process()
    waiting = iter(indices)
    running: dict[Future[T], int] = {}
    # Filled by callbacks: `wait` would take as long as the window is for each task, and never learns of the tasks that a
    # pool of threads cancels as it shuts down.
    finished: SimpleQueue[Future[T]] = SimpleQueue()

    def results() -> Iterator[tuple[int, T]]:
        while True:
            for index in itertools.islice(waiting, window - len(running)):
                # One opaque call: Dask would look into tuples and lists for futures of its own.
                future = pool.submit(on_one_core, caller, partial(function, *tasks[index]))
                running[future] = index
                future.add_done_callback(finished.put)
            if not running:
                return
            # Dropped as it comes: a future keeps its result alive for as long as somebody holds it.
            future = finished.get()
            index, result = running.pop(future), future.result()
            del future
            yield index, result

    try:
        with one_blas_thread():
            yield results()
    finally:
        for future in running if cancel else ():
            future.cancel()


def _losses() -> tuple[type[BaseException], ...]:
    """What an executor raises when it has lost tasks, rather than when a task has failed."""
    losses: tuple[type[BaseException], ...] = (BrokenExecutor, CancelledError)  # nobody here cancels what is awaited
    dask = sys.modules.get("distributed")
    if dask is not None:  # else the executor is not Dask's
        losses += (dask.KilledWorker, dask.client.ClosedClientError, dask.comm.CommClosedError)
    return losses


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def usable_cores() -> int:
    """Cores that this process may use: its affinity and its container's CPU quota may allow fewer than there are."""
    from loky import cpu_count

    return int(cpu_count())


# ---- clusters --------------------------------------------------------------------------------------------------------


_ANSWER_SECONDS = 10.0  # in which a scheduler has to answer; a busy one takes a second or two
_GREETING_SECONDS = 2.0  # after which one that took the call, but says nothing that Dask knows, is none


@contextlib.contextmanager
def dask_executor(address: str | None = None, *, workers: int | None = None) -> Iterator[Executor]:
    """Start a Dask cluster on this machine, or connect to one, and give an executor that runs tasks there."""
    try:
        import distributed
    except ModuleNotFoundError as error:
        msg = f"a Dask executor needs {error.name}; pip install varprop[dask]"
        raise ModuleNotFoundError(msg, name=error.name) from error

    with contextlib.ExitStack() as stack:
        # What Dask logs of workers that come and go is not the user's business; what is comes as an error.
        stack.enter_context(distributed.utils.silence_logging_cmgr(logging.CRITICAL))
        scheduler: str | distributed.LocalCluster
        if address is None:
            scheduler = distributed.LocalCluster(
                n_workers=workers or usable_cores(),
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # None would ask for port 8787, and complain where it is taken
                memory_limit=0,  # a share of the machine's memory each would be a guess, and workers die of it
                silence_logs=logging.CRITICAL,  # of the workers
            )
            stack.enter_context(scheduler)
        else:
            asyncio.run(_knock(address))
            scheduler = address
        client = stack.enter_context(distributed.Client(scheduler, timeout=_ANSWER_SECONDS, set_as_default=False))
        if address is None:  # workers that run elsewhere are not this terminal's
            client.register_worker_callbacks(leave_interrupts_to_the_parent)
        _check_workers(client)
        yield client.get_executor(pure=False)


async def _knock(address: str) -> None:
    """See whether a Dask scheduler is at home; what else may answer there could keep a Client waiting for ever."""
    from distributed.comm import connect

    answer = asyncio.ensure_future(connect(address, timeout=_ANSWER_SECONDS))
    # Longer than Dask's own limit, which tells more: that nobody is there at all.
    done, _ = await asyncio.wait({answer}, timeout=_ANSWER_SECONDS + _GREETING_SECONDS)
    if not done:
        answer.cancel()
    error = answer.exception() if done else "it does not speak Dask's protocol"
    if error is not None:
        msg = f"no Dask scheduler answers at {quoted(address)} ({error}); an address looks like tcp://10.0.0.1:8786"
        raise ConnectionError(msg)
    answer.result().abort()


def _check_workers(client: Client) -> None:
    """See whether the workers have the same varprop; what is sampled depends on it."""
    if not client.nthreads():
        msg = "the Dask cluster has no worker yet; waiting for one"
        warnings.warn(msg, RuntimeWarning, stacklevel=5)
        client.wait_for_workers(1)
    try:
        found = set(client.run(_installed).values())
    except ImportError as error:
        msg = f"the cluster's workers cannot load varprop ({error}); install varprop {vp.__version__} there"
        raise ValueError(msg) from error
    if found != {vp.__version__}:
        versions = ", ".join(sorted(found))
        msg = f"the cluster's workers have varprop {versions}; install varprop {vp.__version__} there"
        raise ValueError(msg)


def _installed() -> str:
    """Run by every worker, which has to load this module for it."""
    return vp.__version__
