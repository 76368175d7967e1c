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
    summed: list[tuple[Summed, ...] | ValueError | TypeError | None] = [None] * len(questions)
    for piece in simulation.chunks() if questions else ():
        for i, question in enumerate(questions):
            before = summed[i]
            if isinstance(before, Exception):
                continue
            try:
                found = _summed(question.tables(piece))
            except UndecidableError as error:
                said = f"{error} (networks counted from {piece.first})" if piece.first else str(error)
                summed[i] = UndecidableError(said)
            except (ValueError, TypeError) as error:
                summed[i] = error
            else:
                summed[i] = found if before is None else tuple(a + b for a, b in zip(before, found, strict=True))
    answers: list[Answer | ValueError | TypeError] = []
    for question, sums in zip(questions, summed, strict=True):
        answer = _answer(question, sums)
        answers.append(answer)
    return answers


def _summed(tables: Sequence[Table]) -> tuple[Summed, ...]:
    with judging():
        return tuple(Summed(Moments.of(table.values, joint=table.joint), table.places) for table in tables)


def _answer(
    question: Question[Answer], summed: tuple[Summed, ...] | ValueError | TypeError | None
) -> Answer | ValueError | TypeError:
    if isinstance(summed, Exception):
        return summed
    try:
        with judging():
            return question.conclude(summed or ())
    except UndecidableError as error:
        return error
