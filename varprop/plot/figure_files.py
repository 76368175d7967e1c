"""A figure -> the bytes of an SVG, PDF or PNG file: the same bytes for the same figure, readable on light and dark pages."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from varprop.plot.axes import DARK, house_style
from varprop.study.files import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Drawing = Callable[[], Figure]

_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_UNDATED = {"CreationDate": None, "Creator": "varprop", "Producer": "matplotlib"}  # without its version
_OWN_ID = re.compile(r' id="([^"]*)"')
_REFERENCE = re.compile(r'(?:url\(#|href="#)([^")]*)')
_GEOMETRY = re.compile(r'(?<= )(?:x|y|width|height|transform|viewBox)="[^"]*"')
_LONG_DECIMAL = re.compile(r"-?\d+\.\d{3,}")
_FONT = "'DejaVu Sans', 'Verdana', 'Arial', sans-serif"
_EVERYWHERE = re.compile(r'<defs>\s*<style type="text/css">\*\{([^}]*)\}</style>\s*</defs>')
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_OWN_FONT = re.compile(rf"; font-family: (?:{re.escape(_FONT)}|'DejaVu Sans')")
_UNTURNED = re.compile(r' transform="rotate\(-?0 [^)]*\)"')
_UNSEEN = re.compile(r'<path [^>]*style="fill: none"/>')  # the line between marks that have none
_SOLID_START = "; stroke-dashoffset: 0"  # as if nothing were said
_GROUP = re.compile(r"<g\b[^>]*?(?P<empty>/)?>|</g>")
_FORMULA = re.compile(r'<g style="(fill: #\w{6})"[^>]*>\s*<text>.*?</text>', re.DOTALL)
_PATH = re.compile(r'(?<= d=")[^"]*(?=")')
_LIKE = re.compile(r'(<(?:use|path) [^>]*?)((?: clip-path="[^"]*")? style="[^"]*")/>')
_POINTS = {"M": 1, "L": 1, "Q": 2, "C": 3, "z": 0}
"""Commands that matplotlib writes, and how many points follow each."""


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


def compact(svg: str) -> str:
    """Write a drawing shorter that shows the same."""
    for idle in (_COMMENT, _UNTURNED, _UNSEEN):
        svg = idle.sub("", svg)
    svg = svg.replace(_SOLID_START, "")
    root = []
    if _OWN_FONT.search(svg):
        svg, root = _OWN_FONT.sub("", svg), [f"font-family: {_FONT}"]
    # A rule for every element would win over what a group says, and in a page hold outside the drawing too.
    if rule := _EVERYWHERE.search(svg):
        svg = svg.replace(rule[0], "", 1)
        root.append(rule[1])
    if root:
        svg = svg.replace("<svg ", f'<svg style="{"; ".join(root)}" ', 1)
    # The parts of a formula are as dark as the formula.
    svg = _FORMULA.sub(lambda found: found[0].replace(f'; {found[1]}">', '">'), svg)
    svg = _PATH.sub(lambda found: compact_path(found[0]), _without_empty_groups(svg))
    lines = [line for line in map(str.strip, svg.splitlines()) if line]
    return "\n".join(_alike_together(lines)) + "\n"


def _without_empty_groups(svg: str) -> str:
    """Take away groups without content or attributes."""
    kept: list[bool] = []

    def judge(tag: re.Match[str]) -> str:
        if tag["empty"]:
            return ""
        if tag[0] == "</g>":
            return "</g>" if kept.pop() else ""
        kept.append(tag[0] != "<g>")
        return tag[0] if kept[-1] else ""

    return _GROUP.sub(judge, svg)


def _alike_together(lines: list[str]) -> list[str]:
    """Say what marks or lines in a row look like once; an opacity of the whole stays with each, since they may overlap."""
    found: list[str] = []

    def look(line: str) -> str | None:
        drawn = _LIKE.fullmatch(line)
        return None if drawn is None or re.search(r"(?<![\w-])opacity", drawn[2]) else drawn[2]

    for same, row in groupby(lines, look):
        drawn = list(row)
        if same is None or len(drawn) == 1:
            found += drawn
        else:
            found += [f"<g{same}>", *(_LIKE.sub(r"\1/>", line) for line in drawn), "</g>"]
    return found


def compact_path(data: str) -> str:
    """Write a path by steps from point to point.

    Examples
    --------
    >>> compact_path("M 10 20.5 L 11.25 20.5 L 12 18 L 12.5 17.123 z")
    'M10 20.5h1.25l.75-2.5 .5-.88z'
    """
    parts = data.split()
    here = start = (0, 0)
    written, last = "", ""
    position = 0
    while position < len(parts):
        command = parts[position]
        length = 2 * _POINTS[command]
        numbers = [round(100 * float(part)) for part in parts[position + 1 : position + 1 + length]]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        position += 1 + length
        if command == "z":
            letter, steps, here = "z", [], start
        elif command == "M":
            letter, steps, here = "M", numbers, points[0]
            start = here
        else:
            steps = [value - here[i] for point in points for i, value in enumerate(point)]
            letter, here = command.lower(), points[-1]
            if letter == "l" and steps[1] == 0:
                letter, steps = "h", steps[:1]
            elif letter == "l" and steps[0] == 0:
                letter, steps = "v", steps[1:]
        # A second pair after M would be a line.
        written += letter if letter != last or letter in "Mz" else ""
        for step in steps:
            written += _number(step, written)
        last = letter
    return written


def _number(hundredths: int, before: str) -> str:
    """A number, with a space before it where it would else run into the one before."""
    sign, (whole, rest) = "-" * (hundredths < 0), divmod(abs(hundredths), 100)
    decimals = f".{rest:02d}".rstrip("0") if rest else ""
    text = sign + (str(whole) if whole or not decimals else "") + decimals
    return text if text[0] == "-" or not before[-1:].isdigit() else f" {text}"
