"""A report replaces varprop's own files and nobody else's, and says so before anything is sampled."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from varprop.cli.app import app
from varprop.report import write_report
from varprop.report.replacing import is_own_page

pytestmark = pytest.mark.false_alarm(0)

STUDY = """
schema = 1
title = "Mine"
seed = 1
networks = 20
network = { widths = "6x3", activation = "relu", weights = "he_normal" }
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(app, list(arguments), prog_name="varprop")


@pytest.mark.parametrize("name", ["README.md", "index.html", "study/README.md", "study/verdicts.csv"])
def test_a_file_of_the_users_own_is_refused_before_sampling(here, name):
    (here / name).parent.mkdir(exist_ok=True)
    (here / name).write_text("mine: Written by varprop? No.\n")
    done = invoke("run", "study.toml", "--report", ".")
    assert done.exit_code == 2
    assert f"{name} is there, and varprop did not write it" in done.stderr
    assert (here / name).read_text() == "mine: Written by varprop? No.\n"
    assert not (here / "runs").exists()


@pytest.mark.parametrize("option", ["--report", "--runs"])
def test_an_unset_variable_is_no_folder(here, option):
    done = invoke("run", "study.toml", option, "")
    assert done.exit_code == 2
    assert "it is empty (an unset variable?)" in done.stderr
    assert not (here / "runs").exists()


def test_from_python_likewise(make_run, here):
    with pytest.raises(ValueError, match="name of the report's folder is empty"):
        write_report(make_run(more="[report]\nfigures = []"), "")


def test_its_own_report_is_replaced(here):
    for _ in range(2):
        assert invoke("run", "study.toml", "--report", "out").exit_code == 0
    assert invoke("report", "runs/study", "--output", "out").exit_code == 0


def test_pages_of_a_version_before_are_known():
    committed = Path(__file__).parents[2] / "reports"
    pages = [*committed.glob("*/index.html"), *committed.glob("*/README.md"), *committed.glob("frameworks/*/README.md")]
    written = [page for page in pages if "benchmark" not in page.parts and "models" not in page.parts]
    assert len(written) > 10
    assert all(map(is_own_page, written))


@pytest.mark.parametrize("name", ["study.toml", "manifest.json", "verdicts.csv"])
def test_a_folder_that_is_no_run_keeps_what_it_has(here, name):
    (here / "study").mkdir()
    (here / "study" / name).write_text("mine")
    done = invoke("run", "study.toml", "--runs", ".")
    assert done.exit_code == 2
    assert f"study: it is no run's folder and has a {name}" in done.stderr
    assert [path.name for path in (here / "study").iterdir()] == [name]
