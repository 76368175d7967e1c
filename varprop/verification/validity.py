"""What the laws of a network allow: where steps multiply over depth, what has no spread, and which t tests hold.

All of it follows from the layers' laws and activations, never from a sample: a law with an infinite moment shows none in the
samples in which it misleads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from varprop.model.activations import Activation
from varprop.model.initializers import Initializer
from varprop.model.laws import Constant, Custom, Orthogonal, Scaled
from varprop.model.layers import Dense, UnsupportedError
from varprop.model.network import Network, read_activations, read_chain, read_leaves, read_steps
from varprop.model.shapes import Sparse, StudentT
from varprop.model.sites import Place, Step
from varprop.stats.floors import Floor, FloorLaw, FromNetworks, Refused, Units
from varprop.theory.finite_width.chain import Slopes, read_stages

READER = "what the laws allow"
SECOND_MOMENTS = ("preactivation_second_moment", "activation_second_moment")
_LIGHT_KURTOSIS, _HEAVY_KURTOSIS = 3.75, 4.5
"""Of Student's t with 12 and 8 degrees of freedom: down to these its t tests were measured, from so many networks on."""
_LIGHT_NETWORKS, _HEAVY_NETWORKS = 200, 2_000
_LIVING_WEIGHTS = 0.8
"""Of sparse weights, those of a unit that are not 0, on average: down to 8 inputs at density .1 they were measured."""


def narrowest(network: Network) -> int:
    """Units of the narrowest layer with weights."""
    return min(step.units for step in read_steps(network, READER))


def is_forward_product(network: Network) -> bool:
    """Tell whether a layer's mean square, given all below, is a constant times that of the layer before.

    So it is under two half lines without biases if flipping the sign of any row of the weights leaves their law: each unit
    then has a fair coin for the side that it falls on, whatever its size.
    """
    return _two_half_lines(network) and all(
        step.biases.name == "zeros" and _flips(step.weights, step) for step in read_steps(network, READER)
    )


def is_forward_affine(network: Network) -> bool:
    """Tell whether a layer's mean square, given all below, is a constant times a conditional variance that biases add to.

    Biases are random and symmetric about 0, or zero; the rest is as for `is_forward_product`.
    """
    return _two_half_lines(network) and all(
        _flips(step.biases, step) and _flips(step.weights, step) for step in read_steps(network, READER)
    )


def is_backward_product(network: Network) -> bool:
    """Tell whether the mean squared gradient, given all above, is a constant times that of the layer above.

    That takes signs of columns too, and that no living unit's pre-activation is 0: there phi' is that of neither side. A
    lattice law, as of signs or of sparse weights, meets 0. Under the identity nothing is asked of signs.
    """
    identity = all(phi.name == "linear" for phi in read_activations(network, READER))
    return _two_half_lines(network) and all(
        _flips(step.weights, step)
        and _flips(step.biases, step)
        and (identity or step.weights.continuous or step.biases.continuous)
        for step in read_steps(network, READER)
    )


def independent_rows(network: Network) -> bool:
    """Tell whether units of a layer are alike, given the layer below, so that variances over them have constant shares."""
    return all(
        (isinstance(step.weights.law, Scaled | Orthogonal) or step.weights.name == "zeros")
        for step in read_steps(network, READER)
    )


def directionless(network: Network) -> bool:
    """Tell whether a layer's law depends on the layer below through its conditional variance alone.

    It does with Gaussian weights, and biases if there are any, and with Haar weights without biases: a Haar matrix makes of a
    signal one of fixed norm, to which biases add a share that depends on how large the signal is.
    """
    return all(
        (step.weights.gaussian and (step.biases.gaussian or step.biases.name == "zeros"))
        or (isinstance(step.weights.law, Orthogonal) and step.biases.name == "zeros")
        for step in read_steps(network, READER)
    )


def without_spread(network: Network, quantity: str) -> frozenset[Place]:
    """Places of a forward quantity at which all networks have the same value, by the laws of their weights.

    These are constant weights and biases below, or, of second moments, orthogonal weights that keep the norm of what the
    identity or the absolute value hands on.
    """
    found: set[Place] = set()
    constant, kept = True, quantity in (*SECOND_MOMENTS, "conditional_variance") and network.is_chain
    for site in read_leaves(network, READER):
        layer = site.layer
        if isinstance(layer, Dense):
            constant = constant and isinstance(layer.weights.law, Constant) and isinstance(layer.biases.law, Constant)
            isometry = isinstance(layer.weights.law, Orthogonal) and site.fans[1] >= site.fans[0]
            kept = kept and isometry and layer.biases.name == "zeros"
        else:
            kept = kept and isinstance(layer, Activation) and layer.name in {"linear", "abs"}
        if constant or kept:
            found.add(site.place)
    return frozenset(found)


def law_floor(tails: Tail, width: int, steps: int = 1, law: FloorLaw = "square") -> Floor:
    """Return from where on a t test of steps is believed, given what the laws' tails ask for and the narrowest layer."""
    if tails.reason:
        return Refused(tails.reason)
    units = Units(width, steps, law)
    return FromNetworks(units, tails.networks, tails.label) if tails.networks else units


def declared_symmetric(network: object) -> str:
    """Say of which laws it is known by their author's word alone that signs may be flipped; empty if of none.

    Examples
    --------
    >>> from varprop.model.initializers import as_initializer
    >>> from varprop.model.network import mlp
    >>> own = as_initializer(lambda shape, rng: rng.laplace(size=shape), variance=2.0, symmetric=True)
    >>> declared_symmetric(mlp([4, 4], activation="relu", weights=own))
    'weights declared symmetric by their author'
    """
    steps = read_steps(network, READER) if isinstance(network, Network) else ()
    told = {"weights": [step.weights for step in steps], "biases": [step.biases for step in steps]}
    roles = [role for role, laws in told.items() if any(law.symmetry_declared for law in laws)]
    return f"{' and '.join(roles)} declared symmetric by their author" if roles else ""


@dataclass(frozen=True, slots=True)
class Tail:
    """What the tails of laws ask of t tests: so many networks, or, with a reason, that there be none."""

    networks: int = 0
    label: str = ""
    reason: str = ""


def heaviest_tail(network: Network) -> Tail:
    """Return what the heaviest tail among all laws of weights and biases asks for."""
    tails = [_tail(law, step.site.fans) for step in read_steps(network, READER) for law in (step.weights, step.biases)]
    return max(tails, key=lambda tail: (bool(tail.reason), tail.networks))


def _tail(law: Initializer, fans: tuple[int, int]) -> Tail:
    """What one law asks for, by its kurtosis: of that and no more a user's sampler can tell."""
    match law.law:
        case Scaled(Sparse(density)):
            return _of_sparse(law, density * fans[0])
        case Scaled(StudentT()) | Custom():
            return _of_kurtosis(law, fans)
    return Tail()  # normal, bounded, constant, or of a fixed norm


def _of_sparse(law: Initializer, living: float) -> Tail:
    if living >= _LIVING_WEIGHTS:
        return Tail(_LIGHT_NETWORKS, law.label)
    why = f"{law.label} leaves a unit {living:.2g} weights other than 0 on average, of which too little is known"
    return Tail(reason=why)


def _of_kurtosis(law: Initializer, fans: tuple[int, int]) -> Tail:
    try:
        kurtosis = law.kurtosis(*fans) if law.variance(*fans) > 0.0 else 0.0
    except ValueError:
        why = (
            f"the kurtosis of {law.label} is not known, on which the error of a mean square depends; state it with "
            "as_initializer(sampler, variance=..., kurtosis=...)"
        )
        return Tail(reason=why)
    if kurtosis > _HEAVY_KURTOSIS:
        heavy = (
            f"the tails of {law.label} (kurtosis {kurtosis:.3g}) are too heavy for a t test of mean squares; a pivot "
        )
        none = f"{law.label} has no fourth moment, so a mean square over its weights has no standard error"
        return Tail(reason=none if math.isinf(kurtosis) else heavy + "(quantity 'pivot') is judged without one")
    if kurtosis <= 3.0:
        return Tail()
    return Tail(_LIGHT_NETWORKS if kurtosis <= _LIGHT_KURTOSIS else _HEAVY_NETWORKS, law.label)


def pivot_excess(network: Network, place: Place) -> float:
    """Largest relative variance of a layer's pivot: (2 + max(kappa, 0)) / n for weights of excess kurtosis kappa.

    Given the layer below, a unit's excess is that of its weights times sum a^4 / (sum a^2)^2, which is at most 1.
    """
    for step in read_steps(network, READER):
        if step.place != place:
            continue
        laws = [law for law in (step.weights, step.biases) if isinstance(law.law, Scaled | Custom)]
        excesses = [0.0, *(law.kurtosis(*step.site.fans) - 3.0 for law in laws if law.variance(*step.site.fans) > 0.0)]
        if np.isfinite(excesses).all():
            return (2.0 + max(excesses)) / step.units
    msg = f"no bound is known for the variance of the pivot at layer {place[0]} of {network.label}"
    raise UnsupportedError(msg)


def _two_half_lines(network: Network) -> bool:
    """Whether every activation is two half lines, and there is at most one after each layer with weights."""
    if not all(phi.homogeneous for phi in read_activations(network, READER)):
        return False
    try:
        read_chain(network)
    except UnsupportedError:
        return False
    return True


def _flips(law: Initializer, step: Step) -> bool:
    """Whether flipping signs leaves the law: independent entries symmetric about 0, or a Haar matrix."""
    return law.symmetric and law.has_variance and law.mean(*step.site.fans) == 0.0


def has_law(network: Network) -> bool:
    """Tell whether the law of the layers' norms is known: two slopes, Gaussian weights, no biases."""
    return all(
        step.activation.homogeneous and step.weights.gaussian and step.biases.name == "zeros"
        for step in read_chain(network)
    )


def dead_probabilities(network: Network) -> dict[int, float]:
    r"""Probability that a network's signal is dead after each layer's activation.

    Notes
    -----
    Given a living layer below, the pre-activations of independent symmetric weights have independent signs, fair coins if
    none is 0. A layer of n units of which one side is flat is dead if all fall there, with probability 2^-n: in all
    :math:`1 - \prod_l (1 - 2^{-n_l})`, for weights of any law. By logarithms, since 2^-n is soon below the last digit of 1.
    """
    found: dict[int, float] = {}
    log_alive = 0.0
    for stage in read_stages(network).stages:
        response = stage.response
        if stage.bias_variance > 0.0 or not isinstance(response, Slopes) or not stage.atomless:
            msg = (
                f"dead_rate takes zero biases, positively homogeneous activations and weights without atoms; layer "
                f"{stage.number} of {network.label} has others"
            )
            raise UnsupportedError(msg)
        if response.can_die:
            log_alive += math.log1p(-(2.0**-stage.units))
        found[stage.number] = 0.0 - math.expm1(log_alive)
    return found
