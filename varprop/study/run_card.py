"""What a notebook shows of a run: its claims, with the verdicts that are known already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from varprop.model.cards import card
from varprop.study.study import Scope, Study, facts_of, held_against, statement_of
from varprop.verification.claims import SYMBOLS, VERDICTS

if TYPE_CHECKING:
    import pandas as pd

UNTESTED = "not tested yet: verdicts() does"


def run_card(study: Study, folder: str, used: Mapping[str, int], verdicts: pd.DataFrame | None) -> str:
    """Describe a run: what was sampled, and a row for each claim."""
    fewest, most = min(used.values()), max(used.values())
    sampled = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    facts = {"networks": f"{sampled} of each configuration", **facts_of(study), "folder": folder}
    found = None if verdicts is None else _by_claim(verdicts)
    rows = [
        (scope.claim.id, statement_of(scope), held_against(scope), _told(found, scope), scope.claim.expect or "")
        for scope in study.scopes
    ]
    return card(f"Run: {study.title}", facts, ("claim", "statement", "test", "verdicts", "expected"), rows)


def _by_claim(verdicts: pd.DataFrame) -> dict[tuple[str, str], Counter[str]]:
    """Count the verdicts of each claim and quantity."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    rows = verdicts[verdicts["verdict"].notna()]
    columns: Iterable[tuple[str, ...]] = zip(
        *(rows[name].astype(str) for name in ("claim", "quantity", "verdict")), strict=True
    )
    for claim, quantity, verdict in columns:
        counts.setdefault((claim, quantity), Counter())[verdict] += 1
    return counts


def _told(found: Mapping[tuple[str, str], Counter[str]] | None, scope: Scope) -> str:
    if found is None:
        return UNTESTED
    counts = found.get((scope.claim.id, scope.claim.quantity), Counter())
    return ", ".join(f"{SYMBOLS[verdict]} {counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
