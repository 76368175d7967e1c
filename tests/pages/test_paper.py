"""A report on paper: nothing folded, nothing cut off, dark ink on a white ground."""

import re
import subprocess
from collections import Counter

import pytest

from tests.pages.browsing import DESKTOP_DARK, PAPER, print_to, visit
from tests.pages.checks import contrast, inside, pages_in
from tests.pages.conftest import ROOT

pytestmark = [pytest.mark.pages, pytest.mark.false_alarm(0)]

COMMITTED = [str(path.relative_to(ROOT)) for path in pages_in(ROOT / "reports")]
WORD = re.compile(r"[^\W\d_]{4,}|\d+\.\d{3,}")


def lost(words, pdf, program):
    """The words that a reader does not find on the sheets, however they are broken into lines."""
    done = subprocess.run([program, "-raw", pdf, "-"], capture_output=True, text=True, encoding="utf-8", check=True)
    there = "".join(done.stdout.split())
    return {word for word in words if word not in there}


def grounds_of(pdf, folder):
    """Brightness of the ground of every sheet, from 0 to 255: the one that most of it has."""
    subprocess.run(["pdftoppm", "-r", "20", "-gray", pdf, folder / "sheet"], check=True)
    sheets = [path.read_bytes().split(b"\n", 3) for path in sorted(folder.glob("sheet*.pgm"))]
    assert all(form == b"P5" for form, _, _, _ in sheets)
    return [Counter(pixels).most_common(1)[0][0] for _, _, _, pixels in sheets]


def faults_on_paper(visited):
    """What is cut off, folded or faint where there is no screen."""
    visited.page.emulate_media(media="print", color_scheme=visited.view.scheme)
    folded = visited.page.evaluate(
        "() => [...document.querySelectorAll('details > :not(summary)')].filter((e) => !varpropTests.shown(e)).map(varpropTests.label)"
    )
    return {"folded": folded, "cut": inside(visited, "cut()"), "faint": contrast(visited)}


@pytest.mark.parametrize("page", ["index", "hostile", "harmless", "sweep", *COMMITTED])
def test_nothing_is_folded_cut_off_or_faint(browser, request, page):
    path = ROOT / page if page in COMMITTED else request.getfixturevalue("reports").page(page)
    with visit(browser, path, PAPER) as visited:
        assert faults_on_paper(visited) == {"folded": [], "cut": [], "faint": []}


@pytest.mark.parametrize("page", ["index", "harmless"])
def test_every_word_is_on_the_sheets_and_their_ground_is_white(browser, need, reports, page, tmp_path):
    program = need("poppler")
    with visit(browser, reports.page(page), DESKTOP_DARK) as visited:
        print_to(visited, tmp_path / "page.pdf")
        text = visited.page.evaluate(
            "() => [...document.querySelectorAll('header, main')].map((e) => e.innerText).join(' ')"
        )
        inside(visited, "openDetails()")
        folded = visited.page.locator("main").inner_text()
    wanted = (set(WORD.findall(text)) | set(WORD.findall(folded))) - {"Enlarge"}  # of no use on paper
    assert len(wanted) > 50
    assert lost(wanted, tmp_path / "page.pdf", program) == set()
    assert set(grounds_of(tmp_path / "page.pdf", tmp_path)) == {255}


CARELESS = """\
<!DOCTYPE html><html lang="en"><title>t</title>
<style>:root {{ color-scheme: light dark; }} body {{ background: Canvas; }} {style}</style>
<main><details><summary>More</summary><p>Folded</p></details>
<div style="overflow: auto"><p style="width: 2000px">Wide <span style="float: right">Rightmost</span></p></div></main>
"""


def test_a_careless_page_is_seen_to_be_so(browser, need, tmp_path):
    program, path = need("poppler"), tmp_path / "index.html"
    path.write_text(CARELESS.format(style=""), encoding="utf-8")
    with visit(browser, path, PAPER) as visited:
        faults = faults_on_paper(visited)
        assert faults["folded"] == ["<p> Folded"]
        assert any("Wide" in cut for cut in faults["cut"])
        print_to(visited, tmp_path / "page.pdf")
    assert lost({"More", "Wide", "Folded", "Rightmost"}, tmp_path / "page.pdf", program) == {"Folded", "Rightmost"}


def test_a_dark_ground_and_a_faint_text_are_seen(browser, need, tmp_path):
    need("poppler")
    path = tmp_path / "index.html"
    style = "html, body { background: #222; } p { color: #333; }"
    path.write_text(CARELESS.format(style=style), encoding="utf-8")
    with visit(browser, path, PAPER) as visited:
        assert faults_on_paper(visited)["faint"]
        print_to(visited, tmp_path / "page.pdf")
    assert max(grounds_of(tmp_path / "page.pdf", tmp_path)) < 100
