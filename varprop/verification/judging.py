"""What the gatherers of exact laws and joint statements share, beside `varprop.verification.findings`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from varprop._typing import Float64Array
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, Place
from varprop.model.simulation import Simulation
from varprop.stats.floors import Floor, Skewed
from varprop.theory import get_theory
from varprop.verification import validity
from varprop.verification.claims import Claim
from varprop.verification.findings import Chance, Evidence, Finding, about_all_layers
from varprop.verification.questions import Summed, Table
from varprop.verification.steps import step_ratios


def places_of(claim: Claim, simulation: Simulation) -> list[Place]:
    """Places of the claim's quantity that it is about.

    Raises
    ------
    ValueError
        If there is none, or the quantity was not recorded.
    """
    return _kept(claim, simulation.places(claim.quantity))[1]


def columns_of(claim: Claim, simulation: Simulation) -> Iterator[tuple[Place, Float64Array]]:
    """Values of the claim's quantity, one place at a time; of one input, or one row of inputs for each network.

    Raises
    ------
    ValueError
        If the claim is about no place, or the quantity was not recorded.
    """
    for place in places_of(claim, simulation):
        yield place, simulation.column(claim.quantity, place)


def require_one_input(simulation: Simulation, test: str) -> None:
    """Refuse several inputs, where the law is that of one.

    Raises
    ------
    UnsupportedError
        If there are several.
    """
    if len(simulation.inputs) > 1:
        msg = f"{test} is about one input, {len(simulation.inputs)} were sampled; sample again with one"
        raise UnsupportedError(msg)


def step_table(claim: Claim, piece: Simulation, theory: str, *, joint: bool = False) -> Table:
    """Step ratios of the layers that the claim is about, in a piece of the sample.

    Raises
    ------
    ValueError
        If there are none, or something that the steps start from was not recorded.
    """
    ratios, places = step_ratios(piece, get_theory(theory), claim.quantity)
    return in_layers(claim, Table(ratios, places, joint))


def step_floors(claim: Claim, simulation: Simulation, ratios: Summed) -> list[Floor]:
    """From where on the t test of each column of steps is believed.

    A step of pre-activations or gradients goes from one layer to another, the narrower of which counts. Of a model of which the
    modules alone are known, the sample's skewness has to tell.
    """
    network = simulation.network
    if not isinstance(network, Network):
        return [Skewed(skewness) for skewness in ratios.moments.skewness.tolist()]
    widths = {place[0]: fans[1] for place, _, fans in validity.dense_layers(network)}
    neighbour = {"gradient": 1, "preactivation": -1}.get(claim.quantity.split("_", maxsplit=1)[0], 0)
    tails = validity.heaviest_tail(network)
    return [
        validity.law_floor(tails, min(widths[layer], widths.get(layer + neighbour, widths[layer])))
        for layer, _ in ratios.places
    ]


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


def in_layers(claim: Claim, table: Table) -> Table:
    """Keep the columns of the layers that the claim is about.

    Raises
    ------
    ValueError
        If there are none.
    """
    keep, kept = _kept(claim, table.places)
    return replace(table, values=table.values[:, keep], places=tuple(kept))


def _kept(claim: Claim, places: Sequence[Place]) -> tuple[list[int], list[Place]]:
    keep = [i for i, place in enumerate(places) if claim.covers(place)]
    if not keep:
        layers = sorted({place[0] for place in places})
        msg = f"no layer of {claim.quantity} lies in layers {claim.layers}; it has {layers}"
        raise ValueError(msg)
    return keep, [places[i] for i in keep]
