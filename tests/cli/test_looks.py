"""What a terminal, a program and a page are told of further looks at a study."""

import json

import pytest
from typer.testing import CliRunner

from varprop.cli.app import app
from varprop.report.content import study_page
from varprop.report.index import index_page
from varprop.report.latex import page_latex
from varprop.report.markdown import page_markdown
from varprop.report.pdf import page_html
from varprop.study import load_run

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

STUDY = """
schema = 1
title = "Looked at"
seed = 3
networks = 200
{top}
[network]
widths = "16x3"
activation = "relu"
weights = "he_normal"
[[claims]]
id = "depth"
quantity = "preactivation_second_moment"
theory = "he"
test = "cumulative_mean"
margin = {margin}
[report]
figures = []
"""


@pytest.fixture
def varprop_run(tmp_path, monkeypatch):
    """Run the study as a command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments, margin=0.05, top=""):
        (tmp_path / "looked.toml").write_text(STUDY.format(margin=margin, top=top), encoding="utf-8")
        return CliRunner().invoke(app, ["run", "looked.toml", *map(str, arguments)], prog_name="varprop")

    return run


def told(result):
    (run,) = json.loads(result.stdout)
    return run


def test_a_program_is_told_which_look_it_is_and_what_is_promised(varprop_run):
    first = told(varprop_run("--json"))
    assert {name: first[name] for name in ("look", "rung", "judged_networks", "next_rung", "m", "alpha", "guaranteed")} == {
        "look": 1, "rung": 1, "judged_networks": 200, "next_rung": 800, "m": 1, "alpha": 0.05, "guaranteed": True,
    }  # fmt: skip
    assert first["guarantee"].endswith("is at most 5 %")
    assert first["remarks"] == []
    second = told(varprop_run("--json", "--networks", 1000))
    assert (second["look"], second["rung"], second["judged_networks"], second["networks"]) == (2, 2, 800, 1000)
    (row,) = [row for row in second["verdicts"] if row["verdict"]]
    assert row["level"] == pytest.approx(0.005)
    assert 0.5 <= row["chance"] <= row["chance_next"] <= 1
    assert row["n_next"] == 4 * row["n_required"]


def test_a_terminal_is_told_of_further_looks_and_of_the_chance(varprop_run):
    first = varprop_run()
    assert "on a ladder" not in first.stderr
    second = varprop_run("--networks", 1000)
    assert (
        "looked: look 2, on a ladder of 200, 800, 3,200 and so on networks: judged with 800 of 1,000" in second.stderr
    )
    assert "networks (chance " in second.stdout


def test_without_a_guarantee_nothing_says_that_there_is_one(varprop_run, tmp_path):
    """On every page, in the index, on the terminal and in JSON; before the further look all of them promise it."""
    promise, none = "is at most 5", "ooked at 2 times: no guarantee"
    for further in ((), ("--networks", 900)):
        result, said = varprop_run(*further, top="looks = 1"), told(varprop_run("--json", *further, top="looks = 1"))
        run = load_run(tmp_path / "runs" / "looked")
        study, index = study_page(run), index_page([run])
        pages = [page_html(study), page_markdown(study), page_latex(study)]
        pages += [page_html(index), page_markdown(index), page_latex(index, [study])]
        for page in (*pages, said["guarantee"]):
            assert (none in " ".join(page.split())) == bool(further)
        for page in (*pages[:3], said["guarantee"]):
            assert (promise in " ".join(page.split())) != bool(further)
        assert (none in result.stderr) == bool(further)
        assert said["guaranteed"] != bool(further)
        assert index.rows[0].leading.mark in ("", "not jointly") or not further


def test_a_page_tells_the_ladder_and_what_waits(varprop_run, tmp_path):
    varprop_run("--report", "pages", "--format", "md")
    page = (tmp_path / "pages" / "looked" / "README.md").read_text(encoding="utf-8")
    assert "each runs at level a = 0.8 alpha/m = 0.8 × 0.05/1" in page
    assert "- Looks: 1" in page
    varprop_run("--networks", 1000, "--report", "pages", "--format", "md", margin=0.2)
    page = (tmp_path / "pages" / "looked" / "README.md").read_text(encoding="utf-8")
    assert "Look 2, on a ladder of 200, 800, 3,200 and so on networks: judged with 800 of 1,000" in page
    assert "- Looks: 2" in page
    # Edited and sampled for at once: the rung is new, and the level is half.
    assert "m = 1 test bears a verdict here" in page


def test_a_page_of_the_same_run_has_the_same_bytes(varprop_run, tmp_path):
    varprop_run("--networks", 200)
    varprop_run("--networks", 1000, "--report", "one", "--format", "md")
    again = CliRunner().invoke(app, ["report", "runs/looked", "--output", "two", "--format", "md"], prog_name="varprop")
    assert again.exit_code == 0, again.output
    for name in ("README.md", "looked/README.md", "looked/verdicts.csv", "ledger/studies.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_warning_and_the_table_below_it_name_numbers_of_one_ladder(varprop_run):
    result = varprop_run()
    warning = next(line for line in " ".join(result.stderr.split()).split("varprop: ") if "too few" in line)
    assert "of its ladder, 200, 800, 3,200 and so on, " in warning
    named = int(warning.partition("and so on, ")[2].partition(" do")[0].replace(",", ""))
    rungs = {200 * 4**k for k in range(10)}
    in_table = int(result.stdout.partition(" networks (chance")[0].split()[-1].replace(",", ""))
    assert {named, in_table} <= rungs


@pytest.mark.parametrize("wrong", ["0", '"two"'])
def test_looks_that_are_no_number_of_looks_are_bad_input(varprop_run, wrong):
    result = varprop_run(top=f"looks = {wrong}")
    assert result.exit_code == 2
    assert "looks: must be 1 (one look, with all of alpha)" in result.stderr
    assert "Traceback" not in result.output


def test_a_damaged_record_is_bad_input(varprop_run, tmp_path):
    varprop_run()
    path = tmp_path / "runs" / "looked" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"looks": 3}))
    result = varprop_run()
    assert result.exit_code == 2
    assert result.stderr.count("the record of its looks in manifest.json is damaged") == 1
