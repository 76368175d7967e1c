"""Verdicts of several studies together: which of them hold at a level that all share, and what is promised of those."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from varprop.plot.wording import axis_label, count, percent
from varprop.report.blocks import LEDGER_FOLDER, Cell, Column, Table
from varprop.study.plain import csv_text
from varprop.verification.verdict import Verdict

if TYPE_CHECKING:
    from varprop.study.run import Run


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

    def mark(self, run: Run) -> tuple[Verdict, ...]:
        """A run's verdicts, each told whether it holds jointly."""
        return tuple(replace(one, jointly=self._holds(one, run)) for one in run.judged)

    def part(self, run: Run) -> float:
        """Part of alpha that a study has."""
        return self.alpha * run.standing.m / self.m

    def level(self, one: Verdict, run: Run) -> float:
        """Largest p-value of a verdict that holds jointly: its own level, for M in place of m."""
        share = 1.0 if math.isnan(one.level) else one.level * run.standing.m / one.alpha
        return share * self.alpha / self.m

    def _holds(self, one: Verdict, run: Run) -> bool:
        if one.verdict == "inconclusive" or not run.standing.guaranteed:
            return False
        return one.pvalue <= self.level(one, run)


def promises(
    joint: Joint, runs: Sequence[Run], marked: Sequence[Sequence[Verdict]], *, audits: bool
) -> tuple[str, ...]:
    """Say what is promised of all verdicts together."""
    if not joint.m:
        return ()
    given = [one for verdicts in marked for one in verdicts if one.verdict != "inconclusive"]
    held = sum(one.jointly is True for one in given)
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


def apart_table(joint: Joint, runs: Sequence[Run], marked: Sequence[Sequence[Verdict]]) -> Table:
    """Name the verdicts that do not hold jointly."""
    import pandas as pd

    apart = [
        (one, run, joint.level(one, run))
        for run, verdicts in zip(runs, marked, strict=True)
        for one in verdicts
        if one.verdict != "inconclusive" and not one.jointly
    ]
    texts: list[list[Cell | str]] = [
        [
            Cell(one.claim.id, study=run.study.name, claim=one.claim.id),
            one.verdict,
            one.configuration,
            axis_label(one.claim.quantity),
            f"{one.pvalue:.2g}" if one.pvalue > 0.0 else "<1e-300",
            f"{level:.2g}",
            run.study.name,
            "it holds at its own study’s level alone" if run.standing.guaranteed else run.standing.promise,
        ]
        for one, run, level in apart
    ]
    names = ["claim", "verdict", "configuration", "quantity", "p", "joint_level", "study"]
    numbers = [
        (one.claim.id, one.verdict, one.configuration, one.claim.quantity, one.pvalue, level, run.study.name)
        for one, run, level in apart
    ]
    caption = "The verdicts that do not hold jointly."
    file = f"{LEDGER_FOLDER}/apart.csv"
    return Table.of(caption, _COLUMNS, texts).with_file(file, csv_text(pd.DataFrame(numbers, columns=names)))
