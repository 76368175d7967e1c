r"""The maps of infinitely wide layers: how second moments go forward, and squared gradients backward.

Everywhere here a network is wide, its weights have variance :math:`C_W` / fan_in and its biases :math:`C_b`, and z of a
layer is N(0, q) over the networks. Dropout, where there is some, keeps a unit with probability p and divides it by p:
E[a] stays, E[a^2] becomes E[phi^2] / p.
"""

from __future__ import annotations

import math
import numbers

import numpy as np

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array, FloatArray
from varprop.model.activations import Activation, ActivationLike, as_activation
from varprop.model.network import MAX_LAYERS
from varprop.model.slopes import check_slopes
from varprop.numerics.differences import finite_difference
from varprop.numerics.quadrature import normal_expectation


@checked
def length_map(
    activation: ActivationLike,
    *,
    weight_variance: float,
    bias_variance: float = 0.0,
    q: float,
    depth: int,
    keep_probability: float = 1.0,
) -> Float64Array:
    r"""Second moments of the pre-activations, layer by layer, of an infinitely wide network.

    .. math:: q_{l+1} = \frac{C_W}{p}\, E_{z \sim N(0, q_l)}[\phi(z)^2] + C_b

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    weight_variance : float
        :math:`C_W` = fan_in Var(W), >= 0.
    bias_variance : float, default 0
        :math:`C_b` = Var(b), >= 0.
    q : float
        :math:`q_1`, the second moment of the first layer, >= 0.
    depth : int
        Number of layers, >= 1.
    keep_probability : float, default 1
        p, in (0, 1]: the share of activations that dropout keeps (and divides by p).

    Returns
    -------
    ndarray, shape (depth,)
        :math:`q_1, \dots, q_L`, in squared units of z.

    Raises
    ------
    ValueError
        If a variance or q is negative or not finite, the depth is not positive, p is no probability, or q grows past
        what a float holds.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    Exact at every width for the first two layers, and for all layers of a positively homogeneous activation without
    biases; elsewhere off by O(1/width).

    References
    ----------
    .. [1] Poole et al. (2016), NeurIPS 29: the length map.

    Examples
    --------
    >>> length_map("relu", weight_variance=2, q=1.0, depth=4).tolist()
    [1.0, 1.0, 1.0, 1.0]
    >>> length_map("tanh", weight_variance=1, q=1.0, depth=3).round(4).tolist()
    [1.0, 0.3943, 0.2365]

    Half of the units dropped, half of the variance of the weights:

    >>> length_map("relu", weight_variance=1, q=1.0, depth=3, keep_probability=0.5).tolist()
    [1.0, 1.0, 1.0]
    """
    phi = as_activation(activation)
    check_non_negative(weight_variance=weight_variance, bias_variance=bias_variance, q=q)
    check_depth(depth)
    gain = weight_variance / checked_probability(keep_probability)
    found = [float(q)]
    for layer in range(2, depth + 1):
        after = gain * float(phi.second_moment(found[-1])) + bias_variance
        if not math.isfinite(after):
            msg = f"q grows past the largest float at layer {layer}; ask for a depth of at most {layer - 1}"
            raise ValueError(msg)
        found.append(after)
    return np.array(found)


@checked
def gradient_factor(
    activation: ActivationLike, *, weight_variance: float, q: float, keep_probability: float = 1.0
) -> float:
    r"""Factor on squared gradients, going back through one infinitely wide layer.

    .. math:: \chi_1 = \frac{C_W}{p}\, E_{z \sim N(0, q)}[\phi'(z)^2]

    Without dropout it is also the slope, at c = 1, of the map of correlations.

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    weight_variance : float
        :math:`C_W`: fan_out Var(W) for the mean over units, fan_in Var(W) for the sum; >= 0.
    q : float
        Second moment of the layer's pre-activations, >= 0.
    keep_probability : float, default 1
        p, in (0, 1]: the share of activations that dropout keeps (and divides by p).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is negative or not finite, p is no probability, or phi' has no second moment, as where phi jumps.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> gradient_factor("relu", weight_variance=2, q=0.3)
    1.0
    """
    phi = as_activation(activation)
    check_non_negative(weight_variance=weight_variance, q=q)
    return weight_variance / checked_probability(keep_probability) * float(phi.derivative_second_moment(q))


@checked
def chi_parallel(
    activation: ActivationLike, *, weight_variance: float, q: float, keep_probability: float = 1.0
) -> float:
    r"""Slope of the length map: the factor, from layer to layer, on a small deviation of q.

    .. math:: \chi_\parallel = \frac{C_W}{p}\, \frac{d}{dq} E_{z \sim N(0, q)}[\phi(z)^2]
              = \frac{C_W}{p}\, \frac{E[z\, \phi(z)\, \phi'(z)]}{q}

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    weight_variance : float
        :math:`C_W` = fan_in Var(W), >= 0.
    q : float
        Second moment of the layer's pre-activations, >= 0; at 0 the slope from the right.
    keep_probability : float, default 1
        p, in (0, 1]: the share of activations that dropout keeps (and divides by p).

    Returns
    -------
    float
        Negative where E[phi^2] falls with q.

    Raises
    ------
    ValueError
        If an argument is negative or not finite, p is no probability, or q is 0 and the slope there is infinite.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    q -> N(0, q) is the heat flow, whose generator is half the second derivative: dE[g]/dq = E[g'']/2, and by Stein's
    lemma E[g''] = E[z g'] / q, here with g = phi^2. Where phi jumps, E[g''] = E[g (z^2/q - 1)] / q is taken instead.

    Examples
    --------
    >>> chi_parallel("relu", weight_variance=2, q=0.3)
    1.0
    >>> round(chi_parallel("tanh", weight_variance=1.5, q=0.37), 4)
    0.5978
    """
    phi = as_activation(activation)
    check_non_negative(weight_variance=weight_variance, q=q)
    gain = weight_variance / checked_probability(keep_probability)
    return gain * float(second_moment_slope(phi, np.asarray(float(q)))) if gain else 0.0


def second_moment_slope(phi: Activation, q: Float64Array) -> Float64Array:
    """dE[phi(z)^2]/dq for z ~ N(0, q), in the shape of q; at q = 0 the slope from the right."""
    if phi.homogeneous:
        return np.full_like(q, phi.second_moment(1.0))
    positive = np.where(q > 0, q, 1.0)
    if phi.jumps:
        second = normal_expectation(lambda z: np.square(z * phi(z)), positive, phi.edges)
        slope = (second / positive - phi.second_moment(positive)) / (2 * positive)
    else:
        check_slopes(phi, positive)
        slope = normal_expectation(lambda z: z * phi(z) * phi.slope(z), positive, phi.edges) / positive
    return np.asarray(slope if (q > 0).all() else np.where(q > 0, slope, _slope_at_zero(phi)))


def slope_jumps(phi: Activation, at: float) -> bool:
    """Tell whether phi' jumps at a kink."""
    beside: FloatArray = np.array([np.nextafter(at, -np.inf), np.nextafter(at, np.inf)])
    left, right = phi.slope(beside)
    return at in phi.breaks and abs(left - right) > _SAME_SLOPE * max(abs(left), abs(right))


_SAME_SLOPE = 1e-9  # what differences at a kink are off by, and more


def _slope_at_zero(phi: Activation) -> float:
    """The limit of dE[phi^2]/dq as q falls to 0."""
    zero = np.zeros(1)
    if 0.0 in phi.jumps or (phi(zero)[0] != 0 and slope_jumps(phi, 0.0)):
        msg = f"E[phi^2] of {phi.label} has no finite slope at q = 0; take a q > 0"
        raise ValueError(msg)
    if phi(zero)[0] == 0:
        return phi.derivative_second_moment(0.0)
    curvature = finite_difference(phi.slope, zero, phi.breaks)
    return float(phi.slope(zero)[0] ** 2 + phi(zero)[0] * curvature[0])


LARGEST = 1e150
"""Of variances and of q: beyond it products of two of them are no numbers."""


def check_non_negative(**values: float) -> None:
    """Refuse what is not a finite number >= 0, or beyond `LARGEST`."""
    for name, value in values.items():
        if not 0 <= value <= LARGEST:  # NaN too
            msg = f"{name} must be a finite number >= 0, {LARGEST:g} at most, got {quoted(value)}"
            raise ValueError(msg)


def check_depth(depth: int) -> None:
    """Refuse a depth that is no positive integer, or beyond that of any network."""
    if isinstance(depth, bool) or not isinstance(depth, numbers.Integral) or not 1 <= depth <= MAX_LAYERS:
        msg = f"depth must be a positive integer, {MAX_LAYERS} at most, got {quoted(depth)}"
        raise ValueError(msg)


def checked_probability(keep_probability: float) -> float:
    """Return the probability that dropout keeps a unit, as a float."""
    if not 0 < keep_probability <= 1:
        msg = f"keep_probability must be in (0, 1], got {quoted(keep_probability)}; 1 means no dropout"
        raise ValueError(msg)
    return float(keep_probability)
