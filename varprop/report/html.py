"""A page as one self-contained HTML file: no request, light and dark and print, readable by ear and by keyboard.

What its one script does (sorting, enlarging) is a help that the page can be read without. The page's policy names the
script by its hash, so that a browser runs nothing else, whatever a text may smuggle in.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING

from varprop.plot.figure_files import dark_rules
from varprop.plot.wording import SYMBOLS, plain_lines
from varprop.report.blocks import anchor, spaced
from varprop.study.plain import plain

if TYPE_CHECKING:
    from jinja2 import Environment

    from varprop.report.blocks import Page


def page_html(page: Page) -> str:
    """Set a page."""
    return _environment().get_template("page.html.j2").render(page=page)


@cache
def _environment() -> Environment:
    """Templates in which everything is escaped and a name that does not exist is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("varprop.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"plain": plain, "plain_lines": plain_lines, "anchor": anchor}
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.filters["spaced"] = partial(spaced, set_text=plain)
    script = resources.files("varprop.report").joinpath("templates/page.js").read_text(encoding="utf-8")
    environment.globals |= {
        "symbols": SYMBOLS,
        "dark_rules": dark_rules(),
        "script": script,
        "script_hash": source_hash(script),
    }
    return environment


def source_hash(text: str) -> str:
    """What a Content-Security-Policy calls an inline script.

    Examples
    --------
    >>> source_hash("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"
