"""A theory walked through a network: a state goes from layer to layer, and a gradient back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, singledispatch

import numpy as np
from numpy.typing import NDArray

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.model.activations import Activation
from varprop.model.initializers import Initializer
from varprop.model.layers import Dense, UnsupportedError, refuse_layer
from varprop.model.network import Network, read_sites, read_steps
from varprop.model.sites import Site, around_weights
from varprop.theory.rules import Theory, own_slope


@dataclass(frozen=True, slots=True)
class GradientState:
    """What a theory says of the gradient at one place: its mean square, one entry per input; NaN where none is known.

    ``exact`` says that it is known to be right at this width.
    """

    square: Float64Array
    exact: bool = True


Way = Callable[[GradientState], GradientState]
"""From the gradient at a layer's output to that at its input."""


def _straight(gradient: GradientState) -> GradientState:
    """The way back of what changes nothing."""
    return gradient


@dataclass(frozen=True, slots=True)
class State:
    """What a theory says of the signal at one place; arrays have one entry per input.

    Of a state that was measured (`varprop.theory.steps`) they have shape (networks, inputs).

    ``carried`` is what the next weights multiply: E[a^2] (or Var(a) in the textbook wording). ``q`` is the second
    moment of the last pre-activation. ``backward`` is the way of a gradient back through this layer, which many callers never
    need. ``exact`` says that ``carried`` is known to be right at this width; ``gaussian`` that z is Gaussian given the layer
    below; ``symmetric`` that z and -z are as likely, given the layer below; ``atomless`` that z is 0 only where the layer below
    is dead. ``passed`` counts the layers with weights that the signal has passed, ``activations`` those since the last of them.
    ``death`` bounds the probability that the signal is exactly 0 by now. ``shared`` is what the next weights multiply for two
    inputs, E[a a'], one entry per pair of inputs in the order of `pairs_of`; None where it is not followed.
    """

    carried: Float64Array
    q: Float64Array
    backward: Way = _straight
    exact: bool = True
    gaussian: bool = False
    symmetric: bool = False
    atomless: bool = False
    passed: int = 0
    activations: int = 0
    death: float = 0.0
    shared: Float64Array | None = None


_Passed = tuple[Site, State, Way]
"""Where a layer stands, the state before it, and the way back through it."""


class Walk:
    """One way through a network and back by a theory's rules; who wants to see it, or to change it on the way, overrides."""

    returns = True
    """Whether there is a way back, which is gone once."""

    def __init__(self, theory: Theory) -> None:
        self.theory = theory

    def after(self, site: Site, state: State) -> State:
        """The state after one layer."""
        return advance(site.layer, state, site, self)

    def seen(self, site: Site, before: State, state: State) -> State:  # noqa: ARG002 - for those that do
        """Take the state after a layer, and the one before it; return what is to go on."""
        return state

    def seen_back(self, site: Site, below: State, gradient: GradientState) -> GradientState:  # noqa: ARG002 - for those that do
        """Take the gradient at the output of a layer with weights, and the state of its input; return what is to go on."""
        return gradient

    def blocked(self, layer: Activation, gradient: GradientState) -> GradientState:  # noqa: ARG002 - for those that say which
        """Return what comes back through an activation that jumps, whose phi' has no second moment: nothing that is known."""
        return GradientState(np.full_like(gradient.square, np.nan), exact=False)

    def through(self, sites: Sequence[Site], state: State) -> State:
        """Go through layers that stand one after another; the state after them has the way back through all."""
        ways: list[_Passed] = []
        for site in sites:
            before, state = state, self.seen(site, state, self.after(site, state))
            if self.returns:
                ways.append((site, before, state.backward))
        return replace(state, backward=partial(self._back, ways))

    def _back(self, ways: list[_Passed], gradient: GradientState) -> GradientState:
        while ways:  # taken off, so that what was measured there is free
            site, below, way = ways.pop()
            if "gradient" in site.layer.records:
                gradient = self.seen_back(site, below, gradient)
            gradient = way(gradient)
        return gradient

    def over(self, network: Network, start: State) -> Way:
        """Go through a whole network; back goes what comes from the readout, to the first layer with weights."""
        lead, body, rest = around_weights(read_sites(network, "theory", supported()))
        state = self.through(body, self.through(lead, start))
        self.through(rest, state)
        return state.backward


def pairs_of(inputs: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and second member of every pair of so many inputs."""
    return np.triu_indices(inputs, 1)


@singledispatch
def advance(layer: object, state: State, site: Site, walk: Walk) -> State:  # noqa: ARG001 - for the rules
    """Send a theory's state through one layer.

    Parameters
    ----------
    layer : object
        Rules are registered by its type: ``@advance.register``.
    state : State
        Of what the layer is fed.
    site : Site
        Where the layer stands, with its fans and the sites of its parts.
    walk : Walk
        The theory, and `Walk.through` for the layers that it holds.

    Returns
    -------
    State

    Raises
    ------
    UnsupportedError
        If there is no rule for the type, or the theory does not cover the layer.
    """
    refuse_layer("theory", layer, supported())


def supported() -> tuple[type, ...]:
    """Types of layer that have a rule."""
    return tuple(kind for kind in advance.registry if kind is not object)


@advance.register
def _dense(layer: Dense, state: State, site: Site, walk: Walk) -> State:
    fan_in, fan_out = site.fans
    weight, bias = _variance(layer.weights, site, "weights"), _variance(layer.biases, site, "biases")
    q = fan_in * weight * state.carried + bias
    constant = walk.theory.constant
    return replace(
        state,
        carried=q,
        q=q,
        backward=lambda gradient: _scaled(gradient, 1.0 if constant else fan_out * weight, exact=not constant),
        gaussian=layer.weights.gaussian and (bias == 0 or layer.biases.gaussian),
        symmetric=layer.weights.symmetric and layer.biases.symmetric,
        atomless=layer.weights.continuous or layer.biases.continuous,
        passed=state.passed + 1,
        activations=0,
        shared=None if state.shared is None else fan_in * weight * state.shared + bias,
    )


def _scaled(gradient: GradientState, factor: float | Float64Array, *, exact: bool) -> GradientState:
    """The gradient times a factor that is exact or not."""
    return GradientState(gradient.square * factor, gradient.exact and exact)


@advance.register
def _activation(layer: Activation, state: State, site: Site, walk: Walk) -> State:
    theory = walk.theory
    if state.activations and theory.name != "xavier":
        msg = (
            f"theory {quoted(theory.name)} takes a Gaussian pre-activation, but module {site.module} ({layer.label}) follows "
            "another activation; put a Dense between them"
        )
        raise UnsupportedError(msg)

    def backward(gradient: GradientState) -> GradientState:
        if needs_slope(theory) and layer.jumps:
            return walk.blocked(layer, gradient)
        factor = np.ones_like(state.q) if theory.backward is None else theory.backward(layer, state.q)
        return _scaled(gradient, factor, exact=_is_backward_exact(layer, state, theory))

    return replace(
        state,
        carried=theory.forward(layer, state.q),
        backward=backward,
        exact=state.exact and _is_exact(layer, state, theory),
        activations=state.activations + 1,
        death=state.death + _death(layer, site),
        shared=None if state.shared is None or theory.name != "mean-field" else _shared(layer, state.q, state.shared),
    )


def needs_slope(theory: Theory) -> bool:
    """Tell whether the theory's factor on squared gradients is a moment of the activation's own phi'."""
    return theory.backward is own_slope


def _shared(layer: Activation, q: Float64Array, covariance: Float64Array) -> Float64Array:
    """E[phi(z) phi(z')] for every pair of inputs with this covariance of z and z'."""
    first, second = pairs_of(len(q))
    norm = np.sqrt(q[first]) * np.sqrt(q[second])
    # A pre-activation that is 0 whatever the weights: its correlation with another does not matter.
    rho = np.divide(covariance, norm, out=np.ones_like(norm), where=norm > 0)
    if np.ptp(q) <= _ROUNDING * q.max():
        return np.asarray(layer.covariance(float(q[0]), float(q[0]), np.clip(rho, -1, 1)))
    return np.asarray(layer.covariance(q[first], q[second], np.clip(rho, -1, 1)))


_ROUNDING = 1e-13
"""Second moments that differ by no more are one: many correlations at one q are computed faster."""


def _is_exact(layer: Activation, state: State, theory: Theory) -> bool:
    """Tell whether the theory's E phi^2 holds at any width, given that its E z^2 does."""
    if theory.carries == "variance" or theory.constant:
        return False
    if layer.homogeneous:
        # Where z and -z are as likely, E phi^2 is a fixed share of E z^2; the theory must have the right one.
        share = layer.second_moment(1.0)
        return (state.symmetric or layer.name == "linear") and _is_share(theory.forward(layer, np.ones(1)), share)
    # Else the law of z matters: it is known in a first layer alone.
    return theory.name == "mean-field" and state.passed == 1 and state.gaussian


def _is_backward_exact(layer: Activation, state: State, theory: Theory) -> bool:
    """Tell whether the theory's E phi'^2 holds at any width: for masks that are fair coins, and for the identity.

    Where z is exactly 0 the slope is no fair coin: in a dead network, and wherever signs or sparse weights cancel. If
    that is likely, the theory is off by it. Nothing else is asked of the weights: let c I be the covariance of
    dLoss/dz over all that is drawn above a layer's z, as it is for the readout. Given what is below, a row w of the
    weights W has covariance v I and is as likely as -w, so E[phi'(z_i)^2 w w^T] = share v I, and one layer down the
    covariance is c times share, v and the number of rows, times phi'(z)^2 there. Rows may depend on each other, as
    those of an orthogonal matrix do.
    """
    if theory.backward is None or theory.constant or not layer.homogeneous or state.death > _NEGLIGIBLE:
        return False
    share = layer.derivative_second_moment(1.0)
    fair = state.symmetric and state.atomless
    return (fair or layer.name == "linear") and _is_share(theory.backward(layer, np.ones(1)), share)


def _death(layer: Activation, site: Site) -> float:
    """Probability that all units of a layer output 0, for one that does so on a half-line and symmetric z."""
    dies = not layer(np.array([-1.0])).any() or not layer(np.array([1.0])).any()
    return 2.0 ** -math.prod(site.output_shape) if dies else 0.0


_NEGLIGIBLE = 1e-5
"""Below this a dead network changes a mean by less than any sample shows."""


def _is_share(said: Float64Array, true: float) -> bool:
    return bool(np.isclose(said[0], true, rtol=1e-13))


def check_centred(network: Network) -> None:
    """Refuse laws that have a mean."""
    for step in read_steps(network, "theory", supported()):
        _check_centred(step.weights, step.site, "weights")
        _check_centred(step.biases, step.site, "biases")


def _variance(law: Initializer, site: Site, role: str) -> float:
    _check_centred(law, site, role)
    return law.variance(*site.fans)


def _check_centred(law: Initializer, site: Site, role: str) -> None:
    if law.mean(*site.fans) != 0:
        msg = (
            f"theory takes {role} of mean 0, but {law.label} has mean {law.mean(*site.fans):g} at layer {site.number}; "
            "compare such a network with another network, not with a theory"
        )
        raise UnsupportedError(msg)
