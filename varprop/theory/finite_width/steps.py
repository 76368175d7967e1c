r"""One step at finite width: what is expected of a layer in the mean over networks that agree in what the step starts from.

Forward that is the mean-field step at the conditional variance that was measured, since z is Gaussian given it. Under weights
that are not, E[phi^2] has the Edgeworth term k4 g''/6 in addition, relative to g taken where mean-field theory has Q.

Backward a step starts from the gradient above. With two half lines networks may die, and that a gradient above is not 0 says
that most of them did not die below it. For other activations what finite width does to the mean is not known, and the step is
mean-field theory's.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from varprop._typing import Float64Array
from varprop.model.network import Network
from varprop.model.sites import Site
from varprop.theory.finite_width.backward import slope_at_zero
from varprop.theory.finite_width.chain import Slopes, read_inputs, read_stages, through_lead
from varprop.theory.finite_width.moments import LayerMoments, moments_of_signals
from varprop.theory.finite_width.recursion import through_activation
from varprop.theory.state import GradientState, State


@dataclass(frozen=True, slots=True)
class MeasuredSteps:
    """What finite width makes of the state after one site of a network, if the one before was measured.

    ``shares`` has, by the activation's module, what E[phi^2] is relative to that of a Gaussian z, for each input;
    ``factors``, by the module of a layer with weights, the whole factor on the gradient from it to the layer below, where
    that is finite width's own.
    """

    shares: dict[str, Float64Array]
    factors: dict[str, float]

    def __call__(self, site: Site, after: State) -> State:
        """Correct the state after the site."""
        if site.module in self.shares:
            after = replace(after, carried=after.carried * self.shares[site.module])
        if not self.factors:
            return after
        factor = self.factors.get(site.module, 1.0)
        return replace(after, backward=lambda gradient: GradientState(gradient.square * factor))


def measured_steps(network: Network, inputs: Float64Array) -> MeasuredSteps:
    """Work out the corrections for a network and its inputs, shape (inputs, input_size)."""
    chain = read_stages(network)
    x = read_inputs(network, chain, inputs)
    which, distinct = moments_of_signals(chain, [through_lead(chain, one)[-1] for one in x])
    shares = {
        site.module: np.array([_share(layer) for layer in layers])[which]
        for layers in zip(*distinct, strict=True)
        if (site := layers[0].stage.activation_site) is not None
    }
    return MeasuredSteps(shares, _factors(distinct[0]))


def _share(layer: LayerMoments) -> float:
    """What E[phi^2] is, given Q, relative to that of a Gaussian z."""
    given = replace(layer.preactivation, mean=layer.preactivation.mean_field, variance=0.0)
    after = through_activation(given, layer.stage)
    return after.mean / after.mean_field if after.mean_field > 0 else 1.0


def _factors(layers: tuple[LayerMoments, ...]) -> dict[str, float]:
    """By module, from a layer's gradient to that of the layer below; empty where mean-field theory says it.

    The mean is over networks whose gradient above is not 0. Of living signals below fair coins say how much goes through,
    none if all fall on a flat side; of dead ones the slope at 0 does. A layer with biases brings a signal back to life.
    """
    found: dict[str, float] = {}
    living, dead = 1.0, 1.0  # chances that the gradient above is not 0, if the signal there lives, and if it does not
    for layer, above in reversed(list(itertools.pairwise(layers))):
        response = layer.stage.response
        if not isinstance(response, Slopes):
            return {}
        off = 2.0**-layer.stage.units if response.can_die else 0.0
        at_zero, gone = slope_at_zero(layer) ** 2, layer.preactivation.dead
        if above.stage.bias_variance > 0:
            dead = living
        passed = (1 - gone) * response.second * living + gone * at_zero * dead
        at_risk = (1 - gone) * ((1 - off) * living + off * dead) + gone * dead
        gain = above.stage.units * above.stage.weight_variance
        found[above.stage.site.module] = gain * (passed / at_risk)
        living, dead = (1 - off) * living, dead if at_zero else 0.0
    return found
