"""A report's page as HTML, and as a PDF by its print style, through WeasyPrint, which is an extra."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import warnings
from functools import cache, partial
from importlib import resources
from types import ModuleType
from typing import TYPE_CHECKING

from varprop.plot.figure_files import dark_rules
from varprop.plot.wording import SYMBOLS, plain_lines
from varprop.report.blocks import anchor, spaced
from varprop.study.files import plain

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


_INSTALL = "the format 'pdf' needs WeasyPrint; install it with: pip install 'varprop[pdf]'"
_PAGE_LINK = re.compile(r'(href="[^"#:]*)/index\.html(?=[#"])')
_NO_SCRIPT = re.compile(r"<script>.*?</script>", re.DOTALL)
_STYLE = """
@page {
  size: A4; margin: 16mm 14mm 18mm;
  @bottom-center { content: counter(page) " / " counter(pages); font: 8pt sans-serif; color: #595959; }
}
/* Verdicts have more columns than there is room for in an upright page. */
@page across { size: A4 landscape; }
.claims { page: across; break-after: page; }
html { font-size: 9pt; }
body, header, nav, main, footer { max-width: none; padding: 0; }
h1, h2, h3, caption { break-after: avoid; }
p, li, dd { orphans: 2; widows: 2; }
a { text-decoration: none; }
.scroll { overflow: visible; }
table { font-size: 7pt; width: 100%; }
th, td { padding: .2rem .25rem; }
.n, .numbers td, .numbers thead th { white-space: normal; }
.wide, .long, .ledger { min-width: 0; }
thead { display: table-header-group; }
tr, figure > .scroll { break-inside: avoid; }
/* Thousands of rows that a screen folds away: on paper they stand in the files beside it. */
figure details, .layers { display: none; }
details > summary { color: inherit; font-weight: 600; break-after: avoid; }
figure svg { min-width: 0; max-width: 100%; max-height: 225mm; height: auto; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
"""


def check_weasyprint() -> None:
    """Refuse to begin where no PDF can be made."""
    _weasyprint()


def page_pdf(page: Page) -> bytes:
    """Print a page; links to other pages lead to their PDF files."""
    return html_pdf(page_html(page))


def html_pdf(page: str) -> bytes:
    """Print an HTML page, which may refer to nothing outside itself."""
    weasyprint = _weasyprint()
    # What it does not know of a style sheet made for browsers is not for a reader of the report to see.
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
    text = _NO_SCRIPT.sub("", _PAGE_LINK.sub(r"\1/report.pdf", page))
    nothing = weasyprint.urls.URLFetcher(allowed_protocols=())  # a report is all in its page
    html = weasyprint.HTML(string=text, url_fetcher=nothing)
    style = weasyprint.CSS(string=_STYLE, url_fetcher=nothing)
    # In place of a random one.
    identifier = hashlib.sha256(text.encode("utf-8")).hexdigest()[:32].encode("ascii")
    written: bytes = html.write_pdf(stylesheets=[style], pdf_identifier=identifier)
    return written


def _weasyprint() -> ModuleType:
    try:
        with (
            warnings.catch_warnings()
        ):  # what it says of libraries to come, as it is imported, is for those who package it
            warnings.simplefilter("ignore", DeprecationWarning)
            import weasyprint
    except ImportError:
        raise ValueError(_INSTALL) from None
    except OSError as error:  # Pango and the like, which pip does not install
        reason = " ".join(str(error).split()).split(". ")[0]
        msg = f"WeasyPrint is installed, but a library that it needs is not ({reason}); see its installation guide"
        raise ValueError(msg) from None
    module: ModuleType = weasyprint
    return module
