"""Tests over the whole depth: the mean over networks, layer by layer, and its growth per layer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from varprop._arguments import quoted
from varprop.model.network import Network
from varprop.model.simulation import Simulation
from varprop.model.sites import Place
from varprop.stats import growth, means
from varprop.stats.influence import MOST_JOINT, check_measured, column_problem
from varprop.stats.outcome import Outcome
from varprop.stats.profiles import Profile
from varprop.theory import get_theory
from varprop.theory.predictions import said_of
from varprop.verification import validity
from varprop.verification.as_they_stand import ALONE, is_own, kept_findings, plain_means, plain_rate, surely, with_level
from varprop.verification.claims import Claim, Null, Test, register
from varprop.verification.columns import filled, in_layers
from varprop.verification.forms import Form, form_of, is_product
from varprop.verification.questions import (
    Evidence,
    Finding,
    Measured,
    Placed,
    Question,
    SampleTable,
    Summed,
    UndecidableError,
    about_one,
    join_notes,
    judging,
)

QUANTITIES = (
    "preactivation_variance",
    "preactivation_second_moment",
    "activation_variance",
    "activation_second_moment",
    "gradient_variance",
    "gradient_second_moment",
    "weight_gradient_second_moment",
)
_Z = "preactivation_second_moment"
SINGLE_LOOK = "intervals in this note are for a single look"
"""Of a note with the typical network's rate, which is no claim and has a plain interval."""


@register
class CumulativeMeanTest(Test):
    """The mean over networks in the last layer of the claim."""

    name = "cumulative_mean"
    meaning = "over the whole depth, the mean over networks is as the theory says"
    quantities = QUANTITIES
    theory = "required"
    margin = "ratio"
    scope = "one number"
    watched = True
    absolute = True
    null = Null(_Z, (_Z,), "mean-field", exact="products")

    def ask(self, claim: Claim, simulation: Simulation) -> Question[Evidence]:
        """Ask how the mean compares with the prediction, from layer to layer."""
        places = list(_said(simulation, claim.theory or "", claim.quantity))
        if is_own(simulation) and get_theory(claim.theory or "").constant and not any(map(claim.covers, places[1:])):
            msg = (
                f"{ALONE}: {claim.quantity} has none beside layer {places[0][0]} in layers {claim.layers or 'measured'}"
            )
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

        def tables(piece: Simulation) -> tuple[SampleTable, ...]:
            # The claim is about the last layer alone, so no later network mends what is missing on the way there.
            table, places = Measured(piece).table(claim.quantity)
            last = max(i for i, place in enumerate(places) if claim.covers(place))
            with judging():
                check_measured(table[:, : last + 1])
            return asked.tables(piece)

        return Question(tables, asked.conclude)


@register
class GrowthRateTest(Test):
    """The mean network's gain per layer."""

    name = "growth_rate"
    meaning = "the mean network's gain per layer is as the theory says"
    quantities = QUANTITIES
    theory = "required"
    margin = "ratio"
    scope = "one number"
    watched = True
    between = True
    single_look = SINGLE_LOOK
    null = Null(_Z, (_Z,), "mean-field", exact="products")

    def ask(self, claim: Claim, simulation: Simulation) -> Question[Evidence]:
        """Ask for the mean network's rate beside the predicted one."""
        said = _said(simulation, claim.theory or "", claim.quantity)
        predicted = [value for place, value in said.items() if claim.covers(place)]
        if len(predicted) < 2:
            msg = f"a growth rate needs two layers or more, {claim.quantity} has {len(predicted)} in layers {claim.layers}"
            raise ValueError(msg)
        if not min(predicted) > 0.0:
            msg = f"a growth rate needs predictions above 0, theory {quoted(claim.theory)} has {min(predicted):g}; claim an identity"
            raise ValueError(msg)
        expected = math.log(predicted[-1] / predicted[0]) / (len(predicted) - 1)

        def judged(found: Rates) -> Evidence:
            rate, steps = found
            headline = Finding(None, rate.mean_network, math.exp(expected))
            return about_one(steps, headline, claim.half_width, both_rates(rate))

        return rates(claim, simulation, expected).then(judged)


# ---- means ---------------------------------------------------------------------------------------------------------


def cumulative_findings(claim: Claim, simulation: Simulation) -> Question[list[Placed]]:
    """Ask how the mean over networks compares with a theory's prediction, at every place where the theory has one.

    Of a user's own measurements that what is "preserved" is what was measured first.
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

    def tables(piece: Simulation) -> tuple[SampleTable, ...]:
        table, places = Measured(piece).table(quantity)
        keep = [i for i, place in enumerate(places) if place in said]
        kept = tuple(places[i] for i in keep)
        missing = np.isnan(table[:, keep])
        with judging():
            ratios = means.cumulative_ratios(filled(table[:, keep]), [said[place] for place in kept], product=True)
        return SampleTable(ratios, kept, joint=len(kept) <= MOST_JOINT), SampleTable(missing.astype(np.float64), kept)

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


# ---- rates ---------------------------------------------------------------------------------------------------------

Rates = tuple[growth.GrowthRate, list[Finding]]
"""Both growth rates, and every step's mean gain on its own."""


def rates(claim: Claim, simulation: Simulation, expected: float) -> Question[Rates]:
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

    def tables(piece: Simulation) -> tuple[SampleTable, ...]:
        return (_typical(claim, piece), _steps(claim, piece, product=False), *asked.tables(piece))

    def conclude(summed: tuple[Summed, ...]) -> Rates:
        logs, columns, *others = summed
        gains = growth.step_outcomes(columns.moments, expected=expected, product=False)
        return _both(asked.conclude(tuple(others)), logs, gains, columns.places, expected=expected, network=network)

    return Question(tables, conclude)


def _rates_of_products(claim: Claim, network: Network, expected: float) -> Question[Rates]:
    def tables(piece: Simulation) -> tuple[SampleTable, ...]:
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

    def tables(piece: Simulation) -> tuple[SampleTable, ...]:
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


def _typical(claim: Claim, piece: Simulation) -> SampleTable:
    """Growth of each network of its own."""
    kept = in_layers(claim, SampleTable(*Measured(piece).table(claim.quantity)))
    with judging():
        return SampleTable(growth.growth_columns(kept.values, product=False)[1], ())


def _steps(claim: Claim, piece: Simulation, *, product: bool) -> SampleTable:
    """The layers' values, or the ratios of neighbours."""
    kept = in_layers(claim, SampleTable(*Measured(piece).table(claim.quantity)))
    with judging():
        columns = growth.growth_columns(kept.values, product=product)[0]
        # Steps of a product have no covariances; where there are few of them they are measured all the same.
        return SampleTable(columns, kept.places, joint=not product or columns.shape[1] <= MOST_JOINT)


def _both(
    mean: Outcome, logs: Summed, gains: Sequence[Outcome], places: Sequence[Place], *, expected: float, network: Network
) -> Rates:
    width = validity.narrowest(network)
    typical = growth.typical_outcome(logs.moments, expected=expected, width=width, steps=len(places) - 1)
    rate = growth.GrowthRate(mean_network=mean, typical_network=typical, expected=expected)
    return rate, [Finding(p, gain, math.exp(expected)) for p, gain in zip(places[1:], gains, strict=True)]


def both_rates(rate: growth.GrowthRate) -> str:
    """Say the typical network's rate beside the mean network's, which the verdict is about."""
    typical = math.exp(rate.typical_network.theta + rate.expected)
    low, high = (math.exp(end + rate.expected) for end in rate.typical_network.interval(0.95))
    note = f"gain per layer of the mean network; of a typical one {typical:.4g} ({low:.4g} to {high:.4g})"
    sizes = growth.effect_sizes(rate.mean_network, expected=rate.expected)
    return join_notes(note, f"mean network: {sizes}", rate.typical_network.note)
