"""Names for the array types that the whole package shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
"""float32 or float64, as the caller chose."""
Float64Array = NDArray[np.float64]
"""What leaves the engine, and all that theory and statistics compute with."""
ArrayFn = Callable[[FloatArray], FloatArray]
"""An elementwise function that keeps shape and dtype."""
RNGLike = (
    int | np.integer | Sequence[int] | np.random.SeedSequence | np.random.BitGenerator | np.random.Generator | None
)
"""What the keyword ``rng`` takes, as in SPEC 7."""
