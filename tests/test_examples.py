"""Every script of the gallery runs as it stands, and every figure has one."""

import runpy
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from matplotlib import pyplot as plt

import varprop as vp

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))

pytestmark = pytest.mark.false_alarm(0)  # seeds are fixed in the scripts, and nothing here depends on what is drawn


@pytest.fixture
def run():
    """Run a script of the gallery and return its names."""
    plt.close("all")
    yield lambda name: runpy.run_path(str(EXAMPLES / f"{name}.py"))
    plt.close("all")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_runs(script, run):
    if script.stem.startswith("torch"):
        pytest.importorskip("torch", reason="PyTorch is not installed here; nox -s torch runs this script")
    names = run(script.stem)
    if "ax" in names:
        assert names["ax"].has_data()
        names["ax"].figure.draw_without_rendering()


@pytest.mark.parametrize("name", vp.plot.__all__)
def test_every_figure_has_a_script_that_draws_it(name):
    scripts = [path.name for path in SCRIPTS if f"vp.plot.{name}(" in path.read_text(encoding="utf-8")]
    assert scripts, f"write examples/plot_{name}.py, a few lines that call vp.plot.{name}"


STUDY = """
schema = 1
title = "ReLU"
seed = 2015
networks = 2000
looks = 1

[network]
widths = "64x10"
activation = "relu"

[grid]
weights = ["he_normal", "xavier_normal"]

[[claims]]
id = "kept"
quantity = "preactivation_second_moment"
test = "growth_rate"
theory = "preserved"
margin = 0.05
"""


def test_ten_lines_of_python_say_what_the_study_says(run):
    names = run("plot_ten_lines")
    code = (EXAMPLES / "plot_ten_lines.py").read_text(encoding="utf-8").split('"""')[2]
    assert len([line for line in code.splitlines() if line.strip()]) < 10
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ten.toml"
        path.write_text(STUDY, encoding="utf-8")
        verdicts = vp.run_study(vp.load_study(path), folder, executor="serial").verdicts()
    assert verdicts["verdict"].dropna().tolist() == ["supported", "refuted"]
    pd.testing.assert_frame_equal(names["verdicts"], verdicts)
