"""Verdict frames -> the tables of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varprop.report.document import Cell, Column, Table
from varprop.report.records import Record, compared_in, is_standardised, margin_in, text_in, value_in
from varprop.report.wording import MISSING, SYMBOLS, axis_label, count, interval, number, percent, pvalue

if TYPE_CHECKING:
    import pandas as pd

    from varprop.verification.claims import Claim

_LEDGER = (
    Column("Claim"),
    Column("Verdict", "verdict"),
    Column("Statement"),
    Column("Tests", "number"),
    Column("Largest departure"),
    Column("Margin", "number"),
    Column("Remark"),
)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One claim and one of its verdicts, with the rows that have it."""

    claim: Claim
    verdict: str
    rows: tuple[Record, ...]
    n_tests: int

    @property
    def contradicts(self) -> bool:
        """True if the verdict is the opposite of what the study expects."""
        return {self.claim.expect, self.verdict} == {"supported", "refuted"}


def ledger_entries(claims: Sequence[Claim], verdicts: pd.DataFrame) -> tuple[LedgerEntry, ...]:
    """Group the verdicts by claim, in the study's order, and by verdict.

    Parameters
    ----------
    claims : sequence of Claim
        One for each quantity; those of one id are one claim to a reader.
    verdicts : DataFrame
        The verdicts of the run.

    Returns
    -------
    tuple of LedgerEntry
        One for each claim and verdict that occurs.

    Raises
    ------
    ValueError
        If a claim has no verdict, or a verdict no claim: the run is not one of this study.
    """
    decided = verdicts[verdicts["verdict"].notna()]
    by_claim: dict[str, list[Record]] = {claim.id: [] for claim in claims}
    for record in decided.to_dict("records"):
        if record["claim"] not in by_claim:
            msg = f"the run has a verdict on {record['claim']!r}, which the study does not claim; run the study again"
            raise ValueError(msg)
        by_claim[str(record["claim"])].append(record)
    entries = []
    for claim in {claim.id: claim for claim in reversed(claims)}.values():
        rows = by_claim[claim.id]
        if not rows:
            msg = f"the run has no verdict on the claim {claim.id!r} of its study; run the study again"
            raise ValueError(msg)
        for verdict in SYMBOLS:
            mine = tuple(row for row in rows if row["verdict"] == verdict)
            if mine:
                entries.append(LedgerEntry(claim, verdict, mine, len(rows)))
    order = {claim: i for i, claim in enumerate(by_claim)}
    return tuple(sorted(entries, key=lambda entry: order[entry.claim.id]))


def ledger_table(entries: Sequence[tuple[str, LedgerEntry]], *, caption: str) -> Table:
    """Build the claim ledger: an id and its verdict always stand side by side.

    Parameters
    ----------
    entries : sequence of (study, LedgerEntry)
        The study's name is empty on that study's own page.
    caption : str
        What the ledger covers.

    Returns
    -------
    Table
        With the study's name as the third column where there is one.
    """
    several = any(study for study, _ in entries)
    columns = [*_LEDGER[:2], *([Column("Study")] if several else []), *_LEDGER[2:]]
    rows: list[list[Cell | str]] = []
    before = ("", "")
    for study, entry in entries:
        row = _ledger_row(entry)
        if (study, entry.claim.id) == before:
            row[2] = ""  # the statement stands in the claim's first row
        before = (study, entry.claim.id)
        row[0] = Cell(entry.claim.id, study=study, claim=entry.claim.id)
        if several:
            row.insert(2, Cell(study, study=study))
        rows.append(row)
    return Table.of(caption, columns, rows).without_empty_columns(MISSING)


def _ledger_row(entry: LedgerEntry) -> list[Cell | str]:
    """Texts of one row of the ledger."""
    worst = max(entry.rows, key=_distance)
    tests = f"{len(entry.rows)} of {entry.n_tests}"
    remark = "; ".join(part for part in (expectation(entry), _networks_needed(entry)) if part)
    return [entry.claim.id, entry.verdict, entry.claim.statement, tests, _farthest(worst), margin_of(worst), remark]


def expectation(entry: LedgerEntry) -> str:
    """How the verdict stands to what the study expects; empty if it expects nothing."""
    expect = entry.claim.expect
    if expect is None:
        return ""
    if entry.contradicts:
        return f"CONTRADICTS the expectation ({expect})"
    return "as expected" if expect == entry.verdict else f"expected: {expect}"


def _networks_needed(entry: LedgerEntry) -> str:
    """How many networks would decide all that is inconclusive."""
    if entry.verdict != "inconclusive":
        return ""
    needed = [value_in(row, "n_required") for row in entry.rows]
    known = [n for n in needed if not math.isnan(n)]
    if not known:
        return "no feasible number of networks would decide it"
    open_ended = "" if len(known) == len(needed) else f" {len(known)} of these {len(needed)}"
    return f"about {count(max(known), 'network')} would decide{open_ended or ' it'}"


def _distance(row: Record) -> float:
    """How far a row's estimate lies from its prediction, in margins where it has one; -1 if that is not a number."""
    value, margin = compared_in(row), margin_in(row)
    if math.isnan(value):
        return -1.0
    if is_standardised(row):
        return abs(value) / (margin if margin > 0 else 1.0)
    if value <= 0:
        return math.inf
    return abs(math.log(value)) / (math.log1p(margin) if margin > 0 else 1.0)


def _farthest(row: Record) -> str:
    """One row's number in words: ``ratio 1.007, 0.9800 to 1.030 (relu, he_normal · z²)``."""
    where = " · ".join(part for part in (text_in(row, "configuration"), axis_label(str(row["quantity"]))) if part)
    bounds = interval(value_in(row, "ci_low"), value_in(row, "ci_high"))
    named = "mean" if is_standardised(row) else "ratio"
    value = compared_in(row)
    if math.isnan(value):
        named, value = "measured", value_in(row, "estimate")
    if math.isnan(value):
        return where
    return f"{named} {number(value)}{'' if bounds == MISSING else f', {bounds}'} ({where})"


def margin_of(row: Record) -> str:
    """A row's margin: a percentage of the prediction, or of a standardised mean's unit."""
    margin = margin_in(row)
    if math.isnan(margin):
        return MISSING
    return f"±{margin:.4g}" if is_standardised(row) else f"±{percent(margin)}"


_VERDICT_COLUMNS = (
    Column("Configuration"),
    Column("Verdict", "verdict"),
    Column("Quantity"),
    Column("Measured", "number"),
    Column("Predicted", "number"),
    Column("Ratio", "number"),
    Column("Interval", "number"),
    Column("Margin", "number"),
    Column("p, no difference", "number"),
    Column("p, equivalence", "number"),
    Column("p, refutation", "number"),
    Column("Replicates", "number"),
    Column("Note"),
)
_LAYER_COLUMNS = (
    Column("Configuration"),
    Column("Quantity"),
    Column("Layer", "number"),
    Column("Measured", "number"),
    Column("Predicted", "number"),
    Column("Ratio", "number"),
    Column("Interval", "number"),
    Column("p, no difference", "number"),
    Column("p, adjusted", "number"),
    Column("Note"),
)


def verdict_table(verdicts: pd.DataFrame, *, caption: str) -> Table:
    """Tabulate rows that bear a verdict: configuration x quantity, with every number behind it."""
    rows = [_verdict_row(row, _VERDICT_COLUMNS) for row in verdicts[verdicts["verdict"].notna()].to_dict("records")]
    return Table.of(caption, _VERDICT_COLUMNS, rows).without_empty_columns(MISSING)


def layer_table(verdicts: pd.DataFrame, *, caption: str) -> Table | None:
    """Tabulate rows for exploration, layer by layer; None if there are none."""
    rows = [_verdict_row(row, _LAYER_COLUMNS) for row in verdicts[verdicts["verdict"].isna()].to_dict("records")]
    return Table.of(caption, _LAYER_COLUMNS, rows).without_empty_columns(MISSING) if rows else None


def _verdict_row(row: Record, columns: Sequence[Column]) -> list[str]:
    """Texts of one row under the given columns."""
    layer, n_networks = value_in(row, "layer"), value_in(row, "n_networks")
    texts = {
        "Configuration": text_in(row, "configuration") or MISSING,
        "Quantity": axis_label(str(row["quantity"])),
        "Layer": MISSING if math.isnan(layer) else f"{int(layer)}",
        "Replicates": MISSING if math.isnan(n_networks) else count(n_networks),
        "Measured": number(value_in(row, "estimate")),
        "Predicted": number(value_in(row, "predicted")),
        "Ratio": number(value_in(row, "ratio")),
        "Interval": interval(value_in(row, "ci_low"), value_in(row, "ci_high")),
        "Margin": margin_of(row),
        "p, no difference": pvalue(value_in(row, "pvalue")),
        "p, adjusted": pvalue(value_in(row, "pvalue_adjusted")),
        "p, equivalence": pvalue(value_in(row, "p_equivalence")),
        "p, refutation": pvalue(value_in(row, "p_refute")),
        "Verdict": text_in(row, "verdict"),
        "Note": text_in(row, "note"),
    }
    return [texts[column.title] for column in columns]


def summary_table(summary: pd.DataFrame, predictions: pd.DataFrame, *, caption: str) -> Table:
    """Tabulate the numbers that a profile draws: its alternative for those who cannot see it."""
    theories = list(dict.fromkeys(predictions["theory"]))
    lookup = {
        (row["configuration"], row["layer"], row["theory"]): number(float(row["predicted"]))
        for row in predictions.to_dict("records")
    }
    names = ("Layer", "Networks", "Mean", "95 % interval", "5 %", "95 %", *theories)
    rows = [
        [
            str(row["configuration"]) or MISSING,
            f"{int(row['layer'])}",
            count(row["n_networks"]),
            number(row["mean"]),
            interval(row["ci_low"], row["ci_high"]),
            number(row["low"]),
            number(row["high"]),
            *(lookup.get((row["configuration"], row["layer"], theory), MISSING) for theory in theories),
        ]
        for row in summary.to_dict("records")
    ]
    columns = [Column("Configuration"), *(Column(name, "number") for name in names)]
    return Table.of(caption, columns, rows).without_empty_columns(MISSING)
