"""From the evidence for a study's claims to its verdicts at this look, and to the record of its looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from varprop.study.looks import Look, judged_by, with_look
from varprop.study.standing import Standing
from varprop.verification.compare import Found, verdicts_on
from varprop.verification.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdicts, how the study stood when they were given, and all looks, this one among them."""

    verdicts: tuple[Verdict, ...]
    standing: Standing
    looks: tuple[Look, ...]


def judgement(standing: Standing, find: Callable[[Standing], list[Found]]) -> Judgement:
    """Judge everything that a study states."""
    if not standing.stated:  # a study may sample and plot without claiming anything
        return Judgement((), standing, standing.looks)
    found = find(standing)
    standing = standing.counting(claim.counts for _, claim, _ in found)
    verdicts = verdicts_on(found, standing.allowances(), alpha=standing.alpha)
    p_values = [(one.p_support, one.p_refute) for one in verdicts]
    return Judgement(verdicts, standing, with_look(standing.looks, judged_by(standing.look(), p_values)))
