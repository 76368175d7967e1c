r"""The mean-field maps of infinitely wide layers: how second moments go forward, and squared gradients backward."""

from __future__ import annotations

import math

import numpy as np

from varprop._typing import Float64Array
from varprop.model.activations import ActivationLike, as_activation


def length_map(
    activation: ActivationLike, *, weight_variance: float, bias_variance: float = 0.0, q: float, depth: int
) -> Float64Array:
    r"""Second moments of the pre-activations, layer by layer, of an infinitely wide network.

    .. math:: q_{l+1} = C_W\, E_{z \sim N(0, q_l)}[\phi(z)^2] + C_b

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

    Returns
    -------
    ndarray, shape (depth,)
        :math:`q_1, \dots, q_L`, in squared units of z.

    Raises
    ------
    ValueError
        If a variance or q is negative or not finite, or the depth is not positive.

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
    """
    phi = as_activation(activation)
    _check_non_negative(weight_variance=weight_variance, bias_variance=bias_variance, q=q)
    if isinstance(depth, bool) or not hasattr(depth, "__index__") or depth < 1:
        msg = f"depth must be a positive integer, got {depth!r}"
        raise ValueError(msg)
    found = [float(q)]
    for _ in range(depth - 1):
        found.append(weight_variance * float(phi.second_moment(found[-1])) + bias_variance)
    return np.array(found)


def gradient_factor(activation: ActivationLike, *, weight_variance: float, q: float) -> float:
    r"""Factor on squared gradients, going back through one infinitely wide layer.

    .. math:: \chi = C_W\, E_{z \sim N(0, q)}[\phi'(z)^2]

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    weight_variance : float
        :math:`C_W`: fan_out Var(W) for the mean over units, fan_in Var(W) for the sum; >= 0.
    q : float
        Second moment of the layer's pre-activations, >= 0.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is negative or not finite, or phi' has no second moment.

    Examples
    --------
    >>> gradient_factor("relu", weight_variance=2, q=0.3)
    1.0
    """
    phi = as_activation(activation)
    _check_non_negative(weight_variance=weight_variance, q=q)
    return weight_variance * float(phi.derivative_second_moment(q))


def _check_non_negative(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            msg = f"{name} must be a finite number >= 0, got {value!r}"
            raise ValueError(msg)
