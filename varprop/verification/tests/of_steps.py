"""Tests of single steps: every layer given the one before, and the units of one layer."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_chain, read_steps
from varprop.model.simulation import Simulation
from varprop.model.sites import Place, Step
from varprop.numerics.randomness import named_generator
from varprop.stats import means, zero_mean
from varprop.stats.band import FEWEST_UNITS, band
from varprop.stats.floors import Floor, Refused, Units, pooled_floor
from varprop.stats.outcome import Outcome
from varprop.stats.positive import bennett_mean
from varprop.verification import validity
from varprop.verification.claims import Claim, Null, Test, register
from varprop.verification.columns import in_layers, jointly, step_floors, step_table
from varprop.verification.questions import (
    Ends,
    Evidence,
    Finding,
    Measured,
    Question,
    SampleTable,
    Summed,
    about_all_layers,
    about_one,
    judging,
)

QUANTITIES = (
    "preactivation_variance",
    "preactivation_second_moment",
    "pivot",
    "activation_variance",
    "activation_second_moment",
    "gradient_second_moment",
)
_Z, _V = "preactivation_second_moment", "conditional_variance"


@register
class StepMeanTest(Test):
    """Every layer's mean step on its own."""

    name = "step_mean"
    meaning = "every layer, given the one before, is as the theory says"
    quantities = QUANTITIES
    theory = "required"
    margin = "ratio"
    watched = True
    null = Null(_Z, (_Z, _V), "mean-field", last_layer=True, exact="steps")

    def ask(self, claim: Claim, simulation: Simulation) -> Question[Evidence]:
        """Ask for the mean of every step."""
        variances = _bennett_variances(claim, simulation)

        def tables(piece: Simulation) -> tuple[SampleTable, ...]:
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


@register
class PooledStepMeanTest(Test):
    """The geometric mean of all layers' steps."""

    name = "pooled_step_mean"
    meaning = "a layer, given the one before, is on average as the theory says"
    quantities = QUANTITIES
    theory = "required"
    margin = "ratio"
    scope = "one number"
    watched = True
    null = Null(_Z, (_Z, _V), "mean-field", exact="steps")

    def ask(self, claim: Claim, simulation: Simulation) -> Question[Evidence]:
        """Ask for the geometric mean of all layers' steps."""

        def tables(piece: Simulation) -> tuple[SampleTable, ...]:
            return (step_table(claim, piece, claim.theory or "", joint=True),)

        def conclude(summed: tuple[Summed, ...]) -> Evidence:
            (ratios,) = summed
            floor = pooled_floor(step_floors(claim, simulation, ratios))
            pooled = replace(means.pooled_step_mean(ratios.moments, floor=floor), test="pooled_step_mean")
            said = f"mean gain of {len(ratios.places)} steps, relative to the theory's"
            return about_one(
                step_findings(claim, simulation, ratios), Finding(None, pooled, 1.0), claim.half_width, said
            )

        return Question(tables, conclude)


@register
class BandTest(Test):
    """The steps of all layers, with the law of the largest of their errors."""

    name = "band"
    meaning = "all layers jointly, each given the one before, are as the theory says"
    quantities = QUANTITIES
    theory = "required"
    margin = "ratio"
    null = Null(_Z, (_Z, _V), "mean-field", exact="steps", estimates=False, sides=False, level="at most")

    def ask(self, claim: Claim, simulation: Simulation) -> Question[Evidence]:
        """Ask for the steps of all layers, and the law of the largest of their errors."""
        seed = (simulation.seed, "band", claim.quantity, claim.theory or "", str(claim.layers))

        def tables(piece: Simulation) -> tuple[SampleTable, ...]:
            return (step_table(claim, piece, claim.theory or "", joint=True),)

        def conclude(summed: tuple[Summed, ...]) -> Evidence:
            (ratios,) = summed
            floors = [_for_bands(floor) for floor in step_floors(claim, simulation, ratios)]
            found = band(ratios.moments, rng=named_generator(*seed), floors=floors)
            alone = jointly(
                step_findings(claim, simulation, ratios),
                claim.half_width,
                "intervals by layer hold in all layers at once",
            )
            headline = replace(
                alone.headline, outcome=replace(alone.headline.outcome, test="band", pvalue=found.pvalue)
            )
            together = [Finding(place, layer, 1.0) for place, layer in zip(ratios.places, found.layers, strict=True)]
            p_refute = found.p_refute(claim.half_width)
            return replace(alone, layers=tuple(together), headline=headline, p_refute=p_refute)

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
        return {step.place: validity.pivot_excess(network, step.place) for step in read_steps(network, "a band")}
    return {}


def _proved_or(outcome: Outcome, ratios: Summed, column: int, variance: float | None) -> Outcome:
    """A mean judged without a t test where that refuses even a level of 5 %, and the variance has a bound."""
    if variance is None or not outcome.floor.reason(0.05, outcome.n):
        return outcome
    return bennett_mean("step_mean", ratios.moments.take(column), ratios.bets.take(column), variance=variance)


def _for_bands(floor: Floor) -> Floor:
    """A floor that also refuses layers too narrow for a band."""
    narrow = isinstance(floor, Units) and floor.width < FEWEST_UNITS
    return Refused(f"a band takes layers of {FEWEST_UNITS} units and more") if narrow else floor


def step_findings(claim: Claim, simulation: Simulation, ratios: Summed) -> list[Finding]:
    """Every layer's steps on their own."""
    outcomes = means.step_mean_layers(ratios.moments, floors=step_floors(claim, simulation, ratios))
    return [Finding(place, outcome, 1.0) for place, outcome in zip(ratios.places, outcomes, strict=True)]


# ---- units of one layer ----------------------------------------------------------------------------------------------


NORMAL_ENOUGH = 128
"""Inputs to a layer from which on sums of them are taken for normal. Excess kurtosis k of the weights moves E[phi^2] by at
most some k m / (10 n), m = E[a^4] / E[a^2]^2 being 3 or so: by .3 % at n = 128 for uniform weights, a sixteenth of 5 %."""

_A = "activation_second_moment"


@register
class ZeroMeanTest(Test):
    """The mean over units, in units of their root mean square."""

    name = "zero_mean"
    meaning = "the mean over units is 0, in units of the root mean square"
    quantities = ("activation_mean",)
    margin = "root mean square"
    watched = True
    standardised = True
    null = Null("activation_mean", ("activation_mean", _A), last_layer=True, exact="never")

    def ask(self, claim: Claim, _simulation: Simulation) -> Question[Evidence]:
        """Ask for the standardised mean of every layer."""

        def tables(piece: Simulation) -> tuple[SampleTable, ...]:
            measured = Measured(piece)
            first = in_layers(claim, SampleTable(*measured.table("activation_mean")))
            second = in_layers(claim, SampleTable(*measured.table("activation_second_moment")))
            with judging():
                standardised = zero_mean.standardised_means(first.values, second.values)
            return (SampleTable(standardised, first.places, ends=Ends(-1.0, 1.0)),)

        def conclude(summed: tuple[Summed, ...]) -> Evidence:
            (standardised,) = summed
            outcomes = zero_mean.zero_mean_layers(standardised.moments, standardised.bets)
            findings = [
                Finding(place, outcome, 0.0, scale="difference")
                for place, outcome in zip(standardised.places, outcomes, strict=True)
            ]
            return about_all_layers(findings, claim.half_width, "mean over root mean square")

        return Question(tables, conclude)


@register
class ActivationMapTest(Test):
    """Every activation's mean square, given the layer's conditional variance."""

    name = "activation_map"
    meaning = (
        "every activation's mean square, given the layer's conditional variance, is that of normal pre-activations"
    )
    quantities = (_A,)
    margin = "ratio"
    watched = True
    null = Null(_A, (_A, _V), last_layer=True, exact="steps")

    def ask(self, claim: Claim, simulation: Simulation) -> Question[Evidence]:
        """Ask how every activation's mean square compares with that of normal pre-activations."""
        for step in read_chain(simulation.architecture):
            _require_normal(claim, step)

        def tables(piece: Simulation) -> tuple[SampleTable, ...]:
            return (step_table(claim, piece, "mean-field"),)

        def conclude(summed: tuple[Summed, ...]) -> Evidence:
            (ratios,) = summed
            layers = step_findings(claim, simulation, ratios)
            return jointly(layers, claim.half_width, "mean of phi^2, relative to that of normal pre-activations")

        return Question(tables, conclude)


def _require_normal(claim: Claim, step: Step) -> None:
    """Refuse a layer whose pre-activations are not normal enough for the claim."""
    site = step.activation_site
    if site is None or not claim.covers(site.place) or step.activation.homogeneous:
        return
    weights, biases = step.weights, step.biases
    plain = biases.name == "zeros" or biases.gaussian
    if plain and (weights.gaussian or (weights.symmetric and step.fan_in >= NORMAL_ENOUGH)):
        return
    msg = (
        f"activation_map takes Gaussian weights (or {NORMAL_ENOUGH} inputs and more) and zero or Gaussian biases, unless the "
        f"activation is two slopes: layer {site.number} has {step.activation.label} after {weights.label}, "
        f"{biases.label} and {step.fan_in} inputs"
    )
    raise UnsupportedError(msg)
