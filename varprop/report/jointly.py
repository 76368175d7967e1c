"""Verdicts of several studies together: which of them hold at a level that all share, and what is promised of those."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varprop.plot.records import Record, text_in, value_in
from varprop.plot.wording import axis_label, count, percent
from varprop.report.blocks import LEDGER_FOLDER, Cell, Column, Table
from varprop.study.csv_files import csv_text

if TYPE_CHECKING:
    import pandas as pd

    from varprop.study.run import Run

COLUMN = "jointly"
"""What is put beside every row: whether it holds jointly."""


@dataclass(frozen=True, slots=True)
class Joint:
    """The error that all verdicts of an index share."""

    alpha: float
    m: int

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Joint:
        """Share one alpha among the verdicts of several runs: to each study a part in proportion to its verdicts."""
        tested = [run.standing for run in runs if run.study.claims]
        alpha = max((standing.promised for standing in tested), default=math.nan)
        return cls(alpha, sum(standing.m for standing in tested))

    def mark(self, run: Run) -> pd.DataFrame:
        """A run's verdicts with a column that says whether each holds jointly; missing on rows without a verdict."""
        import pandas as pd

        verdicts = run.verdicts()
        verdicts[COLUMN] = pd.Series(
            [self._holds(row, run) for row in verdicts.to_dict("records")], index=verdicts.index, dtype=object
        )
        return verdicts

    def part(self, run: Run) -> float:
        """Part of alpha that a study has."""
        return self.alpha * run.standing.m / self.m

    def level(self, row: Record, run: Run) -> float:
        """Largest p-value of a row that holds jointly: the row's own level, for M in place of m."""
        own = value_in(row, "level")
        share = 1.0 if math.isnan(own) else own * run.standing.m / value_in(row, "alpha")
        return share * self.alpha / self.m

    def _holds(self, row: Record, run: Run) -> bool | None:
        verdict = text_in(row, "verdict")
        if not verdict:
            return None
        if verdict == "inconclusive" or not run.standing.guaranteed:
            return False
        return p_of(row) <= self.level(row, run)


def p_of(row: Record) -> float:
    """The p-value that a verdict rests on."""
    return value_in(row, "p_equivalence" if text_in(row, "verdict") == "supported" else "p_refute")


def promises(joint: Joint, runs: Sequence[Run], marked: Sequence[pd.DataFrame], *, audits: bool) -> tuple[str, ...]:
    """Say what is promised of all verdicts together."""
    if not joint.m:
        return ()
    given = [row for frame in marked for row in frame.to_dict("records") if text_in(row, "verdict") in _GIVEN]
    held = sum(row[COLUMN] is True for row in given)
    tested = [run.standing for run in runs if run.study.claims]
    sound = [standing.promised for standing in tested if standing.guaranteed]
    each = sorted(standing.m for standing in tested)
    m = f"{each[0]:,}" if each[0] == each[-1] else f"{each[0]:,} to {each[-1]:,}"
    said = [
        (
            f"Each study bounds the chance of a false verdict on its own page; over {_studies(len(sound))} that adds up to "
            f"{percent(min(1.0, math.fsum(sound)))}."
        ),
        (
            f"For all of them together a stricter level counts. M = {joint.m:,} verdicts bear on this page (m = {m} in a study; "
            f"{count(sum(standing.number for standing in tested), 'look')} in all), and one is marked “jointly” where its p-value is "
            f"at most {joint.alpha:g}/{joint.m:,}, times the share of alpha that its look has: {held:,} of the {len(given):,} verdicts "
            "given. However they depend on each other, the chance that even one of those marked is false, at this look or any other "
            f"at its study, is at most {percent(joint.alpha)}. The others are named below."
        ),
        (
            "A study’s part of this is in proportion to its verdicts; the table of studies has it, with m and the number of looks. "
            "The marks are for these M verdicts: with a study more, all are marked anew at the new M."
        ),
    ]
    said += [
        f"{run.study.title}: {run.standing.promise}; none of its verdicts is marked."
        for run in runs
        if run.study.claims and not run.standing.guaranteed
    ]
    if audits:
        said.append("Verdicts on frameworks have an error rate of their own, on the audits’ pages, and are not marked.")
    return tuple(said)


def _studies(n: int) -> str:
    return "1 study" if n == 1 else f"{n:,} studies"


_GIVEN = ("supported", "refuted")
_COLUMNS = (
    Column("Claim"),
    Column("Verdict", "verdict"),
    Column("Configuration"),
    Column("Quantity"),
    Column("p", "number"),
    Column("Joint level", "number"),
    Column("Study"),
    Column("Why"),
)


def apart_table(joint: Joint, runs: Sequence[Run], marked: Sequence[pd.DataFrame]) -> Table:
    """Name the verdicts that do not hold jointly."""
    import pandas as pd

    rows = [
        (row, run)
        for run, frame in zip(runs, marked, strict=True)
        for row in frame.to_dict("records")
        if text_in(row, "verdict") in _GIVEN and row[COLUMN] is not True
    ]
    texts: list[list[Cell | str]] = [
        [
            Cell(str(row["claim"]), study=run.study.name, claim=str(row["claim"])),
            str(row["verdict"]),
            text_in(row, "configuration"),
            axis_label(str(row["quantity"])),
            f"{p_of(row):.2g}" if p_of(row) > 0.0 else "<1e-300",
            f"{joint.level(row, run):.2g}",
            run.study.name,
            "it holds at its own study’s level alone" if run.standing.guaranteed else run.standing.promise,
        ]
        for row, run in rows
    ]
    names = ["claim", "verdict", "configuration", "quantity", "p", "joint_level", "study"]
    numbers = [
        [
            row["claim"],
            row["verdict"],
            row["configuration"],
            row["quantity"],
            p_of(row),
            joint.level(row, run),
            run.study.name,
        ]
        for row, run in rows
    ]
    caption = "The verdicts that do not hold jointly."
    file = f"{LEDGER_FOLDER}/apart.csv"
    return Table.of(caption, _COLUMNS, texts).with_file(file, csv_text(pd.DataFrame(numbers, columns=names)))
