"""Supplements compiled as an author compiles them: by pdflatex, twice, without anything of varprop's beside them."""

import re
import subprocess

import pytest

from tests.report.conftest import hand_made_run, wide_run
from varprop.report import write_report

pytestmark = [pytest.mark.pages, pytest.mark.false_alarm(0)]

HOSTILE = (
    "<script>alert(1)</script> & 100 % of {z_1} $x$ #1 ^ ~ \\frac \\input{/etc/passwd} \\end{document} [a] *b* "
    "é ß ł δ² ± – ✓ 漢字 Ж 😀"
)
SHOWN = (
    "<script>alert(1)</script>", "& 100 % of {z_1} $x$ #1 ^ ~ \\frac \\input{/etc/passwd}", "\\end{document} [a] *b* é ß ł δ2 ±",
    "U+6F22U+5B57 U+0416 U+1F600",
)  # fmt: skip
OVERFULL_MAX = 2.0  # points: less than a letter beyond the edge


def overfull(log):
    """By how many points something is too wide for its line."""
    return [float(points) for points in re.findall(r"Overfull \\hbox \(([0-9.]+)pt", log)]


@pytest.fixture(scope="module")
def compiled(need, tmp_path_factory):
    """Log and text of each supplement of a report over a plain study, a hostile and a wide one."""
    pdflatex, pdftotext = need("pdflatex"), need("poppler")
    folder = tmp_path_factory.mktemp("latex")
    runs = {
        "plain": hand_made_run(),
        "hostile": hand_made_run(name="a b&%#_é", title=HOSTILE, statement=HOSTILE),
        "wide": wide_run(),
    }
    write_report(list(runs.values()), folder, formats=["latex"])
    found = {}
    places = {"index": folder} | {kind: folder / run.study.name for kind, run in runs.items()}
    for kind, place in places.items():
        command = [pdflatex, "-no-shell-escape", "-halt-on-error", "-interaction=nonstopmode", "supplement.tex"]
        for _ in range(2):
            done = subprocess.run(command, cwd=place, capture_output=True, check=False)
            assert done.returncode == 0, done.stdout.decode(errors="replace")[-3000:]
        text = subprocess.run([pdftotext, "supplement.pdf", "-"], cwd=place, capture_output=True, check=True).stdout
        log = (place / "supplement.log").read_text(encoding="latin-1")
        found[kind] = (log, text.decode("utf-8"))
    return found


@pytest.mark.parametrize("kind", ["index", "plain", "hostile", "wide"])
def test_nothing_is_undefined_missing_or_beyond_the_page(compiled, kind):
    log, _ = compiled[kind]
    assert not re.search(r"undefined|multiply defined|Missing character|Rerun to get", log)
    assert [points for points in overfull(log) if points > OVERFULL_MAX] == []


@pytest.mark.parametrize("kind", ["index", "hostile"])
def test_what_a_user_wrote_is_read_on_the_page(compiled, kind):
    text = "".join(compiled[kind][1].split())
    for part in SHOWN:
        assert "".join(part.split()) in text


def test_a_fragment_compiles_in_somebody_elses_paper(need, tmp_path):
    pdflatex = need("pdflatex")
    write_report(hand_made_run(statement=HOSTILE), tmp_path, formats=["latex"])
    packages = "booktabs,siunitx,array,longtable,pdflscape,amssymb,pifont"
    tables = sorted((tmp_path / "forward" / "tables").rglob("*.tex"))
    assert len(tables) == 4
    inputs = "\n".join(rf"\input{{{path.relative_to(tmp_path).as_posix()}}}" for path in tables)
    paper = rf"\documentclass{{article}}\usepackage[T1]{{fontenc}}\usepackage{{{packages}}}\begin{{document}}{inputs}\end{{document}}"
    (tmp_path / "paper.tex").write_text(paper, encoding="ascii")
    command = [pdflatex, "-halt-on-error", "-interaction=nonstopmode", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-3000:]
