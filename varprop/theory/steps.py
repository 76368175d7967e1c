"""One step of a theory: what it expects of a layer, given what this network was measured to have in the layer before.

There is no recursion here. A measured state takes the place of a predicted one, and goes through the same rules as that.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.model.activations import Activation
from varprop.model.layers import Dense, UnsupportedError
from varprop.model.network import Network, Place, Site, read_dense, read_sites, site_place
from varprop.theory.finite_width.steps import measured_steps
from varprop.theory.moments_read import ACTIVATION, PREACTIVATION
from varprop.theory.rules import THEORIES, Theory
from varprop.theory.state import State, advance, check_centred

MeasuredAt = Callable[[str, Place], Float64Array]
"""What a quantity was measured to be at a place, shape (networks, inputs)."""
Step = tuple[Site, Float64Array]
"""Where a step ends, and what the theory expects there of each network and input, shape (networks, inputs)."""


Rule = Callable[[Site, State], State]
"""From a site and the state before it to the state after it, as a theory has it."""


def expected_steps(
    network: Network, theory: Theory, quantity: str, measured: MeasuredAt, *, inputs: Float64Array
) -> Iterator[Step]:
    r"""Yield what a theory expects of a quantity at every place that a step leads to, in the order of the signal.

    Notes
    -----
    A step to z or to a starts from the last conditional variance before it,
    :math:`v_l = \sigma_w^2 |a_{l-1}|^2 + \sigma_b^2`, in the place of the second moment of z that the theory would predict
    there; in the textbook wording, from the measured variance of what comes right before it. A step of the gradient starts
    from the gradient in the layer above and from :math:`v_l`; finite width's own, under two half lines, from the gradient
    alone (`varprop.theory.finite_width.steps`). "Preserved" expects what the layer before has. A pivot is a ratio already, of
    which 1 is expected.
    """
    check_centred(network)
    if quantity == "pivot":
        return _pivots(network, measured)
    rule = measured_steps(network, theory, inputs) if theory.finite else _Advancing(theory)
    if quantity == "gradient_second_moment":
        return _backward(network, theory, rule, measured)
    if theory.constant:
        return _kept(network, quantity, measured)
    return _forward(network, theory, quantity, rule, measured)


@dataclass(frozen=True, slots=True)
class _Advancing:
    """The rule of theories that take a measured state as they take a predicted one."""

    theory: Theory

    def __call__(self, site: Site, state: State) -> State:
        return advance(site.noun, state, site, self.theory)


def _pivots(network: Network, measured: MeasuredAt) -> Iterator[Step]:
    for site, _ in read_dense(network, "theory"):
        yield site, np.ones_like(measured("pivot", site_place(site)))


def _forward(network: Network, theory: Theory, quantity: str, rule: Rule, measured: MeasuredAt) -> Iterator[Step]:
    sites = read_sites(network, "theory")
    kind, say = (Activation, ACTIVATION[quantity]) if quantity in ACTIVATION else (Dense, PREACTIVATION[quantity])
    for end, site in enumerate(sites):
        start = _start(sites, end, theory)
        if start is None or not isinstance(site.noun, kind):
            continue
        state = _measured_state(sites[start], theory, measured)
        for passed in sites[start + 1 : end + 1]:
            state = rule(passed, state)
        said = say(site, state, theory)
        if said is None:
            raise UnsupportedError(_silence(theory, quantity))
        yield site, said


def _start(sites: tuple[Site, ...], end: int, theory: Theory) -> int | None:
    """Where a step begins; None if nothing random was measured before it."""
    before = range(end - 1, -1, -1)
    if theory.carries == "variance":
        return next((i for i in before[:1] if sites[i].layer), None)
    return next((i for i in before if isinstance(sites[i].noun, Dense)), None)


def _measured_state(site: Site, theory: Theory, measured: MeasuredAt) -> State:
    """The state after a site, with what was measured there in the place of what the theory carries on."""
    follows = isinstance(site.noun, Activation)
    if theory.carries == "variance":
        found = measured("activation_variance" if follows else "preactivation_variance", site_place(site))
    else:
        found = measured("conditional_variance", site_place(site))
    return State(found, found, activations=int(follows))


def _kept(network: Network, quantity: str, measured: MeasuredAt) -> Iterator[Step]:
    """What the layer before has: of z the conditional variance, which varies less; of a what it hands on."""
    sites = read_sites(network, "theory")
    for end, site in enumerate(sites):
        dense = [i for i in range(end + 1) if isinstance(sites[i].noun, Dense)]
        if len(dense) < 2:
            continue
        if isinstance(site.noun, Dense) and quantity in PREACTIVATION:
            yield site, measured("conditional_variance", site_place(sites[dense[-2]]))
        elif isinstance(site.noun, Activation) and quantity in ACTIVATION:
            before = sites[dense[-1] - 1]
            bare = isinstance(before.noun, Dense)
            name = quantity.replace("activation", "preactivation") if bare else quantity
            yield site, measured(name, site_place(before))


def _backward(network: Network, theory: Theory, rule: Rule, measured: MeasuredAt) -> Iterator[Step]:
    sites = read_sites(network, "theory")
    dense = [i for i, site in enumerate(sites) if isinstance(site.noun, Dense)]
    for end, start in reversed(list(itertools.pairwise(dense))):
        above = measured("gradient_second_moment", site_place(sites[start]))
        yield sites[end], above if theory.constant else _factor(sites[end : start + 1], theory, rule, measured) * above


def _factor(sites: tuple[Site, ...], theory: Theory, rule: Rule, measured: MeasuredAt) -> Float64Array:
    """What the gradient's mean square is multiplied with, going back from the last of these sites to the first."""
    if theory.backward is None:
        raise UnsupportedError(_silence(theory, "gradient_second_moment"))
    state = _measured_state(sites[0], theory, measured)
    factors = []
    for passed in sites[1:]:
        state = rule(passed, state)
        if state.backward is None:
            msg = f"theory {quoted(theory.name)} has no gradients below {passed.noun.label}, which jumps: phi' has no second moment"
            raise UnsupportedError(msg)
        factors.append(state.backward)
    factor = factors.pop()()
    while factors:
        factor = factor * factors.pop()()
    return factor


def _silence(theory: Theory, quantity: str) -> str:
    """Say that a theory says nothing of a quantity, and which do."""
    if theory.carries == "variance" and not quantity.startswith("gradient"):
        return f"theory {quoted(theory.name)} speaks of variances; test activation_variance, or another theory"
    others = ", ".join(repr(name) for name, other in THEORIES.items() if other.speaks_of(quantity))
    return f"theory {quoted(theory.name)} says nothing of {quantity}; use one of {others}"
