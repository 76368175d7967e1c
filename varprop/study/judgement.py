"""From the evidence for a study's claims to its verdicts at this look, and to the record of its looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varprop.study.looks import Look, judged_by, with_look
from varprop.study.standing import Standing
from varprop.verification.compare import COLUMNS, Found, tabulate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdicts, how the study stood when they were given, all looks, this one among them, and the evidence."""

    verdicts: pd.DataFrame
    standing: Standing
    looks: tuple[Look, ...]
    found: tuple[Found, ...] = ()


def judgement(standing: Standing, find: Callable[[Standing], list[Found]]) -> Judgement:
    """Judge everything that a study states."""
    import pandas as pd

    if not standing.stated:  # a study may sample and plot without claiming anything
        return Judgement(pd.DataFrame(columns=list(COLUMNS)), standing, standing.looks)
    found = find(standing)
    standing = standing.counting(claim.counts for _, claim, _ in found)
    verdicts = tabulate(found, standing.allowances(), alpha=standing.alpha)
    rows = verdicts[verdicts["verdict"].notna()]
    p_values = zip(rows["p_equivalence"].astype(float), rows["p_refute"].astype(float), strict=True)
    return Judgement(verdicts, standing, with_look(standing.looks, judged_by(standing.look(), p_values)), tuple(found))
