"""Questions put to a sample piece by piece, so that one of any size is judged in the memory that a piece takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from varprop._typing import Float64Array
from varprop.model.simulation import Place, Simulation
from varprop.numerics.moments import Moments
from varprop.verification.findings import UndecidableError, judging

Answer = TypeVar("Answer")
Mapped = TypeVar("Mapped")


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers of shape (networks, columns) of a piece of a sample, and where each column was measured.

    ``joint`` tells that products of columns are needed too.
    """

    values: Float64Array
    places: tuple[Place, ...]
    joint: bool = False


@dataclass(frozen=True, slots=True)
class Summed:
    """The moments of a table over all pieces."""

    moments: Moments
    places: tuple[Place, ...]

    def __add__(self, other: Summed) -> Summed:
        return Summed(self.moments + other.moments, self.places)


@dataclass(frozen=True, slots=True)
class Question(Generic[Answer]):
    """What to take of every network, and what follows from its moments over all of them.

    Parameters
    ----------
    tables : callable
        From a piece of the sample to tables with one row per network. An `UndecidableError` is about these data, any
        other ValueError about the question.
    conclude : callable
        From the tables, summed over the pieces, to the answer; whatever it refuses is about these data.
    """

    tables: Callable[[Simulation], tuple[Table, ...]]
    conclude: Callable[[tuple[Summed, ...]], Answer]

    def then(self, function: Callable[[Answer], Mapped]) -> Question[Mapped]:
        """Ask the same, and make something else of the answer."""
        return Question(self.tables, lambda summed: function(self.conclude(summed)))


class Tally(Generic[Answer]):
    """A question under way: what was added up so far, of a sample that may still grow.

    Parameters
    ----------
    question : Question
        What is asked of every piece.
    """

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
    """Put questions to a sample, all of them in one reading.

    Parameters
    ----------
    questions : sequence of Question
        Any number.
    simulation : Simulation
        In memory, or read from disk piece by piece.

    Returns
    -------
    list
        The answers in order; in place of one the error that there was instead, `UndecidableError` if it is about the data.
    """
    tallies = [Tally(question) for question in questions]
    for piece in simulation.chunks() if tallies else ():
        for tally in tallies:
            tally.add(piece)
    return [tally.answer() for tally in tallies]


def _summed(tables: Sequence[Table]) -> tuple[Summed, ...]:
    with judging():
        return tuple(Summed(Moments.of(table.values, joint=table.joint), table.places) for table in tables)
