"""Where a block's random numbers come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from varprop._typing import FloatArray
from varprop.numerics.normals import SOURCES, NormalsName


@dataclass(slots=True)
class Streams:
    """The block's random stream, how normals are made of it, and whether every weight matrix is drawn in full."""

    rng: np.random.Generator
    dense: bool
    normals: NormalsName = "box-muller"

    def standard_normal(self, shape: tuple[int, ...], dtype: DTypeLike) -> FloatArray:
        """Draw independent N(0, 1) numbers."""
        return SOURCES[self.normals](self.rng, shape, np.dtype(dtype))
