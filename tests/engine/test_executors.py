"""Tasks run once each wherever they run, on one core each, and neither a dead worker nor a caller who stops does harm."""

import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing import get_context

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import varprop as vp
from varprop.engine import executors
from varprop.engine.executors import run_tasks, usable_cores

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

# As text for `eval`, which workers of any kind can look up.
BLAS_THREADS = (
    "[one['num_threads'] for one in __import__('threadpoolctl').threadpool_info() if one['user_api'] == 'blas']"
)
NETWORK = vp.mlp([8] * 4, activation="relu", weights="he_normal")


def blas_threads():
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


@contextmanager
def opened(name):
    """What is handed to `run_tasks` under a name of these tests."""
    if name == "thread pool":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    elif name == "process pool":
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            yield pool
    else:
        yield name


EVERY = ["serial", "threads", "processes", "thread pool", "process pool"]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_is_run_once(name, workers):
    tasks = [(base, 10 + exponent) for exponent, base in enumerate(range(2, 40))]
    with opened(name) as executor:
        found = list(run_tasks(pow, tasks, executor, workers=workers))
    assert sorted(found) == sorted((exponent, base**exponent) for base, exponent in tasks)


def test_no_tasks_are_no_results():
    assert list(run_tasks(pow, [], "threads")) == []
    assert list(run_tasks(pow, [], "serial")) == []


@pytest.mark.parametrize("name", EVERY)
def test_samples_do_not_depend_on_the_executor(name):
    expected = vp.simulate(NETWORK, n_networks=1200, rng=5, executor="serial")
    with opened(name) as executor:
        found = vp.simulate(NETWORK, n_networks=1200, rng=5, executor=executor)
    assert found.quantities == expected.quantities
    for quantity in expected.quantities:
        np.testing.assert_array_equal(found.values(quantity), expected.values(quantity))


def test_a_failing_task_is_the_caller_s_to_see():
    with pytest.raises(ValueError, match="invalid literal"):
        list(run_tasks(int, [("1",), ("x",), ("2",)], "threads"))


@pytest.mark.parametrize(
    ("executor", "error", "message"),
    [
        ("dask", ValueError, "'serial', 'threads', 'processes' or a concurrent.futures.Executor, got 'dask'"),
        (2, TypeError, "got 2"),
    ],
)
def test_what_is_no_executor_is_refused(executor, error, message):
    with pytest.raises(error, match=message):
        list(run_tasks(pow, [(2, 3), (2, 4)], executor))


def test_a_dask_client_is_told_apart_from_its_executor():
    class Client:
        def get_executor(self): ...

    with pytest.raises(TypeError, match=r"write client\.get_executor\(\)"):
        list(run_tasks(pow, [(2, 3)], Client()))


def test_no_workers_are_refused():
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        list(run_tasks(pow, [(2, 3)], "threads", workers=0))


# ---- cores -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_a_worker_has_one_blas_thread(name, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")  # for workers that are processes, as the limit is for the others
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    with threadpool_limits(3, user_api="blas"), opened(name) as executor:
        found = [counts for _, counts in run_tasks(eval, [(BLAS_THREADS,)] * 4, executor, workers=2)]
        assert set(blas_threads()) == {3}, "it was not put back"
    assert all(counts and set(counts) == {1} for counts in found)


@pytest.mark.skipif(usable_cores() == 1, reason="BLAS takes one thread anyway")
def test_a_worker_without_the_cap_would_be_seen(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    monkeypatch.setenv("MKL_NUM_THREADS", "2")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(eval, f"__import__('numpy') and {BLAS_THREADS}").result() == [2]


def test_cores_are_those_that_this_process_may_use(monkeypatch):
    assert 1 <= usable_cores() <= os.cpu_count()
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    assert usable_cores() == 1


@pytest.mark.parametrize(
    ("cores", "share", "expected"),
    [(1, 100, False), (2, 1.9, False), (2, 2.1, True), (64, 0.9, False), (64, 1.1, True)],
)
def test_workers_are_started_when_they_save_more_than_they_cost(monkeypatch, cores, share, expected):
    """n workers save (1 - 1/n) of the time: half of it with two, nearly all with 64; `share` is in units of the start."""
    monkeypatch.setattr(executors, "usable_cores", lambda: cores)
    counts = []

    @contextmanager
    def workers(count):
        counts.append(count)
        with ThreadPoolExecutor(1) as pool:
            yield pool

    monkeypatch.setattr(executors, "worker_processes", workers)
    work = int(share * executors._START_SECONDS / executors._DRAW_SECONDS)
    assert len(list(run_tasks(pow, [(2, 3), (2, 4)], work=work))) == 2
    assert counts == ([min(cores, 2)] if expected else [])
    counts.clear()
    list(run_tasks(pow, [(2, 3)], work=10 * work))
    assert counts == [], "one task gains nothing from a second worker"


# ---- workers that die, callers who stop --------------------------------------------------------------------------


def test_a_killed_worker_costs_nothing(tmp_path):
    """The first to come to one of the tasks dies of it, as for want of memory."""

    def square(folder, number):
        import os
        import signal
        from pathlib import Path

        if number == 7 and not (Path(folder) / "died").exists():
            (Path(folder) / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number**2

    found = list(run_tasks(square, [(str(tmp_path), number) for number in range(30)], "processes", workers=2))
    assert sorted(found) == [(number, number**2) for number in range(30)]
    assert (tmp_path / "died").exists()


def test_workers_that_keep_dying_are_given_up():
    tasks = [(signal.SIGKILL,)] * 2
    with pytest.raises(BrokenExecutor, match=r"lost 3 times in a row \(out of memory\?\): "):
        list(run_tasks(signal.raise_signal, tasks, "processes", workers=2))
    assert list(run_tasks(abs, [(-1,), (-2,)], "processes", workers=2))  # the next one has a pool again


class BreakingPool(ThreadPoolExecutor):
    """A pool that breaks at its n-th task."""

    def __init__(self, tasks):
        super().__init__(1)
        self.tasks = tasks

    def submit(self, function, /, *args, **kwargs):
        self.tasks -= 1
        if self.tasks < 0:
            msg = "a worker was killed\nand this is how"
            raise BrokenExecutor(msg)
        return super().submit(function, *args, **kwargs)


@pytest.mark.parametrize(("tasks", "enough"), [(4, True), (1, True), (0, False)])
def test_only_pools_that_finish_nothing_count(monkeypatch, tasks, enough):
    pools = []

    @contextmanager
    def fresh(_workers):
        pools.append(BreakingPool(tasks))
        with pools[-1] as pool:
            yield pool

    monkeypatch.setattr(executors, "worker_processes", fresh)
    monkeypatch.setattr(executors, "_WINDOW", 1)
    run = run_tasks(abs, [(-number,) for number in range(20)], "processes", workers=1)
    if enough:
        assert [name for name, _ in run] == [-number for number in range(20)]
        assert len(pools) == 20 // tasks
    else:
        with pytest.raises(BrokenExecutor, match=r"3 times in a row .*: a worker was killed$"):
            next(run)
        assert len(pools) == 3


def test_an_executor_that_was_handed_in_is_not_replaced():
    tasks = [(-number,) for number in range(20)]
    finished = []
    with BreakingPool(8) as pool, pytest.raises(BrokenExecutor, match=r"\(a worker was killed\); it takes a new one"):
        finished.extend(run_tasks(abs, tasks, pool, workers=1))
    assert len(finished) <= 8
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool, pytest.raises(BrokenExecutor, match="lost its workers"):
        list(run_tasks(signal.raise_signal, [(signal.SIGKILL,)], pool))


def test_tasks_that_the_executor_cancels_are_lost():
    with ThreadPoolExecutor(1) as pool:
        run = run_tasks(time.sleep, [(0,), (0.2,), (0,), (0,)], pool)
        next(run)
        pool.shutdown(wait=False, cancel_futures=True)
        with pytest.raises(BrokenExecutor, match="CancelledError"):
            list(run)


def _gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_whoever_stops_does_not_wait_for_worker_processes():
    """The second task would take an hour."""
    code = "(__import__('time').sleep({}), __import__('os').getpid())[1]"
    with closing(run_tasks(eval, [(code.format(0),), (code.format(3600),)], "processes", workers=1)) as run:
        _, pid = next(run)
        assert not _gone(pid)
    assert _gone(pid)


def test_whoever_stops_has_nothing_begun_after():
    begun, going = [], threading.Event()

    def task(number):
        begun.append(number)
        assert number == 0 or going.wait(60)

    with ThreadPoolExecutor(1) as pool:
        with closing(run_tasks(task, [(number,) for number in range(50)], pool)) as run:
            next(run)
        going.set()
    assert begun in ([0], [0, 1])  # the one that was under way is finished


def test_results_do_not_pile_up():
    """A caller who is slower than the workers keeps a window of results in memory, not all of them."""
    submitted = []

    class Counting(ThreadPoolExecutor):
        def submit(self, function, /, *args, **kwargs):
            submitted.append(args)
            return super().submit(function, *args, **kwargs)

    with Counting(2) as pool:
        for count, _ in enumerate(run_tasks(abs, [(-number,) for number in range(100)], pool, workers=2)):
            assert len(submitted) <= count + 7
    assert len(submitted) == 100
