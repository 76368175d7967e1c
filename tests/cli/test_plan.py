import json

import pytest
from typer.testing import CliRunner

from varprop.cli.app import app

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

STUDY = """
schema = 1
title = "A study to plan"
seed = 3
networks = {networks}
[network]
widths = "16x4"
activation = "relu"
weights = "he_normal"
[[claims]]
id = "forward"
quantity = "preactivation_second_moment"
theory = "he"
test = "cumulative_mean"
margin = 0.2
expect = "supported"
"""


@pytest.fixture
def planned(tmp_path):
    def planned(networks):
        path = tmp_path / "planned.toml"
        path.write_text(STUDY.format(networks=networks), encoding="utf-8")
        return path

    return planned


@pytest.mark.false_alarm(1e-9)
def test_a_plan_names_the_number_to_write(varprop, planned):
    done = varprop("plan", planned(100))
    assert done.returncode == 1
    assert "forward" in done.stdout
    wanted = int(done.stdout.splitlines()[-1].removeprefix("networks = "))
    assert wanted > 100
    assert "not decided by 100 networks" in done.stderr
    enough = varprop("plan", planned(wanted))
    assert enough.returncode == 0, enough.stderr


@pytest.mark.false_alarm(1e-7)
def test_a_plan_for_a_program(varprop, planned):
    done = varprop("plan", planned(10**6), "--json", "--workers", 3)
    assert done.returncode == 0
    plan = json.loads(done.stdout)
    assert plan["sufficient"] is True
    assert plan["cores"] == 3
    assert plan["seconds"] > plan["seconds_required"] > 0
    assert plan["claims"][0]["heads_for"] == "supported"
    assert plan["undecided"] == plan["undecidable"] == []


def test_a_plan_of_nothing_is_bad_input(tmp_path):
    done = CliRunner().invoke(app, ["plan", str(tmp_path / "none.toml")], prog_name="varprop")
    assert done.exit_code == 2
    assert "no such file" in done.stderr
