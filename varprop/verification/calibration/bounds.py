"""Bounds that lie at the truth: where a claim that states one may be given neither verdict."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from varprop.model.network import Network
from varprop.theory import finite_width_law, get_theory
from varprop.theory.predictions import said_of
from varprop.verification.calibration.truths import has_law
from varprop.verification.chain import links
from varprop.verification.exact import dead_probabilities

Quantity = Literal["preactivation_second_moment", "derivative_second_moment"]


def mean_gain(network: Network) -> float:
    """Gain per layer of the mean network's pre-activations: mean field's, which is exact for products of steps.

    Raises
    ------
    ValueError
        If there is but one layer.
    """
    if network.depth < 2:
        msg = f"a gain per layer needs two layers or more, {network.label} has one"
        raise ValueError(msg)
    by_layer = _mean_field(network, "preactivation_second_moment")
    return math.exp(math.log(by_layer[-1] / by_layer[0]) / (len(by_layer) - 1))


def typical_gain(network: Network) -> float:
    """Gain per layer of the typical network's pre-activations, exact where the law of norms is known, else `mean_gain`.

    That a network lives throughout says on which side of 0 units fall, and nothing of their first layer's norm.

    Raises
    ------
    ValueError
        If there is but one layer.
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
    at_zero = links(network)[-1].activation.slope(np.zeros(1)).item() ** 2
    return (1.0 - dead) * alive + dead * at_zero


def mean_activation(network: Network) -> float:
    """Mean activation of the last layer, where the law of norms is known: E[sqrt(v)] times the mean under unit variance."""
    law = finite_width_law(network, network.depth, quantity="conditional_variance")
    return law.moment(0.5) * float(links(network)[-1].activation.mean(1.0))


def _mean_field(network: Network, quantity: Quantity) -> list[float]:
    """What mean field says of a quantity, from the first layer to the last, of one input of mean square 1."""
    return [p.predicted for p in said_of(network, get_theory("mean-field"), None) if p.quantity == quantity]
