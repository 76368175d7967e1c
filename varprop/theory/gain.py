r"""Gains: the factor g in Var(W) = g^2 / fan_in, as the activation asks for it and as PyTorch tabulates it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from varprop._arguments import checked, quoted
from varprop.model.activations import ActivationLike, as_activation
from varprop.theory.meanfield import LARGEST


@checked
def gain(activation: ActivationLike, q: float = 1.0) -> float:
    r"""Gain that keeps the second moment q of the pre-activations from one wide layer to the next.

    .. math:: g = \sqrt{\frac{q}{E_{z \sim N(0, q)}[\phi(z)^2]}}, \qquad \mathrm{Var}(W) = g^2 / \text{fan\_in}

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    q : float, default 1
        Second moment to keep, > 0. Of no consequence for positively homogeneous activations.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If q is not positive and finite, or phi is 0 almost everywhere.
    TypeError
        If an argument is of another kind.

    See Also
    --------
    torch_gain : what PyTorch tabulates.
    recommend : the initialisation that keeps gradients too.

    Notes
    -----
    The gain makes q a fixed point of the length map without biases. Whether the fixed point is stable, and what
    happens to gradients there, are questions of their own: `gradient_factor` with ``weight_variance=gain(phi) ** 2``
    is 1 for positively homogeneous activations, and need not be for others. For tanh it is 1.178 at q = 1.

    References
    ----------
    .. [1] He, Zhang, Ren & Sun (2015), ICCV: the gain of rectifiers, sqrt(2).
    .. [2] Mishkin & Matas (2016), ICLR: layers scaled to unit variance one after another, which in a wide network with
           zero biases ends at this gain.

    Examples
    --------
    >>> {name: round(gain(name), 5) for name in ("linear", "relu", "tanh", "sigmoid", "elu")}
    {'linear': 1.0, 'relu': 1.41421, 'tanh': 1.59254, 'sigmoid': 1.84623, 'elu': 1.2452}
    >>> gain({"name": "leaky_relu", "slope": 0.2}, q=7.0) ** 2 * (1 + 0.2**2)
    2.0
    >>> round(gain("tanh", q=1e-6), 5)
    1.0
    """
    phi = as_activation(activation)
    if not 0 < q <= LARGEST:
        msg = f"q is the second moment to keep, finite and > 0, got {quoted(q)}"
        raise ValueError(msg)
    second_moment = phi.second_moment(float(q))
    if second_moment == 0:
        msg = f"no gain keeps a signal that {phi.label} sets to 0: E[phi(z)^2] = 0 at q = {q:g}"
        raise ValueError(msg)
    return math.sqrt(q / second_moment)


@checked
def torch_gain(activation: ActivationLike) -> float:
    r"""Gain that `torch.nn.init.calculate_gain` returns for an activation.

    Parameters
    ----------
    activation : str, Activation or mapping
        "linear", "sigmoid", "tanh", "relu", "selu", or "leaky_relu" with its slope.

    Returns
    -------
    float
        1 for linear and sigmoid, 5/3 for tanh, sqrt(2) for relu, sqrt(2 / (1 + slope^2)) for leaky_relu, 3/4 for selu.

    Raises
    ------
    ValueError
        If PyTorch tabulates no gain for it.
    TypeError
        If an argument is of another kind.

    See Also
    --------
    gain : what keeps the second moment.

    Notes
    -----
    The rectifiers' values are those of `gain`. The others are not, and this is what a wide network without biases
    does with them:

    - sigmoid, 1: the squared gradient shrinks by a factor of 17.9 a layer, at the fixed point q* = 0.2647.
    - tanh, 5/3: the length map settles at q* = 1.178, where squared gradients grow by 1.210 a layer: chaotic, not
      critical.
    - selu, 3/4: the signal of unit size decays to q* = 0.023, where squared gradients grow by 1.004 a layer.
      PyTorch's own comment calls the value empirical; the gain for which the activation was made is 1.

    Read from ``torch/nn/init.py`` of PyTorch 2.

    Examples
    --------
    >>> torch_gain("tanh"), torch_gain("selu"), torch_gain({"name": "leaky_relu", "slope": 1.0})
    (1.6666666666666667, 0.75, 1.0)

    Where tanh ends up with it:

    >>> from varprop.theory import gradient_factor, length_map
    >>> q = length_map("tanh", weight_variance=torch_gain("tanh") ** 2, q=1.0, depth=100)[-1].item()
    >>> round(q, 5), round(gradient_factor("tanh", weight_variance=torch_gain("tanh") ** 2, q=q), 5)
    (1.17848, 1.20983)
    """
    phi = as_activation(activation)
    if phi.name not in _TORCH:
        msg = (
            f"torch.nn.init.calculate_gain has no entry for {phi.label}, only for {', '.join(_TORCH)}; "
            "varprop.theory.gain computes one for any activation"
        )
        raise ValueError(msg)
    return _TORCH[phi.name](dict(phi.parameters))


_TORCH: dict[str, Callable[[Mapping[str, float]], float]] = {
    "linear": lambda _: 1.0,
    "sigmoid": lambda _: 1.0,
    "tanh": lambda _: 5 / 3,
    "relu": lambda _: math.sqrt(2.0),
    "leaky_relu": lambda parameters: math.sqrt(2 / (1 + parameters["slope"] ** 2)),
    "selu": lambda _: 3 / 4,
}
