"""What a report says, before it is HTML or Markdown: tables of texts, pictures, and sections that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Kind = Literal["text", "number", "verdict"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading and what its cells hold, which decides how they are set."""

    title: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, and the study and claim it leads to, if any."""

    text: str
    study: str = ""
    claim: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts.

    Parameters
    ----------
    caption : str
        What the table shows.
    columns : tuple of Column
        The first names the row.
    rows : tuple of tuple of Cell
        As many cells as columns.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

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
        return Table(self.caption, columns, tuple(tuple(row[i] for i in kept) for row in self.rows))


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure: its file's stem, what it shows, the drawing, how to draw it again, and its numbers as a table."""

    name: str
    heading: str
    caption: str
    alternative: str
    svg: str
    draw: Callable[[], Figure]
    numbers: Table | None


@dataclass(frozen=True, slots=True)
class ClaimSection:
    """What is said about one claim."""

    claim: str
    statement: str
    facts: tuple[str, ...]
    verdicts: Table
    layers: Table | None


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How to get the same numbers again."""

    facts: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    study_file: str


@dataclass(frozen=True, slots=True)
class StudyDocument:
    """The report of one study.

    Parameters
    ----------
    name, title : str
        The study's name, which is its folder's, and its title.
    lead : str
        One sentence: how much was sampled, and what came out.
    contradictions, remarks : tuple of str
        What contradicts the study's own expectations, and what else a reader must know before the numbers.
    ledger : Table
        One row for every claim and verdict.
    guarantee : tuple of str
        What the verdicts promise, in plain words.
    claims : tuple of ClaimSection
        In the study's order.
    pictures : tuple of Picture
        In the order shown.
    reproduction : Reproduction
        Seed, versions, commands.
    """

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


@dataclass(frozen=True, slots=True)
class IndexDocument:
    """The report over several studies: every claim's verdicts, then the studies."""

    title: str
    lead: str
    contradictions: tuple[str, ...]
    ledger: Table
    studies: Table
