"""How far a verdict's estimate lies from its prediction: as a number to compare by, and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from varprop.report.wording import MISSING, axis_label, count, interval, number, percent
from varprop.verification.verdicts import Verdict

_COMPARED = {
    "directional": "gain per layer/claimed bound",
    "typical_directional": "gain per layer of a typical network/claimed bound",
    "level": "mean/claimed bound",
    "growth_rate": "gain per layer, measured/predicted",
}


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
