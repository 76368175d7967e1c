"""What each test takes of a sample, and what it says for and against a claim."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from varprop._typing import Float64Array
from varprop.model.network import Network
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.simulation import Place, Samples, Simulation
from varprop.stats import effects, equivalence, growth, means, power, zero_mean
from varprop.theory import get_theory
from varprop.theory.predictions import said_of
from varprop.verification import exact, further, initialisers, levels
from varprop.verification.chain import Measured, is_product
from varprop.verification.claims import Claim
from varprop.verification.findings import (
    Evidence,
    Finding,
    UndecidableError,
    about_all_layers,
    about_one,
    join_notes,
    judging,
)
from varprop.verification.judging import in_layers, step_table
from varprop.verification.questions import Question, Summed, Table, ask


def gather(claims: Sequence[Claim], simulation: Simulation, *, called: str) -> list[Evidence | UndecidableError]:
    """Test claims on one sample, which is read once for all of them (and again by a test that wants it whole).

    Parameters
    ----------
    claims : sequence of Claim
        Any number.
    simulation : Simulation
        In memory or on disk.
    called : str
        What errors are to call the sample.

    Returns
    -------
    list of Evidence or UndecidableError
        One per claim; the latter where the values themselves admit no test.

    Raises
    ------
    ValueError
        If the sample lacks what a test needs, or a test is not valid on it; the message names the claim.
    UnsupportedError
        If a theory does not cover the network.
    """
    found: list[Evidence | Question[Evidence] | ValueError | TypeError] = []
    for claim in claims:
        try:
            found.append(GATHER[claim.test](claim, simulation))
        except (ValueError, TypeError) as error:
            found.append(error)
    asked: list[Question[Evidence]] = [one for one in found if isinstance(one, Question)]
    answers = ask(asked, simulation)
    each = iter(answers)
    given = [next(each) if isinstance(one, Question) else one for one in found]
    return [_checked(one, claim, called) for one, claim in zip(given, claims, strict=True)]


def _checked(found: Evidence | ValueError | TypeError, claim: Claim, called: str) -> Evidence | UndecidableError:
    """Raise what is about the question and not about the data, with the claim's name."""
    if isinstance(found, Evidence | UndecidableError):
        return found
    if len(found.args) != 1:
        raise found  # with more to it than a message: samples that cannot be read
    msg = f"claim {claim.id!r} on {called!r}: {found}"
    raise type(found)(msg) from found


def needed_quantities(
    claim: Claim, network: Network, inputs: Float64Array, where: Mapping[str, Sequence[Place]]
) -> frozenset[str]:
    """Find out before anything is sampled which quantities a claim's test needs.

    The test itself is asked, by letting it read from a sample of two networks in which every number is 1.

    Parameters
    ----------
    claim : Claim
        What is to be tested.
    network : Network
        What it is about.
    inputs : ndarray, shape (inputs, input_size)
        Kept apart where there are several.
    where : mapping of str to sequence of (int, str)
        Places of every quantity that can be recorded.

    Returns
    -------
    frozenset of str
        Their names.
    """
    if claim.quantity not in ALL_QUANTITIES:
        return frozenset()  # weights are drawn for their test alone
    axes = (len(inputs),) if len(inputs) > 1 else ()
    samples = _Noting(
        (name, Samples(np.ones((2, len(places), *(() if ALL_QUANTITIES[name].joint else axes))), tuple(places)))
        for name, places in where.items()
    )
    ones = Simulation(network=network, inputs=inputs, samples=samples, per_input=len(inputs) > 1)
    # What a test may say of numbers that nobody measured is of no interest.
    with contextlib.suppress(ValueError, TypeError, ArithmeticError):
        gather([claim], ones, called=network.label)
    return frozenset(samples.read)


class _Noting(dict[str, Samples]):
    """Samples that remember which of them were asked for."""

    def __init__(self, samples: Iterable[tuple[str, Samples]]) -> None:
        super().__init__(samples)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Samples:
        self.read.add(name)
        return super().__getitem__(name)


def _step_mean(claim: Claim, _simulation: Simulation) -> Question[Evidence]:
    def tables(piece: Simulation) -> tuple[Table, ...]:
        return (step_table(claim, piece, claim.theory or ""),)

    def conclude(summed: tuple[Summed, ...]) -> Evidence:
        (ratios,) = summed
        outcomes = means.step_mean_layers(ratios.moments)
        findings = [Finding(place, outcome, 1.0) for place, outcome in zip(ratios.places, outcomes, strict=True)]
        return about_all_layers(findings, claim.log_margin, "gain of one step, relative to the theory's")

    return Question(tables, conclude)


def cumulative_findings(simulation: Simulation, theory: str, quantity: str) -> Question[list[Finding]]:
    """Ask how the mean over networks compares with a theory's prediction, at every place where the theory has one.

    Raises
    ------
    ValueError
        If the theory says nothing of the quantity.
    """
    said = _said(simulation, theory, quantity)
    product = is_product(simulation.architecture, quantity)

    def tables(piece: Simulation) -> tuple[Table, ...]:
        table, places = Measured(piece).table(quantity)
        keep = [i for i, place in enumerate(places) if place in said]
        kept = tuple(places[i] for i in keep)
        with judging():
            ratios = means.cumulative_ratios(table[:, keep], [said[place] for place in kept], product=product)
        return (Table(ratios, kept, joint=product),)

    def conclude(summed: tuple[Summed, ...]) -> list[Finding]:
        (ratios,) = summed
        outcomes = means.cumulative_outcomes(ratios.moments, product=product)
        return [Finding(p, outcome, said[p]) for p, outcome in zip(ratios.places, outcomes, strict=True)]

    return Question(tables, conclude)


def _said(simulation: Simulation, theory: str, quantity: str) -> dict[Place, float]:
    """What a theory predicts, at the places that were measured, in the order in which the signal travels."""
    said = {
        (p.layer, p.module): p.predicted
        for p in said_of(simulation.architecture, get_theory(theory), simulation.inputs)
        if p.quantity == quantity
    }
    kept = {place: said[place] for place in Measured(simulation).places(quantity) if place in said}
    if not kept:
        msg = f"theory {theory!r} says nothing of {quantity} in {simulation.network.label}"
        raise ValueError(msg)
    return kept


def _cumulative_mean(claim: Claim, simulation: Simulation) -> Question[Evidence]:
    if not any(claim.covers(place) for place in _said(simulation, claim.theory or "", claim.quantity)):
        msg = f"no layer of {claim.quantity} lies in layers {claim.layers}"
        raise ValueError(msg)

    def judged(every: list[Finding]) -> Evidence:
        findings = [f for f in every if f.place is None or claim.covers(f.place)]
        end = findings[-1]
        said = f"over the whole depth, to layer {end.place[0]}" if end.place is not None else ""
        return about_one(findings, end, claim.log_margin, said)

    return cumulative_findings(simulation, claim.theory or "", claim.quantity).then(judged)


def _rates(claim: Claim, simulation: Simulation, expected: float) -> Question[tuple[growth.GrowthRate, list[Finding]]]:
    """Ask for both growth rates, and every step's mean gain on its own."""
    product = is_product(simulation.architecture, claim.quantity)

    def tables(piece: Simulation) -> tuple[Table, ...]:
        kept = in_layers(claim, Table(*Measured(piece).table(claim.quantity)))
        with judging():
            columns, logs = growth.growth_columns(kept.values, product=product)
        return Table(columns, kept.places, joint=True), Table(logs, ())

    def conclude(summed: tuple[Summed, ...]) -> tuple[growth.GrowthRate, list[Finding]]:
        columns, logs = summed
        rate = growth.growth_outcomes(columns.moments, logs.moments, expected=expected, product=product)
        gains = growth.step_outcomes(columns.moments, expected=expected, product=product)
        return rate, [Finding(p, gain, math.exp(expected)) for p, gain in zip(columns.places[1:], gains, strict=True)]

    return Question(tables, conclude)


def _growth_rate(claim: Claim, simulation: Simulation) -> Question[Evidence]:
    said = _said(simulation, claim.theory or "", claim.quantity)
    predicted = [value for place, value in said.items() if claim.covers(place)]
    if len(predicted) < 2:
        msg = f"a growth rate needs two layers or more, {claim.quantity} has {len(predicted)} in layers {claim.layers}"
        raise ValueError(msg)
    expected = math.log(predicted[-1] / predicted[0]) / (len(predicted) - 1)

    def judged(rates: tuple[growth.GrowthRate, list[Finding]]) -> Evidence:
        rate, steps = rates
        headline = Finding(None, rate.mean_network, math.exp(expected))
        return about_one(steps, headline, claim.log_margin, _both_rates(rate))

    return _rates(claim, simulation, expected).then(judged)


def _both_rates(rate: growth.GrowthRate) -> str:
    """Say the typical network's rate beside the mean network's, which the verdict is about."""
    typical = math.exp(rate.typical_network.theta + rate.expected)
    low, high = (math.exp(end + rate.expected) for end in rate.typical_network.interval(0.95))
    note = f"gain per layer of the mean network; of a typical one {typical:.4g} ({low:.4g} to {high:.4g})"
    sizes = effects.effect_sizes(rate.mean_network, expected=rate.expected)
    return join_notes(note, f"mean network: {sizes}", rate.typical_network.note)


def _directional(claim: Claim, simulation: Simulation) -> Question[Evidence]:
    direction, threshold = claim.direction, math.log(claim.bound)

    def judged(rates: tuple[growth.GrowthRate, list[Finding]]) -> Evidence:
        rate, steps = rates
        outcome = replace(rate.mean_network if claim.test == "directional" else rate.typical_network, test=claim.test)
        p_support, p_refute = equivalence.directional(outcome, 0.0, direction=direction)

        def required(alpha: float, m: int) -> int | None:
            return power.networks_to_decide_direction(outcome, 0.0, direction=direction, alpha=alpha, m=m)

        headline = Finding(None, outcome, math.exp(threshold))
        note = join_notes(f"claimed {direction} {math.exp(threshold):.4g} a layer", _both_rates(rate), outcome.note)
        return Evidence(tuple(steps), headline, p_support, p_refute, required, note)

    # Estimated against the threshold, so that the ratio in the table is gain over threshold.
    return _rates(claim, simulation, threshold).then(judged)


def _zero_mean(claim: Claim, _simulation: Simulation) -> Question[Evidence]:
    def tables(piece: Simulation) -> tuple[Table, ...]:
        measured = Measured(piece)
        first = in_layers(claim, Table(*measured.table("activation_mean")))
        second = in_layers(claim, Table(*measured.table("activation_second_moment")))
        with judging():
            return (Table(zero_mean.standardised_means(first.values, second.values), first.places),)

    def conclude(summed: tuple[Summed, ...]) -> Evidence:
        (standardised,) = summed
        outcomes = zero_mean.zero_mean_layers(standardised.moments)
        findings = [
            Finding(place, outcome, 0.0, scale="difference")
            for place, outcome in zip(standardised.places, outcomes, strict=True)
        ]
        return about_all_layers(findings, claim.margin, "mean over root mean square")

    return Question(tables, conclude)


GATHER: dict[str, Callable[[Claim, Simulation], Evidence | Question[Evidence]]] = {
    "step_mean": _step_mean,
    "cumulative_mean": _cumulative_mean,
    "growth_rate": _growth_rate,
    "directional": _directional,
    "typical_directional": _directional,
    "level": levels.level_of_layers,
    "zero_mean": _zero_mean,
    "pooled_step_mean": further.pooled_step_mean,
    "band": further.joint_band,
    "activation_map": further.activation_map,
    "spread": further.spread_of_pivots,
    "identity": further.equality,
    "pivot_law": exact.pivot_law,
    "exact_law": exact.exact_law,
    "log_mean": exact.log_mean,
    "dead_rate": exact.dead_rate,
    "weights_law": initialisers.initial_weights,
}
"""By the name of the test: its evidence, or the question whose answer that is, which takes a sample piece by piece."""
