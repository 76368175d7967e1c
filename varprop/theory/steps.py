"""One step of a theory: what it expects of a layer, given what this network was measured to have in the layer before.

There is no recursion here. A measured state takes the place of a predicted one, and goes through the same rules as that.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.model.activations import Activation
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_sites, read_steps
from varprop.model.quantities import QUANTITIES
from varprop.model.sites import Place, Site
from varprop.theory.finite_width.backward import MeasuredSteps, measured_steps
from varprop.theory.rules import THEORIES, Theory
from varprop.theory.state import GradientState, State, Walk, check_centred, pairs_of, supported

Say = Callable[[Site, State, Theory], "Float64Array | None"]
"""From a place, the state after it and the theory to an expectation, in the state's shape; None where nothing is said."""

PREACTIVATION: dict[str, Say] = {
    "preactivation_mean": lambda _site, s, _t: np.zeros_like(s.q),
    "preactivation_variance": lambda _site, s, _t: s.q,
    "preactivation_second_moment": lambda _site, s, _t: s.q,
    "conditional_variance": lambda _site, s, _t: s.q,
    "pivot": lambda _site, s, _t: np.ones_like(s.q) if (s.q > 0).all() else None,
}
"""Read after a layer with weights."""


def _activation_mean(site: Site, state: State, theory: Theory) -> Float64Array | None:
    return None if theory.mean is None else theory.mean(site.layer, state.q)  # type: ignore[arg-type]


def _activation_variance(site: Site, state: State, theory: Theory) -> Float64Array | None:
    if theory.carries == "variance":
        return state.carried
    return None if theory.variance is None else theory.variance(site.layer, state.q)  # type: ignore[arg-type]


def _derivative_second_moment(site: Site, state: State, theory: Theory) -> Float64Array | None:
    if theory.backward is None or theory.constant or not isinstance(site.layer, Activation) or site.layer.jumps:
        return None
    return theory.backward(site.layer, state.q)


def _cosine(_site: Site, state: State, _theory: Theory) -> Float64Array | None:
    if state.shared is None or not (state.carried > 0).all():
        return None
    first, second = pairs_of(len(state.carried))
    norm = np.sqrt(state.carried[first]) * np.sqrt(state.carried[second])
    return np.asarray(state.shared / norm, dtype=np.float64)


ACTIVATION: dict[str, Say] = {
    "activation_mean": _activation_mean,
    "activation_variance": _activation_variance,
    "activation_second_moment": lambda _site, s, t: s.carried if t.carries == "second_moment" else None,
    "derivative_second_moment": _derivative_second_moment,
    "cosine": _cosine,
}
"""Read after an activation."""

NEVER_EXACT = {"activation_mean", "activation_variance", "derivative_second_moment", "cosine"}
"""The first three are known at this width only where the law of z is, which is the first layer; a cosine's mean is not
the cosine of means. Said to be exact nowhere."""


MeasuredAt = Callable[[str, Place], Float64Array]
"""What a quantity was measured to be at a place, shape (networks, inputs)."""
Expected = tuple[Site, Float64Array]
"""Where a step ends, and what the theory expects there of each network and input, shape (networks, inputs)."""


def expected_steps(
    network: Network, theory: Theory, quantity: str, measured: MeasuredAt, *, inputs: Float64Array
) -> Iterator[Expected]:
    r"""Yield what a theory expects of a quantity at every place that a step leads to, in the order of the signal.

    Notes
    -----
    A step to z or to a starts from the last conditional variance before it,
    :math:`v_l = \sigma_w^2 |a_{l-1}|^2 + \sigma_b^2`, in the place of the second moment of z that the theory would predict
    there; in the textbook wording, from the measured variance of what comes right before it. A step of the gradient starts
    from the gradient in the layer above and from :math:`v_l`; finite width's own, under two half lines, from the gradient
    alone (`varprop.theory.finite_width.backward`). "Preserved" expects what the layer before has. A pivot is a ratio already, of
    which 1 is expected.
    """
    check_centred(network)
    if quantity == "pivot":
        return _pivots(network, measured)
    back = quantity == "gradient_second_moment"
    if theory.constant:  # what several layers feed has no one before it
        read_sites(network, f"a step of theory {quoted(theory.name)}")
        if not back:
            return _kept(network, quantity, measured)
    if back and theory.backward is None:
        raise UnsupportedError(_silence(theory, quantity))
    own = measured_steps(network, inputs) if theory.finite else None
    stepping = (_Backward if back else _Forward)(network, theory, quantity, measured, own)
    way = stepping.over(network, _start(inputs))
    if back:
        way(GradientState(np.full(1, np.nan)))  # what the readout sends back is measured nowhere
        stepping.found.sort(key=lambda step: -step[0].number)
    return iter(stepping.found)


def _start(inputs: Float64Array) -> State:
    square = np.mean(np.square(inputs), axis=tuple(range(1, inputs.ndim)))
    return State(square, square)


def _pivots(network: Network, measured: MeasuredAt) -> Iterator[Expected]:
    for step in read_steps(network, "theory", supported()):
        yield step.site, np.ones_like(measured("pivot", step.place))


def _kept(network: Network, quantity: str, measured: MeasuredAt) -> Iterator[Expected]:
    """What the layer before has: of z the conditional variance, which varies less; of a what it hands on."""
    for before, step in itertools.pairwise(network.steps):
        if quantity in PREACTIVATION:
            yield step.site, measured("conditional_variance", before.place)
            continue
        last = before.after[-1] if before.after else before.site
        name = quantity if before.after else quantity.replace("activation", "preactivation")
        for site in step.after:
            yield site, measured(name, last.place)


class _Stepping(Walk):
    """A walk on which what was measured at a place takes over from what the theory says there."""

    def __init__(
        self, network: Network, theory: Theory, quantity: str, measured: MeasuredAt, own: MeasuredSteps | None
    ) -> None:
        super().__init__(theory)
        self._own = own
        self.quantity, self.place, self.measured = quantity, QUANTITIES[quantity].place, measured
        self.found: list[Expected] = []
        # What nothing starts from is not read.
        self._starts = {source.module for step in network.steps for source in step.sources}
        if theory.carries == "variance":
            self._starts -= {step.site.module for step in network.steps if step.after}

    def after(self, site: Site, state: State) -> State:
        """The state after one layer, as finite width has it if that is the theory."""
        after = super().after(site, state)
        return after if self._own is None else self._own(site, after)

    def measured_state(self, site: Site, state: State) -> State:
        """The state with the last conditional variance in the place of q; in the textbook wording, whatever variance there is."""
        preactivation = "preactivation" in site.layer.records
        textbook = self.theory.carries == "variance"
        if preactivation and (self.place == "activation" or site.module in self._starts):
            name = "preactivation_variance" if textbook else "conditional_variance"
        elif textbook and "activation" in site.layer.records:
            name = "activation_variance"
        else:
            return state
        found = self.measured(name, site.place)
        return replace(state, carried=found, q=found)


class _Forward(_Stepping):
    """Steps of what is measured on the way there."""

    returns = False

    def seen(self, site: Site, before: State, state: State) -> State:
        """Take what the theory expects here, if anything random was measured before."""
        if before.passed and self.place in site.layer.records:
            said = (ACTIVATION if self.place == "activation" else PREACTIVATION)[self.quantity](
                site, state, self.theory
            )
            if said is None:
                raise UnsupportedError(_silence(self.theory, self.quantity))
            self.found.append((site, said))
        return self.measured_state(site, state) if state.passed else state


class _Backward(_Stepping):
    """Steps of gradients."""

    def seen(self, site: Site, _before: State, state: State) -> State:
        """Start from what was measured, wherever the slope depends on it."""
        return self.measured_state(site, state) if state.passed and not self.theory.constant else state

    def seen_back(self, site: Site, below: State, gradient: GradientState) -> GradientState:
        """Take what the theory expects here, if any gradient was measured above."""
        if not np.isnan(gradient.square).all():
            self.found.append((site, gradient.square))
        return GradientState(self.measured(self.quantity, site.place)) if below.passed else gradient

    def blocked(self, layer: Activation, _gradient: GradientState) -> GradientState:
        """Refuse."""
        msg = f"theory {quoted(self.theory.name)} has no gradients below {layer.label}, which jumps: phi' has no second moment"
        raise UnsupportedError(msg)


def _silence(theory: Theory, quantity: str) -> str:
    """Say that a theory says nothing of a quantity, and which do."""
    if theory.carries == "variance" and not quantity.startswith("gradient"):
        return f"theory {quoted(theory.name)} speaks of variances; test activation_variance, or another theory"
    others = ", ".join(repr(name) for name, other in THEORIES.items() if other.speaks_of(quantity))
    return f"theory {quoted(theory.name)} says nothing of {quantity}; use one of {others}"
