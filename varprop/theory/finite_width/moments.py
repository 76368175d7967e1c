"""Mean and variance of every layer's mean square over random networks, forward."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from varprop._arguments import checked
from varprop._typing import Float64Array
from varprop.model.network import Network
from varprop.theory.finite_width.chain import Chain, Stage, one_signal, read_stages
from varprop.theory.finite_width.recursion import LayerSignal, Preactivation, through_activation, through_weights

SMALL = 0.1
"""A term of order 1/width above this share of the leading one is no longer small; what is left out is of its square."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMoments:
    """One weight layer of a finite network: moments of its mean squares over random networks.

    Parameters
    ----------
    stage : Stage
        The layer.
    below : LayerSignal
        What it receives.
    preactivation : Preactivation
        Its output z.
    activation : LayerSignal
        What follows: the signal after its activation, or after itself where it has none.
    """

    stage: Stage
    below: LayerSignal
    preactivation: Preactivation
    activation: LayerSignal

    @property
    def layer(self) -> int:
        """1 is the first layer with weights."""
        return self.stage.number

    @property
    def mean(self) -> float:
        """E[q], q the mean of z^2 over units."""
        return self.preactivation.mean

    @property
    def variance(self) -> float:
        """Var(q) between networks."""
        return self.preactivation.second_moment_variance(self.stage.units)

    @property
    def kurtosis(self) -> float:
        """E[z^4] / E[z^2]^2 of one unit over networks; 3 were it Gaussian."""
        return self.preactivation.fourth / self.preactivation.mean**2

    @property
    def exact(self) -> bool:
        """Whether `mean`, `variance` and `kurtosis` are exact at this width, and not only to order 1/width."""
        return self.preactivation.mean_exact and self.preactivation.variance_exact

    @property
    def correction(self) -> float:
        """The larger of the terms of order 1/width relative to mean-field theory: of the mean, and Var(Q) / Q^2."""
        z = self.preactivation
        return max(abs(z.mean / z.mean_field - 1), z.variance / z.mean_field**2)


@checked
def layer_moments(network: Network, *, inputs: ArrayLike | None = None) -> tuple[LayerMoments, ...]:
    r"""Mean and variance of every layer's mean square over random networks, at the network's own widths.

    Parameters
    ----------
    network : Network
        Independent symmetric weights and biases of any built-in law, and at most one activation after each weight
        layer.
    inputs : array_like, shape (input_size,) or (1, input_size), optional
        One input; all ones if None.

    Returns
    -------
    tuple of LayerMoments
        One for each weight layer.

    Raises
    ------
    ValueError
        If there is more than one input, or the signal is exactly 0.
    UnsupportedError
        If entries are not known to be independent and symmetric, an activation follows another, or biases that are
        not Gaussian meet an activation that is not positively homogeneous.
    TypeError
        If an argument is of another kind.

    Warns
    -----
    UserWarning
        If an expansion to order 1/width has terms above a tenth of mean-field theory.

    Notes
    -----
    With positively homogeneous activations all moments are exact. Let A2 and A4 be the sums of squares and of fourth
    powers of a layer's input, v = Var(W) and k the excess kurtosis of W. Given that input, units are independent with
    E[z^2] = v A2 and E[z^4] = 3 v^2 A2^2 + k v^2 A4, so that E[A2], E[A2^2] and E[A4] go from layer to layer in a linear
    recursion (biases add their own moments). Else they hold to order 1/width, but for the first layers with Gaussian
    weights; see `varprop.theory.finite_width.recursion`.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([64] * 11, activation="relu", weights="he_normal")
    >>> layers = layer_moments(net)
    >>> round(layers[-1].kurtosis, 6), layers[-1].exact
    (5.903959, True)
    """
    chain = read_stages(network)
    layers = forward_moments(chain, one_signal(network, chain, inputs))
    warn_where_wide_of_the_mark(layers, stacklevel=3)
    return layers


def forward_moments(chain: Chain, signal: Float64Array) -> tuple[LayerMoments, ...]:
    """Moments of all layers for what the first one receives, shape (input_size,)."""
    square = float(np.mean(signal**2))
    below = LayerSignal(mean_field=square, mean=square, variance=0.0, fourth=float(np.mean(signal**4)))
    layers: list[LayerMoments] = []
    for stage in chain.stages:
        z = through_weights(below, stage)
        if z.mean_field == 0:
            msg = f"the pre-activations of layer {stage.number} are exactly 0 in every network: there is no law to speak of"
            raise ValueError(msg)
        above = through_activation(z, stage)
        layers.append(LayerMoments(stage=stage, below=below, preactivation=z, activation=above))
        below = above
    return tuple(layers)


def moments_of_signals(
    chain: Chain, signals: Sequence[Float64Array]
) -> tuple[list[int], list[tuple[LayerMoments, ...]]]:
    """Moments for several signals that the first weight layer receives, each law worked out once."""
    found: dict[tuple[str, ...], tuple[int, tuple[LayerMoments, ...]]] = {}
    which = []
    for signal in signals:
        key = _what_matters(chain, signal)
        if key not in found:
            found[key] = len(found), forward_moments(chain, signal)
        which.append(found[key][0])
    return which, [layers for _, layers in found.values()]


def _what_matters(chain: Chain, signal: Float64Array) -> tuple[str, ...]:
    """Moments of an input that its law depends on, to twelve digits: many inputs are scaled to one mean square."""
    powers = (2, 4) if chain.stages[0].weight_excess else (2,)
    return tuple(f"{np.mean(signal**power):.12e}" for power in powers)


def warn_where_wide_of_the_mark(layers: tuple[LayerMoments, ...], *, stacklevel: int) -> None:
    """Say from which layer on an expansion in 1/width is not to be relied on."""
    far = [layer for layer in layers if not layer.exact and layer.correction > SMALL]
    if far:
        msg = (
            f"from layer {far[0].layer} on the terms of order 1/width exceed {SMALL:.0%} of mean-field theory (at most "
            f"{max(layer.correction for layer in far):.0%}): means and standard deviations there are rough; wider or "
            "fewer layers would make them good"
        )
        warnings.warn(msg, UserWarning, stacklevel=stacklevel)
