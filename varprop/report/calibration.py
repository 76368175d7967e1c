"""The report of the toolkit's check of itself: a page, tables and a figure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from varprop.plot.figure_files import render_svg, standalone
from varprop.plot.statistics import level_figure
from varprop.report.blocks import Block, Cell, Column, Image, Listing, Page, Paragraph, Section, Span, Table
from varprop.report.markdown import page_markdown
from varprop.report.replacing import FileSet, replace_report
from varprop.study.files import csv_text
from varprop.verification.claims import TESTS

if TYPE_CHECKING:
    import pandas as pd

FILES = ("README.md", "calibration.csv", "levels.svg", "levels.csv", "sequential.csv")
"""What the report of a check may consist of."""
_TITLE = "Rejections of a true null at a nominal 5 %, by test"
_KEY = ["test", "configuration"]
_AT_MOST = frozenset({"dead_rate"})
"""Tests of counts: their p-values are bounded by the level, and no more is promised."""
_FALSE_ALARM = 1e-6
"""Below it, the excess of small p-values is more than chance."""
_PARTS = {
    "controls": ("Controls", "What must be found, and is if its count lies outside the region."),
    "report": (
        "A report of many claims",
        (
            "The probability that any of 30 verdicts is false, each claim's truth lying at an end of its margin, where both "
            "verdicts are. Of the uncorrected report nothing was promised."
        ),
    ),
    "plans": (
        "Plans",
        (
            "Studies of as many networks as required_networks asks for, by a normal or t approximation, to be decided with "
            "probability .9."
        ),
    ),
}
"""Parts of the check that have a section of their own: its title, and what it is about."""
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
        "README.md": page_markdown(calibration_page(frame, levels=levels, savings=savings)),
        "calibration.csv": csv_text(frame),
        "levels.svg": standalone(render_svg(level_figure(frame), title=_TITLE, name="levels"), title=_TITLE),
    }
    if levels is not None:
        files["levels.csv"] = csv_text(levels)
    if savings is not None:
        files["sequential.csv"] = csv_text(savings)
    return replace_report(directory, [FileSet("", {"": {name: text.encode("utf-8") for name, text in files.items()}})])


def calibration_page(
    frame: pd.DataFrame, *, levels: pd.DataFrame | None = None, savings: pd.DataFrame | None = None
) -> Page:
    """Say what a check of the toolkit found."""
    promised = frame[frame["met"].notna()]
    repeats = ", ".join(f"{count:,}" for count in sorted(set(frame["repeats"])))
    lead = (
        "Each row of ",
        Span("calibration.csv", to="calibration.csv"),
        (
            f" counts how often something happened in {repeats} simulated studies "
            "of a known truth, and what was promised. A count is accepted if it lies in a region that a right promise misses "
            "with a probability of 8e-7: of 2,000 studies at a nominal 5 %, from 56 to 151. Bounds are held from above only. "
            "Controls are tests that are known to be wrong, and weights that are not what they are taken for: their counts "
            "have to lie outside."
        ),
    )
    tally = f"{int(promised['met'].sum()):,} of {len(promised):,} counts are as they should be."
    blocks = [
        Paragraph((Span(tally, "strong"),)),
        *_misses(promised[~promised["met"].astype(bool)]),
        *([] if levels is None else [_levels(levels)]),
        Image("levels.svg", f"{_TITLE}; the shaded counts are accepted"),
        _tests(frame[frame["part"] == "tests"]),
        *(_part(part, rows) for part in _PARTS if len(rows := frame[frame["part"] == part])),
        *([] if savings is None else [_stopping(savings)]),
    ]
    return Page("The toolkit's tests, tested", lead, tuple(blocks))


def _part(part: str, rows: pd.DataFrame) -> Section:
    title, about = _PARTS[part]
    heads = ["Test", "Networks", "Each study", "What", "Share", "Promised", "As it should be"]
    lines = [
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
    ]
    return Section(part, title, (Paragraph(about), _listing(heads, lines)))


def _stopping(savings: pd.DataFrame) -> Section:
    """What looking early saves, and what it costs."""
    about = (
        "Networks that a claim about one step takes if sampling ends where a confidence sequence decides it (",
        Span("sequential.csv", to="sequential.csv"),
        (
            "). The plan is for a prediction that is exactly right, as one plans; the one beside "
            "it is for the truth of its row, which nobody knows. Both have a power of 90 %."
        ),
    )
    table = _listing(
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
    return Section("stopping", "Stopping early", (Paragraph(about), table))


def _misses(rows: pd.DataFrame) -> Iterator[Block]:
    """The counts that are not as they should be, each in full."""
    if rows.empty:
        return
    yield Paragraph("These are not:")
    yield _listing(
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


def _tests(rows: pd.DataFrame) -> Section:
    """A line for each test and network."""
    about = (
        "False verdicts are the most frequent kind, with the truth at either end of a margin of 5 %, or at the bound that "
        "a claim states. Power is simulated, and planned in brackets: that a right prediction is supported, and one that "
        "is refuted in 90 % of studies by plan; of a bound, that a truth as far on the right side is supported too. The "
        "interval after a share is Clopper and Pearson's of 95 %."
    )
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
    heads = ["Test", "Networks", *levels, "Coverage 95 %", "False verdicts", "Support", "Refutation"]
    return Section("tests", "Tests", (Paragraph(about), _listing(heads, lines)))


def _listing(heads: Sequence[str], lines: Sequence[Sequence[object]]) -> Listing:
    cells = [[cell if isinstance(cell, Cell) else str(cell) for cell in line] for line in lines]
    return Listing(Table.of("", map(Column, heads), cells))


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


# ---- levels ------------------------------------------------------------------------------------------------------


def _levels(levels: pd.DataFrame) -> Section:
    """How many verdicts are false, at the levels that are used."""
    pooled, single, controls = (levels[levels["part"] == part] for part in ("pooled", "levels", "controls"))
    about = (
        (
            "A claim among m is judged at a one-sided level of alpha/m, so levels are counted one-sided, each side apart, at 5 %, "
            "1 %, .05/20 and .05/150, with the truth where the verdict is false. "
        ),
        Span("Too low", "emphasis"),
        (
            " counts verdicts that the truth is "
            "less than it is. Configurations in which a test refuses a level are left out of its row. A count may be as large as "
            "chance allows a right level once in a million; so may the largest excess of small p-values, up to 0.1, over uniform ones. "
        ),
        Span("levels.csv", to="levels.csv"),
        " has every configuration.",
    )
    bad = pooled[~pooled["accepted"]]
    tally = f"{len(pooled) - len(bad)} of {len(pooled)} pooled counts are as they should be."
    blocks: list[Block] = [Paragraph(about), Paragraph((Span(tally, "strong"),)), _pooled(pooled)]
    blocks += _too_many(bad, "Pooled counts that are too large")
    blocks += _too_many(single[~single["accepted"]], "Single configurations with too many false verdicts")
    if len(controls):
        blocks.append(_found_out(controls))
    return Section("levels", "False verdicts at the levels that are used", tuple(blocks))


def _found_out(controls: pd.DataFrame) -> Section:
    """Rules that are known to be wrong."""
    about = "Each is known to be wrong at the level shown, and must be found out: its count has to be too large."
    rows = [
        [
            row["test"],
            _level(row["level"]),
            f"{row['studies']:,}",
            f"{row['events']:,}",
            f"at most {row['accept_high']:,}",
            "no" if row["accepted"] else "yes",
        ]
        for row in controls.to_dict("records")
    ]
    table = _listing(["Rule", "Level", "Studies", "False", "Right if", "Found out"], rows)
    return Section("rules", "Rules that do not hold", (Paragraph(about), table))


def _pooled(pooled: pd.DataFrame) -> Listing:
    """One line for a test and side: what is false at each level, in multiples of the level."""
    levels = sorted(set(pooled["level"]), reverse=True)
    heads = ["Test", "False", "Rests on", "Studies", *(f"at {_level(level)}" for level in levels), "Excess"]
    lines = []
    for (test, side), group in pooled.groupby(["test", "side"], sort=False):
        rows = {row["level"]: row for row in group.to_dict("records")}
        first = next(iter(rows.values()))
        grades = ", ".join(sorted({str(row["guarantee"]) for row in rows.values()}))
        lines.append(
            [
                test,
                side,
                grades,
                f"{max(row['studies'] for row in rows.values()):,}",
                *(_share_found(rows[level]) if level in rows else "refused" for level in levels),
                "no more than chance" if first["excess_p"] > _FALSE_ALARM else f"p = {first['excess_p']:.1g}",
            ]
        )
    return _listing(heads, lines)


def _too_many(rows: pd.DataFrame, title: str) -> Iterator[Block]:
    if rows.empty:
        return
    yield Paragraph(f"{title}:")
    lines = [
        [
            row["test"],
            row["configuration"],
            "" if row["n_networks"] != row["n_networks"] or row["n_networks"] is None else f"{row['n_networks']:,}",
            row["side"],
            _level(row["level"]),
            f"{row['events']:,} of {row['studies']:,}",
            f"at most {row['accept_high']:,}",
            _share_found(row),
        ]
        for row in rows.astype({"n_networks": "object"}).where(rows.notna(), None).to_dict("records")
    ]
    yield _listing(
        ["Test", "Networks", "Each study", "False", "Level", "Count", "Accepted", "Share"],
        lines,
    )


def _share_found(row: _Row) -> Cell:
    """A share with its interval, in percent; three significant digits at small levels."""
    value, low, high = (100.0 * row[name] for name in ("value", "ci_low", "ci_high"))
    return Cell(f"{value:.3g} % ({low:.3g} to {high:.3g})", warning="" if row["accepted"] else "too often")


def _level(level: float) -> str:
    return f"{100.0 * level:.3g} %"
