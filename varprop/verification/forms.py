"""Means over depth: how the mean over networks of a quantity is estimated at every layer, and by which tests.

Where the mean of each step given the past is a constant, means are put together from steps; where values have known ends, or a
low one, bets are made on them; and beside these there is a t test of the mean as it stands, where the sample's skewness
allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from varprop._typing import Float64Array
from varprop.model.network import Network, read_activations, read_chain
from varprop.model.simulation import Simulation
from varprop.model.sites import Place, Step
from varprop.stats.influence import LogMeans, log_means
from varprop.stats.profiles import Composite, Profile, known, running, single, with_biases
from varprop.verification import validity
from varprop.verification.questions import Measured, SampleTable, Summed, judging

CARRIER = "conditional_variance"


@dataclass(frozen=True, slots=True)
class Form:
    """How the means of a quantity over depth are put together from steps."""

    network: Network
    places: tuple[Place, ...]
    table: Callable[[Simulation], Float64Array]
    part: Callable[[LogMeans], Composite]
    width: int
    strict: bool
    refused: str

    def tables(self, piece: Simulation) -> tuple[SampleTable, ...]:
        """Steps of a piece of the sample."""
        with judging():
            return (SampleTable(self.table(piece), self.places, joint=True),)

    def profile(self, summed: Summed, predicted: Sequence[float] | None = None) -> Profile:
        """Estimates relative to predictions, or as they are."""
        means = log_means(summed.moments, partly=True)
        part = self.part(means)
        if predicted is not None:
            part = part.less(np.log(np.asarray(predicted, dtype=np.float64)))
        return Profile(means, part, self.width, self.strict, self.refused)


def is_product(network: Network, quantity: str) -> bool:
    """Tell whether a mean over depth is the product of the means of the quantity's own steps."""
    if quantity == "gradient_second_moment":
        return validity.is_backward_product(network)
    return quantity in validity.SECOND_MOMENTS and validity.is_forward_product(network)


def form_of(simulation: Simulation, quantity: str) -> Form | None:
    """Find how a quantity's means follow from steps; None where they do not, or what that takes was not recorded.

    Mean squares without biases are not among them: their steps are ratios of the quantity itself
    (`varprop.stats.means.cumulative_ratios`).
    """
    network = simulation.network
    if not isinstance(network, Network) or quantity not in _MADE_OF or not _recorded(simulation, quantity):
        return None
    return _MADE_OF[quantity](network, quantity) if _follows(simulation, network, quantity) else None


def _follows(simulation: Simulation, network: Network, quantity: str) -> bool:
    """Whether the laws let a quantity's means follow from steps."""
    forward, backward = validity.is_forward_affine(network), validity.is_backward_product(network)
    plain, several = validity.is_forward_product(network), len(simulation.inputs) > 1
    if not forward or any(step.weight_variance == 0.0 for step in read_chain(network)):
        return False  # no gradient is told without what its laws ask for forward, too
    return {
        "preactivation_second_moment": forward and not plain,
        "activation_second_moment": forward and not plain,
        "preactivation_variance": forward and validity.independent_rows(network),
        "activation_variance": forward and validity.directionless(network),
        # The root of an average over inputs is none of theirs, and a step below 0 has no logarithm.
        "activation_mean": plain
        and validity.directionless(network)
        and (not several or simulation.per_input)
        and all(phi.value_range[0] >= 0.0 for phi in read_activations(network, "a mean over depth")),
        "gradient_variance": backward and validity.independent_rows(network),
        "weight_gradient_second_moment": backward and not several,
    }[quantity]


def _recorded(simulation: Simulation, quantity: str) -> bool:
    """Whether the sample has all that a quantity's steps are made of."""
    needed = {
        "gradient_variance": ("gradient_second_moment",),
        "weight_gradient_second_moment": (CARRIER, "gradient_second_moment"),
    }.get(quantity, (CARRIER,))
    if quantity in {*validity.SECOND_MOMENTS, "weight_gradient_second_moment"} and not _without_biases(simulation):
        needed = (*needed, "preactivation_second_moment", "activation_second_moment")
    return all(name in simulation.quantities for name in needed)


def _without_biases(simulation: Simulation) -> bool:
    return validity.is_forward_product(simulation.architecture)


# ---- forward ------------------------------------------------------------------------------------------------------


def _last_steps(network: Network, quantity: str) -> Form:
    """A quantity at layer l as E[v_l] times the mean of its ratio to v_l, which has the same law in all networks."""
    chain = read_chain(network)
    carriers = _Carriers(network)
    places = tuple(place for step in chain if (place := _place(step, quantity)) is not None)
    at = [i for i, step in enumerate(chain) if _place(step, quantity) is not None]

    def table(piece: Simulation) -> Float64Array:
        measured = Measured(piece)
        v = carriers.measured(measured)
        values = np.stack([mean_over_inputs(measured.at(quantity, place)) for place in places], axis=1)
        return np.hstack([carriers.steps(measured, v), _over(values, v[:, at])])

    def part(means: LogMeans) -> Composite:
        steps = carriers.count
        return carriers.part(means).take(at) + single(means, range(steps, steps + len(places)))

    tails = validity.heaviest_tail(network)
    return Form(network, places, table, part, validity.narrowest(network), strict=True, refused=tails.reason)


class _Carriers:
    """The conditional variances of all layers: their own ratios without biases, else what each layer keeps of them."""

    def __init__(self, network: Network) -> None:
        self._chain = read_chain(network)
        self._places = [step.place for step in self._chain]
        self._plain = validity.is_forward_product(network)
        self.count = len(self._chain)
        """Columns of `steps`, as many as layers."""

    def measured(self, measured: Measured) -> Float64Array:
        """v_1, v_2, ... of every network, averaged over its inputs."""
        return np.stack([mean_over_inputs(measured.at(CARRIER, place)) for place in self._places], axis=1)

    def steps(self, measured: Measured, v: Float64Array) -> Float64Array:
        """v_1, then of each layer what its mean square keeps of v: without biases that of the next v."""
        if self._plain:
            return np.hstack([v[:, :1], _over(v[:, 1:], v[:, :-1])])
        kept = np.stack(
            [mean_over_inputs(_signal(measured, step)) for step in self._chain[:-1]] or [v[:, 0][:0]], axis=1
        )
        return np.hstack([v[:, :1], _over(kept, v[:, :-1])]) if len(self._chain) > 1 else v[:, :1]

    def part(self, means: LogMeans, first: int = 0) -> Composite:
        """Log E[v_l] of every layer, of a table whose columns from `first` on are the steps."""
        columns = range(first, first + self.count)
        if self._plain:
            return running(means, columns)
        return with_biases(
            means,
            columns[1:],
            start=float(means.moments.mean[first]),
            gains=[step.gain for step in self._chain[1:]],
            biases=[step.bias_variance for step in self._chain[1:]],
        )

    def signals(self, means: LogMeans) -> Composite:
        """Log E[mean a^2] of what enters each layer: of the input it is known, of later ones E[v] times what is kept."""
        v = self.part(means)
        gains = np.array([step.gain for step in self._chain])
        first = (float(means.moments.mean[0]) - self._chain[0].bias_variance) / gains[0]
        if self._plain:
            return v.less(np.log(gains))
        later = v.take(range(self.count - 1)) + single(means, range(1, self.count))
        start = known([first], len(means.estimate))
        return Composite(np.append(start.estimate, later.estimate), np.vstack([start.weights, later.weights]))


def _roots(network: Network, _quantity: str) -> Form:
    """A mean activation as E[sqrt(v_l)] times the mean of its ratio to sqrt(v_l), where v's steps see norms alone."""
    chain = read_chain(network)
    at = [i for i, step in enumerate(chain) if _place(step, "activation_mean") is not None]
    places = tuple(place for step in chain if (place := _place(step, "activation_mean")) is not None)

    def table(piece: Simulation) -> Float64Array:
        measured = Measured(piece)
        roots = np.stack([mean_over_inputs(np.sqrt(measured.at(CARRIER, step.place))) for step in chain], axis=1)
        values = np.stack([mean_over_inputs(measured.at("activation_mean", place)) for place in places], axis=1)
        return np.hstack([roots[:, :1], _over(roots[:, 1:], roots[:, :-1]), _over(values, roots[:, at])])

    def part(means: LogMeans) -> Composite:
        steps = len(chain)
        return running(means, range(steps)).take(at) + single(means, range(steps, steps + len(at)))

    tails = validity.heaviest_tail(network)
    return Form(network, places, table, part, validity.narrowest(network), strict=True, refused=tails.reason)


# ---- backward -----------------------------------------------------------------------------------------------------


def _last_gradients(network: Network, _quantity: str) -> Form:
    """A gradient's variance over units as the mean square of the layer above times the mean of its ratio to that."""
    places = tuple(step.place for step in read_chain(network))[::-1]
    depth = len(places)

    def table(piece: Simulation) -> Float64Array:
        measured = Measured(piece)
        squares = np.stack([mean_over_inputs(measured.at("gradient_second_moment", place)) for place in places], axis=1)
        variances = np.stack([mean_over_inputs(measured.at("gradient_variance", place)) for place in places], axis=1)
        steps = np.hstack([squares[:, :1], _over(squares[:, 1:-1], squares[:, :-2])])[:, : max(1, depth - 1)]
        return np.hstack([steps, variances[:, :1], _over(variances[:, 1:], squares[:, :-1])])

    def part(means: LogMeans) -> Composite:
        steps = max(1, depth - 1)
        above = running(means, range(steps))
        last = single(means, range(steps, steps + depth))
        estimate, weights = last.estimate.copy(), last.weights.copy()
        estimate[1:] += above.estimate[: depth - 1]
        weights[1:] += above.weights[: depth - 1]
        return Composite(estimate, weights)

    tails = validity.heaviest_tail(network)
    return Form(network, places, table, part, validity.narrowest(network), strict=True, refused=tails.reason)


def _weight_gradients(network: Network, _quantity: str) -> Form:
    """A weight's squared gradient as the signal below times the gradient above, independent given that the signal lives.

    Masks of later layers are fair coins whatever came before, but for networks that are dead by then, whose signal is 0: so
    the gradient's steps from the top are taken over the networks that live in the layer below.
    """
    chain = read_chain(network)
    carriers = _Carriers(network)
    depth = len(chain)
    places = tuple(step.place for step in chain)[::-1]
    can_die = not all(step.biases.continuous for step in chain) and any(
        not phi(np.array([side])).any()
        for phi in read_activations(network, "a mean over depth")
        for side in (1.0, -1.0)
    )

    def table(piece: Simulation) -> Float64Array:
        measured = Measured(piece)
        v = carriers.measured(measured)
        delta = np.stack([mean_over_inputs(measured.at("gradient_second_moment", place)) for place in places], axis=1)
        down = _over(delta[:, 1:], delta[:, :-1])
        first = down[:, :1]
        # The step below the readout, over the networks alive below layer depth - 1 - j: of all others it says nothing.
        alive = v[:, ::-1][:, 1:] > 0.0
        among = np.where(alive, first, np.nan) if can_die and depth > 1 else first
        return np.hstack([carriers.steps(measured, v), delta[:, :1], down[:, 1:], among])

    def part(means: LogMeans) -> Composite:
        return _both_ways(means, carriers, can_die=can_die)

    tails = validity.heaviest_tail(network)
    strict = not validity.is_forward_product(network)
    return Form(network, places, table, part, validity.narrowest(network), strict=strict, refused=tails.reason)


def _both_ways(means: LogMeans, carriers: _Carriers, *, can_die: bool) -> Composite:
    """Log E[mean a^2 below] + log E[mean delta^2 given a signal below], from the last layer to the first."""
    depth = carriers.count
    size = len(means.estimate)
    top, others, first = depth, range(depth + 1, depth + 1 + max(0, depth - 2)), depth + 1 + max(0, depth - 2)
    below = carriers.signals(means)
    estimates, rows = [], []
    for j in range(depth):  # layer depth - j
        weights = np.zeros(size)
        weights[top] = 1.0
        if j >= 1:
            weights[first + (j - 1 if can_die else 0)] += 1.0
        weights[list(others[: max(0, j - 1)])] += 1.0
        layer = depth - 1 - j
        # Columns that have no logarithm are another layer's matter.
        used = np.flatnonzero(weights)
        estimates.append(float(below.estimate[layer]) + float(weights[used] @ means.estimate[used]))
        rows.append(weights + below.weights[layer])
    return Composite(np.array(estimates), np.array(rows))


_MADE_OF: dict[str, Callable[[Network, str], Form]] = {
    "preactivation_second_moment": _last_steps,
    "activation_second_moment": _last_steps,
    "preactivation_variance": _last_steps,
    "activation_variance": _last_steps,
    "activation_mean": _roots,
    "gradient_variance": _last_gradients,
    "weight_gradient_second_moment": _weight_gradients,
}

# ---- small things -------------------------------------------------------------------------------------------------


def _place(step: Step, quantity: str) -> Place | None:
    """Where a layer has a forward quantity; None where no activation follows it and the quantity is one of those."""
    site = step.activation_site if quantity.startswith("activation") else step.site
    return None if site is None else site.place


def _signal(measured: Measured, step: Step) -> Float64Array:
    """Mean square of what a layer hands on: of its activation, or of z where there is none."""
    if step.activation_site is None:
        return measured.at("preactivation_second_moment", step.place)
    return measured.at("activation_second_moment", step.activation_site.place)


def mean_over_inputs(values: Float64Array) -> Float64Array:
    """A network's average over its inputs."""
    return np.asarray(values[:, 0] if values.shape[1] == 1 else values.mean(axis=1))


def _over(values: Float64Array, below: Float64Array) -> Float64Array:
    """Ratios, NaN where the network was dead before."""
    return np.divide(values, below, out=np.full_like(values, np.nan), where=below > 0.0)
