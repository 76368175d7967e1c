"""Evidence for claims that a quantity lies below, or above, a stated bound in every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from varprop.model.simulation import Simulation
from varprop.stats import equivalence, power
from varprop.stats.levels import level_layers
from varprop.verification.chain import Measured
from varprop.verification.claims import Claim
from varprop.verification.findings import Evidence, Finding, join_notes
from varprop.verification.judging import in_layers
from varprop.verification.questions import Question, Summed, Table


def level_of_layers(claim: Claim, _simulation: Simulation) -> Question[Evidence]:
    """Ask for the mean over networks in every layer, and hold it against the claim's bound."""
    bound = claim.bound

    def tables(piece: Simulation) -> tuple[Table, ...]:
        return (in_layers(claim, Table(*Measured(piece).table(claim.quantity))),)

    def conclude(summed: tuple[Summed, ...]) -> Evidence:
        (values,) = summed
        outcomes = level_layers(values.moments, bound=bound)
        findings = [
            Finding(place, outcome, bound, scale="relative")
            for place, outcome in zip(values.places, outcomes, strict=True)
        ]
        return beyond_bound(claim, findings)

    return Question(tables, conclude)


def beyond_bound(claim: Claim, findings: Sequence[Finding]) -> Evidence:
    """Judge a claim that every layer has to meet; the headline is the layer that decides."""
    sides = [equivalence.directional(finding.outcome, 0.0, direction=claim.direction) for finding in findings]
    p_support, p_refute = equivalence.combine_layers(*map(list, zip(*sides, strict=True)))
    decisive = findings[_nearest(claim, findings)]

    def required(alpha: float, m: int) -> int | None:
        return power.networks_to_decide_direction(
            decisive.outcome, 0.0, direction=claim.direction, alpha=alpha, m=m, layers=len(findings)
        )

    pvalue = min(1.0, len(findings) * min(finding.outcome.pvalue for finding in findings))
    headline = replace(decisive, outcome=replace(decisive.outcome, pvalue=pvalue))
    said = f"decided by layer {decisive.place[0]}" if decisive.place is not None and len(findings) > 1 else ""
    note = join_notes(f"claimed {claim.direction} {claim.bound:.4g}", said, decisive.outcome.note)
    return Evidence(tuple(findings), headline, p_support, p_refute, required, note)


def _nearest(claim: Claim, findings: Sequence[Finding]) -> int:
    """Position of the layer that lies farthest on the wrong side of the bound, or nearest to it on the right one."""
    sign = 1.0 if claim.direction == "below" else -1.0

    def excess(i: int) -> float:
        outcome = findings[i].outcome
        return sign * outcome.statistic

    return max(range(len(findings)), key=lambda i: (excess(i), sign * findings[i].outcome.theta))
