"""The usual mistakes of initialisers: each predicts a law of its own, which draws can be held against.

A mistake about the layer is preferred to one about a constant where both predict the same, because it is the more specific:
among constants a factor of 2 explains any layer, while fans that happen to differ by 2 explain this one. Draws of another
shape, with fans in another proportion, tell the two apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from varprop._typing import Float64Array
from varprop.model.initializers import Initializer
from varprop.model.laws import FanMode, Fans, Orthogonal, Reading, Scaled, channels_first, channels_last, check_fans
from varprop.model.shapes import NORMAL, TRUNCATED_NORMAL, UNIFORM, AnyShape
from varprop.stats.equivalence import Decision, combine_layers, decide
from varprop.verification.audit.drawing import REPEATING
from varprop.verification.audit.parts import NOTHING_FOUND, flattened, half_the_variance, is_near, moments_and_law
from varprop.verification.audit.result import Candidate, Limits, Part

CAUSES = {
    "same_array": "every call returns the same array, or one of a few",
    "symmetric_matrix": "a matrix is its own transpose, or the negative of it",
    "equal_lines": "two rows, columns or channels are equal or opposite in every call",
    "permuted_array": "calls return the numbers of one array in another order",
    "replayed_numbers": "the same run of numbers comes again: a generator of a short period, or one that is seeded anew",
    "transposed_layout": "the shape was read in another layout: channels first for last, or outputs for inputs",
    "fan_in_used": "the scale is that of fan_in",
    "fan_out_used": "the scale is that of fan_out",
    "fan_avg_used": "the scale is that of the average of fan_in and fan_out",
    "receptive_field_forgotten": "fans count channels alone, without the positions of the kernel",
    "groups_ignored": "fans count the channels of all groups, though a unit sees those of one",
    "packed_projections": "matrices that are stored in one array were initialised as if they were one, or the reverse",
    "truncation_not_corrected": "a normal law was cut at two standard deviations, and not widened by 1 / 0.8796 before",
    "bound_as_std": "the bound of a uniform law was used as a standard deviation",
    "sqrt3_missing": "a standard deviation was used as the bound of a uniform law, without the factor sqrt(3)",
    "factor_2_missing": "a factor 2 is missing, of the variance or of the standard deviation",
}
"""What is looked for, by name, in the order in which one is preferred to another that predicts the same."""

_PACKED = (2, 3, 4)  # keys and values; queries, keys and values; the gates of an LSTM
_BOUND = math.sqrt(3)  # of a uniform law, in its standard deviations


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A cause, how it would have come about here, and the law that the draws would then have."""

    cause: str
    meaning: str
    law: Initializer


def hypotheses(law: Initializer, shape: tuple[int, ...], fans: Fans, groups: int) -> list[Hypothesis]:
    """What the catalogue predicts for a law, shape and fans, in its order; what would be the law itself is left out."""
    kind = law.law
    if not isinstance(kind, Scaled) or law.variance(*fans) == 0:
        return []  # of other laws it is not known what they would be at another scale
    found: list[tuple[str, str, AnyShape, float]] = [
        (cause, f"{meaning}: the fan is {n:g}", kind.shape, math.sqrt(kind.size / n))
        for cause, meaning, n in _about_fans(kind, shape, fans, groups)
    ]
    std = math.sqrt(law.variance(*fans))
    found += [
        (cause, meaning, other, factor * std / math.sqrt(other.variance))
        for cause, meaning, other, factor in _about_constants(kind)
    ]
    order = list(CAUSES)
    found.sort(key=lambda entry: order.index(entry[0]))
    stated = Scaled(kind.shape, kind.scale(fans))
    made = [
        Hypothesis(cause, meaning, Initializer(name=cause, law=Scaled(other, scale)))
        for cause, meaning, other, scale in found
    ]
    return [hypothesis for hypothesis in made if hypothesis.law.law != stated]


def _about_fans(law: Scaled, shape: tuple[int, ...], fans: Fans, groups: int) -> Iterator[tuple[str, str, float]]:
    """Causes that are a wrong fan n, of a law that is scaled by one."""
    if law.mode is None:
        return
    mode = law.mode
    for reading in other_readings(shape, fans, groups):
        if len(shape) > 2:  # of a matrix it would be the other fan, no more and no less
            yield "transposed_layout", "the shape in the other layout", _fan(mode, *reading.fans)
    for other in get_args(FanMode):
        if other != mode:
            yield f"{other}_used", CAUSES[f"{other}_used"], _fan(other, *fans)
    for receptive in receptive_fields(shape, fans, groups):
        yield "receptive_field_forgotten", f"of {receptive} positions", _fan(mode, *fans) / receptive
    if groups > 1:
        for meaning, grown in (
            ("in fan_in", (fans.fan_in * groups, fans.fan_out)),
            ("in fan_out", (fans.fan_in, fans.fan_out * groups)),
            ("in both fans", (fans.fan_in * groups, fans.fan_out * groups)),
        ):
            yield "groups_ignored", meaning, _fan(mode, *grown)
    for factor in _PACKED:
        yield "packed_projections", f"fan_out of {factor} matrices", _fan(mode, fans.fan_in, fans.fan_out * factor)
        if fans.fan_out % factor == 0:
            one = fans.fan_out // factor
            yield "packed_projections", f"fan_out of one matrix of {factor}", _fan(mode, fans.fan_in, one)


def _fan(mode: FanMode, fan_in: float, fan_out: float) -> float:
    """The n by which a law of that mode is scaled."""
    return {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]


def _about_constants(law: Scaled) -> Iterator[tuple[str, str, AnyShape, float]]:
    """Causes that are a wrong constant: the shape that draws then have, and their standard deviation over the law's."""
    if law.shape in (NORMAL, TRUNCATED_NORMAL):
        # Not widened: what should be left after the cut was there before it.
        left = math.sqrt(TRUNCATED_NORMAL.variance)
        yield "truncation_not_corrected", "0.774 of the variance is left", TRUNCATED_NORMAL, left
    yield "bound_as_std", "a normal law of sqrt(3) standard deviations", NORMAL, _BOUND
    if law.shape == UNIFORM:
        yield "bound_as_std", "a uniform law of sqrt(3) standard deviations", UNIFORM, _BOUND
    yield "sqrt3_missing", "a uniform law within one standard deviation", UNIFORM, 1 / _BOUND
    yield "factor_2_missing", "half the variance", law.shape, math.sqrt(0.5)
    yield "factor_2_missing", "half the standard deviation", law.shape, 0.5


# ---- fans: those given, those read from the shape, and other readings -----------------------------------------------


def fans_of(shape: tuple[int, ...], fan_in: int | None, fan_out: int | None, *, groups: int, needed: bool) -> Fans:
    """The fans given, and in place of those not given what the shape says with channels first."""
    if len(shape) >= 2:
        read = channels_first(shape, groups).fans
    elif needed and (fan_in is None or fan_out is None):
        msg = f"shape {shape} has no fans to read, and the law depends on them; give fan_in and fan_out"
        raise ValueError(msg)
    else:
        read = Fans(1, max(1, math.prod(shape)))
    return check_fans(read.fan_in if fan_in is None else fan_in, read.fan_out if fan_out is None else fan_out)


def other_readings(shape: tuple[int, ...], fans: Fans, groups: int) -> list[Reading]:
    """What the shape says in a layout that is not the one of the fans."""
    if len(shape) < 2:
        return []
    readings = [channels_first(shape, groups), channels_last(shape, groups)]
    return [reading for reading in readings if reading.fans != fans]


def receptive_fields(shape: tuple[int, ...], fans: Fans, groups: int) -> list[int]:
    """Positions of the kernel, > 1, in the layouts that agree with the fans; in both if neither does."""
    if len(shape) < 3:
        return []
    readings = [channels_first(shape, groups), channels_last(shape, groups)]
    agreeing = [reading for reading in readings if reading.fans == fans] or readings
    sizes = {reading.receptive for reading in agreeing}
    return sorted(size for size in sizes if size > 1)


# ---- explanations ----------------------------------------------------------------------------------------------------


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
