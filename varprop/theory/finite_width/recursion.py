r"""What an activation does to the fluctuations of a layer's mean square: exactly, or to order 1/width.

Let Q be the variance of z given the layer below, which differs from network to network, and let k4 be the fourth
cumulant of z given the layer below. Then M, the mean of phi(z)^2 over the layer's n units, has E[M | Q] = g(Q) + k4
g''(Q) / 6 + ... with g(q) = E[phi^2] for z ~ N(0, q), because (d/dq) E[f] = E[f''] / 2 makes E[f''''] = 4 g'' in the
Edgeworth term k4 E[f''''] / 24. Expanded about the mean-field value K of Q, with D = E[Q] - K and V = Var(Q),

.. math:: E[M] = g + g' D + \tfrac12 g'' V + \tfrac16 g'' k_4, \qquad
   \mathrm{Var}(M) = g'^2 V + \frac{E[\phi^4] - g^2}{n} .

D, V and k4 are of order 1/width, what is left out of order 1/width^2. For positively homogeneous phi and symmetric z,
E[phi^2] and E[phi^4] are fixed shares of E[z^2] and E[z^4], and nothing is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from varprop._typing import Float64Array, FloatArray
from varprop.model.activations import Activation
from varprop.model.layers import UnsupportedError
from varprop.numerics.quadrature import normal_expectation
from varprop.theory.finite_width.chain import Slopes, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSignal:
    """Moments, over networks, of the mean square M of what a weight layer receives.

    ``mean_field`` is its value in the infinite width, ``fourth`` the expected mean of fourth powers over units,
    ``dead`` the probability that all units are exactly 0. ``mean_exact`` and ``variance_exact`` (which covers ``fourth``)
    say what holds at the network's own width.
    """

    mean_field: float
    mean: float
    variance: float
    fourth: float
    dead: float = 0.0
    mean_exact: bool = True
    variance_exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Preactivation:
    """Moments, over networks, of Q, the variance of z given the layer below, and of z itself.

    ``fourth_cumulant`` is the expected fourth cumulant of z given the layer below, ``dead`` the probability that z is
    exactly 0 in all units.
    """

    mean_field: float
    mean: float
    variance: float
    fourth_cumulant: float
    dead: float
    mean_exact: bool
    variance_exact: bool

    @property
    def square(self) -> float:
        """E[Q^2]."""
        return self.variance + self.mean**2

    @property
    def fourth(self) -> float:
        """E[z^4]."""
        return 3 * self.square + self.fourth_cumulant

    def second_moment_variance(self, units: int) -> float:
        """Variance of the mean of z^2 over that many units, which are independent given the layer below."""
        return self.variance + (2 * self.square + self.fourth_cumulant) / units


def through_weights(signal: LayerSignal, stage: Stage) -> Preactivation:
    """From a layer's input to its pre-activation; exact for independent symmetric weights and biases."""
    gain, bias = stage.gain, stage.bias_variance
    return Preactivation(
        mean_field=gain * signal.mean_field + bias,
        mean=gain * signal.mean + bias,
        variance=gain**2 * signal.variance,
        fourth_cumulant=stage.weight_excess * gain**2 * signal.fourth / stage.fan_in + stage.bias_excess * bias**2,
        dead=0.0 if bias > 0 else signal.dead,
        mean_exact=signal.mean_exact,
        variance_exact=signal.variance_exact,
    )


def through_activation(z: Preactivation, stage: Stage) -> LayerSignal:
    """From a layer's pre-activation to what the next layer receives."""
    response = stage.response
    if isinstance(response, Slopes):
        return _homogeneous(z, response, stage.units)
    return _expanded(z, response, stage)


def _homogeneous(z: Preactivation, slopes: Slopes, units: int) -> LayerSignal:
    """Exact: E[M^2] = E[z^4] phi's share / n + (1 - 1/n) E[Q^2] share^2, the units independent given the layer below."""
    second, fourth = slopes.second, slopes.fourth
    return LayerSignal(
        mean_field=second * z.mean_field,
        mean=second * z.mean,
        variance=second**2 * z.variance + (fourth * z.fourth - second**2 * z.square) / units,
        fourth=fourth * z.fourth,
        dead=z.dead + (1 - z.dead) * 2.0**-units if slopes.can_die else z.dead,
        mean_exact=z.mean_exact,
        variance_exact=z.variance_exact,
    )


def _expanded(z: Preactivation, phi: Activation, stage: Stage) -> LayerSignal:
    """To order 1/width; exact where z is known to be Gaussian with a variance that does not fluctuate."""
    if stage.bias_variance > 0 and stage.bias_excess != 0:
        msg = (
            f"layer {stage.number} has biases that are not Gaussian before {phi.label}: its pre-activations stay "
            "non-Gaussian however wide the layer below, and no expansion in 1/width is about mean-field theory"
        )
        raise UnsupportedError(msg)
    local = local_moments(phi, z.mean_field)
    drift = local.slope * (z.mean - z.mean_field)
    known = z.mean_exact and z.variance_exact and z.variance == 0 and stage.gaussian
    at_zero = float(phi(np.zeros(1))[0])
    return LayerSignal(
        mean_field=local.second,
        mean=local.second + drift + local.curvature * (z.variance / 2 + z.fourth_cumulant / 6),
        variance=local.slope**2 * z.variance + (local.fourth - local.second**2) / stage.units,
        fourth=local.fourth,
        dead=z.dead if at_zero == 0 else 0.0,
        mean_exact=known,
        variance_exact=known,
    )


@dataclass(frozen=True, slots=True)
class LocalMoments:
    """Moments of phi at one q: g = E[phi^2], g', g'' and E[phi^4]."""

    second: float
    slope: float
    curvature: float
    fourth: float


def local_moments(phi: Activation, q: float) -> LocalMoments:
    """Moments of phi under N(0, q), q > 0.

    The derivatives are expectations too, of phi^2 times Hermite polynomials: that needs no phi'' and holds across
    kinks. phi(0)^2 is taken away first: it contributes nothing but rounding.
    """
    offset = phi(np.zeros(1)) ** 2

    def centred(z: FloatArray) -> FloatArray:
        return phi(z) ** 2 - offset

    def expectation(function: Callable[[FloatArray], FloatArray]) -> float:
        return _expectation(function, q, phi)

    return LocalMoments(
        second=float(phi.second_moment(q)),
        slope=expectation(lambda z: centred(z) * (z * z / q - 1)) / (2 * q),
        curvature=expectation(lambda z: centred(z) * ((z * z / q) ** 2 - 6 * z * z / q + 3)) / (4 * q * q),
        fourth=expectation(lambda z: phi(z) ** 4),
    )


@dataclass(frozen=True, slots=True)
class LocalSlopes:
    """Moments of phi' at one q: h = E[phi'^2], h', E[phi'^4], and E[phi^2 phi'^2]."""

    second: float
    slope: float
    fourth: float
    mixed: float


def local_slopes(phi: Activation, q: float) -> LocalSlopes:
    """Moments of phi' under N(0, q), q > 0."""

    def expectation(function: Callable[[FloatArray], FloatArray]) -> float:
        return _expectation(function, q, phi)

    return LocalSlopes(
        second=float(phi.derivative_second_moment(q)),
        slope=expectation(lambda z: phi.slope(z) ** 2 * (z * z / q - 1)) / (2 * q),
        fourth=expectation(lambda z: phi.slope(z) ** 4),
        mixed=expectation(lambda z: (phi(z) * phi.slope(z)) ** 2),
    )


def _expectation(function: Callable[[FloatArray], FloatArray], q: float, phi: Activation) -> float:
    at: Float64Array = np.array([q])
    return float(normal_expectation(function, at, phi.edges)[0])
