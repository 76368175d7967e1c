"""What is claimed of a framework's defaults, held against what it draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop._typing import RNGLike
from varprop.bridges.catalogue import Bridge, StatedInitializer
from varprop.bridges.defaults import DefaultClaim
from varprop.model.laws import Fans
from varprop.numerics.streams import root_sequence
from varprop.stats.equivalence import Decision
from varprop.verification.audit.drawing import bound
from varprop.verification.audit.frameworks import audit_case
from varprop.verification.audit.result import ALPHA, Audit
from varprop.verification.claims import Claim
from varprop.verification.verdict import Comparison, Verdict

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "claim",
    "statement",
    "corrected",
    "framework",
    "version",
    "entry",
    "law",
    "ratio",
    "ci_low",
    "ci_high",
    "margin",
    "alpha",
    "n_draws",
    "verdict",
    "note",
)
"""Of a table of claims about defaults, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAudit:
    """A claim that an entry follows one of some laws, the audit against each of them, nearest first, and the verdict.

    Of the verdict measured over predicted is the variance over that of the nearest law.
    """

    bridge: Bridge
    case: StatedInitializer
    audits: tuple[Audit, ...]
    verdict: Verdict

    @property
    def nearest(self) -> Audit:
        """The audit against the law that the draws are nearest to."""
        return self.audits[0]


def _judged(
    bridge: Bridge, case: StatedInitializer, claim: DefaultClaim, audits: tuple[Audit, ...], alpha: float
) -> ClaimAudit:
    decision, nearest = _decide(audits), audits[0]
    verdict = Verdict(
        claim=claim_of(claim.claim, claim.statement, claim.corrected, margin=nearest.margin),
        configuration=f"{bridge.name} {bridge.version}, {case.name}",
        verdict=decision,
        measured=over_the_laws(*_ratio(nearest), n_draws=nearest.n_draws),
        alpha=alpha,
        notes=(_refutation(audits) if decision == "refuted" else nearest.note,),
    )
    return ClaimAudit(bridge=bridge, case=case, audits=audits, verdict=verdict)


def claim_of(name: str, statement: str, corrected: str, *, margin: float) -> Claim:
    """Make a claim of what is said of a framework's entry."""
    return Claim(
        id=name, quantity="weights", test="weights_law", statement=statement, corrected=corrected, margin=margin
    )


def over_the_laws(ratio: float, low: float, high: float, *, n_draws: int) -> Comparison:
    """Compare in units of the law's variance; what either is by itself stands on the audit's page."""
    return Comparison(n_networks=n_draws, estimate=ratio, predicted=1.0, ratio=ratio, interval=(low, high))


def _decide(audits: Sequence[Audit]) -> Decision:
    """Supported if one law is, refuted if all are."""
    verdicts = {audit.verdict for audit in audits}
    if "supported" in verdicts:
        return "supported"
    return "refuted" if verdicts == {"refuted"} else "inconclusive"


def _refutation(audits: Sequence[Audit]) -> str:
    """Each law that was refuted and by how much."""
    if audits[0].part("variance") is None:
        # Of the draws themselves, such as the same array again: no law is nearer than another.
        return audits[0].note
    each = ", ".join(f"{one.law} (variance {_ratio(one)[0]:.4g} times its)" for one in audits)
    return f"refuted against {each}"


def audit_claims(
    bridge: Bridge,
    *,
    n_draws: int | None = None,
    alpha: float = ALPHA,
    rng: RNGLike,
    progress: Callable[[str], object] | None = None,
) -> list[ClaimAudit]:
    """Judge every claim that a catalogue lists of its entries.

    Notes
    -----
    Each entry is held against each law of its claims at level alpha over the number of all these tests. If none of them is
    false, no verdict is: one supported law makes a claim true, and a claim is refuted only if all its laws are.
    """
    root = root_sequence(rng)
    pairs = [(case, claim) for case in bridge.cases for claim in case.claims]
    tests = sum(len(claim.laws) for _, claim in pairs)
    found = []
    for case, claim in pairs:
        if progress is not None:
            progress(f"{claim.claim}: {case.name}")
        kept: list[Any] = []
        audits = [
            audit_case(bridge, _drawn_once(case, kept), law, n_draws=n_draws, root=root, alpha=alpha / tests)
            for law in claim.laws
        ]
        found.append(_judged(bridge, case, claim, tuple(sorted(audits, key=_distance)), alpha))
    return found


def _drawn_once(case: StatedInitializer, kept: list[Any]) -> StatedInitializer:
    """The case with an initialiser that returns what is kept, call by call, and keeps what it has to draw."""
    position = count()
    fans = Fans(case.fan_in or 1, case.fan_out or 1)  # which no function of a catalogue asks for

    def draw(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        call = next(position)
        if call == len(kept):
            kept.append(bound(case.initializer, fans, rng)(shape))
        return kept[call]

    return replace(case, initializer=draw)


def _distance(audit: Audit) -> tuple[bool, float, float]:
    """How far draws are from a law: those that follow it first, then by variance, then by shape, whatever the scale."""
    # Of laws of one variance, such as Xavier's two, no more than rounding is to decide.
    off = round(abs(math.log(_ratio(audit)[0])), 9)
    return audit.verdict != "supported", off, abs(math.log(audit.kurtosis / audit.law_kurtosis))


def _ratio(audit: Audit) -> tuple[float, float, float]:
    """Variance over the law's, with its 95 % interval; NaN if none came to be tested."""
    part = audit.part("variance")
    if part is None:
        return math.nan, math.nan, math.nan
    return part.estimate / part.predicted, part.low / part.predicted, part.high / part.predicted


def claims_frame(found: Sequence[ClaimAudit]) -> pd.DataFrame:
    """One row for each claim about each entry."""
    import pandas as pd

    rows = [
        {
            "claim": one.verdict.claim.id,
            "statement": one.verdict.claim.statement,
            "corrected": one.verdict.claim.corrected,
            "framework": one.bridge.name,
            "version": one.bridge.version,
            "entry": one.case.name,
            "law": one.nearest.law,
            "ratio": one.verdict.measured.ratio,
            "ci_low": one.verdict.measured.interval[0],
            "ci_high": one.verdict.measured.interval[1],
            "margin": one.verdict.claim.margin,
            "alpha": one.verdict.alpha,
            "n_draws": one.verdict.measured.n_networks,
            "verdict": one.verdict.verdict,
            "note": one.verdict.note,
        }
        for one in found
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
