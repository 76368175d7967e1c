"""What an audit found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varprop._arguments import checked, quoted
from varprop.model.cards import card
from varprop.model.laws import Fans
from varprop.stats.equivalence import Decision, check_budget, decide
from varprop.verification.claims import SYMBOLS

if TYPE_CHECKING:
    import pandas as pd

MARGIN, DISTANCE, ALPHA = 0.02, 0.05, 1e-6
"""What an audit takes for agreement, and how rarely it errs, unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What counts as agreement, and how rarely a verdict may be false."""

    margin: float
    distance: float
    alpha: float

    def __post_init__(self) -> None:
        for name, value in (("margin", self.margin), ("distance", self.distance)):
            if not 0.0 < value < 1.0:
                msg = f"{name} must lie in (0, 1), got {quoted(value)}; write 0.05 for 5 %"
                raise ValueError(msg)
        check_budget(self.alpha, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that was looked at."""

    name: str
    p_support: float
    p_refute: float
    pvalue: float = 1.0
    gate: bool = False
    estimate: float = math.nan
    predicted: float = math.nan
    low: float = math.nan
    high: float = math.nan
    margin: float = math.nan
    n_required: int | None = None
    cause: str | None = None
    note: str = ""

    @classmethod
    def certain(
        cls,
        name: str,
        *,
        holds: bool,
        gate: bool = True,
        estimate: float = math.nan,
        predicted: float = math.nan,
        cause: str | None = None,
        note: str = "",
    ) -> Part:
        """A part that chance has nothing to do with."""
        against = 1.0 if holds else 0.0
        return cls(
            name=name,
            p_support=1.0 - against,
            p_refute=against,
            pvalue=against,
            gate=gate,
            estimate=estimate,
            predicted=predicted,
            cause=cause,
            note=note,
        )

    def verdict(self, alpha: float, m: int) -> str:
        """Verdict on this part alone."""
        if not self.gate:
            return decide(self.p_support, self.p_refute, level=alpha / m)
        return "refuted" if self.p_refute <= alpha / m else "not refuted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A cause that was tested: what it predicts, and the evidence that the draws are what it predicts.

    ``ratio`` is the predicted variance over the law's. ``p_support`` is 1 where the draws' variance is not even near it.
    """

    cause: str
    meaning: str
    ratio: float
    p_support: float
    supported: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Audit:
    """The verdict on an initialiser's claim to follow a law, the parts it rests on, and the likeliest cause if refuted.

    Parameters
    ----------
    initializer : str
        Name of what was audited.
    law : str
        The law that it claims.
    shape : tuple of int
        What it was asked for.
    fans : Fans
        fan_in and fan_out of the law.
    n_draws, n_calls : int
        Number of single weights looked at, and of calls that they came from.
    margin : float
        Largest departure of the variance, relative, and of the mean, in standard deviations, that counts as agreement.
    alpha : float
        Bound on the probability that the verdict is false.
    parts : tuple of Part
        What was looked at.
    candidates : tuple of Candidate
        Causes tested, in the order in which one is preferred to another; none unless the law is refuted.
    verdict : {"supported", "refuted", "inconclusive"}
        Supported if every part is shown to lie within its margin, and nothing is found against those without one.
    cause : str or None
        A name of `varprop.verification.audit.causes.CAUSES`; None if the law is not refuted or no cause explains the draws.
    note : str
        What a reader should know: what the cause means, and the others that predict the same here.
    kurtosis, law_kurtosis : float
        E[(w - mean)^4] / variance^2 of the draws and of the law, with the law's mean: 3 if normal, 2.366 if that is cut at two
        standard deviations, 9/5 if uniform. NaN where there is none, or the law's is not known.
    """

    initializer: str
    law: str
    shape: tuple[int, ...]
    fans: Fans
    n_draws: int
    n_calls: int
    margin: float
    alpha: float
    parts: tuple[Part, ...]
    candidates: tuple[Candidate, ...] = ()
    verdict: Decision
    cause: str | None = None
    note: str = ""
    kurtosis: float = math.nan
    law_kurtosis: float = math.nan

    @checked
    def part(self, name: str) -> Part | None:
        """The part of that name, if it was looked at.

        Raises
        ------
        TypeError
            If an argument is of another kind.
        """
        return next((part for part in self.parts if part.name == name), None)

    @property
    def pvalue(self) -> float:
        """Of the point null that the draws follow the law exactly: the parts' smallest times their number, at most 1.

        Returns
        -------
        float
        """
        return min(1.0, len(self.parts) * min(part.pvalue for part in self.parts))

    def to_frame(self) -> pd.DataFrame:
        """One row for each part.

        Returns
        -------
        DataFrame
            Columns ``part``, ``estimate``, ``predicted``, ``ci_low``, ``ci_high``, ``pvalue``, ``p_equivalence``,
            ``p_refute``, ``margin``, ``alpha``, ``verdict`` and ``note``.
        """
        import pandas as pd

        rows = [
            {
                "part": part.name,
                "estimate": part.estimate,
                "predicted": part.predicted,
                "ci_low": part.low,
                "ci_high": part.high,
                "pvalue": part.pvalue,
                "p_equivalence": part.p_support,
                "p_refute": part.p_refute,
                "margin": part.margin,
                "alpha": self.alpha / len(self.parts),
                "verdict": part.verdict(self.alpha, len(self.parts)),
                "note": part.note,
            }
            for part in self.parts
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        cause = f", cause {self.cause!r}" if self.cause else ""
        return f"Audit({self.initializer} {self.shape} against {self.law}: {self.verdict!r}{cause}, {self.n_draws:,} draws)"

    def _repr_html_(self) -> str:
        facts = {
            "verdict": f"{SYMBOLS[self.verdict]} {self.verdict}",
            **({"cause": self.cause} if self.cause else {}),
            **({"note": self.note} if self.note else {}),
            "fans": f"fan_in {self.fans.fan_in}, fan_out {self.fans.fan_out}",
            "draws": f"{self.n_draws:,} in {self.n_calls:,} calls, margin {100 * self.margin:g} %, alpha {self.alpha:g}",
        }
        parts = [(part.name, part.verdict(self.alpha, len(self.parts)), _told(part)) for part in self.parts]
        title = f"Audit of {self.initializer} {self.shape} against {self.law}"
        return card(title, facts, ("part", "verdict", "measured"), parts)

    def __str__(self) -> str:
        """All of it, for reading."""
        lines = [
            f"{self.initializer} {self.shape} against {self.law}, fan_in {self.fans.fan_in}, fan_out {self.fans.fan_out}: "
            f"{self.verdict}" + (f", cause: {self.cause}" if self.cause else ""),
            *([self.note] if self.note else []),
            f"{self.n_draws:,} draws in {self.n_calls:,} calls, margin {100 * self.margin:g} %, alpha {self.alpha:g}",
        ]
        lines += [
            f"  {part.name:<16}{part.verdict(self.alpha, len(self.parts)):<13}{_told(part)}" for part in self.parts
        ]
        if self.candidates:
            lines.append("causes tested:")
        lines += [
            f"  {candidate.cause:<27}{'supported' if candidate.supported else 'no':<11}"
            f"variance times {candidate.ratio:.4g}: {candidate.meaning}"
            for candidate in self.candidates
        ]
        return "\n".join(lines)


def _told(part: Part) -> str:
    """Numbers and note of a part in one line."""
    if math.isnan(part.estimate):
        return part.note
    interval = "" if math.isnan(part.low) else f" [{part.low:.4g}, {part.high:.4g}]"
    predicted = "" if math.isnan(part.predicted) else f", law {part.predicted:.4g}"
    return f"{part.estimate:.4g}{interval}{predicted}" + (f"; {part.note}" if part.note else "")
