"""Verdict frames -> the tables of a report, and how far an estimate lies from its prediction: as a number to compare by, and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varprop._arguments import quoted
from varprop.plot.records import Record, compared_in, is_standardised, margin_in, text_in, value_in
from varprop.plot.wording import MISSING, SYMBOLS, axis_label, count, interval, number, percent, pvalue
from varprop.report.blocks import Cell, Column, Table
from varprop.study.csv_files import csv_text

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
    Column("Level"),
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
_COMPARED = {
    "directional": "gain per layer/claimed bound",
    "typical_directional": "gain per layer of a typical network/claimed bound",
    "level": "mean/claimed bound",
    "growth_rate": "gain per layer, measured/predicted",
}


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
    """Group the verdicts by claim, in the study's order, and by verdict."""
    decided = verdicts[verdicts["verdict"].notna()]
    by_claim: dict[str, list[Record]] = {claim.id: [] for claim in claims}
    for record in decided.to_dict("records"):
        if record["claim"] not in by_claim:
            msg = f"the run has a verdict on {quoted(record['claim'])}, which the study does not claim; run the study again"
            raise ValueError(msg)
        by_claim[str(record["claim"])].append(record)
    entries = []
    for claim in {claim.id: claim for claim in reversed(claims)}.values():
        rows = by_claim[claim.id]
        if not rows:
            msg = f"the run has no verdict on the claim {quoted(claim.id)} of its study; run the study again"
            raise ValueError(msg)
        for verdict in SYMBOLS:
            mine = tuple(row for row in rows if row["verdict"] == verdict)
            if mine:
                entries.append(LedgerEntry(claim, verdict, mine, len(rows)))
    order = {claim: i for i, claim in enumerate(by_claim)}
    return tuple(sorted(entries, key=lambda entry: order[entry.claim.id]))


def ledger_table(entries: Sequence[LedgerEntry], *, caption: str) -> Table:
    """Build the claim ledger of one study: an id and its verdict always stand side by side."""
    rows = [_ledger_row(entry) for entry in entries]
    table = Table.of(caption, _LEDGER, rows).without_empty_columns(MISSING)
    return table.with_file("tables/ledger.csv", csv_text(_as_frame(table)), paper=True)


def _as_frame(table: Table) -> pd.DataFrame:
    """The texts of a table."""
    import pandas as pd

    return pd.DataFrame([[cell.text for cell in row] for row in table.rows], columns=[c.title for c in table.columns])


def _ledger_row(entry: LedgerEntry) -> list[Cell | str]:
    """Texts of one row of the ledger."""
    worst = max(entry.rows, key=departure)
    tests = f"{len(entry.rows)} of {entry.n_tests}"
    needed = networks_needed(entry.rows) if entry.verdict == "inconclusive" else ""
    remark = "; ".join(part for part in (expectation(entry), needed) if part)
    farthest = "; ".join(part for part in (estimate_of(worst), place_of(worst)) if part)
    claim = Cell(entry.claim.id, claim=entry.claim.id)
    return [claim, entry.verdict, entry.claim.statement, tests, farthest, margin_of(worst), remark]


def expectation(entry: LedgerEntry) -> str:
    """How the verdict stands to what the study expects; empty if it expects nothing."""
    expect = entry.claim.expect
    if expect is None:
        return ""
    if entry.contradicts:
        return f"CONTRADICTS the expectation ({expect})"
    return "as expected" if expect == entry.verdict else f"expected: {expect}"


def verdict_table(verdicts: pd.DataFrame, *, caption: str, file: str) -> Table:
    """Tabulate rows that bear a verdict: configuration x quantity, with every number behind it."""
    return _numbers_table(verdicts[verdicts["verdict"].notna()], _VERDICT_COLUMNS, caption, file)


def layer_table(verdicts: pd.DataFrame, *, caption: str, file: str) -> Table | None:
    """Tabulate rows for exploration, layer by layer; None if there are none."""
    layers = verdicts[verdicts["verdict"].isna()]
    return None if layers.empty else _numbers_table(layers, _LAYER_COLUMNS, caption, file)


def _numbers_table(frame: pd.DataFrame, columns: Sequence[Column], caption: str, file: str) -> Table:
    """The texts of rows of verdicts, and beside them a file with their numbers."""
    rows = [_verdict_row(row, columns) for row in frame.to_dict("records")]
    numbers = csv_text(frame.dropna(axis="columns", how="all"))
    return Table.of(caption, columns, rows).without_empty_columns(MISSING).with_file(file, numbers, paper=True)


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
        "Level": text_in(row, "guarantee") or MISSING,
        "Verdict": text_in(row, "verdict"),
        "Note": text_in(row, "note"),
    }
    return [texts[column.title] for column in columns]


def departure(row: Record) -> float:
    """How far a row's estimate lies from its prediction, in margins where it has one; -1 if that is not a number."""
    value, margin = compared_in(row), margin_in(row)
    if row["test"] == "identity":
        return abs(value_in(row, "estimate") - value_in(row, "predicted"))  # an exact test has no margin
    if math.isnan(value):
        return -1.0
    if is_standardised(row):
        return abs(value) / (margin if margin > 0 else 1.0)
    if value <= 0:
        return math.inf
    return abs(math.log(value)) / (math.log1p(margin) if margin > 0 else 1.0)


def estimate_of(row: Record) -> str:
    """One row's estimate with its interval: ``measured/predicted 1.007 (0.9800 to 1.030)``."""
    value = compared_in(row)
    named = "mean/root mean square" if is_standardised(row) else _COMPARED.get(str(row["test"]), "measured/predicted")
    ends = value_in(row, "ci_low"), value_in(row, "ci_high")
    if math.isnan(value):
        shared = row["test"] == "identity" and not math.isnan(ends[0])
        named, value = "share of networks" if shared else "measured", value_in(row, "estimate")
    if math.isnan(value):
        return ""
    bounds = interval(*ends)
    return f"{named} {number(value)}{'' if bounds == MISSING else f' ({bounds})'}"


def place_of(row: Record) -> str:
    """The configuration and quantity of a row: ``relu, he_normal · z²``."""
    return " · ".join(part for part in (text_in(row, "configuration"), axis_label(str(row["quantity"]))) if part)


def margin_of(row: Record) -> str:
    """A row's margin: a percentage of the prediction, or of a standardised mean's unit."""
    margin = margin_in(row)
    if math.isnan(margin):
        return MISSING
    return f"±{margin:.4g}" if is_standardised(row) else f"±{percent(margin)}"


def networks_needed(rows: Sequence[Record]) -> str:
    """How many networks would decide rows that are inconclusive, and with what chance."""
    needed = [value_in(row, "n_required") for row in rows]
    known = [n for n in needed if not math.isnan(n)]
    if not known:
        return "no feasible number of networks would decide it"
    most = max(known)
    chances = [value_in(row, "chance") for row, n in zip(rows, needed, strict=True) if n == most]
    if len(known) < len(needed):
        return f"{count(most, 'network')} would decide {len(known)} of these {len(needed)}"
    return f"{count(most, 'network')} would decide it with a chance of {100 * min(chances):.0f} %"
