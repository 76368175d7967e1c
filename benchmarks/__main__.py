"""``python -m benchmarks``: measure everything in one run and write reports/benchmark/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.comparisons import comparisons
from benchmarks.machine import describe_machine
from benchmarks.measure import measure
from benchmarks.write import write


def main(
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("reports/benchmark"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Two short rounds of what is small: to see that it works.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option(help="Suites to run; all if not given.")] = None,
    page: Annotated[
        bool, typer.Option("--page", help="Measure nothing: write page and figure from what OUT holds.")
    ] = False,
) -> None:
    """Time varprop beside PyTorch, JAX and NumPy, and write laps, machine, figure and page."""
    import pandas as pd

    if page:
        write(out, pd.read_csv(out / "benchmark.csv"), json.loads((out / "machine.json").read_text(encoding="utf-8")))
        return
    every = comparisons(quick=quick)
    suites = {each.suite for each in every}
    unknown = set(only or ()) - suites
    if unknown:
        msg = f"no suite {', '.join(sorted(unknown))}; there are {', '.join(sorted(suites))}"
        raise typer.BadParameter(msg)
    machine = {**describe_machine(), "quick": quick}
    chosen = [each for each in every if not only or each.suite in only]
    laps = measure(chosen, tell=lambda what: typer.echo(what, err=True))
    write(out, laps, machine)


if __name__ == "__main__":
    typer.run(main)
