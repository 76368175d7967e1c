"""``python -m benchmarks.models``: what PyTorch's defaults do to models, how long that takes, and reports/frameworks/models/."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from benchmarks.machine import describe_machine, sentence_about
from benchmarks.page import table
from benchmarks.ratios import number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from varprop.model.simulation import Simulation

SIDES = {"forward": "activation_second_moment", "backward": "gradient_second_moment"}
SHOWN = 6
"""Modules of each model that the page names; the file has all."""
_SEED = 2015


def main(
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("reports/frameworks/models"),
    networks: Annotated[int, typer.Option(min=2, help="Replicates of each model.")] = 100,
) -> None:
    """Measure every model of `benchmarks.architectures` on one thread, and write times, gains, figures and the page."""
    import pandas as pd
    import torch

    import varprop as vp
    from benchmarks.architectures import architectures
    from varprop.bridges.torch import simulate

    torch.set_num_threads(1)  # small models: threads that wait for each other take most of the time
    machine = describe_machine()
    times, gains = [], []
    out.mkdir(parents=True, exist_ok=True)
    for model in architectures():
        typer.echo(model.name, err=True)
        simulate(model.factory, model.inputs, n_networks=1, rng=_SEED)  # what is loaded and planned once is not timed
        start = time.perf_counter()
        found = simulate(model.factory, model.inputs, n_networks=networks, rng=_SEED)
        seconds = time.perf_counter() - start
        times.append(
            {
                "model": model.name,
                "label": found.network.label,
                "modules": len(found.places("activation_second_moment")),
            }
            | {"inputs": "x".join(map(str, model.inputs.shape)), "networks": networks, "seconds": seconds}
        )
        gains.append(vp.module_gains(found).assign(model=model.name))
        _draw(out, model.name, found)
    _write(out, pd.DataFrame(times), pd.concat(gains, ignore_index=True), machine)


def _draw(out: Path, model: str, found: Simulation) -> None:
    """One file for each side."""
    from matplotlib import pyplot as plt

    import varprop as vp
    from varprop.plot.axes import house_style
    from varprop.plot.figure_files import render_svg, standalone

    for side, quantity in SIDES.items():
        with house_style():
            figure = cast("Figure", vp.plot.profile(found, quantity=quantity).figure)
            name, title = f"{slug(model)}-{side}", _title(model, side)
            (out / f"{name}.svg").write_text(
                standalone(render_svg(figure, title=title, name=name), title=title), "utf-8"
            )
            plt.close(figure)


def _write(out: Path, times: pd.DataFrame, gains: pd.DataFrame, machine: dict[str, Any]) -> None:
    for name, frame in (("times", times), ("gains", gains)):
        frame.to_csv(out / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
    (out / "machine.json").write_text(json.dumps(machine, indent=2) + "\n", encoding="utf-8")
    (out / "README.md").write_text(models_page(times, gains, machine), encoding="utf-8")


def models_page(times: pd.DataFrame, gains: pd.DataFrame, machine: dict[str, Any]) -> str:
    """Set the page: times, and of every model its figures and the modules that change the signal most."""
    return "\n\n".join(_parts(times, gains, machine)) + "\n"


def _parts(times: pd.DataFrame, gains: pd.DataFrame, machine: dict[str, Any]) -> Iterator[str]:
    networks = int(times["networks"].iloc[0])
    yield "# What PyTorch's defaults do to models"
    yield (
        "*Written by `python -m benchmarks.models`, a part of `nox -s bench`, from [times.csv](times.csv) and "
        "[gains.csv](gains.csv); not edited by hand.*"
    )
    yield (
        f"Each model of benchmarks/architectures.py is built {networks} times with the defaults of its layers, fed the same "
        f"inputs, and measured forward and backward in every module, on one thread, seed {_SEED}. {sentence_about(machine)}"
    )
    yield table(
        ("Model", "Architecture", "Inputs", "Modules", f"Time for {networks} replicates"),
        (
            (row["model"], row["label"], row["inputs"], str(row["modules"]), f"{number(row['seconds'])} s")
            for row in times.to_dict("records")
        ),
    )
    yield (
        f"Of each model the {SHOWN} modules with weights follow that lose or gain most, with the multiple of their weights' "
        "standard deviation that would keep the mean square from what they are fed to what the next module with weights is "
        "fed. Dots are means over the replicates with 95 % intervals; bands hold 5 % to 95 % of the replicates."
    )
    for model in times["model"]:
        yield f"## {model}"
        for side in SIDES:
            yield f"![{_title(model, side)}]({slug(model)}-{side}.svg)"
        mine = gains[(gains["model"] == model) & (gains["layer"] > 0)]
        yield table(
            ("Module", "Kind", "Step", "Multiple that would fix it", "Gain", "Gradient's gain", "Remark"),
            _rows(mine[mine["step"].notna()].head(SHOWN)),
        )


def _rows(gains: pd.DataFrame) -> Iterable[tuple[str, ...]]:
    from varprop.plot.wording import number as four_digits
    from varprop.report.markdown import escape

    for row in gains.to_dict("records"):
        numbers = (four_digits(row[name]) for name in ("step", "std_factor", "gain", "gradient_gain"))
        yield (escape(row["module"]), escape(row["kind"]), *numbers, escape(row["note"]))


def _title(model: str, side: str) -> str:
    what = {
        "forward": "Mean square of every module's output",
        "backward": "Mean square of the gradient at every output",
    }
    return f"{what[side]}, in the order of the calls: {model}"


def slug(model: str) -> str:
    """The model's name in the names of files."""
    return re.sub(r"[^a-z0-9]+", "-", model.lower())


if __name__ == "__main__":
    typer.run(main)
