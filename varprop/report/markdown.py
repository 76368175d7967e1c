"""A page as Markdown, for reading on a forge: the same words as the HTML page, figures as files beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

from varprop.plot.wording import plain_lines
from varprop.report.blocks import (
    LEDGER_FOLDER,
    Block,
    Cell,
    Claimed,
    Definitions,
    Folded,
    Image,
    Items,
    Ledger,
    Listing,
    Page,
    Paragraph,
    Picture,
    Reproduction,
    Section,
    Span,
    Statement,
    Table,
    TableFile,
    VerdictTally,
    Words,
    spaced,
)
from varprop.study.files import plain

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


def paragraph(text: Words) -> str:
    """Set a text that begins a line, where a dash makes a list, a digit with a point another, and so on."""
    found = _words(text)
    if digits := re.match(r"\d+(?=[.)]( |$))", found):
        return f"{digits[0]}\\{found[digits.end() :]}"
    return f"\\{found}" if found[:1] in {"-", "+", "=", ":"} else found


def _words(text: Words) -> str:
    return escape(text) if isinstance(text, str) else "".join(map(_span, text))


def _span(span: str | Span) -> str:
    if isinstance(span, str):
        return spaced(span, escape)
    mark = {"": "", "strong": "**", "emphasis": "*"}[span.look]
    text = f"{mark}{escape(span.text)}{mark}"
    return f"[{text}]({quote(span.to)})" if span.to else text


def page_markdown(page: Page) -> str:
    """Set a page."""
    return "\n\n".join(part for part in _parts(page) if part) + "\n"


def _parts(page: Page) -> Iterator[str]:
    """The page's parts, with an empty line between them."""
    yield f"# {escape(page.title)}"
    yield paragraph(page.lead)
    if page.contradictions:
        lines = ["> **✗ A verdict contradicts what the study expected.**", ">"]
        yield "\n".join([*lines, *(f"> - {paragraph(sentence)}" for sentence in page.contradictions)])
    yield from _blocks(page.blocks, level=2)
    yield f"*{page.footer}*"


def _blocks(blocks: Iterable[Block], *, level: int) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Section):
            yield f"{'#' * level} {escape(block.title)}"
            yield from _blocks(block.blocks, level=level + 1)
        else:
            yield from _SET[type(block)](block)


def _claimed(block: Claimed) -> Iterator[str]:
    yield paragraph(block.statement)
    yield f"**What holds instead:** {escape(block.corrected)}" if block.corrected else ""
    yield paragraph(" ".join(block.facts))


def _picture(picture: Picture) -> Iterator[str]:
    """A figure's file, with its text alternative, caption and numbers."""
    yield f"![{escape(picture.alternative)}]({quote(picture.name)}.svg)"
    yield f"**{escape(picture.heading)}.** {escape(picture.caption)}"
    if picture.numbers:
        yield from _folded("The numbers of this figure", _table(picture.numbers))


def _reproduction(block: Reproduction) -> Iterator[str]:
    yield "\n".join(f"- {escape(term)}: {escape(fact)}" for term, fact in block.facts)
    yield escape(f"Save the study file below as {block.file}, then:")
    yield _code("\n".join(map(plain, block.commands)), "sh")
    yield from _folded("The study file", _code(plain_lines(block.study_file), "toml"))


def _folded(summary: str, content: str) -> Iterator[str]:
    """Fold content away; the blank lines around it make a forge read it as Markdown."""
    yield from (f"<details><summary>{summary}</summary>", content, "</details>")


def _code(text: str, language: str) -> str:
    """Fence a text by more backticks than it has in a row."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _ledger(ledger: Ledger) -> str:
    """Claims with their statements, a line each, so that an id and its verdict are found on one line."""
    lines = [_line(_LEDGER_HEADS), _line(["---"] * len(_LEDGER_HEADS))]
    for row in ledger.rows:
        picture = row.picture
        file = f"{LEDGER_FOLDER}/{quote(picture.name)}.svg"
        figure = f"![{escape(picture.alternative)}]({file})<br>{escape(picture.caption)}"
        lines.append(_statement(escape(row.claim), row.leading, figure))
        lines += [_statement(f"↳ {escape(statement.claim)}", statement, "") for statement in row.further]
    return "\n".join(lines)


_LEDGER_HEADS = (
    "Claim",
    "Verdict",
    "Statement",
    "Largest departure",
    "What holds instead",
    "Holds",
    "Tested in",
    "Figure",
)


def _statement(claim: str, statement: Statement, figure: str) -> str:
    texts = map(escape, (statement.told, statement.departure, statement.corrected))
    sources = ", ".join(map(_cell, statement.sources))
    return _line([claim, statement.outcome, *texts, statement.mark, sources, figure])


def _table(table: Table) -> str:
    """A table; without rows, a sentence."""
    if not table.rows:
        return "*Nothing to list.*"
    rules = ["---:" if column.kind == "number" else "---" for column in table.columns]
    lines = [_line(escape(column.title) for column in table.columns), _line(rules)]
    lines += [_line(map(_cell, row)) for row in table.rows]
    caption = " ".join(part for part in (paragraph(table.caption), _csv_link(table)) if part)
    return "\n".join([*([caption, ""] if caption else []), *lines])


def _csv_link(table: Table) -> str:
    return f"[CSV]({quote(table.file)})" if table.file else ""


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    """A cell; what names a study or a page leads to it, what names a claim stays plain so that it can be searched for."""
    text = escape(cell.text) + (f" **{escape(cell.warning)}**" if cell.warning else "")
    if cell.page:
        return f"[{text}]({quote(cell.page)})"
    if cell.study:
        return f"[{text}]({quote(cell.study)}/README.md{_anchor(cell.claim)})"
    return text


def _anchor(claim: str) -> str:
    """What a forge calls the heading of a claim: its id without the dots."""
    return f"#{quote(claim.lower().replace('.', ''))}" if claim else ""


_SET: dict[type[Block], Callable[..., Iterable[str]]] = {
    Paragraph: lambda block: [paragraph(block.text)],
    Items: lambda block: [f"- {_words(text)}" for text in block.texts],
    Definitions: lambda block: ["\n".join(f"- **{escape(term)}**: {escape(told)}" for term, told in block.pairs)],
    Claimed: _claimed,
    Listing: lambda block: [_table(block.table)],
    VerdictTally: lambda block: [_table(block.table)],
    TableFile: lambda block: [f"{block.told} {_csv_link(block.table)}"],
    Folded: lambda block: _folded(f"{escape(block.title)}: {len(block.table.rows)} rows", _table(block.table)),
    Picture: _picture,
    Image: lambda block: [f"![{escape(block.alternative)}]({quote(block.file)})"],
    Ledger: lambda block: [_ledger(block)],
    Reproduction: _reproduction,
}
"""How each block is set, as parts with an empty line between them."""
