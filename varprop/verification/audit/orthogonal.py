"""Matrices with orthonormal rows or columns: their entries depend on each other, so the law is that of the whole matrix."""

from __future__ import annotations

import math

import numpy as np

from varprop._typing import Float64Array
from varprop.model.laws import Orthogonal
from varprop.stats import inspections
from varprop.stats.haar_battery import DETERMINANTS_FROM, draws_needed, haar
from varprop.stats.inspections import Inspection
from varprop.verification.audit.parts import ROUNDING, free_numbers
from varprop.verification.audit.repeats import EQUAL_DRAWS, told
from varprop.verification.audit.result import Candidate, Part

NOTHING_FOUND = "no departure of the list was found, which is not to say that the matrices are uniformly random (Haar)"
"""What a supported orthogonal law comes to."""


def flattened(arrays: Float64Array, gain: float) -> Float64Array:
    """Arrays as matrices: channels first where their rows or columns are orthogonal then, else channels last."""
    first = arrays.reshape(len(arrays), arrays.shape[1], -1)
    last = arrays.reshape(len(arrays), -1, arrays.shape[-1])
    return min((first, last), key=lambda matrices: _departure(matrices[:1], gain))


def calls_needed(shape: tuple[int, ...]) -> int:
    """Arrays of that shape from which on an orthogonal law can be supported, in the layout that takes fewer of them."""
    size = math.prod(shape)
    return min(draws_needed(side, size // side) for side in (shape[0], shape[-1]))


def orthogonal_parts(matrices: Float64Array, law: Orthogonal, alpha: float) -> list[Part]:
    """Orthogonality within rounding, and the list of departures from the uniform law (Haar), if it means anything."""
    worst = _departure(matrices, law.gain)
    rows, columns = matrices.shape[1:]
    holds = worst <= ROUNDING * max(rows, columns)
    note = f"W W' is gain^2 I but for {worst:.2g} of gain^2"
    parts = [Part.certain("orthogonality", holds=holds, gate=False, note=note)]
    if not holds:
        return parts
    found = haar(matrices / law.gain)
    listed = (_listed(name, one) for name, one in found.items())
    return [*parts, _complete(len(matrices), rows, columns), *listed, *_same_entries(matrices, alpha)]


def _complete(calls: int, rows: int, columns: int) -> Part:
    """Whether there are enough matrices for the list to be one in full; else nothing is supported by it."""
    needed = draws_needed(rows, columns)
    enough = calls >= needed
    note = f"{calls:,} matrices, of {needed:,} that the list takes"
    if rows == columns and calls < DETERMINANTS_FROM:
        note += f"; signs of determinants take {DETERMINANTS_FROM} and were not looked at"
    return Part(
        name="list in full",
        p_support=0.0 if enough else 1.0,
        p_refute=1.0,
        n_required=None if enough else needed * rows * columns,
        note=note,
    )


def _listed(name: str, found: dict[str, Inspection]) -> Part:
    """One kind of matrices. The laws are exact, or bounded, so that they need no margin to be refuted."""
    worst, p = inspections.worst(found), inspections.family(found)
    return Part(
        name=name,
        p_support=0.0,
        p_refute=p,
        pvalue=p,
        gate=True,
        note=f"{len(found)} looks, most against it {worst}: {told(found[worst])}",
    )


def _same_entries(matrices: Float64Array, alpha: float) -> list[Part]:
    """Whether a matrix is the one before with rows or columns exchanged, or their signs; nothing where chance could do that."""
    calls, rows, columns = matrices.shape
    free = free_numbers(*sorted((rows, columns)))
    if math.log(max(1, calls - 1)) + free * math.log(EQUAL_DRAWS) > math.log(alpha / 100):
        return []
    sizes = np.sort(np.abs(matrices).reshape(calls, -1), axis=1)
    same = int((sizes[1:] == sizes[:-1]).all(axis=1).sum())
    note = f"{same:,} of {calls - 1:,} matrices have the entries of the one before, but for order and signs"
    return [Part.certain("entries", holds=not same, cause="permuted_array", note=note)]


def half_the_variance(matrices: Float64Array, law: Orthogonal) -> list[Candidate]:
    """The one cause that an orthogonal law shares with the others."""
    tolerance = ROUNDING * max(matrices.shape[1:])
    found = []
    for ratio, meaning in ((0.5, "a gain of sqrt(2) was left out"), (0.25, "a gain of 2 was left out")):
        holds = _departure(matrices, law.gain * math.sqrt(ratio)) <= tolerance
        found.append(
            Candidate(cause="factor_2_missing", meaning=meaning, ratio=ratio, p_support=1.0 - holds, supported=holds)
        )
    return found


def _departure(matrices: Float64Array, gain: float) -> float:
    """Largest entry of W W' / gain^2 - I, of the shorter side, over all matrices."""
    rows, columns = matrices.shape[1:]
    side = matrices if rows <= columns else np.swapaxes(matrices, 1, 2)
    products = side @ np.swapaxes(side, 1, 2)
    return float(np.abs(products / gain**2 - np.eye(side.shape[1])).max())
