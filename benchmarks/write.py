"""Laps and machine -> files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.figure import TITLE, scaling_figure, series
from benchmarks.page import page


def write(out: Path, laps: pd.DataFrame, machine: dict[str, Any]) -> None:
    """Write the four files of the report into a folder, which is made if need be."""
    from varprop.plot.figure_files import render_svg, standalone

    out.mkdir(parents=True, exist_ok=True)
    table = out / "benchmark.csv"
    laps.to_csv(table, index=False, float_format="%.6g", lineterminator="\n")
    laps = pd.read_csv(table)  # whoever computes from the table finds what the page says
    (out / "machine.json").write_text(json.dumps(machine, indent=2) + "\n", encoding="utf-8")
    drawn = render_svg(scaling_figure(series(laps)), title=TITLE, name="scaling")
    (out / "scaling.svg").write_text(standalone(drawn, title=TITLE), encoding="utf-8")
    (out / "README.md").write_text(page(laps, machine), encoding="utf-8")
