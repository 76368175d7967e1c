"""The pages that WeasyPrint prints: text, titles, links, and nothing asked of a network."""

import re
import subprocess

import pytest

from tests.report.conftest import hand_made_run
from varprop.report import write_report
from varprop.report.pdf import page_pdf

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


def test_the_same_run_gives_the_same_bytes(written, tmp_path):
    for first, second in zip(written, reports(tmp_path), strict=True):
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("source", ["file:///etc/hostname", "http://127.0.0.1:9/x.png", "https://example.org/x.png"])
def test_nothing_is_fetched(source, monkeypatch):
    asked = []
    monkeypatch.setattr("socket.create_connection", lambda *address, **_: asked.append(address))
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda _self, url, *_, **__: asked.append(url))
    page = page_pdf(f'<title>x</title><link rel="stylesheet" href="{source}"><img src="{source}"><p>text')
    assert page.startswith(b"%PDF-")
    assert asked == []
