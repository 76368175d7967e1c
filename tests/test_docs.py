"""Every example in docs/ prints what the page says it prints, and every link and claim that a page names is there."""

import doctest
import re
import sys
import tomllib
from pathlib import Path

import pytest

from varprop.verification.claims import TESTS
from varprop.verification.verdict import COLUMNS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def _examples(text, name):
    """The fenced console blocks of a page as one doctest, with the page's own line numbers."""
    parser, examples = doctest.DocTestParser(), []
    for block in re.finditer(r"^```pycon\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        above = text.count("\n", 0, block.start(1))
        for example in parser.get_examples(block[1], name):
            example.lineno += above
            examples.append(example)
    return doctest.DocTest(examples, {}, name, name, 0, text)


def _failures(text, name):
    """What the examples print where it is not what the page says, and how many examples there are."""
    said = []
    test = _examples(text, name)
    doctest.DocTestRunner(verbose=False, optionflags=FLAGS).run(test, out=said.append)
    return "".join(said), len(test.examples)


def _anchors(path):
    """Anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_print_what_the_page_says(page):
    text = page.read_text(encoding="utf-8")
    if ">>> import torch" in text:
        pytest.importorskip("torch", reason="PyTorch is not installed here; nox -s torch runs this page")
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")  # a page begins without the figures that another test left open
    said, count = _failures(text, page.name)
    assert not said, said
    assert count == text.count("\n>>> "), "an example outside a ```pycon block is tested by nobody"


def test_a_wrong_number_is_seen():
    page = "A page.\n\n```pycon\n>>> 2 + 2\n4\n>>> 2 * 3\n5\n\n```\n"
    said, count = _failures(page, "page.md")
    assert count == 2
    assert "line 6" in said.lower()
    assert "Expected:\n    5\nGot:\n    6" in said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^):]*?)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
    lost = []
    for link, anchor in links:
        target = (page.parent / link).resolve() if link else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            lost.append(f"{link}#{anchor}")
    assert lost == []


def _claims(text):
    """Ids after the word "claim" or "claims", as in: claims `a`, `b` and `c`."""
    runs = re.findall(r"[Cc]laims?((?:,?\s(?:and\s)?`[a-z.\-]+`)+)", text)
    return {identifier for run in runs for identifier in re.findall(r"`([a-z.\-]+)`", run)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_claims_that_a_page_names_are_tested(page):
    studies = [tomllib.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "studies").glob("*.toml")]
    tested = {claim["id"] for study in studies for claim in study.get("claims", [])}
    assert _claims(page.read_text(encoding="utf-8")) <= tested


def test_claims_are_found_in_a_list():
    assert _claims("Claims `a.b`, `c-d` and `e`; `f` is no claim. See claim\n`g`.") == {"a.b", "c-d", "e", "g"}


def test_the_page_on_pandas_has_every_column_of_a_frame_of_verdicts():
    text = (ROOT / "docs" / "pandas.md").read_text(encoding="utf-8")
    section = text.split("## The frame of verdicts")[1].split("\n## ")[0]
    told = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)))
    assert sorted(told) == sorted(COLUMNS)


def test_the_page_on_statistics_has_every_test_and_the_unit_of_its_margin():
    text = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (?:[^|\n]|\\\|)+ \| ([^|\n]+) \|", text.split("## Tests")[1], re.MULTILINE))
    units = {"ratio": "ratio", "root mean square": "of the root mean square", "distance": "Kolmogorov's distance"}
    units |= {"share": "difference of shares", None: "none"}
    assert {name: rows[name] for name in TESTS} == {name: units[test.margin] for name, test in TESTS.items()}
