"""Evidence for claims about steps taken together, an activation's map, the spread between networks, and equality."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.model.layers import UnsupportedError
from varprop.model.quantities import TRAINING_QUANTITIES
from varprop.model.simulation import Place, Simulation, site_place
from varprop.numerics.streams import named_generator
from varprop.stats import means
from varprop.stats.band import FEWEST_UNITS, band
from varprop.stats.chances import chance_of_share
from varprop.stats.floors import Floor, Refused, Units, pooled_floor
from varprop.stats.identity import Identity, agreeing, holding_share, identity, largest_group
from varprop.stats.spread import spread
from varprop.theory import get_theory
from varprop.theory.predictions import said_of
from varprop.verification.chain import Link, links
from varprop.verification.claims import Claim
from varprop.verification.findings import ROUNDING, Evidence, Finding, about_one, join_notes, judging
from varprop.verification.fourth_moments import pivot_nulls
from varprop.verification.judging import (
    columns_of,
    jointly,
    only_input,
    places_of,
    require_one_input,
    step_floors,
    step_table,
)
from varprop.verification.questions import Question, Summed, Table
from varprop.verification.reasons import check_reason

NORMAL_ENOUGH = 128
"""Inputs to a layer from which on sums of them are taken for normal. Excess kurtosis k of the weights moves E[phi^2] by at
most some k m / (10 n), m = E[a^4] / E[a^2]^2 being 3 or so: by .3 % at n = 128 for uniform weights, a sixteenth of 5 %."""


def pooled_step_mean(claim: Claim, simulation: Simulation) -> Question[Evidence]:
    """Ask for the geometric mean of all layers' steps."""

    def tables(piece: Simulation) -> tuple[Table, ...]:
        return (step_table(claim, piece, claim.theory or "", joint=True),)

    def conclude(summed: tuple[Summed, ...]) -> Evidence:
        (ratios,) = summed
        floor = pooled_floor(step_floors(claim, simulation, ratios))
        pooled = replace(means.pooled_step_mean(ratios.moments, floor=floor), test="pooled_step_mean")
        said = f"mean gain of {len(ratios.places)} steps, relative to the theory's"
        return about_one(_layers(claim, simulation, ratios), Finding(None, pooled, 1.0), claim.half_width, said)

    return Question(tables, conclude)


def joint_band(claim: Claim, simulation: Simulation) -> Question[Evidence]:
    """Ask for the steps of all layers, and the law of the largest of their errors."""
    seed = (simulation.seed, "band", claim.quantity, claim.theory or "", str(claim.layers))

    def tables(piece: Simulation) -> tuple[Table, ...]:
        return (step_table(claim, piece, claim.theory or "", joint=True),)

    def conclude(summed: tuple[Summed, ...]) -> Evidence:
        (ratios,) = summed
        floors = [_for_bands(floor) for floor in step_floors(claim, simulation, ratios)]
        found = band(ratios.moments, rng=named_generator(*seed), floors=floors)
        alone = jointly(
            _layers(claim, simulation, ratios), claim.half_width, "intervals by layer hold in all layers at once"
        )
        headline = replace(alone.headline, outcome=replace(alone.headline.outcome, test="band", pvalue=found.pvalue))
        together = [Finding(place, layer, 1.0) for place, layer in zip(ratios.places, found.layers, strict=True)]
        p_refute = found.p_refute(claim.half_width)
        return replace(alone, layers=tuple(together), headline=headline, p_refute=p_refute)

    return Question(tables, conclude)


def activation_map(claim: Claim, simulation: Simulation) -> Question[Evidence]:
    """Ask how every activation's mean square compares with that of normal pre-activations.

    Raises
    ------
    UnsupportedError
        If pre-activations are not normal enough: other weights or biases than Gaussian ones, few inputs to the layer, and
        an activation that is more than two slopes.
    """
    for link in links(simulation.architecture):
        _require_normal(claim, link)

    def tables(piece: Simulation) -> tuple[Table, ...]:
        return (step_table(claim, piece, "mean-field"),)

    def conclude(summed: tuple[Summed, ...]) -> Evidence:
        (ratios,) = summed
        layers = _layers(claim, simulation, ratios)
        return jointly(layers, claim.half_width, "mean of phi^2, relative to that of normal pre-activations")

    return Question(tables, conclude)


def spread_of_pivots(claim: Claim, simulation: Simulation) -> Evidence:
    """Hold the pivots' variance between networks, layer by layer, against the weights' fourth moment.

    Raises
    ------
    UnsupportedError
        If there are several inputs.
    UndecidableError
        If the pivots' kurtosis is not known, or no level was measured for a layer.
    """
    require_one_input(simulation, "spread")
    nulls = pivot_nulls(simulation, places_of(claim, simulation))
    findings = []
    for place, column in columns_of(claim, simulation):
        null = nulls[place]
        with judging():
            found = spread(only_input(column), expected=null.variance, excess=null.excess, doubt=null.doubt)
        findings.append(Finding(place, found, null.variance))
    return jointly(findings, claim.half_width, "variance between networks")


def equality(claim: Claim, simulation: Simulation) -> Evidence:
    """Judge exact equality: of the units of a layer by their variance, of networks by any other quantity.

    Numbers of trained networks, which are float64 throughout, are compared without a tolerance as variances are.

    Raises
    ------
    UnsupportedError
        If the network does not have what the claim's reason needs.
    ValueError
        If the theory says nothing of the quantity.
    """
    if claim.reason is not None:
        layers = sorted({place[0] for place in places_of(claim, simulation)})
        check_reason(claim.reason, claim.quantity, layers, simulation.architecture)
    alike = claim.quantity.endswith("_variance")
    stated = 0.0 if alike else claim.equals
    rounding = 0.0 if alike or claim.quantity in TRAINING_QUANTITIES else ROUNDING
    expected = _expected(claim, simulation)
    found: list[tuple[Place, Identity]] = []
    ranges: dict[Place, tuple[float, float]] = {}
    networks = _Networks(simulation.n_networks)
    missing = 0
    for place, column in columns_of(claim, simulation):
        table = column.reshape(len(column), -1)
        measured = np.asarray(~np.isnan(table).any(axis=1))
        present = table[measured]
        missing = max(missing, len(table) - len(present))
        should = None if expected is None else np.full(table.shape[1], expected[place])
        with judging():
            found.append((place, identity(present, expected=should, rounding=rounding)))
        ranges[place] = float(present.min()), float(present.max())
        if claim.counts:
            networks.add(table, measured, should, rounding)
    place, worst = max(found, key=lambda one: (one[1].theta, one[1].spread))
    low, high = ranges[place]
    if alike and worst.holds:
        said = "all units of a layer are equal"
    elif alike:
        said = f"variance over units of up to {worst.spread:.3g} in layer {place[0]}"
    elif claim.equals is not None:
        there = f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"
        said = f"layer {place[0]}: {there} in {worst.n:,} networks, and {claim.equals:.6g} is claimed"
    else:
        said = f"layer {place[0]}: {worst.distinct_rows:,} different values in {worst.n:,} networks, bit by bit"
    left_out = f"{missing} of {simulation.n_networks} networks have no value and are left out" if missing else ""
    note = join_notes(said, left_out)
    layers_found = tuple(_equal(where, one, stated, ranges[where]) for where, one in found)
    if claim.counts:
        with judging():
            return networks.evidence(claim, place, layers_found, note)
    headline = _equal(place, worst, stated, ranges[place])
    if claim.reason is None and worst.holds:
        note = join_notes(note, "no number of networks shows that all are so: name a reason, or claim a share")
    return Evidence(
        layers=layers_found,
        headline=headline,
        p_support=float(claim.reason is None or not worst.holds),
        p_refute=float(worst.holds),
        chance=None,
        note=note,
        counts=False,
    )


class _Networks:
    """In which networks a claim holds, layer by layer."""

    def __init__(self, networks: int) -> None:
        self._measured = np.ones(networks, dtype=bool)
        self._as_stated = np.ones(networks, dtype=bool)
        self._compared_with = np.zeros(networks, dtype=bool)
        self._alike: int | None = None

    def add(
        self, table: Float64Array, measured: NDArray[np.bool_], should: Float64Array | None, rounding: float
    ) -> None:
        """Take one layer. Where nothing is stated the first network says what the others are to be."""
        self._measured &= measured
        first = int(np.argmax(measured))
        self._as_stated &= agreeing(table, table[first] if should is None else should, rounding=rounding)
        if should is None:
            self._compared_with[first] = True
            group = min(largest_group(column[measured], rounding=rounding) for column in table.T)
            self._alike = group if self._alike is None else min(group, self._alike)

    def evidence(self, claim: Claim, place: Place, layers: tuple[Finding, ...], note: str) -> Evidence:
        """Judge the claim that it holds in a share of all networks.

        Where no value is stated, support compares with the first network, which is then no evidence itself; and against the claim
        count those that differ whatever the common value is, in the layer where they are the most.
        """
        networks, holding = int(self._measured.sum()), int((self._measured & self._as_stated).sum())
        shown = against = holding_share(holding, networks, share=claim.least_share)
        if self._alike is not None:
            others = self._measured & ~self._compared_with
            shown = holding_share(int((others & self._as_stated).sum()), int(others.sum()), share=claim.least_share)
            against = holding_share(min(self._alike, networks), networks, share=claim.least_share)
        said = (
            f"claimed: holds in at least {100 * claim.least_share:.6g} % of networks; it does not in "
            f"{against.n - against.count:,} of {against.n:,}"
        )
        return Evidence(
            layers=layers,
            headline=Finding(place, against, claim.least_share, scale="difference"),
            p_support=shown.p_above(0.0),
            p_refute=against.p_below(0.0),
            chance=lambda networks, level: chance_of_share(against, networks, level=level),
            note=join_notes(said, note),
        )


def _equal(place: Place, found: Identity, stated: float | None, values: tuple[float, float]) -> Finding:
    """What is told of one place: the value farthest from the claimed one, or how far networks lie apart."""
    if stated is None:
        return Finding(place, found, 0.0, scale="difference")
    farthest = max(values, key=lambda value: abs(value - stated))
    departure = 0.0 if found.holds else farthest - stated
    return Finding(place, replace(found, theta=departure), stated, scale="difference")


def _expected(claim: Claim, simulation: Simulation) -> dict[Place, float] | None:
    """What every network should have: 0 for a variance over units, what is stated or predicted, or nothing in particular."""
    places = places_of(claim, simulation)
    if claim.quantity.endswith("_variance"):
        return dict.fromkeys(places, 0.0)
    if claim.equals is not None:
        return dict.fromkeys(places, claim.equals)
    if claim.theory is None:
        return None
    said = {
        (p.layer, p.module): p.predicted
        for p in said_of(simulation.architecture, get_theory(claim.theory), simulation.inputs)
        if p.quantity == claim.quantity
    }
    silent = [place for place in places if place not in said]
    if silent:
        msg = f"theory {quoted(claim.theory)} says nothing of {claim.quantity} at layer {silent[0][0]}"
        raise ValueError(msg)
    return said


def _for_bands(floor: Floor) -> Floor:
    """A floor that also refuses layers too narrow for a band."""
    narrow = isinstance(floor, Units) and floor.width < FEWEST_UNITS
    return Refused(f"a band takes layers of {FEWEST_UNITS} units and more") if narrow else floor


def _layers(claim: Claim, simulation: Simulation, ratios: Summed) -> list[Finding]:
    """Every layer's steps on their own."""
    outcomes = means.step_mean_layers(ratios.moments, floors=step_floors(claim, simulation, ratios))
    return [Finding(place, outcome, 1.0) for place, outcome in zip(ratios.places, outcomes, strict=True)]


def _require_normal(claim: Claim, link: Link) -> None:
    """Refuse a layer whose pre-activations are not normal enough for the claim."""
    site = link.activation_site
    if site is None or not claim.covers(site_place(site)) or link.activation.homogeneous:
        return
    weights, biases = link.noun.weights, link.noun.biases
    plain = biases.name == "zeros" or biases.gaussian
    if plain and (weights.gaussian or (weights.symmetric and link.site.fans[0] >= NORMAL_ENOUGH)):
        return
    msg = (
        f"activation_map takes Gaussian weights (or {NORMAL_ENOUGH} inputs and more) and zero or Gaussian biases, unless the "
        f"activation is two slopes: layer {site.layer} has {link.activation.label} after {weights.label}, "
        f"{biases.label} and {link.site.fans[0]} inputs"
    )
    raise UnsupportedError(msg)
