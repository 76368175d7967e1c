"""Worker processes end with whoever started them, whatever ends that, and a Ctrl-C leaves none."""

import multiprocessing
import signal
import subprocess
import sys

import numpy as np
import pytest

import varprop as vp
from varprop.engine import executors

pytestmark = [
    pytest.mark.false_alarm(0),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals, and no new parent for orphans"),
]

# Workers say that they are there on the stream that they have from their parent, as in `varprop run ... | tee log`.
PARENT = r"""
from varprop.engine.executors import run_tasks
task = "__import__('os').write(1, b'begun\\n'), __import__('time').sleep(600)"
list(run_tasks(eval, [(task,)] * 2, "processes", workers=2))
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGHUP])
def test_no_worker_outlives_its_parent(end):
    """Python starts three times, which takes a second or two."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert sorted(parent.stdout.readline() for _ in range(2)) == ["begun\n"] * 2
    parent.send_signal(end)
    rest, _ = parent.communicate(timeout=15)  # until nobody holds the stream open any more
    assert (rest, parent.returncode) == ("", -end)


def test_a_worker_whose_parent_is_there_goes_on(monkeypatch):
    """The control: what ends a worker is that its parent is another, and nothing else."""
    looks, ended = iter([7, 7, 7, 1]), []
    monkeypatch.setattr("os.getppid", lambda: next(looks))
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("os._exit", ended.append)
    executors._end_with(7)
    assert ended == [1]
    assert not list(looks)


@pytest.fixture
def interruptible():
    """A shell's background jobs ignore Ctrl-C; these tests must not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_from_python_leaves_no_worker_and_a_second_call_works():
    net = vp.mlp([8] * 4, activation="relu", weights="he_normal")
    several = 6 * vp.engine.plan.block_sizes(net)[1]
    with pytest.raises(KeyboardInterrupt) as kept:  # as an interactive session keeps the last traceback
        vp.simulate(
            net, n_networks=several, rng=1, executor="processes", progress=lambda _: signal.raise_signal(signal.SIGINT)
        )
    assert not [child for child in multiprocessing.active_children() if child.is_alive()]
    again = vp.simulate(net, n_networks=several, rng=1, executor="processes")
    serial = vp.simulate(net, n_networks=several, rng=1, executor="serial")
    for name in serial.quantities:
        np.testing.assert_array_equal(again.values(name), serial.values(name))
    del kept


@pytest.mark.usefixtures("interruptible")
def test_signals_wait_while_workers_start():
    told = []

    def start():
        with executors._signals_held():
            signal.raise_signal(signal.SIGINT)
            told.append("started")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert told == ["started"]
