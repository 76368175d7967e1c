"""What a notebook shows of a run: its claims, with the verdicts that are known already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from varprop.model.cards import card
from varprop.study.study import Scope, Study, facts_of, held_against, statement_of
from varprop.verification.claims import SYMBOLS, VERDICTS
from varprop.verification.verdicts import Verdict

UNTESTED = "not tested yet: verdicts() does"


def run_card(study: Study, folder: str, used: Mapping[str, int], verdicts: Sequence[Verdict] | None) -> str:
    """Describe a run: what was sampled, and a row for each claim."""
    fewest, most = min(used.values()), max(used.values())
    sampled = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    facts = {"networks": f"{sampled} of each configuration", **facts_of(study), "folder": folder}
    rows = [
        (scope.claim.id, statement_of(scope), held_against(scope), _told(verdicts, scope), scope.claim.expect or "")
        for scope in study.scopes
    ]
    return card(f"Run: {study.title}", facts, ("claim", "statement", "test", "verdicts", "expected"), rows)


def _told(verdicts: Sequence[Verdict] | None, scope: Scope) -> str:
    if verdicts is None:
        return UNTESTED
    counts = Counter(one.verdict for one in verdicts if one.claim == scope.claim)
    return ", ".join(f"{SYMBOLS[verdict]} {counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
