"""What is claimed of a framework's defaults, as a section of its audit's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varprop.plot.wording import SYMBOLS, count, interval, number, percent
from varprop.report.framework_claims import FILE
from varprop.report.markdown import escape

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

_HEADS = ("Claim", "Entry", "Verdict", "Nearest law", "Variance over the law's", "95 % interval", "Note")


def defaults_blocks(rows: list[dict[Hashable, Any]]) -> Iterator[str]:
    """Set the section, from the rows of `varprop.verification.audit.stated.claims_frame`; nothing if there are none."""
    if not rows:
        return
    yield "## Xavier and He: what are the defaults, and what is offered?"
    yield (
        f"Each claim is held against the draws of the entry that it is about, with the margin of {percent(rows[0]['margin'])}: "
        "supported if one of the laws that it names is, refuted if all of them are. The probability that any of the "
        f"{count(len(rows), 'verdict')} is false is {rows[0]['alpha']:g} at most. The numbers are in [{FILE}]({FILE})."
    )
    for claim in dict.fromkeys(row["claim"] for row in rows):
        mine = next(row for row in rows if row["claim"] == claim)
        corrected = f" *{escape(mine['corrected'])}*" if mine["corrected"] else ""
        yield f"- **{escape(claim)}**: {escape(mine['statement'])}{corrected}"
    yield _table(rows)


def _table(rows: list[dict[Hashable, Any]]) -> str:
    lines = [f"| {' | '.join(_HEADS)} |", "| --- | --- | --- | --- | ---: | ---: | --- |"]
    for row in rows:
        cells = (
            escape(row["claim"]),
            escape(row["entry"]),
            f"{SYMBOLS[row['verdict']]} {row['verdict']}",
            escape(row["law"]),
            number(row["ratio"]),
            interval(row["ci_low"], row["ci_high"]),
            escape(row["note"]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
