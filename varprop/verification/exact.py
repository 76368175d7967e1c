"""Evidence for claims of an exact law: of the sampler's steps, of a whole network's signal, and of its death."""

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
from varprop.model.network import Network, Place, read_sites, site_place
from varprop.model.simulation import Simulation
from varprop.stats import laws, proportions
from varprop.stats.chances import chance_of_distance
from varprop.stats.floors import Units
from varprop.stats.laws import LawFit
from varprop.theory import FiniteWidthLaw, finite_width_law
from varprop.theory.finite_width.chain import Slopes, read_chain
from varprop.theory.finite_width.law import LawQuantity
from varprop.verification.chain import links
from varprop.verification.claims import Claim
from varprop.verification.findings import Evidence, Finding, about_one, join_notes, judging, p_value
from varprop.verification.judging import columns_of, jointly, only_input, places_of, require_one_input
from varprop.verification.validity import dense_layers


def pivot_law(claim: Claim, simulation: Simulation) -> Evidence:
    """Hold every layer's pivots against their chi-square law.

    Raises
    ------
    UnsupportedError
        If weights are not Gaussian, biases neither zero nor Gaussian, or there are several inputs.
    """
    require_one_input(simulation, "pivot_law")
    units = {}
    for link in links(simulation.architecture):
        weights, biases = link.noun.weights, link.noun.biases
        if not weights.gaussian or not (biases.name == "zeros" or biases.gaussian):
            msg = (
                f"pivot_law takes Gaussian weights and zero or Gaussian biases, layer {link.site.layer} has "
                f"{weights.label} and {biases.label}: test step_mean or spread of the pivot instead"
            )
            raise UnsupportedError(msg)
        units[site_place(link.site)] = link.site.fans[1]
    fits = []
    for place, column in columns_of(claim, simulation):
        with judging():
            fits.append((place, laws.pivot_law(only_input(column), units=units[place])))
    return _about_laws(claim, fits)


def exact_law(claim: Claim, simulation: Simulation) -> Evidence:
    """Hold every layer's mean square over networks against its exact law.

    Raises
    ------
    UnsupportedError
        If there is no exact law for the network, or there are several inputs.
    ValueError
        If no layer of the claim varies between networks.
    """
    fits = []
    for place, column, law in _laws(claim, simulation, "exact_law"):
        with judging():
            fits.append((place, laws.exact_law(column, law.cdf, dead_probability=law.dead_probability)))
    return _about_laws(claim, fits)


def log_mean(claim: Claim, simulation: Simulation) -> Evidence:
    """Hold the typical network's logarithm, layer by layer, against the exact law's.

    Raises
    ------
    UnsupportedError
        If there is no exact law for the network, or there are several inputs.
    ValueError
        If no layer of the claim varies between networks.
    """
    findings = []
    units = {place[0]: fans[1] for place, _, fans in dense_layers(simulation.architecture)}
    for place, column, law in _laws(claim, simulation, "log_mean"):
        with judging():
            floor = Units(units[place[0]])
            findings.append(Finding(place, laws.log_mean(column, expected=law.mean, floor=floor), math.exp(law.mean)))
    return jointly(findings, claim.half_width, "geometric mean over living networks")


def dead_rate(claim: Claim, simulation: Simulation) -> Evidence:
    """Hold the share of networks that are dead after each layer against what the widths say; the last one decides.

    Raises
    ------
    UnsupportedError
        If no formula gives the probability, or there are several inputs.
    """
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


def dead_probabilities(network: Network) -> dict[int, float]:
    r"""Probability that a network's signal is dead after each layer's activation.

    Raises
    ------
    UnsupportedError
        If there are biases, an activation is not positively homogeneous, or pre-activations may be exactly 0.

    Notes
    -----
    Given a living layer below, the pre-activations of independent symmetric weights have independent signs, fair coins if
    none is 0. A layer of n units of which one side is flat is dead if all fall there, with probability 2^-n: in all
    :math:`1 - \prod_l (1 - 2^{-n_l})`, for weights of any law. By logarithms, since 2^-n is soon below the last digit of 1.
    """
    found: dict[int, float] = {}
    log_alive = 0.0
    for stage in read_chain(network).stages:
        response = stage.response
        if stage.bias_variance > 0.0 or not isinstance(response, Slopes) or not stage.atomless:
            msg = (
                f"dead_rate takes zero biases, positively homogeneous activations and weights without atoms; layer "
                f"{stage.layer} of {network.label} has others"
            )
            raise UnsupportedError(msg)
        if response.can_die:
            log_alive += math.log1p(-(2.0**-stage.units))
        found[stage.layer] = 0.0 - math.expm1(log_alive)
    return found


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
    chain = links(network)
    if not all(isinstance(link.noun.weights.law, Orthogonal) for link in chain):
        return network, False
    gaussian = {
        link.site.module: replace(link.noun, weights=get_initializer("normal", std=math.sqrt(link.weight_variance)))
        for link in chain
    }
    layers = tuple(gaussian.get(site.module, site.noun) for site in read_sites(network, "exact_law"))
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
