"""``varprop audit``: its table, its report, its exit statuses, and one line where a framework is missing."""

import json
import math

import pytest
from typer.testing import CliRunner

from varprop import bridges
from varprop.bridges import Bridge, BridgeError, StatedInitializer
from varprop.bridges.catalogue import offered
from varprop.cli.app import app

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


def invoke(*arguments):
    return CliRunner().invoke(app, ["audit", *map(str, arguments)], prog_name="varprop")


def he(scale):
    return lambda shape, rng: math.sqrt(scale / shape[1]) * rng.uniform(-math.sqrt(3), math.sqrt(3), shape)


@pytest.fixture(autouse=True)
def toy(tmp_path, monkeypatch):
    """A framework of two initialisers, one of them wrong."""
    monkeypatch.chdir(tmp_path)
    common = {"shape": (40, 60), "law": "he_uniform", "statement": "variance 2 / fan_in", "source": "docstring of toy"}
    made = Bridge(
        name="toy",
        version="1",
        cases=tuple(
            StatedInitializer(name=name, initializer=he(scale), claims=claims, **common)
            for name, scale, claims in (("right", 2.0, (offered("he_uniform"),)), ("wrong", 1.0, ()))
        ),
    )

    def load(name):
        if name != "toy":
            msg = f"{name} is not installed; install it with: pip install 'varprop[{name}]'"
            raise BridgeError(msg)
        return made

    monkeypatch.setattr(bridges, "load_bridge", load)


@pytest.mark.false_alarm(2e-6)
def test_a_law_that_is_not_the_stated_one_makes_status_1_and_a_report(tmp_path):
    done = invoke("toy", "--draws", 400_000)
    assert done.exit_code == 1, done.output
    assert "factor_2_missing" in done.stdout
    assert {path.name for path in (tmp_path / "reports" / "frameworks" / "toy").iterdir()} == {
        "README.md",
        "audits.csv",
        "parts.csv",
        "defaults.csv",
    }


@pytest.mark.false_alarm(3e-6)
def test_claims_are_told_of_all_initialisers_and_none(tmp_path):
    told = [json.loads(invoke("toy", "--draws", 400_000, "--json", *only).stdout) for only in ((), ("--only", "right"))]
    assert [row["verdict"] for row in told[0]["claims"]] == ["supported"]
    assert told[1]["claims"] == []


@pytest.mark.false_alarm(1e-6)
def test_only_some_make_no_report(tmp_path):
    done = invoke("toy", "--only", "right", "--draws", 400_000, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [row["initializer"] for row in found["audits"]] == ["right"]
    parts = {part["part"]: part["verdict"] for part in found["audits"][0]["parts"]}
    assert (parts["variance"], parts["replay"], parts["lines"]) == ("supported", "not refuted", "not refuted")
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("arguments", [["torch"], ["toy", "--only", "dense"]])
def test_what_is_missing_is_one_line(arguments):
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith("varprop: ")
    assert len(done.stderr.splitlines()) == 1
