"""Where a run is sampled: on a Dask cluster the same bytes, a clear line where there is none, and a stop that resumes."""

import os
import signal
import subprocess
import sys
import time

import distributed
import pytest
from typer.testing import CliRunner

from varprop.cli.app import app

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), prog_name="varprop")


def parts(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("part-*.parquet"))}


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_cluster_by_its_address(study, tmp_path):
    path = study(networks=5000)
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        result = invoke("run", path, "--executor", "dask", "--address", cluster.scheduler_address)
    assert result.exit_code == 0, result.output
    assert "warning" not in result.stderr
    assert invoke("run", path, "--executor", "serial", "--runs", "serial").exit_code == 0
    assert parts(tmp_path / "runs") == parts(tmp_path / "serial")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--address", "tcp://127.0.0.1:8786"), "add --executor dask"),
        (("--executor", "processes", "--address", "tcp://127.0.0.1:8786"), "add --executor dask"),
        (("--executor", "dask", "--address", "tcp://127.0.0.1:1", "--workers", "2"), "leave --workers out"),
        (("--executor", "dask", "--address", "here"), "no Dask scheduler answers at 'here'"),
    ],
)
def test_bad_input_is_status_2_and_one_line(study, tmp_path, arguments, message):
    result = invoke("run", study(), *arguments)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert message in line
    assert not (tmp_path / "runs").exists()


def test_an_unreachable_cluster_is_status_2_in_bounded_time(study, monkeypatch):
    monkeypatch.setattr("varprop.engine.executors._ANSWER_SECONDS", 0.2)
    result = invoke("run", study(), "--executor", "dask", "--address", "tcp://127.0.0.1:1")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("varprop: no Dask scheduler answers at 'tcp://127.0.0.1:1' (Timed out")


def test_a_missing_extra_is_status_2_and_says_what_to_install(study, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = invoke("run", study(), "--executor", "dask")
    assert result.exit_code == 2
    assert result.stderr == "varprop: a Dask executor needs distributed; pip install varprop[dask]\n"


# ---- with processes, in the session `clusters` -------------------------------------------------------------------


def started(*arguments):
    """A run in a group of its own, as a terminal has it, which has begun to sample."""
    command = [sys.executable, "-m", "varprop.cli", "run", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for_parts(process, folder, count):
    for _ in range(6000):
        if len(parts(folder)) >= count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    pytest.fail("no parts in a minute")


def assert_stopped(process, words):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert not out
    assert "Traceback" not in err
    assert err.splitlines()[-1].strip() == "varprop run " + words
    return err


@pytest.mark.cluster
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_with_the_command_that_resumes(study, tmp_path, stop):
    options = ("--executor", "dask", "--workers", 2)
    process = started(study(networks=4_000_000).name, *options)
    wait_for_parts(process, tmp_path / "runs", 2)
    if stop == signal.SIGINT:
        os.killpg(process.pid, stop)
    else:
        process.send_signal(stop)
    assert_stopped(process, "small.toml --executor dask --workers 2")
    some = len(parts(tmp_path / "runs"))
    networks = 20_000
    assert invoke("run", "small.toml", "--networks", networks, *options).exit_code == 0
    assert invoke("run", "small.toml", "--networks", networks, "--runs", "serial").exit_code == 0
    assert some >= 2
    assert parts(tmp_path / "serial").items() <= parts(tmp_path / "runs").items()


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and a worker in processes of their own: address, scheduler, worker."""
    file = tmp_path / "scheduler.json"
    begin = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--host", "127.0.0.1"]
    scheduler = subprocess.Popen(
        [*begin, "--no-dashboard", "--scheduler-file", str(file)], stderr=subprocess.DEVNULL, cwd=tmp_path
    )
    join = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--no-dashboard"]
    worker = subprocess.Popen([*join, "--nthreads", "2", "--no-nanny"], stderr=subprocess.DEVNULL, cwd=tmp_path)
    try:
        with distributed.Client(scheduler_file=str(file), timeout=60, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
            address = client.scheduler.address
        yield address, scheduler, worker
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()


@pytest.mark.cluster
def test_a_scheduler_that_is_gone_stops_a_run_that_can_go_on(study, tmp_path, cluster):
    address, scheduler, _ = cluster
    process = started(study(networks=4_000_000).name, "--executor", "dask", "--address", address)
    wait_for_parts(process, tmp_path / "runs", 2)
    scheduler.kill()
    said = assert_stopped(process, f"small.toml --executor dask --address {address}")
    assert "the executor lost its workers or its scheduler" in said
    assert invoke("run", "small.toml", "--networks", 20_000).exit_code == 0
    assert invoke("run", "small.toml", "--networks", 20_000, "--runs", "serial").exit_code == 0
    assert parts(tmp_path / "serial").items() <= parts(tmp_path / "runs").items()
