"""How commands end: one meaning for each exit status, no traceback unasked, and streams that are closed, full or left."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from varprop.cli.app import app

pytestmark = [
    pytest.mark.false_alarm(0),  # studies of which the verdicts are decided by many standard errors
    pytest.mark.skipif(os.name == "nt", reason="Windows has another shell and other signals"),
]


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), prog_name="varprop")


def shell(line):
    """Run a line of bash in which `varprop` is this one; its last line is the exit status of the first command."""
    line = line.replace("varprop", f"{sys.executable} -m varprop.cli", 1) + "; echo ${PIPESTATUS[0]} 1>&3"
    read, write = os.pipe()
    done = subprocess.run(
        ["/bin/bash", "-c", f"exec 3>&{write}; {line}"], capture_output=True, text=True, pass_fds=[write], check=True
    )
    os.close(write)
    with os.fdopen(read) as status:
        return int(status.read()), done.stdout, done.stderr


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# ---- faults of varprop's own -------------------------------------------------------------------------------------


@pytest.fixture
def fault(monkeypatch):
    def broken():
        msg = "no such\nthing"
        raise KeyError(msg)

    monkeypatch.setattr("varprop.study.schema.json_schema", broken)
    monkeypatch.setattr("sys.argv", ["varprop", "schema"])


@pytest.mark.usefixtures("fault")
def test_a_fault_is_status_4_and_one_line():
    result = invoke("schema")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr == (
        "varprop: this should not have happened (KeyError: 'no such\\nthing'); for the traceback: varprop --debug schema\n"
    )


@pytest.mark.usefixtures("fault")
def test_the_traceback_is_there_for_the_asking():
    result = invoke("--debug", "schema")
    assert result.exit_code == 4
    first, *_, last = result.stderr.splitlines()
    assert first == "Traceback (most recent call last):"
    assert last == "varprop: this should not have happened (KeyError: 'no such\\nthing')"
    assert "Traceback" not in invoke("schema").stderr


@pytest.mark.parametrize(
    ("begin", "status", "said"),
    [
        ("run(lambda: 1 / 0)", 4, "varprop: this should not have happened (ZeroDivisionError: division by zero)"),
        ("run(lambda: os.kill(os.getpid(), signal.SIGHUP))", 3, "varprop: stopped"),
        ("signal.signal(1, signal.SIG_IGN); run(lambda: os.kill(os.getpid(), 1))", 0, ""),  # under nohup
    ],
)
def test_what_happens_outside_of_the_commands_ends_likewise(begin, status, said):
    code = f"import os, signal; from varprop.cli.failures import run; {begin}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert done.stderr.count("\n") == bool(said)
    assert said in done.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, 1),
        (ValueError("bad"), 2),
        (OSError(errno.EACCES, "not allowed"), 2),
        (OSError(errno.ENOSPC, "No space left on device"), 3),
        (KeyboardInterrupt(), 3),
        (ZeroDivisionError("oh"), 4),
    ],
    ids=["contradicted", "bad", "denied", "full", "interrupted", "fault"],
)
def test_an_error_wins_over_a_verdict_that_contradicts(study, monkeypatch, error, status):
    def written(*_, **__):
        if error is not None:
            raise error

    monkeypatch.setattr("varprop.report.write.write_report", written)
    result = invoke("run", study(expect="supported"), "--report", "pages")
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output


def test_statuses_are_told_in_the_help():
    assert "1 the answer contradicts what is expected; 2 bad input;" in " ".join(invoke("--help").stdout.split())


# ---- streams -----------------------------------------------------------------------------------------------------


def test_closed_streams_are_as_good_as_none(study, tmp_path):
    """Were they not opened, a part would be the next file to bear the number of a stream."""
    path = study(expect="supported")
    assert shell(f"varprop run {path} --runs closed <&- >&- 2>&-") == (1, "", "")
    assert invoke("run", path, "--runs", "open").exit_code == 1
    ends = [{p.name: p.read_bytes() for p in (tmp_path / kind).rglob("*.parquet")} for kind in ("closed", "open")]
    assert ends[0] == ends[1]
    assert ends[0]
    assert shell("varprop list nothing 2>&-") == (2, "", "")
    assert shell("varprop --version >&-") == (0, "", "")


def test_a_reader_that_leaves_changes_no_status(study):
    assert shell(f"varprop run {study(expect='supported')} | true")[0] == 1
    assert shell("varprop --help | true") == (0, "", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")  # noqa: PTH110
def test_an_answer_that_finds_no_room_is_told():
    status, _, err = shell("varprop list tests > /dev/full")
    assert (status, err) == (3, "varprop: the disk is full (No space left on device); make room\n")
    assert shell("varprop list nothing 2> /dev/full")[0] == 2


# ---- texts -------------------------------------------------------------------------------------------------------

NASTY = "\x9b31m\u202e\ufeff\x07\x7f\u2066\U000e0041"


def test_no_control_reaches_a_terminal(study, tmp_path):
    path = study()
    text = path.read_text(encoding="utf-8")
    escaped = NASTY.encode("unicode_escape").decode().replace("\\x", "\\u00")  # as TOML writes it
    path.write_text(text.replace("A small", f"A{escaped}"), encoding="utf-8")
    (tmp_path / "wrong.toml").write_text(f'"{escaped}" = "{escaped}"', encoding="utf-8")
    as_json = invoke("run", path, "--json")
    assert json.loads(as_json.stdout)[0]["title"] == f"A{NASTY} [bold]study", "what a program reads is the text itself"
    printed = [
        as_json.output,
        invoke("run", path).output,
        invoke("list", "studies", "--studies", ".").output,
        invoke("run", "wrong.toml").output,
        invoke("run", f"none{NASTY}.toml").output,
        invoke("predict", "--widths", NASTY, "--activation", NASTY, "--weights", "he_normal").output,
        shell("varprop $'frob\\u009b\\u202e\\ufeffnicate'")[2],
    ]
    for one in printed:
        assert one
        assert not set(one) & (set(NASTY) - set("31m")), ascii(one)
    assert "No such command 'frob\\x9b\\u202e\\ufeffnicate'" in printed[-1]


# ---- signals -----------------------------------------------------------------------------------------------------


def test_impatience_prints_no_traceback_either(study, tmp_path):
    study(networks=400_000)
    start = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    start += "runpy.run_module('varprop.cli', run_name='__main__', alter_sys=True)"
    process = subprocess.Popen(
        [sys.executable, "-c", start, "run", "small.toml", "--executor", "processes", "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, all of which gets a terminal's Ctrl-C
    )
    while not list((tmp_path / "runs").rglob("part-*.parquet")):
        time.sleep(0.01)
        assert process.poll() is None
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.002)
    _, err = process.communicate(timeout=15)  # no worker holds the streams
    assert process.returncode == 3, err
    assert "Traceback" not in err
    # Not always last: what tidies up after a process that ended at once may say so on the same stream.
    assert "varprop run small.toml --executor processes --workers 2" in map(str.strip, err.splitlines())
