"""How an activation acts on signals of extreme scale, where it is a line on either side of 0, or constant."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from varprop.model.activations import Activation

_FAR = 64
_NEARER = 40  # an activation that is a line from 2^-64 to 2^-40 is taken to be one below, and likewise above
_AGREEMENT = 1e-9  # below float32's rounding; the next term of phi is smaller by a factor 2^-40 already


@dataclass(frozen=True, slots=True)
class Extremes:
    """What becomes of a scale 2^e beyond 2^-64 or 2^64.

    ``small``: phi is a line through 0 on either side (tanh, GELU), so the scale below 2^-64 passes through it. ``large``:
    it becomes a line (GELU, ELU) and the scale beyond 2^64 passes. ``flat``: it becomes constant (tanh), and any scale
    beyond 2^64 gives the same.
    """

    small: bool
    large: bool
    flat: bool

    def split(self, exponent: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Part of the exponent at which phi is evaluated, and the part that passes through."""
        low = -_FAR if self.small else None
        high = _FAR if self.large or self.flat else None
        within = exponent if low is None and high is None else np.clip(exponent, low, high)
        past = exponent - within
        return within, np.minimum(past, 0) if self.flat else past


@lru_cache(maxsize=256)
def extremes(phi: Activation) -> Extremes:
    """Probe an activation on both sides of 0, near and far from it, in float64."""
    z = np.array([side * 2.0**power for power in (-_NEARER, -_FAR, _NEARER, _FAR) for side in (1, -1)])
    with np.errstate(all="ignore"):
        a = phi(z)
        ratio = a / z
        nearer, tiny, far, farther = ratio.reshape(4, 2)
        small = bool(phi(np.zeros(1))[0] == 0 and _same(nearer, tiny).all())
        line = _same(far, farther) & (far != 0)
        flat = _same(a[4:6], a[6:8])
    if not np.isfinite(a).all():
        line = flat = np.zeros(2, dtype=bool)
    return Extremes(small=small, large=bool((line | flat).all() and line.any()), flat=bool(flat.all()))


def _same(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    # Relative: z^2 has slopes that are all near 0, and is no line.
    return np.asarray(np.abs(first - second) <= _AGREEMENT * np.abs(first))
