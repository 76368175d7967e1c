"""``varprop check``: whether the files of a run are what was written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from varprop.cli.failures import BAD_INPUT, guarded
from varprop.cli.options import folder
from varprop.cli.terminal import say

if TYPE_CHECKING:
    from varprop.study.checking import CheckedFile


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
