"""A network as finite-width theory reads it: weight layers with at most one activation after each, and one signal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from varprop._typing import Float64Array
from varprop.model.activations import Activation
from varprop.model.initializers import Initializer
from varprop.model.inputs import check_inputs, real_array
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_chain, read_sites
from varprop.model.sites import Site, Step


class Slopes(NamedTuple):
    """Squared slopes of a positively homogeneous activation on either side of 0."""

    positive: float
    negative: float

    @property
    def second(self) -> float:
        """E[phi(z)^2] / E[z^2] for symmetric z; also E[phi'(z)^2]."""
        return (self.positive + self.negative) / 2

    @property
    def fourth(self) -> float:
        """E[phi(z)^4] / E[z^4] for symmetric z; also E[phi'(z)^4]."""
        return (self.positive**2 + self.negative**2) / 2

    @property
    def can_die(self) -> bool:
        """Whether one side is flat, so that all units of a layer may output 0."""
        return min(self) == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Step):
    """A layer with weights and the activation after it, with what finite width asks of its laws: their excess kurtosis."""

    weight_excess: float
    bias_excess: float
    gaussian: bool

    @property
    def atomless(self) -> bool:
        """Whether z is 0 only where all of what the layer receives is, and its biases are."""
        return self.layer.weights.continuous or self.layer.biases.continuous

    @property
    def response(self) -> Slopes | Activation:
        """Slopes, where all of the activation is in them (those of the identity if there is none), else itself."""
        if not self.activation.homogeneous:
            return self.activation
        sides = self.activation(np.array([1.0, -1.0])) ** 2
        return Slopes(float(sides[0]), float(sides[1]))


@dataclass(frozen=True, slots=True)
class Chain:
    """The activations before the first weight layer, and all weight layers in order."""

    lead: tuple[Site, ...]
    stages: tuple[Stage, ...]


def read_stages(network: Network) -> Chain:
    """Read a network as a chain of weight layers."""
    steps = read_chain(network, "finite-width theory", lead=True)
    lead = tuple(site for site in read_sites(network, "finite-width theory") if not site.number)
    return Chain(lead, tuple(_stage(step) for step in steps))


def read_inputs(network: Network, chain: Chain, inputs: ArrayLike | int | None) -> Float64Array:
    """Read the inputs of a network."""
    size = network.input_shape[0]
    if inputs is None:
        return np.ones((1, size))
    if isinstance(inputs, int | np.integer):
        check_inputs(inputs, size)
        if chain.lead or not chain.stages[0].gaussian:
            msg = (
                f"inputs={inputs} only counts them, but with this first layer more than their mean square matters; "
                "pass the array, for example inputs=simulation.inputs"
            )
            raise ValueError(msg)
        return np.ones((1, size))
    x = np.atleast_2d(real_array(inputs))
    if x.ndim != 2 or x.shape[1] != size or not len(x) or not np.isfinite(x).all():
        msg = f"inputs must be finite and of shape (inputs, {size}), got shape {x.shape}"
        raise ValueError(msg)
    return x


def through_lead(chain: Chain, x: Float64Array) -> list[Float64Array]:
    """Send one input through the activations before the first weight layer: itself, and what each of them returns."""
    signals = [x]
    for site in chain.lead:
        if isinstance(site.layer, Activation):  # the lead holds nothing else
            signals.append(np.asarray(site.layer(signals[-1]), dtype=np.float64))
    if not signals[-1].any() and chain.stages[0].bias_variance == 0:
        msg = "an input is zero where the first weights meet it: without biases nothing propagates; pass another input"
        raise ValueError(msg)
    return signals


def one_signal(network: Network, chain: Chain, inputs: ArrayLike | None) -> Float64Array:
    """What the first weight layer receives of the only input, or an error where there are several."""
    x = read_inputs(network, chain, inputs)
    if len(x) != 1 or isinstance(inputs, int | np.integer):
        found = inputs if isinstance(inputs, int | np.integer) else len(x)
        msg = f"give one input as an array of shape ({x.shape[1]},), got {found} inputs; call once for each"
        raise ValueError(msg)
    return through_lead(chain, x[0])[-1]


def _stage(step: Step) -> Stage:
    weight, weight_excess = _moments(step.weights, step.site, "weights")
    bias, bias_excess = _moments(step.biases, step.site, "biases")
    return Stage(
        site=step.site,
        layer=step.layer,
        sources=step.sources,
        after=step.after,
        weight_excess=weight_excess,
        bias_excess=bias_excess,
        gaussian=(weight == 0 or step.weights.gaussian) and (bias == 0 or step.biases.gaussian),
    )


def _moments(law: Initializer, site: Site, role: str) -> tuple[float, float]:
    """Variance and excess kurtosis of a law, if its entries are independent, of mean 0 and symmetric."""
    if not law.iid:
        msg = (
            f"finite-width theory takes {role} of a built-in law with independent entries; {law.label} (layer "
            f"{site.number}) is not known to be one. Compare with mean-field theory instead, or, for orthogonal weights "
            "under a piecewise linear activation, see finite_width_law(..., orthogonal=True) of the same network with "
            "Gaussian weights"
        )
        raise UnsupportedError(msg)
    if not law.symmetric:
        msg = f"finite-width theory takes {role} of mean 0, but {law.label} has a mean at layer {site.number}"
        raise UnsupportedError(msg)
    variance = law.variance(*site.fans)
    excess = 0.0 if variance == 0 else law.kurtosis(*site.fans) - 3
    if excess == math.inf:
        msg = (
            f"finite-width theory needs {role} with a fourth moment, and {law.label} (layer {site.number}) has none; "
            "take more than 4 degrees of freedom, or compare with mean-field theory"
        )
        raise UnsupportedError(msg)
    return variance, excess
