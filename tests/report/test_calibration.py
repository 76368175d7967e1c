import re

import pandas as pd
import pytest

from varprop.plot.statistics import level_figure
from varprop.report.calibration import calibration_page, write_calibration
from varprop.report.markdown import page_markdown
from varprop.verification.calibration import selfcheck as checks
from varprop.verification.savings import sequential_savings

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


@pytest.fixture(scope="module")
def frame():
    """A small check of the toolkit: a few tests, a control, a report and a plan."""
    with pytest.MonkeyPatch.context() as patch:
        small = (
            checks.TestFamily("relu", "he_normal", ((8, 3), (8, 4)), ("step_mean", "exact_law", "dead_rate")),
            checks.TestFamily("tanh", "xavier_normal", ((8, 3),), ("step_mean",)),
        )
        patch.setattr(checks, "FULL", small)
        patch.setattr(checks, "PLANS", checks.PLANS[-1:])
        return checks.selfcheck(full=True, seed=1, repeats=12, executor="serial")


def test_the_same_check_gives_the_same_bytes(frame, tmp_path):
    written = [write_calibration(frame, tmp_path / name) for name in ("one", "two")]
    assert [path.name for path in written[0]] == ["README.md", "calibration.csv", "levels.svg"]
    assert [path.read_bytes() for path in written[0]] == [path.read_bytes() for path in written[1]]


def test_the_page_names_every_count_that_is_not_as_it_should_be(frame):
    right = frame.assign(met=frame["met"].mask(frame["met"].notna(), True))
    assert "These are not:" not in page_markdown(calibration_page(right))
    promised = int(frame["met"].notna().sum())
    assert f"**{promised:,} of {promised:,} counts" in page_markdown(calibration_page(right))
    right.loc[0, "met"] = False
    missed = page_markdown(calibration_page(right)).split("These are not:")[1].split("![")[0]
    assert missed.count(f"| {frame.loc[0, 'test']} |") == 1
    assert f"**{promised - 1:,} of {promised:,} counts" in page_markdown(calibration_page(right))


def test_a_level_that_is_reached_is_no_bound(frame):
    """With the truth at a margin's end either verdict has at most its level; at a stated bound it has that level."""
    missed = frame.head(2).assign(met=False, rate="false support", planned=0.05, test=["step_mean", "level"])
    rows = [
        line for line in page_markdown(calibration_page(missed)).split("![")[0].splitlines() if "false support" in line
    ]
    assert [row.split("|")[-2].strip() for row in rows] == ["at most 5 %", "5 %"]


def test_savings_have_a_table_of_their_own(frame, tmp_path):
    savings = sequential_savings(rng=1, margin=0.05, claims=[1], repeats=5)
    written = write_calibration(frame, tmp_path, savings=savings)
    assert written[-1].name == "sequential.csv"
    assert pd.read_csv(written[-1])["planned_networks"].tolist() == savings["planned_networks"].tolist()
    section = written[0].read_text(encoding="utf-8").split("## Stopping early")[1]
    assert len([line for line in section.splitlines() if line.startswith("|")]) == 2 + len(savings)
    assert "## Stopping early" not in page_markdown(calibration_page(frame))


def test_every_part_has_its_table(frame):
    page = page_markdown(calibration_page(frame))
    for title in ("## Tests", "## Controls", "## A report of many claims", "## Plans"):
        assert title in page
    rows = [line for line in page.splitlines() if line.startswith("|") and "---" not in line]
    assert sum("naive t" in row for row in rows) == 1
    widths = {line.count("|") for line in page.split("## Tests")[1].split("##")[0].splitlines() if line.startswith("|")}
    assert len(widths) == 1  # a table of equal rows


def test_the_page_holds_no_time_and_no_machine(frame):
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b|/home|/tmp|seconds", page_markdown(calibration_page(frame)))


def test_the_figure_shows_every_level(frame):
    figure = level_figure(frame)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["8x3", "8x4"]
    rows = frame[(frame["part"] == "tests") & (frame["rate"] == "level") & (frame["alpha"] == 0.05)]
    drawn = sum(len(line.get_xdata()) for axes in figure.axes for line in axes.lines if line.get_marker() in "os")
    assert drawn == len(rows)
