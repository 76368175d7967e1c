"""Pictures for a person to look at, in tests/pages/screenshots/, which git ignores."""

import subprocess

import pytest

from tests.pages.browsing import DESKTOP, DESKTOP_DARK, PHONE, print_to, visit
from tests.pages.checks import inside
from tests.pages.conftest import ROOT

pytestmark = [pytest.mark.pages, pytest.mark.false_alarm(0)]

PICTURES = {
    "index": ("index", DESKTOP),
    "index-phone": ("index", PHONE),
    "study": ("harmless", DESKTOP),
    "study-dark": ("harmless", DESKTOP_DARK),
    "study-phone": ("harmless", PHONE),
    "hostile": ("hostile", DESKTOP),
    "ledger": ("reports/index.html", DESKTOP),
    "ledger-dark": ("reports/index.html", DESKTOP_DARK),
    "ledger-phone": ("reports/index.html", PHONE),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_page_is_pictured(browser, reports, screenshots, name):
    page, view = PICTURES[name]
    path = ROOT / page if page.endswith(".html") else reports.page(page)
    with visit(browser, path, view) as visited:
        inside(visited, "openDetails()")
        # Higher than this a picture shows no more to a person, and Chromium has no memory for it.
        height = min(8000, visited.page.evaluate("document.documentElement.scrollHeight"))
        visited.page.set_viewport_size({"width": view.width, "height": height})
        visited.page.screenshot(path=screenshots / f"{name}.png")
    assert (screenshots / f"{name}.png").stat().st_size > 20_000


def test_an_enlarged_figure_is_pictured(browser, reports, screenshots):
    with visit(browser, reports.page("harmless"), DESKTOP) as visited:
        visited.page.locator("figure [aria-haspopup=dialog]").first.click()
        visited.page.screenshot(path=screenshots / "enlarged.png")
    assert (screenshots / "enlarged.png").stat().st_size > 20_000


def test_a_printed_page_is_pictured(browser, need, reports, screenshots, tmp_path):
    need("poppler")
    for name, path in (("printed", reports.page("harmless")), ("printed-ledger", ROOT / "reports" / "index.html")):
        with visit(browser, path, DESKTOP_DARK) as visited:
            print_to(visited, tmp_path / "page.pdf")
        target = screenshots / name
        subprocess.run(["pdftoppm", "-r", "70", "-png", "-l", "6", tmp_path / "page.pdf", target], check=True)
    assert len(list(screenshots.glob("printed-*.png"))) > 2
