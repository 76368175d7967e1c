r"""Where the maps of a wide network settle, and how many layers that takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from varprop._arguments import checked
from varprop._typing import Float64Array
from varprop.model.activations import Activation, ActivationLike, as_activation
from varprop.theory import roots
from varprop.theory.correlation import CorrelationFixedPoint, correlation_fixed_points
from varprop.theory.meanfield import check_non_negative, checked_probability, second_moment_slope

MARGINAL = 1e-12
"""A slope nearer to 1 than this is 1: a moment is no more exact."""
CRITICAL = 1e-9
"""A network whose chi_1 is nearer to 1 than this is called critical: an edge of chaos, once computed, is no nearer."""


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """A second moment that the length map keeps.

    Parameters
    ----------
    q : float or None
        The second moment of the pre-activations; None if all are kept, as by ReLU after He.
    chi_parallel : float
        Slope of the length map there.
    chi_1 : float
        Factor on squared gradients there; infinite where phi jumps.
    stable : bool
        Whether second moments on both sides of it (at q = 0, above it) come back to it.
    correlations : tuple of CorrelationFixedPoint
        What the correlation map keeps at this q, in increasing order. Empty where it keeps everything: for a linear
        phi without biases, and at q = 0, where phi is as good as linear.
    """

    q: float | None
    chi_parallel: float
    chi_1: float
    stable: bool
    correlations: tuple[CorrelationFixedPoint, ...]


@checked
def fixed_points(
    activation: ActivationLike, *, weight_variance: float, bias_variance: float = 0.0, keep_probability: float = 1.0
) -> tuple[FixedPoint, ...]:
    r"""Find the fixed points of the length map, and at each those of the correlation map.

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    weight_variance : float
        :math:`C_W` = fan_in Var(W), >= 0.
    bias_variance : float, default 0
        :math:`C_b` = Var(b), >= 0.
    keep_probability : float, default 1
        p, in (0, 1]: the share of activations that dropout keeps, independently for two inputs.

    Returns
    -------
    tuple of FixedPoint
        In increasing q; empty where there is none, as for ReLU with :math:`C_W = 2` and biases, where q grows for ever.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    Besides q = 0, fixed points are searched from q = 1e-9 to the larger of 16384 and :math:`4 (C_W / p + C_b)`, or to
    where phi grows too fast for its moments to exist. For a bounded phi with \|phi\| <= 2 that is all of them.

    Examples
    --------
    >>> for point in fixed_points("tanh", weight_variance=2.25, bias_variance=0.0):
    ...     print(round(point.q, 4), point.stable, round(point.chi_1, 4))
    0.0 False 2.25
    0.7934 True 1.1393
    >>> fixed_points("relu", weight_variance=1.0, bias_variance=0.5)[0].q
    1.0
    """
    phi = as_activation(activation)
    check_non_negative(weight_variance=weight_variance, bias_variance=bias_variance)
    gain = weight_variance / checked_probability(keep_probability)
    found = []
    for root in _length_roots(phi, gain, bias_variance):
        q = 1.0 if root.q is None else root.q
        chi_1 = math.inf if phi.jumps else gain * phi.derivative_second_moment(q)
        correlations = (
            correlation_fixed_points(phi, weight_variance=weight_variance, bias_variance=bias_variance, q=q)
            if q > 0
            else ()
        )
        found.append(FixedPoint(root.q, root.slope, chi_1, root.stable, correlations))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class DepthScales:
    r"""Over how many layers deviations from the fixed point shrink by a factor e.

    Parameters
    ----------
    q : float
        The fixed point of the length map.
    c : float or None
        The stable fixed point of the correlation map there; None where every correlation is kept.
    xi_q : float
        -1 / ln \|chi_parallel\|: of second moments.
    xi_c : float
        -1 / ln of the correlation map's slope at c: of correlations; infinite on the edge of chaos.
    xi_gradient : float
        -1 / ln chi_1: of squared gradients, going back; negative where they grow, infinite on the edge of chaos.
    """

    q: float
    c: float | None
    xi_q: float
    xi_c: float
    xi_gradient: float


@checked
def depth_scales(
    activation: ActivationLike,
    *,
    weight_variance: float,
    bias_variance: float = 0.0,
    q: float = 1.0,
    keep_probability: float = 1.0,
) -> DepthScales:
    r"""Find the depth scales at the fixed point to which a signal goes.

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    weight_variance : float
        :math:`C_W` = fan_in Var(W), >= 0.
    bias_variance : float, default 0
        :math:`C_b` = Var(b), >= 0.
    q : float, default 1
        Where the signal starts, > 0: decides where there are several fixed points.
    keep_probability : float, default 1
        p, in (0, 1]: the share of activations that dropout keeps, independently for two inputs.

    Returns
    -------
    DepthScales

    Raises
    ------
    ValueError
        If an argument is out of range, or the signal goes to no fixed point.
    TypeError
        If an argument is of another kind.

    References
    ----------
    .. [1] Schoenholz et al. (2017), ICLR: the depth scales.

    Examples
    --------
    >>> scales = depth_scales("tanh", weight_variance=1.5, bias_variance=0.05)
    >>> round(scales.xi_q, 4), round(scales.xi_c, 2)
    (1.6828, 15.79)
    """
    phi = as_activation(activation)
    points = fixed_points(
        phi, weight_variance=weight_variance, bias_variance=bias_variance, keep_probability=keep_probability
    )
    settled = settled_second_moment(
        phi, weight_variance=weight_variance, bias_variance=bias_variance, q=q, keep_probability=keep_probability
    )
    point = next(point for point in points if point.q in (None, settled))
    attractor = next((c for c in point.correlations if c.stable), None)
    return DepthScales(
        settled,
        None if attractor is None else attractor.c,
        decay_length(point.chi_parallel),
        math.inf if attractor is None else decay_length(attractor.slope),
        decay_length(point.chi_1),
    )


def decay_length(factor: float) -> float:
    """Layers in which a factor per layer comes to 1/e; negative if it grows, 0 for a factor of 0 or infinity."""
    size = abs(factor)
    if size == 0 or math.isinf(size):
        return 0.0
    return math.inf if abs(size - 1) <= MARGINAL else -1 / math.log(size)


@dataclass(frozen=True, slots=True)
class _LengthRoot:
    """A fixed point of the length map: q (None for every q), its slope there, and whether it attracts."""

    q: float | None
    slope: float
    stable: bool


def _length_roots(phi: Activation, gain: float, bias_variance: float) -> list[_LengthRoot]:
    if phi.homogeneous:
        return _linear_roots(gain * phi.second_moment(1.0), bias_variance)
    if gain == 0:
        return [_LengthRoot(bias_variance, 0.0, stable=True)]
    scan = roots.scan(phi, roots.highest_octave(gain + bias_variance))

    def growth(q: Float64Array) -> Float64Array:
        return (gain * phi.second_moment(q) + bias_variance) / q - 1

    values = (gain * scan.second_moment + bias_variance) / scan.q - 1
    tolerance = scan.tolerance * (2 + values)
    found = []
    if bias_variance == 0 and phi.second_moment(0.0) == 0:
        clear = values[np.abs(values) > tolerance]
        found.append(_LengthRoot(0.0, _slope(phi, gain, 0.0), stable=bool(clear.size and clear[0] < 0)))
    for root in roots.all_roots(growth, scan.q, values, tolerance):
        slope = _slope(phi, gain, root.q)
        found.append(_LengthRoot(root.q, slope, stable=root.left > 0 > root.right and slope > -1))
    return found


def _slope(phi: Activation, gain: float, q: float) -> float:
    return gain * float(second_moment_slope(phi, np.array(q)))


def _linear_roots(slope: float, bias_variance: float) -> list[_LengthRoot]:
    """Fixed points of q -> slope q + bias_variance on q >= 0."""
    if abs(slope - 1) <= MARGINAL:
        return [] if bias_variance else [_LengthRoot(None, 1.0, stable=False)]
    if slope > 1:
        return [] if bias_variance else [_LengthRoot(0.0, slope, stable=False)]
    return [_LengthRoot(bias_variance / (1 - slope), slope, stable=True)]


def settled_second_moment(
    phi: Activation,
    *,
    weight_variance: float,
    bias_variance: float = 0.0,
    q: float = 1.0,
    keep_probability: float = 1.0,
) -> float:
    """Return the fixed point to which the length map goes from q: the first one in the direction that it takes.

    That is so for a map that rises; the built-in activations whose map falls have one fixed point.
    """
    check_non_negative(weight_variance=weight_variance, bias_variance=bias_variance, q=q)
    gain = weight_variance / checked_probability(keep_probability)
    places = [root.q for root in _length_roots(phi, gain, bias_variance)]
    if places == [None]:
        return q
    known = [place for place in places if place is not None]
    here = [place for place in known if math.isclose(place, q, rel_tol=1e-12)]
    rises = gain * phi.second_moment(q) + bias_variance > q
    towards = [place for place in known if place > q][:1] if rises else [place for place in known if place < q][-1:]
    if not here + towards:
        msg = (
            f"with weight_variance = {weight_variance:g} and bias_variance = {bias_variance:g} the second moments of "
            f"{phi.label} go from q = {q:g} to no fixed point; they grow for ever"
        )
        raise ValueError(msg)
    return (here + towards)[0]


def attracts(phi: Activation, weight_variance: float, bias_variance: float, q: float) -> bool:
    """Tell whether the fixed point nearest to q of the length map attracts."""
    points = [root for root in _length_roots(phi, weight_variance, bias_variance) if root.q is not None]
    nearest = min(points, key=lambda root: abs(float(root.q or 0.0) - q), default=None)
    return nearest is not None and nearest.stable
