"""The report of a framework's audit: a page and a table."""

from __future__ import annotations

import math
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from varprop.plot.wording import MISSING, SYMBOLS, count, interval, listing, number, percent, pvalue, sentence
from varprop.report.blocks import Column, Items, Listing, Page, Paragraph, Section, Span, Table, Words
from varprop.report.framework_claims import FILE
from varprop.report.markdown import page_markdown
from varprop.report.replacing import FileSet, replace_report
from varprop.study.csv_files import csv_text
from varprop.verification.audit.meanings import MEANINGS
from varprop.verification.audit.result import ALPHA, DISTANCE, MARGIN

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    *map(Column, ("Initialiser", "Verdict", "Stated law", "Where", "Shape", "Fans")),
    Column("Variance over the law's", "number"),
    Column("Kurtosis (law's)", "number"),
)
_PART_COLUMNS = (
    *map(Column, ("Part", "Looks for")),
    *(Column(title, "number") for title in ("Initialisers", "Refuted", "Smallest p against")),
)
_CLAIM_COLUMNS = (
    *map(Column, ("Claim", "Entry", "Verdict", "Nearest law")),
    Column("Variance over the law's", "number"),
    Column("95 % interval", "number"),
    Column("Note"),
)
_PAGE, _AUDITS, _PARTS = "README.md", "audits.csv", "parts.csv"
FILES = (_PAGE, _AUDITS, _PARTS, FILE)
"""What the report of an audit may consist of."""
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
        _PAGE: page_markdown(audits_page(frame, framework=framework, seed=seed, defaults=defaults, parts=parts)),
        _AUDITS: csv_text(frame),
    }
    if parts is not None and len(parts):
        files[_PARTS] = csv_text(parts)
    if defaults is not None and len(defaults):
        files[FILE] = csv_text(defaults)
    return replace_report(directory, [FileSet("", {"": {name: text.encode("utf-8") for name, text in files.items()}})])


def audits_page(
    frame: pd.DataFrame,
    *,
    framework: str,
    seed: int,
    defaults: pd.DataFrame | None = None,
    parts: pd.DataFrame | None = None,
) -> Page:
    """Say what an audit of a framework found."""
    rows = frame.to_dict("records")
    stated, assumed = ([row for row in rows if bool(row["documented"]) is known] for known in (True, False))
    lead = (
        (
            f"{count(len(stated), 'initialiser')} and defaults of layers, each drawn up to {max(row['n_draws'] for row in rows):,} "
            f"times and held against the law that is stated for it: {_tally(stated)}. A law is supported if mean, variance and "
            f"distribution lie within their margins ({percent(MARGIN)} of the variance, {percent(MARGIN)} of a standard deviation, "
            f"a Kolmogorov distance of {DISTANCE:g}) and nothing speaks against bounds and independence; an orthogonal one if a list of "
            "departures from the uniform law was gone through in full and none was found. A law is refuted if a part is shown to lie outside; "
            f"either is false with a probability of {ALPHA:g} at most. Seed {seed}; all numbers are in "
        ),
        Span(_AUDITS, to=_AUDITS),
        ".",
    )
    sections = [
        _remarks("refuted", "What is refuted", stated),
        _remarks("granted", "What is taken for granted, and is not so", assumed),
        _claims([] if defaults is None else defaults.to_dict("records")),
        _laws("stated", "Stated laws", stated),
        _laws("assumed", "Laws that are taken for granted", assumed),
        _looked_at([] if parts is None else parts.to_dict("records")),
    ]
    wanted = tuple(section for section in sections if section.blocks or section.name == "stated")
    return Page(f"What {framework} says of its initialisers", lead, wanted)


def _tally(rows: list[_Row]) -> str:
    """How many of each verdict, those that occur."""
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in SYMBOLS}
    return listing([f"{n:,} {verdict}" for verdict, n in counts.items() if n])


def _remarks(name: str, title: str, rows: list[_Row]) -> Section:
    """What is refuted, in full."""
    items: list[Words] = []
    for row in rows:
        if row["verdict"] != "refuted":
            continue
        told = [sentence(f"{row['source']}: {row['statement']}")]
        if row["variance_ratio"] > 0:
            told.append(f"The variance is {number(row['variance_ratio'])} times that.")
        if isinstance(row["cause"], str):
            told.append(f"Cause: {row['cause']}.")
        told.append(sentence(row["note"]))
        items.append((Span(row["initializer"], "strong"), f". {' '.join(told)}"))
    return Section(name, title, (Items(tuple(items)),) if items else ())


def _laws(name: str, title: str, rows: list[_Row]) -> Section:
    cells = [
        [
            row["initializer"],
            f"{SYMBOLS[row['verdict']]} {row['verdict']}",
            row["statement"],
            row["source"],
            row["shape"],
            f"{row['fan_in']:,}, {row['fan_out']:,}",
            number(row["variance_ratio"]),
            _kurtosis(row),
        ]
        for row in rows
    ]
    return Section(name, title, (Listing(Table.of("", _COLUMNS, cells)),) if cells else ())


def _looked_at(parts: list[_Row]) -> Section:
    """What each part looks for, of how many initialisers, and what speaks most against the law; nothing if none are given."""
    said = "A part refutes a law at the level of its audit over the number of its parts."
    if any(row["part"] == "list in full" for row in parts):
        said += (
            " Of an orthogonal law that is supported no departure of the list was found, which is not to say that the matrices "
            "are uniformly random (Haar)."
        )
    told = (f"{said} All parts of all initialisers are in ", Span(_PARTS, to=_PARTS), ".")
    cells = []
    for name, meaning in MEANINGS.items():
        mine = [row for row in parts if row["part"] == name]
        if mine:
            refuted = sum(row["verdict"] == "refuted" for row in mine)
            least = pvalue(min(row["p_refute"] for row in mine))
            cells.append([name, meaning, f"{len(mine):,}", f"{refuted:,}", least])
    blocks = (Paragraph(told), Listing(Table.of("", _PART_COLUMNS, cells)))
    return Section("parts", "What was looked at", blocks if parts else ())


def _claims(rows: list[_Row]) -> Section:
    """What is claimed of a framework's defaults, from the rows of `varprop.verification.audit.stated.claims_frame`."""
    title = "Xavier and He: what are the defaults, and what is offered?"
    if not rows:
        return Section("defaults", title, ())
    told = (
        (
            f"Each claim is held against the draws of the entry that it is about, with the margin of {percent(rows[0]['margin'])}: "
            "supported if one of the laws that it names is, refuted if all of them are. The probability that any of the "
            f"{count(len(rows), 'verdict')} is false is {rows[0]['alpha']:g} at most. The numbers are in "
        ),
        Span(FILE, to=FILE),
        ".",
    )
    items: list[Words] = []
    for claim in dict.fromkeys(row["claim"] for row in rows):
        mine = next(row for row in rows if row["claim"] == claim)
        stated = (Span(claim, "strong"), f": {mine['statement']}{' ' if mine['corrected'] else ''}")
        items.append((*stated, Span(mine["corrected"], "emphasis")) if mine["corrected"] else stated)
    cells = [
        [
            row["claim"],
            row["entry"],
            f"{SYMBOLS[row['verdict']]} {row['verdict']}",
            row["law"],
            number(row["ratio"]),
            interval(row["ci_low"], row["ci_high"]),
            row["note"],
        ]
        for row in rows
    ]
    return Section(
        "defaults", title, (Paragraph(told), Items(tuple(items)), Listing(Table.of("", _CLAIM_COLUMNS, cells)))
    )


def _kurtosis(row: _Row) -> str:
    """That of the draws and that of the law, each where it has one."""
    if math.isnan(row["kurtosis"]):
        return MISSING
    law = "" if math.isnan(row["law_kurtosis"]) else f" ({number(row['law_kurtosis'])})"
    return f"{number(row['kurtosis'])}{law}"
