"""Names that no report can have, on the command line: told before sampling, and never at the others' cost."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from varprop.cli.app import app

pytestmark = pytest.mark.false_alarm(0)

STUDY = """
schema = 1
title = "Named"
seed = 1
networks = 20
network = { widths = "6x3", activation = "relu", weights = "he_normal" }
"""
UNFIT = ["ledger", "a:b", "CON", "index.html"]


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(*names):
        for name in names:
            (tmp_path / f"{name}.toml").write_text(STUDY, encoding="utf-8")
        return [f"{name}.toml" for name in names]

    return write


def invoke(*arguments):
    return CliRunner().invoke(app, list(arguments), prog_name="varprop")


@pytest.mark.parametrize("names", [*([name] for name in UNFIT), ["deep", "Deep"]], ids=[*UNFIT, "case"])
def test_a_name_that_no_report_can_have_is_told_before_sampling(write, tmp_path, names):
    done = invoke("run", *write("good", *names), "--report", "out")
    assert done.exit_code == 2
    assert "name" in done.stderr
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "out").exists()


def test_one_bad_name_or_folder_does_not_lose_the_others_reports(write, tmp_path):
    assert invoke("run", *write("good", "ledger")).exit_code == 0
    done = invoke("report", "runs/ledger", "runs/good", "runs/none", "--output", "out", "--format", "md")
    assert done.exit_code == 2
    assert (tmp_path / "out/good/README.md").exists()
    told = done.stderr.splitlines()
    assert told[0] == "reports are in out"
    assert "runs/none: this is no run's folder" in told[1]
    assert told[2] == "the study's name 'ledger' is that of the index; rename its file"


@pytest.mark.skipif(os.name == "nt", reason="there the names of files are Unicode in every locale")
@pytest.mark.parametrize("mode", [{}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}], ids=["usual", "without UTF-8"])
def test_a_name_beyond_ascii_in_the_plainest_locale(write, tmp_path, mode):
    (name,) = write("é 😀")
    command = [sys.executable, "-m", "varprop.cli", "run", name, "--report", "out", "--format", "md"]
    done = subprocess.run(command, env=os.environ | {"LC_ALL": "C"} | mode, capture_output=True, check=False)
    if mode:  # then Python cannot name the file that it is to write
        assert done.returncode == 2
        assert b"set PYTHONUTF8=1, or rename the file" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "out/é 😀/README.md").exists()
