"""Cards: what a notebook shows of a network or a sample, as a little HTML that takes its colours from the page."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

MAX_ROWS = 30
"""A card is for a glance; of a longer table the middle is left out, and that is said."""

_CELL = ' style="text-align: left; vertical-align: top"'


def card(
    title: str, facts: Mapping[str, object], columns: Sequence[str] = (), rows: Iterable[Sequence[object]] = ()
) -> str:
    """Set a title, facts and a table as HTML.

    Examples
    --------
    >>> card("<b>", {"seed": 1}).count("&lt;b&gt;")
    1
    """
    parts = [f"<div><strong>{_text(title)}</strong>"]
    if facts:
        lines = (
            f"<tr><th{_CELL}>{_text(name)}</th><td{_CELL}>{_text(value)}</td></tr>" for name, value in facts.items()
        )
        parts.append(f"<table><tbody>{''.join(lines)}</tbody></table>")
    cells = [_row("td", row) for row in rows]
    if cells:
        if len(cells) > MAX_ROWS:
            half = MAX_ROWS // 2
            left_out = f'<tr><td{_CELL} colspan="{len(columns)}">… {len(cells) - 2 * half:,} more …</td></tr>'
            cells = [*cells[:half], left_out, *cells[-half:]]
        parts.append(f"<table><thead>{_row('th', columns)}</thead><tbody>{''.join(cells)}</tbody></table>")
    return "".join([*parts, "</div>"])


def count(number: int, word: str) -> str:
    """A number with thousands separated and what it counts: ``1 layer``, ``2,000 networks``."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def _row(tag: str, cells: Iterable[object]) -> str:
    return "<tr>" + "".join(f"<{tag}{_CELL}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"


def _text(value: object) -> str:
    return html.escape(str(value))
