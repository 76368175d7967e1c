"""The report of a framework's audit, a page and a table, with the claims that are about frameworks."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from varprop._arguments import quoted
from varprop.plot.wording import MISSING, SYMBOLS, count, interval, listing, number, percent, pvalue, sentence
from varprop.report.blocks import Cell, Column, Items, Listing, Page, Paragraph, Section, Span, Table, Words
from varprop.report.ledger import Contribution
from varprop.report.markdown import page_markdown
from varprop.report.replacing import FileSet, replace_report
from varprop.stats.equivalence import MARGINS
from varprop.study.files import csv_text, read_text, unguarded
from varprop.verification.audit.frameworks import (
    COLUMNS,
    CaseAudit,
    ClaimAudit,
    claim_of,
    claims_frame,
    over_the_laws,
    parts_frame,
    to_frame,
)
from varprop.verification.audit.parts import MEANINGS
from varprop.verification.audit.result import ALPHA, DISTANCE, MARGIN, Audit
from varprop.verification.claims import VERDICTS
from varprop.verification.verdict import Verdict

FILE = "defaults.csv"
_NUMBERS = ("ratio", "ci_low", "ci_high", "margin", "alpha")
_CLAIM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MAX_BYTES = 2**26


def read_defaults(audits: str | Path, *, beside: str | Path) -> list[Contribution]:
    """Read what audits of frameworks say of claims."""
    folder = Path(audits)
    if not folder.is_dir():
        msg = f"{folder}: there is no such folder; name the one that holds a folder for each audited framework"
        raise ValueError(msg)
    files = sorted(folder.glob(f"*/{FILE}"))
    if not files:
        msg = f"{folder}: no folder in it holds a {FILE}; `varprop audit FRAMEWORK --report {folder}` writes one"
        raise ValueError(msg)
    return [_contribution(row, file, line, Path(beside)) for file in files for line, row in _rows(file)]


def _rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    """Every row as texts, with the number it has in the file's order."""
    import pandas as pd

    try:
        text = read_text(file, limit=_MAX_BYTES)
        frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except (OSError, ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        msg = f"{file}: is no CSV file of an audit: {error}; write the audit again"
        raise ValueError(msg) from error
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        msg = f"{file}: has no column {', '.join(missing)}; an audit writes {', '.join(COLUMNS)}"
        raise ValueError(msg)
    if frame.empty:
        msg = f"{file}: has no rows; write the audit again"
        raise ValueError(msg)
    rows = ({str(name): unguarded(str(text)) for name, text in row.items()} for row in frame.to_dict("records"))
    return list(enumerate(rows, start=1))


def _contribution(row: Mapping[str, str], file: Path, line: int, beside: Path) -> Contribution:
    """One row as a test of the claim it names."""
    for column, expected in _problems(row).items():
        msg = f"{file}, row {line}: {column} must be {expected}, got {quoted(row[column])}; write the audit again"
        raise ValueError(msg)
    numbers = {column: float(row[column] or math.nan) for column in _NUMBERS}
    margin = MARGIN if math.isnan(numbers["margin"]) else numbers["margin"]
    verdict = Verdict(
        claim=claim_of(row["claim"], row["statement"], row["corrected"], margin=margin),
        configuration=", ".join(part for part in (_name(row), row["entry"]) if part),
        verdict=next(verdict for verdict in VERDICTS if verdict == row["verdict"]),
        measured=over_the_laws(numbers["ratio"], numbers["ci_low"], numbers["ci_high"], n_draws=int(row["n_draws"])),
        alpha=numbers["alpha"],
        notes=(row["note"],),
    )
    said = f"{_name(row)}: {row['entry']}" if row["entry"] else _name(row)
    return Contribution(claim=verdict.claim, rows=(verdict,), page=Cell(said, page=_page(file, beside)))


def _name(row: Mapping[str, str]) -> str:
    return " ".join(part for part in (row["framework"], row["version"]) if part)


def _problems(row: Mapping[str, str]) -> dict[str, str]:
    """What a row's cells should be, for those that are not."""
    said = {column: "a number, or empty" for column in _NUMBERS if not _is_number(row[column] or "nan")}
    if not _CLAIM.fullmatch(row["claim"]):
        said["claim"] = "an id such as framework.defaults"
    if "margin" not in said and row["margin"] and not MARGINS[0] <= float(row["margin"]) <= MARGINS[1]:
        said["margin"] = "a margin > 0, or empty"
    if row["verdict"] not in VERDICTS:
        said["verdict"] = f"one of {', '.join(VERDICTS)}"
    if not row["n_draws"].isdecimal():
        said["n_draws"] = "the number of weights drawn"
    return said


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _page(file: Path, beside: Path) -> str:
    """The audit's page as seen from the ledger's folder; empty if it lies elsewhere or is not there."""
    page = file.resolve().with_name("README.md")
    root = beside.resolve()
    if not page.is_relative_to(root):
        return ""
    return page.relative_to(root).as_posix()


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


def write_audits(
    found: Sequence[CaseAudit],
    directory: str | Path,
    *,
    framework: str,
    seed: int,
    claims: Sequence[ClaimAudit] = (),
) -> tuple[Path, ...]:
    """Write what an audit of a framework found."""
    files = {
        _PAGE: page_markdown(audits_page(found, framework=framework, seed=seed, claims=claims)),
        _AUDITS: csv_text(to_frame(found)),
        _PARTS: csv_text(parts_frame(found)),
    }
    if claims:
        files[FILE] = csv_text(claims_frame(claims))
    return replace_report(directory, [FileSet("", {"": {name: text.encode("utf-8") for name, text in files.items()}})])


def audits_page(found: Sequence[CaseAudit], *, framework: str, seed: int, claims: Sequence[ClaimAudit] = ()) -> Page:
    """Say what an audit of a framework found."""
    stated, assumed = ([one for one in found if one.case.documented is known] for known in (True, False))
    lead = (
        (
            f"{count(len(stated), 'initialiser')} and defaults of layers, each drawn up to {max(one.audit.n_draws for one in found):,} "
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
        _claims(claims),
        _laws("stated", "Stated laws", stated),
        _laws("assumed", "Laws that are taken for granted", assumed),
        _looked_at(found),
    ]
    wanted = tuple(section for section in sections if section.blocks or section.name == "stated")
    return Page(f"What {framework} says of its initialisers", lead, wanted)


def _tally(found: Sequence[CaseAudit]) -> str:
    """How many of each verdict, those that occur."""
    counts = {verdict: sum(one.audit.verdict == verdict for one in found) for verdict in SYMBOLS}
    return listing([f"{n:,} {verdict}" for verdict, n in counts.items() if n])


def _remarks(name: str, title: str, found: Sequence[CaseAudit]) -> Section:
    """What is refuted, in full."""
    items: list[Words] = []
    for one in found:
        if one.audit.verdict != "refuted":
            continue
        told = [sentence(f"{one.case.source}: {one.case.statement}")]
        if one.variance_ratio > 0:
            told.append(f"The variance is {number(one.variance_ratio)} times that.")
        if one.audit.cause is not None:
            told.append(f"Cause: {one.audit.cause}.")
        told.append(sentence(one.audit.note))
        items.append((Span(one.case.name, "strong"), f". {' '.join(told)}"))
    return Section(name, title, (Items(tuple(items)),) if items else ())


def _laws(name: str, title: str, found: Sequence[CaseAudit]) -> Section:
    cells = [
        [
            one.case.name,
            f"{SYMBOLS[one.audit.verdict]} {one.audit.verdict}",
            one.case.statement,
            one.case.source,
            one.shape,
            f"{one.audit.fans.fan_in:,}, {one.audit.fans.fan_out:,}",
            number(one.variance_ratio),
            _kurtosis(one.audit),
        ]
        for one in found
    ]
    return Section(name, title, (Listing(Table.of("", _COLUMNS, cells)),) if cells else ())


def _looked_at(found: Sequence[CaseAudit]) -> Section:
    """What each part looks for, of how many initialisers, and what speaks most against the law."""
    parts = [(part, one.audit) for one in found for part in one.audit.parts]
    said = "A part refutes a law at the level of its audit over the number of its parts."
    if any(part.name == "list in full" for part, _ in parts):
        said += (
            " Of an orthogonal law that is supported no departure of the list was found, which is not to say that the matrices "
            "are uniformly random (Haar)."
        )
    told = (f"{said} All parts of all initialisers are in ", Span(_PARTS, to=_PARTS), ".")
    cells = []
    for name, meaning in MEANINGS.items():
        mine = [(part, audit) for part, audit in parts if part.name == name]
        if mine:
            refuted = sum(part.verdict(audit.alpha, len(audit.parts)) == "refuted" for part, audit in mine)
            least = pvalue(min(part.p_refute for part, _ in mine))
            cells.append([name, meaning, f"{len(mine):,}", f"{refuted:,}", least])
    return Section("parts", "What was looked at", (Paragraph(told), Listing(Table.of("", _PART_COLUMNS, cells))))


def _claims(found: Sequence[ClaimAudit]) -> Section:
    """What is claimed of the framework's defaults."""
    title = "Xavier and He: what are the defaults, and what is offered?"
    if not found:
        return Section("defaults", title, ())
    first = found[0].verdict
    told = (
        (
            f"Each claim is held against the draws of the entry that it is about, with the margin of {percent(first.claim.margin)}: "
            "supported if one of the laws that it names is, refuted if all of them are. The probability that any of the "
            f"{count(len(found), 'verdict')} is false is {first.alpha:g} at most. The numbers are in "
        ),
        Span(FILE, to=FILE),
        ".",
    )
    items: list[Words] = []
    for name in dict.fromkeys(one.verdict.claim.id for one in found):
        claim = next(one.verdict.claim for one in found if one.verdict.claim.id == name)
        stated = (Span(name, "strong"), f": {claim.statement}{' ' if claim.corrected else ''}")
        items.append((*stated, Span(claim.corrected, "emphasis")) if claim.corrected else stated)
    cells = [
        [
            one.verdict.claim.id,
            one.case.name,
            f"{SYMBOLS[one.verdict.verdict]} {one.verdict.verdict}",
            one.nearest.law,
            number(one.verdict.measured.ratio),
            interval(*one.verdict.measured.interval),
            one.verdict.note,
        ]
        for one in found
    ]
    return Section(
        "defaults", title, (Paragraph(told), Items(tuple(items)), Listing(Table.of("", _CLAIM_COLUMNS, cells)))
    )


def _kurtosis(audit: Audit) -> str:
    """That of the draws and that of the law, each where it has one."""
    if math.isnan(audit.kurtosis):
        return MISSING
    law = "" if math.isnan(audit.law_kurtosis) else f" ({number(audit.law_kurtosis)})"
    return f"{number(audit.kurtosis)}{law}"
