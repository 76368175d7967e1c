"""The count of false verdicts, as a part of the calibration's page."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from varprop.report.markdown import escape

if TYPE_CHECKING:
    import pandas as pd

_Row = dict[Hashable, Any]
_FALSE_ALARM = 1e-6
"""Below it, the excess of small p-values is more than chance."""


def levels_section(levels: pd.DataFrame) -> Iterator[str]:
    """Set the tables of levels."""
    pooled, single, controls = (levels[levels["part"] == part] for part in ("pooled", "levels", "controls"))
    yield from ["## False verdicts at the levels that are used", ""]
    yield (
        "A claim among m is judged at a one-sided level of alpha/m, so levels are counted one-sided, each side apart, at 5 %, "
        "1 %, .05/20 and .05/150, with the truth where the verdict is false. *Too low* counts verdicts that the truth is "
        "less than it is. Configurations in which a test refuses a level are left out of its row. A count may be as large as "
        "chance allows a right level once in a million; so may the largest excess of small p-values, up to 0.1, over uniform ones. "
        "[levels.csv](levels.csv) has every configuration."
    )
    yield ""
    bad = pooled[~pooled["accepted"]]
    good = len(pooled) - len(bad)
    yield f"**{good} of {len(pooled)} pooled counts are as they should be.**"
    yield ""
    yield from _pooled(pooled)
    yield from _misses(bad, "Pooled counts that are too large")
    yield from _misses(single[~single["accepted"]], "Single configurations with too many false verdicts")
    if len(controls):
        yield from ["### Rules that do not hold", ""]
        yield "Each is known to be wrong at the level shown, and must be found out: its count has to be too large."
        yield ""
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
        yield from _table(["Rule", "Level", "Studies", "False", "Right if", "Found out"], rows)


def _pooled(pooled: pd.DataFrame) -> Iterator[str]:
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
                *(_share(rows[level]) if level in rows else "refused" for level in levels),
                "no more than chance" if first["excess_p"] > _FALSE_ALARM else f"p = {first['excess_p']:.1g}",
            ]
        )
    yield from _table(heads, lines)


def _misses(rows: pd.DataFrame, title: str) -> Iterator[str]:
    if rows.empty:
        return
    yield from [f"{title}:", ""]
    lines = [
        [
            row["test"],
            row["configuration"],
            "" if row["n_networks"] != row["n_networks"] or row["n_networks"] is None else f"{row['n_networks']:,}",
            row["side"],
            _level(row["level"]),
            f"{row['events']:,} of {row['studies']:,}",
            f"at most {row['accept_high']:,}",
            _share(row),
        ]
        for row in rows.astype({"n_networks": "object"}).where(rows.notna(), None).to_dict("records")
    ]
    yield from _table(
        ["Test", "Networks", "Each study", "False", "Level", "Count", "Accepted", "Share"],
        lines,
    )


def _share(row: _Row) -> str:
    """A share with its interval, in percent; three significant digits at small levels."""
    value, low, high = (100.0 * row[name] for name in ("value", "ci_low", "ci_high"))
    flag = "" if row["accepted"] else " **too often**"
    return f"{value:.3g} % ({low:.3g} to {high:.3g}){flag}"


def _level(level: float) -> str:
    return f"{100.0 * level:.3g} %"


def _table(heads: Sequence[str], lines: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('---' for _ in heads)} |"
    for line in lines:
        yield f"| {' | '.join(_cell(cell) for cell in line)} |"
    yield ""


def _cell(cell: object) -> str:
    """A text with its Markdown escaped, but for the mark of what is too often."""
    text = str(cell)
    body, mark = (text.removesuffix(" **too often**"), " **too often**") if text.endswith("**") else (text, "")
    return escape(body) + mark
