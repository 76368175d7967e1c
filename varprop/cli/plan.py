"""``varprop plan``: what a study takes to be decisive."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from varprop.cli.failures import CONTRADICTED, guarded
from varprop.cli.show import out, say

if TYPE_CHECKING:
    from varprop.study.planning import StudyPlan

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
