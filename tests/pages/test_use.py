"""What a page's script adds is used by keyboard: tables are sorted, figures enlarged; without scripts nothing lacks."""

import itertools
import re

import pytest

from tests.pages.browsing import DESKTOP, DESKTOP_DARK, NO_SCRIPTS, PHONE, visit
from tests.pages.checks import accessibility, fits, inside, pages_in, silence, squeezed
from tests.pages.conftest import ROOT

pytestmark = [pytest.mark.pages, pytest.mark.false_alarm(0)]

COMMITTED = [str(path.relative_to(ROOT)) for path in pages_in(ROOT / "reports")]
NUMBER = re.compile(r"[<>]?\s*([+-]?\d[\d,]*\.?\d*(?:e[+-]?\d+)?)")


@pytest.fixture(params=["index", "hostile", "harmless", "sweep", *COMMITTED])
def path(request):
    """A page that was made here, or one that is committed."""
    if request.param in COMMITTED:
        return ROOT / request.param
    return request.getfixturevalue("reports").page(request.param)


# ---- sorting -----------------------------------------------------------------------------------------------------


def order_faults(texts, *, ascending):
    """What is wrong with the order of a sorted column, by a rule of our own.

    Numbers go by their size and stand together; whatever else is there, equal texts stand together, and words in lower
    case go by the alphabet.
    """
    found = [NUMBER.match(text) for text in texts]
    kinds = [kind for kind, _ in itertools.groupby(match is not None for match in found)]
    numbers = [float(match[1].replace(",", "")) for match in found if match]
    words = [text for text, match in zip(texts, found, strict=True) if not match]
    runs = [text for text, _ in itertools.groupby(words)]
    faults = []
    if len(kinds) > 2:
        faults.append("numbers and texts are mixed")
    if numbers != sorted(numbers, reverse=not ascending):
        faults.append(f"numbers out of order: {numbers[:9]}")
    if len(runs) != len(set(runs)):
        faults.append(f"equal texts apart: {runs[:9]}")
    if all(re.fullmatch("[a-z]+", run) for run in runs) and runs != sorted(runs, reverse=not ascending):
        faults.append(f"words out of order: {runs[:9]}")
    return faults


COLUMN = """([table, column]) => [...document.querySelectorAll("table")[table].tBodies[0].rows]
    .map((row) => row.cells[column].textContent.trim().replace(/^[✓✗?] /, "").replace(/\\s+/g, " "))"""
ROWS = """(table) => [...document.querySelectorAll("table")[table].tBodies[0].rows].map((row) => row.textContent)"""
BUTTONS = """() => [...document.querySelectorAll("table")].map((table) => [...table.tHead.rows[0].cells]
    .map((cell, column) => [cell, column]).filter(([cell]) => cell.querySelector("button")).map(([, column]) => column))"""
SORTED_BY = """(table) => [...document.querySelectorAll("table")[table].tHead.rows[0].cells]
    .map((cell) => cell.getAttribute("aria-sort")).map((value) => value === "none" ? null : value)"""


def sort_by_keyboard(visited, table, column, key):
    """Press a key on a column's heading."""
    button = visited.page.locator("table").nth(table).locator("thead th").nth(column).locator("button")
    button.focus()
    visited.page.keyboard.press(key)
    assert button.evaluate("(element) => element === document.activeElement"), "sorting takes the focus away"


def test_every_table_sorts_by_keyboard(browser, path):
    """Every column of the first table and of the last two; one column of each table between them."""
    with visit(browser, path, DESKTOP) as visited:
        inside(visited, "openDetails()")
        tables = visited.page.evaluate(BUTTONS)
        assert any(tables), "no table has a button in its headings"
        full = {0, len(tables) - 2, len(tables) - 1}
        for table, columns in enumerate(tables):
            before = sorted(visited.page.evaluate(ROWS, table))
            for column in columns if table in full else columns[-1:]:
                for key, way in (("Enter", "ascending"), ("Space", "descending")):
                    sort_by_keyboard(visited, table, column, key)
                    said = visited.page.evaluate(SORTED_BY, table)
                    assert said[column] == way
                    assert [value for value in said if value] == [way], "two columns claim to be the sorted one"
                    texts = visited.page.evaluate(COLUMN, [table, column])
                    assert order_faults(texts, ascending=way == "ascending") == [], (table, column, way)
            assert sorted(visited.page.evaluate(ROWS, table)) == before, "sorting lost or changed rows"
        assert silence(visited) == []


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        (["10.0", "9.0"], "numbers out of order"),
        (["1,000", "1e-3"], "numbers out of order"),
        (["1", "–", "2"], "numbers and texts are mixed"),
        (["tanh", "relu", "tanh"], "equal texts apart"),
        (["tanh", "relu"], "words out of order"),
    ],
)
def test_a_wrong_order_is_seen(texts, fault):
    assert any(said.startswith(fault) for said in order_faults(texts, ascending=True))


@pytest.mark.parametrize(
    "texts", [["<0.0001", "0.5", "1,000", "1e+05", "–", "–"], ["relu", "relu", "tanh"], ["-2.0", "1.0 to 2.0"]]
)
def test_nothing_is_said_of_a_right_order(texts):
    assert order_faults(texts, ascending=True) == []
    assert order_faults(texts[::-1], ascending=False) == []


# ---- figures -----------------------------------------------------------------------------------------------------

OPENERS = "figure [aria-haspopup=dialog]"
DIALOG = """() => {
    const dialog = document.querySelector("dialog[open]");
    if (!dialog) return null;
    const drawing = dialog.querySelector("svg");
    return {
        name: dialog.getAttribute("aria-label") || dialog.getAttribute("aria-labelledby"),
        inside: dialog.contains(document.activeElement),
        width: drawing ? drawing.getBoundingClientRect().width : 0,
    };
}"""


@pytest.mark.parametrize("view", [DESKTOP, PHONE], ids=str)
def test_every_figure_opens_large_and_closes_by_keyboard(browser, reports, view):
    with visit(browser, reports.page("harmless"), view) as visited:
        page = visited.page
        openers = page.locator(OPENERS)
        assert openers.count() == page.locator("figure:has(svg)").count() > 2
        for place in range(openers.count()):
            opener = openers.nth(place)
            # The element itself: a locator would find the next figure's while this one is in the dialog.
            drawing = page.locator("figure svg[role=img]").nth(place).element_handle()
            before = drawing.bounding_box()["width"]
            for key in ("Enter", "Space"):
                opener.focus()
                page.keyboard.press(key)
                opened = page.evaluate(DIALOG)
                assert opened, f"{key} opens no dialog"
                assert opened["name"]
                assert opened["inside"], "the focus stays outside"
                assert opened["width"] >= before - 1
                for _ in range(5):  # around: what is behind a dialog is out of reach
                    page.keyboard.press("Tab")
                    assert page.evaluate(
                        "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
                    )
                page.keyboard.press("Escape")
                assert page.evaluate(DIALOG) is None, "Escape does not close it"
                assert opener.evaluate("(element) => element === document.activeElement"), "the focus is lost"
                page.wait_for_function("(drawing) => drawing.closest('figure')", arg=drawing)  # else a time-out says so
                assert drawing.bounding_box()["width"] == pytest.approx(before, abs=1), "the figure is not back"
        assert silence(visited) == []


@pytest.mark.parametrize("view", [PHONE, DESKTOP_DARK], ids=str)
def test_an_enlarged_figure_is_as_accessible_as_the_page(browser, reports, view):
    with visit(browser, reports.page("harmless"), view) as visited:
        visited.page.locator(OPENERS).first.focus()
        visited.page.keyboard.press("Enter")
        assert visited.page.evaluate(DIALOG)
        assert fits(visited) == []
        assert accessibility(visited) == []


# ---- folded parts, and no scripts --------------------------------------------------------------------------------


def test_what_is_folded_opens_and_closes_by_keyboard(browser, path):
    with visit(browser, path, DESKTOP) as visited:
        for summary in visited.page.locator("summary").all()[:5]:
            folded = summary.locator("xpath=following-sibling::*[1]")
            for key, there in (("Enter", True), ("Space", False)):
                summary.focus()
                visited.page.keyboard.press(key)
                assert folded.evaluate("varpropTests.shown") is there


def test_without_scripts_nothing_lacks(browser, path):
    """What is shown with scripts is shown without them, and headings of tables are then no buttons."""
    texts = {}
    for view in (DESKTOP, NO_SCRIPTS):
        with visit(browser, path, view) as visited:
            inside(visited, "openDetails()")
            texts[view] = squeezed(visited.page.locator("body").inner_text())
            if not view.scripts:
                assert visited.page.locator("button").count() == 0, "a button that does nothing"
                assert fits(visited) == []
            assert silence(visited) == []
    assert len(texts[DESKTOP]) > 500
    assert texts[NO_SCRIPTS] == texts[DESKTOP]
