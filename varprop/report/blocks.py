"""What a page says, before it is HTML, Markdown or LaTeX: blocks in a row, some of which hold others.

A format has one file, which sets every block in its own way; nothing else knows of its markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from varprop.plot.figure_files import render_svg

if TYPE_CHECKING:
    from varprop.plot.figure_files import Drawing

LEDGER_FOLDER = "ledger"
"""Where the index keeps the figures and CSV files of its ledger."""


def anchor(claim: str) -> str:
    """The id of a claim's heading: unlike every other id of the page, and without anything a URL would change."""
    return "claim-" + re.sub(r"[^A-Za-z0-9._-]", lambda match: f"-{ord(match[0]):x}-", claim)


def spaced(text: str, set_text: Callable[[str], str]) -> str:
    """Set a text that stands between others, with the spaces at its ends, which are no part of a text that stands alone."""
    return " " * text.startswith(" ") + set_text(text) + " " * text.endswith(" ")


# ---- what blocks are made of -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text that is set apart, or leads to a file."""

    text: str
    look: Literal["", "strong", "emphasis"] = ""
    to: str = ""


Words: TypeAlias = "str | tuple[str | Span, ...]"


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading and what its cells hold, which decides how they are set."""

    title: str
    kind: Literal["text", "number", "verdict"] = "text"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, and what it leads to, if anything: a study, a claim of it, or another page beside the index."""

    text: str
    study: str = ""
    claim: str = ""
    page: str = ""
    warning: str = field(default="", repr=False)  # the index is known by what it shows of audits


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts, with the numbers behind it as a file; ``paper`` says whether it is also made for somebody's own paper."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    file: str = ""
    csv: str = ""
    paper: bool = False

    @classmethod
    def of(cls, caption: str, columns: Iterable[Column], rows: Iterable[Iterable[Cell | str]]) -> Table:
        """Build a table in which a plain text may stand for a cell."""
        made = (tuple(Cell(cell) if isinstance(cell, str) else cell for cell in row) for row in rows)
        return cls(caption, tuple(columns), tuple(made))

    def without_empty_columns(self, missing: str) -> Table:
        """Leave out the columns, but the first, that hold nothing but the mark of a missing value."""
        return self.without_columns(
            {i for i, _ in enumerate(self.columns) if i and all(row[i].text in {"", missing} for row in self.rows)}
        )

    def without_columns(self, dropped: set[int]) -> Table:
        """Leave out columns by their numbers."""
        kept = [i for i, _ in enumerate(self.columns) if i not in dropped]
        columns = tuple(self.columns[i] for i in kept)
        return replace(self, columns=columns, rows=tuple(tuple(row[i] for i in kept) for row in self.rows))

    def with_file(self, file: str, csv: str, *, paper: bool = False) -> Table:
        """Put a CSV file beside the table."""
        return replace(self, file=file, csv=csv, paper=paper)


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

    @property
    def departure(self) -> str:
        """Where it lies farthest from what it predicts, in one line."""
        margin = f"margin {self.margin}" if self.margin else ""
        return "; ".join(part for part in (self.estimate, margin, self.where) if part)

    @property
    def told(self) -> str:
        """The statement, and what has to be said of it."""
        return " ".join(part for part in (self.text, self.remark) if part)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One claim of the ledger: the statement that stands for it, further ones, and its verdicts as a small figure."""

    claim: str
    leading: Statement
    further: tuple[Statement, ...]
    picture: Picture


# ---- blocks ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    text: Words


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    texts: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Definitions:
    """Terms and what they mean."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim states, what holds instead, and how it is tested, in sentences."""

    statement: str
    corrected: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A table, and what it is called for those who do not see it."""

    table: Table
    label: str = ""


@dataclass(frozen=True, slots=True)
class VerdictTally:
    """A small table of verdicts and how many there are of each."""

    table: Table


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table of which the page has the file alone; ``told`` is what a page without a better ledger says of it."""

    table: Table
    told: str


@dataclass(frozen=True, slots=True)
class Folded:
    """A long table that is folded away."""

    title: str
    table: Table


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
class Image:
    """A file of a figure, beside the page."""

    file: str
    alternative: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """Claims that belong together."""

    title: str
    rows: tuple[LedgerRow, ...]


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How to get the same numbers again."""

    facts: tuple[tuple[str, str], ...]
    file: str
    commands: tuple[str, ...]
    study_file: str


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a heading; ``name`` is unlike every other of the page."""

    name: str
    title: str
    blocks: tuple[Block, ...]
    kind: Literal["", "claims", "claim", "layers", "reproduce"] = ""

    @property
    def entries(self) -> tuple[tuple[str, str], ...]:
        """Ids and titles of what a table of contents lists below it."""
        inner = [(block.name, block.title) for block in self.blocks if isinstance(block, Section)]
        inner += [(f"figure-{block.name}", block.heading) for block in self.blocks if isinstance(block, Picture)]
        return tuple(inner)


Block: TypeAlias = (
    Paragraph
    | Items
    | Definitions
    | Claimed
    | Listing
    | VerdictTally
    | TableFile
    | Folded
    | Picture
    | Image
    | Ledger
    | Reproduction
    | Section
)


# ---- pages -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """A page: of a study, whose name it bears; over several studies; or of an audit or a calibration, which are of no run."""

    title: str
    lead: Words
    blocks: tuple[Block, ...]
    contradictions: tuple[str, ...] = ()
    name: str = ""
    run: str = ""

    @property
    def source(self) -> str:
        """Which run it is of, or which runs."""
        return f"run {self.run}" if self.name else f"runs {self.run}"

    @property
    def footer(self) -> str:
        """What the page ends with."""
        if not self.run:
            return "Written by varprop; not edited by hand."
        return f"Written by varprop from the run’s data; not edited by hand. {self.source.capitalize()}."

    def walk(self) -> Iterator[Block]:
        """Every block in order, sections before what they hold."""
        return _walk(self.blocks)

    def section(self, name: str) -> Section:
        """The section of a name."""
        return next(block for block in self.walk() if isinstance(block, Section) and block.name == name)

    @property
    def texts(self) -> tuple[Words, ...]:
        """Every paragraph."""
        return tuple(block.text for block in self.walk() if isinstance(block, Paragraph))

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every figure that stands by itself."""
        return tuple(block for block in self.walk() if isinstance(block, Picture))

    @property
    def rows(self) -> tuple[LedgerRow, ...]:
        """Every row of the ledger."""
        return tuple(row for block in self.walk() if isinstance(block, Ledger) for row in block.rows)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of the page that has a CSV file beside it."""
        found = [block.table for block in self.walk() if isinstance(block, Listing | VerdictTally | TableFile | Folded)]
        found += [picture.numbers for picture in self.pictures if picture.numbers]
        return tuple(table for table in found if table.file)


def _walk(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Section):
            yield from _walk(block.blocks)
