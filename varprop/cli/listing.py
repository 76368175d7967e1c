"""What `varprop list` lists, and what `varprop check` finds."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from varprop.cli.failures import BAD_INPUT, guarded
from varprop.cli.options import folder
from varprop.cli.show import say

if TYPE_CHECKING:
    from varprop.study.checking import CheckedFile


class Catalogue(StrEnum):
    """What can be listed."""

    activations = "activations"
    initializers = "initializers"
    theories = "theories"
    tests = "tests"
    reasons = "reasons"
    studies = "studies"


Entries = list[dict[str, Any]]


def entries(what: Catalogue, studies: Path) -> Entries:
    """Return one mapping for every entry, all with the same keys."""
    if what == "studies":
        return _studies(studies)
    listed = {"activations": _activations, "initializers": _initializers, "theories": _theories}
    return (listed | {"tests": _tests, "reasons": _reasons})[what]()


def _activations() -> Entries:
    from varprop.model.activations import activation_names, get_activation

    return [{"name": name, "defaults": _defaults(get_activation(name).parameters)} for name in activation_names()]


def _initializers() -> Entries:
    from varprop.model.initializers import get_initializer, initializer_names

    listed = []
    for name in initializer_names():
        try:
            defaults = _defaults(get_initializer(name).parameters)
        except ValueError as error:  # it has no default for a parameter, and says which
            defaults = str(error)
        listed.append({"name": name, "defaults": defaults})
    return listed


def _defaults(parameters: tuple[tuple[str, Any], ...]) -> str:
    return ", ".join(f"{key}={value}" for key, value in parameters)


def _theories() -> Entries:
    from varprop.theory import THEORIES

    return [{"name": theory.name, "meaning": theory.statement} for theory in THEORIES.values()]


def _tests() -> Entries:
    from varprop.verification.claims import TESTS

    return [
        {
            "name": test.name,
            "meaning": test.meaning,
            "margin": test.margin or "none",
            "quantities": ", ".join(test.quantities),
        }
        for test in TESTS.values()
    ]


def _reasons() -> Entries:
    from varprop.verification.reasons import REASONS

    return [
        {"name": reason.name, "meaning": reason.meaning, "quantities": ", ".join(reason.quantities)}
        for reason in REASONS.values()
    ]


def _studies(folder: Path) -> Entries:
    """Studies in a folder; one that cannot be used is listed with what is wrong."""
    from varprop.study import StudyError, load_study

    listed = []
    for path in sorted(folder.glob("*.toml")):
        try:
            study = load_study(path)
        except StudyError as error:
            found: tuple[str, int | None, int | None] = (str(error), None, None)
        else:
            found = (study.title, len(study.configurations), len({claim.id for claim in study.claims}))
        listed.append(dict(zip(("path", "title", "configurations", "claims"), (str(path), *found), strict=True)))
    return listed


# ---- what a run holds ------------------------------------------------------------------------------------------------


def check(
    *,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.", show_default=False)],
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", parser=folder, help="See, too, whether the reports there are of these runs."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a program: a line for every file.")] = False,
) -> None:
    """Go through the folders of runs and say which files are sound, damaged, missing, orphaned or foreign; change nothing.

    Exit status 2 if a file that verdicts rest on is damaged or missing, or cannot be read, or a page is stale.
    """
    with guarded():
        from dataclasses import asdict

        from varprop.cli.show import print_json, print_table
        from varprop.study.checking import BAD, check_run

        found = {str(path): check_run(path) for path in runs}
        if report is not None:
            from varprop.report.replacing import check_pages
            from varprop.study import load_run

            for path, findings in found.items():
                found[path] = (*findings, *check_pages(load_run(path), report))
        bad = sum(one.state in BAD for findings in found.values() for one in findings)
        if as_json:
            print_json([{"run": path, "files": list(map(asdict, findings))} for path, findings in found.items()])
        else:
            for path, findings in found.items():
                counts = Counter(one.state for one in findings)
                say(f"{path}: {', '.join(f'{n:,} {state}' for state, n in counts.items())}")
                print_table(_rows(findings), ["state", "files", "first", "configuration", "note"])
        if bad:
            raise typer.Exit(BAD_INPUT)


def _rows(findings: tuple[CheckedFile, ...]) -> list[dict[str, Any]]:
    """Files of one kind and one fate in a row, since a run may have thousands."""
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for one in findings:
        kinds.setdefault((one.state, one.configuration, one.note), []).append(one.path)
    return [
        {"state": state, "files": f"{len(paths):,}", "first": paths[0], "configuration": configuration, "note": note}
        for (state, configuration, note), paths in kinds.items()
    ]
