"""``varprop plan`` and ``varprop calibrate``: how many networks claims take, and whether tests keep their level."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from varprop.cli.failures import CONTRADICTED, fail, guarded
from varprop.cli.options import folder
from varprop.cli.show import Json, out, say

if TYPE_CHECKING:
    import pandas as pd

    from varprop.study.planning import StudyPlan


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
                named={"activation": activation, "weights": weights, "biases": biases},
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


def _one_test(test: str, *, widths: str, named: dict[str, str], networks: int, **options: Any) -> pd.DataFrame:
    from varprop.study.items import parse_network
    from varprop.verification.calibration.studies import calibrate_network

    network = parse_network(widths=widths, **named)
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


# ---- plan ------------------------------------------------------------------------------------------------------------


_PILOT_MAX = 10**6


def plan(
    *,
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="A study file (TOML).", show_default=False)],
    pilot: Annotated[int, typer.Option(min=2, max=_PILOT_MAX, help="Networks per configuration of the pilot.")] = 200,
    workers: Annotated[int | None, typer.Option(min=1, help="Cores that the run will have; all by default.")] = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Samples of a run there are used as the pilot.")] = Path(
        "runs"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")] = False,
) -> None:
    """Say how many networks decide each claim of a study, how long they take and how much disk.

    Exit status 1 if the study's own number of networks is too few, or a claim with an expectation cannot be decided.
    """
    with guarded():
        from varprop.study import load_study
        from varprop.study.planning import plan_study

        found = plan_study(load_study(study), runs, pilot=pilot, workers=workers)
        if as_json:
            _print_json(found)
        else:
            _print(found)
        if len(found.undecided):
            raise typer.Exit(CONTRADICTED)


def _print_json(found: StudyPlan) -> None:
    from varprop.cli.show import print_json, records

    wanted, given = found.networks, found.study.networks
    print_json(
        {
            "study": found.study.name,
            "networks": given,
            "networks_required": wanted,
            "networks_on_ladder": found.on_ladder,
            "sufficient": not len(found.undecided),
            "cores": found.cores,
            "seconds": found.seconds(given),
            "seconds_required": None if wanted is None else found.seconds(wanted),
            "bytes": round(found.bytes(given)),
            "bytes_required": None if wanted is None else round(found.bytes(wanted)),
            "claims": records(found.claims),
            "undecided": list(_names(found, "undecided")),
            "undecidable": list(_names(found, "undecidable")),
        }
    )


def _print(found: StudyPlan) -> None:
    from varprop.cli.show import chance, percent, print_table, records

    given, wanted = found.study.networks, found.networks
    rows = [
        {
            "claim": row["claim"],
            "configuration": row["configuration"],
            "quantity": row["quantity"],
            "margin": percent(row["margin"]),
            "expect": row["expect"],
            "heads for": row["heads_for"],
            "needs": "–" if row["n_required"] is None else f"{row['n_required']:,}",
            "chance": None if row["chance"] is None else chance(row["chance"]),
            "note": row["note"],
        }
        for row in records(found.claims)
    ]
    print_table(rows, [name for name in rows[0] if name not in {"chance", "margin"} or any(row[name] for row in rows)])
    say(f"{found.study.name}: networks = {given:,} takes {_cost(found, given)}")
    for kind, said in (
        ("undecided", f"not decided by {given:,} networks with probability .9"),
        ("undecidable", "undecidable at any size"),
    ):
        for name in _names(found, kind):
            say(f"  {said}: {name}")
    if wanted is None:
        return
    out(f"networks = {wanted}")
    ladder = found.on_ladder
    if wanted <= given:
        say(f"  would do: {_cost(found, wanted)}")
    elif ladder is None or ladder == wanted:
        say(f"  decides every claim that can be decided: {_cost(found, wanted)}")
    else:
        say(
            f"  decides every claim that can be decided, if it is written before the first look: {_cost(found, wanted)}"
        )
        say(f"  after a first look with {given:,}, which takes its share of alpha, {ladder:,} do")


def _names(found: StudyPlan, kind: str) -> list[str]:
    from varprop.study.planning import labels_of

    return list(labels_of(found.undecidable if kind == "undecidable" else found.undecided))


def _cost(found: StudyPlan, networks: int) -> str:
    """Time and disk for people."""
    seconds, size = found.seconds(networks), found.bytes(networks)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    length = f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
    return f"about {length} on {found.cores} core{'s' if found.cores > 1 else ''} and {size:.3g} {unit} of disk"
