"""Killed at any moment, out of disk, two at once: a run loses at most what was in flight, and ends in the same bytes."""

import contextlib
import random
import signal
import subprocess
import sys
import time
import warnings

import pytest

import varprop as vp
from varprop.study import StudyError, load_study, run_study
from varprop.study.files import locked, reading

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither SIGKILL nor tmpfs"),
    pytest.mark.false_alarm(0),
]

TABLES = """
[network]
widths = "6x3"

[grid]
activation = ["relu", "tanh"]
weights = ["he_normal"]

[[claims]]
id = "zero"
test = "zero_mean"
quantity = "activation_mean"
expect = "refuted"
where = { activation = "relu" }
"""


def contents(folder):
    """Everything in the folder but the lock, and the manifest, which remembers every commit that it was worked on from."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    left_out = {".lock", "manifest.json"}
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.name not in left_out}


def command(*arguments):
    return [sys.executable, "-m", "varprop.cli", "run", *map(str, arguments)]


def varprop_run(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120, check=False)


def resumed(study, folder):
    """What the folder holds after a resume, in which nothing may be found damaged."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return contents(run_study(study, folder, "serial").path)


# ---- killed ------------------------------------------------------------------------------------------------------

_KILLED_AT = """
import os, signal, sys
import varprop as vp
path, folder, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
sync, calls = os.fsync, []
def counted(descriptor):
    calls.append(descriptor)
    if len(calls) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    sync(descriptor)
os.fsync = counted
vp.run_study(vp.load_study(path), folder, "serial")
sys.exit(f"ended after {len(calls)} calls")
"""


@pytest.mark.parametrize(
    ("call", "left"),
    [
        (1, {"temporary"}),  # study.toml is written, and has no name yet
        (7, {"study.toml", "manifest.json", "part", "temporary"}),  # one part there, one without its name
        (10, {"study.toml", "manifest.json", "part"}),  # a part renamed, its folder not synced
        (17, {"study.toml", "manifest.json", "part", "temporary"}),  # all but the verdicts
    ],
)
def test_killed_between_any_two_steps_of_writing(write, tmp_path, call, left):
    """Every file is written, synced (an odd call), renamed, and its folder synced (an even one)."""
    path = write(TABLES, networks=4500)
    study = load_study(path)
    plan = study.plan(study.configurations[0])
    parts = len(study.configurations) * len(plan.blocks)
    # Four files are written beside the parts: study.toml, manifest.json twice, verdicts.csv.
    call += 2 * (parts - 5) if call > 10 else 0
    done = subprocess.run([sys.executable, "-c", _KILLED_AT, path, tmp_path / "killed", str(call)], check=False)
    assert done.returncode == -signal.SIGKILL
    names = {p.name for p in (tmp_path / "killed" / "small").rglob("*") if p.is_file() and p.name != ".lock"}
    kinds = {"temporary" if n.endswith(".tmp") else "part" if n.startswith("part-") else n for n in names}
    assert kinds == left
    expected = contents(run_study(study, tmp_path / "whole", "serial").path)
    assert resumed(study, tmp_path / "killed") == expected


@pytest.mark.montecarlo
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_killed_at_twenty_random_moments(write, tmp_path, fresh_seed, executor):
    """Anywhere between the start of the process and its end, and each time resumed: the bytes of an undisturbed run.

    The process alone is killed; its workers have to end by themselves, which is when nobody holds its streams any more.
    Nothing here is a matter of chance but which moments are tried.
    """
    path = write(TABLES, networks=60_000)
    study = load_study(path)
    moments = random.Random(fresh_seed)
    start = time.monotonic()
    whole = varprop_run(path, "--runs", tmp_path / "whole", "--executor", executor, "--workers", 2)
    lasts = time.monotonic() - start
    assert whole.returncode == 0, whole.stderr
    expected = contents(tmp_path / "whole" / "small")
    killed = 0
    for attempt in range(20):
        folder = tmp_path / f"killed-{attempt}"
        process = subprocess.Popen(
            command(path, "--runs", folder, "--executor", executor, "--workers", 2),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        time.sleep(moments.uniform(0.0, lasts))
        process.kill()
        process.communicate(timeout=15)
        killed += process.returncode == -signal.SIGKILL
        assert resumed(study, folder) == expected
    assert killed


# ---- out of disk -------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MB, and how to make it larger."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"A FULL DISK WAS NOT TRIED: mounting one takes root ({mounted.stderr.strip()})")
    try:
        yield disk, lambda: subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is Linux's")
def test_a_full_disk_stops_a_run_that_goes_on_once_there_is_room(write, tmp_path, small_disk):
    disk, make_room = small_disk
    path = write(TABLES, networks=12_000)
    stopped = varprop_run(path, "--runs", disk)
    assert stopped.returncode == 3, stopped.stderr
    assert "the disk is full (No space left on device); make room" in " ".join(stopped.stderr.split())
    assert "Traceback" not in stopped.stderr
    assert not list(disk.rglob("*.tmp"))
    kept = {name: data for name, data in contents(disk / "small").items() if "part-" in name}
    assert kept
    still = varprop_run(path, "--runs", disk, "--executor", "serial")
    assert still.returncode == 3, still.stderr
    make_room()
    done = varprop_run(path, "--runs", disk, "--executor", "serial")
    assert done.returncode == 0, done.stderr
    expected = contents(run_study(load_study(path), tmp_path / "whole", "serial").path)
    assert contents(disk / "small") == expected
    assert kept.items() <= expected.items()
    assert sum(map(len, expected.values())) > 2**20  # it would never have fitted


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is Linux's")
def test_a_report_that_finds_no_room_is_written_once_there_is(write, tmp_path, small_disk):
    disk, make_room = small_disk
    bare = TABLES.replace("[[claims]]", "[report]\nfigures = []\n\n[[claims]]")
    run = run_study(load_study(write(bare)), tmp_path / "runs", "serial")
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(bytes(4096))
    report = [sys.executable, "-m", "varprop.cli", "report", run.path, "--output", disk / "pages"]
    stopped = subprocess.run(report, capture_output=True, text=True, check=False)
    assert stopped.returncode == 3, stopped.stderr
    (line,) = stopped.stderr.splitlines()
    assert "the disk is full (No space left on device); make room" in line
    make_room()
    subprocess.run(report, capture_output=True, check=True)
    vp.write_report(run, tmp_path / "pages", formats=["html", "md"])
    assert contents(disk / "pages") == contents(tmp_path / "pages")


# ---- two at once -------------------------------------------------------------------------------------------------


def test_a_second_run_in_the_same_folder_is_refused_and_harms_nothing(write, tmp_path):
    path = write(TABLES, networks=50_000)
    runs = tmp_path / "runs"
    begin = command(path, "--runs", runs, "--executor", "serial")
    first = subprocess.Popen(begin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while len(list(runs.rglob("part-*.parquet"))) < 2:
            assert first.poll() is None
            time.sleep(0.005)
        first.send_signal(signal.SIGSTOP)  # it holds the folder for as long as the second takes
        second = varprop_run(path, "--runs", runs)
        first.send_signal(signal.SIGCONT)
        _, said = first.communicate(timeout=120)
    finally:
        first.kill()
    assert second.returncode == 2
    assert "another varprop is at work in this folder" in " ".join(second.stderr.split())
    assert "Traceback" not in second.stderr
    assert first.returncode == 0, said
    assert contents(runs / "small") == contents(run_study(load_study(path), tmp_path / "whole", "serial").path)


def test_a_report_and_a_run_do_not_meet_in_one_folder(write, tmp_path):
    study = load_study(write(TABLES))
    run = run_study(study, tmp_path, "serial")
    report = [sys.executable, "-m", "varprop.cli", "report", run.path, "--output", tmp_path / "pages"]
    with locked(run.path):  # as a run with --fresh has it
        refused = subprocess.run(report, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "another varprop is at work in this folder" in refused.stderr
    assert not (tmp_path / "pages").exists()
    with reading([run.path]), reading([run.path, tmp_path / "none"]):
        with pytest.raises(StudyError, match="another varprop is at work in this folder"):
            run_study(study, tmp_path, "serial", fresh=True)
        assert len(contents(run.path)) > 2
    run_study(study, tmp_path, "serial", fresh=True)
