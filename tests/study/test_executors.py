"""A study's parts are the same bytes from every executor, and a worker that is killed on the way changes none."""

import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from varprop.study import RunStoppedError, load_study, run_study

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

TABLES = """
[network]
widths = "6x3"
weights = "he_normal"

[grid]
activation = ["relu", "tanh"]
"""
BLOCKS = 2 * 12


def parts(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


@pytest.fixture
def study(write):
    first = load_study(write(TABLES, networks=1))
    blocks = {first.plan(configuration).block for configuration in first.configurations}
    return load_study(write(TABLES, networks=BLOCKS // 2 * max(blocks)))


@pytest.fixture
def undisturbed(study, tmp_path):
    found = parts(run_study(study, tmp_path / "undisturbed", "serial").path)
    assert len(found) == BLOCKS
    return found


class Killer:
    """Kills a worker process after some blocks."""

    def __init__(self, after):
        self.after = after
        self.calls = 0
        self.killed = []

    def __call__(self, _progress):
        self.calls += 1
        if self.calls == self.after:
            victim = max(multiprocessing.active_children(), key=lambda child: child.pid)
            os.kill(victim.pid, signal.SIGKILL)
            self.killed.append(victim.pid)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("executor", ["threads", "processes", "pool"])
def test_bytes_do_not_depend_on_the_executor(study, undisturbed, tmp_path, executor, workers):
    with ThreadPoolExecutor(workers) as pool:
        where = pool if executor == "pool" else executor
        run = run_study(study, tmp_path / "other", where, workers=workers)
    assert parts(run.path) == undisturbed


def test_a_killed_worker_is_replaced(study, undisturbed, tmp_path):
    killer = Killer(after=3)
    run = run_study(study, tmp_path / "killed", "processes", killer, workers=2)
    assert killer.killed
    assert killer.calls == BLOCKS + 1, "every block is reported once"
    assert parts(run.path) == undisturbed


def test_a_pool_that_was_handed_in_and_breaks_stops_a_run_that_can_go_on(study, undisturbed, tmp_path):
    killer = Killer(after=3)
    folder = tmp_path / "broken"
    context = multiprocessing.get_context("spawn")
    message = r"the executor lost its workers .* start the run again"
    with ProcessPoolExecutor(2, mp_context=context) as pool, pytest.raises(RunStoppedError, match=message):
        run_study(study, folder, pool, killer, workers=2)
    saved = parts(folder / "small")
    assert 2 <= len(saved) < BLOCKS
    assert len(saved) == killer.calls - 1, "what was finished is on disk"
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        run = run_study(study, folder, pool)
    assert parts(run.path) == undisturbed
