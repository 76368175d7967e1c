"""Averages over what there is."""

from __future__ import annotations

import numpy as np

from varprop._typing import Float64Array


def mean_of_present(values: Float64Array) -> Float64Array:
    """Mean over the last axis of the values that are not NaN; NaN where none is.

    Examples
    --------
    >>> mean_of_present(np.array([[1.0, 3.0], [np.nan, 5.0], [np.nan, np.nan]])).tolist()
    [2.0, 5.0, nan]
    """
    present = ~np.isnan(values)
    count = present.sum(axis=-1)
    total = np.where(present, values, 0.0).sum(axis=-1)
    mean: Float64Array = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean
