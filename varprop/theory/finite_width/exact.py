"""The exact law of a layer's mean square in a network with positively homogeneous activations and no biases."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from varprop._arguments import checked, quoted
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network
from varprop.theory.finite_width.chain import Slopes, Stage, one_signal, read_stages
from varprop.theory.finite_width.factors import ChiSquare, Factor, Narrowing, Share
from varprop.theory.finite_width.law import FiniteWidthLaw, LawQuantity

_FORWARD = ("preactivation_second_moment", "conditional_variance", "activation_second_moment")


@checked
def finite_width_law(
    network: Network,
    layer: int,
    *,
    quantity: LawQuantity = "preactivation_second_moment",
    inputs: ArrayLike | None = None,
    orthogonal: bool = False,
) -> FiniteWidthLaw:
    r"""Exact law of the logarithm of a layer's mean square, at the network's own widths.

    Parameters
    ----------
    network : Network
        Gaussian weights, no biases, and after each weight layer at most one activation, positively homogeneous:
        linear, relu, leaky_relu and the like, each layer with its own widths, variance and activation.
    layer : int
        1 is the first layer with weights.
    quantity : str, default "preactivation_second_moment"
        Or "conditional_variance", "activation_second_moment", "gradient_second_moment" (under the loss of `simulate`,
        the last pre-activation times a standard normal vector) or "weight_gradient_second_moment".
    inputs : array_like, shape (input_size,) or (1, input_size), optional
        One input; all ones, of mean square 1, if None.
    orthogonal : bool, default False
        Take weights of the same variance that are multiples of Haar-distributed matrices with orthonormal rows or
        columns, whichever are fewer. Forward quantities only.

    Returns
    -------
    FiniteWidthLaw

    Raises
    ------
    ValueError
        If there is no such layer or quantity, more than one input, or an input of zeros.
    UnsupportedError
        If a law is not Gaussian, there are biases, an activation is not positively homogeneous or follows another.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    Given the layer below, z is N(0, q' I), q' = Var(W) \|a\|^2. So q = q' chi2_n / n, the direction of z is independent
    of q, and phi keeps a share of q that depends on the direction alone: with K ~ Bin(n, 1/2) units positive and
    squared slopes a and b the mean of phi^2 is (a chi2_K + b chi2_{n-K}) / n times q'. For ReLU with 2 / fan_in that
    is 2 chi2_K / n, of mean 1, with variance 5/n. All steps are independent, and the law of the sum of their logarithms
    follows from its characteristic function.

    Backward, let c = W^T delta. If delta = phi'(z) c' with c' Gaussian and independent of z and its own layer's input,
    then c is Gaussian with variance Var(W) \|delta\|^2, independent of the layer's input: across that input because W
    is, and along it because z . delta = sum of \|z_i\| times signs that are fair coins, independent of which slopes
    were taken, times the sizes of delta. By induction from the readout, the mean squares of gradients are the same
    kind of product with fresh coins, and independent of the forward signal below. See [1]_ for norms of the Jacobian.

    References
    ----------
    .. [1] Hanin & Nica (2018), Products of many large random matrices and gradients in deep neural networks.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([10, 3, 3], activation="relu", weights="he_normal")
    >>> law = vp.theory.finite_width_law(net, 2)
    >>> law.dead_probability
    0.125
    """
    chain = read_stages(network)
    if isinstance(layer, bool) or not hasattr(layer, "__index__") or not 1 <= layer <= len(chain.stages):
        msg = f"layer must be an integer from 1 to {len(chain.stages)}, got {quoted(layer)}"
        raise ValueError(msg)
    if quantity not in get_args(LawQuantity):
        msg = f"quantity must be one of {', '.join(get_args(LawQuantity))}, got {quoted(quantity)}"
        raise ValueError(msg)
    if orthogonal and quantity not in _FORWARD:
        msg = f"with orthogonal weights there is a law of {', '.join(_FORWARD)}, not of {quantity}"
        raise UnsupportedError(msg)
    for stage in chain.stages:
        _check(stage)
    square = float(np.mean(one_signal(network, chain, inputs) ** 2))
    index = layer - 1
    below, here = chain.stages[:index], chain.stages[index]
    if quantity == "activation_second_moment" and here.activation_site is None:
        msg = f"layer {layer} has no activation; ask for its preactivation_second_moment"
        raise ValueError(msg)

    parts: list[Factor | float] = []
    if quantity != "gradient_second_moment":
        parts.append(square)
        for stage in below:
            parts += [*_weights(stage, orthogonal=orthogonal), *_activation(stage)]
    if quantity in _FORWARD:
        last = _weights(here, orthogonal=orthogonal)
        # The conditional variance is what is known before the weights are drawn.
        parts += [here.gain] if quantity == "conditional_variance" else last
        if quantity == "activation_second_moment":
            parts += _activation(here)
    else:
        parts += _backward(chain.stages[index:])
    # The product over all layers that have to be alive, by logarithms: 2^-n is soon below the last digit of 1.
    vital = [stage.units for stage in _vital(chain.stages, index, quantity) if _slopes(stage).can_die]
    dead = 0.0 - math.expm1(math.fsum(math.log1p(-(2.0**-units)) for units in vital))
    return _law(layer, quantity, parts, dead)


def _law(layer: int, quantity: LawQuantity, parts: list[Factor | float], dead: float) -> FiniteWidthLaw:
    offset = math.fsum(math.log(part) for part in parts if isinstance(part, int | float))
    counts = Counter(part for part in parts if not isinstance(part, int | float))
    return FiniteWidthLaw(
        layer=layer, quantity=quantity, offset=offset, factors=tuple(counts.items()), dead_probability=dead
    )


def _weights(stage: Stage, *, orthogonal: bool) -> list[Factor | float]:
    """From the mean square of a layer's input to that of its pre-activations."""
    if not orthogonal:
        return [stage.gain, ChiSquare(stage.units)]
    narrowing = [Narrowing(stage.units, stage.fan_in)] if stage.units < stage.fan_in else []
    return [stage.gain, *narrowing]


def _activation(stage: Stage) -> list[Factor | float]:
    slopes = _slopes(stage)
    return [slopes.positive] if slopes.positive == slopes.negative else [Share(stage.units, slopes)]


def _backward(stages: tuple[Stage, ...]) -> Iterator[Factor | float]:
    """From the readout to the gradient of the first of these stages' pre-activations."""
    yield ChiSquare(stages[-1].units)
    for lower, upper in itertools.pairwise(stages):
        yield upper.units * upper.weight_variance
        yield ChiSquare(lower.units)
        yield from _activation(lower)


def _vital(stages: tuple[Stage, ...], index: int, quantity: LawQuantity) -> tuple[Stage, ...]:
    """Return the layers of which none may be dead if q is not to be 0."""
    if quantity == "activation_second_moment":
        return stages[: index + 1]
    if quantity in _FORWARD:
        return stages[:index]
    if quantity == "gradient_second_moment" and index == len(stages) - 1:
        return ()  # the readout itself
    # One dead layer anywhere below the last switches the signal above it and the slopes below and above it off.
    return stages[:-1]


def _slopes(stage: Stage) -> Slopes:
    """Slopes of a stage, or an error that says what there is for other activations."""
    response = stage.response
    if isinstance(response, Slopes):
        return response
    msg = (
        f"{response.label} (layer {stage.number}) is not positively homogeneous, so that the law of its layers has no "
        "closed form; layer_moments has means and variances to order 1/width"
    )
    raise UnsupportedError(msg)


def _check(stage: Stage) -> None:
    """Refuse what has no law of this kind, saying what would."""
    if not stage.gaussian or stage.bias_variance > 0:
        what = "biases" if stage.bias_variance > 0 else "weights that are not Gaussian"
        msg = f"layer {stage.number} has {what}: its law has no closed form; layer_moments has the mean and variance"
        raise UnsupportedError(msg)
    if stage.weight_variance == 0 or max(_slopes(stage)) == 0:
        msg = f"layer {stage.number} sends everything to 0: ln q does not exist; use weights of positive variance"
        raise ValueError(msg)
