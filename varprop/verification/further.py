"""Evidence for claims about steps taken together, an activation's map, the spread between networks, and equality."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from varprop.model.layers import UnsupportedError
from varprop.model.quantities import TRAINING_QUANTITIES
from varprop.model.simulation import Place, Simulation, site_place
from varprop.numerics.streams import named_generator
from varprop.stats import means
from varprop.stats.band import band
from varprop.stats.identity import Identity, identity
from varprop.stats.spread import spread
from varprop.theory import get_theory
from varprop.theory.predictions import said_of
from varprop.verification.chain import Link, links
from varprop.verification.claims import Claim
from varprop.verification.findings import Evidence, Finding, about_one, join_notes, judging
from varprop.verification.fourth_moments import pivot_variances
from varprop.verification.judging import columns_of, jointly, only_input, places_of, require_one_input, step_table
from varprop.verification.questions import Question, Summed, Table

NORMAL_ENOUGH = 128
"""Inputs to a layer from which on sums of them are taken for normal. Excess kurtosis k of the weights moves E[phi^2] by at
most some k m / (10 n), m = E[a^4] / E[a^2]^2 being 3 or so: by .3 % at n = 128 for uniform weights, a sixteenth of 5 %."""
ROUNDING = 1e-5
"""Departure from equality that the rounding of single precision may leave in a network of some hundred layers."""


def pooled_step_mean(claim: Claim, _simulation: Simulation) -> Question[Evidence]:
    """Ask for the geometric mean of all layers' steps."""

    def tables(piece: Simulation) -> tuple[Table, ...]:
        return (step_table(claim, piece, claim.theory or "", joint=True),)

    def conclude(summed: tuple[Summed, ...]) -> Evidence:
        (ratios,) = summed
        pooled = replace(means.pooled_step_mean(ratios.moments), test="pooled_step_mean")
        said = f"mean gain of {len(ratios.places)} steps, relative to the theory's"
        return about_one(_layers(ratios), Finding(None, pooled, 1.0), claim.log_margin, said)

    return Question(tables, conclude)


def joint_band(claim: Claim, simulation: Simulation) -> Question[Evidence]:
    """Ask for the steps of all layers, and the law of the largest of their errors."""
    seed = (simulation.seed, "band", claim.quantity, claim.theory or "", str(claim.layers))

    def tables(piece: Simulation) -> tuple[Table, ...]:
        return (step_table(claim, piece, claim.theory or "", joint=True),)

    def conclude(summed: tuple[Summed, ...]) -> Evidence:
        (ratios,) = summed
        found = band(ratios.moments, rng=named_generator(*seed))
        alone = jointly(_layers(ratios), claim.log_margin, "intervals by layer hold in all layers at once")
        headline = replace(alone.headline, outcome=replace(alone.headline.outcome, test="band", pvalue=found.pvalue))
        together = [Finding(place, layer, 1.0) for place, layer in zip(ratios.places, found.layers, strict=True)]
        p_refute = found.p_refute(claim.log_margin)
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
        return jointly(_layers(ratios), claim.log_margin, "mean of phi^2, relative to that of normal pre-activations")

    return Question(tables, conclude)


def spread_of_pivots(claim: Claim, simulation: Simulation) -> Evidence:
    """Hold the pivots' variance between networks, layer by layer, against the weights' fourth moment.

    Raises
    ------
    UnsupportedError
        If weights or biases are not known to be independent and symmetric, or there are several inputs.
    """
    require_one_input(simulation, "spread")
    expected = pivot_variances(simulation)
    findings = []
    for place, column in columns_of(claim, simulation):
        with judging():
            found = spread(only_input(column), expected=expected[place])
        findings.append(Finding(place, found, expected[place]))
    return jointly(findings, claim.log_margin, "variance between networks")


def equality(claim: Claim, simulation: Simulation) -> Evidence:
    """Judge exact equality: of the units of a layer by their variance, of networks by any other quantity.

    Numbers of trained networks, which are float64 throughout, are compared without a tolerance as variances are.

    Raises
    ------
    ValueError
        If the theory says nothing of the quantity.
    """
    alike = claim.quantity.endswith("_variance")
    stated = 0.0 if alike else claim.equals
    rounding = 0.0 if alike or claim.quantity in TRAINING_QUANTITIES else ROUNDING
    expected = _expected(claim, simulation)
    found: list[tuple[Place, Identity]] = []
    ranges: dict[Place, tuple[float, float]] = {}
    missing = 0
    for place, column in columns_of(claim, simulation):
        table = column.reshape(len(column), -1)
        present = table[~np.isnan(table).any(axis=1)]
        missing = max(missing, len(table) - len(present))
        should = None if expected is None else np.full(table.shape[1], expected[place])
        with judging():
            found.append((place, identity(present, expected=should, rounding=rounding)))
        ranges[place] = float(present.min()), float(present.max())
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
    p_support = float(not worst.holds)
    layers = tuple(_equal(where, one, stated, ranges[where]) for where, one in found)
    headline = _equal(place, worst, stated, ranges[place])
    return Evidence(layers, headline, p_support, 1.0 - p_support, lambda _alpha, _m: None, join_notes(said, left_out))


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
        msg = f"theory {claim.theory!r} says nothing of {claim.quantity} at layer {silent[0][0]}"
        raise ValueError(msg)
    return said


def _layers(ratios: Summed) -> list[Finding]:
    """Every layer's steps on their own."""
    outcomes = means.step_mean_layers(ratios.moments)
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
