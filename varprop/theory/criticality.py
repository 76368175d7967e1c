r"""The edge of chaos: weights and biases with which gradients neither shrink nor grow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from varprop._arguments import checked
from varprop._typing import Float64Array
from varprop.model.activations import Activation, ActivationLike, as_activation
from varprop.theory import roots
from varprop.theory.equilibrium import MARGINAL, attracts
from varprop.theory.meanfield import check_non_negative, second_moment_slope


class NoEdgeError(ValueError):
    """There is no edge of chaos for this activation and variance of the biases, within the range of q searched."""


@dataclass(frozen=True, slots=True)
class EdgeOfChaos:
    """A point on the edge of chaos.

    Parameters
    ----------
    weight_variance : float
        :math:`C_W` = fan_in Var(W) with which chi_1 = 1 at q.
    q : float or None
        The fixed point of the length map; None where every q is one, as for ReLU.
    chi_parallel : float
        Slope of the length map there.
    stable : bool
        Whether the length map comes back to q, so that a network goes to this edge by itself.
    """

    weight_variance: float
    q: float | None
    chi_parallel: float
    stable: bool


@dataclass(frozen=True, slots=True)
class HalfStablePoint:
    """Weights and biases with which neither gradients nor deviations of q shrink or grow.

    Parameters
    ----------
    q : float or None
        The fixed point of the length map; None where every q is one, as for ReLU.
    weight_variance, bias_variance : float
        :math:`C_W` = fan_in Var(W) and :math:`C_b` = Var(b).
    """

    q: float | None
    weight_variance: float
    bias_variance: float


@checked
def edge_of_chaos(activation: ActivationLike, bias_variance: float = 0.0) -> EdgeOfChaos:
    r"""Find the variance of the weights that is critical for a variance of the biases.

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    bias_variance : float, default 0
        :math:`C_b` = Var(b), >= 0.

    Returns
    -------
    EdgeOfChaos
        That of the smallest q, be it stable or not.

    Raises
    ------
    NoEdgeError
        If there is none with q = 0 or q from 1e-9 to 16384, or to where phi grows too fast for its moments to exist.
    ValueError
        If the variance is negative or not finite, or phi jumps, so that chi_1 is infinite everywhere.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    The critical line is given by q: :math:`C_W = 1 / E[\phi'^2]` makes chi_1 = 1, and
    :math:`C_b = q - C_W E[\phi^2]` makes q a fixed point. So one equation in q is solved, :math:`C_b(q) = C_b`.

    References
    ----------
    .. [1] Schoenholz et al. (2017), ICLR: order, chaos and the line between.
    .. [2] Hayou, Doucet & Rousseau (2019), ICML: the edge of chaos of other activations.

    Examples
    --------
    >>> edge = edge_of_chaos("tanh", bias_variance=0.05)
    >>> round(edge.weight_variance, 4), round(edge.q, 4), edge.stable
    (1.761, 0.57, True)
    >>> edge_of_chaos("relu")
    EdgeOfChaos(weight_variance=2.0, q=None, chi_parallel=1.0, stable=False)
    >>> edge_of_chaos("softplus", 0.1)
    Traceback (most recent call last):
    ...
    varprop.theory.criticality.NoEdgeError: softplus has no edge of chaos with bias_variance = 0.1 ...
    """
    phi = _smooth_enough(activation)
    check_non_negative(bias_variance=bias_variance)
    if phi.homogeneous:
        if bias_variance:
            msg = (
                f"{phi.label} has no edge of chaos with bias_variance = {bias_variance:g}: where chi_1 = 1 its second "
                "moments grow by the biases' variance at every layer; use bias_variance = 0"
            )
            raise NoEdgeError(msg)
        return EdgeOfChaos(_critical_weights(phi, 1.0), None, 1.0, stable=False)
    if bias_variance == 0 and phi.second_moment(0.0) == 0 and phi.derivative_second_moment(0.0) > 0:
        return _edge(phi, 0.0, 0.0)
    line = _critical_line(phi)
    if not line.q.size:
        msg = f"{phi.label} has no edge of chaos: its slope is 0 wherever it was looked at, so chi_1 is 0"
        raise NoEdgeError(msg)
    found = roots.all_roots(
        lambda q: (q - phi.second_moment(q) / phi.derivative_second_moment(q) - bias_variance) / (q + bias_variance),
        line.q,
        (line.bias_variance - bias_variance) / (line.q + bias_variance),
        line.tolerance,
    )
    if not found:
        low, high = line.bias_variance.min(), line.bias_variance.max()
        msg = (
            f"{phi.label} has no edge of chaos with bias_variance = {bias_variance:g} for q from {line.q[0]:.2g} to "
            f"{line.q[-1]:.5g}; on its critical line bias_variance goes from {low:.4g} to {high:.4g}"
        )
        raise NoEdgeError(msg)
    return _edge(phi, found[0].q, bias_variance)


@checked
def half_stable_points(activation: ActivationLike) -> tuple[HalfStablePoint, ...]:
    r"""Find where :math:`\chi_1 = \chi_\parallel = 1` with some variances of weights and biases.

    Parameters
    ----------
    activation : str, Activation or callable
        phi.

    Returns
    -------
    tuple of HalfStablePoint
        In increasing q; one with q None for ReLU and its like. Those of q = 0, which tanh and all smooth phi with
        phi(0) = 0 have at :math:`C_W = 1 / \phi'(0)^2`, are left out.

    Raises
    ------
    ValueError
        If phi jumps, so that chi_1 is infinite everywhere.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    The condition is :math:`E[z \phi \phi'] / q = E[\phi'^2]`, and that the biases' variance on the critical line is not
    negative. It is solved for q from 1e-9 to 16384.

    References
    ----------
    .. [1] Roberts, Yaida & Hanin (2022), The Principles of Deep Learning Theory: half-stable universality class.

    Examples
    --------
    >>> point, = half_stable_points("gelu")
    >>> round(2 * point.q - 3, 10) ** 2
    17.000000...
    """
    phi = _smooth_enough(activation)
    if phi.homogeneous:
        return (HalfStablePoint(None, _critical_weights(phi, 1.0), 0.0),)
    line = _critical_line(phi)
    found = roots.all_roots(
        lambda q: second_moment_slope(phi, q) / phi.derivative_second_moment(q) - 1,
        line.q,
        line.chi_parallel - 1,
        line.tolerance,
    )
    points = (HalfStablePoint(r.q, _critical_weights(phi, r.q), _critical_biases(phi, r.q)) for r in found)
    return tuple(point for point in points if point.bias_variance >= 0)


@dataclass(frozen=True, slots=True)
class _CriticalLine:
    """The critical line of an activation at the points of a scan."""

    q: Float64Array
    bias_variance: Float64Array
    chi_parallel: Float64Array
    tolerance: Float64Array


@lru_cache(maxsize=64)
def _critical_line(phi: Activation) -> _CriticalLine:
    scan = roots.scan(phi)
    slope = np.ones_like(scan.q) if scan.slope_moment is None else scan.slope_moment
    there = slope > np.finfo(float).tiny  # phi' may vanish for all z that matter
    q, slope = scan.q[there], slope[there]
    chi_parallel = scan.second_moment_slope[there] / slope
    return _CriticalLine(q, q - scan.second_moment[there] / slope, chi_parallel, scan.tolerance[there])


def _critical_weights(phi: Activation, q: float) -> float:
    return 1 / phi.derivative_second_moment(q)


def _critical_biases(phi: Activation, q: float) -> float:
    return q - phi.second_moment(q) * _critical_weights(phi, q)


def _edge(phi: Activation, q: float, bias_variance: float) -> EdgeOfChaos:
    weights = _critical_weights(phi, q)
    chi = weights * float(second_moment_slope(phi, np.array(q)))
    # Where the slope is not clearly off 1, the signs of the length map's excess on both sides decide.
    clear = abs(chi - 1) > 10 * MARGINAL
    stable = abs(chi) < 1 if clear else attracts(phi, weights, bias_variance, q)
    return EdgeOfChaos(weights, q, chi, stable)


def _smooth_enough(activation: ActivationLike) -> Activation:
    phi = as_activation(activation)
    if phi.jumps:
        msg = f"{phi.label} jumps, so chi_1 is infinite whatever the weights' variance: there is no edge of chaos"
        raise ValueError(msg)
    return phi
