"""What each test takes of a sample, and what it says for and against a claim."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.simulation import Place, Samples, Simulation
from varprop.stats import effects, equivalence, growth, means, zero_mean
from varprop.stats.influence import check_measured, column_problem
from varprop.stats.outcome import Outcome
from varprop.stats.positive import bennett_mean
from varprop.stats.profiles import Profile
from varprop.theory import get_theory
from varprop.theory.predictions import said_of
from varprop.verification import exact, further, initialisers, levels, validity
from varprop.verification.chain import Measured
from varprop.verification.claims import Claim
from varprop.verification.depth import CARRIER, Form, form_of, is_product
from varprop.verification.findings import (
    Evidence,
    Finding,
    Placed,
    UndecidableError,
    about_all_layers,
    about_one,
    beyond,
    join_notes,
    judging,
)
from varprop.verification.judging import filled, in_layers, step_floors, step_table
from varprop.verification.own import ALONE, is_own, kept_findings, with_level
from varprop.verification.questions import Ends, Question, Summed, Table, ask
from varprop.verification.standing import plain_means, plain_rate, surely


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
    checked = [_checked(one, claim, called) for one, claim in zip(given, claims, strict=True)]
    declared = validity.declared_symmetric(simulation.network)
    return [replace(one, note=join_notes(one.note, declared)) if isinstance(one, Evidence) else one for one in checked]


def _checked(found: Evidence | ValueError | TypeError, claim: Claim, called: str) -> Evidence | UndecidableError:
    """Raise what is about the question and not about the data, with the claim's name."""
    if isinstance(found, Evidence | UndecidableError):
        return found
    if len(found.args) != 1:
        raise found  # with more to it than a message: samples that cannot be read
    msg = f"claim {quoted(claim.id)} on {quoted(called)}: {found}"
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
    # What a test uses where it is there, and does without where it is not, is not needed.
    for names in ((claim.quantity,), [name for name in where if name != CARRIER]):
        read = _read(claim, network, inputs, {name: where[name] for name in names if name in where})
        if read is not None:
            return read
    return _read(claim, network, inputs, where) or frozenset(where)


def _read(
    claim: Claim, network: Network, inputs: Float64Array, where: Mapping[str, Sequence[Place]]
) -> frozenset[str] | None:
    """What a test reads of a sample of ones that has these quantities; None if they are not enough for it."""
    if not where:
        return None
    axes = (len(inputs),) if len(inputs) > 1 else ()
    samples = _Noting(
        (name, Samples(np.ones((2, len(places), *(() if ALL_QUANTITIES[name].joint else axes))), tuple(places)))
        for name, places in where.items()
    )
    ones = Simulation(network=network, inputs=inputs, samples=samples, per_input=len(inputs) > 1)
    # What a test may say of numbers that nobody measured is of no interest.
    with contextlib.suppress(ArithmeticError):
        try:
            gather([claim], ones, called=network.label)
        except (ValueError, TypeError):
            return None
    return frozenset(samples.read)


class _Noting(dict[str, Samples]):
    """Samples that remember which of them were asked for."""

    def __init__(self, samples: Iterable[tuple[str, Samples]]) -> None:
        super().__init__(samples)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Samples:
        self.read.add(name)
        return super().__getitem__(name)


def _step_mean(claim: Claim, simulation: Simulation) -> Question[Evidence]:
    variances = _bennett_variances(claim, simulation)

    def tables(piece: Simulation) -> tuple[Table, ...]:
        table = step_table(claim, piece, claim.theory or "")
        return (replace(table, ends=Ends(0.0)) if variances else table,)

    def conclude(summed: tuple[Summed, ...]) -> Evidence:
        (ratios,) = summed
        outcomes = means.step_mean_layers(ratios.moments, floors=step_floors(claim, simulation, ratios))
        findings = [
            Finding(place, _proved_or(outcome, ratios, column, variances.get(place)), 1.0)
            for column, (place, outcome) in enumerate(zip(ratios.places, outcomes, strict=True))
        ]
        return about_all_layers(findings, claim.half_width, "gain of one step, relative to the theory's")

    return Question(tables, conclude)


def _bennett_variances(claim: Claim, simulation: Simulation) -> dict[Place, float]:
    """Bounds on the variance of pivots whose laws allow no t test, or only one of many networks; empty of all others."""
    network = simulation.network
    if claim.quantity != "pivot" or not isinstance(network, Network):
        return {}
    tails = validity.heaviest_tail(network)
    if not (tails.networks or tails.reason):
        return {}
    with contextlib.suppress(UnsupportedError, ValueError):
        return {place: validity.pivot_excess(network, place) for place, _, _ in validity.dense_layers(network)}
    return {}


def _proved_or(outcome: Outcome, ratios: Summed, column: int, variance: float | None) -> Outcome:
    """A mean judged without a t test where that refuses even a level of 5 %, and the variance has a bound."""
    if variance is None or not outcome.floor.reason(0.05, outcome.n):
        return outcome
    return bennett_mean("step_mean", ratios.moments.take(column), ratios.bets.take(column), variance=variance)


def cumulative_findings(claim: Claim, simulation: Simulation) -> Question[list[Placed]]:
    """Ask how the mean over networks compares with a theory's prediction, at every place where the theory has one.

    Of a user's own measurements that what is "preserved" is what was measured first.

    Raises
    ------
    ValueError
        If the theory says nothing of the quantity.
    """
    theory, quantity = claim.theory or "", claim.quantity
    said = _said(simulation, theory, quantity)
    own = is_own(simulation)
    if own and get_theory(theory).constant:
        return kept_findings(simulation, quantity, tuple(said))
    positive = {place: predicted for place, predicted in said.items() if predicted > 0.0}
    nothing = UndecidableError(f"{theory} predicts 0, to which there is no ratio; test exact equality (identity)")

    def placed(found: list[Placed]) -> list[Placed]:
        judged = dict(with_level(found, quantity, claim.half_width) if own else found)
        return [(place, judged.get(place, nothing)) for place in said]

    return _judged_means(simulation, quantity, positive).then(placed)


def _judged_means(simulation: Simulation, quantity: str, said: Mapping[Place, float]) -> Question[list[Placed]]:
    """Ask by the form that the network's laws allow."""
    if not said:
        return Question(lambda _piece: (), lambda _summed: [])
    if is_product(simulation.architecture, quantity):
        return _by_products(simulation, quantity, said)
    form = form_of(simulation, quantity)
    if form is not None:
        return _by_form(form, said)

    def placed(found: list[tuple[Place, Outcome | UndecidableError]]) -> list[Placed]:
        return [(place, _found(place, one, said)) for place, one in found]

    return plain_means("cumulative_mean", simulation, quantity, said).then(placed)


def _found(
    place: Place, outcome: Outcome | UndecidableError, said: Mapping[Place, float]
) -> Finding | UndecidableError:
    return outcome if isinstance(outcome, UndecidableError) else Finding(place, outcome, said[place])


def _by_products(simulation: Simulation, quantity: str, said: Mapping[Place, float]) -> Question[list[Placed]]:
    """Ask for the ratios of neighbouring layers, whose means multiply."""
    network = simulation.architecture
    certain = validity.without_spread(network, quantity)
    width = validity.narrowest(network)

    def tables(piece: Simulation) -> tuple[Table, ...]:
        table, places = Measured(piece).table(quantity)
        keep = [i for i, place in enumerate(places) if place in said]
        kept = tuple(places[i] for i in keep)
        missing = np.isnan(table[:, keep])
        with judging():
            ratios = means.cumulative_ratios(filled(table[:, keep]), [said[place] for place in kept], product=True)
        return Table(ratios, kept, joint=True), Table(missing.astype(np.float64), kept)

    def conclude(summed: tuple[Summed, ...]) -> list[Placed]:
        ratios, missing = summed
        tails = validity.heaviest_tail(network)
        floors = [validity.law_floor(tails, width, step + 1) for step in range(len(ratios.places))]
        outcomes = means.cumulative_outcomes(ratios.moments, floors=floors)
        absent = next((i for i, high in enumerate(missing.moments.high.tolist()) if high > 0.0), len(ratios.places))
        found: list[Placed] = []
        for i, place in enumerate(ratios.places):
            if i >= absent:
                why = (
                    f"values are missing at layer {ratios.places[absent][0]}: leave out networks that were not measured"
                )
                found.append((place, UndecidableError(why)))
            elif i >= len(outcomes):
                found.append((place, UndecidableError(column_problem(ratios.moments, len(outcomes)))))
            else:
                outcome = outcomes[i]
                if place in certain and outcome.se == 0.0:
                    outcome = surely(outcome)
                found.append((place, Finding(place, outcome, said[place])))
        return found

    return Question(tables, conclude)


def _by_form(form: Form, said: Mapping[Place, float]) -> Question[list[Placed]]:
    """Ask for the steps that a quantity's means are put together from."""
    kept = [i for i, place in enumerate(form.places) if place in said]

    def conclude(summed: tuple[Summed, ...]) -> list[Placed]:
        (steps,) = summed
        profile = form.profile(steps, [said.get(place, 1.0) for place in form.places])
        return [(form.places[i], _at_place(profile, form.places[i], i, said)) for i in kept]

    return Question(form.tables, conclude)


def _at_place(profile: Profile, place: Place, i: int, said: Mapping[Place, float]) -> Finding | UndecidableError:
    try:
        with judging():
            return Finding(place, profile.outcome("cumulative_mean", i), said[place])
    except UndecidableError as error:
        return error


def _said(simulation: Simulation, theory: str, quantity: str) -> dict[Place, float]:
    """What a theory predicts, at the places that were measured, in the order in which the signal travels."""
    said = {
        (p.layer, p.module): p.predicted
        for p in said_of(simulation.architecture, get_theory(theory), simulation.inputs)
        if p.quantity == quantity
    }
    kept = {place: said[place] for place in Measured(simulation).places(quantity) if place in said}
    if not kept:
        msg = f"theory {quoted(theory)} says nothing of {quantity} in {simulation.network.label}"
        raise ValueError(msg)
    return kept


def _cumulative_mean(claim: Claim, simulation: Simulation) -> Question[Evidence]:
    places = list(_said(simulation, claim.theory or "", claim.quantity))
    if is_own(simulation) and get_theory(claim.theory or "").constant and not any(map(claim.covers, places[1:])):
        msg = f"{ALONE}: {claim.quantity} has none beside layer {places[0][0]} in layers {claim.layers or 'measured'}"
        raise ValueError(msg)
    if not any(map(claim.covers, places)):
        msg = f"no layer of {claim.quantity} lies in layers {claim.layers}"
        raise ValueError(msg)

    def judged(every: list[Placed]) -> Evidence:
        covered = [found for place, found in every if claim.covers(place)]
        end = covered[-1]
        if isinstance(end, UndecidableError):
            raise end
        findings = [found for found in covered if isinstance(found, Finding)]
        said = f"over the whole depth, to layer {end.place[0]}" if end.place is not None else ""
        return about_one(findings, end, claim.half_width, said)

    asked = cumulative_findings(claim, simulation).then(judged)
    if not is_product(simulation.architecture, claim.quantity):
        return asked

    def tables(piece: Simulation) -> tuple[Table, ...]:
        # The claim is about the last layer alone, so no later network mends what is missing on the way there.
        table, places = Measured(piece).table(claim.quantity)
        last = max(i for i, place in enumerate(places) if claim.covers(place))
        with judging():
            check_measured(table[:, : last + 1])
        return asked.tables(piece)

    return Question(tables, asked.conclude)


Rates = tuple[growth.GrowthRate, list[Finding]]
"""Both growth rates, and every step's mean gain on its own."""


def _rates(claim: Claim, simulation: Simulation, expected: float) -> Question[Rates]:
    """Ask for both growth rates, and every step's mean gain on its own."""
    network = simulation.architecture
    places = tuple(place for place in Measured(simulation).places(claim.quantity) if claim.covers(place))
    if len(places) < 2:
        msg = f"a growth rate needs two layers or more, {claim.quantity} has {len(places)} in layers {claim.layers}"
        raise ValueError(msg)
    if is_product(network, claim.quantity):
        return _rates_of_products(claim, network, expected)
    form = form_of(simulation, claim.quantity)
    if form is not None:
        return _rates_of_form(claim, form, expected)
    ends = places[0], places[-1]
    asked = plain_rate("growth_rate_mean", simulation, claim.quantity, ends, steps=len(places) - 1, expected=expected)

    def tables(piece: Simulation) -> tuple[Table, ...]:
        return (_typical(claim, piece), _steps(claim, piece, product=False), *asked.tables(piece))

    def conclude(summed: tuple[Summed, ...]) -> Rates:
        logs, columns, *others = summed
        gains = growth.step_outcomes(columns.moments, expected=expected, product=False)
        return _both(asked.conclude(tuple(others)), logs, gains, columns.places, expected=expected, network=network)

    return Question(tables, conclude)


def _rates_of_products(claim: Claim, network: Network, expected: float) -> Question[Rates]:
    def tables(piece: Simulation) -> tuple[Table, ...]:
        return _typical(claim, piece), _steps(claim, piece, product=True)

    def conclude(summed: tuple[Summed, ...]) -> Rates:
        logs, columns = summed
        tails = validity.heaviest_tail(network)
        floor = validity.law_floor(tails, validity.narrowest(network), len(columns.moments.low))
        mean = growth.product_rate(columns.moments, expected=expected, floor=floor)
        gains = growth.step_outcomes(columns.moments, expected=expected, product=True)
        return _both(mean, logs, gains, columns.places, expected=expected, network=network)

    return Question(tables, conclude)


def _rates_of_form(claim: Claim, form: Form, expected: float) -> Question[Rates]:
    covered = [i for i, place in enumerate(form.places) if claim.covers(place)]
    places = tuple(form.places[i] for i in covered)

    def tables(piece: Simulation) -> tuple[Table, ...]:
        return (_typical(claim, piece), *form.tables(piece))

    def conclude(summed: tuple[Summed, ...]) -> Rates:
        logs, columns = summed
        profile = form.profile(columns)
        steps = len(covered) - 1
        mean = profile.rate("growth_rate_mean", covered[0], covered[-1], steps=steps, expected=expected)
        gains = [
            profile.rate("growth_rate_mean", i, j, steps=1, expected=expected) for i, j in itertools.pairwise(covered)
        ]
        return _both(mean, logs, gains, places, expected=expected, network=form.network)

    return Question(tables, conclude)


def _typical(claim: Claim, piece: Simulation) -> Table:
    """Growth of each network of its own."""
    kept = in_layers(claim, Table(*Measured(piece).table(claim.quantity)))
    with judging():
        return Table(growth.growth_columns(kept.values, product=False)[1], ())


def _steps(claim: Claim, piece: Simulation, *, product: bool) -> Table:
    """The layers' values, or the ratios of neighbours."""
    kept = in_layers(claim, Table(*Measured(piece).table(claim.quantity)))
    with judging():
        return Table(growth.growth_columns(kept.values, product=product)[0], kept.places, joint=True)


def _both(
    mean: Outcome, logs: Summed, gains: Sequence[Outcome], places: Sequence[Place], *, expected: float, network: Network
) -> Rates:
    typical = growth.typical_outcome(logs.moments, expected=expected, width=validity.narrowest(network))
    rate = growth.GrowthRate(mean_network=mean, typical_network=typical, expected=expected)
    return rate, [Finding(p, gain, math.exp(expected)) for p, gain in zip(places[1:], gains, strict=True)]


def _growth_rate(claim: Claim, simulation: Simulation) -> Question[Evidence]:
    said = _said(simulation, claim.theory or "", claim.quantity)
    predicted = [value for place, value in said.items() if claim.covers(place)]
    if len(predicted) < 2:
        msg = f"a growth rate needs two layers or more, {claim.quantity} has {len(predicted)} in layers {claim.layers}"
        raise ValueError(msg)
    if not min(predicted) > 0.0:
        msg = f"a growth rate needs predictions above 0, theory {quoted(claim.theory)} has {min(predicted):g}; claim an identity"
        raise ValueError(msg)
    expected = math.log(predicted[-1] / predicted[0]) / (len(predicted) - 1)

    def judged(rates: Rates) -> Evidence:
        rate, steps = rates
        headline = Finding(None, rate.mean_network, math.exp(expected))
        return about_one(steps, headline, claim.half_width, _both_rates(rate))

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

    def judged(rates: Rates) -> Evidence:
        rate, steps = rates
        outcome = replace(rate.mean_network if claim.test == "directional" else rate.typical_network, test=claim.test)
        p_support, p_refute = equivalence.directional(outcome, 0.0, direction=direction)
        headline = Finding(None, outcome, math.exp(threshold))
        note = join_notes(f"claimed {direction} {math.exp(threshold):.4g} a layer", _both_rates(rate), outcome.note)
        return Evidence(tuple(steps), headline, p_support, p_refute, beyond(outcome, direction), note)

    # Estimated against the threshold, so that the ratio in the table is gain over threshold.
    return _rates(claim, simulation, threshold).then(judged)


def _zero_mean(claim: Claim, _simulation: Simulation) -> Question[Evidence]:
    def tables(piece: Simulation) -> tuple[Table, ...]:
        measured = Measured(piece)
        first = in_layers(claim, Table(*measured.table("activation_mean")))
        second = in_layers(claim, Table(*measured.table("activation_second_moment")))
        with judging():
            standardised = zero_mean.standardised_means(first.values, second.values)
        return (Table(standardised, first.places, ends=Ends(-1.0, 1.0)),)

    def conclude(summed: tuple[Summed, ...]) -> Evidence:
        (standardised,) = summed
        outcomes = zero_mean.zero_mean_layers(standardised.moments, standardised.bets)
        findings = [
            Finding(place, outcome, 0.0, scale="difference")
            for place, outcome in zip(standardised.places, outcomes, strict=True)
        ]
        return about_all_layers(findings, claim.half_width, "mean over root mean square")

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
