"""How far a test's estimate lies from its prediction: as a number to compare by, and in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from varprop.plot.records import Record, compared_in, is_standardised, margin_in, text_in, value_in
from varprop.plot.wording import MISSING, axis_label, count, interval, number, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMPARED = {
    "directional": "gain per layer/claimed bound",
    "typical_directional": "gain per layer of a typical network/claimed bound",
    "level": "mean/claimed bound",
    "growth_rate": "gain per layer, measured/predicted",
}


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
