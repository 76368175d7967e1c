"""Whatever an author writes comes out as text: two reports that differ in nothing but that are built alike."""

import pytest

from tests.pages.browsing import DESKTOP, visit
from tests.pages.checks import silence

pytestmark = [pytest.mark.pages, pytest.mark.false_alarm(0)]

SKELETON = """() => [...document.querySelectorAll("*")]
    .filter((element) => !element.closest("svg") || element.localName === "svg")
    .map((element) => `${element.localName} ${element.getAttributeNames().join(" ")}`)"""
TEXTS = """() => [...document.querySelectorAll("body *")].map((element) => element.textContent.trim().replace(/\\s+/g, " "))"""


def shown(text):
    """What a page is to show of a text: on one line, without what changes the direction of its neighbours."""
    return " ".join(text.replace("\u202e", "").split())


@pytest.fixture(scope="module")
def looked_at(browser, reports):
    """What the two studies' pages are made of, and what they say."""
    found = {}
    for kind in ("hostile", "harmless"):
        with visit(browser, reports.page(kind), DESKTOP, root=reports.root) as visited:
            found[kind] = {
                "skeleton": visited.page.evaluate(SKELETON),
                "texts": visited.page.evaluate(TEXTS),
                "title": visited.page.title(),
                "problems": silence(visited),
            }
    return found


@pytest.mark.parametrize("kind", ["hostile", "harmless"])
def test_a_text_is_shown_as_it_was_written(looked_at, reports, kind):
    said, texts = looked_at[kind], reports.studies[kind]
    assert said["title"] == shown(texts["title"])
    for name in ("title", "statement", "second"):
        assert shown(texts[name]) in said["texts"], name
    assert any("varprop run" in text and shown(texts["name"]) in text for text in said["texts"])


def test_a_text_adds_no_element_and_no_attribute(looked_at):
    assert looked_at["hostile"]["skeleton"] == looked_at["harmless"]["skeleton"]


def test_a_text_runs_nothing(looked_at):
    assert looked_at["hostile"]["problems"] == []


def test_the_index_shows_the_texts_and_leads_to_the_study(browser, reports):
    with visit(browser, reports.page("index"), DESKTOP, root=reports.root) as visited:
        texts = visited.page.evaluate(TEXTS)
        assert shown(reports.studies["hostile"]["title"]) in texts
        visited.page.get_by_role("link", name=shown(reports.studies["hostile"]["title"]), exact=True).click()
        assert visited.page.locator("h1").inner_text() == shown(reports.studies["hostile"]["title"])
        assert silence(visited) == []


@pytest.mark.parametrize(
    "careless",
    [
        "<p><script>window.caught = true</script></p>",
        '<p><img src="data:," alt="" onerror="window.caught = true"></p>',
        '<p title="" data-x="">text</p>',
    ],
)
def test_a_text_that_is_not_escaped_is_seen(browser, tmp_path, careless):
    pages = []
    for name, body in (("good", "<p>text</p>"), ("bad", careless)):
        path = tmp_path / f"{name}.html"
        path.write_text(f"<!DOCTYPE html><title>t</title>{body}", encoding="utf-8")
        with visit(browser, path) as visited:
            pages.append(visited.page.evaluate(SKELETON))
    assert pages[0] != pages[1]
