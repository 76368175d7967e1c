"""The claim ledger: tests of whatever studies and audits -> one row for each claim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varprop.plot.records import Record, compared_in, value_in
from varprop.plot.wording import MISSING, sentence
from varprop.report.blocks import Cell, Column, Ledger, LedgerRow, Statement, Table
from varprop.report.jointly import COLUMN
from varprop.report.pictures import strip_picture
from varprop.report.tables import departure, estimate_of, margin_of, networks_needed, place_of
from varprop.study.csv_files import csv_text

if TYPE_CHECKING:
    import pandas as pd

    from varprop.report.tables import LedgerEntry

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
    """One statement, and its tests on one page: those of a study, or one entry of an audit."""

    claim: str
    statement: str
    corrected: str
    expect: str | None
    rows: tuple[Record, ...]
    page: Cell


def contributions(study: str, entries: Iterable[LedgerEntry]) -> list[Contribution]:
    """Every claim of a study with its tests."""
    by_claim: dict[str, list[LedgerEntry]] = {}
    for entry in entries:
        by_claim.setdefault(entry.claim.id, []).append(entry)
    return [
        Contribution(
            claim=name,
            statement=mine[0].claim.statement,
            corrected=mine[0].claim.corrected,
            expect=mine[0].claim.expect,
            rows=tuple(row for entry in mine for row in entry.rows),
            page=Cell(study, study=study, claim=name),
        )
        for name, mine in by_claim.items()
    ]


def families(tested: Iterable[Contribution]) -> tuple[tuple[str, Ledger], ...]:
    """Sort all tests into the rows of the ledger: claims that belong together, and what they are called in an id."""
    groups: dict[str, list[Contribution]] = {}
    for one in tested:
        groups.setdefault(group_of(one.claim), []).append(one)
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
        found.setdefault(one.claim, []).append(one)
    return found


def _statement(tested: Sequence[Contribution]) -> Statement:
    """Tell what came out of all tests of one id."""
    rows = [row for one in tested for row in one.rows]
    verdict = next(name for name in _SEVEREST if any(row["verdict"] == name for row in rows))
    mine = [row for row in rows if row["verdict"] == verdict]
    worst = max(mine, key=departure)
    contradicted = dict.fromkeys(
        f"CONTRADICTS the expectation ({one.expect})"
        for one in tested
        if {one.expect, verdict} == {"supported", "refuted"} and any(row["verdict"] == verdict for row in one.rows)
    )
    needed = [networks_needed(mine)] if verdict == "inconclusive" else []
    return Statement(
        claim=tested[0].claim,
        text=tested[0].statement,
        corrected="" if verdict == "supported" else next((one.corrected for one in tested if one.corrected), ""),
        verdict=verdict,
        n_verdict=len(mine),
        n_tests=len(rows),
        value=compared_in(worst),
        interval=(value_in(worst, "ci_low"), value_in(worst, "ci_high")),
        estimate=estimate_of(worst),
        margin=margin_of(worst).replace(MISSING, ""),
        where=place_of(worst),
        remark=sentence("; ".join([*contradicted, *needed])),
        jointly=_jointly(mine),
        sources=tuple(dict.fromkeys(one.page for one in tested)),
    )


def _jointly(rows: Sequence[Record]) -> int | None:
    """How many rows hold jointly; None if of one that is not known, as of an audit's."""
    held = [row.get(COLUMN) for row in rows]
    return None if None in held else sum(one is True for one in held)


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
