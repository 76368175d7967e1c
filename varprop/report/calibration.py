"""The report of the toolkit's check of itself: a page, a table and a figure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from varprop.plot.figure_files import render_svg, standalone
from varprop.plot.statistics import level_figure
from varprop.report.level_counts import levels_section
from varprop.report.markdown import escape
from varprop.report.replacing import FileSet, replace_report
from varprop.study.csv_files import csv_text
from varprop.verification.claims import TESTS

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

FILES = ("README.md", "calibration.csv", "levels.svg", "levels.csv", "sequential.csv")
"""What the report of a check may consist of."""
_TITLE = "Rejections of a true null at a nominal 5 %, by test"

_KEY = ["test", "configuration"]
_AT_MOST = frozenset({"dead_rate"})
"""Tests of counts: their p-values are bounded by the level, and no more is promised."""
_Row = dict[Hashable, Any]


def write_calibration(
    frame: pd.DataFrame,
    directory: str | Path,
    *,
    levels: pd.DataFrame | None = None,
    savings: pd.DataFrame | None = None,
) -> tuple[Path, ...]:
    """Write what a check of the toolkit found."""
    files = {
        "README.md": calibration_markdown(frame, levels=levels, savings=savings),
        "calibration.csv": csv_text(frame),
        "levels.svg": standalone(render_svg(level_figure(frame), title=_TITLE, name="levels"), title=_TITLE),
    }
    if levels is not None:
        files["levels.csv"] = csv_text(levels)
    if savings is not None:
        files["sequential.csv"] = csv_text(savings)
    return replace_report(directory, [FileSet("", {"": {name: text.encode("utf-8") for name, text in files.items()}})])


def calibration_markdown(
    frame: pd.DataFrame, *, levels: pd.DataFrame | None = None, savings: pd.DataFrame | None = None
) -> str:
    """Set the page."""
    stopping = () if savings is None else _stopping(savings)
    counts = () if levels is None else levels_section(levels)
    return "\n".join([*_lines(frame, counts), *stopping, "*Written by varprop; not edited by hand.*"]) + "\n"


def _lines(frame: pd.DataFrame, levels: Iterable[str]) -> Iterator[str]:
    promised = frame[frame["met"].notna()]
    met = int(promised["met"].sum())
    repeats = ", ".join(f"{count:,}" for count in sorted(set(frame["repeats"])))
    yield "# The toolkit's tests, tested"
    yield ""
    yield (
        f"Each row of [calibration.csv](calibration.csv) counts how often something happened in {repeats} simulated studies "
        "of a known truth, and what was promised. A count is accepted if it lies in a region that a right promise misses "
        "with a probability of 8e-7: of 2,000 studies at a nominal 5 %, from 56 to 151. Bounds are held from above only. "
        "Controls are tests that are known to be wrong, and weights that are not what they are taken for: their counts "
        "have to lie outside."
    )
    yield ""
    yield f"**{met:,} of {len(promised):,} counts are as they should be.**"
    yield ""
    yield from _misses(promised[~promised["met"].astype(bool)])
    yield from levels
    yield from ["![" + _TITLE + "; the shaded counts are accepted](levels.svg)", ""]
    yield from _tests(frame[frame["part"] == "tests"])
    for part, title, about in (
        ("controls", "Controls", "What must be found, and is if its count lies outside the region."),
        (
            "report",
            "A report of many claims",
            "The probability that any of 30 verdicts is false, each claim's truth lying at an end of its margin, where both "
            + "verdicts are. Of the uncorrected report nothing was promised.",
        ),
        (
            "plans",
            "Plans",
            "Studies of as many networks as required_networks asks for, by a normal or t approximation, to be decided with "
            + "probability .9.",
        ),
    ):
        rows = frame[frame["part"] == part]
        if len(rows):
            yield from [f"## {title}", "", about, ""]
            yield from _table(
                ["Test", "Networks", "Each study", "What", "Share", "Promised", "As it should be"],
                [
                    [
                        row["test"],
                        row["configuration"],
                        f"{row['n_networks']:,}",
                        f"{row['rate']}, α = {row['alpha']:.2g}",
                        _share(row),
                        _promise(row),
                        _word(row["met"]),
                    ]
                    for row in rows.to_dict("records")
                ],
            )


def _stopping(savings: pd.DataFrame) -> Iterator[str]:
    """What looking early saves, and what it costs."""
    yield from ["## Stopping early", ""]
    yield (
        "Networks that a claim about one step takes if sampling ends where a confidence sequence decides it "
        "([sequential.csv](sequential.csv)). The plan is for a prediction that is exactly right, as one plans; the one beside "
        "it is for the truth of its row, which nobody knows. Both have a power of 90 %."
    )
    yield ""
    yield from _table(
        ["Claims", "Truth, in margins", "Plan", "Plan for this truth", "Mean", "90 % quantile", "Decided", "Wrongly"],
        [
            [
                row["claims"],
                f"{row['truth']:g}",
                f"{row['planned_networks']:,}",
                f"{row['fixed_networks']:,}",
                f"{row['mean_networks']:,.0f}",
                f"{row['quantile_90']:,.0f}",
                f"{100 * row['decided']:.4g} %",
                f"{100 * row['false']:.4g} %",
            ]
            for row in savings.to_dict("records")
        ],
    )


def _misses(rows: pd.DataFrame) -> Iterator[str]:
    """The counts that are not as they should be, each in full."""
    if rows.empty:
        return
    yield "These are not:"
    yield ""
    yield from _table(
        ["Test", "Networks", "What", "log(truth / prediction)", "Count", "Accepted", "Share", "Promised"],
        [
            [
                row["test"],
                row["configuration"],
                f"{row['rate']}, α = {row['alpha']:.2g}",
                f"{row['theta']:.4g}",
                f"{row['events']:,}",
                f"{row['accept_low']:,} to {row['accept_high']:,}",
                _share(row),
                _promise(row),
            ]
            for row in rows.to_dict("records")
        ],
    )


def _tests(rows: pd.DataFrame) -> Iterator[str]:
    """A line for each test and network."""
    yield from ["## Tests", ""]
    yield (
        "False verdicts are the most frequent kind, with the truth at either end of a margin of 5 %, or at the bound that "
        "a claim states. Power is simulated, and planned in brackets: that a right prediction is supported, and one that "
        "is refuted in 90 % of studies by plan; of a bound, that a truth as far on the right side is supported too. The "
        "interval after a share is Clopper and Pearson's of 95 %."
    )
    yield ""
    lines = []
    for (test, configuration), group in rows.groupby(_KEY, sort=False):
        by_rate = {(row["rate"], row["alpha"]): row for row in group.to_dict("records")}
        first = max(alpha for _, alpha in by_rate)
        false = [row for (rate, _), row in by_rate.items() if rate.startswith("false")]
        worst = max((row["value"] for row in group.to_dict("records") if row["rate"].startswith("false")), default=None)
        lines.append(
            [
                test,
                configuration,
                *(_share(by_rate.get(("level", alpha))) for alpha in sorted({a for _, a in by_rate}, reverse=True)),
                _share(by_rate.get(("coverage", first))),
                f"{100 * worst:.2f} %" if false and worst is not None else "",
                _power(by_rate.get(("support", first))),
                _power(by_rate.get(("refutation", first))),
            ]
        )
    levels = [f"Level {100 * alpha:g} %" for alpha in sorted(set(rows["alpha"]), reverse=True)]
    yield from _table(["Test", "Networks", *levels, "Coverage 95 %", "False verdicts", "Support", "Refutation"], lines)


def _table(heads: Sequence[str], lines: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('---' for _ in heads)} |"
    for line in lines:
        yield f"| {' | '.join(escape(str(cell)) for cell in line)} |"
    yield ""


def _share(row: _Row | None) -> str:
    if row is None:
        return ""
    return f"{100 * row['value']:.2f} % ({100 * row['ci_low']:.2f} to {100 * row['ci_high']:.2f})"


def _power(row: _Row | None) -> str:
    if row is None:
        return ""
    planned = "–" if math.isnan(row["planned"]) else f"{100 * row['planned']:.1f} %"
    return f"{100 * row['value']:.1f} % ({planned})"


def _promise(row: _Row) -> str:
    if math.isnan(row["planned"]):
        return ""
    false = row["rate"].startswith(("false", "any false")) and not _states_a_bound(str(row["test"]))
    bound = false or row["test"] in _AT_MOST
    return f"{'at most ' if bound else ''}{100 * row['planned']:.4g} %"


def _word(met: object) -> str:
    return {True: "yes", False: "no"}.get(met, "") if isinstance(met, bool) else ""


def _states_a_bound(test: str) -> bool:
    """Whether claims of a test state a bound, below or above."""
    return test in TESTS and TESTS[test].bound is not None
