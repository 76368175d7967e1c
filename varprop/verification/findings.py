"""What a sample says for and against a claim, before anyone knows how many claims the report has."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from varprop.model.sites import Place
from varprop.stats import equivalence
from varprop.stats.chances import chance_to_decide
from varprop.stats.equivalence import Direction
from varprop.stats.outcome import Outcome

ROUNDING = 1e-5
"""Departure that the rounding of single precision may leave in a network of some hundred layers."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One estimate at one place (None: over the whole network), with what was predicted there.

    ``scale`` tells what theta is: log(estimate / predicted), estimate / predicted - 1, or their difference.
    """

    place: Place | None
    outcome: Outcome
    predicted: float
    scale: Literal["logarithm", "relative", "difference"] = "logarithm"

    @property
    def estimate(self) -> float:
        """Estimate in the quantity's own units."""
        compared = self.compared(self.outcome.theta)
        return compared if self.scale == "difference" else min(self.predicted * compared, sys.float_info.max)

    @property
    def ratio(self) -> float:
        """Estimate over predicted; NaN where they are compared by their difference."""
        return math.nan if self.scale == "difference" else self.compared(self.outcome.theta)

    def compared(self, theta: float) -> float:
        """What tables show of a value on the scale of theta: a ratio, or the estimate itself."""
        if self.scale == "logarithm":
            return _exp(theta)
        return (1.0 if self.scale == "relative" else self.predicted) + theta


def _exp(theta: float) -> float:
    """e^theta; the largest number there is where it is larger, infinity for no bound on a side, and NaN for no interval."""
    return sys.float_info.max if _LARGEST_LOG <= theta < math.inf else math.exp(theta)


_LARGEST_LOG = math.log(sys.float_info.max)

Chance = Callable[[float, float], float]
"""From a number of networks in all, counted as the headline's outcome counts them, and the one-sided level of a verdict then
to the chance that a verdict falls."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Findings layer by layer, the one that decides, and the p-values for and against the claim as a whole.

    ``chance`` foresees larger samples; None if they decide nothing. ``counts`` is False where no verdict can be false by
    chance, so that the claim takes no part of alpha.
    """

    layers: tuple[Finding, ...]
    headline: Finding
    p_support: float
    p_refute: float
    chance: Chance | None
    note: str = ""
    counts: bool = True


def within(outcome: Outcome, delta: float, *, layers: int = 1) -> Chance:
    """Foresee a claim that theta lies within a margin; of one about many layers, by the layer that decides."""

    def chance(networks: float, level: float) -> float:
        return chance_to_decide(outcome, networks, level=level, low=-delta, high=delta, layers=layers)

    return chance


def beyond(outcome: Outcome, direction: Direction, *, layers: int = 1) -> Chance:
    """Foresee likewise a claim that theta lies below 0, or above."""
    low, high = (-math.inf, 0.0) if direction == "below" else (0.0, math.inf)

    def chance(networks: float, level: float) -> float:
        return chance_to_decide(outcome, networks, level=level, low=low, high=high, layers=layers)

    return chance


class UndecidableError(ValueError):
    """A sample that a test cannot judge, such as one in which every network is dead."""


Placed = tuple[Place, Finding | UndecidableError]
"""A place, and what is found there or why nothing can be."""


@contextmanager
def judging() -> Iterator[None]:
    """Around a call into statistics: what it refuses is a matter of these data, not of the question."""
    try:
        yield
    except ValueError as error:
        raise UndecidableError(str(error)) from error


def about_all_layers(findings: Sequence[Finding], delta: float, note: str) -> Evidence:
    """Judge a claim that every layer has to meet; the headline is the layer that decides."""
    outcomes = [finding.outcome for finding in findings]
    joint = equivalence.all_layers(outcomes, delta)
    decisive = findings[joint.deciding]

    place = decisive.place
    said = f"decided by layer {place[0]}" if place is not None and len(findings) > 1 else ""
    return Evidence(
        tuple(findings),
        decisive,
        joint.p_equivalence,
        joint.p_refute,
        within(decisive.outcome, delta, layers=len(outcomes)),
        join_notes(said, note, decisive.outcome.note),
    )


def about_one(layers: Sequence[Finding], headline: Finding, delta: float, note: str = "") -> Evidence:
    """Judge a claim about a single number."""
    return Evidence(
        tuple(layers),
        headline,
        equivalence.p_equivalence(headline.outcome, delta),
        equivalence.p_refute(headline.outcome, delta),
        within(headline.outcome, delta),
        join_notes(note, headline.outcome.note),
    )


def join_notes(*notes: str) -> str:
    """Put notes into one, each once."""
    return "; ".join(dict.fromkeys(note for note in notes if note))


def p_value(p: float) -> str:
    """Write a p-value into a note, also one that is smaller than any number.

    >>> p_value(0.01234), p_value(0.0)
    ('p = 0.012', 'p < 1e-300')
    """
    return f"p = {p:.2g}" if p > 1e-300 else "p < 1e-300"
