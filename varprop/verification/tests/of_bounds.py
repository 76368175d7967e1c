"""Tests of a claim that states a bound: a gain per layer, or a value, lies below it or above."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np

from varprop.model.network import Network, read_chain
from varprop.model.simulation import Simulation
from varprop.model.sites import Place
from varprop.stats import equivalence
from varprop.stats.growth import GrowthRate
from varprop.stats.outcome import Outcome
from varprop.theory import finite_width_law, get_theory
from varprop.theory.predictions import said_of
from varprop.verification.as_they_stand import plain_means
from varprop.verification.claims import Claim, Null, StatedBound, Test, register
from varprop.verification.columns import beyond_bound, places_of
from varprop.verification.forms import Form, form_of
from varprop.verification.questions import Evidence, Finding, Question, Summed, UndecidableError, beyond, join_notes
from varprop.verification.tests import of_depth
from varprop.verification.validity import dead_probabilities, has_law

_Z, _SLOPES = "preactivation_second_moment", "derivative_second_moment"
_A_LAYER = StatedBound("the factor per layer", 0.0625, " a layer")

# ---- where the bound is the truth -----------------------------------------------------------------------------------


def mean_gain(network: Network) -> float:
    """Gain per layer of the mean network's pre-activations: mean field's, which is exact for products of steps."""
    if network.depth < 2:
        msg = f"a gain per layer needs two layers or more, {network.label} has one"
        raise ValueError(msg)
    by_layer = _mean_field(network, "preactivation_second_moment")
    return math.exp(math.log(by_layer[-1] / by_layer[0]) / (len(by_layer) - 1))


def typical_gain(network: Network) -> float:
    """Gain per layer of the typical network's pre-activations, exact where the law of norms is known, else `mean_gain`.

    That a network lives throughout says on which side of 0 units fall, and nothing of their first layer's norm.
    """
    if network.depth < 2 or not has_law(network):
        return mean_gain(network)
    first, last = (finite_width_law(network, layer).mean for layer in (1, network.depth))
    return math.exp((last - first) / (network.depth - 1))


def mean_squared_slope(network: Network) -> float:
    """Mean of phi'(z)^2 in the last layer, exact where the law of norms is known, else mean field's.

    With two slopes it is the mean of their squares whatever the variance of z, and that of a slope at 0 in networks that have
    died below.
    """
    alive = _mean_field(network, "derivative_second_moment")[-1]
    if not has_law(network) or network.depth == 1:
        return alive
    dead = dead_probabilities(network)[network.depth - 1]
    at_zero = read_chain(network)[-1].activation.slope(np.zeros(1)).item() ** 2
    return (1.0 - dead) * alive + dead * at_zero


def mean_activation(network: Network) -> float:
    """Mean activation of the last layer, where the law of norms is known: E[sqrt(v)] times the mean under unit variance."""
    law = finite_width_law(network, network.depth, quantity="conditional_variance")
    return law.moment(0.5) * float(read_chain(network)[-1].activation.mean(1.0))


def _mean_field(network: Network, quantity: str) -> list[float]:
    """What mean field says of a quantity, from the first layer to the last, of one input of mean square 1."""
    return [p.predicted for p in said_of(network, get_theory("mean-field"), None) if p.quantity == quantity]


# ---- tests ---------------------------------------------------------------------------------------------------------


@register
class DirectionalTest(Test):
    """The mean network's gain per layer beside a factor."""

    name = "directional"
    meaning = "the mean network's gain per layer is below (or above) a stated factor"
    quantities = of_depth.QUANTITIES
    scope = "one number"
    bound = _A_LAYER
    watched = True
    single_look = of_depth.SINGLE_LOOK
    null = Null(_Z, (_Z,), exact="products", bound=mean_gain)

    def ask(self, claim: Claim, simulation: Simulation) -> Question[Evidence]:
        """Ask for both rates, relative to the bound."""
        direction, threshold = claim.direction, math.log(claim.bound)

        def judged(found: of_depth.Rates) -> Evidence:
            rate, steps = found
            outcome = replace(self.headline(rate), test=self.name)
            p_support, p_refute = equivalence.directional(outcome, 0.0, direction=direction)
            headline = Finding(None, outcome, math.exp(threshold))
            note = join_notes(
                f"claimed {direction} {math.exp(threshold):.4g} a layer", of_depth.both_rates(rate), outcome.note
            )
            return Evidence(tuple(steps), headline, p_support, p_refute, beyond(outcome, direction), note)

        # Estimated against the threshold, so that the ratio in the table is gain over threshold.
        return of_depth.rates(claim, simulation, threshold).then(judged)

    def headline(self, rate: GrowthRate) -> Outcome:
        """Return the rate that the claim is about."""
        return rate.mean_network


@register
class TypicalDirectionalTest(DirectionalTest):
    """The typical network's gain per layer beside a factor."""

    name = "typical_directional"
    meaning = "the typical network's gain per layer is below (or above) a stated factor"
    null = Null(_Z, (_Z,), exact="norms", bound=typical_gain)

    def headline(self, rate: GrowthRate) -> Outcome:
        """Return the rate that the claim is about."""
        return rate.typical_network


@register
class LevelTest(Test):
    """The mean over networks in every layer beside a value."""

    name = "level"
    meaning = "in every layer the mean over networks is below (or above) a stated value"
    quantities = (
        "activation_mean",
        "derivative_second_moment",
        "saturated_fraction",
        "dead_fraction",
        "cosine",
    )
    bound = StatedBound("a value of the quantity", 0.5)
    watched = True
    null = Null(_SLOPES, (_SLOPES,), last_layer=True, exact="norms", bound=mean_squared_slope)

    def ask(self, claim: Claim, simulation: Simulation) -> Question[Evidence]:
        """Ask for the mean over networks in every layer, and hold it against the claim's bound."""
        places = places_of(claim, simulation)
        form = form_of(simulation, claim.quantity)
        if form is not None:
            return _by_steps(claim, form)
        nulls = dict.fromkeys(places, claim.bound)

        def judged(found: list[tuple[Place, Outcome | UndecidableError]]) -> Evidence:
            return beyond_bound(claim, [_at(place, outcome, claim.bound, "relative") for place, outcome in found])

        asked = plain_means("level", simulation, claim.quantity, nulls, scale="relative", bets_alone=True)
        return asked.then(judged)


def _by_steps(claim: Claim, form: Form) -> Question[Evidence]:
    """The mean over depth put together from steps."""

    def conclude(summed: tuple[Summed, ...]) -> Evidence:
        (steps,) = summed
        profile = form.profile(steps, [claim.bound] * len(form.places))
        covered = [i for i, place in enumerate(form.places) if claim.covers(place)]
        outcomes = [(form.places[i], profile.outcome("level", i)) for i in covered]
        return beyond_bound(claim, [_at(place, outcome, claim.bound, "logarithm") for place, outcome in outcomes])

    return Question(form.tables, conclude)


def _at(
    place: Place, outcome: Outcome | UndecidableError, bound: float, scale: Literal["logarithm", "relative"]
) -> Finding:
    """A layer's mean against the bound; raises where it cannot be judged, since the claim is about every layer."""
    if isinstance(outcome, UndecidableError):
        raise outcome
    return Finding(place, outcome, bound, scale=scale)
