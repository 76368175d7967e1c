"""Tests of equality: of a layer's units, or of networks, for a reason or in a share of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.model.quantities import TRAINING_QUANTITIES
from varprop.model.simulation import Simulation
from varprop.model.sites import Place
from varprop.stats.chances import chance_of_share
from varprop.stats.identity import Identity as Agreement
from varprop.stats.identity import agreeing, holding_share, identity, largest_group
from varprop.theory import get_theory
from varprop.theory.predictions import said_of
from varprop.verification.claims import Claim, Test, register
from varprop.verification.columns import columns_of, places_of
from varprop.verification.questions import ROUNDING, Evidence, Finding, join_notes, judging
from varprop.verification.reasons import check_reason

_UNITS_ALIKE = ("preactivation_variance", "activation_variance", "gradient_variance", "loss_gradient_variance")
_NETWORKS_ALIKE = ("preactivation_second_moment", "activation_second_moment", "gradient_second_moment", "pivot")
_TRAINED = tuple(name for name in TRAINING_QUANTITIES if name not in _UNITS_ALIKE)


@register
class IdentityTest(Test):
    """Exact equality: of the units of a layer by their variance, of networks by any other quantity."""

    name = "identity"
    meaning = (
        "exactly: all units of a layer are alike (variances), or all networks are, or equal a stated value (other quantities), "
        "for a reason that holds whatever is drawn, or in a stated share of all networks"
    )
    quantities = (*_UNITS_ALIKE, *_TRAINED, *_NETWORKS_ALIKE)
    theory = "optional"
    point_null = True
    equality = True
    held_against_zero = _UNITS_ALIKE
    whole = True
    any_number = "exact: any number of networks decides"  # if it is by algebra, or about all networks

    def theory_problem(self, _theory: str, quantity: Any) -> str:
        """Say why a theory does not go with an exact claim about a quantity; empty if it does."""
        if quantity in _UNITS_ALIKE:
            return f"is not needed: with test 'identity' {quantity} is held against 0; leave it out"
        if quantity in _TRAINED:
            return f"does not go with {quantity}: theories speak of networks at their start; write equals = 1 or leave it out"
        return ""

    def ask(self, claim: Claim, simulation: Simulation) -> Evidence:
        """Judge exact equality: of the units of a layer by their variance, of networks by any other quantity.

        Numbers of trained networks, which are float64 throughout, are compared without a tolerance as variances are.
        """
        if claim.reason is not None:
            layers = sorted({place[0] for place in places_of(claim, simulation)})
            check_reason(claim.reason, claim.quantity, layers, simulation.architecture)
        alike = claim.quantity.endswith("_variance")
        stated = 0.0 if alike else claim.equals
        rounding = 0.0 if alike or claim.quantity in TRAINING_QUANTITIES else ROUNDING
        expected = _expected(claim, simulation)
        found: list[tuple[Place, Agreement]] = []
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


def _equal(place: Place, found: Agreement, stated: float | None, values: tuple[float, float]) -> Finding:
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
