import csv
import io
import re
import sys

import pytest

from varprop.report import write_report


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def quick_run(make_run):
    """A run that asks for no figures, which take most of the time."""
    return lambda **given: make_run(more="[report]\nfigures = []", **given)


def test_writes_a_page_a_readme_figures_and_verdicts(written):
    found = contents(written)
    assert set(found) == {
        "README.md",
        "index.html",
        "ledger/claims.csv",
        "ledger/studies.csv",
        "ledger/tally.csv",
        "ledger/goal.zero-mean.svg",
        "ledger/he.forward.svg",
        "forward/README.md",
        "forward/index.html",
        "forward/verdicts.csv",
        "forward/forest.svg",
        "forward/forest-zero-mean.svg",
        "forward/profile-activation_mean.svg",
        "forward/profile-activation_second_moment.svg",
        "forward/profile-preactivation_second_moment.svg",
        "supplement.tex",
        "ledger/claims.tex",
        "ledger/goal.zero-mean.pdf",
        "ledger/he.forward.pdf",
        "forward/supplement.tex",
        "forward/forest.pdf",
        "forward/forest-zero-mean.pdf",
        "forward/profile-activation_mean.pdf",
        "forward/profile-activation_second_moment.pdf",
        "forward/profile-preactivation_second_moment.pdf",
        "forward/tables/ledger.tex",
        "forward/tables/verdicts/goal.zero-mean.tex",
        "forward/tables/verdicts/he.forward.tex",
        "forward/tables/layers/he.forward.tex",
        "forward/tables/ledger.csv",
        "forward/tables/verdicts/goal.zero-mean.csv",
        "forward/tables/verdicts/he.forward.csv",
        "forward/tables/layers/he.forward.csv",
        "forward/tables/figures/profile-activation_mean.csv",
        "forward/tables/figures/profile-activation_second_moment.csv",
        "forward/tables/figures/profile-preactivation_second_moment.csv",
        "varprop-report.json",
        "forward/varprop-report.json",
    }


def test_the_same_run_gives_the_same_bytes(make_run, written, tmp_path):
    paths = write_report(make_run(), tmp_path)
    assert contents(tmp_path) == contents(written)
    assert {str(path.relative_to(tmp_path)) for path in paths} == set(contents(tmp_path))


def test_pages_hold_no_path_and_no_date(written):
    for name, data in contents(written).items():
        assert str(written).encode() not in data, name
        assert str(written.parent).encode() not in data, name
        assert not re.search(rb"20[0-9]{2}-[0-9]{2}-[0-9]{2}", data), name


def test_formats_choose_the_files(make_run, quick_run, tmp_path):
    write_report(quick_run(), tmp_path / "html", formats=["html"])
    found = set(contents(tmp_path / "html"))
    assert {name for name in found if name.endswith((".html", ".md", ".svg"))} == {
        "index.html",
        "forward/index.html",
    }
    assert {"forward/verdicts.csv", "forward/tables/ledger.csv", "ledger/claims.csv"} < found
    write_report(make_run(more='[report]\nfigures = ["forest"]'), tmp_path / "png", formats=["png"])
    pictures = list((tmp_path / "png").rglob("*.png"))
    assert pictures
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert {path.name for path in (tmp_path / "png").rglob("*.csv")} == {"verdicts.csv"}
    write_report(quick_run(), tmp_path / "md", formats=["md"])
    assert not [name for name in contents(tmp_path / "md") if name.endswith(".html")]


@pytest.mark.parametrize(
    ("formats", "error", "message"),
    [
        (["docx"], ValueError, "unknown format 'docx'; there are 'html', 'md', 'latex', 'pdf', 'png'"),
        ([], ValueError, "formats is empty"),
        ("html", TypeError, r"write formats=\('html',\)"),
    ],
)
def test_a_format_that_is_none_is_refused_before_anything_is_written(make_run, tmp_path, formats, error, message):
    with pytest.raises(error, match=message):
        write_report(make_run(), tmp_path / "out", formats=formats)
    assert not (tmp_path / "out").exists()


def test_a_pdf_without_weasyprint_says_how_to_install_it(make_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(
        ValueError, match=r"^the format 'pdf' needs WeasyPrint; install it with: pip install 'varprop\[pdf\]'$"
    ):
        write_report(make_run(), tmp_path / "out", formats=["html", "pdf"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".hidden",
        "a/b",
        "../x",
        "a\\b",
        "",
        "a\nb",
        "index.html",
        "readme.md",
        "supplement.tex",
        "report.pdf",
        "ledger",
        " a",
        "C:x",
        "CON",
        "nul.data",
        "com1",
        "a?",
        "a.",
        "x" * 201,
        "varprop-report.json",
        ".varprop-report",
    ],
)
def test_a_name_that_is_no_folder_of_its_own_is_refused(make_run, tmp_path, name):
    run = make_run()
    object.__setattr__(run.study, "name", name)
    with pytest.raises(ValueError, match="the study's name"):
        write_report(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_runs_of_one_name_and_no_run_are_refused(make_run, tmp_path):
    with pytest.raises(ValueError, match="two runs are of a study called 'forward'"):
        write_report([make_run(), make_run()], tmp_path)
    for first, second in (("forward", "Forward"), ("\u00e9tude", "e\u0301tude"), ("stra\u00dfe", "STRASSE")):
        with pytest.raises(ValueError, match="are one folder on many systems"):
            write_report([make_run(name=first), make_run(name=second)], tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="there is no run"):
        write_report([], tmp_path)


def test_folders_of_other_studies_stay(quick_run, tmp_path):
    write_report([quick_run(name="first"), quick_run(name="second")], tmp_path, formats=["html"])
    before = contents(tmp_path)
    write_report(quick_run(name="second", title="New title"), tmp_path, formats=["html"])
    after = contents(tmp_path)
    assert {name for name in before if name.startswith("first/") and before[name] != after[name]} == set()
    assert b"New title" in after["second/index.html"]
    assert b"first/index.html" not in after["index.html"]  # the index is of the runs given


def test_the_order_of_the_runs_changes_no_byte(quick_run, tmp_path):
    runs = [quick_run(name="first"), quick_run(name="second")]
    write_report(runs, tmp_path / "one")
    write_report(runs[::-1], tmp_path / "other")
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_nothing_half_written_is_left_behind(quick_run, tmp_path):
    write_report(quick_run(), tmp_path, formats=["md"])
    before = contents(tmp_path)
    broken = quick_run(name="other", verdicts=quick_run().verdicts().iloc[:0])
    with pytest.raises(ValueError, match="no verdict"):
        write_report([quick_run(title="Other"), broken], tmp_path, formats=["md"])
    assert contents(tmp_path) == before


def test_verdicts_as_csv_have_six_digits(quick_run, tmp_path):
    frame = quick_run().verdicts()
    frame.loc[0, "ratio"] = 1.0051234567891
    write_report(quick_run(verdicts=frame), tmp_path, formats=["md"])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "forward/verdicts.csv").read_text(encoding="utf-8"))))
    assert len(rows) == len(frame)
    assert (rows[0]["ratio"], rows[0]["verdict"], rows[1]["verdict"], rows[1]["layer"]) == (
        "1.00512",
        "supported",
        "",
        "1",
    )


def test_reproduction_names_seed_versions_and_the_command_with_the_networks_that_ran(quick_run, tmp_path):
    write_report(quick_run(name="deep study", networks=41), tmp_path, formats=["md"])
    page = (tmp_path / "deep study/README.md").read_text(encoding="utf-8")
    assert "varprop run 'deep study.toml' --networks 41\n" in page
    assert "- Seed: 7\n" in page
    assert "- Sampled with: varprop 0.1.0, numpy 2.4.0\n" in page


def test_figures_are_those_the_study_asks_for(make_run, tmp_path):
    write_report(make_run(more='[report]\nfigures = ["forest", "exact-law", "histogram"]'), tmp_path, formats=["md"])
    found = contents(tmp_path)
    assert "forward/forest.svg" in found
    assert not [name for name in found if "profile" in name]
    assert "forward/exact-law.svg" in found
    assert "figure “histogram”, which is not drawn" in found["forward/README.md"].decode()
