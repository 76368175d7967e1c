"""The pages that WeasyPrint prints: text, titles, links, and nothing asked of a network."""

import os
import re
import subprocess
import sys

import pytest

from tests.pages.conftest import ROOT
from tests.report.conftest import hand_made_run, wide_run
from varprop.report import write_report
from varprop.report.pdf import html_pdf

pytestmark = [pytest.mark.pages, pytest.mark.false_alarm(0)]

STATEMENT = "<script>alert(1)</script> & 100 % of {z_1} é δ²"


def reports(folder):
    runs = [hand_made_run(statement=STATEMENT, more='[report]\nfigures = ["forest"]')]
    write_report(runs, folder, formats=["pdf"])
    return folder / "report.pdf", folder / "forward" / "report.pdf"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return reports(tmp_path_factory.mktemp("pdf"))


def told_by(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, check=True).stdout.decode("utf-8")


def test_text_title_and_page_numbers(written, need):
    index, study = (told_by(need("poppler"), str(path), "-") for path in written)
    for text in (index, study):
        assert "".join(STATEMENT.split()) in "".join(text.split())
    pages = study.count("\f")
    assert re.findall(r"^(\d+) ?/ ?(\d+)$", study, flags=re.MULTILINE) == [
        (str(i), str(pages)) for i in range(1, pages + 1)
    ]
    assert "measured / predicted" in study  # of a figure
    assert re.search(
        r"^Title: +Forward$",
        told_by(f"{need('poppler').removesuffix('pdftotext')}pdfinfo", str(written[1])),
        re.MULTILINE,
    )


def test_links_lead_to_the_pdf_of_the_study(written, need):
    links = told_by(f"{need('poppler').removesuffix('pdftotext')}pdfinfo", "-url", str(written[0]))
    assert "forward/report.pdf#claim-he.forward" in links
    assert "index.html" not in links


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_same_run_gives_the_same_bytes_in_every_process(written, tmp_path, hash_seed):
    call = "import sys, pathlib; from tests.pages.test_pdf import reports; reports(pathlib.Path(sys.argv[1]))"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    subprocess.run([sys.executable, "-c", call, str(tmp_path)], cwd=ROOT, env=environment, check=True)
    for path in written:
        assert (tmp_path / path.relative_to(written[0].parent)).read_bytes() == path.read_bytes()


# ---- the room on a page ------------------------------------------------------------------------------------------


def outside(program, path):
    """The words that stand beyond the edge of their page."""
    places = told_by(program, "-bbox", str(path), "-")
    found, width = [], 0.0
    for page, right, word in re.findall(r'<page width="([0-9.]+)|xMax="([0-9.]+)" yMax="[0-9.]+">(.*?)</word>', places):
        width = float(page) if page else width
        if word and float(right) > width:
            found.append(word)
    return found


def test_a_wide_table_is_all_on_the_page(need, tmp_path):
    run = wide_run(statement=STATEMENT)
    write_report(run, tmp_path, formats=["pdf"])
    path = tmp_path / run.study.name / "report.pdf"
    assert outside(need("poppler"), path) == []
    text = told_by(need("poppler"), "-raw", str(path), "-")
    assert " ".join(text.split()).count("over the whole depth, to layer 20;") == 12


def test_layers_are_left_to_the_files_beside(written, need):
    assert "Layer by layer" not in told_by(need("poppler"), str(written[1]), "-")


def test_what_is_beyond_a_page_is_seen(need, tmp_path):
    (tmp_path / "page.pdf").write_bytes(html_pdf(f"<title>x</title><p>{'w' * 200}</p>"))
    assert len(outside(need("poppler"), tmp_path / "page.pdf")) == 1


# ---- no network --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["file:///etc/hostname", "http://127.0.0.1:9/x.png", "https://example.org/x.png"])
def test_nothing_is_fetched(source, monkeypatch):
    asked = []
    monkeypatch.setattr("socket.create_connection", lambda *address, **_: asked.append(address))
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda _self, url, *_, **__: asked.append(url))
    page = html_pdf(f'<title>x</title><link rel="stylesheet" href="{source}"><img src="{source}"><p>text')
    assert page.startswith(b"%PDF-")
    assert asked == []
