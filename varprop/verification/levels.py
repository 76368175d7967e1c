"""Evidence for claims that a quantity lies below, or above, a stated bound in every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from varprop.model.network import Place
from varprop.model.simulation import Simulation
from varprop.stats import equivalence
from varprop.stats.outcome import Outcome
from varprop.verification.claims import Claim
from varprop.verification.depth import Form, form_of
from varprop.verification.findings import Evidence, Finding, UndecidableError, beyond, join_notes
from varprop.verification.judging import places_of
from varprop.verification.questions import Question, Summed
from varprop.verification.standing import plain_means


def level_of_layers(claim: Claim, simulation: Simulation) -> Question[Evidence]:
    """Ask for the mean over networks in every layer, and hold it against the claim's bound."""
    places = places_of(claim, simulation)
    form = form_of(simulation, claim.quantity)
    if form is not None:
        return _by_steps(claim, form)
    nulls = dict.fromkeys(places, claim.bound)

    def judged(found: list[tuple[Place, Outcome | UndecidableError]]) -> Evidence:
        return beyond_bound(claim, [_at(place, outcome, claim.bound, "relative") for place, outcome in found])

    asked = plain_means("level", simulation, claim.quantity, nulls, scale="relative", bets_alone=True)
    return asked.then(judged)


def _by_steps(claim: Claim, form: Form) -> Question[Evidence]:
    """The mean over depth put together from steps."""

    def conclude(summed: tuple[Summed, ...]) -> Evidence:
        (steps,) = summed
        profile = form.profile(steps, [claim.bound] * len(form.places))
        covered = [i for i, place in enumerate(form.places) if claim.covers(place)]
        outcomes = [(form.places[i], profile.outcome("level", i)) for i in covered]
        return beyond_bound(claim, [_at(place, outcome, claim.bound, "logarithm") for place, outcome in outcomes])

    return Question(form.tables, conclude)


def _at(
    place: Place, outcome: Outcome | UndecidableError, bound: float, scale: Literal["logarithm", "relative"]
) -> Finding:
    """A layer's mean against the bound; raises where it cannot be judged, since the claim is about every layer."""
    if isinstance(outcome, UndecidableError):
        raise outcome
    return Finding(place, outcome, bound, scale=scale)


def beyond_bound(claim: Claim, findings: Sequence[Finding]) -> Evidence:
    """Judge a claim that every layer has to meet; the headline is the layer that decides."""
    sides = [equivalence.directional(finding.outcome, 0.0, direction=claim.direction) for finding in findings]
    p_support, p_refute = equivalence.combine_layers(*map(list, zip(*sides, strict=True)))
    decisive = findings[_nearest(claim, findings)]
    chance = beyond(decisive.outcome, claim.direction, layers=len(findings))
    pvalue = min(1.0, len(findings) * min(finding.outcome.pvalue for finding in findings))
    headline = replace(decisive, outcome=replace(decisive.outcome, pvalue=pvalue))
    said = f"decided by layer {decisive.place[0]}" if decisive.place is not None and len(findings) > 1 else ""
    note = join_notes(f"claimed {claim.direction} {claim.bound:.4g}", said, decisive.outcome.note)
    return Evidence(tuple(findings), headline, p_support, p_refute, chance, note)


def _nearest(claim: Claim, findings: Sequence[Finding]) -> int:
    """Position of the layer that lies farthest on the wrong side of the bound, or nearest to it on the right one."""
    sign = 1.0 if claim.direction == "below" else -1.0

    def excess(i: int) -> float:
        outcome = findings[i].outcome
        return sign * outcome.statistic

    return max(range(len(findings)), key=lambda i: (excess(i), sign * findings[i].outcome.theta))
