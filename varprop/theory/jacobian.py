r"""Singular values of the input-output Jacobian of wide, square networks.

J is the product of D_l W_l over layers, D_l the diagonal matrix of slopes. In the infinite width its factors are free, so
that S-transforms multiply: with C = fan_in Var(W) = 1, S(z) = 1/(1 + z) for a Gaussian W W^T and 1 for an orthogonal one,
and D^2 has the law of phi'(z)^2.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array, FloatArray
from varprop.model.activations import Activation, ActivationLike, as_activation
from varprop.model.layers import UnsupportedError
from varprop.numerics.quadrature import normal_expectation
from varprop.theory.meanfield import LARGEST, check_depth, length_map


@dataclass(frozen=True, slots=True)
class JacobianMoments:
    """Mean and variance of the squared singular values of a Jacobian, over its spectrum."""

    mean: float
    variance: float

    @property
    def relative_variance(self) -> float:
        """Variance over squared mean: 0 where all directions are stretched alike."""
        return self.variance / self.mean**2


_LARGEST_LOG = math.log(sys.float_info.max)


@checked
def jacobian_moments(
    activation: ActivationLike,
    *,
    weight_variance: float,
    bias_variance: float = 0.0,
    q: float,
    depth: int,
    orthogonal: bool = False,
) -> JacobianMoments:
    r"""Mean and variance of the squared singular values of the Jacobian of an infinitely wide network.

    .. math:: E[s^2] = \prod_l C_W \mu_1(q_l), \qquad
       \frac{\mathrm{Var}(s^2)}{E[s^2]^2} = \sum_l \Big(\frac{\mu_2(q_l)}{\mu_1(q_l)^2} - 1 + g\Big),
       \qquad \mu_k(q) = E_{z \sim N(0, q)}[\phi'(z)^{2k}],

    with g = 1 for Gaussian and g = 0 for orthogonal weights.

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    weight_variance : float
        :math:`C_W` = width times Var(W), > 0; of orthogonal weights, the square of the factor before the orthogonal matrix.
    bias_variance : float, default 0
        :math:`C_b` = Var(b), >= 0.
    q : float
        :math:`q_1`, the second moment of the first layer's pre-activations, > 0.
    depth : int
        Number of layers, each a square matrix and an activation, >= 1.
    orthogonal : bool, default False
        Haar-distributed orthogonal weights, instead of Gaussian ones.

    Returns
    -------
    JacobianMoments

    Raises
    ------
    ValueError
        If an argument is out of range, or phi' has no fourth moment.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    S-transforms of free factors multiply, and ln S(z) = -ln(mean) - (relative variance) z + ...: means multiply and
    relative variances add. That of D^2 is mu_2 / mu_1^2 - 1, that of W W^T is 1 or 0. The q_l follow the length map.

    References
    ----------
    .. [1] Pennington, Schoenholz & Ganguli (2017), Resurrecting the sigmoid in deep learning through dynamical isometry.

    Examples
    --------
    >>> jacobian_moments("relu", weight_variance=2, q=1.0, depth=8)
    JacobianMoments(mean=1.0, variance=16.0)
    >>> jacobian_moments("relu", weight_variance=2, q=1.0, depth=8, orthogonal=True).relative_variance
    8.0
    """
    phi = as_activation(activation)
    _check_positive(weight_variance=weight_variance, q=q)
    variances = length_map(phi, weight_variance=weight_variance, bias_variance=bias_variance, q=q, depth=depth)
    first = np.array([phi.derivative_second_moment(float(value)) for value in variances])
    if not (np.isfinite(first) & (first > 0)).all():
        msg = (
            f"the slope of {phi.label} has second moment {first[~(np.isfinite(first) & (first > 0))][0]:g}: no spectrum"
        )
        raise ValueError(msg)
    second = _fourth_slopes(phi, variances)
    relative = math.fsum((second / first**2 - 1 + (0.0 if orthogonal else 1.0)).tolist())
    mean = math.exp(math.fsum(np.log(weight_variance * first).tolist()))
    return JacobianMoments(mean, mean**2 * relative)


@checked
def largest_squared_singular_value(
    activation: ActivationLike, *, weight_variance: float, depth: int, orthogonal: bool = False
) -> float:
    r"""Upper edge of the squared singular values of the Jacobian, for positively homogeneous activations.

    Parameters
    ----------
    activation : str, Activation or callable
        Positively homogeneous: linear, relu, leaky_relu and the like, without biases.
    weight_variance : float
        :math:`C_W` = width times Var(W), > 0; of orthogonal weights, the square of the factor before the orthogonal matrix.
    depth : int
        Number of layers L, each a square matrix and an activation, >= 1.
    orthogonal : bool, default False
        Haar-distributed orthogonal weights, instead of Gaussian ones.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is out of range.
    UnsupportedError
        If the activation is not positively homogeneous.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    With psi the generating function of the moments, psi^{-1}(z) = z S(z) / (1 + z) grows from 0 to its maximum at the
    edge, where 1 / psi^{-1} is the largest squared singular value: the minimum over z > 0 of (1 + z) / (z S(z)). For squared
    slopes a and b with probability 1/2 each, psi_D(t) = (a t / (1 - a t) + b t / (1 - b t)) / 2 is inverted by a quadratic
    equation. So linear Gaussian layers give (L + 1)^{L+1} / L^L, near e L for deep ones, and ReLU with C_W = 2 the minimum
    of (1 + z)(1 + 2 z)^L / z. With orthogonal weights the minimum may lie at infinity, where it is the largest slope to
    the power 2 L, which no singular value exceeds.

    Examples
    --------
    >>> largest_squared_singular_value("linear", weight_variance=1, depth=2)
    6.75
    >>> round(largest_squared_singular_value("relu", weight_variance=2, depth=8), 1)
    43.5
    """
    phi = as_activation(activation)
    _check_positive(weight_variance=weight_variance)
    check_depth(depth)
    if not phi.homogeneous:
        msg = (
            f"{phi.label} is not positively homogeneous: its slopes have no two-point law, and the edge no formula here"
        )
        raise UnsupportedError(msg)
    a, b = (phi(np.array([1.0, -1.0])) ** 2).tolist()

    def log_edge(log_z: float) -> float:
        """Logarithm of (1 + z) / (z S(z))."""
        z = math.exp(log_z)
        # The smaller root of (1 + z) a b t^2 - (z + 1/2)(a + b) t + z = 0, written so that a b = 0 is no exception.
        half = (z + 0.5) * (a + b)
        root = 2 * z / (half + math.sqrt(half * half - 4 * (1 + z) * a * b * z))
        log_s = math.log((1 + z) / z * root) - (0.0 if orthogonal else math.log1p(z))
        return math.log((1 + z) / z) - depth * log_s

    found = optimize.minimize_scalar(log_edge, bounds=(-2 * math.log(depth + 1) - 4, 12.0), method="bounded")
    log_least = float(found.fun)
    if orthogonal:
        log_least = min(log_least, depth * math.log(max(a, b)))
    found_log = log_least + depth * math.log(weight_variance)
    if found_log > _LARGEST_LOG:
        msg = f"the squared singular value is e^{found_log:.4g}, past the largest float; ask for a smaller depth or variance"
        raise ValueError(msg)
    return math.exp(found_log)


@checked
def mean_singular_value(*, weight_variance: float) -> float:
    r"""Mean singular value of one wide square Gaussian matrix: :math:`8 \sqrt{C_W} / (3 \pi)`.

    Parameters
    ----------
    weight_variance : float
        :math:`C_W` = width times Var(W), > 0.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the variance is not positive.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    Singular values follow the quarter circle: density sqrt(4 - s^2) / pi on [0, 2] for C_W = 1.

    Examples
    --------
    >>> mean_singular_value(weight_variance=1 / 3)
    0.490
    """
    _check_positive(weight_variance=weight_variance)
    return 8 * math.sqrt(weight_variance) / (3 * math.pi)


def _fourth_slopes(phi: Activation, q: Float64Array) -> Float64Array:
    def fourth(z: FloatArray) -> FloatArray:
        return phi.slope(z) ** 4

    return normal_expectation(fourth, q, phi.edges)


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value <= LARGEST:  # NaN too
            msg = f"{name} must be a finite number > 0, {LARGEST:g} at most, got {quoted(value)}"
            raise ValueError(msg)
