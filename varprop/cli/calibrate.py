"""``varprop calibrate``: the toolkit's check of its own tests, or of one test on a user's networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from varprop.cli.failures import CONTRADICTED, fail, guarded
from varprop.cli.options import folder
from varprop.cli.show import Json, say

if TYPE_CHECKING:
    import pandas as pd

NETWORKS_MAX = 10**6
REPEATS_MAX = 10**6
_SEED = 2015


def calibrate(
    *,
    test: Annotated[str | None, typer.Argument(help="One test, on networks of your own.", show_default=False)] = None,
    widths: Annotated[str | None, typer.Option(help="With a test: 16x10, or 784-64-10.")] = None,
    activation: Annotated[str, typer.Option(help="With a test: such as relu.")] = "relu",
    weights: Annotated[str, typer.Option(help="With a test: such as he_normal.")] = "he_normal",
    biases: Annotated[str, typer.Option(help="With a test: such as zeros.")] = "zeros",
    networks: Annotated[int, typer.Option(min=2, max=NETWORKS_MAX, help="With a test: of each study.")] = 200,
    margin: Annotated[float, typer.Option(help="With a test: margin of the claim.")] = 0.05,
    alpha: Annotated[float, typer.Option(help="With a test: its level.")] = 0.05,
    repeats: Annotated[int, typer.Option(min=1, max=REPEATS_MAX, help="Simulated studies of each kind.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every number.")] = _SEED,
    full: Annotated[
        bool, typer.Option("--full", help="All networks, controls, reports and plans: hours on two cores.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few networks, in minutes; so it is without --full.")
    ] = False,
    studies: Annotated[
        int | None,
        typer.Option(min=1, max=REPEATS_MAX, help="Simulated studies by which levels are counted, of each kind."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", parser=folder, help="Write the report of the check there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the tests themselves on networks of a known truth; exit status 1 if any is not as it should be."""
    with guarded():
        if test is None:
            if full and quick:
                fail("--full and --quick exclude each other; leave out one")
            if widths is not None:
                fail(f"--widths goes with a test, as in: varprop calibrate step_mean --widths {widths}")
            if report is not None:
                from varprop.report.calibration import FILES
                from varprop.report.replacing import check_target

                check_target(report, {"": FILES})
            frame, levels = _check(full=full, seed=seed, repeats=repeats, studies=studies)
        else:
            if widths is None:
                fail(f"with a test write its networks, as in: varprop calibrate {test} --widths 16x10")
            if full or quick or report is not None:
                fail("--full, --quick and --report are about the check of all tests; leave out the name of one")
            levels = None
            frame = _one_test(
                test,
                widths=widths,
                nouns={"activation": activation, "weights": weights, "biases": biases},
                networks=networks,
                repeats=repeats,
                margin=margin,
                alpha=alpha,
                seed=seed,
            )
        if report is not None:
            from varprop.report.calibration import write_calibration
            from varprop.verification.watching import sequential_savings

            write_calibration(frame, report, levels=levels, savings=sequential_savings(rng=seed) if full else None)
            say(f"the report is in {report}")
        _show(frame, as_json=as_json)
        missed = frame[frame["met"].notna() & ~frame["met"].fillna(value=True).astype(bool)]
        wrong, counts = _wrong_levels(levels)
        if len(missed) or wrong:
            total = int(frame["met"].notna().sum()) + counts
            say(f"{len(missed) + wrong} of {total} counts are not as they should be")
            raise typer.Exit(CONTRADICTED)


def _check(*, full: bool, seed: int, repeats: int, studies: int | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    from varprop.verification.calibration.counting import count_levels
    from varprop.verification.calibration.selfcheck import selfcheck

    def progress_of(what: str) -> Callable[[int, int], None]:
        told = 0

        def progress(done: int, total: int) -> None:
            nonlocal told
            if 20 * done // total > told:
                told = 20 * done // total
                say(f"calibrate: {what}: {5 * told} % is done")

        return progress

    frame = selfcheck(full=full, seed=seed, repeats=repeats, progress=progress_of("coverage, power and plans"))
    return frame, count_levels(full=full, seed=seed, studies=studies, progress=progress_of("levels"))


def _wrong_levels(levels: pd.DataFrame | None) -> tuple[int, int]:
    """How many pooled counts and controls are not as they should be, and how many there are."""
    if levels is None:
        return 0, 0
    judged = levels[levels["part"] != "levels"]
    wrong = judged["accepted"] == (judged["part"] == "controls")
    return int(wrong.sum()), len(judged)


def _one_test(test: str, *, widths: str, nouns: dict[str, str], networks: int, **options: Any) -> pd.DataFrame:
    from varprop.study.items import parse_network
    from varprop.verification.calibration.studies import calibrate_network

    network = parse_network(widths=widths, **nouns)
    seed = options.pop("seed")
    frame = calibrate_network(test, network, n_networks=networks, rng=seed, executor="processes", **options)
    return frame.assign(met=frame["accepted"])


def _show(frame: pd.DataFrame, *, as_json: bool) -> None:
    from varprop.cli.show import print_json, print_table, records

    rows = records(frame)
    if as_json:
        print_json(rows)
        return
    shown = [
        {
            "met": {True: "yes", False: "NO"}.get(row["met"], ""),
            "test": row["test"],
            "networks": row["configuration"],
            "what": f"{row['rate']}, alpha {row['alpha']:g}",
            "theta": row["theta"],
            "share": f"{100 * row['value']:.2f} % ({100 * row['ci_low']:.2f} to {100 * row['ci_high']:.2f})",
            "planned": None if row["planned"] is None else f"{100 * row['planned']:.4g} %",
            "accepted": None if row["accept_low"] is None else f"{row['accept_low']} to {row['accept_high']}",
            "count": row["events"],
        }
        for row in rows
    ]
    print_table(shown, list(shown[0]))
