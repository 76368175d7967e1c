"""The report of a framework's audit: a page and a table."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any

from varprop.plot.wording import MISSING, SYMBOLS, count, listing, number, percent, pvalue, sentence
from varprop.report.default_claims import defaults_blocks
from varprop.report.framework_claims import FILE
from varprop.report.markdown import escape
from varprop.report.replacing import FileSet, replace_report
from varprop.study.csv_files import csv_text
from varprop.verification.audit.meanings import MEANINGS
from varprop.verification.audit.result import ALPHA, DISTANCE, MARGIN

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

_HEADS = (
    "Initialiser",
    "Verdict",
    "Stated law",
    "Where",
    "Shape",
    "Fans",
    "Variance over the law's",
    "Kurtosis (law's)",
)
_PAGE, _AUDITS, _PARTS = "README.md", "audits.csv", "parts.csv"
FILES = (_PAGE, _AUDITS, _PARTS, FILE)
"""What the report of an audit may consist of."""
_PART_HEADS = ("Part", "Looks for", "Initialisers", "Refuted", "Smallest p against")
_Row = dict[Hashable, Any]


def write_audits(
    frame: pd.DataFrame,
    directory: str | Path,
    *,
    framework: str,
    seed: int,
    defaults: pd.DataFrame | None = None,
    parts: pd.DataFrame | None = None,
) -> tuple[Path, ...]:
    """Write what an audit of a framework found."""
    files = {
        _PAGE: audits_markdown(frame, framework=framework, seed=seed, defaults=defaults, parts=parts),
        _AUDITS: csv_text(frame),
    }
    if parts is not None and len(parts):
        files[_PARTS] = csv_text(parts)
    if defaults is not None and len(defaults):
        files[FILE] = csv_text(defaults)
    return replace_report(directory, [FileSet("", {"": {name: text.encode("utf-8") for name, text in files.items()}})])


def audits_markdown(
    frame: pd.DataFrame,
    *,
    framework: str,
    seed: int,
    defaults: pd.DataFrame | None = None,
    parts: pd.DataFrame | None = None,
) -> str:
    """Set the page."""
    claims = [] if defaults is None else defaults.to_dict("records")
    looked = [] if parts is None else parts.to_dict("records")
    return "\n\n".join(_blocks(frame.to_dict("records"), claims, looked, framework, seed)) + "\n"


def _blocks(rows: list[_Row], claims: list[_Row], looked: list[_Row], framework: str, seed: int) -> Iterator[str]:
    stated = [row for row in rows if row["documented"]]
    assumed = [row for row in rows if not row["documented"]]
    yield f"# What {escape(framework)} says of its initialisers"
    yield (
        f"{count(len(stated), 'initialiser')} and defaults of layers, each drawn up to {max(row['n_draws'] for row in rows):,} "
        f"times and held against the law that is stated for it: {_tally(stated)}. A law is supported if mean, variance and "
        f"distribution lie within their margins ({percent(MARGIN)} of the variance, {percent(MARGIN)} of a standard deviation, "
        f"a Kolmogorov distance of {DISTANCE:g}) and nothing speaks against bounds and independence; an orthogonal one if a list of "
        "departures from the uniform law was gone through in full and none was found. A law is refuted if a part is shown to lie outside; "
        f"either is false with a probability of {ALPHA:g} at most. Seed {seed}; all numbers are in [audits.csv](audits.csv)."
    )
    yield from _remarks("What is refuted", [row for row in stated if row["verdict"] == "refuted"])
    yield from _remarks("What is taken for granted, and is not so", [r for r in assumed if r["verdict"] == "refuted"])
    yield from defaults_blocks(claims)
    yield "## Stated laws"
    yield _table(stated)
    if assumed:
        yield "## Laws that are taken for granted"
        yield _table(assumed)
    yield from _looked_at(looked)
    yield "*Written by varprop; not edited by hand.*"


def _tally(rows: list[_Row]) -> str:
    """How many of each verdict, those that occur."""
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in SYMBOLS}
    return listing([f"{n:,} {verdict}" for verdict, n in counts.items() if n])


def _remarks(title: str, rows: list[_Row]) -> Iterator[str]:
    """What is refuted, in full."""
    if not rows:
        return
    yield f"## {title}"
    for row in rows:
        told = [sentence(f"{row['source']}: {row['statement']}")]
        if row["variance_ratio"] > 0:
            told.append(f"The variance is {number(row['variance_ratio'])} times that.")
        if isinstance(row["cause"], str):
            told.append(f"Cause: {row['cause']}.")
        told.append(sentence(row["note"]))
        yield f"- **{escape(row['initializer'])}**. {escape(' '.join(told))}"


def _table(rows: list[_Row]) -> str:
    lines = [f"| {' | '.join(_HEADS)} |", "| --- | --- | --- | --- | --- | --- | ---: | ---: |"]
    for row in rows:
        cells = (
            escape(row["initializer"]),
            f"{SYMBOLS[row['verdict']]} {row['verdict']}",
            escape(row["statement"]),
            escape(row["source"]),
            escape(row["shape"]),
            f"{row['fan_in']:,}, {row['fan_out']:,}",
            number(row["variance_ratio"]),
            _kurtosis(row),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _looked_at(parts: list[_Row]) -> Iterator[str]:
    """What each part looks for, of how many initialisers, and what speaks most against the law; nothing if none are given."""
    if not parts:
        return
    yield "## What was looked at"
    said = "A part refutes a law at the level of its audit over the number of its parts."
    if any(row["part"] == "list in full" for row in parts):
        said += (
            " Of an orthogonal law that is supported no departure of the list was found, which is not to say that the matrices "
            "are uniformly random (Haar)."
        )
    yield f"{said} All parts of all initialisers are in [{_PARTS}]({_PARTS})."
    lines = [f"| {' | '.join(_PART_HEADS)} |", "| --- | --- | ---: | ---: | ---: |"]
    for name, meaning in MEANINGS.items():
        mine = [row for row in parts if row["part"] == name]
        if mine:
            refuted = sum(row["verdict"] == "refuted" for row in mine)
            least = pvalue(min(row["p_refute"] for row in mine))
            lines.append(f"| {name} | {escape(meaning)} | {len(mine):,} | {refuted:,} | {least} |")
    yield "\n".join(lines)


def _kurtosis(row: _Row) -> str:
    """That of the draws and that of the law, each where it has one."""
    if math.isnan(row["kurtosis"]):
        return MISSING
    law = "" if math.isnan(row["law_kurtosis"]) else f" ({number(row['law_kurtosis'])})"
    return f"{number(row['kurtosis'])}{law}"
