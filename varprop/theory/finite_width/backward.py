r"""Mean and variance of every layer's mean squared gradient, backward from a standard normal readout.

With positively homogeneous activations the mean square of delta_l is a product of independent factors, as derived in
`finite_width_law`; its moments are exact for Gaussian weights. For symmetric weights of another law with a density the
means still are: given the layer below, a row of W and its negative are as likely, which makes E[W^2 phi'^2] a product and
cross terms vanish. Signs and sparse weights can cancel, and a pre-activation of exactly 0 has the slope at 0: so it is in
networks that have died below, whose gradients are averaged apart.

For other activations the mean is mean-field theory's, and the variance is that of the linearised chain. Forward, the
relative deviations of Q obey x_{l+1} = C (g' x_l + e_l), with C = fan_in Var(W) and e_l the deviation of the mean of
phi^2 over the layer from g. Backward, with h = E[phi'^2], the relative deviation of the mean square of delta is

.. math:: \gamma_l = \gamma_{l+1} + \frac{h_l'}{h_l} x_l + \frac{\eta_l}{h_l}, \qquad
   n_l \mathrm{Var}(e_l) = E[\phi^4] - g^2, \quad n_l \mathrm{Var}(\eta_l) = 3 E[\phi'^4] - h^2, \quad
   n_l \mathrm{Cov}(e_l, \eta_l) = E[\phi^2 \phi'^2] - g h,

the coming gradient being Gaussian and independent of z up to one of its n directions.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from varprop._typing import Float64Array
from varprop.model.activations import Activation
from varprop.model.network import Network
from varprop.model.sites import Site
from varprop.theory.finite_width.chain import Slopes, read_inputs, read_stages, through_lead
from varprop.theory.finite_width.moments import LayerMoments, moments_of_signals
from varprop.theory.finite_width.recursion import (
    LocalMoments,
    LocalSlopes,
    local_moments,
    local_slopes,
    through_activation,
)
from varprop.theory.state import GradientState, State


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientMoments:
    """Moments, over networks, of one layer's mean squared gradients: of dLoss/dz and of dLoss/dW."""

    mean: float
    variance: float
    weight_mean: float
    weight_variance: float
    mean_exact: bool
    variance_exact: bool
    weight_mean_exact: bool
    weight_variance_exact: bool


def gradient_moments(layers: tuple[LayerMoments, ...]) -> tuple[GradientMoments, ...]:
    """Gradient moments of every layer, exact where all activations are positively homogeneous."""
    slopes = [response for layer in layers[:-1] if isinstance(response := layer.stage.response, Slopes)]
    return _homogeneous(layers, slopes) if len(slopes) == len(layers) - 1 else _linearised(layers)


def _homogeneous(layers: tuple[LayerMoments, ...], slopes: list[Slopes]) -> tuple[GradientMoments, ...]:
    found: list[GradientMoments] = []
    last = layers[-1].stage
    mean, square = 1.0, 1 + 2 / last.units  # of the readout; E of the square is relative to that of the mean
    still, still_square = mean, square  # the same where z is 0 in all units, so that all slopes are those at 0
    gaussian = True  # the weights above
    fair = True  # the slopes above: taken at pre-activations of either sign, none of them 0 in a live network
    for index in range(len(layers) - 1, -1, -1):
        layer = layers[index]
        dead = 0.0 if index == len(layers) - 1 else layer.preactivation.dead
        below = layer.below
        found.append(
            GradientMoments(
                mean=mean * (1 - dead) + still * dead,
                variance=mean**2 * (1 - dead) * (square - 1)
                + still**2 * dead * (still_square - 1)
                + (mean - still) ** 2 * dead * (1 - dead),
                weight_mean=mean * below.mean,
                weight_variance=mean**2 * (square * below.variance + (square - 1) * below.mean**2),
                mean_exact=fair,
                variance_exact=fair and gaussian,
                weight_mean_exact=fair and below.mean_exact,
                weight_variance_exact=fair and gaussian and below.variance_exact,
            )
        )
        if index:
            second, fourth = slopes[index - 1].second, slopes[index - 1].fourth
            gain, units = layer.stage.units * layer.stage.weight_variance, layers[index - 1].stage.units
            if layer.stage.bias_variance > 0:  # which bring a dead signal back to life
                still, still_square = mean, square
            still *= gain * slope_at_zero(layers[index - 1]) ** 2
            still_square *= 1 + 2 / units
            fair = fair and (layers[index - 1].stage.atomless or _is_straight(layers[index - 1], slopes[index - 1]))
            mean *= gain * second
            square *= 1 + (3 * fourth / second**2 - 1) / units
            gaussian = gaussian and layer.stage.gaussian
    return tuple(found[::-1])


def _linearised(layers: tuple[LayerMoments, ...]) -> tuple[GradientMoments, ...]:
    last = len(layers) - 1
    chain = _Linear(tuple(layer.stage.units for layer in layers[:-1]), tuple(_moments(layer) for layer in layers[:-1]))
    deviations = chain.deviations(tuple(layer.stage.gain for layer in layers))
    readout = 2 / layers[-1].stage.units

    found: list[GradientMoments] = []
    mean, on_e, slopes = 1.0, np.zeros(last), dict[int, LocalSlopes]()
    for i in range(last, -1, -1):
        layer = layers[i]
        if i < last:
            if _jumps(layer):
                break
            above, h = layers[i + 1].stage, _slopes(layer)
            slopes[i] = h
            mean *= above.units * above.weight_variance * h.second
            on_e = on_e + h.slope / h.second * deviations[i]
        below = layer.below
        # The input's mean square deviates, relatively, as Q less the biases' constant share does.
        scale = layer.stage.gain * below.mean_field
        with_input = on_e + (deviations[i] / scale if scale else 0.0)
        if i == last:  # the readout is independent of everything
            weight_mean = below.mean
            weight_variance = (1 + readout) * below.variance + readout * below.mean**2
        else:
            weight_mean = mean * below.mean_field
            weight_variance = weight_mean**2 * (readout + chain.variance(with_input, slopes))
        found.append(
            GradientMoments(
                mean=mean,
                variance=mean**2 * (readout + chain.variance(on_e, slopes)),
                weight_mean=weight_mean,
                weight_variance=weight_variance,
                mean_exact=i == last,
                variance_exact=i == last,
                weight_mean_exact=i == last and below.mean_exact,
                weight_variance_exact=i == last and below.mean_exact and below.variance_exact,
            )
        )
    return tuple(found[::-1])


@dataclass(frozen=True, slots=True)
class _Linear:
    """The linearised chain: units and moments of phi of all layers but the last."""

    units: tuple[int, ...]
    moments: tuple[LocalMoments, ...]

    def deviations(self, gains: tuple[float, ...]) -> Float64Array:
        """Row i: how the deviation of Q in layer i depends on the e of all layers."""
        rows = np.zeros((len(self.units) + 1, len(self.units)))
        for i, local in enumerate(self.moments):
            rows[i + 1] = local.slope * rows[i]
            rows[i + 1, i] = 1.0
            rows[i + 1] *= gains[i + 1]
        return rows

    def variance(self, on_e: Float64Array, slopes: dict[int, LocalSlopes]) -> float:
        """Variance of the sum of on_e e, and of eta / h over the layers whose slopes are passed on the way back."""
        terms = []
        for i, (a, g, n) in enumerate(zip(on_e.tolist(), self.moments, self.units, strict=True)):
            total = a * a * (g.fourth - g.second**2)
            if i in slopes:
                h = slopes[i]
                total += 3 * h.fourth / h.second**2 - 1 + 2 * a * (h.mixed / h.second - g.second)
            terms.append(total / n)
        return math.fsum(terms)


def _jumps(layer: LayerMoments) -> bool:
    """Tell whether phi jumps, so that phi' has a delta function and E[phi'^2] is infinite."""
    return bool(layer.stage.activation.jumps)


def _moments(layer: LayerMoments) -> LocalMoments:
    response, q = layer.stage.response, layer.preactivation.mean_field
    if isinstance(response, Activation):
        return local_moments(response, q)
    second, fourth = response.second, response.fourth
    return LocalMoments(second=second * q, slope=second, curvature=0.0, fourth=3 * fourth * q * q)


def _slopes(layer: LayerMoments) -> LocalSlopes:
    response, q = layer.stage.response, layer.preactivation.mean_field
    if isinstance(response, Activation):
        return local_slopes(response, q)
    return LocalSlopes(second=response.second, slope=0.0, fourth=response.fourth, mixed=response.fourth * q)


def _is_straight(layer: LayerMoments, slopes: Slopes) -> bool:
    """Tell whether phi'^2 is one number everywhere, 0 included, as the identity's is."""
    return slopes.positive == slopes.negative == slope_at_zero(layer) ** 2


def slope_at_zero(layer: LayerMoments) -> float:
    """phi'(0) of a layer, as the engine takes it."""
    return float(layer.stage.activation.slope(np.zeros(1))[0])


# ---- steps -----------------------------------------------------------------------------------------------------------


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
