import json

import pytest
from typer.testing import CliRunner

from varprop.cli.app import app

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


@pytest.mark.false_alarm(1e-6)
def test_one_test_on_networks_of_ones_own(varprop):
    done = varprop("calibrate", "step_mean", "--widths", "8x3", "--repeats", 100, "--networks", 50, "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert rows[0]["rate"] == "level"
    assert {row["repeats"] for row in rows} == {100}
    assert {row["met"] for row in rows} <= {True, None}


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), prog_name="varprop")


def test_a_table_for_people():
    done = invoke("calibrate", "step_mean", "--widths", "8x3", "--repeats", 50, "--networks", 50)
    assert done.exit_code == 0, done.stderr
    assert "coverage" in done.stdout


def test_what_does_not_go_together_is_bad_input():
    for arguments, said in (
        (("step_mean",), "--widths"),
        (("step_mean", "--widths", "8x3", "--full"), "--full"),
        (("--widths", "8x3"), "goes with a test"),
        (("no_test", "--widths", "8x3"), "test must be one of"),
    ):
        done = invoke("calibrate", *arguments)
        assert done.exit_code == 2, arguments
        assert said in done.stderr
