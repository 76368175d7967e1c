r"""Which initialisation theory recommends for an activation and a depth, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from varprop._arguments import checked
from varprop.model.activations import Activation, ActivationLike, as_activation
from varprop.theory.correlation import correlation_map
from varprop.theory.criticality import NoEdgeError, edge_of_chaos, half_stable_points
from varprop.theory.gain import gain
from varprop.theory.jacobian import jacobian_moments
from varprop.theory.meanfield import chi_parallel, gradient_factor, length_map

_UNIT = 1.0  # the mean square of an input, and where a signal is best kept if there is a choice
_SAME = 1e-6  # relative: nearer to 1 than this, a factor per layer is said to be 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """An initialisation for wide layers, what it does over the depth, and why it was chosen.

    Parameters
    ----------
    activation : str
        Label of phi.
    depth : int
        L, the number of weight layers.
    weight_variance : float
        :math:`C_W` = fan_in Var(W), from the second layer on.
    first_weight_variance : float
        The same of the first layer, for inputs of mean square 1: it brings the signal to q.
    bias_variance : float
        Var(b), in all layers.
    q : float
        Second moment of the first layer's pre-activations.
    chi_1, chi_parallel : float
        At q: the factor per layer on squared gradients, and on small deviations of q.
    signal_growth : float
        q of the last layer over q of the first.
    gradient_growth : float
        Squared gradients, summed over units, at the first layer over those at the last.
    jacobian_spread : float
        Variance of the squared singular values of the Jacobian of all layers, over their squared mean; Gaussian weights.
    correlation : float
        In the last layer, of two inputs that are orthogonal to each other.
    reasons : tuple of str
        Sentences.
    """

    activation: str
    depth: int
    weight_variance: float
    first_weight_variance: float
    bias_variance: float
    q: float
    chi_1: float
    chi_parallel: float
    signal_growth: float
    gradient_growth: float
    jacobian_spread: float
    correlation: float
    reasons: tuple[str, ...]

    @property
    def critical(self) -> bool:
        """Whether squared gradients keep their size at q."""
        return abs(self.chi_1 - 1) <= _SAME

    def __str__(self) -> str:
        """Everything, in a few lines."""
        head = (
            f"{self.activation}, depth {self.depth}: Var(W) = {self.weight_variance:.4g}/fan_in "
            f"(first layer: {self.first_weight_variance:.4g}/fan_in), Var(b) = {self.bias_variance:.4g}"
        )
        return "\n".join([head, *(f"- {reason}" for reason in self.reasons)])


@checked
def recommend(activation: ActivationLike, depth: int, *, bias_variance: float | None = None) -> Recommendation:
    r"""Recommend variances of weights and biases that keep gradients, and the signal, over the depth.

    Parameters
    ----------
    activation : str, Activation or callable
        phi.
    depth : int
        L, the number of weight layers, >= 1.
    bias_variance : float, optional
        Var(b), if it is given; else it is chosen with the rest.

    Returns
    -------
    Recommendation

    Raises
    ------
    NoEdgeError
        If with the given variance of the biases there is no edge of chaos.
    ValueError
        If the depth is not positive, the variance is negative, or phi jumps, so that it has no gradient.
    TypeError
        If an argument is of another kind.

    See Also
    --------
    edge_of_chaos, half_stable_points, gain

    Notes
    -----
    Without a given variance of the biases, the first of these that exists:

    1. For positively homogeneous phi, no biases and the gain that keeps every q.
    2. The point of the critical line with q = 1, if the length map is stable there: gradients keep their size, and q
       comes back to 1.
    3. A point with :math:`\chi_1 = \chi_\parallel = 1`: gradients keep their size, and so do deviations of q.
    4. The edge of chaos without biases, be it where it may: the sigmoid's is deep in saturation, at q = 46, where few
       units carry the gradient, and ``jacobian_spread`` is large.
    5. The gain that keeps q = 1. Gradients then do not keep their size, and ``gradient_growth`` says by how much.

    All of it is about layers much wider than L. The correlations of activations without a closed-form covariance take
    some 10 ms a layer.

    Examples
    --------
    >>> print(recommend("relu", 50))
    relu, depth 50: Var(W) = 2/fan_in (first layer: 2/fan_in), Var(b) = 0
    - phi is positively homogeneous: every q is kept, and squared gradients with it
    - over 50 layers the signal grows by a factor 1, squared gradients by 1
    - squared singular values of the Jacobian: variance over squared mean 100 (linear network: 50)
    - two orthogonal inputs have correlation 0.9874 in the last layer
    >>> tanh = recommend("tanh", 50)
    >>> round(tanh.weight_variance, 4), round(tanh.bias_variance, 4), round(tanh.gradient_growth, 6)
    (2.1533, 0.151, 1.0)
    >>> recommend("softplus", 10).critical
    False
    """
    phi = as_activation(activation)
    choice = _chosen(phi) if bias_variance is None else _on_the_edge(phi, bias_variance)
    lengths = length_map(
        phi, weight_variance=choice.weight_variance, bias_variance=choice.bias_variance, q=choice.q, depth=depth
    )
    factors = [gradient_factor(phi, weight_variance=choice.weight_variance, q=q) for q in lengths[:-1].tolist()]
    correlation = correlation_map(
        phi,
        weight_variance=choice.weight_variance,
        bias_variance=choice.bias_variance,
        q=choice.q,
        c=choice.bias_variance / choice.q,
        depth=depth,
    )[-1]
    spread = jacobian_moments(
        phi, weight_variance=choice.weight_variance, bias_variance=choice.bias_variance, q=choice.q, depth=depth
    ).relative_variance
    signal_growth, gradient_growth = float(lengths[-1] / lengths[0]), float(np.prod(factors))
    return Recommendation(
        activation=phi.label,
        depth=depth,
        weight_variance=choice.weight_variance,
        first_weight_variance=choice.q - choice.bias_variance,
        bias_variance=choice.bias_variance,
        q=choice.q,
        chi_1=gradient_factor(phi, weight_variance=choice.weight_variance, q=choice.q),
        chi_parallel=chi_parallel(phi, weight_variance=choice.weight_variance, q=choice.q),
        signal_growth=signal_growth,
        gradient_growth=gradient_growth,
        jacobian_spread=spread,
        correlation=float(correlation),
        reasons=(
            choice.why,
            f"over {depth} layers the signal grows by a factor {signal_growth:.4g}, squared gradients by {gradient_growth:.4g}",
            f"squared singular values of the Jacobian: variance over squared mean {spread:.4g} (linear network: {depth})",
            f"two orthogonal inputs have correlation {correlation:.4g} in the last layer",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """Variances, the q to start from, and the reason for them."""

    weight_variance: float
    bias_variance: float
    q: float
    why: str


def _chosen(phi: Activation) -> _Choice:
    """The first that exists of the list in `recommend`."""
    if phi.homogeneous:
        return _on_the_edge(phi, 0.0)
    unit = _critical_at_unit(phi)
    if unit is not None:
        return unit
    points = half_stable_points(phi)
    if points and points[0].q is not None:
        point, q = points[0], points[0].q
        why = f"at q = {q:.4g} gradients keep their size, and so do small deviations of q (chi_1 = chi_parallel = 1)"
        return _Choice(point.weight_variance, point.bias_variance, q, why)
    try:
        return _on_the_edge(phi, 0.0)
    except NoEdgeError:
        why = (
            f"no critical initialisation was found for {phi.label}; this one keeps q = 1 alone. Another activation, "
            "normalisation or skip connections help where gradients vanish or explode"
        )
        return _Choice(gain(phi, _UNIT) ** 2, 0.0, _UNIT, why)


def _critical_at_unit(phi: Activation) -> _Choice | None:
    """The point of the critical line with q = 1, if biases can have its variance and q comes back to it."""
    if phi.jumps:  # edge_of_chaos says what that means
        return None
    weights = 1 / phi.derivative_second_moment(_UNIT)
    biases = _UNIT - weights * phi.second_moment(_UNIT)
    slope = chi_parallel(phi, weight_variance=weights, q=_UNIT)
    if biases < 0 or abs(slope) > 1 - _SAME:
        return None
    why = (
        "on the edge of chaos with q = 1: gradients keep their size (chi_1 = 1), and deviations of q shrink by a factor "
        f"{slope:.4g} a layer"
    )
    return _Choice(weights, biases, _UNIT, why)


def _on_the_edge(phi: Activation, bias_variance: float) -> _Choice:
    """The edge of chaos for a variance of the biases, from its q or, where that is none or 0, from inputs as they are."""
    edge = edge_of_chaos(phi, bias_variance)
    start = edge.q or edge.weight_variance * _UNIT + bias_variance
    if edge.q is None:
        why = "phi is positively homogeneous: every q is kept, and squared gradients with it"
    elif edge.q == 0:
        why = "on the edge of chaos without biases, q falls towards 0 (or leaves it) more slowly than exponentially"
    else:
        course = "come back to it" if edge.stable else "do not come back to it"
        why = (
            f"on the edge of chaos with Var(b) = {bias_variance:.4g}: at q = {edge.q:.4g} gradients keep their size "
            f"(chi_1 = 1), and second moments near it {course} (chi_parallel = {edge.chi_parallel:.4g})"
        )
    return _Choice(edge.weight_variance, bias_variance, start, why)
