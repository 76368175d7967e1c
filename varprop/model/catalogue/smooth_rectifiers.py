"""Rectifiers made of the logistic function, without closed forms: softplus, silu, mish."""

from __future__ import annotations

import math

import numpy as np

from varprop._typing import FloatArray
from varprop.model.catalogue.entry import Entry
from varprop.model.catalogue.sigmoids import sigmoid


def _softplus(z: FloatArray) -> FloatArray:
    # log(1 + y), plus what 1 + y lost of y. Not by log1p, which NumPy rounds otherwise on another processor.
    y = np.exp(-np.abs(z))
    whole = 1 + y
    a: FloatArray = np.maximum(z, 0) + (np.log(whole) + (y - (whole - 1)) / whole)
    return a


def _silu(z: FloatArray) -> FloatArray:
    left = np.maximum(z, -87 if z.dtype == np.float32 else -708)  # before exp(-z) overflows; silu is 0 there
    a: FloatArray = left / (1 + np.exp(-left))
    return a


def _silu_slope(z: FloatArray) -> FloatArray:
    decay = np.exp(-np.abs(z))
    slope: FloatArray = sigmoid(z) + z * (decay / ((1 + decay) * (1 + decay)))
    return slope


# With e = exp(z) and w = e (e + 2), tanh(softplus(z)) = w / (w + 2): from z = 20 on it is 1 in either precision.


def _mish(z: FloatArray) -> FloatArray:
    e = np.exp(np.minimum(z, 20))
    w = e * (e + 2)
    a: FloatArray = z * (w / (w + 2))
    return a


def _mish_slope(z: FloatArray) -> FloatArray:
    near = np.minimum(z, 20)
    e = np.exp(near)
    w = e * (e + 2)
    ratio = 1 / (w + 2)
    slope: FloatArray = w * ratio + 4 * near * (e * (e + 1) * ratio * ratio)
    return slope


LOGISTIC_RECTIFIERS = {
    "softplus": Entry(value=_softplus, derivative=sigmoid, max_slope=lambda: 1.0, value_range=lambda: (0.0, math.inf)),
    # The largest slopes lie at the roots of phi'': for silu at z tanh(z/2) = 2, where phi' = (z + 2) / 4. Both were
    # computed to 30 digits by mpmath.
    "silu": Entry(
        value=_silu,
        derivative=_silu_slope,
        max_slope=lambda: 1.0998393201288669,  # at 2.39935728051547
        value_range=lambda: (-0.2785, math.inf),
    ),
    "mish": Entry(
        value=_mish,
        derivative=_mish_slope,
        max_slope=lambda: 1.0884981612517279,  # at 1.49057117938543
        value_range=lambda: (-0.3089, math.inf),
    ),
}
