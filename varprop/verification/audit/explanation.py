"""From the parts of an audit to its verdict, and from a refuted law to the cause that predicts the draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from varprop._typing import Float64Array
from varprop.model.initializers import Initializer
from varprop.model.laws import Fans, Orthogonal
from varprop.stats.equivalence import Decision, combine_layers, decide
from varprop.verification.audit.causes import CAUSES, Hypothesis
from varprop.verification.audit.orthogonal import NOTHING_FOUND, flattened, half_the_variance
from varprop.verification.audit.parts import is_near, moments_and_law
from varprop.verification.audit.repeats import REPEATING
from varprop.verification.audit.result import Candidate, Limits, Part

_SUSPECT = 1e-3  # of a part that looks for repetition: no evidence yet, but enough to promise nothing of more draws


@dataclass(frozen=True, slots=True)
class Explanation:
    """Cause, if one is named, what to say of it, and the causes that were tested."""

    cause: str | None
    note: str = ""
    candidates: tuple[Candidate, ...] = ()


def verdict_on(parts: Sequence[Part], alpha: float) -> Decision:
    """Every part has to comply (intersection-union), one has to be shown not to (Bonferroni)."""
    # A part without a margin cannot support: it lets the others decide unless it speaks against the law.
    p_support = [(0.0 if part.p_refute > alpha else 1.0) if part.gate else part.p_support for part in parts]
    return decide(*combine_layers(p_support, [part.p_refute for part in parts]), level=alpha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexplained:
    """Draws, the law that they are held against, and what counts as agreement."""

    arrays: Float64Array
    law: Initializer
    fans: Fans
    limits: Limits


def explain(question: Unexplained, parts: Sequence[Part], predicted: Sequence[Hypothesis]) -> Explanation:
    """Name a cause, of a law that is refuted, if its own prediction is supported; else say how things stand."""
    alpha = question.limits.alpha
    verdict = verdict_on(parts, alpha)
    if verdict == "supported":
        if isinstance(question.law.law, Orthogonal):
            return Explanation(None, NOTHING_FOUND if len(parts) > 1 else "")
        close = len(parts) * min(part.pvalue for part in parts) <= alpha
        return Explanation(None, "not the law exactly: a difference shows, but within the margins" if close else "")
    if verdict == "inconclusive":
        return Explanation(None, _undecided(parts))
    refuted = [part.name for part in parts if part.verdict(alpha, len(parts)) == "refuted"]
    shown = _shown([part for part in parts if part.name in refuted], question.law)
    return _preferred(_candidates(question, refuted, predicted)) if shown is None else shown


def _undecided(parts: Sequence[Part]) -> str:
    """How many draws would decide; nothing where they would be the same ones again."""
    if min((part.p_refute for part in parts if part.name in REPEATING), default=1.0) < _SUSPECT:
        return "numbers come again, so that more draws would say nothing new"
    needed = [part.n_required for part in parts if part.n_required is not None]
    if not needed:
        return next((part.note for part in parts if part.name == "values"), "")
    return f"some {max(needed):,} draws would decide"


def _shown(refuted: Sequence[Part], law: Initializer) -> Explanation | None:
    """What parts show by themselves, whatever mean, variance and distribution say; None if nothing."""
    order = list(CAUSES)
    causes = sorted((order.index(part.cause), part.note) for part in refuted if part.cause is not None)
    if causes:
        index, note = causes[0]
        return Explanation(order[index], f"{CAUSES[order[index]]}; {note}" if note else CAUSES[order[index]])
    notes = {part.name: part.note for part in refuted}
    if "values" in notes:
        return Explanation(None, notes["values"])
    if notes.keys() & {"permutation", "transpose", "lines", "independence"}:
        return Explanation(None, "entries depend on each other, so that no law of single ones explains them")
    if isinstance(law.law, Orthogonal) and "orthogonality" not in notes:
        worst = min(refuted, key=lambda part: part.p_refute)
        return Explanation(None, f"not uniformly random (Haar); {worst.name}: {worst.note}")
    if "symmetry" in notes:
        return Explanation(None, f"the law is not symmetric about 0, as its author states; {notes['symmetry']}")
    return None


def _candidates(question: Unexplained, refuted: Sequence[str], predicted: Sequence[Hypothesis]) -> list[Candidate]:
    """All causes, tested."""
    kind = question.law.law
    if not isinstance(kind, Orthogonal):
        level = question.limits.alpha / max(1, len(predicted))
        return [_tested(hypothesis, question, level=level) for hypothesis in predicted]
    # Orthogonal matrices that are not uniformly random have the right variance, which leaves nothing to explain it by.
    return half_the_variance(flattened(question.arrays, kind.gain), kind) if "orthogonality" in refuted else []


def _tested(hypothesis: Hypothesis, question: Unexplained, *, level: float) -> Candidate:
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
