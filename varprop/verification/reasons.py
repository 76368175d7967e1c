"""Why an equality holds in every network: what a claim of test identity may name, and what the network must have for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from varprop._arguments import quoted
from varprop.model.initializers import Initializer
from varprop.model.laws import Constant, Orthogonal
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_chain
from varprop.model.sites import Step

_GRADIENTS = ("gradient_variance", "loss_gradient_variance")
_ROWS = ("most_distinct_rows", "fewest_distinct_rows")
_COLUMNS = ("most_distinct_columns", "fewest_distinct_columns")
_CHANGES = ("weight_change", "bias_change")
_LOSSES = ("initial_loss", "final_loss")


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for which an equality holds whatever is drawn."""

    name: str
    meaning: str
    quantities: tuple[str, ...]
    lacks: Callable[[str, int, tuple[Step, ...]], str]


def check_reason(name: str, quantity: str, layers: Sequence[int], network: Network) -> None:
    """Refuse a reason that a network does not fulfil.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([8] * 3, activation="tanh", weights={"name": "constant", "value": 0.1})
    >>> check_reason("equal-units", "activation_variance", [1, 2], net)
    """
    reason, chain = REASONS[name], read_chain(network)
    for layer in layers:
        if lacking := reason.lacks(quantity, layer, chain):
            msg = (
                f"reason {quoted(name)} ({reason.meaning}) does not hold of {quantity} in layer {layer} of {network.label}: {lacking}; "
                "name the layers that it holds in, or leave the reason out: then the claim is about a share of the networks"
            )
            raise UnsupportedError(msg)


def _is_constant(law: Initializer) -> bool:
    return isinstance(law.law, Constant)


def _is_zero(law: Initializer) -> bool:
    return isinstance(law.law, Constant) and law.law.value == 0.0


def _differing(step: Step) -> str:
    """Why a layer's units are not alike."""
    for what, law in (("weights", step.weights), ("biases", step.biases)):
        if not _is_constant(law):
            return f"its layer {step.number} has {what} {law.label}, which differ from unit to unit"
    return ""


def _not_zero(step: Step, *, biases: bool = True) -> str:
    for what, law in (("weights", step.weights), ("biases", step.biases))[: 2 if biases else 1]:
        if not _is_zero(law):
            return f"its layer {step.number} has {what} {law.label}, which are not zero"
    return ""


def _units_differ(quantity: str, layer: int, chain: tuple[Step, ...]) -> str:
    """Forward a unit's own weights count; its gradient, and so its update, also takes those of the layer above."""
    if quantity in _COLUMNS:
        if layer == 1:
            return "the columns of layer 1 belong to the inputs, which differ"
        layer -= 1  # columns of a matrix belong to the units below
    elif quantity not in (*_GRADIENTS, *_ROWS):
        return _differing(chain[layer - 1])
    if layer == len(chain):
        return f"layer {layer} is the last, whose units have gradients of their own"
    own, above = chain[layer - 1], chain[layer]
    if lacking := _differing(own):
        return lacking
    if not _is_constant(above.weights):
        return f"its layer {layer + 1} has weights {above.weights.label}, which send each unit another gradient"
    return ""


def _signal(quantity: str, layer: int, chain: tuple[Step, ...]) -> str:
    if quantity in (*_GRADIENTS, "gradient_second_moment"):
        if layer == len(chain):
            return f"layer {layer} is the last, whose gradient does not come from weights"
        return _not_zero(chain[layer], biases=False)
    return _not_zero(chain[layer - 1])


def _moves(quantity: str, layer: int, chain: tuple[Step, ...]) -> str:
    if len(chain) < 2:
        return "it has no hidden layer, and the weights of the output see the inputs"
    if quantity == "bias_change" and layer == len(chain):
        return f"layer {layer} is the last, whose biases are trained"
    for step in chain:
        if lacking := _not_zero(step):
            return lacking
    for step in chain[:-1]:
        if np.asarray(step.activation(np.zeros(1))).item() != 0.0:
            return f"{step.activation.label} is not 0 at 0"
    return ""


def _turns(quantity: str, layer: int, chain: tuple[Step, ...]) -> str:
    """The pivot is of one layer given the one below; second moments take all layers up to theirs."""
    for step in chain[layer - 1 : layer] if quantity == "pivot" else chain[:layer]:
        law, (fan_in, fan_out) = step.weights, step.site.fans
        if not (isinstance(law.law, Orthogonal) and law.law.gain > 0.0):
            return f"its layer {step.number} has weights {law.label}"
        if fan_out < fan_in:
            return f"its layer {step.number} has {fan_out} units for {fan_in} inputs, of which it keeps a part alone"
        if not _is_zero(step.biases):
            return f"its layer {step.number} has biases {step.biases.label}"
    passed = {"preactivation_second_moment": chain[: layer - 1], "activation_second_moment": chain[:layer]}
    for step in passed.get(quantity, ()):
        if not _keeps_norms(step):
            return f"its layer {step.number} has {step.activation.label}, which changes norms"
    return ""


def _keeps_norms(step: Step) -> bool:
    """Whether |phi(z)| = |z|, as of the identity and of the absolute value."""
    ends = np.asarray(step.activation(np.array([1.0, -1.0])), dtype=np.float64)
    return step.activation.homogeneous and bool((np.abs(ends) == 1.0).all())


def _may_coincide(_quantity: str, _layer: int, chain: tuple[Step, ...]) -> str:
    for step in chain:
        if not step.weights.continuous:
            return f"its layer {step.number} has weights {step.weights.label}, whose law is not known to be continuous"
    return ""


def _is_random(_quantity: str, _layer: int, chain: tuple[Step, ...]) -> str:
    for step in chain:
        for what, law in (("weights", step.weights), ("biases", step.biases)):
            if not _is_constant(law):
                return f"its layer {step.number} has {what} {law.label}"
    return ""


_ALL = (
    Reason(
        "equal-units",
        "units with equal weights put out the same, and get the same gradient where the layer above treats them alike",
        ("preactivation_variance", "activation_variance", *_GRADIENTS, *_ROWS, *_COLUMNS),
        _units_differ,
    ),
    Reason(
        "zero-weights",
        "zero weights and biases put out 0, and send back 0",
        (
            "preactivation_second_moment",
            "preactivation_variance",
            "activation_second_moment",
            "activation_variance",
            "gradient_second_moment",
            *_GRADIENTS,
        ),
        _signal,
    ),
    Reason(
        "nothing-moves",
        "with all weights and biases zero and phi(0) = 0 there is neither a signal nor a gradient to move a weight",
        _CHANGES,
        _moves,
    ),
    Reason(
        "orthogonal",
        "a matrix with orthonormal columns keeps the norm, and so do the identity and the absolute value",
        ("preactivation_second_moment", "activation_second_moment", "pivot"),
        _turns,
    ),
    Reason(
        "continuous-weights",
        "rows and columns drawn from a continuous law are different with probability 1, and gradient descent keeps them so",
        (*_ROWS, *_COLUMNS),
        _may_coincide,
    ),
    Reason(
        "nothing-random",
        "no weight and no bias is random, so that all networks are one",
        ("preactivation_second_moment", "activation_second_moment", *_ROWS, *_COLUMNS, *_CHANGES, *_LOSSES),
        _is_random,
    ),
)
REASONS: dict[str, Reason] = {reason.name: reason for reason in _ALL}
"""By what a claim of test identity writes as its ``reason``."""
