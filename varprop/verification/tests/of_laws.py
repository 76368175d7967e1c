"""Tests of whole laws: of the sampler's steps, of a network's signal and its death, and of how layers vary."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from varprop._typing import Float64Array
from varprop.model.initializers import get_initializer
from varprop.model.laws import Orthogonal
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_chain, read_sites, read_steps
from varprop.model.simulation import Simulation
from varprop.model.sites import Place
from varprop.stats import law_fits, proportions
from varprop.stats.chances import chance_of_distance
from varprop.stats.floors import Units
from varprop.stats.law_fits import LawFit
from varprop.stats.spread import spread
from varprop.theory import FiniteWidthLaw, finite_width_law
from varprop.theory.finite_width.law import LawQuantity
from varprop.verification.claims import Claim, Null, Test, register
from varprop.verification.columns import columns_of, jointly, only_input, places_of, require_one_input
from varprop.verification.findings import Evidence, Finding, about_one, join_notes, judging, p_value
from varprop.verification.fourth_moments import pivot_nulls
from varprop.verification.validity import dead_probabilities

_Z, _A = "preactivation_second_moment", "activation_second_moment"
QUANTITIES = (
    "preactivation_second_moment",
    "conditional_variance",
    "activation_second_moment",
    "gradient_second_moment",
    "weight_gradient_second_moment",
)


@register
class PivotLawTest(Test):
    """Every layer's pivots beside their chi-square law."""

    name = "pivot_law"
    meaning = "the sampler draws every layer from its exact chi-square law"
    quantities = ("pivot",)
    margin = "distance"
    point_null = True
    scope = "whole law"
    whole = True
    null = Null("pivot", ("pivot",), last_layer=True, estimates=False, sides=False)

    def ask(self, claim: Claim, simulation: Simulation) -> Evidence:
        """Hold every layer's pivots against their chi-square law."""
        require_one_input(simulation, "pivot_law")
        units = {}
        for step in read_steps(simulation.architecture, "pivot_law"):
            weights, biases = step.weights, step.biases
            if not weights.gaussian or not (biases.name == "zeros" or biases.gaussian):
                msg = (
                    f"pivot_law takes Gaussian weights and zero or Gaussian biases, layer {step.number} has "
                    f"{weights.label} and {biases.label}: test step_mean or spread of the pivot instead"
                )
                raise UnsupportedError(msg)
            units[step.place] = step.units
        fits = []
        for place, column in columns_of(claim, simulation):
            with judging():
                fits.append((place, law_fits.pivot_law(only_input(column), units=units[place])))
        return _about_laws(claim, fits)


@register
class ExactLawTest(Test):
    """Every layer's mean square beside its exact law over networks."""

    name = "exact_law"
    meaning = "over networks every layer follows its exact finite-width law"
    quantities = QUANTITIES
    margin = "distance"
    point_null = True
    scope = "whole law"
    whole = True
    null = Null(_Z, (_Z,), last_layer=True, estimates=False, sides=False)

    def ask(self, claim: Claim, simulation: Simulation) -> Evidence:
        """Hold every layer's mean square over networks against its exact law."""
        fits = []
        for place, column, law in _laws(claim, simulation, "exact_law"):
            with judging():
                fits.append((place, law_fits.exact_law(column, law.cdf, dead_probability=law.dead_probability)))
        return _about_laws(claim, fits)


@register
class LogMeanTest(Test):
    """The typical network's logarithm beside the exact law's."""

    name = "log_mean"
    meaning = "the typical network's logarithm is that of the exact law"
    quantities = QUANTITIES
    margin = "ratio"
    point_null = True
    whole = True
    null = Null(_Z, (_Z,), last_layer=True)

    def ask(self, claim: Claim, simulation: Simulation) -> Evidence:
        """Hold the typical network's logarithm, layer by layer, against the exact law's."""
        findings = []
        units = {step.number: step.units for step in read_steps(simulation.architecture, "log_mean")}
        for place, column, law in _laws(claim, simulation, "log_mean"):
            with judging():
                floor = Units(units[place[0]], place[0], "logarithm")
                findings.append(
                    Finding(place, law_fits.log_mean(column, expected=law.mean, floor=floor), math.exp(law.mean))
                )
        return jointly(findings, claim.half_width, "geometric mean over living networks")


@register
class DeadRateTest(Test):
    """The share of networks that are dead after the last layer of the claim."""

    name = "dead_rate"
    meaning = "as many networks die as the widths say"
    quantities = (_A,)
    margin = "share"
    point_null = True
    scope = "one number"
    whole = True
    null = Null(_A, (_A,), last_layer=True, estimates=False, level="at most")

    def ask(self, claim: Claim, simulation: Simulation) -> Evidence:
        """Hold the share of networks that are dead after each layer against what the widths say; the last one decides."""
        require_one_input(simulation, "dead_rate")
        expected = dead_probabilities(simulation.architecture)
        findings = []
        for place, column in columns_of(claim, simulation):
            dead = int(np.count_nonzero(only_input(column) == 0.0))
            with judging():
                found = proportions.dead_rate(dead, simulation.n_networks, expected=expected[place[0]])
            findings.append(Finding(place, found, expected[place[0]], scale="difference"))
        end = findings[-1]
        counted = cast("proportions.Proportion", end.outcome).count
        said = f"{counted:,} of {end.outcome.n:,} networks are dead after layer {end.place[0] if end.place else ''}"
        return about_one(findings, end, claim.half_width, said)


@register
class SpreadTest(Test):
    """The pivots' variance between networks."""

    name = "spread"
    meaning = "layers vary between networks as the weights' fourth moment says"
    quantities = ("pivot",)
    margin = "ratio"
    whole = True
    null = Null("pivot", ("pivot",), last_layer=True)

    def ask(self, claim: Claim, simulation: Simulation) -> Evidence:
        """Hold the pivots' variance between networks, layer by layer, against the weights' fourth moment."""
        require_one_input(simulation, "spread")
        nulls = pivot_nulls(simulation, places_of(claim, simulation))
        findings = []
        for place, column in columns_of(claim, simulation):
            null = nulls[place]
            with judging():
                found = spread(only_input(column), expected=null.variance, excess=null.excess, doubt=null.doubt)
            findings.append(Finding(place, found, null.variance))
        return jointly(findings, claim.half_width, "variance between networks")


def _laws(claim: Claim, simulation: Simulation, test: str) -> Iterator[tuple[Place, Float64Array, FiniteWidthLaw]]:
    """Values and exact law of every layer that the claim is about and that varies between networks."""
    require_one_input(simulation, test)
    quantity = cast("LawQuantity", claim.quantity)
    network, orthogonal = _gaussian_counterpart(simulation.architecture)
    found = {
        place: finite_width_law(network, place[0], quantity=quantity, inputs=simulation.inputs, orthogonal=orthogonal)
        for place in places_of(claim, simulation)
    }
    if not any(law.factors for law in found.values()):
        msg = f"{claim.quantity} is the same in all networks wherever the claim is about it; test identity"
        raise ValueError(msg)
    for place, column in columns_of(claim, simulation):
        if found[place].factors:
            yield place, only_input(column), found[place]


def _gaussian_counterpart(network: Network) -> tuple[Network, bool]:
    """The network itself; or, if all its weights are orthogonal, one with Gaussian weights of the same variances."""
    chain = read_chain(network)
    if not all(isinstance(step.weights.law, Orthogonal) for step in chain):
        return network, False
    gaussian = {
        step.site.module: replace(step.layer, weights=get_initializer("normal", std=math.sqrt(step.weight_variance)))
        for step in chain
    }
    layers = tuple(gaussian.get(site.module, site.layer) for site in read_sites(network, "exact_law"))
    return replace(network, layers=layers), True


def _about_laws(claim: Claim, fits: Sequence[tuple[Place, LawFit]]) -> Evidence:
    """Judge a claim about Kolmogorov distances, the margin being the largest that counts as agreement."""
    findings = [Finding(place, fit, 0.0, scale="difference") for place, fit in fits]
    worst = max((fit for _, fit in fits), key=lambda fit: fit.theta)
    second = min(1.0, len(fits) * min(fit.second_pvalue for _, fit in fits))

    def chance(networks: float, level: float) -> float:
        return chance_of_distance(worst, networks, level=level, margin=claim.half_width, layers=len(fits))

    said = join_notes("Kolmogorov distance", f"{worst.second_test} test over all layers {p_value(second)}")
    return jointly(findings, claim.half_width, said, chance=chance)
