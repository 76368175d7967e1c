"""Calls of an initialiser, checked: arrays to be tested, or what is wrong with them at sight."""

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
from varprop.model.laws import Fans, Orthogonal

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
