"""From the parts of an audit to its verdict, and from a refuted law to the cause that predicts the draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from varprop._typing import Float64Array
from varprop.model.initializers import Initializer
from varprop.model.laws import Fans, Orthogonal
from varprop.stats.equivalence import Verdict, combine_layers, decide
from varprop.verification.audit.causes import CAUSES, Hypothesis
from varprop.verification.audit.orthogonal import flattened, half_the_variance
from varprop.verification.audit.parts import is_near, moments_and_law
from varprop.verification.audit.result import Candidate, Limits, Part


@dataclass(frozen=True, slots=True)
class Explanation:
    """Cause, if one is named, what to say of it, and the causes that were tested."""

    cause: str | None
    note: str = ""
    candidates: tuple[Candidate, ...] = ()


def verdict_on(parts: Sequence[Part], alpha: float) -> Verdict:
    """Every part has to comply (intersection-union), one has to be shown not to (Bonferroni)."""
    # A part without a margin cannot support: it lets the others decide unless it speaks against the law.
    p_support = [(0.0 if part.p_refute > alpha else 1.0) if part.gate else part.p_support for part in parts]
    return decide(*combine_layers(p_support, [part.p_refute for part in parts]), alpha=alpha, m=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Draws, the law that they are held against, and what counts as agreement."""

    arrays: Float64Array
    law: Initializer
    fans: Fans
    limits: Limits


def explain(question: Question, parts: Sequence[Part], predicted: Sequence[Hypothesis]) -> Explanation:
    """Name a cause, of a law that is refuted, if its own prediction is supported; else say how things stand."""
    alpha = question.limits.alpha
    verdict = verdict_on(parts, alpha)
    if verdict == "supported":
        close = len(parts) * min(part.pvalue for part in parts) <= alpha
        return Explanation(None, "not the law exactly: a difference shows, but within the margins" if close else "")
    if verdict == "inconclusive":
        needed = [part.n_required for part in parts if part.n_required is not None]
        return Explanation(None, f"some {max(needed):,} draws would decide" if needed else "")
    refuted = [part.name for part in parts if part.verdict(alpha, len(parts)) == "refuted"]
    plain = {
        "repeats": Explanation("same_array", CAUSES["same_array"]),
        "values": Explanation(None, parts[0].note),
        "independence": Explanation(None, "entries depend on each other, so that no law of single ones explains them"),
    }
    for name, explanation in plain.items():
        if name in refuted:
            return explanation
    return _preferred(_candidates(question, refuted, predicted))


def _candidates(question: Question, refuted: Sequence[str], predicted: Sequence[Hypothesis]) -> list[Candidate]:
    """All causes, tested."""
    kind = question.law.law
    if not isinstance(kind, Orthogonal):
        level = question.limits.alpha / max(1, len(predicted))
        return [_tested(hypothesis, question, level=level) for hypothesis in predicted]
    # Orthogonal matrices that are not uniformly random have the right variance, which leaves nothing to explain it by.
    return half_the_variance(flattened(question.arrays, kind.gain), kind) if "orthogonality" in refuted else []


def _tested(hypothesis: Hypothesis, question: Question, *, level: float) -> Candidate:
    """Hold the draws against what a cause predicts, as they were held against the law."""
    fans, limits = question.fans, question.limits
    variance = hypothesis.law.variance(*fans)
    p_support = 1.0
    if is_near(question.arrays, variance, limits.margin):
        parts = moments_and_law(question.arrays, hypothesis.law, fans, limits)
        p_support = max(float(part.p_refute < 1.0) if part.gate else part.p_support for part in parts)
    return Candidate(
        cause=hypothesis.cause,
        meaning=hypothesis.meaning,
        ratio=variance / question.law.variance(*fans),
        p_support=p_support,
        supported=p_support <= level,
    )


def _preferred(candidates: Sequence[Candidate]) -> Explanation:
    """The first that is supported; the others are told."""
    supported = [candidate for candidate in candidates if candidate.supported]
    if not supported:
        near = ", ".join(dict.fromkeys(candidate.cause for candidate in candidates if candidate.p_support < 1.0))
        said = (
            f"more draws would tell whether it is {near}" if near else "no cause of the catalogue predicts these draws"
        )
        return Explanation(None, said, tuple(candidates))
    first, *others = dict.fromkeys(candidate.cause for candidate in supported)
    note = supported[0].meaning
    if others:
        note += f"; {', '.join(others)} would give the same here, and a layer with other fans tells them apart"
    return Explanation(first, note, tuple(candidates))
