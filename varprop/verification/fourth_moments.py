"""How far pre-activations are from normal given the layer below: what the spread between networks depends on."""

from __future__ import annotations

import numpy as np

from varprop._typing import Float64Array
from varprop.model.initializers import Initializer
from varprop.model.layers import UnsupportedError
from varprop.model.simulation import Place, Simulation, site_place
from varprop.numerics.streams import named_generator
from varprop.verification.chain import Link, links

_MOST_NETWORKS = 2000
_FEWEST_NETWORKS = 50
_WEIGHTS = 2 * 10**7
"""To be drawn at most, unless the fewest networks have more. In a wide layer the excess is near 0, and 50 are plenty."""
_PIECE = 10**6


def pivot_variances(simulation: Simulation) -> dict[Place, float]:
    r"""Variance of each layer's pivot between networks, for the simulation's only input.

    Raises
    ------
    UnsupportedError
        If weights or biases are not known to be independent and symmetric, with a fourth moment.

    Notes
    -----
    Given the signal a below, a unit's z has variance :math:`v = \sigma_w^2 \sum a^2 + \sigma_b^2` and excess kurtosis

    .. math:: e = (\kappa_w \sigma_w^4 \sum a^4 + \kappa_b \sigma_b^4) / v^2,

    with the laws' own excess :math:`\kappa`. Units are independent given a, so that the mean of :math:`z^2 / v` over n
    units has conditional mean 1 and variance :math:`(2 + e) / n`, and over all networks with a living signal variance
    :math:`(2 + E[e]) / n`. In Gaussian networks e is 0. In others its mean has no closed form beyond the first layer, and an
    expansion in 1/width is 3 % off at width 16; it is taken over up to 2,000 other networks drawn for it, whose error in the
    variance is below .2 % from width 8 on.
    """
    chain = links(simulation.architecture)
    for link in chain:
        _require_moments(link)
    excess = dict.fromkeys((site_place(link.site) for link in chain), 0.0)
    if not all(_gaussian(law) for link in chain for law in (link.noun.weights, link.noun.biases)):
        excess |= _excess(simulation, chain)
    return {site_place(link.site): (2.0 + excess[site_place(link.site)]) / link.site.fans[1] for link in chain}


def _require_moments(link: Link) -> None:
    for law in (link.noun.weights, link.noun.biases):
        if law.iid and law.symmetric and (_gaussian(law) or np.isfinite(law.kurtosis(*link.site.fans))):
            continue
        msg = (
            f"spread takes independent symmetric weights and biases with a fourth moment, which {law.label} of layer "
            f"{link.site.layer} is not known to be"
        )
        raise UnsupportedError(msg)


def _gaussian(law: Initializer) -> bool:
    return law.gaussian or law.name == "zeros"


def _excess(simulation: Simulation, chain: tuple[Link, ...]) -> dict[Place, float]:
    """Mean excess kurtosis of every layer's z given the layer below, over networks whose signal is alive there."""
    weights = max(link.site.fans[0] * link.site.fans[1] for link in chain)
    total = sum(link.site.fans[0] * link.site.fans[1] for link in chain)
    networks = min(_MOST_NETWORKS, max(_FEWEST_NETWORKS, _WEIGHTS // total))
    size = max(1, _PIECE // weights)
    rng = named_generator(simulation.seed, "fourth moments", simulation.network.label)
    pieces = [
        _excess_of(simulation.inputs[0].astype(np.float64), chain, min(size, networks - start), rng)
        for start in range(0, networks, size)
    ]
    every = np.concatenate(pieces)
    alive = ~np.isnan(every)
    if not alive.any(axis=0).all():
        msg = f"none of {networks} networks drawn for the fourth moment is alive in the last layer; test fewer layers"
        raise UnsupportedError(msg)
    means = np.where(alive, every, 0.0).sum(axis=0) / alive.sum(axis=0)
    return {site_place(link.site): mean for link, mean in zip(chain, means.tolist(), strict=True)}


def _excess_of(signal: Float64Array, chain: tuple[Link, ...], networks: int, rng: np.random.Generator) -> Float64Array:
    """Excess of every layer in some networks, shape (networks, layers); NaN where the signal is dead."""
    a = np.broadcast_to(signal, (networks, signal.size))
    found = []
    for link in chain:
        fan_in, fan_out = link.site.fans
        weights, biases = link.noun.weights, link.noun.biases
        v = link.weight_variance * np.sum(a**2, axis=1) + link.bias_variance
        fourth = _fourth(weights, link) * np.sum(a**4, axis=1) + _fourth(biases, link)
        found.append(np.divide(fourth, v**2, out=np.full(networks, np.nan), where=v > 0.0))
        w = weights.sample((networks, fan_out, fan_in), fan_in=fan_in, fan_out=fan_out, rng=rng)
        b = biases.sample((networks, fan_out), fan_in=fan_in, fan_out=fan_out, rng=rng)
        a = np.asarray(link.activation(np.einsum("noi,ni->no", w, a) + b), dtype=np.float64)
    return np.stack(found, axis=1)


def _fourth(law: Initializer, link: Link) -> float:
    """Excess kurtosis times squared variance."""
    if _gaussian(law):
        return 0.0
    return (law.kurtosis(*link.site.fans) - 3.0) * law.variance(*link.site.fans) ** 2
