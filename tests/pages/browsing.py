"""A page in a real browser, and what it did there that a reader would not expect."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from tests.pages.tools import CHROMIUM

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, PdfMargins, Playwright

IN_PAGE = Path(__file__).with_name("in_page.js")
PATIENCE = 120_000  # milliseconds: a loaded machine is slow, not wrong

# Nothing here talks to anybody: no updates, no sync, no checks for being online.
SILENT = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


@dataclass(frozen=True, slots=True)
class View:
    """How a page is looked at."""

    name: str
    width: int  # CSS pixels
    height: int
    scheme: Literal["light", "dark"]
    scripts: bool = True

    def __str__(self) -> str:
        return self.name


PHONE = View("phone", 360, 740, "light")
PHONE_DARK = View("phone-dark", 360, 740, "dark")
DESKTOP = View("desktop", 1440, 900, "light")
DESKTOP_DARK = View("desktop-dark", 1440, 900, "dark")
VIEWS = (PHONE, PHONE_DARK, DESKTOP, DESKTOP_DARK)
MARGIN = 38  # a centimetre
PAPER = View("paper", 794 - 2 * MARGIN, 1123 - 2 * MARGIN, "dark")  # A4 at 96 dots an inch
NO_SCRIPTS = View("no-scripts", 1440, 900, "light", scripts=False)


@dataclass
class Visit:
    """An open page, and what was noted while it was open."""

    page: Page
    path: Path
    root: Path  # the folder that the page belongs to, and may load from
    view: View
    noise: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def outgoing(self) -> list[str]:
        """Every request for something that is neither in the page nor in its folder."""
        return [url for url in self.requests if not self._at_home(url)]

    def _at_home(self, url: str) -> bool:
        parts = urlsplit(url)
        if parts.scheme in {"data", "blob", "about"}:
            return True
        return (
            parts.scheme == "file"
            and not parts.netloc
            and Path(unquote(parts.path)).resolve().is_relative_to(self.root)
        )


def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium, or another one that is on PATH."""
    # As root, in containers above all, Chromium cannot set up its sandbox; the pages are our own.
    sandbox = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    return playwright.chromium.launch(executable_path=CHROMIUM.program(), args=[*SILENT, *sandbox], timeout=PATIENCE)


@contextmanager
def visit(browser: Browser, path: Path, view: View = DESKTOP, *, root: Path | None = None) -> Iterator[Visit]:
    """Open a page of a folder, offline, and note what it says and asks for."""
    context = browser.new_context(
        viewport={"width": view.width, "height": view.height},
        color_scheme=view.scheme,
        java_script_enabled=view.scripts,
        reduced_motion="reduce",
        offline=True,
    )
    context.set_default_timeout(PATIENCE)
    try:
        page = context.new_page()
        visited = Visit(page, path, (root or path.parent).resolve(), view)
        context.on("request", lambda request: visited.requests.append(request.url))
        context.on("weberror", lambda error: visited.noise.append(f"error: {error.error}"))
        context.on("console", lambda message: visited.noise.extend(_errors(message.type, message.text)))
        context.on(
            "dialog", lambda dialog: (visited.noise.append(f"{dialog.type}: {dialog.message}"), dialog.dismiss())
        )
        context.on("page", lambda other: visited.noise.append(f"opened a window: {other.url}"))
        page.goto(path.resolve().as_uri())
        page.evaluate(IN_PAGE.read_text(encoding="utf-8"))
        yield visited
    finally:
        context.close()


def _errors(kind: str, text: str) -> list[str]:
    return [f"console: {text}"] if kind == "error" else []


def print_to(visited: Visit, path: Path) -> None:
    """Print a page as a reader with a dark screen does it, backgrounds and all."""
    room = f"{MARGIN}px"
    margins: PdfMargins = {"top": room, "right": room, "bottom": room, "left": room}
    visited.page.pdf(path=path, format="A4", margin=margins, print_background=True)
