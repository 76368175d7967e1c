"""Columns of a sample that tests judge: the places of a claim, steps relative to a theory, and verdicts over layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from varprop._typing import Float64Array
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_steps
from varprop.model.simulation import Simulation
from varprop.model.sites import ModuleNetwork, Place
from varprop.numerics.moments import mean_of_present
from varprop.stats import equivalence
from varprop.stats.floors import Floor, FloorLaw, Skewed
from varprop.theory import Theory, get_theory
from varprop.theory.steps import expected_steps
from varprop.verification import validity
from varprop.verification.claims import Claim
from varprop.verification.modules import module_steps
from varprop.verification.questions import (
    Chance,
    Evidence,
    Finding,
    Measured,
    SampleTable,
    Summed,
    about_all_layers,
    beyond,
    join_notes,
)


def places_of(claim: Claim, simulation: Simulation) -> list[Place]:
    """Places of the claim's quantity that it is about."""
    return _kept(claim, simulation.places(claim.quantity))[1]


def columns_of(claim: Claim, simulation: Simulation) -> Iterator[tuple[Place, Float64Array]]:
    """Values of the claim's quantity, one place at a time; of one input, or one row of inputs for each network."""
    for place in places_of(claim, simulation):
        yield place, simulation.column(claim.quantity, place)


def require_one_input(simulation: Simulation, test: str) -> None:
    """Refuse several inputs, where the law is that of one."""
    if len(simulation.inputs) > 1:
        msg = f"{test} is about one input, {len(simulation.inputs)} were sampled; sample again with one"
        raise UnsupportedError(msg)


def step_table(claim: Claim, piece: Simulation, theory: str, *, joint: bool = False) -> SampleTable:
    """Step ratios of the layers that the claim is about, in a piece of the sample."""
    ratios, places = step_ratios(piece, get_theory(theory), claim.quantity)
    return in_layers(claim, SampleTable(ratios, places, joint))


def step_floors(claim: Claim, simulation: Simulation, ratios: Summed) -> list[Floor]:
    """From where on the t test of each column of steps is believed.

    A step of pre-activations or gradients goes from one layer to another, the narrower of which counts. Of a model of which the
    modules alone are known, and where layers hold others, through which no steps were measured, the sample's skewness has to tell.
    """
    network = simulation.network
    if not isinstance(network, Network) or not (network.is_chain or claim.quantity == "pivot"):
        return [Skewed(skewness) for skewness in ratios.moments.skewness.tolist()]
    steps = read_steps(network, "steps")
    widths = {step.number: step.units for step in steps}
    fed = [(source.number, step.number) for step in steps for source in step.sources]
    ends = {"gradient": fed, "preactivation": [(above, below) for below, above in fed]}
    neighbour = dict(ends.get(claim.quantity.split("_", maxsplit=1)[0], ()))
    tails = validity.heaviest_tail(network)
    return [
        validity.law_floor(tails, min(widths[layer], widths[neighbour.get(layer, layer)]), law=_law_of(claim, layer))
        for layer, _ in ratios.places
    ]


def _law_of(claim: Claim, layer: int) -> FloorLaw:
    """What a step of the claim's quantity is: of pre-activations a product, but in the first layer, whose input is given."""
    return "step" if claim.quantity.startswith("preactivation_") and layer > 1 else "square"


def jointly(findings: Sequence[Finding], delta: float, note: str = "", *, chance: Chance | None = None) -> Evidence:
    """Judge a claim that every layer has to meet, and the point null that every layer is exactly right.

    The headline's p-value is that of the point null: the number of layers times the smallest, at most 1.
    """
    evidence = about_all_layers(findings, delta, note)
    pvalue = min(1.0, len(findings) * min(finding.outcome.pvalue for finding in findings))
    headline = replace(evidence.headline, outcome=replace(evidence.headline.outcome, pvalue=pvalue))
    return replace(evidence, headline=headline, chance=chance or evidence.chance)


def only_input(column: Float64Array) -> Float64Array:
    """One number per network, of a sample of one input."""
    return np.asarray(column if column.ndim == 1 else column[:, 0])


def filled(table: Float64Array) -> Float64Array:
    """Values with each missing one replaced by the layer's before in its network.

    What follows it is judged of no network, so that any number may stand for it that does not bring a dead one back to life.
    """
    filled = np.where(np.isnan(table[:, :1]), 1.0, table[:, :1])
    for column in table[:, 1:].T:
        filled = np.column_stack([filled, np.where(np.isnan(column), filled[:, -1], column)])
    return filled


def in_layers(claim: Claim, table: SampleTable) -> SampleTable:
    """Keep the columns of the layers that the claim is about."""
    keep, kept = _kept(claim, table.places)
    return replace(table, values=table.values[:, keep], places=tuple(kept))


def _kept(claim: Claim, places: Sequence[Place]) -> tuple[list[int], list[Place]]:
    keep = [i for i, place in enumerate(places) if claim.covers(place)]
    if not keep:
        layers = sorted({place[0] for place in places})
        msg = f"no layer of {claim.quantity} lies in layers {claim.layers}; it has {layers}"
        raise ValueError(msg)
    return keep, [places[i] for i in keep]


def beyond_bound(claim: Claim, findings: Sequence[Finding]) -> Evidence:
    """Judge a claim that every layer has to meet; the headline is the layer that decides."""
    sides = [equivalence.directional(finding.outcome, 0.0, direction=claim.direction) for finding in findings]
    p_support, p_refute = equivalence.combine_layers(*map(list, zip(*sides, strict=True)))
    decisive = findings[_nearest(claim, findings)]
    chance = beyond(decisive.outcome, claim.direction, layers=len(findings))
    pvalue = min(1.0, len(findings) * min(finding.outcome.pvalue for finding in findings))
    headline = replace(decisive, outcome=replace(decisive.outcome, pvalue=pvalue))
    said = f"decided by layer {decisive.place[0]}" if decisive.place is not None and len(findings) > 1 else ""
    note = join_notes(f"claimed {claim.direction} {claim.bound:.4g}", said, decisive.outcome.note)
    return Evidence(tuple(findings), headline, p_support, p_refute, chance, note)


def _nearest(claim: Claim, findings: Sequence[Finding]) -> int:
    """Position of the layer that lies farthest on the wrong side of the bound, or nearest to it on the right one."""
    sign = 1.0 if claim.direction == "below" else -1.0

    def excess(i: int) -> float:
        outcome = findings[i].outcome
        return sign * outcome.statistic

    return max(range(len(findings)), key=lambda i: (excess(i), sign * findings[i].outcome.theta))


def step_ratios(simulation: Simulation, theory: Theory, quantity: str) -> tuple[Float64Array, tuple[Place, ...]]:
    r"""Ratios that have mean 1 in every layer if the theory describes a single step rightly.

    Notes
    -----
    A step starts from what this network has in the layer before, never from an average over networks
    (`varprop.theory.steps.expected_steps`). With
    :math:`v_l = \sigma_w^2 |a_{l-1}|^2 + \sigma_b^2`, the theory's :math:`F(q)` in place of :math:`E\phi^2` and
    :math:`D(q)` in place of :math:`E\phi'^2`, expected are: :math:`n_{l-1} \sigma_w^2 F(v_{l-1}) + \sigma_b^2` for a
    pre-activation's mean square, :math:`F(v_l)` for an activation's, and
    :math:`n_{l+1} \sigma_w^2 D(v_l)\, \overline{\delta_{l+1}^2}` for a gradient's. Where no activation follows z,
    :math:`F(v) = v` and :math:`D = 1`.
    """
    if isinstance(simulation.network, ModuleNetwork):
        return module_steps(simulation, theory, quantity)
    measured = Measured(simulation)
    measured.require_separate_inputs()
    ratios, places = [], []
    network, inputs = simulation.architecture, simulation.inputs
    for site, expected in expected_steps(network, theory, quantity, measured.at, inputs=inputs):
        value = measured.at(quantity, site.place)
        ratio = np.divide(value, expected, out=np.full(value.shape, np.nan), where=expected > 0)
        ratios.append(mean_of_present(ratio))
        places.append(site.place)
    if not ratios:
        msg = f"{simulation.network.label} has no step of {quantity}; it needs more layers"
        raise ValueError(msg)
    return np.stack(ratios, axis=1), tuple(places)
