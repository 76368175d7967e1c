"""The report of a framework's audit: a page and a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from varprop.report.framework_claims import FILE
from varprop.report.markdown import escape
from varprop.report.replacing import FileSet, replace_report
from varprop.report.wording import (
    MISSING,
    SYMBOLS,
    count,
    interval,
    listing,
    number,
    percent,
    pvalue,
    sentence,
)
from varprop.study.plain import csv_text
from varprop.verification.audit.frameworks import CaseAudit, parts_frame, to_frame
from varprop.verification.audit.parts import MEANINGS
from varprop.verification.audit.result import ALPHA, DISTANCE, MARGIN, Audit
from varprop.verification.audit.stated import ClaimAudit, claims_frame

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
_CLAIM_HEADS = ("Claim", "Entry", "Verdict", "Nearest law", "Variance over the law's", "95 % interval", "Note")


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
        _PAGE: audits_markdown(found, framework=framework, seed=seed, claims=claims),
        _AUDITS: csv_text(to_frame(found)),
        _PARTS: csv_text(parts_frame(found)),
    }
    if claims:
        files[FILE] = csv_text(claims_frame(claims))
    return replace_report(directory, [FileSet("", {"": {name: text.encode("utf-8") for name, text in files.items()}})])


def audits_markdown(found: Sequence[CaseAudit], *, framework: str, seed: int, claims: Sequence[ClaimAudit] = ()) -> str:
    """Set the page."""
    return "\n\n".join(_blocks(found, claims, framework, seed)) + "\n"


def _blocks(found: Sequence[CaseAudit], claims: Sequence[ClaimAudit], framework: str, seed: int) -> Iterator[str]:
    stated = [one for one in found if one.case.documented]
    assumed = [one for one in found if not one.case.documented]
    yield f"# What {escape(framework)} says of its initialisers"
    yield (
        f"{count(len(stated), 'initialiser')} and defaults of layers, each drawn up to {max(one.audit.n_draws for one in found):,} "
        f"times and held against the law that is stated for it: {_tally(stated)}. A law is supported if mean, variance and "
        f"distribution lie within their margins ({percent(MARGIN)} of the variance, {percent(MARGIN)} of a standard deviation, "
        f"a Kolmogorov distance of {DISTANCE:g}) and nothing speaks against bounds and independence; an orthogonal one if a list of "
        "departures from the uniform law was gone through in full and none was found. A law is refuted if a part is shown to lie outside; "
        f"either is false with a probability of {ALPHA:g} at most. Seed {seed}; all numbers are in [audits.csv](audits.csv)."
    )
    yield from _remarks("What is refuted", stated)
    yield from _remarks("What is taken for granted, and is not so", assumed)
    yield from _claims(claims)
    yield "## Stated laws"
    yield _table(stated)
    if assumed:
        yield "## Laws that are taken for granted"
        yield _table(assumed)
    yield from _looked_at(found)
    yield "*Written by varprop; not edited by hand.*"


def _tally(found: Sequence[CaseAudit]) -> str:
    """How many of each verdict, those that occur."""
    counts = {verdict: sum(one.audit.verdict == verdict for one in found) for verdict in SYMBOLS}
    return listing([f"{n:,} {verdict}" for verdict, n in counts.items() if n])


def _remarks(title: str, found: Sequence[CaseAudit]) -> Iterator[str]:
    """What is refuted, in full."""
    refuted = [one for one in found if one.audit.verdict == "refuted"]
    if refuted:
        yield f"## {title}"
    for one in refuted:
        told = [sentence(f"{one.case.source}: {one.case.statement}")]
        if one.variance_ratio > 0:
            told.append(f"The variance is {number(one.variance_ratio)} times that.")
        if one.audit.cause is not None:
            told.append(f"Cause: {one.audit.cause}.")
        told.append(sentence(one.audit.note))
        yield f"- **{escape(one.case.name)}**. {escape(' '.join(told))}"


def _table(found: Sequence[CaseAudit]) -> str:
    lines = [f"| {' | '.join(_HEADS)} |", "| --- | --- | --- | --- | --- | --- | ---: | ---: |"]
    for one in found:
        cells = (
            escape(one.case.name),
            f"{SYMBOLS[one.audit.verdict]} {one.audit.verdict}",
            escape(one.case.statement),
            escape(one.case.source),
            escape(one.shape),
            f"{one.audit.fans.fan_in:,}, {one.audit.fans.fan_out:,}",
            number(one.variance_ratio),
            _kurtosis(one.audit),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _claims(found: Sequence[ClaimAudit]) -> Iterator[str]:
    """What is claimed of the framework's defaults; nothing if nothing is."""
    if not found:
        return
    first = found[0].verdict
    yield "## Xavier and He: what are the defaults, and what is offered?"
    yield (
        f"Each claim is held against the draws of the entry that it is about, with the margin of {percent(first.claim.margin)}: "
        "supported if one of the laws that it names is, refuted if all of them are. The probability that any of the "
        f"{count(len(found), 'verdict')} is false is {first.alpha:g} at most. The numbers are in [{FILE}]({FILE})."
    )
    for name in dict.fromkeys(one.verdict.claim.id for one in found):
        claim = next(one.verdict.claim for one in found if one.verdict.claim.id == name)
        corrected = f" *{escape(claim.corrected)}*" if claim.corrected else ""
        yield f"- **{escape(claim.id)}**: {escape(claim.statement)}{corrected}"
    lines = [f"| {' | '.join(_CLAIM_HEADS)} |", "| --- | --- | --- | --- | ---: | ---: | --- |"]
    for one in found:
        verdict, measured = one.verdict, one.verdict.measured
        cells = (
            escape(verdict.claim.id),
            escape(one.case.name),
            f"{SYMBOLS[verdict.verdict]} {verdict.verdict}",
            escape(one.nearest.law),
            number(measured.ratio),
            interval(*measured.interval),
            escape(verdict.note),
        )
        lines.append(f"| {' | '.join(cells)} |")
    yield "\n".join(lines)


def _looked_at(found: Sequence[CaseAudit]) -> Iterator[str]:
    """What each part looks for, of how many initialisers, and what speaks most against the law."""
    parts = [(part, one.audit) for one in found for part in one.audit.parts]
    yield "## What was looked at"
    said = "A part refutes a law at the level of its audit over the number of its parts."
    if any(part.name == "list in full" for part, _ in parts):
        said += (
            " Of an orthogonal law that is supported no departure of the list was found, which is not to say that the matrices "
            "are uniformly random (Haar)."
        )
    yield f"{said} All parts of all initialisers are in [{_PARTS}]({_PARTS})."
    lines = [f"| {' | '.join(_PART_HEADS)} |", "| --- | --- | ---: | ---: | ---: |"]
    for name, meaning in MEANINGS.items():
        mine = [(part, audit) for part, audit in parts if part.name == name]
        if mine:
            refuted = sum(part.verdict(audit.alpha, len(audit.parts)) == "refuted" for part, audit in mine)
            least = pvalue(min(part.p_refute for part, _ in mine))
            lines.append(f"| {name} | {escape(meaning)} | {len(mine):,} | {refuted:,} | {least} |")
    yield "\n".join(lines)


def _kurtosis(audit: Audit) -> str:
    """That of the draws and that of the law, each where it has one."""
    if math.isnan(audit.kurtosis):
        return MISSING
    law = "" if math.isnan(audit.law_kurtosis) else f" ({number(audit.law_kurtosis)})"
    return f"{number(audit.kurtosis)}{law}"
