"""Verdicts -> the tables of a report, and how far an estimate lies from its prediction: as a number, and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varprop._arguments import quoted
from varprop.plot.wording import MISSING, SYMBOLS, axis_label, count, interval, number, percent, pvalue
from varprop.report.blocks import Cell, Column, Table
from varprop.study.files import csv_text
from varprop.verification.claims import Claim
from varprop.verification.verdict import Comparison, Verdict, to_frame

if TYPE_CHECKING:
    import pandas as pd

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
    """The verdicts on one claim that came out alike, and how many there are on it in all."""

    claim: Claim
    verdict: str
    rows: tuple[Verdict, ...]
    n_tests: int

    @property
    def contradicts(self) -> bool:
        """Whether they are the opposite of what the study expects."""
        return any(row.contradicts for row in self.rows)


def ledger_entries(verdicts: Sequence[Verdict], claims: Sequence[Claim]) -> tuple[LedgerEntry, ...]:
    """Group verdicts by claim, in the study's order, and by what they are."""
    entries = []
    for claim in {claim.id: claim for claim in reversed(claims)}.values():
        mine = [one for one in verdicts if one.claim.id == claim.id]
        if not mine:
            msg = f"the run has no verdict on the claim {quoted(claim.id)} of its study; run the study again"
            raise ValueError(msg)
        groups = ((verdict, tuple(one for one in mine if one.verdict == verdict)) for verdict in SYMBOLS)
        entries += [LedgerEntry(claim, verdict, alike, len(mine)) for verdict, alike in groups if alike]
    order = list(dict.fromkeys(claim.id for claim in claims))
    return tuple(sorted(entries, key=lambda entry: order.index(entry.claim.id)))


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


def verdict_table(verdicts: Sequence[Verdict], *, caption: str, file: str) -> Table:
    """Tabulate verdicts: configuration x quantity, with every number behind it."""
    rows = [_texts(one, one.measured, _VERDICT_COLUMNS) for one in verdicts]
    return _with_numbers(Table.of(caption, _VERDICT_COLUMNS, rows), to_frame(verdicts, rows="verdicts"), file)


def layer_table(verdicts: Sequence[Verdict], *, caption: str, file: str) -> Table | None:
    """Tabulate what is there for exploration, layer by layer; None if there is nothing."""
    rows = [_texts(one, layer, _LAYER_COLUMNS) for one in verdicts for layer in one.layers]
    if not rows:
        return None
    return _with_numbers(Table.of(caption, _LAYER_COLUMNS, rows), to_frame(verdicts, rows="layers"), file)


def _with_numbers(table: Table, frame: pd.DataFrame, file: str) -> Table:
    """Put the numbers of a table into a file beside it."""
    return table.without_empty_columns(MISSING).with_file(
        file, csv_text(frame.dropna(axis="columns", how="all")), paper=True
    )


def _texts(one: Verdict, row: Comparison, columns: Sequence[Column]) -> list[str]:
    """Texts of a verdict, or of one of its layers, under the given columns."""
    texts = {
        "Configuration": one.configuration or MISSING,
        "Quantity": axis_label(one.claim.quantity),
        "Layer": f"{row.place[0]}" if row.place else MISSING,
        "Replicates": count(row.n_networks),
        "Measured": number(row.estimate),
        "Predicted": number(row.predicted),
        "Ratio": number(row.ratio),
        "Interval": interval(*row.interval),
        "Margin": margin_of(one),
        "p, no difference": pvalue(row.pvalue),
        "p, adjusted": pvalue(row.adjusted),
        "p, equivalence": pvalue(one.p_support),
        "p, refutation": pvalue(one.p_refute),
        "Level": one.guarantee or MISSING,
        "Verdict": one.verdict,
        "Note": one.note if row is one.measured else row.note,
    }
    return [texts[column.title] for column in columns]


# ---- how far an estimate lies from its prediction ----------------------------------------------------------------------


def departure(one: Verdict) -> float:
    """How far an estimate lies from its prediction, in margins where it has one; -1 if that is not a number."""
    value, margin = one.compared, one.claim.shown_margin
    if one.claim.rule.equality:
        return abs(one.measured.estimate - one.measured.predicted)  # an exact test has no margin
    if math.isnan(value):
        return -1.0
    if one.standardised:
        return abs(value) / (margin if margin > 0 else 1.0)
    if value <= 0:
        return math.inf
    return abs(math.log(value)) / (math.log1p(margin) if margin > 0 else 1.0)


def estimate_of(one: Verdict) -> str:
    """An estimate with its interval: ``measured/predicted 1.007 (0.9800 to 1.030)``."""
    value = one.compared
    named = "mean/root mean square" if one.standardised else _COMPARED.get(one.claim.test, "measured/predicted")
    if math.isnan(value):
        shared = one.claim.rule.equality and not math.isnan(one.measured.interval[0])
        named, value = "share of networks" if shared else "measured", one.measured.estimate
    if math.isnan(value):
        return ""
    bounds = interval(*one.measured.interval)
    return f"{named} {number(value)}{'' if bounds == MISSING else f' ({bounds})'}"


def place_of(one: Verdict) -> str:
    """What a verdict is about: ``relu, he_normal · z²``."""
    return " · ".join(part for part in (one.configuration, axis_label(one.claim.quantity)) if part)


def margin_of(one: Verdict) -> str:
    """A margin: a percentage of the prediction, or of a standardised mean's unit."""
    margin = one.claim.shown_margin
    if math.isnan(margin):
        return MISSING
    return f"±{margin:.4g}" if one.standardised else f"±{percent(margin)}"


def networks_needed(verdicts: Sequence[Verdict]) -> str:
    """How many networks would decide verdicts that are inconclusive, and with what chance."""
    needed = [one.required.networks for one in verdicts]
    known = [n for n in needed if n is not None]
    if not known:
        return "no feasible number of networks would decide it"
    most = max(known)
    if len(known) < len(needed):
        return f"{count(most, 'network')} would decide {len(known)} of these {len(needed)}"
    least = min(one.required.chance or 0.0 for one in verdicts if one.required.networks == most)
    return f"{count(most, 'network')} would decide it with a chance of {100 * least:.0f} %"
