"""Activations that jump: step, sign.

phi' is a delta function at 0, of weight 1 or 2, and 0 elsewhere. So E phi'^2 is infinite, and of the moments of phi'
those are left in which no delta function meets another at the same place.
"""

from __future__ import annotations

import numpy as np

from varprop._typing import Float64Array, FloatArray
from varprop.model.catalogue.entry import Entry
from varprop.model.catalogue.rectifiers import both_positive
from varprop.model.catalogue.sigmoids import half, zero
from varprop.model.formulas import GaussianFormulas
from varprop.numerics.bivariate import complement


def _step(z: FloatArray) -> FloatArray:
    return (z > 0).astype(z.dtype)


def _sign(z: FloatArray) -> FloatArray:
    return np.sign(z)


def _quarter(q: Float64Array) -> Float64Array:
    return np.full_like(q, 0.25)


def _one(q: Float64Array) -> Float64Array:
    return np.ones_like(q)


def _step_value_derivative_moment(q: Float64Array) -> Float64Array:
    # phi phi' = (phi^2)' / 2, and step^2 is step: half the density at 0.
    return 0.5 / np.sqrt(2 * np.pi * q)


def _step_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    return np.broadcast_to(both_positive(rho), np.broadcast_shapes(q1.shape, q2.shape, rho.shape))


def _step_derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    # The density of (z1, z2) at (0, 0).
    return 1 / (2 * np.pi * np.sqrt(q1) * np.sqrt(q2) * complement(rho))


def _sign_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    angle = np.arctan2(rho, complement(rho))
    return np.broadcast_to(2 / np.pi * angle, np.broadcast_shapes(q1.shape, q2.shape, rho.shape))


def _sign_derivative_covariance(q1: Float64Array, q2: Float64Array, rho: Float64Array) -> Float64Array:
    return 4 * _step_derivative_covariance(q1, q2, rho)


JUMPS = {
    "step": Entry(
        value=_step,
        derivative=np.zeros_like,
        jumps=(0.0,),
        max_slope=lambda: 0.0,
        value_range=lambda: (0.0, 1.0),
        formulas=GaussianFormulas(
            mean=half,
            second_moment=half,
            variance=_quarter,
            value_derivative_moment=_step_value_derivative_moment,
            covariance=_step_covariance,
            derivative_covariance=_step_derivative_covariance,
        ),
    ),
    "sign": Entry(
        value=_sign,
        derivative=np.zeros_like,
        jumps=(0.0,),
        max_slope=lambda: 0.0,
        value_range=lambda: (-1.0, 1.0),
        formulas=GaussianFormulas(
            mean=zero,
            second_moment=_one,
            variance=_one,
            value_derivative_moment=zero,
            covariance=_sign_covariance,
            derivative_covariance=_sign_derivative_covariance,
        ),
    ),
}
