"""A manifest that is not what was written, or that is of another version: one message, and nothing lost."""

import json
import os
import shutil

import pytest
from typer.testing import CliRunner

from varprop.cli.app import app
from varprop.numerics.randomness import DRAWS_VERSION
from varprop.study import StudyError, check_run, load_run, load_study, run_study

pytestmark = pytest.mark.false_alarm(0)

STUDY = """
schema = 1
title = "Small"
seed = 3
networks = 40
network = { widths = "6x3", weights = "he_normal", activation = "relu" }
claims = [{ id = "zero", test = "zero_mean", quantity = "activation_mean" }]
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.toml").write_text(STUDY, encoding="utf-8")
    run_study(load_study(folder / "small.toml"), folder / "runs", "serial")
    return folder


@pytest.fixture
def folder(finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs/small"


def edit(folder, change):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def invoke(*arguments):
    return CliRunner().invoke(app, list(arguments), prog_name="varprop")


def without(*keys):
    def change(manifest):
        for key in keys[:-1]:
            manifest = manifest[key]
        del manifest[keys[-1]]

    return change


def given(value, *keys):
    def change(manifest):
        for key in keys[:-1]:
            manifest = manifest[key]
        manifest[keys[-1]] = value

    return change


WRONG = {
    "no study": (without("study"), "study must be the name of a study, got nothing"),
    "no networks": (without("networks"), "networks must be an integer from 1 to 1,000,000,000, got nothing"),
    "no configurations": (without("configurations"), "configurations must be a list of tables, got nothing"),
    "no environment": (without("environment"), "environment must be a table with the versions"),
    "no versions": (without("environment", "versions"), "environment must be a table with the versions"),
    "no label": (without("configurations", 0, "label"), "configurations[0].label must be a text, got nothing"),
    "a way out": (given("../../small", "study"), 'study must be the name of a study, got "../../small"'),
    "a list": (given([], "study"), "study must be the name of a study, got a list of 0"),
    "a float": (given(40.0, "networks"), "networks must be an integer"),
    "true": (given(True, "networks"), "networks must be an integer from 1 to 1,000,000,000, got true"),
    "very many": (given(10**30, "networks"), "got an integer of 100 bits"),
    "very many there": (given(10**30, "configurations", 0, "networks"), "configurations[0].networks must be"),
    "negative": (given(-1, "networks"), "networks must be an integer"),
    "text": (given("2", "draws_version"), "draws_version must be a positive integer"),
    "earlier": (given([1], "earlier_environments"), "earlier_environments must be a list of such tables"),
    "complete": (given("yes", "complete"), "complete must be true or false"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_manifest_that_is_wrong_is_one_message(folder, name):
    change, message = WRONG[name]
    edit(folder, change)
    done = invoke("report", "runs/small", "--format", "md")
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("varprop: runs/small: its manifest.json is damaged (")
    assert message in line
    assert [one.state for one in check_run(folder) if one.path == "manifest.json"] == ["damaged"]


@pytest.mark.parametrize("text", ["", "[1]", "{", "1" * 5000, "[" * 100_000, "null", "\ud800"], ids=range(7))
def test_a_manifest_that_is_none_is_one_message(folder, text):
    (folder / "manifest.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(StudyError, match=r"its manifest\.json is damaged \(.+\); `varprop run`"):
        load_run(folder)


def test_a_manifest_that_cannot_be_read_is_not_written_over(folder, monkeypatch):
    before, real = (folder / "manifest.json").read_bytes(), os.open

    def refuse(name, *rest, **more):
        if str(name).endswith("manifest.json"):
            raise PermissionError(13, "Permission denied", str(name))
        return real(name, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr("varprop.study.files.os.open", refuse)
        done = invoke("run", "small.toml")
        assert [one.state for one in check_run(folder) if one.path == "manifest.json"] == ["unreadable"]
    assert done.exit_code == 2
    assert done.stderr == "varprop: runs/small: its manifest.json cannot be read: Permission denied\n"
    assert (folder / "manifest.json").read_bytes() == before


def test_a_run_of_another_version_of_the_draws_says_so_and_keeps_its_parts(folder):
    """Its parts have other keys, as the version is a part of them."""
    edit(folder, given(DRAWS_VERSION - 1, "draws_version"))
    edit(folder, given("0.0.1", "environment", "versions", "varprop"))
    (samples,) = (folder / "samples").iterdir()
    old = samples.rename(samples.with_name("0" * len(samples.name)))
    done = invoke("report", "runs/small", "--format", "md")
    assert done.exit_code == 2
    assert done.stderr == (
        f"varprop: runs/small: its samples are version {DRAWS_VERSION - 1} of the draws, by varprop 0.0.1, and this varprop draws "
        f"version {DRAWS_VERSION}, which are other numbers; the old parts are kept, and that varprop reads them; `varprop run` "
        "samples anew beside them\n"
    )
    assert "by varprop 0.0.1" in next(one.note for one in check_run(folder) if one.path == "study.toml")
    again = invoke("run", "small.toml")
    assert again.exit_code == 0
    assert "they are not used, and what the study asks for is sampled anew" in again.stderr
    assert "sampled 40 networks" in again.stderr
    assert [path.name for path in old.iterdir()] == ["part-00000.parquet"]
    assert {one.state for one in check_run(folder)} == {"sound", "orphaned"}


def test_a_manifest_of_many_samples_is_read_whole(folder):
    """One of a study with hundreds of configurations and looks has megabytes."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "more": "x" * 2**22}), encoding="utf-8")
    assert len(load_run(folder).judged) == 1
