"""Second moments of a whole network from the norms of its signals alone, at a cost that no width changes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from varprop._typing import Float64Array
from varprop.engine.descent import Recorded
from varprop.engine.rules import SATURATED, Where
from varprop.engine.signal import SignalRangeError, Streams
from varprop.model.activations import Activation
from varprop.model.layers import Dense
from varprop.model.network import Network, read_chain, read_sites
from varprop.model.quantities import QUANTITIES
from varprop.model.sites import Place, Step

NORMS = (
    "preactivation_second_moment",
    "conditional_variance",
    "pivot",
    "activation_second_moment",
    "saturated_fraction",
    "dead_fraction",
    "gradient_second_moment",
    "weight_gradient_second_moment",
)
"""Quantities that norms and counts of units determine."""


@dataclass(frozen=True, slots=True)
class _Slopes:
    """phi(z) = up z above 0 and down z below; its derivative at 0 itself."""

    up: float
    down: float
    at_zero: float

    def count(self, small: float, positive: Float64Array, units: int, alive: NDArray[np.bool_]) -> Float64Array:
        """Units whose slope is at most ``small`` in absolute value; a layer that got nothing has slope ``at_zero``."""
        among = positive * (abs(self.up) <= small) + (units - positive) * (abs(self.down) <= small)
        return np.where(alive, among, units * float(abs(self.at_zero) <= small))


@dataclass(frozen=True, slots=True)
class _Norms:
    """A step's signals in a tile: squared norms before it, of z above and below 0, of a; and the units above 0."""

    step: Step
    slopes: _Slopes
    below: Float64Array
    up: Float64Array
    down: Float64Array
    after: Float64Array
    positive: Float64Array


def why_not_norms(network: Network, n_inputs: int) -> str:
    """Say what keeps a network from being sampled by its norms; empty if nothing does."""
    if n_inputs > 1:
        return f"there are {n_inputs} inputs, and it takes one"
    previous: object = None
    for site in read_sites(network, "method 'norms'"):
        layer = site.layer
        if isinstance(layer, Dense) and not (layer.weights.gaussian and layer.biases.name == "zeros"):
            return f"layer {site.number} has {layer.weights.label} and biases {layer.biases.label}, not Gaussian weights alone"
        if isinstance(layer, Activation) and not (layer.homogeneous and isinstance(previous, Dense)):
            return f"{layer.label} is not two half lines through 0 after a layer with weights"
        previous = layer
    return ""


def sample_norms(network: Network, square: float, streams: Streams, *, networks: int, where: Where) -> Recorded:
    r"""Sample the asked quantities of a tile of networks.

    Notes
    -----
    Forward, given the layer below, z has n independent entries N(0, v), v = Var(W) \|a\|^2. Of these K ~ Bin(n, 1/2) are
    positive; the squares of either kind add up to v chi2_K and v chi2_{n-K}, independent given K, and with slopes s, t the
    activations' squares to s^2 times the one plus t^2 times the other.

    Backward, W^T delta = (delta . u / \|a\|^2) a + sigma \|delta\| P f, with u = W a, f standard normal and P the projector
    orthogonal to a. Let D be the diagonal of slopes, so that a = D z and the next gradient is D W^T delta. Its inner
    product with z is a . W^T delta = u . delta: the same number c in every layer (Euler's theorem for homogeneous
    functions). Split the units into those above and below 0, and f in each part into a component along z and a rest, whose
    squared norm is chi2_{K-1}. P leaves of the two components along z a single normal number b, in the direction orthogonal
    to a. With Z, Y the squares of z above and below 0, the squared norm of the next gradient is therefore

    .. math::

        \left(\frac{c s^2 \sqrt Z}{|a|^2} - \sigma |\delta| b \frac{s t \sqrt Y}{|a|}\right)^2
        + \left(\frac{c t^2 \sqrt Y}{|a|^2} + \sigma |\delta| b \frac{s t \sqrt Z}{|a|}\right)^2
        + \sigma^2 |\delta|^2 (s^2 \chi^2_{K-1} + t^2 \chi^2_{n-K-1}),

    b being 0 where all units are on one side. So the norms and c are a Markov chain, and no vector is ever drawn.
    """
    recorded: dict[str, dict[Place, Float64Array]] = {name: {} for name in where}
    rng, signals = streams.rng, np.full(networks, square)
    chain: list[_Norms] = []
    with np.errstate(over="ignore", under="ignore"):  # looked for in _hold
        for step in read_chain(network, "method 'norms'"):
            norms = _forward(step, signals, rng)
            reached = signals > 0
            _hold(norms.up, reached & (norms.positive > 0), step.number)
            _hold(norms.down, reached & (norms.positive < step.units), step.number)
            chain.append(norms)
            _read_forward(norms, where, recorded)
            signals = norms.after
        if any(QUANTITIES[name].place == "gradient" for name in where):
            _backward(chain, streams, where, recorded)
    return recorded


def _forward(step: Step, below: Float64Array, rng: np.random.Generator) -> _Norms:
    above, under = step.activation(np.array([1.0, -1.0]))
    slopes = _Slopes(float(above), -float(under), float(step.activation.slope(np.zeros(1))[0]))
    v = step.weight_variance * below
    positive = rng.binomial(step.units, 0.5, size=len(below)).astype(np.float64)
    up = v * (2 * rng.standard_gamma(positive / 2))
    down = v * (2 * rng.standard_gamma((step.units - positive) / 2))
    after = slopes.up**2 * up + slopes.down**2 * down
    return _Norms(step, slopes, below, up, down, after, positive)


def _backward(
    chain: list[_Norms], streams: Streams, where: Where, recorded: dict[str, dict[Place, Float64Array]]
) -> None:
    """Walk back from the readout, a standard normal vector, with its squared norm and its product c with z."""
    top = chain[-1]
    networks, rng = len(top.after), streams.rng
    along = streams.standard_normal((networks,), np.float64).astype(np.float64, copy=False)
    c: Float64Array = np.sqrt(top.up + top.down) * along
    gradient = along**2 + 2 * rng.standard_gamma((top.step.units - 1) / 2, size=networks)
    _read_backward(top, gradient, where, recorded)
    for above, norms in itertools.pairwise(reversed(chain)):
        gradient = _step_back(norms, above.step.weight_variance * gradient, c, streams)
        _hold(gradient, (norms.after > 0) & (c != 0), norms.step.number)
        _read_backward(norms, gradient, where, recorded)


def _step_back(norms: _Norms, fresh: Float64Array, c: Float64Array, streams: Streams) -> Float64Array:
    """Squared norm of the next gradient; ``fresh`` is sigma^2 |delta|^2."""
    s, t, units = norms.slopes.up, norms.slopes.down, norms.step.units
    rng, shape = streams.rng, norms.after.shape
    rest = np.zeros(shape)
    for slope, count in ((s, norms.positive), (t, units - norms.positive)):
        if slope != 0:
            rest += slope**2 * 2 * rng.standard_gamma(np.maximum(count - 1, 0) / 2)
    alive = norms.after > 0
    after = np.where(alive, norms.after, 1.0)
    known = np.where(alive, c / after, 0.0)
    up, down = known * s**2 * np.sqrt(norms.up), known * t**2 * np.sqrt(norms.down)
    if s * t != 0:
        both = (norms.positive > 0) & (norms.positive < units)
        b = np.where(both, streams.standard_normal(shape, np.float64), 0.0) * np.sqrt(fresh / after) * (s * t)
        up, down = up - b * np.sqrt(norms.down), down + b * np.sqrt(norms.up)
    gradient = np.where(alive, up**2 + down**2 + fresh * rest, 0.0)
    if norms.slopes.at_zero != 0:  # a layer that got nothing has that slope everywhere
        nothing = norms.below == 0
        every = 2 * rng.standard_gamma(units / 2, size=len(gradient))
        gradient = np.where(nothing, norms.slopes.at_zero**2 * fresh * every, gradient)
    return gradient


def _hold(values: Float64Array, positive: NDArray[np.bool_], layer: int) -> None:
    """Refuse what float64 cannot hold; what is 0 must be so by the network's doing."""
    if not np.isfinite(values).all() or ((values < np.finfo(np.float64).tiny) & positive).any():
        msg = f"layer {layer}: a squared norm left the range of float64; use fewer layers or other weights"
        raise SignalRangeError(msg)


def _read_forward(norms: _Norms, where: Where, recorded: dict[str, dict[Place, Float64Array]]) -> None:
    step, slopes = norms.step, norms.slopes
    units, place = step.units, step.place
    total, v = norms.up + norms.down, step.weight_variance * norms.below
    found = {
        "preactivation_second_moment": total / units,
        "conditional_variance": v,
        "pivot": np.divide(total / units, v, out=np.full_like(v, np.nan), where=v > 0),
    }
    for name, value in found.items():
        if place in where.get(name, ()):
            recorded[name][place] = value[:, None]
    if step.activation_site is None:
        return
    place = step.activation_site.place
    if place in where.get("activation_second_moment", ()):
        recorded["activation_second_moment"][place] = (norms.after / units)[:, None]
    if place in where.get("saturated_fraction", ()):
        # Strictly below the limit, as the engine counts: the next smaller number is at most.
        small = np.nextafter(SATURATED * max(abs(slopes.up), abs(slopes.down)), 0)
        recorded["saturated_fraction"][place] = (slopes.count(small, norms.positive, units, v > 0) / units)[:, None]
    if place in where.get("dead_fraction", ()):
        zeros = slopes.count(0.0, norms.positive, units, v > 0)
        recorded["dead_fraction"][place] = np.where(v > 0, zeros, units) / units


def _read_backward(
    norms: _Norms, gradient: Float64Array, where: Where, recorded: dict[str, dict[Place, Float64Array]]
) -> None:
    (fan_in, units), place = norms.step.site.fans, norms.step.place
    if place in where.get("gradient_second_moment", ()):
        recorded["gradient_second_moment"][place] = (gradient / units)[:, None]
    if place in where.get("weight_gradient_second_moment", ()):
        recorded["weight_gradient_second_moment"][place] = (gradient / units * (norms.below / fan_in))[:, None]
