"""The page on models of PyTorch, from numbers that were made up; and that each model can be measured."""

import pandas as pd

from benchmarks.machine import describe_machine
from benchmarks.models import SHOWN, SIDES, models_page, slug


def made_up(count):
    """Times of one model and gains of so many modules with weights, and of one without."""
    times = [{"model": "A, b", "label": "A", "modules": count + 1, "inputs": "2x3", "networks": 100, "seconds": 12.34}]
    common = {"model": "A, b", "layer": 1, "gain": 0.5, "gradient_gain": 0.25, "note": ""}
    gains = [
        {**common, "module": f"m{i}", "kind": "Linear", "step": 0.25, "std_factor": 2.0, "note": "a | b"}
        for i in range(count)
    ]
    gains.append({**common, "module": "act", "kind": "ReLU", "step": float("nan"), "std_factor": float("nan")})
    return pd.DataFrame(times), pd.DataFrame(gains)


def test_the_page_has_times_figures_and_the_modules_that_change_most():
    page = models_page(*made_up(SHOWN + 2), describe_machine())
    assert "| A, b | A | 2x3 | 9 | 12.3 s |" in page
    assert all(f"](a-b-{side}.svg)" in page for side in SIDES)
    rows = [line for line in page.splitlines() if line.startswith("| m")]
    assert [row.split(" | ")[0] for row in rows] == [f"| m{i}" for i in range(SHOWN)]
    assert all("| 0.2500 | 2.000 | 0.5000 | 0.2500 |" in row for row in rows)
    assert all(row.replace(r"\|", "").count("|") == 8 for row in rows)
    assert "| act" not in page


def test_names_of_files():
    assert slug("transformer, pre-norm") == "transformer-pre-norm"
