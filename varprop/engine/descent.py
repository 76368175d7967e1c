"""Gradient descent on a tile of networks, in sums whose order is fixed, so that what is equal stays equal to the last bit.

Every sum is a loop over its terms, first to last, that adds whole arrays: NumPy's elementwise products and sums round every
unit alike, wherever it stands in the array. A product of matrices in BLAS does not, since it treats the rows at a block's end
differently, and tells units apart that are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from varprop._typing import Float64Array
from varprop.engine.signal import Signal, SignalRangeError
from varprop.model.activations import Activation
from varprop.model.initializers import Initializer
from varprop.model.inputs import Training
from varprop.model.layers import Dense
from varprop.model.network import Network, read_sites
from varprop.model.sites import Place, Site

Recorded = dict[str, dict[Place, Float64Array]]
"""By quantity and place: (networks, inputs), or (networks,) for what is not of one input."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What networks are trained to compute, and how: the loss is the mean of (z - target)^2 over inputs and outputs.

    ``targets`` has shape (inputs, outputs); z is the last layer's output, before any activation.
    """

    training: Training
    targets: Float64Array


@dataclass(slots=True, eq=False)
class LayerParameters:
    """Weights (networks, fan_in, fan_out) and biases (networks, fan_out) of one layer; units lie side by side in memory."""

    weights: Float64Array
    biases: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """A site that a signal has passed, what came in and what went out, shapes (networks, inputs, units)."""

    site: Site
    x: Float64Array
    y: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class Gradient:
    """Of the loss, at one layer: by its weights, its biases and its output z."""

    weights: Float64Array
    biases: Float64Array
    delta: Float64Array


def descend(
    network: Network,
    task: Task,
    inputs: Float64Array,
    rng: np.random.Generator,
    *,
    networks: int,
    where: Mapping[str, tuple[Place, ...]],
) -> Recorded:
    """Draw a tile of networks, train them, and record what became of them.

    LayerParameters
    ----------
    network : Network
        Laws of the start.
    task : Task
        Targets, steps and learning rate.
    inputs : ndarray, shape (inputs, input_size)
        Of every network.
    rng : Generator
        Stream of the start; weights and then biases, layer by layer.
    networks : int
        Size of the tile.
    where : mapping
        Places at which each asked quantity exists.
    """
    sites = dense_sites(network)
    start = {site.place: draw(site, networks, rng) for site in sites}
    now = {place: LayerParameters(one.weights.copy(), one.biases.copy()) for place, one in start.items()}
    counts = _Counts(now, where)
    training = task.training
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # the loss is looked at after every step
        passed = forward(network, now, inputs)
        losses = [_loss(passed, task, step=0)]
        found: Recorded = {name: {} for name in where}
        _record_forward(passed, where, found)
        for step in range(training.steps):
            gradients = backward(passed, now, task.targets)
            if step == 0:
                for place in where.get("loss_gradient_variance", ()):
                    found["loss_gradient_variance"][place] = Signal(gradients[place].delta).variance()
            for place, gradient in gradients.items():
                now[place].weights -= training.learning_rate * gradient.weights
                if training.train_biases:
                    now[place].biases -= training.learning_rate * gradient.biases
            counts.look(now)
            passed = forward(network, now, inputs)
            losses.append(_loss(passed, task, step=step + 1))
    ends = {"initial_loss": losses[0], "final_loss": losses[-1]}
    for name, places in where.items():
        for place in places:
            if name in counts.kept:
                found[name][place] = counts.kept[name][place]
            elif name == "weight_change":
                found[name][place] = _root_mean_square(now[place].weights - start[place].weights)
            elif name == "bias_change":
                found[name][place] = _root_mean_square(now[place].biases - start[place].biases)
            elif name in ends:
                found[name][place] = ends[name]
    return found


def dense_sites(network: Network) -> tuple[Site, ...]:
    """Sites of a network's layers with weights, first to last."""
    return tuple(site for site in read_sites(network, "gradient descent") if isinstance(site.layer, Dense))


def draw(site: Site, networks: int, rng: np.random.Generator) -> LayerParameters:
    """Draw one layer's weights and biases for so many networks."""
    layer, (fan_in, fan_out) = site.layer, site.fans
    if not isinstance(layer, Dense):
        msg = f"{site.module} has no weights"
        raise TypeError(msg)
    weights = _sample(layer.weights, networks, (fan_out, fan_in), site.fans, rng)
    biases = _sample(layer.biases, networks, (fan_out,), site.fans, rng)
    return LayerParameters(np.ascontiguousarray(np.swapaxes(weights, 1, 2)), biases)


def _sample(
    law: Initializer, networks: int, shape: tuple[int, ...], fans: tuple[int, int], rng: np.random.Generator
) -> Float64Array:
    fan_in, fan_out = fans
    if law.batched:
        return np.asarray(law.sample((networks, *shape), fan_in=fan_in, fan_out=fan_out, rng=rng), dtype=np.float64)
    one = [law.sample(shape, fan_in=fan_in, fan_out=fan_out, rng=rng) for _ in range(networks)]
    return np.stack(one).astype(np.float64, copy=False)


# ---- passes ------------------------------------------------------------------------------------------------------


def product(x: Float64Array, w: Float64Array) -> Float64Array:
    """Sum x[n, b, i] w[n, i, o] over i, from the first term to the last, whatever the shapes.

    LayerParameters
    ----------
    x : ndarray, shape (networks, rows, terms)
        Networks may be 1, for all.
    w : ndarray, shape (networks, terms, columns)
        Equal columns, and equal rows of x, give equal sums, bit by bit.
    """
    total: Float64Array = x[:, :, 0, None] * w[:, None, 0]
    term = np.empty_like(total)
    for i in range(1, w.shape[1]):
        np.multiply(x[:, :, i, None], w[:, None, i], out=term)
        total += term
    return total


def forward(network: Network, parameters: Mapping[Place, LayerParameters], inputs: Float64Array) -> list[Passed]:
    """Send the inputs through every site, the activation after the last layer too."""
    passed: list[Passed] = []
    x = np.ascontiguousarray(np.broadcast_to(inputs, (len(next(iter(parameters.values())).weights), *inputs.shape)))
    for site in read_sites(network, "gradient descent"):
        if isinstance(site.layer, Activation):
            y = np.asarray(site.layer(x), dtype=np.float64)
        else:
            own = parameters[site.place]
            y = product(x, own.weights) + own.biases[:, None, :]
        passed.append(Passed(site, x, y))
        x = y
    return passed


def outputs(passed: list[Passed]) -> Float64Array:
    """What the last layer with weights puts out, shape (networks, inputs, outputs): the loss acts on it."""
    return next(one.y for one in reversed(passed) if isinstance(one.site.layer, Dense))


def backward(
    passed: list[Passed], parameters: Mapping[Place, LayerParameters], targets: Float64Array
) -> dict[Place, Gradient]:
    """Gradients of the mean squared error by everything that is trained, last layer first."""
    z = outputs(passed)
    # Of the mean over inputs and outputs of (z - target)^2.
    delta = (2.0 / targets.size) * (z - targets)
    layers = [i for i, one in enumerate(passed) if isinstance(one.site.layer, Dense)]
    found: dict[Place, Gradient] = {}
    for one in reversed(passed[layers[0] : layers[-1] + 1]):
        if isinstance(one.site.layer, Activation):
            delta = delta * np.asarray(one.site.layer.slope_given_value(one.x, one.y), dtype=np.float64)
            continue
        place = one.site.place
        ones = np.ones((1, 1, delta.shape[1]))
        found[place] = Gradient(product(np.swapaxes(one.x, 1, 2), delta), product(ones, delta)[:, 0], delta)
        if one is not passed[layers[0]]:
            delta = product(delta, np.ascontiguousarray(np.swapaxes(parameters[place].weights, 1, 2)))
    return found


def _loss(passed: list[Passed], task: Task, *, step: int) -> Float64Array:
    """Mean squared error of every network, shape (networks,)."""
    loss: Float64Array = np.square(outputs(passed) - task.targets).mean(axis=(1, 2))
    if not np.isfinite(loss).all():
        msg = (
            f"the loss left the range of float64 after {step} of {task.training.steps} steps; "
            "use a smaller learning_rate or smaller weights"
        )
        raise SignalRangeError(msg)
    return loss


# ---- what is recorded --------------------------------------------------------------------------------------------


def _record_forward(passed: list[Passed], where: Mapping[str, tuple[Place, ...]], found: Recorded) -> None:
    """Variances over the units at the start, with the engine's own reading of them."""
    for one in passed:
        kind = "activation_variance" if isinstance(one.site.layer, Activation) else "preactivation_variance"
        if (place := one.site.place) in where.get(kind, ()):
            found[kind][place] = Signal(one.y).variance()


_FARTHEST = {"most_distinct": np.maximum, "fewest_distinct": np.minimum}


class _Counts:
    """The most and the fewest distinct rows and columns so far, of those layers of which they are asked."""

    def __init__(self, parameters: Mapping[Place, LayerParameters], where: Mapping[str, tuple[Place, ...]]) -> None:
        self._watched = {
            axis: [place for place in parameters if any(place in where.get(f"{end}_{axis}", ()) for end in _FARTHEST)]
            for axis in ("rows", "columns")
        }
        self.kept: Recorded = {f"{end}_{axis}": {} for end in _FARTHEST for axis in self._watched}
        self.look(parameters)

    def look(self, parameters: Mapping[Place, LayerParameters]) -> None:
        """Count what there is now."""
        for axis, places in self._watched.items():
            for place in places:
                weights = parameters[place].weights
                # A row of W holds the weights of one unit, which lie along the first axis here.
                lines = np.ascontiguousarray(np.swapaxes(weights, 1, 2)) if axis == "rows" else weights
                counted = np.array([len({line.tobytes() for line in matrix}) for matrix in lines], dtype=np.float64)
                for end, farthest in _FARTHEST.items():
                    kept = self.kept[f"{end}_{axis}"]
                    kept[place] = farthest(kept[place], counted) if place in kept else counted


def _root_mean_square(change: Float64Array) -> Float64Array:
    """Over everything but the networks."""
    rms: Float64Array = np.sqrt(np.square(change).mean(axis=tuple(range(1, change.ndim))))
    return rms
