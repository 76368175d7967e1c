"""A report as Markdown, for reading on a forge: the same words as the HTML page, figures as files beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from varprop.plot.wording import plain_lines
from varprop.report.document import (
    LEDGER_FOLDER,
    Cell,
    IndexDocument,
    LedgerRow,
    Picture,
    Statement,
    StudyDocument,
    Table,
)
from varprop.study.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "@": "&#64;"}  # $: formulas, @: mentions
_SPECIAL = re.compile(r"[\\`*\[\]|~#]|(?<![^\W_])_|_(?![^\W_])")
_LINK = re.compile(r"(?i)\b(https?|ftp|mailto|www)(?=[:.])")


def escape(text: str) -> str:
    r"""Make a user's text mean itself in a line or a table cell of Markdown.

    Examples
    --------
    >>> print(escape("a|b <i>*x*</i> he_normal _y_"))
    a\|b &lt;i&gt;\*x\*&lt;/i&gt; he_normal \_y\_
    """
    text = _SPECIAL.sub(r"\\\g<0>", plain(text))
    text = "".join(_ENTITIES.get(char, char) for char in text)
    return _LINK.sub(lambda match: f"{match[0][0]}&#{ord(match[0][1])};{match[0][2:]}", text)  # no link made of itself


def paragraph(text: str) -> str:
    """Escape a text that begins a line, where a dash makes a list, a digit with a point another, and so on."""
    text = escape(text)
    digits = re.match(r"\d+(?=[.)]( |$))", text)
    if digits:
        return f"{digits[0]}\\{text[digits.end() :]}"
    return f"\\{text}" if text[:1] in {"-", "+", "=", ":"} else text


def study_markdown(document: StudyDocument) -> str:
    """Set the report of one study."""
    return _joined(_study_lines(document))


def index_markdown(document: IndexDocument) -> str:
    """Set the index over several studies."""
    return _joined(_index_lines(document))


def _joined(blocks: Iterator[str]) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"


def _head(document: StudyDocument | IndexDocument) -> Iterator[str]:
    """Title, lead and what contradicts."""
    yield f"# {escape(document.title)}"
    yield paragraph(document.lead)
    if document.contradictions:
        lines = ["> **✗ A verdict contradicts what the study expected.**", ">"]
        yield "\n".join([*lines, *(f"> - {paragraph(sentence)}" for sentence in document.contradictions)])


def _index_lines(document: IndexDocument) -> Iterator[str]:
    yield from _head(document)
    yield "## What is tested"
    yield from map(paragraph, document.introduction)
    if document.families:
        yield _table(document.tally)
    yield "## How to read a row"
    yield _definitions(document.terms)
    yield "## Claim ledger"
    if document.families:
        yield f"One row for each claim; rows that begin with ↳ are further statements on it. {_csv_link(document.ledger)}"
        yield from map(paragraph, document.guarantee)
        yield _table(document.apart) if document.apart.rows else ""
    for family in document.families:
        yield f"### {escape(family.title)}"
        yield _ledger(family.rows)
    yield "## Notation"
    yield _definitions(document.notation)
    yield "## Studies"
    yield _table(document.studies)
    yield f"*{document.footer}*"


_LEDGER_HEAD = (
    "| Claim | Verdict | Statement | Largest departure | What holds instead | Holds | Tested in | Figure |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
)


def _ledger(rows: Sequence[LedgerRow]) -> str:
    """Claims with their statements, a line each, so that an id and its verdict are found on one line."""
    lines = list(_LEDGER_HEAD)
    for row in rows:
        picture = row.picture
        figure = (
            f"![{escape(picture.alternative)}]({LEDGER_FOLDER}/{quote(picture.name)}.svg)<br>{escape(picture.caption)}"
        )
        lines.append(_statement(escape(row.claim), row.leading, figure))
        lines += [_statement(f"↳ {escape(statement.claim)}", statement, "") for statement in row.further]
    return "\n".join(lines)


def _statement(claim: str, statement: Statement, figure: str) -> str:
    margin = f"margin {statement.margin}" if statement.margin else ""
    farthest = "; ".join(part for part in (statement.estimate, margin, statement.where) if part)
    text = " ".join(part for part in (statement.text, statement.remark) if part)
    cells = (claim, statement.outcome, *map(escape, (text, farthest, statement.corrected)), statement.mark)
    return _line(iter((*cells, ", ".join(map(_cell, statement.sources)), figure)))


def _definitions(pairs: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- **{escape(term)}**: {escape(meaning)}" for term, meaning in pairs)


def _study_lines(document: StudyDocument) -> Iterator[str]:
    yield from _head(document)
    yield "## Claim ledger"
    if document.ledger.rows:
        yield _table(document.ledger)
        yield from map(paragraph, document.guarantee)
    yield from map(paragraph, document.remarks)
    if document.claims:
        yield "## Claim by claim"
    for claim in document.claims:
        yield f"### {escape(claim.claim)}"
        yield paragraph(claim.statement)
        if claim.corrected:
            yield f"**What holds instead:** {escape(claim.corrected)}"
        yield paragraph(" ".join(claim.facts))
        yield _table(claim.verdicts)
    if document.pictures:
        yield "## Figures"
    for picture in document.pictures:
        yield from _picture(picture)
    layered = [claim for claim in document.claims if claim.layers]
    if layered:
        yield "## Layer by layer"
    for claim in layered:
        if claim.layers:
            yield from _folded(f"{escape(claim.claim)}: {len(claim.layers.rows)} rows", _table(claim.layers))
    yield "## How to reproduce it"
    yield "\n".join(f"- {escape(term)}: {escape(fact)}" for term, fact in document.reproduction.facts)
    yield escape(f"Save the study file below as {document.name}.toml, then:")
    yield _code("\n".join(map(plain, document.reproduction.commands)), "sh")
    yield from _folded("The study file", _code(plain_lines(document.reproduction.study_file), "toml"))
    yield f"*{document.footer}*"


def _picture(picture: Picture) -> Iterator[str]:
    """Place a figure's file, with its text alternative, caption and numbers."""
    yield f"![{escape(picture.alternative)}]({quote(picture.name)}.svg)"
    yield f"**{escape(picture.heading)}.** {escape(picture.caption)}"
    if picture.numbers:
        yield from _folded("The numbers of this figure", _table(picture.numbers))


def _folded(summary: str, content: str) -> Iterator[str]:
    """Fold content away; the blank lines around it make a forge read it as Markdown."""
    yield f"<details><summary>{summary}</summary>"
    yield content
    yield "</details>"


def _code(text: str, language: str) -> str:
    """Fence a text by more backticks than it has in a row."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _table(table: Table) -> str:
    """A table; without rows, a sentence."""
    if not table.rows:
        return "*Nothing to list.*"
    rules = ["---:" if column.kind == "number" else "---" for column in table.columns]
    lines = [_line(escape(column.title) for column in table.columns), _line(iter(rules))]
    lines += [_line(_cell(cell) for cell in row) for row in table.rows]
    caption = " ".join(part for part in (paragraph(table.caption), _csv_link(table)) if part)
    return f"{caption}\n\n" + "\n".join(lines)


def _csv_link(table: Table) -> str:
    return f"[CSV]({quote(table.file)})" if table.file else ""


def _line(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    """A cell; what names a study or a page leads to it, what names a claim stays plain so that it can be searched for."""
    text = escape(cell.text)
    if cell.page:
        return f"[{text}]({quote(cell.page)})"
    if cell.study:
        return f"[{text}]({quote(cell.study)}/README.md{_anchor(cell.claim)})"
    return text


def _anchor(claim: str) -> str:
    """What a forge calls the heading of a claim: its id without the dots."""
    return f"#{quote(claim.lower().replace('.', ''))}" if claim else ""
