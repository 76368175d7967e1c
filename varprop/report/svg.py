"""A figure -> the bytes of an SVG, PDF or PNG file: the same bytes for the same figure, readable on light and dark pages."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from varprop.report.compact import compact
from varprop.report.figures import house_style
from varprop.report.palette import DARK
from varprop.study.plain import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_UNDATED = {"CreationDate": None, "Creator": "varprop", "Producer": "matplotlib"}  # without its version
_OWN_ID = re.compile(r' id="([^"]*)"')
_REFERENCE = re.compile(r'(?:url\(#|href="#)([^")]*)')
_GEOMETRY = re.compile(r'(?<= )(?:x|y|width|height|transform|viewBox)="[^"]*"')
_LONG_DECIMAL = re.compile(r"-?\d+\.\d{3,}")


def dark_rules() -> str:
    """Style rules that repaint a figure for a dark page.

    The file itself holds plain light colours, so that a viewer without style sheets shows it right; a browser finds
    them by their text and repaints them. The selectors have no ancestor: a marker is a copy made by ``<use>``, which
    has none that a rule could name.
    """
    return "\n".join(
        f'[style*="{kind}: {light}"] {{ {kind}: {dark} !important; }}'
        for light, dark in DARK.items()
        for kind in ("fill", "stroke")
    )


def _save(figure: Figure, file: io.BytesIO, **options: Any) -> None:
    """Save in the house style; a script that matplotlib's font lacks is the browser's to draw, not a warning."""
    with house_style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        figure.savefig(file, **options)


def render_svg(figure: Figure, *, title: str, name: str) -> str:
    """SVG text of a figure, to stand in a page or in a file of its own."""
    file = io.BytesIO()
    _save(figure, file, format="svg", metadata=_NO_METADATA)
    text = file.getvalue().decode("utf-8")
    body = text[text.index("<svg") :]
    # matplotlib names every group; only what is pointed at needs to be.
    short = {used: f"{name}-{i}" for i, used in enumerate(dict.fromkeys(_REFERENCE.findall(body)), start=1)}
    body = _OWN_ID.sub(lambda found: f' id="{short[found[1]]}"' if found[1] in short else "", body)
    body = _REFERENCE.sub(lambda found: found[0].replace(found[1], short[found[1]]), body)
    # A hundredth of a point is finer than any screen.
    body = _GEOMETRY.sub(lambda found: _LONG_DECIMAL.sub(_hundredths, found[0]), body)
    opening = f'<svg role="img" aria-label={quoteattr(plain(title))} '
    return opening + compact(body).removeprefix("<svg ")


def _hundredths(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def standalone(svg: str, *, title: str) -> str:
    """Make a file of an ``<svg>`` element: it names itself and repaints itself where the reader's system is dark."""
    head, body = svg.split(">", 1)
    style = f"<style>@media (prefers-color-scheme: dark) {{\n{dark_rules()}\n}}</style>"
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}>\n<title>{escape(plain(title))}</title>\n{style}{body}'


def render_png(figure: Figure, *, dpi: int = 110) -> bytes:
    """PNG bytes of a figure, to look at; never part of a report."""
    file = io.BytesIO()
    _save(figure, file, format="png", dpi=dpi)
    return file.getvalue()


def render_pdf(figure: Figure) -> bytes:
    """PDF bytes of a figure, for LaTeX: its fonts embedded as TrueType, its text still text."""
    file = io.BytesIO()
    _save(figure, file, format="pdf", metadata=_UNDATED)
    return file.getvalue()
