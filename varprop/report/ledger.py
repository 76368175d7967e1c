"""The claim ledger: one row for each claim from tests of whatever studies and audits, and which rows hold jointly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from varprop.plot.wording import MISSING, axis_label, count, percent, sentence
from varprop.report.blocks import LEDGER_FOLDER, Cell, Column, Ledger, LedgerRow, Statement, Table
from varprop.report.pictures import strip_picture
from varprop.report.tables import departure, estimate_of, margin_of, networks_needed, place_of
from varprop.study.files import csv_text
from varprop.verification.claims import Claim
from varprop.verification.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

    from varprop.study.run import Run


FAMILIES = {
    "symmetry": "Symmetry: all weights alike",
    "small": "Scale: weights too small, weights too large",
    "large": "Scale: weights too small, weights too large",
    "goal": "The goal: what a good start is",
    "xavier": "Xavier’s derivation",
    "he": "He’s derivation",
    "summary": "Xavier and He, side by side",
    "framework": "What frameworks do",
}
"""Headings by the first part of a claim's id, in the ledger's order."""
_OTHERS = "Further claims"
_SEVEREST = ("refuted", "inconclusive", "supported")
"""A statement about several configurations is wrong if it is wrong of one, and open if it is open of one."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """The verdicts on one claim that stand on one page: those of a study, or of one entry of an audit."""

    claim: Claim
    rows: tuple[Verdict, ...]
    page: Cell


def contributions(study: str, verdicts: Sequence[Verdict], claims: Sequence[Claim]) -> list[Contribution]:
    """Every claim of a study with its verdicts."""
    return [
        Contribution(
            claim=next(one for one in claims if one.id == name),
            rows=tuple(one for one in verdicts if one.claim.id == name),
            page=Cell(study, study=study, claim=name),
        )
        for name in dict.fromkeys(claim.id for claim in claims)
    ]


def families(tested: Iterable[Contribution]) -> tuple[tuple[str, Ledger], ...]:
    """Sort all tests into the rows of the ledger: claims that belong together, and what they are called in an id."""
    groups: dict[str, list[Contribution]] = {}
    for one in tested:
        groups.setdefault(group_of(one.claim.id), []).append(one)
    titles = dict.fromkeys([*FAMILIES.values(), _OTHERS])
    made = []
    for title in titles:
        prefixes = [prefix for prefix, heading in FAMILIES.items() if heading == title]
        names = [name for name in groups if FAMILIES.get(_prefix(name), _OTHERS) == title]
        names.sort(key=lambda name: list(FAMILIES).index(_prefix(name)) if title != _OTHERS else 0)
        if names:
            rows = tuple(_row(name, groups[name]) for name in names)
            made.append((prefixes[0] if prefixes else "further", Ledger(title, rows)))
    return tuple(made)


def group_of(claim: str) -> str:
    """The claim that a statement belongs to: the first two parts of its id.

    Examples
    --------
    >>> group_of("he.half.second-moment"), group_of("mine")
    ('he.half', 'mine')
    """
    return ".".join(claim.split(".")[:2])


def _prefix(claim: str) -> str:
    return claim.split(".", maxsplit=1)[0]


def _row(name: str, group: Sequence[Contribution]) -> LedgerRow:
    """One claim: the statement whose id is the claim's own, else the first, and below it the others."""
    statements = _by_id(group)
    chosen = name if name in statements else next(iter(statements))
    leading = statements.pop(chosen)
    # Tests of one id on several pages are told together, and page by page below it.
    apart = leading if len(leading) > 1 else []
    further = [*apart, *(one for others in statements.values() for one in others)]
    return LedgerRow(
        claim=name,
        leading=_statement(leading),
        further=tuple(_statement([one]) for one in further),
        picture=strip_picture(name, [row for one in leading for row in one.rows]),
    )


def _by_id(group: Sequence[Contribution]) -> dict[str, list[Contribution]]:
    found: dict[str, list[Contribution]] = {}
    for one in group:
        found.setdefault(one.claim.id, []).append(one)
    return found


def _statement(tested: Sequence[Contribution]) -> Statement:
    """Tell what came out of all tests of one id."""
    rows, claims = [row for one in tested for row in one.rows], [one.claim for one in tested]
    verdict = next(name for name in _SEVEREST if any(row.verdict == name for row in rows))
    mine = [row for row in rows if row.verdict == verdict]
    worst = max(mine, key=departure)
    contradicted = dict.fromkeys(f"CONTRADICTS the expectation ({row.claim.expect})" for row in mine if row.contradicts)
    needed = [networks_needed(mine)] if verdict == "inconclusive" else []
    jointly = [row.jointly for row in mine]
    return Statement(
        claim=claims[0].id,
        text=claims[0].statement,
        corrected="" if verdict == "supported" else next((one.corrected for one in claims if one.corrected), ""),
        verdict=verdict,
        n_verdict=len(mine),
        n_tests=len(rows),
        value=worst.compared,
        interval=worst.measured.interval,
        estimate=estimate_of(worst),
        margin=margin_of(worst).replace(MISSING, ""),
        where=place_of(worst),
        remark=sentence("; ".join([*contradicted, *needed])),
        jointly=None if None in jointly else jointly.count(True),
        sources=tuple(dict.fromkeys(one.page for one in tested)),
    )


# ---- the ledger as one plain table -------------------------------------------------------------------------------

_COLUMNS = (
    Column("Claim"),
    Column("Verdict"),
    Column("Holds jointly"),
    Column("Statement"),
    Column("Largest departure"),
    Column("Margin", "number"),
    Column("What holds instead"),
)


def plain_ledger(rows: Sequence[LedgerRow], *, file: str) -> Table:
    """Set the ledger as one table: a row for each claim, below it one for each further statement."""
    texts = []
    for row in rows:
        texts.append(_texts(row.claim, row.leading))
        texts += [_texts(f"↳ {statement.claim}", statement) for statement in row.further]
    caption = "One row for each claim, and below it its further statements."
    return Table.of(caption, _COLUMNS, texts).with_file(file, csv_text(ledger_frame(rows)), paper=True)


def _texts(claim: str, statement: Statement) -> list[str]:
    farthest = "; ".join(part for part in (statement.estimate, statement.where) if part)
    margin = statement.margin or MISSING
    return [claim, statement.outcome, statement.mark, statement.text, farthest, margin, statement.corrected]


def ledger_frame(rows: Sequence[LedgerRow]) -> pd.DataFrame:
    """Every statement of the ledger with the numbers of its largest departure."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "group": row.claim,
                "claim": statement.claim,
                "verdict": statement.verdict,
                "tests_with_verdict": statement.n_verdict,
                "tests": statement.n_tests,
                "estimate": statement.value,
                "ci_low": statement.interval[0],
                "ci_high": statement.interval[1],
                "where": statement.where,
                "statement": statement.text,
                "corrected": statement.corrected,
                "sources": ", ".join(source.text for source in statement.sources),
                "tests_jointly": statement.jointly,
            }
            for row in rows
            for statement in (row.leading, *row.further)
        ]
    ).astype({"tests_jointly": "Int64"} if rows else {})


# ---- jointly ---------------------------------------------------------------------------------------------------------


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


_JOINT_COLUMNS = (
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
    return Table.of(caption, _JOINT_COLUMNS, texts).with_file(file, csv_text(pd.DataFrame(numbers, columns=names)))
