"""Evidence for claims on a sample that grows: what was summed before is kept, and the answers follow whenever they are wanted."""

from __future__ import annotations

from varprop.model.simulation import Simulation
from varprop.numerics.moments import Moments
from varprop.verification.claims import Claim
from varprop.verification.evidence import GATHER
from varprop.verification.findings import Evidence, UndecidableError, judging
from varprop.verification.questions import Question, Summed


class Gathering:
    """Evidence for one claim whose test adds up what it takes of every network.

    Parameters
    ----------
    claim : Claim
        Of a test that asks a `Question`.
    sample : Simulation
        Some of the networks; the claim is checked against it, and nothing is added up yet.

    Raises
    ------
    ValueError
        If the sample lacks what the test needs, or the test is not valid on it.
    TypeError
        If the claim's test judges whole samples and adds nothing up.
    """

    def __init__(self, claim: Claim, sample: Simulation) -> None:
        question = GATHER[claim.test](claim, sample)
        if not isinstance(question, Question):
            msg = f"test {claim.test!r} judges a whole sample; gather its evidence once there is one"
            raise TypeError(msg)
        self._question: Question[Evidence] = question
        self._summed: tuple[Summed, ...] = ()
        self._refused: UndecidableError | None = None

    @property
    def refused(self) -> bool:
        """Whether a network was found that the test cannot judge, which more networks will not change."""
        return self._refused is not None

    def add(self, piece: Simulation) -> None:
        """Add networks, those of one piece of a sample.

        Raises
        ------
        ValueError
            If the test is not valid on them.
        """
        if self.refused:
            return
        try:
            tables = self._question.tables(piece)
            with judging():
                found = tuple(Summed(Moments.of(t.values, joint=t.joint), t.places) for t in tables)
        except UndecidableError as error:
            self._refused = error
            return
        pairs = zip(self._summed, found, strict=True) if self._summed else ()
        self._summed = tuple(before + more for before, more in pairs) or found

    def evidence(self) -> Evidence:
        """Return what all networks so far say.

        Raises
        ------
        UndecidableError
            If the values admit no test.
        """
        if self._refused is not None:
            raise self._refused
        with judging():
            return self._question.conclude(self._summed)
