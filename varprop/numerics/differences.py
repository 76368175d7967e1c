"""Derivatives of elementwise functions by finite differences that do not step across a kink."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from varprop._typing import ArrayFn, Float64Array

_STEP = 2.0**-8  # balances h^6 against eps / h; a power of two, so that z + k h is exact for moderate z
_CENTRAL = {-3: -1 / 60, -2: 3 / 20, -1: -3 / 4, 1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
_FORWARD = {0: -49 / 20, 1: 6, 2: -15 / 2, 3: 20 / 3, 4: -15 / 4, 5: 6 / 5, 6: -1 / 6}
_BACKWARD = {-offset: -weight for offset, weight in _FORWARD.items()}


def finite_difference(function: ArrayFn, z: Float64Array, kinks: Sequence[float] = ()) -> Float64Array:
    """Derivative of an elementwise function of float64 by sixth-order differences.

    Central where the stencil lies on one side of every kink, one-sided within 3/256 of a kink; at a kink itself the
    right derivative. For a function whose features are about 1 wide the error is near 1e-13 (1e-11 beside a kink).
    """
    result = _apply(_CENTRAL, function, z)
    for kink in kinks:
        for stencil, near in (
            (_FORWARD, (z >= kink) & (z - 3 * _STEP <= kink)),
            (_BACKWARD, (z < kink) & (z + 3 * _STEP >= kink)),
        ):
            if near.any():
                result[near] = _apply(stencil, function, z[near])
    return result


def _apply(stencil: dict[int, float], function: ArrayFn, z: Float64Array) -> Float64Array:
    total = np.zeros_like(z)
    for offset, weight in stencil.items():
        total += weight * np.asarray(function(z + offset * _STEP), dtype=np.float64)
    return total / _STEP
