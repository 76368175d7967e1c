"""What audits of frameworks say becomes a row of the ledger, or a message."""

import csv

import pytest

from varprop.report import write_report
from varprop.report.audits import COLUMNS, read_defaults
from varprop.report.index import index_page
from varprop.report.markdown import escape, page_markdown
from varprop.report.pdf import page_html

GOOD = {
    "claim": "framework.defaults",
    "statement": "Frameworks use Xavier and He as defaults.",
    "corrected": "",
    "framework": "keras",
    "version": "3.12.0",
    "entry": "Dense",
    "law": "glorot_uniform",
    "ratio": "1.0003",
    "ci_low": "0.998",
    "ci_high": "1.003",
    "margin": "0.05",
    "alpha": "1e-06",
    "n_draws": "1000000",
    "verdict": "supported",
    "note": "",
}
OTHER = GOOD | {
    "framework": "torch",
    "version": "2.13.0",
    "entry": "nn.Linear",
    "ratio": "0.3334",
    "ci_low": "0.332",
    "ci_high": "0.335",
    "verdict": "refuted",
    "corrected": "A third of 1/n_in.",
}


@pytest.fixture
def audits(tmp_path):
    """Write ``frameworks/<name>/defaults.csv`` beside a report."""

    def audits(*rows, columns=COLUMNS):
        folder = tmp_path / "reports" / "frameworks"
        for row in rows:
            mine = folder / row["framework"]
            mine.mkdir(parents=True, exist_ok=True)
            fresh = not (mine / "defaults.csv").exists()
            with (mine / "defaults.csv").open("a", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
                if fresh:
                    writer.writeheader()
                writer.writerow(row)
        return folder

    return audits


def row_of(found):
    (row,) = index_page([], found).rows
    return row


def test_frameworks_make_one_row_that_leads_to_each(audits, tmp_path):
    row = row_of(read_defaults(audits(GOOD, OTHER), beside=tmp_path / "reports"))
    assert (row.claim, row.leading.outcome) == ("framework.defaults", "refuted in 1 of 2")
    assert row.leading.estimate == "measured/predicted 0.3334 (0.3320 to 0.3350)"
    assert row.leading.where == "torch 2.13.0, nn.Linear · weights"
    assert row.leading.corrected == "A third of 1/n_in."
    assert [(source.text, source.page) for source in row.leading.sources] == [
        ("keras 3.12.0: Dense", "frameworks/keras/README.md"),
        ("torch 2.13.0: nn.Linear", "frameworks/torch/README.md"),
    ]
    assert [one.outcome for one in row.further] == ["supported", "refuted"]
    assert row.picture.caption == "2 tests, n = 1,000,000 draws. Band: the margin, ±5 %."


def test_the_report_has_the_row_and_the_links(make_run, audits, tmp_path):
    folder = audits(GOOD, OTHER)
    run = make_run(more="[report]\nfigures = []")
    write_report(run, tmp_path / "reports", formats=["html", "md"], audits=folder)
    page = (tmp_path / "reports" / "README.md").read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if line.startswith("| framework.defaults |"))
    assert line.startswith("| framework.defaults | refuted in 1 of 2 | Frameworks use Xavier and He as defaults. |")
    assert "(frameworks/torch/README.md)" in line
    assert 'href="frameworks/torch/README.md"' in (tmp_path / "reports" / "index.html").read_text(encoding="utf-8")
    assert "tested in 1 study and 2 audits of frameworks." in page


def test_audits_elsewhere_are_named_without_a_link(audits, tmp_path):
    row = row_of(read_defaults(audits(GOOD), beside=tmp_path / "elsewhere"))
    assert [(source.text, source.page) for source in row.leading.sources] == [("keras 3.12.0: Dense", "")]


def test_several_entries_of_one_framework_are_statements_of_their_own(audits, tmp_path):
    rows = (GOOD, GOOD | {"entry": "Conv2D"}, GOOD | {"claim": "framework.defaults.embedding", "entry": "Embedding"})
    row = row_of(read_defaults(audits(*rows), beside=tmp_path))
    assert row.leading.n_tests == 2
    assert [one.sources[0].text for one in row.further] == [
        "keras 3.12.0: Dense",
        "keras 3.12.0: Conv2D",
        "keras 3.12.0: Embedding",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claim": "<b>"}, "row 1: claim must be an id such as framework.defaults, got '<b>'"),
        ({"claim": "../x"}, "row 1: claim must be an id"),
        ({"verdict": "maybe"}, "verdict must be one of supported, refuted, inconclusive, got 'maybe'"),
        ({"verdict": ""}, "verdict must be one of"),
        ({"ratio": "much"}, "ratio must be a number, or empty, got 'much'"),
        ({"n_draws": "-1"}, "n_draws must be the number of weights drawn, got '-1'"),
    ],
)
def test_a_row_that_no_audit_writes_is_refused(audits, tmp_path, change, message):
    with pytest.raises(ValueError, match=r"defaults\.csv, row 1: ") as caught:
        read_defaults(audits(GOOD | change), beside=tmp_path)
    assert message in str(caught.value)


def test_a_file_that_is_no_audits_is_refused(audits, tmp_path):
    folder = audits(GOOD, columns=COLUMNS[:-2])
    with pytest.raises(ValueError, match="has no column verdict, note; an audit writes claim, statement"):
        read_defaults(folder, beside=tmp_path)
    for content, message in (
        (b"", "is no CSV file of an audit"),
        (b"\xff\xfe\x00", "is no CSV file of an audit"),
        (b'a,b\n"', "is no CSV file of an audit"),
        (",".join(COLUMNS).encode(), "has no rows"),
    ):
        (folder / "keras" / "defaults.csv").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read_defaults(folder, beside=tmp_path)


def test_folders_without_audits_are_told(tmp_path):
    with pytest.raises(ValueError, match="there is no such folder"):
        read_defaults(tmp_path / "none", beside=tmp_path)
    with pytest.raises(ValueError, match=r"no folder in it holds a defaults\.csv"):
        read_defaults(tmp_path, beside=tmp_path)


def test_nothing_is_written_when_the_audits_cannot_be_read(make_run, tmp_path):
    with pytest.raises(ValueError, match="there is no such folder"):
        write_report(make_run(), tmp_path / "out", audits=tmp_path / "none")
    assert not (tmp_path / "out").exists()


def test_an_empty_ratio_is_a_missing_number(audits, tmp_path):
    empty = GOOD | dict.fromkeys(("ratio", "ci_low", "ci_high", "margin"), "") | {"verdict": "inconclusive"}
    row = row_of(read_defaults(audits(empty), beside=tmp_path))
    assert row.leading.estimate == ""
    assert row.leading.outcome == "inconclusive"


def test_texts_of_an_audit_are_texts_everywhere(audits, tmp_path):
    hostile = "<script>alert('x')</script> & 100 % of {z_1} {{ 7 * 7 }} a|b `c` _d_ \u6f22\u5b57 \U0001f600"
    row = GOOD | dict.fromkeys(("statement", "corrected", "version", "entry"), hostile) | {"verdict": "refuted"}
    document = index_page([], read_defaults(audits(row), beside=tmp_path))
    page = page_html(document)
    assert page.count("<script") == 1
    assert page.count("alert(&#39;x&#39;)") >= 4
    assert "{{ 7 * 7 }}" in page
    text = page_markdown(document)
    assert "<script" not in text
    assert text.count(escape(hostile)) >= 4
    (ledger,) = [table for table in document.tables if table.file.endswith("claims.csv")]
    (kept, *_) = csv.DictReader(ledger.csv.splitlines())
    assert (kept["statement"], kept["corrected"]) == (hostile, hostile)
