"""Pages with one known fault each: every check sees its own, and says nothing of the page without it."""

import pytest

from tests.pages.browsing import DESKTOP, DESKTOP_DARK, PHONE, visit
from tests.pages.checks import accessibility, contrast, everything, fits, keyboard, links, no_requests, silence

pytestmark = pytest.mark.pages

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>A page</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ font: 1rem sans-serif; background: Canvas; color: CanvasText; }}
  a, button {{ color: LinkText; }}
</style>
</head>
<body>
<main>
<h1 id="top">A page</h1>
<p><a href="#top">Up</a></p>
<table><caption>Numbers</caption>
<thead><tr><th scope="col">Name</th><th scope="col">Value</th></tr></thead>
<tbody><tr><th scope="row">one</th><td>1</td></tr></tbody></table>
{fault}
</main>
</body>
</html>
"""

FAULTS = {
    "a picture without a text": (accessibility, '<img src="data:," width="9" height="9">', "violates image-alt"),
    "a table's heading of nothing": (
        accessibility,
        '<table><tr><th scope="col"></th></tr><tr><td>1</td></tr></table>',
        "violates empty-table-header",
    ),
    "a level of headings left out": (accessibility, "<h2>a</h2><h4>b</h4>", "violates heading-order"),
    "a target that is too small": (
        accessibility,
        (
            '<p><button style="all: unset; width: 9px; height: 9px">a</button>'
            '<button style="all: unset; width: 9px; height: 9px">b</button></p>'
        ),
        "violates target-size",
    ),
    "a text hardly seen": (contrast, '<p style="color: #999; background: #fff">Faint</p>', "contrast 2.85"),
    "a text hardly seen in a box that scrolls": (
        contrast,
        (
            '<div tabindex="0" style="overflow: auto; width: 9rem; background: #fff">'
            '<p style="width: 99rem; color: rgb(0 0 0 / 40%)">Faint</p></div>'
        ),
        "contrast 2.85",
    ),
    "an error in the console": (silence, "<script>console.error('no')</script>", "console: no"),
    "an exception": (silence, "<script>null.x</script>", "error: "),
    "an alert": (silence, "<script>alert(1)</script>", "alert: 1"),
    "a picture from elsewhere": (no_requests, '<img src="https://example.invalid/a.png" alt="a">', "a.png"),
    "a picture from a file elsewhere": (
        no_requests,
        '<img src="file:///etc/a.png" alt="a">',
        "asks for file:///etc/a.png",
    ),
    "a font from elsewhere": (
        no_requests,
        "<style>@font-face {font-family: x; src: url(https://example.invalid/f)} h1 {font-family: x}</style>",
        "asks for https://example.invalid/f",
    ),
    "a question asked by a script": (
        no_requests,
        "<script>fetch('https://example.invalid/q').catch(() => {})</script>",
        "asks for https://example.invalid/q",
    ),
    "a box wider than a phone": (fits, '<div style="width: 400px">wide</div>', "<div> wide"),
    "a word wider than a phone": (fits, f"<p>{'w' * 99}</p>", "the page is"),
    "a text cut off by its box": (
        fits,
        '<p style="overflow: hidden; white-space: nowrap; width: 5rem">Cut off in the middle</p>',
        "<p> Cut off in the middle: ",
    ),
    "what Tab passes over": (
        keyboard,
        (
            '<button onkeydown="" id="b">b</button><script>'
            "document.querySelector('a').onkeydown = (e) => e.preventDefault()</script>"
        ),
        "<button> b: Tab never gets there",
    ),
    "an order that jumps": (keyboard, '<a href="#top" tabindex="1">First</a>', "comes after"),
    "a focus that is not seen": (
        keyboard,
        '<a href="#top" style="outline: none">Somewhere</a>',
        "<a> Somewhere: no outline",
    ),
    "a focus of the ground's own colour": (
        keyboard,
        '<a href="#top" style="outline: 2px solid #eee">Somewhere</a>',
        "an outline of contrast",
    ),
    "a focus on what stays transparent": (
        keyboard,
        '<a href="#top" style="opacity: 0">Somewhere</a>',
        "<a> Somewhere: transparent",
    ),
    "a focus outside the window": (
        keyboard,
        '<a href="#top" style="position: fixed; left: -99rem">Somewhere</a>',
        "<a> Somewhere: outside the window",
    ),
}


@pytest.fixture
def write(tmp_path):
    """Write the page with a fault, or without one."""

    def write(fault=""):
        path = tmp_path / "index.html"
        path.write_text(PAGE.format(fault=fault), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("view", [PHONE, DESKTOP, DESKTOP_DARK], ids=str)
def test_nothing_is_said_of_a_sound_page(browser, write, view):
    with visit(browser, write(), view) as visited:
        assert everything(visited) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_seen(browser, write, name):
    check, fault, said = FAULTS[name]
    with visit(browser, write(fault), PHONE) as visited:
        problems = check(visited)
    assert any(said in problem for problem in problems), problems


def test_all_checks_are_among_everything(browser, write):
    """A page with the first fault of each kind."""
    first = {check: (fault, said) for check, fault, said in reversed(FAULTS.values())}
    with visit(browser, write("".join(fault for fault, _ in first.values())), PHONE) as visited:
        problems = everything(visited)
    for check, (_, said) in first.items():
        assert any(problem.startswith(f"{check.__name__}: ") and said in problem for problem in problems), problems


@pytest.mark.parametrize("check", [accessibility, contrast, keyboard, fits], ids=lambda check: check.__name__)
def test_a_fault_is_seen_where_it_is_folded(browser, write, check):
    fault, said = next((fault, said) for other, fault, said in FAULTS.values() if other is check)
    with visit(browser, write(f"<details><summary>More</summary>{fault}</details>"), PHONE) as visited:
        problems = everything(visited)
    assert any(said in problem for problem in problems), problems


def test_links_that_lead_nowhere_are_seen(write, tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (tmp_path / "empty.csv").write_text("a,b\n", encoding="utf-8")
    (tmp_path / "uneven.csv").write_text("a,b\n1,2\n3\n", encoding="utf-8")
    good = ["#top", "index.html#top", "a.csv", "https://example.invalid/", "."]
    bad = [
        "#nowhere",
        "index.html#nowhere",
        "b.csv",
        "empty.csv",
        "uneven.csv",
        "javascript:alert(1)",
        "//example.invalid/",
    ]
    page = write("".join(f'<a href="{link}">x</a>' for link in (*good, *bad)))
    assert [fault.rsplit(": ", 1)[0] for fault in links(page)] == bad
