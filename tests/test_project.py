"""The files around the package say the same things as the package, and as each other."""

import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

import varprop as vp

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_one_version():
    version = PYPROJECT["project"]["version"]
    assert vp.__version__ == version
    assert re.search(r'^version: "?(.+?)"?$', _text("CITATION.cff"), re.MULTILINE)[1] == version


def test_the_changelog_has_a_place_for_what_comes_next():
    assert re.search(r"^## \[?Unreleased", _text("CHANGELOG.md"), re.MULTILINE)
    assert "### Changed draws" in _text("CHANGELOG.md")


@pytest.mark.parametrize("page", [".ci/run", "ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"])
def test_pages_name_sessions_that_exist(page):
    sessions = set(re.findall(r"^@session\b.*\ndef (\w+)\(", _text("noxfile.py"), re.MULTILINE))
    assert set(re.findall(r"(?:noxfile\.py|nox) -s ([a-z]\w*)", _text(page))) <= sessions


@pytest.mark.parametrize("session", ["report", "tests"])
def test_the_readme_gives_the_two_commands(session):
    assert f"python3 noxfile.py -s {session}\n" in _text("README.md")


def test_links_between_pages_lead_somewhere():
    pages = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md"]
    links = {(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", _text(page))}
    assert {(page, link) for page, link in links if not (ROOT / link).exists()} == set()


def _blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", _text(page), re.MULTILINE | re.DOTALL)


def test_the_readme_example_runs():
    """It ends in verdicts; which ones is for chance and theory to say, so only their names are checked."""
    namespace = {}
    for block in _blocks("README.md", "python"):
        exec(block, namespace)
    assert set(namespace["verdicts"]["verdict"]) <= {"supported", "refuted", "inconclusive"}


def test_the_readme_study_is_valid(tmp_path):
    block, sweep = _blocks("README.md", "toml")
    path = tmp_path / "study.toml"
    path.write_text(block, encoding="utf-8")
    assert vp.load_study(path).title
    # The second block goes on top of a study, in place of the weights.
    head = 'schema = 1\ntitle = "T"\nseed = 1\nnetworks = 10\nnetwork = { widths = "8x3", activation = "tanh" }\n'
    path.write_text(head + sweep, encoding="utf-8")
    assert len(vp.load_study(path).configurations) == 11


def test_type_checkers_are_told_that_varprop_is_typed():
    assert (Path(vp.__file__).parent / "py.typed").is_file()


ARTICLE = [
    "symmetry.forward",
    "symmetry.backward",
    "small.vanish",
    "large.explode",
    "large.saturate",
    "goal.zero-mean",
    "goal.constant-variance",
    "xavier.sum",
    "xavier.fan-in",
    "xavier.compromise",
    "xavier.uniform",
    "xavier.normal",
    "xavier.scope",
    "he.half",
    "he.forward",
    "he.backward",
    "he.uniform",
    "he.normal",
    "he.scope",
    "summary.xavier-vs-he",
    "framework.defaults",
]
"""Every claim of the article under test."""


def _ledger_rows(page):
    """Ids of the ledger's rows with their verdicts; further statements, which begin with an arrow, are none."""
    return re.findall(r"^\| ([\w.-]+) \| (supported|refuted|inconclusive)(?: in \d+ of \d+)? \|", page, re.MULTILINE)


def test_every_claim_of_the_article_has_one_row_with_a_verdict():
    rows = [claim for claim, _ in _ledger_rows(_text("reports/README.md"))]
    assert len(ARTICLE) == 21
    assert {claim: rows.count(claim) for claim in ARTICLE} == dict.fromkeys(ARTICLE, 1)


def test_every_link_and_figure_of_the_ledger_is_there():
    page = _text("reports/README.md")
    links = set(re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page))
    assert {link for link in links if not (ROOT / "reports" / unquote(link)).exists()} == set()
