"""A table of texts -> a LaTeX table with rules of booktabs and numbers aligned by siunitx."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from varprop.plot.wording import MISSING, SYMBOLS
from varprop.report.tex import CHARACTER_COMMAND, tex

if TYPE_CHECKING:
    from varprop.report.blocks import Cell, Column, Table

_NUMBER = re.compile(r"(-?)(\d[\d,]*)(?:\.(\d+))?(?:e([+-])0*(\d+))?")


@dataclass(frozen=True, slots=True)
class _Page:
    """A size of type, and about how many of its characters stand side by side, on a page that may be turned."""

    size: str
    characters: int
    turned: bool = False


_UPRIGHT = (_Page("small", 108), _Page("footnotesize", 120), _Page("scriptsize", 130))
_SIDEWAYS = _Page("footnotesize", 178, turned=True)
_GAP = 2  # characters between columns
_LONG_TEXT = 24  # characters; a text beyond is broken into lines
_COMFORTABLE, _NARROWEST = 24, 16  # characters, of a column of broken lines
_LONG_TABLE = 30  # rows; more do not float on one page
_SETTINGS = frozenset({"Quantity", "Margin", "Replicates"})
"""Columns that say how something was tested, and not what came out."""
_PACKAGES = "% Packages: booktabs, siunitx, array, longtable, pdflscape, amssymb, pifont; \\usepackage[T1]{fontenc} for pdfTeX.\n"
FALLBACK = rf"\providecommand{{{CHARACTER_COMMAND}}}[1]{{\texttt{{U+#1}}}}"


@dataclass(frozen=True, slots=True)
class _Setting:
    """How one column is set: its specification, its heading, its cells, and about how wide it is."""

    specification: str
    heading: str
    cells: tuple[str, ...]
    characters: int
    longest: int = 0
    spanned: int = 1


def fragment(table: Table, *, label: str) -> str:
    """Set a table for somebody's own paper."""
    body = set_table(table, label=label, floating=len(table.rows) <= _LONG_TABLE)
    return f"{_PACKAGES}{FALLBACK}\n{body}"


def set_table(table: Table, *, label: str, floating: bool, links: str = "") -> str:
    """Set a table."""
    if not table.rows:
        return "\\emph{Nothing to list.}\n"
    table, constants = _without_constants(table)
    table, notes = _without_notes(table)
    page, settings = _fitted([_setting(table, i, links) for i in range(len(table.columns))])
    caption = " ".join(part for part in (tex(table.caption, breakable=True), constants) if part)
    head = " & ".join(setting.heading for setting in settings)
    specification = "@{}" + "".join(setting.specification for setting in settings) + "@{}"
    n_columns = sum(setting.spanned for setting in settings)
    rows = []
    for i, note in enumerate(notes):
        # The star: no page ends between a row and its note.
        rows.append(" & ".join(setting.cells[i] for setting in settings) + (r" \\*" if note else r" \\"))
        if note:
            rows.append(
                _across(n_columns, rf"\quad\parbox[t]{{0.95\linewidth}}{{\itshape {tex(note, breakable=True)}}}")
            )
    parts = _Parts(specification, caption, label, f"{head} \\\\", "\n".join(rows), n_columns)
    floating = floating and not page.turned
    lines = [
        *([r"\begin{landscape}"] if page.turned else []),
        "\\begin{table}[htbp]\n\\centering" if floating else r"\begingroup",
        rf"\{page.size}\setlength{{\tabcolsep}}{{3.5pt}}",
        _floating(parts) if floating else _long(parts),
        r"\end{table}" if floating else r"\endgroup",
        *([r"\end{landscape}"] if page.turned else []),
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Parts:
    specification: str
    caption: str
    label: str
    head: str
    rows: str
    n_columns: int


def _floating(parts: _Parts) -> str:
    return "\n".join(
        [
            rf"\caption{{{parts.caption}}}\label{{{parts.label}}}",
            rf"\begin{{tabular}}{{{parts.specification}}}",
            rf"\toprule {parts.head}",
            r"\midrule",
            parts.rows,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _long(parts: _Parts) -> str:
    continued = _across(parts.n_columns, r"\textit{Table \thetable, continued}")
    return "\n".join(
        [
            rf"\begin{{longtable}}{{{parts.specification}}}",
            rf"\caption{{{parts.caption}}}\label{{{parts.label}}} \\",
            rf"\toprule {parts.head}",
            r"\midrule \endfirsthead",
            continued,
            rf"\toprule {parts.head}",
            r"\midrule \endhead",
            r"\bottomrule \endfoot",
            parts.rows,
            r"\end{longtable}",
        ]
    )


def _across(n_columns: int, text: str) -> str:
    """A row of one text, which takes no part in how wide the columns are."""
    return rf"\multicolumn{{{n_columns}}}{{@{{}}l@{{}}}}{{\makebox[0pt][l]{{{text}}}}} \\"


# ---- what goes elsewhere -----------------------------------------------------------------------------------------


def _without_constants(table: Table) -> tuple[Table, str]:
    """Tell in the caption what is the same in every row: paper is narrow."""
    alone = len(table.rows) == 1
    same = {
        i: table.rows[0][i].text
        for i, column in enumerate(table.columns)
        if i
        and column.kind != "verdict"
        and (column.title in _SETTINGS if alone else len({row[i].text for row in table.rows}) == 1)
    }
    told = "; ".join(
        f"{tex(table.columns[i].title)}: {tex(text, breakable=True)}"
        for i, text in same.items()
        if text not in {"", MISSING}
    )
    opening = "" if alone else "In every row: "
    return table.without_columns(set(same)), f"{opening}{told.rstrip('.')}." if told else ""


def _without_notes(table: Table) -> tuple[Table, list[str]]:
    """Take out the notes, which are sentences, and stand below the rows they are on."""
    found = [i for i, column in enumerate(table.columns) if i and column.title == "Note"]
    notes = ["; ".join(row[i].text for i in found if row[i].text not in {"", MISSING}) for row in table.rows]
    return table.without_columns(set(found)), notes


# ---- columns -----------------------------------------------------------------------------------------------------


def _setting(table: Table, i: int, links: str) -> _Setting:
    """Choose how a column is set by what is in it."""
    column, cells = table.columns[i], [row[i] for row in table.rows]
    if column.kind == "number":
        return _interval(column, cells) or _aligned(column, cells) or _right(column, cells)
    longest = max(len(cell.text) for cell in cells) + (2 if column.kind == "verdict" else 0)
    texts = tuple(_text(cell, column, links) for cell in cells)
    return _Setting("l", _heading(column.title, "l"), texts, _characters(column.title, longest), longest)


def _text(cell: Cell, column: Column, links: str) -> str:
    text = tex(cell.text, breakable=True)
    if column.kind == "verdict" and cell.text in SYMBOLS:
        return f"{tex(SYMBOLS[cell.text])}~{text}"
    return rf"\hyperref[{label_of(links, cell.claim)}]{{{text}}}" if links and cell.claim else text


def _right(column: Column, cells: Sequence[Cell]) -> _Setting:
    longest = max(len(cell.text) for cell in cells)
    texts = tuple(tex(cell.text) for cell in cells)
    return _Setting("r", _heading(column.title, "r"), texts, _characters(column.title, longest))


def _aligned(column: Column, cells: Sequence[Cell]) -> _Setting | None:
    """Numbers aligned at their points; None if the column holds anything but numbers and marks of missing ones."""
    found = _numbers([cell.text for cell in cells])
    if found is None:
        return None
    specification, texts, width = found
    return _Setting(specification, f"{{{_heading(column.title, 'r')}}}", texts, _characters(column.title, width))


def _interval(column: Column, cells: Sequence[Cell]) -> _Setting | None:
    """Both ends of intervals, each aligned at its points; None if the column holds anything else."""
    ends = [cell.text.split(" to ") if cell.text != MISSING else [MISSING, MISSING] for cell in cells]
    if any(len(pair) != 2 for pair in ends):
        return None
    low, high = _numbers([pair[0] for pair in ends]), _numbers([pair[1] for pair in ends])
    if low is None or high is None:
        return None
    texts = tuple(f"{left} & {right}" for left, right in zip(low[1], high[1], strict=True))
    # One heading over both would take longtable several runs of LaTeX to align.
    heading = rf"{{\shortstack[r]{{{tex(column.title)} \\ from}}}} & {{to}}"
    return _Setting(low[0] + high[0], heading, texts, low[2] + high[2] + 2 * _GAP, spanned=2)


def _numbers(texts: Sequence[str]) -> tuple[str, tuple[str, ...], int] | None:
    """Specification, cells and width of a column of siunitx; None if nothing there is a number, or a text is none."""
    found = [_NUMBER.fullmatch(text) for text in texts]
    numbers = [match for match in found if match]
    others = {text for text, match in zip(texts, found, strict=True) if not match}
    if not numbers or not others <= {"", MISSING, "∞", "-∞"}:
        return None
    whole = max(len(match[2].replace(",", "")) for match in numbers)
    decimals = max(len(match[3] or "") for match in numbers)
    sign = "-" if any(match[1] for match in numbers) else ""
    power = ""
    exponents = [match for match in numbers if match[5]]
    if exponents:
        below = "-" if any(match[4] == "-" for match in exponents) else ""
        power = f"e{below}{max(len(match[5]) for match in exponents)}"
    grouped = any("," in match[2] for match in numbers)
    groups = "group-digits=integer,group-minimum-digits=4,group-separator={,}" if grouped else "group-digits=none"
    cells = tuple(_number(match) if match else f"{{{tex(text)}}}" for text, match in zip(texts, found, strict=True))
    width = len(sign) + whole + decimals + (1 if decimals else 0) + (8 if power else 0)
    return f"S[table-format={sign}{whole}.{decimals}{power},{groups}]", cells, width


def _number(match: re.Match[str]) -> str:
    """A number as siunitx reads it."""
    decimals = f".{match[3]}" if match[3] else ""
    exponent = f"e{match[4].replace('+', '')}{match[5]}" if match[5] else ""
    return f"{match[1]}{match[2].replace(',', '')}{decimals}{exponent}"


def _heading(title: str, side: str) -> str:
    r"""A heading, broken where its longest word ends."""
    lines = textwrap.wrap(title, _longest_word(title), break_long_words=False, break_on_hyphens=False)
    stacked = r" \\ ".join(map(tex, lines))
    return stacked if len(lines) == 1 else rf"\shortstack[{side}]{{{stacked}}}"


def _longest_word(title: str) -> int:
    return max(map(len, title.split()))


def _characters(title: str, cells: int) -> int:
    return max(cells, _longest_word(title)) + _GAP


def _fitted(settings: Sequence[_Setting]) -> tuple[_Page, list[_Setting]]:
    """The largest type in which all columns fit; long texts share what the others leave, and break into lines."""
    attempts = [(page, _LONG_TEXT, _COMFORTABLE) for page in _UPRIGHT]
    attempts += [(_UPRIGHT[-1], _NARROWEST, _NARROWEST), (_SIDEWAYS, _LONG_TEXT, _NARROWEST)]
    for page, short, narrowest in attempts:
        widths = _widths(settings, page.characters, short=short, narrowest=narrowest)
        if widths is not None:
            break
    else:  # wider than any paper: texts get their least
        widths = {i: _NARROWEST for i, setting in enumerate(settings) if setting.longest > _NARROWEST}
    return page, [
        replace(setting, specification=paragraphs(widths[i] / page.characters)) if i in widths else setting
        for i, setting in enumerate(settings)
    ]


def _widths(settings: Sequence[_Setting], room: int, *, short: int, narrowest: int) -> dict[int, int] | None:
    """Characters for each column with long texts, by the root of their length; None if there is no room for them."""
    longest = {i: setting.longest for i, setting in enumerate(settings) if setting.longest > short}
    spare = room - sum(narrowest + _GAP if i in longest else one.characters for i, one in enumerate(settings))
    if spare < 0:
        return None
    roots = sum(length**0.5 for length in longest.values())
    return {i: min(length, narrowest + int(spare * length**0.5 / roots)) for i, length in longest.items()}


def paragraphs(fraction: float) -> str:
    """The specification of a column of broken lines, as wide as a fraction of the text."""
    return rf">{{\raggedright\arraybackslash}}p{{{fraction:.3f}\linewidth}}"


def label_of(*parts: str) -> str:
    """A label of letters, digits and ``:.-``, different for different parts.

    Examples
    --------
    >>> label_of("tab", "my study", "he.forward")
    'tab:my-20-study:he.forward'
    """
    return ":".join(re.sub(r"[^A-Za-z0-9.]", lambda match: f"-{ord(match[0]):x}-", part) for part in parts)
