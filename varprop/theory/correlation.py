r"""Two inputs at once: how the correlation of their pre-activations, and of their gradients, goes through depth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from varprop._arguments import checked, quoted
from varprop._typing import ArrayFn, Float64Array, FloatArray
from varprop.model.activations import Activation, ActivationLike, as_activation
from varprop.model.inputs import real_array
from varprop.numerics.differences import finite_difference
from varprop.numerics.quadrature import normal_expectation
from varprop.theory.meanfield import check_depth, check_non_negative, checked_probability, slope_jumps

NEAREST = 1e-8
"""A fixed point nearer to c = 1 than this is not told from it."""
_EXACT = 1e-12  # what counts as rounding in a correlation
_SMALLEST_BEND = 1e-7  # of the root mean square of phi' over sqrt(q): what is less is lost in a correlation's rounding


@checked
def correlation_map(
    activation: ActivationLike,
    *,
    weight_variance: float,
    bias_variance: float = 0.0,
    q: float | tuple[float, float],
    c: float,
    depth: int,
    keep_probability: float = 1.0,
) -> Float64Array:
    r"""Correlations of two inputs' pre-activations, layer by layer, of an infinitely wide network.

    .. math:: c_{l+1} = \frac{C_W\, E[\phi(z_1) \phi(z_2)] + C_b}{\sqrt{q^{(1)}_{l+1}\, q^{(2)}_{l+1}}}

    with :math:`z_1, z_2` normal, of second moments :math:`q^{(1)}_l, q^{(2)}_l` and correlation :math:`c_l`.

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    weight_variance : float
        :math:`C_W` = fan_in Var(W), >= 0.
    bias_variance : float, default 0
        :math:`C_b` = Var(b), >= 0.
    q : float or (float, float)
        Second moments of the two inputs' first-layer pre-activations, > 0; one number if they are equal.
    c : float
        :math:`c_1`, their correlation in the first layer, from -1 to 1.
    depth : int
        Number of layers, >= 1.
    keep_probability : float, default 1
        p, in (0, 1]: the share of activations that dropout keeps, independently for the two inputs.

    Returns
    -------
    ndarray, shape (depth,)
        :math:`c_1, \dots, c_L`.

    Raises
    ------
    ValueError
        If an argument is out of range, or a signal vanishes on the way, so that nothing is left to correlate.
    TypeError
        If an argument is of another kind.

    References
    ----------
    .. [1] Poole et al. (2016), NeurIPS 29: the correlation map.

    Examples
    --------
    >>> correlation_map("relu", weight_variance=2, q=1.0, c=0.0, depth=4).round(4).tolist()
    [0.0, 0.3183, 0.4937, 0.6048]
    """
    return _followed(
        as_activation(activation), weight_variance, bias_variance, q=q, c=c, depth=depth, keep=keep_probability
    )[0]


@checked
def gradient_correlation(
    activation: ActivationLike,
    *,
    weight_variance: float,
    bias_variance: float = 0.0,
    q: float | tuple[float, float],
    c: float,
    depth: int,
    keep_probability: float = 1.0,
) -> Float64Array:
    r"""Correlations of two inputs' gradients dLoss/dz, layer by layer, of an infinitely wide network.

    .. math:: \prod_{k=l}^{L-1} \frac{E[\phi'(z_1) \phi'(z_2)]}{\sqrt{E[\phi'(z_1)^2]\, E[\phi'(z_2)^2]}}

    at :math:`q_k` and :math:`c_k` of `correlation_map`: the same vector is read out of layer L for both inputs.

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    weight_variance : float
        :math:`C_W` = fan_in Var(W), >= 0.
    bias_variance : float, default 0
        :math:`C_b` = Var(b), >= 0.
    q : float or (float, float)
        Second moments of the two inputs' first-layer pre-activations, > 0; one number if they are equal.
    c : float
        Their correlation in the first layer, from -1 to 1.
    depth : int
        L, the number of layers, >= 1.
    keep_probability : float, default 1
        p, in (0, 1]: the share of activations that dropout keeps, independently for the two inputs.

    Returns
    -------
    ndarray, shape (depth,)
        From the first layer to the last, where it is 1.

    Raises
    ------
    ValueError
        If an argument is out of range, a signal vanishes on the way, or phi jumps, so that phi' has no moments.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> gradient_correlation("relu", weight_variance=2, q=1.0, c=0.0, depth=3).round(4).tolist()
    [0.3016, 0.6031, 1.0]
    """
    phi = as_activation(activation)
    correlations, first, second = _followed(
        phi, weight_variance, bias_variance, q=q, c=c, depth=depth, keep=keep_probability
    )
    keep = checked_probability(keep_probability)
    factors = np.ones(depth)
    for layer in range(depth - 1):
        q1, q2 = float(first[layer]), float(second[layer])
        both = phi.derivative_covariance(q1, q2, float(correlations[layer]))
        alone = phi.derivative_second_moment(q1) * phi.derivative_second_moment(q2)
        factors[layer] = keep * both / math.sqrt(alone)
    return np.array(np.cumprod(factors[::-1])[::-1], dtype=np.float64)


@checked
def correlation_decay(activation: ActivationLike, *, q: float) -> float:
    r"""Find the number beta with which inputs become alike on the edge of chaos: 1 - c_l ~ beta / l.

    .. math:: \beta = \frac{2\, E[\phi'(z)^2]}{q\, E[\phi''(z)^2]}, \qquad z \sim N(0, q)

    Parameters
    ----------
    activation : str, Activation or callable
        phi, with a continuous derivative.
    q : float
        Where the edge of chaos is, > 0: ``edge_of_chaos(...).q``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If q is not positive, phi' jumps (1 - c then falls as 1/l^2), or phi is linear (c then stays as it is).
    TypeError
        If an argument is of another kind.

    Notes
    -----
    With f the map of correlations at fixed q, f(1) = f'(1) = 1 and f''(1) = q C_W E[phi''^2], where C_W = 1 / E[phi'^2].
    So 1 - c loses (1 - c)^2 f''(1) / 2 a layer, which sums to 1 - c_l ~ 2 / (f''(1) l). The result is that of
    Hayou, Doucet & Rousseau (2019), ICML.

    Examples
    --------
    >>> edge = 0.5120785042339011  # of tanh, for biases of standard deviation 0.2
    >>> round(correlation_decay("tanh", q=edge), 4)
    7.0837
    """
    phi = as_activation(activation)
    check_non_negative(q=q)
    if phi.jumps or any(slope_jumps(phi, kink) for kink in phi.kinks):
        msg = f"phi' of {phi.label} jumps, so E[phi''^2] is infinite and 1 - c falls as 1/l^2, not as 1/l"
        raise ValueError(msg)
    bend = _second_derivative(phi, q)
    second = normal_expectation(lambda z: np.square(bend(z)), np.array(q), phi.edges)
    if q * float(second) <= _EXACT * phi.derivative_second_moment(q):
        msg = f"at q = {q:g} {phi.label} is linear, so correlations stay as they are; there is no beta"
        raise ValueError(msg)
    return 2 * phi.derivative_second_moment(q) / (q * float(second))


def _second_derivative(phi: Activation, q: float) -> ArrayFn:
    """Take phi'' by differences, and 0 where it is too small to tell from their rounding, which could not be integrated."""
    least = _SMALLEST_BEND * math.sqrt(phi.derivative_second_moment(q) / q) if q > 0 else 0.0

    def bend(z: FloatArray) -> Float64Array:
        found = finite_difference(phi.slope, np.asarray(z, np.float64), phi.breaks)
        return np.where(np.abs(found) <= least, 0.0, found)

    return bend


@dataclass(frozen=True, slots=True)
class CorrelationFixedPoint:
    """A correlation that the map keeps, at a fixed q.

    Parameters
    ----------
    c : float
        The correlation.
    slope : float
        Of the map there; infinite at c = 1 where phi jumps.
    stable : bool
        Whether correlations in [-1, 1] near it come back to it.
    """

    c: float
    slope: float
    stable: bool


def correlation_fixed_points(
    phi: Activation, *, weight_variance: float, bias_variance: float, q: float
) -> tuple[CorrelationFixedPoint, ...]:
    """Find what the correlation map at a fixed point q > 0 of the length map keeps, in increasing order.

    Notes
    -----
    Without dropout the map is f(c) = sum of b_k^2 c^k with b_k^2 >= 0 and f(1) = 1. It is convex on [0, 1], so beside
    1 there is one fixed point in [0, 1) if f'(1) > 1 and else none (or all, if f(c) = c). On c < 0: with f split into
    its even and odd part, f(-x) = -x would mean odd(x) = x + even(x); but odd(x) <= x odd(1) = x (1 - even(1)), so
    that the even part has to vanish. Then f is odd, and the fixed points lie as those on c > 0. With dropout, which q
    tells of, f(1) < 1 and there is one fixed point, in [0, 1).
    """
    from scipy import optimize  # half a second to import

    gain = weight_variance / q

    def image(c: float) -> float:
        return gain * phi.covariance(q, q, c) + bias_variance / q

    def slope(c: float) -> float:
        return weight_variance * phi.derivative_covariance(q, q, c)

    at_0, at_1 = image(0.0), image(1.0)
    if at_1 < 1 - _EXACT:
        c = 0.0 if at_0 <= _EXACT else float(optimize.brentq(lambda c: image(c) - c, 0.0, 1.0, xtol=1e-15))
        return (CorrelationFixedPoint(c, slope(c), stable=True),)

    def excess(c: float) -> float:
        # 1 less the slope of the chord to (1, 1): falls with c, and is 0 where f(c) = c.
        return (image(c) - c) / (1 - c)

    last = math.inf if phi.jumps else weight_variance * phi.derivative_second_moment(q)
    odd = abs(image(-1.0) + at_1) <= _EXACT
    if at_0 <= _EXACT and last <= 1 + _EXACT:
        return ()
    chaotic = last > 1 and excess(1 - NEAREST) < 0
    found = [CorrelationFixedPoint(1.0, last, stable=not chaotic)]
    if chaotic:
        c = 0.0 if at_0 <= _EXACT else float(optimize.brentq(excess, 0.0, 1 - NEAREST, xtol=1e-15))
        found.insert(0, CorrelationFixedPoint(c, slope(c), stable=True))
    if odd:
        found.insert(0, CorrelationFixedPoint(-1.0, last, stable=not chaotic))
    return tuple(found)


def _followed(
    phi: Activation,
    weight_variance: float,
    bias_variance: float,
    *,
    q: float | tuple[float, float],
    c: float,
    depth: int,
    keep: float,
) -> tuple[Float64Array, ...]:
    """Correlations and both second moments, each of shape (depth,)."""
    q1, q2 = _two(q)
    check_non_negative(weight_variance=weight_variance, bias_variance=bias_variance)
    for one in (q1, q2):
        check_non_negative(q=one)
    check_depth(depth)
    gain = weight_variance / checked_probability(keep)
    if not -1 <= c <= 1:
        msg = f"c is a correlation, from -1 to 1, got {quoted(c)}"
        raise ValueError(msg)
    rows = [(float(c), q1, q2)]
    for layer in range(1, depth + 1):
        if not (min(q1, q2) > 0 and max(q1, q2) < math.inf):
            msg = f"at layer {layer} the second moments are {q1:g} and {q2:g}, which leaves nothing to correlate"
            raise ValueError(msg)
        if layer == depth:
            break
        covariance = weight_variance * phi.covariance(q1, q2, rows[-1][0]) + bias_variance
        equal = q1 == q2
        q1 = gain * phi.second_moment(q1) + bias_variance
        q2 = q1 if equal else gain * phi.second_moment(q2) + bias_variance
        norm = math.sqrt(q1) * math.sqrt(q2)
        rows.append((min(max(covariance / norm, -1.0), 1.0) if norm else math.nan, q1, q2))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def _two(q: float | tuple[float, float]) -> tuple[float, float]:
    values = real_array(q, "q")
    if values.shape not in ((), (2,)):
        msg = f"q is one number or a pair of them, got {quoted(q)}"
        raise ValueError(msg)
    first, second = np.broadcast_to(values, 2).tolist()
    return first, second
