"""What a report says, before it is HTML or Markdown: tables of texts, pictures, and sections that hold them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from varprop.plot.figure_files import render_svg

if TYPE_CHECKING:
    from collections.abc import Iterable

    from varprop.plot.figure_files import Drawing

Kind = Literal["text", "number", "verdict"]

LEDGER_FOLDER = "ledger"
"""Where the index keeps the figures and CSV files of its ledger."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading and what its cells hold, which decides how they are set."""

    title: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, and what it leads to, if anything: a study, a claim of it, or another page beside the index."""

    text: str
    study: str = ""
    claim: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    file: str = ""
    csv: str = ""

    @classmethod
    def of(cls, caption: str, columns: Iterable[Column], rows: Iterable[Iterable[Cell | str]]) -> Table:
        """Build a table in which a plain text may stand for a cell."""
        made = (tuple(Cell(cell) if isinstance(cell, str) else cell for cell in row) for row in rows)
        return cls(caption, tuple(columns), tuple(made))

    def without_empty_columns(self, missing: str) -> Table:
        """Leave out the columns, but the first, that hold nothing but the mark of a missing value."""
        kept = [
            i
            for i, _ in enumerate(self.columns)
            if i == 0 or any(row[i].text not in {"", missing} for row in self.rows)
        ]
        columns = tuple(self.columns[i] for i in kept)
        return replace(self, columns=columns, rows=tuple(tuple(row[i] for i in kept) for row in self.rows))

    def with_file(self, file: str, csv: str) -> Table:
        """Put a CSV file beside the table."""
        return replace(self, file=file, csv=csv)


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure: its file's stem, what it shows, the drawing, how to draw it again, and its numbers as a table."""

    name: str
    heading: str
    caption: str
    alternative: str
    svg: str
    draw: Drawing
    numbers: Table | None

    @classmethod
    def of(
        cls,
        name: str,
        draw: Drawing,
        *,
        heading: str,
        caption: str,
        alternative: str,
        numbers: Table | None = None,
        ids: str = "",
    ) -> Picture:
        """Draw a figure; what it points at within itself is called by ``ids``, or by its name."""
        svg = render_svg(draw(), title=alternative, name=ids or name)
        return cls(name, heading, caption, alternative, svg, draw, numbers)


@dataclass(frozen=True, slots=True)
class ClaimSection:
    """What is said about one claim."""

    claim: str
    statement: str
    corrected: str
    facts: tuple[str, ...]
    verdicts: Table
    layers: Table | None


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How to get the same numbers again."""

    facts: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    study_file: str


def _footer(source: str) -> str:
    return f"Written by varprop from the run’s data; not edited by hand. {source}."


@dataclass(frozen=True, slots=True)
class StudyDocument:
    """The report of one study."""

    name: str
    title: str
    lead: str
    contradictions: tuple[str, ...]
    remarks: tuple[str, ...]
    ledger: Table
    guarantee: tuple[str, ...]
    claims: tuple[ClaimSection, ...]
    pictures: tuple[Picture, ...]
    reproduction: Reproduction
    run: str

    @property
    def footer(self) -> str:
        """What the page ends with."""
        return _footer(f"Run {self.run}")

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of the page that has a CSV file beside it."""
        found = [self.ledger, *(claim.verdicts for claim in self.claims)]
        found += [claim.layers for claim in self.claims if claim.layers]
        found += [picture.numbers for picture in self.pictures if picture.numbers]
        return tuple(table for table in found if table.file and table.rows)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the ledger, with what came out of all its tests."""

    claim: str
    text: str
    corrected: str
    verdict: str
    n_verdict: int
    n_tests: int
    value: float
    interval: tuple[float, float]
    estimate: str
    margin: str
    where: str
    remark: str
    jointly: int | None
    sources: tuple[Cell, ...]

    @property
    def mark(self) -> str:
        """Whether its tests hold jointly with all others of the index; empty where there is no verdict to hold."""
        if self.jointly is None or self.verdict == "inconclusive":
            return ""
        if self.jointly == self.n_verdict:
            return "jointly"
        return f"{self.jointly} of {self.n_verdict} jointly" if self.jointly else "not jointly"

    @property
    def outcome(self) -> str:
        """The verdict in words, with the share of the tests that have it if not all do."""
        return (
            self.verdict if self.n_verdict == self.n_tests else f"{self.verdict} in {self.n_verdict} of {self.n_tests}"
        )


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One claim of the ledger: the statement that stands for it, further ones, and its verdicts as a small figure."""

    claim: str
    leading: Statement
    further: tuple[Statement, ...]
    picture: Picture


@dataclass(frozen=True, slots=True)
class Family:
    """Claims that belong together, under a heading."""

    name: str
    title: str
    rows: tuple[LedgerRow, ...]


@dataclass(frozen=True, slots=True)
class IndexDocument:
    """The report over several studies: the claim ledger, then the studies."""

    title: str
    lead: str
    contradictions: tuple[str, ...]
    introduction: tuple[str, ...]
    terms: tuple[tuple[str, str], ...]
    notation: tuple[tuple[str, str], ...]
    tally: Table
    guarantee: tuple[str, ...]
    apart: Table
    families: tuple[Family, ...]
    ledger: Table
    studies: Table
    runs: str

    @property
    def footer(self) -> str:
        """What the page ends with."""
        return _footer(f"Runs {self.runs}")

    @property
    def rows(self) -> tuple[LedgerRow, ...]:
        """Every row of the ledger."""
        return tuple(row for family in self.families for row in family.rows)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of the page that has a CSV file beside it."""
        found = (self.tally, self.ledger, self.apart, self.studies) if self.families else (self.studies,)
        return tuple(table for table in found if table.file and (table.rows or table is not self.apart))
