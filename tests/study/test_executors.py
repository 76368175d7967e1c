"""A study's parts are the same bytes from every executor, and a worker that is killed on the way changes none."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from varprop.study import RunStoppedError, filling, load_study, run_study

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


@pytest.fixture(scope="module")
def study(write_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    first = load_study(write_in(folder, TABLES, networks=1))
    blocks = {first.plan(configuration).block for configuration in first.configurations}
    return load_study(write_in(folder, TABLES, networks=BLOCKS // 2 * max(blocks)))


@pytest.fixture(scope="module")
def undisturbed(study, tmp_path_factory):
    found = parts(run_study(study, tmp_path_factory.mktemp("undisturbed"), "serial").path)
    assert len(found) == BLOCKS
    return found


# Run by a worker of a standard pool when it starts: it dies as it begins its third block, between two results. Killed
# while it writes one, the pool would wait for the rest of it for ever (CPython's, which is not ours to mend).
DIES_AT_ITS_THIRD = """
import os, signal
from varprop.study import filling
sample, begun = filling._sample, []
def mortal(*arguments):
    begun.append(arguments)
    if len(begun) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return sample(*arguments)
filling._sample = mortal
"""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("executor", ["threads", "processes", "pool"])
def test_bytes_do_not_depend_on_the_executor(study, undisturbed, tmp_path, executor, workers):
    with ThreadPoolExecutor(workers) as pool:
        where = pool if executor == "pool" else executor
        run = run_study(study, tmp_path / "other", where, workers=workers)
    assert parts(run.path) == undisturbed


def test_a_killed_worker_is_replaced(study, undisturbed, tmp_path, monkeypatch):
    sample, mark, calls = filling._sample, str(tmp_path / "died"), []

    def mortal(plan, name):  # the first to come to this block dies of it
        import os
        import signal
        from pathlib import Path

        if name == ("tanh", 3) and not Path(mark).exists():
            Path(mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return sample(plan, name)

    monkeypatch.setattr(filling, "_sample", mortal)
    run = run_study(study, tmp_path / "killed", "processes", calls.append, workers=2)
    assert (tmp_path / "died").exists()
    assert len(calls) == BLOCKS + 1, "every block is reported once"
    assert parts(run.path) == undisturbed


def test_a_pool_that_was_handed_in_and_breaks_stops_a_run_that_can_go_on(study, undisturbed, tmp_path):
    folder, calls = tmp_path / "broken", []
    context = multiprocessing.get_context("spawn")
    message = r"the executor lost its workers .* start the run again"
    mortal = ProcessPoolExecutor(2, mp_context=context, initializer=exec, initargs=(DIES_AT_ITS_THIRD, {}))
    with mortal as pool, pytest.raises(RunStoppedError, match=message):
        run_study(study, folder, pool, calls.append, workers=2)
    saved = parts(folder / "small")
    assert 2 <= len(saved) <= 4
    assert len(saved) == len(calls) - 1, "what was finished is on disk"
    with ThreadPoolExecutor(2) as pool:
        run = run_study(study, folder, pool)
    assert parts(run.path) == undisturbed
