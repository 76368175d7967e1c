"""The site that ``nox -s docs`` has built, as its readers meet it: one page of each kind in full, the width of all."""

import pytest

from tests.pages.browsing import PHONE, VIEWS, visit
from tests.pages.checks import everything, fits, links, pages_in
from tests.pages.conftest import ROOT

pytestmark = [pytest.mark.site, pytest.mark.false_alarm(0)]

SITE = ROOT / "docs" / "_build"
KINDS = (
    "docs/index.html",
    "docs/how-to/study.html",
    "docs/theory/xavier-he.html",
    "docs/reference/generated/varprop.simulate.html",
    "docs/gallery/plot_profile.html",
)
GROUPS = ("*.html", "docs/*.html", "docs/[!r]*/*.html", "docs/reference/**/*.html", "reports/**/README.html")
# What only leads to the first page; reports, which are looked at as such; and what is no page of its own.
ELSEWHERE = ("index.html", "reports/**/index.html", "_static/**/*.html")

THEIRS = {
    ".search-button__kbd-shortcut": "the theme's button is named Search and shows its shortcut, which the name lacks",
    "mjx-ext": "a bar over a formula, which MathJax draws too long and cuts to size",
}
"""What is not ours to mend, and why: it is taken out of a page before that is looked at."""

READY = """async (theirs) => {
    if (window.MathJax) await MathJax.startup.promise;
    document.querySelectorAll(theirs).forEach((element) => element.remove());
}"""


@pytest.fixture(scope="module", autouse=True)
def built():
    """Nothing can be said of a site that is not there."""
    if not (SITE / KINDS[0]).is_file():
        pytest.fail(f"no {SITE / KINDS[0]}; run nox -s docs before")


def pages_of(*groups):
    """Pages of the site, by patterns."""
    return {page for group in groups for page in SITE.glob(group)}


@pytest.mark.parametrize("view", VIEWS, ids=str)
@pytest.mark.parametrize("page", KINDS)
def test_a_page_is_sound(browser, page, view):
    with visit(browser, SITE / page, view, root=SITE) as visited:
        visited.page.evaluate(READY, ", ".join(THEIRS))
        assert everything(visited) == []


@pytest.mark.parametrize("group", GROUPS)
def test_every_page_fits_a_phone(browser, group):
    faults = {}
    for page in pages_of(group) - pages_of(*ELSEWHERE):
        with visit(browser, page, PHONE, root=SITE) as visited:
            visited.page.evaluate(READY, ", ".join(THEIRS))
            faults[page.relative_to(SITE)] = fits(visited)
    assert {page: found for page, found in faults.items() if found} == {}


def test_no_page_is_left_out():
    assert pages_of(*GROUPS, *ELSEWHERE) == set(pages_in(SITE))


def test_links_lead_somewhere():
    faults = {page.relative_to(SITE): links(page) for page in pages_in(SITE / "docs")}
    assert {page: found for page, found in faults.items() if found} == {}
