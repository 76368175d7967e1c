"""Reports as their readers meet them: on a phone, at a desk, by keyboard, by ear, on paper, and without scripts."""

import pytest

from tests.pages.browsing import VIEWS, visit
from tests.pages.checks import everything, links, pages_in
from tests.pages.conftest import ROOT

# Whatever is drawn, the pages have to be as they should.
pytestmark = [pytest.mark.pages, pytest.mark.false_alarm(0)]

MADE = ("index", "hostile", "harmless", "sweep")
COMMITTED = [str(path.relative_to(ROOT)) for path in pages_in(ROOT / "reports")]


@pytest.fixture(params=[*MADE, *COMMITTED])
def page(request):
    """A page that was made here, or one that is committed, and the folder that it belongs to."""
    if request.param in MADE:
        reports = request.getfixturevalue("reports")
        return reports.page(request.param), reports.root
    return ROOT / request.param, ROOT / "reports"


def test_there_are_pages_to_look_at():
    assert "reports/index.html" in COMMITTED
    assert len(COMMITTED) > 1


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_a_page_is_sound(browser, page, view):
    path, root = page
    with visit(browser, path, view, root=root) as visited:
        assert everything(visited) == []


def test_links_lead_somewhere(page):
    assert links(page[0]) == []
