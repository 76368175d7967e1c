"""Questions put to a sample piece by piece, in the memory that a piece takes, and the findings that answer them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from varprop._typing import Float64Array
from varprop.model.quantities import QUANTITIES
from varprop.model.simulation import Simulation
from varprop.model.sites import Place
from varprop.numerics.moments import Moments
from varprop.stats import equivalence
from varprop.stats.capital import Capital
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


MOST_COVARIANCES = 2048
"""Columns whose products are kept, each of some 200 MB then: of more a test that takes them gives no verdict."""
Answer = TypeVar("Answer")
Mapped = TypeVar("Mapped")


@dataclass(frozen=True, slots=True)
class Ends:
    """What is known of every column's values before they are seen, which bets on their means go by.

    Numbers, or arrays with one for each column: the two ends, and where the high one is infinite a scale.
    """

    low: float | Float64Array
    high: float | Float64Array = math.inf
    unit: float | Float64Array = 1.0


@dataclass(frozen=True, slots=True)
class SampleTable:
    """Numbers of shape (networks, columns) of a piece of a sample, and where each column was measured.

    ``joint`` tells that products of columns are needed too, ``thirds`` that third moments of pairs are, and ``ends`` that
    means are to be judged by bets.
    """

    values: Float64Array
    places: tuple[Place, ...]
    joint: bool = False
    thirds: bool = False
    ends: Ends | None = None

    def summed(self, rows: slice = slice(None)) -> Summed:
        """Return the sums over the rows that conclusions follow from."""
        values = self.values[rows]
        if (self.joint or self.thirds) and values.shape[1] > MOST_COVARIANCES:
            msg = (
                f"this takes the covariances of {values.shape[1]:,} columns, and {MOST_COVARIANCES:,} fit into memory; "
                "ask about fewer layers, as in layers = [1, 500], or sample a network of fewer"
            )
            raise UndecidableError(msg)
        moments = Moments.of(values, joint=self.joint, thirds=self.thirds)
        if self.ends is None:
            return Summed(moments, self.places)
        bets = Capital.of(values, low=self.ends.low, high=self.ends.high, unit=self.ends.unit)
        return Summed(moments, self.places, bets)


@dataclass(frozen=True, slots=True)
class Summed:
    """The moments of a table over all pieces, and the bets on its columns if there are any."""

    moments: Moments
    places: tuple[Place, ...]
    capital: Capital | None = None

    def __add__(self, other: Summed) -> Summed:
        both = None if self.capital is None or other.capital is None else self.capital + other.capital
        return Summed(self.moments + other.moments, self.places, both)

    @property
    def bets(self) -> Capital:
        """The bets on the columns."""
        if self.capital is None:
            msg = "this table was not said to have ends, so nothing was bet on its means"
            raise TypeError(msg)
        return self.capital


@dataclass(frozen=True, slots=True)
class Question(Generic[Answer]):
    """What to take of every network, and what follows from its moments over all of them."""

    tables: Callable[[Simulation], tuple[SampleTable, ...]]
    conclude: Callable[[tuple[Summed, ...]], Answer]

    def then(self, function: Callable[[Answer], Mapped]) -> Question[Mapped]:
        """Ask the same, and make something else of the answer."""
        return Question(self.tables, lambda summed: function(self.conclude(summed)))


class Tally(Generic[Answer]):
    """A question under way: what was added up so far, of a sample that may still grow."""

    def __init__(self, question: Question[Answer]) -> None:
        self._question = question
        self._summed: tuple[Summed, ...] = ()
        self.error: ValueError | TypeError | None = None
        """What there was instead of tables, `UndecidableError` if it is about the data; no further piece can mend it."""

    def add(self, piece: Simulation) -> None:
        """Take the tables of one piece, unless there was an error before."""
        if self.error is not None:
            return
        try:
            found = _summed(self._question.tables(piece))
        except UndecidableError as error:
            said = f"{error} (networks counted from {piece.first})" if piece.first else str(error)
            self.error = UndecidableError(said)
        except (ValueError, TypeError) as error:
            self.error = error
        else:
            pairs = zip(self._summed, found, strict=True) if self._summed else ()
            self._summed = tuple(before + more for before, more in pairs) or found

    def answer(self) -> Answer | ValueError | TypeError:
        """Return the answer that follows from the pieces so far, or the error that there is instead."""
        if self.error is not None:
            return self.error
        try:
            with judging():
                return self._question.conclude(self._summed)
        except UndecidableError as error:
            return error


def ask(questions: Sequence[Question[Answer]], simulation: Simulation) -> list[Answer | ValueError | TypeError]:
    """Put questions to a sample, all of them in one reading."""
    tallies = [Tally(question) for question in questions]
    for piece in simulation.chunks() if tallies else ():
        for tally in tallies:
            tally.add(piece)
    tallies.reverse()
    return [tallies.pop().answer() for _ in range(len(tallies))]  # what was summed goes with each: it can be large


def _summed(tables: Sequence[SampleTable]) -> tuple[Summed, ...]:
    with judging():
        return tuple(table.summed() for table in tables)


class Measured:
    """A simulation's values by quantity and place, always of shape (networks, inputs)."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def has(self, quantity: str) -> bool:
        """Tell whether the quantity was recorded."""
        return quantity in self._simulation.quantities

    def at(self, quantity: str, place: Place) -> Float64Array:
        """Values of one quantity at one place."""
        values = self._simulation.column(quantity, place)
        return values if values.ndim == 2 else values[:, None]

    def table(self, quantity: str) -> tuple[Float64Array, tuple[Place, ...]]:
        """All values of one quantity averaged over the inputs, (networks, places), in the order the signal travels.

        Gradients travel from the last layer to the first.
        """
        values = self._simulation.values(quantity)
        if values.ndim == 3:
            values = values.mean(axis=2)
        return values[:, ::-1] if _backward(quantity) else values, self.places(quantity)

    def places(self, quantity: str) -> tuple[Place, ...]:
        """Places of one quantity, in the order the signal travels."""
        places = self._simulation.places(quantity)
        return places[::-1] if _backward(quantity) else places

    def require_separate_inputs(self) -> None:
        """Refuse averages over several inputs: a step starts from each input's own value."""
        if len(self._simulation.inputs) > 1 and not self._simulation.per_input:
            msg = (
                f"a step test needs the {len(self._simulation.inputs)} inputs apart, but they were averaged; "
                "sample again with simulate(..., per_input=True)"
            )
            raise ValueError(msg)


def _backward(quantity: str) -> bool:
    """Tell whether a quantity travels from the last layer to the first."""
    return QUANTITIES[quantity].place == "gradient"
