"""Parts of an audit that look for numbers that are not new: mirrored, copied, put in another order, or come again."""

from __future__ import annotations

import math

import numpy as np

from varprop._typing import Float64Array
from varprop.model.initializers import Initializer
from varprop.model.laws import Custom, Scaled
from varprop.model.shapes import Sparse
from varprop.stats import inspections
from varprop.stats.copies import coincidence, replays, shared_values
from varprop.stats.inspections import Inspection
from varprop.stats.signs import alike_lines, entries_needed, halves, mirror, transposed
from varprop.verification.audit.drawing import Draws
from varprop.verification.audit.result import Part
from varprop.verification.questions import p_value

EQUAL_DRAWS = 2.0**-20
"""More than the probability that two draws of a continuous law are equal in single precision."""
REPEATING = ("repeats", "replay", "permutation")
"""Parts that say whether more draws would be new ones."""
_ALIKE = 0.9  # correlation from which on two lines, or a matrix and its transpose, are called equal or opposite
_NAMES = ("row", "column")  # of lines along the axes of a matrix


def collision(law: Initializer) -> float:
    """At least the probability that two draws of an entry are equal."""
    if law.continuous:
        return EQUAL_DRAWS
    match law.law:
        case Scaled(Sparse(density)):
            return min(1.0, (1 - density) ** 2 + EQUAL_DRAWS)
        case Scaled():
            return 0.5
    return 1 - 1e-3  # a sampler of one's own: anything but a constant


def all_alike(arrays: Float64Array, law: Initializer, alpha: float) -> Part:
    """What is to be said where every entry of every call is one number."""
    # No number has a larger probability than the root of that of two equal draws.
    chance = math.exp((arrays.size - 1) * math.log(collision(law)) / 2.0)
    note = f"every entry of every call is {arrays.flat[0]:g}"
    if chance <= alpha / 100:
        return Part.certain("values", holds=False, note=note)
    return Part(name="values", p_support=1.0, p_refute=chance, note=f"{note}, which may be chance")


def symmetry(arrays: Float64Array, law: Initializer) -> list[Part]:
    """What the author of a sampler states of its symmetry, held against the draws."""
    if not law.symmetry_declared:
        return []
    look = mirror(arrays)
    return [_part("symmetry", {"signs by magnitude": look}, note=f"as declared; {look.what}, {p_value(look.pvalue)}")]


def new_numbers(drawn: Draws, law: Initializer, alpha: float, rng: np.random.Generator) -> list[Part]:
    """Everything of entries that should be independent: of the order of a stream, of two calls, and within a matrix."""
    arrays = drawn.arrays
    differences = halves(arrays)  # of which the signs are fair whatever the law
    replayed = _replayed(arrays, law, alpha, rng)
    # A period shorter than some calls gives the numbers of one again too, in their order.
    found = [_permuted(arrays, in_order=any(not math.isnan(part.estimate) for part in replayed)), *replayed]
    if across := _across(differences, drawn):
        found.append(_part("transpose", across, cause="symmetric_matrix"))
    if lines := _lines(differences, alpha, rng):
        found.append(_part("lines", lines, cause="equal_lines"))
    return found


def _permuted(arrays: Float64Array, *, in_order: bool) -> Part:
    look = shared_values(arrays)
    cause = None if in_order else "permuted_array"
    note = f"{look.what}, {p_value(look.pvalue)}"
    return _part("permutation", {"values of two calls": look}, note=note, cause=cause, least=0.5)


def _replayed(arrays: Float64Array, law: Initializer, alpha: float, rng: np.random.Generator) -> list[Part]:
    level = alpha / 200
    equal = coincidence(arrays, level=level, rng=rng) if isinstance(law.law, Custom) else collision(law)
    look = replays(arrays, equal=equal, level=level)
    if look is None:
        return []
    if look.pvalue == 1.0:
        return [Part(name="replay", p_support=0.0, p_refute=1.0, gate=True, note="no run of numbers comes again")]
    p = look.pvalue + level  # the bound on equal draws may be too low, with that probability
    period = look.estimate
    note = "runs of numbers come again" if math.isnan(period) else f"the numbers come again after {period:,.0f} draws"
    return [
        Part(
            name="replay",
            p_support=0.0,
            p_refute=p,
            pvalue=p,
            gate=True,
            estimate=period,
            cause="replayed_numbers",
            note=note,
        )
    ]


def _lines(differences: Float64Array, alpha: float, rng: np.random.Generator) -> dict[str, Inspection]:
    """Lines along each axis that has enough entries in a line to tell two from each other."""
    found = {}
    for axis, size in enumerate(differences.shape[1:]):
        if size > 1 and differences.size // size >= entries_needed(size, alpha):
            name = f"{_NAMES[axis]}s" if differences.ndim == 3 else f"lines along axis {axis}"
            found[name] = alike_lines(differences, axis, rng=rng)
    return found


def _across(differences: Float64Array, drawn: Draws) -> dict[str, Inspection]:
    """The matrix and its transpose, wherever the first or the last two axes are alike."""
    found, shape = {}, drawn.shape
    if len(shape) > 1 and shape[0] == shape[1] > 1:
        square = differences if drawn.rows is None else differences[:, :, drawn.rows]
        found["W and W'" if len(shape) == 2 else "first two axes"] = transposed(square)
    if len(shape) > 2 and shape[-1] == shape[-2] > 1:
        found["last two axes"] = transposed(np.moveaxis(differences, (-2, -1), (1, 2)))
    return found


def told(look: Inspection) -> str:
    """A look in words."""
    return f"{look.what} = {look.estimate:.3g}, {p_value(look.pvalue)}"


def _part(
    name: str, found: dict[str, Inspection], *, note: str = "", cause: str | None = None, least: float = _ALIKE
) -> Part:
    """Looks as one part, and the cause that the worst points to where its estimate reaches `least` in size."""
    worst = inspections.worst(found)
    p, look = inspections.family(found), found[worst]
    return Part(
        name=name,
        p_support=0.0,
        p_refute=p,
        pvalue=p,
        gate=True,
        estimate=look.estimate,
        cause=cause if abs(look.estimate) >= least else None,
        note=note or f"{worst}: {look.what}, {p_value(p)}",
    )
