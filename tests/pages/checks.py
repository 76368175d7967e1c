"""What must hold of any page: each check takes an open page and gives what is wrong, a line each; nothing if all is well."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.pages.browsing import Visit
from tests.pages.tools import AXE

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice")
ROWS = 12
"""Of a table, which axe-core looks at; a thousand more from the same template take minutes and say nothing new."""


def inside(visit: Visit, call: str) -> Any:
    """Call one of the functions of in_page.js."""
    return visit.page.evaluate(f"varpropTests.{call}")


def silence(visit: Visit) -> list[str]:
    """No error in the console, no exception, no dialog."""
    return list(visit.noise)


def no_requests(visit: Visit) -> list[str]:
    """Nothing is asked of anybody but the page's own folder."""
    return [f"asks for {url}" for url in visit.outgoing()]


def fits(visit: Visit) -> list[str]:
    """The page itself does not scroll sideways, and no box hides a part of what is in it."""
    return inside(visit, "overflowing()") + inside(visit, "hidden()")


def contrast(visit: Visit) -> list[str]:
    """Every text stands out from what is behind it (WCAG 1.4.3)."""
    return inside(visit, "faint()")


def accessibility(visit: Visit) -> list[str]:
    """axe-core finds no violation, and leaves nothing open that no other check decides. Changes the page."""
    inside(visit, f"abridge({ROWS})")
    visit.page.evaluate((AXE / "axe.min.js").read_text(encoding="utf-8"))
    # No preload: style sheets in files of their own would be asked for again, which a page in a file may not do.
    options = {
        "runOnly": {"type": "tag", "values": TAGS},
        "resultTypes": ["violations", "incomplete"],
        "preload": False,
    }
    result = visit.page.evaluate("options => axe.run(document, options)", options)
    # axe-core gives no judgement on colours in a box that scrolls, nor on single symbols; `contrast` looks at all of them.
    open_ones = [rule for rule in result["incomplete"] if rule["id"] != "color-contrast"]
    return [
        f"{said} {rule['id']} ({rule['help']}) at {', '.join(str(node['target'][0]) for node in rule['nodes'][:5])}"
        for said, rules in (("violates", result["violations"]), ("leaves open", open_ones))
        for rule in rules
    ]


def keyboard(visit: Visit) -> list[str]:
    """Tab reaches everything that can be used, in the order of the page, and shows where it is."""
    stops = inside(visit, "watchFocus()")
    for _ in range(stops + 2):
        visit.page.keyboard.press("Tab")
    return inside(visit, "focusFaults()")


def everything(visit: Visit) -> list[str]:
    """All of the above on a page with nothing folded."""
    inside(visit, "openDetails()")
    found = {check.__name__: check(visit) for check in (fits, contrast, keyboard, accessibility, silence, no_requests)}
    return [f"{name}: {problem}" for name, problems in found.items() for problem in problems]


# ---- links: no browser needed ------------------------------------------------------------------------------------


class _Anchors(HTMLParser):
    """What a page links to, and what may be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "a" and found.get("href") is not None:
            self.links.append(str(found["href"]))
        self.ids |= {str(found[name]) for name in ("id", "name") if found.get(name)}


@cache
def anchors(path: Path) -> tuple[tuple[str, ...], frozenset[str]]:
    """Links and ids of a page."""
    parser = _Anchors()
    parser.feed(path.read_text(encoding="utf-8"))
    return tuple(parser.links), frozenset(parser.ids)


def links(path: Path) -> list[str]:
    """Every link of a page leads to a file that is there, and to an id in it; a CSV file is a table with rows."""
    return [f"{link}: {fault}" for link in dict.fromkeys(anchors(path)[0]) for fault in _link_faults(path, link)]


def _link_faults(path: Path, link: str) -> Iterator[str]:
    parts = urlsplit(link)
    if parts.scheme in {"http", "https", "mailto"}:
        return  # where people are sent; nobody is asked from here
    if parts.scheme or parts.netloc:
        yield f"a link of the kind {parts.scheme or parts.netloc}"
        return
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        yield "no such file"
    elif target.suffix == ".html" and parts.fragment and unquote(parts.fragment) not in anchors(target)[1]:
        yield "no such place on the page"
    elif target.suffix == ".csv":
        yield from _csv_faults(target)


def _csv_faults(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, strict=True))
    if len(rows) < 2:
        yield "a table without rows"
    elif uneven := [i for i, row in enumerate(rows, 1) if len(row) != len(rows[0])]:
        yield f"lines {uneven[:5]} have not as many fields as the first"


def pages_in(folder: Path) -> list[Path]:
    """Every page of a folder, in a fixed order: of reports, or of a site."""
    return sorted(folder.rglob("*.html"))


def squeezed(text: str) -> str:
    """A text as a reader sees it: no matter how it is broken into lines."""
    return re.sub(r"\s+", " ", text).strip()
