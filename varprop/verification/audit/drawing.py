"""Calls of an initialiser, checked: arrays to be tested, what is wrong with them at sight, and what comes again."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.model.initializers import Initializer
from varprop.model.laws import Custom, Fans, Orthogonal, Scaled
from varprop.model.shapes import Sparse
from varprop.stats import inspections
from varprop.stats.copies import coincidence, replays, shared_values
from varprop.stats.inspections import Inspection
from varprop.stats.signs import alike_lines, entries_needed, halves, mirror, transposed
from varprop.verification.audit.result import Part
from varprop.verification.questions import p_value

Audited = Callable[..., Any] | Initializer


@dataclass(frozen=True, slots=True)
class Draws:
    """Arrays (calls, *shape), in order; of the first axis of the shape asked for ``rows`` alone were kept, if not None."""

    arrays: Float64Array
    shape: tuple[int, ...]
    rows: NDArray[np.intp] | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What no law allows: the part it concerns, what was seen, after how many calls, and the cause if that is plain."""

    part: str
    note: str
    calls: int
    cause: str | None = None


def name_of(initializer: Audited) -> str:
    """What to call it."""
    if isinstance(initializer, Initializer):
        return initializer.label
    return str(getattr(initializer, "__name__", type(initializer).__name__))


def bound(initializer: Audited, fans: Fans, rng: np.random.Generator) -> Callable[[tuple[int, ...]], Any]:
    """A function of the shape alone; the generator is handed on to whatever takes an ``rng``."""
    if isinstance(initializer, Initializer):
        return lambda shape: initializer.sample(shape, fan_in=fans.fan_in, fan_out=fans.fan_out, rng=rng)
    if not callable(initializer):
        msg = f"initializer must be a function that takes a shape and returns an array, got {quoted(initializer)}"
        raise TypeError(msg)
    try:
        takes_rng = "rng" in inspect.signature(initializer).parameters
    except ValueError:  # a function written in C may have no signature to look at
        takes_rng = False
    if takes_rng:
        return lambda shape: initializer(shape, rng=rng)
    return initializer


def draw(
    initializer: Callable[[tuple[int, ...]], Any],
    shape: tuple[int, ...],
    *,
    n_draws: int,
    law: Initializer,
    rng: np.random.Generator,
) -> Draws | Fault:
    """Call until there are n_draws entries, or one call more than one; stop at the first array that no law allows.

    Of arrays of which two are more than that, random rows are kept, the same of all; matrices whose entries depend on each
    other are kept whole.
    """
    calls = max(2, n_draws // math.prod(shape))
    rows = (
        shape[0] if isinstance(law.law, Orthogonal) else min(shape[0], -(-n_draws * shape[0] // (2 * math.prod(shape))))
    )
    kept = np.sort(rng.choice(shape[0], rows, replace=False)) if rows < shape[0] else None
    arrays = np.empty((calls, rows, *shape[1:]))
    for call in range(calls):
        array = real_array(initializer(shape))
        if array.shape != shape:
            return _wrong_shape(array.shape, shape, call + 1)
        if array.dtype.kind != "f" and law.continuous:
            return Fault("values", f"integers came, of dtype {array.dtype}", call + 1)
        if not np.isfinite(array).all():
            bad = int(np.sum(~np.isfinite(array)))
            return Fault("values", f"{bad} of the {array.size} numbers of a call are not finite", call + 1)
        arrays[call] = array if kept is None else array[kept]
    return Draws(arrays, shape, kept)


def real_array(value: object) -> np.ndarray[Any, Any]:
    """What came as an array of real numbers, be it a tensor of some framework."""
    detach = getattr(value, "detach", None)
    if callable(detach):  # a PyTorch tensor that is being trained, or lies on another device, gives no array
        value = detach().cpu()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        msg = f"initializer must return an array of real numbers, got {type(value).__name__}: {error}"
        raise TypeError(msg) from error
    if array.dtype.kind == "f" and array.dtype.itemsize < 4:
        msg = f"initializer returned {array.dtype}; have it return float32, which an audit can tell from its law"
        raise ValueError(msg)
    if array.dtype.kind not in "fiu":
        hint = "; return the array that was filled" if value is None else "; for low precision, have it return float32"
        msg = f"initializer must return an array of real numbers, got {type(value).__name__} of {array.dtype}{hint}"
        raise TypeError(msg)
    return array


def _wrong_shape(came: tuple[int, ...], shape: tuple[int, ...], calls: int) -> Fault:
    note = f"asked for {shape}, got {came}"
    if len(came) == len(shape) >= 2 and came in _transposed(shape):
        return Fault("shape", f"{note}, the transposed layout", calls, "transposed_layout")
    return Fault("shape", f"{note}: the shape is not heeded", calls)


def _transposed(shape: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Shapes of the same array with its channels elsewhere or exchanged."""
    first, second, *kernel = shape
    *front, before_last, last = shape
    return {
        tuple(reversed(shape)),
        (second, first, *kernel),
        (*front, last, before_last),
        (*kernel, second, first),
        (last, before_last, *front),
    }


# ---- what comes again ------------------------------------------------------------------------------------------------


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
