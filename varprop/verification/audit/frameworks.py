"""All initialisers of a framework against the law that its documentation states, and what is stated of its layers' defaults."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop._arguments import quoted
from varprop._typing import RNGLike
from varprop.bridges.catalogue import Bridge, DefaultClaim, StatedInitializer
from varprop.model.initializers import InitializerLike
from varprop.model.laws import Fans
from varprop.numerics.randomness import named_generator, root_sequence
from varprop.stats.equivalence import Decision
from varprop.verification.audit.auditing import audit
from varprop.verification.audit.drawing import bound
from varprop.verification.audit.result import ALPHA, Audit
from varprop.verification.claims import Claim
from varprop.verification.verdict import Comparison, Verdict

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class CaseAudit:
    """An initialiser of a framework and what came out."""

    case: StatedInitializer
    audit: Audit

    @property
    def contradicts(self) -> bool:
        """True if what the documentation states is refuted."""
        return self.case.documented and self.audit.verdict == "refuted"

    @property
    def shape(self) -> str:
        """What was asked for: ``64x3x3``."""
        return "x".join(map(str, self.audit.shape))

    @property
    def variance_ratio(self) -> float:
        """Variance of the draws over the law's; NaN if none came to be tested."""
        part = self.audit.part("variance")
        return math.nan if part is None else part.estimate / part.predicted


def audit_bridge(
    bridge: Bridge,
    *,
    only: str | None = None,
    n_draws: int | None = None,
    rng: RNGLike,
    progress: Callable[[str], object] | None = None,
) -> list[CaseAudit]:
    """Audit every initialiser of a framework."""
    return list(_audits(bridge, _wanted(bridge, only), n_draws, rng, progress))


def _wanted(bridge: Bridge, only: str | None) -> list[StatedInitializer]:
    cases = [case for case in bridge.cases if only is None or only.lower() in case.name.lower()]
    if not cases:
        names = ", ".join(dict.fromkeys(case.name for case in bridge.cases))
        msg = f"no initialiser of {bridge.name} has {quoted(only)} in its name; there are {names}"
        raise ValueError(msg)
    return cases


def _audits(
    bridge: Bridge,
    cases: list[StatedInitializer],
    n_draws: int | None,
    rng: RNGLike,
    progress: Callable[[str], object] | None,
) -> Iterator[CaseAudit]:
    root = root_sequence(rng)
    for case in cases:
        if progress is not None:
            progress(case.name)
        yield CaseAudit(case, audit_case(bridge, case, case.law, n_draws=n_draws, root=root))


def audit_case(
    bridge: Bridge,
    case: StatedInitializer,
    law: InitializerLike,
    *,
    n_draws: int | None,
    root: np.random.SeedSequence,
    alpha: float = ALPHA,
) -> Audit:
    """Hold one initialiser against a law, be it the stated one or another: the draws are the same."""
    seed = f"{root.entropy} {root.spawn_key}"
    generator = named_generator("audit", seed, bridge.name, case.name, case.statement)
    with bridge.seeded(int(generator.integers(2**32))):
        return audit(
            case.initializer,
            case.shape,
            law=law,
            fan_in=case.fan_in,
            fan_out=case.fan_out,
            groups=case.groups,
            n_draws=n_draws,
            alpha=alpha,
            rng=generator,
        )


def to_frame(found: Sequence[CaseAudit]) -> pd.DataFrame:
    """One row for each initialiser."""
    import pandas as pd

    rows = [
        {
            "initializer": one.case.name,
            "verdict": one.audit.verdict,
            "cause": one.audit.cause,
            "variance_ratio": one.variance_ratio,
            "kurtosis": one.audit.kurtosis,
            "law_kurtosis": one.audit.law_kurtosis,
            "shape": one.shape,
            "fan_in": one.audit.fans.fan_in,
            "fan_out": one.audit.fans.fan_out,
            "law": one.audit.law,
            "statement": one.case.statement,
            "source": one.case.source,
            "documented": one.case.documented,
            "n_draws": one.audit.n_draws,
            "note": one.audit.note,
        }
        for one in found
    ]
    return pd.DataFrame(rows)


def parts_frame(found: Sequence[CaseAudit]) -> pd.DataFrame:
    """One row for each part of each initialiser's audit."""
    import pandas as pd

    frames = [
        one.audit.to_frame().assign(initializer=one.case.name, shape=one.shape, statement=one.case.statement)
        for one in found
    ]
    together = pd.concat(frames, ignore_index=True)
    first = ["initializer", "shape", "statement"]
    return together[[*first, *(name for name in together.columns if name not in first)]]


# ---- what is stated --------------------------------------------------------------------------------------------------


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
