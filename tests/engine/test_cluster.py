"""A Dask cluster and MPI are executors like any other; what is wrong with a cluster is said in one line, and soon."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from concurrent.futures import BrokenExecutor

import distributed
import numpy as np
import pytest

import varprop as vp
from varprop.engine import executors
from varprop.engine.executors import dask_executor, run_tasks

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

NETWORK = vp.mlp([8] * 4, activation="relu", weights="he_normal")
BLAS_THREADS = (
    "[one['num_threads'] for one in __import__('threadpoolctl').threadpool_info() if one['user_api'] == 'blas']"
)


def assert_same_samples(found, expected):
    assert found.quantities == expected.quantities
    for quantity in expected.quantities:
        np.testing.assert_array_equal(found.values(quantity), expected.values(quantity))


@pytest.fixture
def expected():
    return vp.simulate(NETWORK, n_networks=20_000, rng=5, executor="serial")


@pytest.fixture
def client():
    """A scheduler and two workers in this process, which is all of Dask but the processes."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as local,
        distributed.Client(local, set_as_default=False) as client,
    ):
        yield client


@pytest.mark.parametrize("pure", [True, False])
def test_samples_do_not_depend_on_dask(client, expected, pure):
    found = vp.simulate(NETWORK, n_networks=20_000, rng=5, executor=client.get_executor(pure=pure))
    assert_same_samples(found, expected)


def test_a_cluster_that_ends_is_an_executor_that_lost_its_workers(client):
    run = run_tasks(abs, [(-number,) for number in range(200)], client.get_executor(), workers=1)
    next(run)
    client.cluster.close()
    with pytest.raises(BrokenExecutor, match="the executor lost its workers or its scheduler"):
        list(run)


@pytest.mark.parametrize(
    ("address", "reason"),
    [("somewhere", "missing port number"), ("tcp://10.0.0.1:x", "invalid literal"), ("http://a:1", "unknown address")],
)
def test_what_is_no_address_is_said_at_once(address, reason):
    message = rf"no Dask scheduler answers at '{address}' \({reason}.*tcp://10\.0\.0\.1:8786"
    with pytest.raises(ConnectionError, match=message), dask_executor(address):
        pass


def test_who_does_not_speak_dask_is_not_waited_for(monkeypatch):
    """A socket that takes connections and says nothing."""
    monkeypatch.setattr(executors, "_ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ConnectionError, match="does not speak Dask's protocol"), dask_executor(address):
            pass


def test_nobody_there_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(executors, "_ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(ConnectionError, match="Timed out"), dask_executor(address):
        pass


def test_a_missing_extra_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install varprop\[dask\]$"), dask_executor():
        pass


class Workers:
    """What `_check_workers` asks a Client."""

    def __init__(self, answer):
        self.answer = answer
        self.waited = 0

    def nthreads(self):
        return {"tcp://a:1": 1} if self.waited or self.answer else {}

    def wait_for_workers(self, count):
        self.waited += count
        self.answer = {"tcp://a:1": vp.__version__}

    def run(self, _function):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_workers_have_the_same_varprop():
    executors._check_workers(Workers({"tcp://a:1": vp.__version__, "tcp://b:1": vp.__version__}))
    with pytest.raises(ValueError, match=rf"have varprop 0\.0\.9, .*install varprop {vp.__version__} there"):
        executors._check_workers(Workers({"tcp://a:1": "0.0.9", "tcp://b:1": vp.__version__}))
    with pytest.raises(ValueError, match=r"cannot load varprop .*install varprop"):
        executors._check_workers(Workers(ModuleNotFoundError("No module named 'varprop'")))


def test_the_first_worker_is_waited_for():
    workers = Workers({})
    with pytest.warns(RuntimeWarning, match="no worker yet; waiting"):
        executors._check_workers(workers)
    assert workers.waited == 1


# ---- with processes, in the session `clusters` -------------------------------------------------------------------


@pytest.mark.cluster
def test_a_killed_dask_worker_costs_nothing(expected):
    with dask_executor(workers=2) as executor:
        tasks = [(f"({number}, {BLAS_THREADS})[1]",) for number in range(8)]
        assert [set(counts) for _, counts in run_tasks(eval, tasks, executor)] == [{1}] * 8
        seen = []

        def kill(networks):
            seen.append(networks)
            if len(seen) == 2:
                os.kill(executor.submit(os.getpid, pure=False).result(timeout=60), signal.SIGKILL)

        assert_same_samples(vp.simulate(NETWORK, n_networks=20_000, rng=5, executor=executor, progress=kill), expected)
        assert sum(seen) == 20_000
        with pytest.raises(BrokenExecutor, match="Attempted to run task"):
            list(run_tasks(signal.raise_signal, [(signal.SIGKILL,)], executor))


@pytest.mark.cluster
def test_samples_do_not_depend_on_mpi(tmp_path, expected):
    pytest.importorskip("mpi4py.futures", exc_type=ImportError)
    mpiexec = shutil.which("mpiexec")
    assert mpiexec, "mpi4py without an MPI"
    script = tmp_path / "sample.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys
            import numpy as np
            import varprop as vp
            from mpi4py.futures import MPIPoolExecutor

            if __name__ == "__main__":
                network = vp.mlp([8] * 4, activation="relu", weights="he_normal")
                with MPIPoolExecutor() as pool:
                    samples = vp.simulate(network, n_networks=20_000, rng=5, executor=pool)
                np.save(sys.argv[1], samples.values("pivot"))
            """
        ),
        encoding="utf-8",
    )
    command = [mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", str(script), str(tmp_path / "pivot.npy")]
    subprocess.run(command, check=True, timeout=120)
    np.testing.assert_array_equal(np.load(tmp_path / "pivot.npy"), expected.values("pivot"))
