"""A theory walked through a network: a state goes from noun to noun, and factors are kept for the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial, singledispatch

import numpy as np
from numpy.typing import NDArray

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.model.activations import Activation
from varprop.model.initializers import Initializer
from varprop.model.layers import Dense, UnsupportedError, refuse_layer
from varprop.model.network import Network, Site, read_dense, read_sites
from varprop.theory.rules import Theory, own_slope


@dataclass(frozen=True, slots=True)
class State:
    """What a theory says of the signal at one place; arrays have one entry per input.

    Of a state that was measured (`varprop.theory.steps`) they have shape (networks, inputs).

    ``carried`` is what the next weights multiply: E[a^2] (or Var(a) in the textbook wording). ``q`` is the second
    moment of the last pre-activation. ``backward`` computes the factor that this noun puts on the mean squared gradient,
    going back through it, which many callers never need; None where there is none, since phi jumps. ``exact`` and
    ``backward_exact`` say that ``carried`` and that factor are known to be right at this width; ``gaussian`` that z is
    Gaussian given the layer below; ``symmetric`` that z and -z are as likely, given the layer below; ``atomless`` that z
    is 0 only where the layer below is dead. ``activations`` counts those since the last layer with weights. ``death``
    bounds the probability that the signal is exactly 0 by now. ``shared`` is what the next weights multiply for two
    inputs, E[a a'], one entry per pair of inputs in the order of `pairs_of`; None where it is not followed.
    """

    carried: Float64Array
    q: Float64Array
    backward: Callable[[], Float64Array] | None = None
    exact: bool = True
    backward_exact: bool = True
    gaussian: bool = False
    symmetric: bool = False
    atomless: bool = False
    activations: int = 0
    death: float = 0.0
    shared: Float64Array | None = None


def pairs_of(inputs: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and second member of every pair of so many inputs."""
    return np.triu_indices(inputs, 1)


@singledispatch
def advance(noun: object, _state: State, _site: Site, _theory: Theory) -> State:
    """Send a theory's state through one noun."""
    refuse_layer("theory", noun, supported())


def supported() -> tuple[type, ...]:
    """Types of noun that have a rule."""
    return tuple(kind for kind in advance.registry if kind is not object)


@advance.register
def _dense(noun: Dense, state: State, site: Site, _theory: Theory) -> State:
    fan_in, fan_out = site.fans
    weight, bias = _variance(noun.weights, site, "weights"), _variance(noun.biases, site, "biases")
    q = fan_in * weight * state.carried + bias
    return replace(
        state,
        carried=q,
        q=q,
        backward=lambda: np.full_like(q, fan_out * weight),
        backward_exact=True,
        gaussian=noun.weights.gaussian and (bias == 0 or noun.biases.gaussian),
        symmetric=noun.weights.symmetric and noun.biases.symmetric,
        atomless=noun.weights.continuous or noun.biases.continuous,
        activations=0,
        shared=None if state.shared is None else fan_in * weight * state.shared + bias,
    )


@advance.register
def _activation(noun: Activation, state: State, site: Site, theory: Theory) -> State:
    if state.activations and theory.name != "xavier":
        msg = (
            f"theory {quoted(theory.name)} takes a Gaussian pre-activation, but module {site.module} ({noun.label}) follows "
            "another activation; put a Dense between them"
        )
        raise UnsupportedError(msg)
    return replace(
        state,
        carried=theory.forward(noun, state.q),
        backward=None if needs_slope(theory) and noun.jumps else partial(_slope_factor, noun, state.q, theory),
        exact=state.exact and _is_exact(noun, state, site, theory),
        backward_exact=_is_backward_exact(noun, state, theory),
        activations=state.activations + 1,
        death=state.death + _death(noun, site),
        shared=None if state.shared is None or theory.name != "mean-field" else _shared(noun, state.q, state.shared),
    )


def _slope_factor(noun: Activation, q: Float64Array, theory: Theory) -> Float64Array:
    return np.ones_like(q) if theory.backward is None else theory.backward(noun, q)


def needs_slope(theory: Theory) -> bool:
    """Tell whether the theory's factor on squared gradients is a moment of the activation's own phi'."""
    return theory.backward is own_slope


def _shared(noun: Activation, q: Float64Array, covariance: Float64Array) -> Float64Array:
    """E[phi(z) phi(z')] for every pair of inputs with this covariance of z and z'."""
    first, second = pairs_of(len(q))
    norm = np.sqrt(q[first]) * np.sqrt(q[second])
    # A pre-activation that is 0 whatever the weights: its correlation with another does not matter.
    rho = np.divide(covariance, norm, out=np.ones_like(norm), where=norm > 0)
    if np.ptp(q) <= _ROUNDING * q.max():
        return np.asarray(noun.covariance(float(q[0]), float(q[0]), np.clip(rho, -1, 1)))
    return np.asarray(noun.covariance(q[first], q[second], np.clip(rho, -1, 1)))


_ROUNDING = 1e-13
"""Second moments that differ by no more are one: many correlations at one q are computed faster."""


def _is_exact(noun: Activation, state: State, site: Site, theory: Theory) -> bool:
    """Tell whether the theory's E phi^2 holds at any width, given that its E z^2 does."""
    if theory.carries == "variance" or theory.constant:
        return False
    if noun.homogeneous:
        # Where z and -z are as likely, E phi^2 is a fixed share of E z^2; the theory must have the right one.
        share = noun.second_moment(1.0)
        return (state.symmetric or noun.name == "linear") and _is_share(theory.forward(noun, np.ones(1)), share)
    # Else the law of z matters: it is known in the first layer alone.
    return theory.name == "mean-field" and site.layer == 1 and state.gaussian


def _is_backward_exact(noun: Activation, state: State, theory: Theory) -> bool:
    """Tell whether the theory's E phi'^2 holds at any width: for masks that are fair coins, and for the identity.

    Where z is exactly 0 the slope is no fair coin: in a dead network, and wherever signs or sparse weights cancel. If
    that is likely, the theory is off by it. Nothing else is asked of the weights: let c I be the covariance of
    dLoss/dz over all that is drawn above a layer's z, as it is for the readout. Given what is below, a row w of the
    weights W has covariance v I and is as likely as -w, so E[phi'(z_i)^2 w w^T] = share v I, and one layer down the
    covariance is c times share, v and the number of rows, times phi'(z)^2 there. Rows may depend on each other, as
    those of an orthogonal matrix do.
    """
    if theory.backward is None or theory.constant or not noun.homogeneous or state.death > _NEGLIGIBLE:
        return False
    share = noun.derivative_second_moment(1.0)
    fair = state.symmetric and state.atomless
    return (fair or noun.name == "linear") and _is_share(theory.backward(noun, np.ones(1)), share)


def _death(noun: Activation, site: Site) -> float:
    """Probability that all units of a layer output 0, for one that does so on a half-line and symmetric z."""
    dies = not noun(np.array([-1.0])).any() or not noun(np.array([1.0])).any()
    return 2.0 ** -site.output_shape[0] if dies else 0.0


_NEGLIGIBLE = 1e-5
"""Below this a dead network changes a mean by less than any sample shows."""


def _is_share(said: Float64Array, true: float) -> bool:
    return bool(np.isclose(said[0], true, rtol=1e-13))


def check_centred(network: Network) -> None:
    """Refuse laws that have a mean."""
    for site, layer in read_dense(network, "theory"):
        _check_centred(layer.weights, site, "weights")
        _check_centred(layer.biases, site, "biases")


def _variance(law: Initializer, site: Site, role: str) -> float:
    _check_centred(law, site, role)
    return law.variance(*site.fans)


def _check_centred(law: Initializer, site: Site, role: str) -> None:
    if law.mean(*site.fans) != 0:
        msg = (
            f"theory takes {role} of mean 0, but {law.label} has mean {law.mean(*site.fans):g} at layer {site.layer}; "
            "compare such a network with another network, not with a theory"
        )
        raise UnsupportedError(msg)


def walk(
    network: Network, theory: Theory, mean_square: Float64Array, mean_product: Float64Array | None = None
) -> Iterator[tuple[Site, State]]:
    """Yield the state after every noun of a network.

    ``mean_square`` is that of each input, shape (inputs,); ``mean_product`` that of each pair of inputs, shape (pairs,).
    """
    state = State(mean_square, mean_square, shared=mean_product)
    for site in read_sites(network, "theory"):
        state = advance(site.noun, state, site, theory)
        yield site, state
