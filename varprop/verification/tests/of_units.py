"""Tests of a layer's units in themselves: whether their mean is 0, and what an activation does to them."""

from __future__ import annotations

from varprop.model.layers import UnsupportedError
from varprop.model.network import read_chain
from varprop.model.simulation import Simulation
from varprop.model.sites import Step
from varprop.stats import zero_mean
from varprop.verification.claims import Claim, Null, Test, register
from varprop.verification.columns import in_layers, jointly, step_table
from varprop.verification.findings import Evidence, Finding, about_all_layers, judging
from varprop.verification.questions import Ends, Measured, Question, SampleTable, Summed
from varprop.verification.tests.of_steps import step_findings

NORMAL_ENOUGH = 128
"""Inputs to a layer from which on sums of them are taken for normal. Excess kurtosis k of the weights moves E[phi^2] by at
most some k m / (10 n), m = E[a^4] / E[a^2]^2 being 3 or so: by .3 % at n = 128 for uniform weights, a sixteenth of 5 %."""

_A, _V = "activation_second_moment", "conditional_variance"


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
