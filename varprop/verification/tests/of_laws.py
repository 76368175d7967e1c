"""Tests of whole laws: of the sampler's steps, of a network's signal and its death, and of how layers vary."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

import numpy as np

from varprop._typing import Float64Array
from varprop.model.initializers import Initializer, get_initializer
from varprop.model.laws import Orthogonal, Scaled
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_chain, read_sites, read_steps
from varprop.model.shapes import RADEMACHER, TRUNCATED_NORMAL, UNIFORM
from varprop.model.simulation import Simulation
from varprop.model.sites import Place, Step
from varprop.numerics.randomness import named_generator
from varprop.stats import chances, law_fits
from varprop.stats.chances import chance_of_distance
from varprop.stats.floors import Units
from varprop.stats.law_fits import LawFit
from varprop.stats.spread import spread
from varprop.theory import FiniteWidthLaw, finite_width_law
from varprop.theory.finite_width.law import LawQuantity
from varprop.verification.claims import Claim, Null, Test, register
from varprop.verification.columns import columns_of, jointly, only_input, places_of, require_one_input
from varprop.verification.questions import Evidence, Finding, UndecidableError, about_one, join_notes, judging, p_value
from varprop.verification.validity import dead_probabilities

LEAST_UNITS = 16
"""Of a layer of other weights than Gaussian ones: in narrower ones no level was measured."""
LARGEST_EXCESS = 12.0 / LEAST_UNITS
"""Of a pivot's kurtosis over 3, that of 16 Gaussian units: with more no level was measured."""
_MEASURED = (UNIFORM, TRUNCATED_NORMAL, RADEMACHER)
_MOST_NETWORKS = 20_000
_FEWEST_NETWORKS = 50
_WEIGHTS = 4 * 10**8
"""To be drawn at most, unless the fewest networks have more. In a wide layer what they give varies little, and 50 are plenty."""
_PIECE = 10**6


@dataclass(frozen=True, slots=True)
class PivotNull:
    """What a layer's pivot should vary by."""

    variance: float
    excess: float | None = None
    doubt: float = 0.0


def pivot_nulls(simulation: Simulation, places: Collection[Place]) -> dict[Place, PivotNull]:
    r"""What the pivots of some layers should vary by, for the simulation's only input.

    Notes
    -----
    Given the signal a below, a unit's z has variance :math:`v = \sigma_w^2 \sum a^2 + \sigma_b^2`, and its other cumulants are
    sums too, :math:`\kappa_r = \kappa_r(w) \sum a^r + \kappa_r(b)`. Units are independent given a. So the mean of
    :math:`y = z^2 / v` over n units has conditional mean 1, variance :math:`\mathrm{Var}(y) / n` with
    :math:`\mathrm{Var}(y) = 2 + \kappa_4 / v^2`, and fourth central moment
    :math:`(\mathbb{E} (y - 1)^4 + 3 (n - 1) \mathrm{Var}(y)^2) / n^3`, which takes the weights' eighth moment. In Gaussian networks
    the pivot's law is known. In others the means of both over networks with a living signal have no closed form beyond the first
    layer; they are taken over up to 20,000 other networks drawn for it, fewer where layers are wide. What error that leaves in the
    variance is returned as `doubt`, and the excess is two of its standard errors larger than estimated.
    """
    chain = read_chain(simulation.architecture)
    found: dict[Place, PivotNull] = {}
    drawn: list[int] = []
    for i, step in enumerate(chain):
        if step.place not in places:
            continue
        if _gaussian(step.weights) and _gaussian(step.biases):
            found[step.place] = PivotNull(2.0 / step.units)
            continue
        _require_moments(step)
        drawn.append(i)
    if drawn:
        name = (simulation.seed, "fourth moments", simulation.network.label)
        signal = simulation.inputs[0].astype(np.float64)
        estimated = _estimated(chain[: drawn[-1] + 1], signal.tobytes(), name)
        found |= {chain[i].place: _measured(chain[i], estimated[i]) for i in drawn}
    return found


def _gaussian(law: Initializer) -> bool:
    return law.gaussian or law.name == "zeros"


def _require_moments(step: Step) -> None:
    """Refuse what has no eighth moment, or none that is known; and what no level was measured of."""
    for law in (step.weights, step.biases):
        if _gaussian(law):
            continue
        known = isinstance(law.law, Scaled) and math.isfinite(law.law.shape.eighth)
        if not known:
            msg = (
                f"spread takes independent symmetric weights and biases with a finite eighth moment, which {law.label} of layer "
                f"{step.number} is not known to be"
            )
            raise UndecidableError(msg)
        if isinstance(law.law, Scaled) and law.law.shape not in _MEASURED:
            msg = f"spread was not measured to hold its level with {law.label}, as layer {step.number} has"
            raise UndecidableError(msg)
    if step.units < LEAST_UNITS:
        msg = (
            f"spread takes layers of {LEAST_UNITS} units or more unless weights and biases are Gaussian: layer "
            f"{step.number} has {step.units}"
        )
        raise UndecidableError(msg)


def _measured(step: Step, found: PivotNull) -> PivotNull:
    """Refuse pivots of which no level was measured."""
    if found.variance <= 0.0 or math.isnan(found.variance):
        msg = f"the pivot of layer {step.number} does not vary between networks, or no drawn network is alive there"
        raise UndecidableError(msg)
    if found.excess is not None and found.excess > LARGEST_EXCESS:
        msg = (
            f"the pivot of layer {step.number} is too far from normal for spread: its excess kurtosis is {found.excess:.3g}, "
            f"and levels were measured up to {LARGEST_EXCESS:g}"
        )
        raise UndecidableError(msg)
    return found


@lru_cache(maxsize=32)
def _estimated(chain: tuple[Step, ...], signal: bytes, name: tuple[str, ...]) -> tuple[PivotNull, ...]:
    """What the pivot of every layer should vary by, from networks drawn for it."""
    weights = max(step.fan_in * step.units for step in chain)
    total = sum(step.fan_in * step.units for step in chain)
    networks = min(_MOST_NETWORKS, max(_FEWEST_NETWORKS, _WEIGHTS // total))
    size = max(1, _PIECE // weights)
    rng = named_generator(*name)
    pieces = [
        _conditional(np.frombuffer(signal), chain, min(size, networks - start), rng)
        for start in range(0, networks, size)
    ]
    every = np.concatenate(pieces, axis=1)
    return tuple(_averaged(step.units, *every[:, :, layer]) for layer, step in enumerate(chain))


def _averaged(units: int, second: Float64Array, fourth: Float64Array) -> PivotNull:
    """From Var(y) and E (y - 1)^4 given the layer below, in some networks, to the pivot's law over networks."""
    alive = ~np.isnan(second)
    second, fourth = second[alive], fourth[alive]
    networks = len(second)
    if networks < _FEWEST_NETWORKS:
        return PivotNull(math.nan)
    mean = float(second.mean())
    if mean <= 0.0:
        return PivotNull(0.0)
    central = (fourth + 3.0 * (units - 1) * second**2) / units
    excess = float(central.mean()) / mean**2 - 3.0
    influence = central / mean**2 - 2.0 * (excess + 3.0) * second / mean
    more = 2.0 * float(influence.std(ddof=1)) / math.sqrt(networks)
    return PivotNull(mean / units, excess + more, float(second.var(ddof=1)) / (networks * mean**2))


def _conditional(
    signal: Float64Array, chain: tuple[Step, ...], networks: int, rng: np.random.Generator
) -> Float64Array:
    """Var(y) and E (y - 1)^4 of every layer in some networks, shape (2, networks, layers); NaN where the signal is dead."""
    a = np.broadcast_to(signal, (networks, signal.size))
    found = np.full((2, networks, len(chain)), np.nan)
    for layer, step in enumerate(chain):
        fan_in, fan_out = step.site.fans
        weights, biases = step.weights, step.biases
        v = step.weight_variance * np.sum(a**2, axis=1) + step.bias_variance
        alive = v > 0.0
        of_weights, of_biases = _cumulants(weights, step.weight_variance), _cumulants(biases, step.bias_variance)
        c4, c6, c8 = (
            (w * np.sum(a[alive] ** r, axis=1) + b) / v[alive] ** (r // 2)
            for r, w, b in zip((4, 6, 8), of_weights, of_biases, strict=True)
        )
        z4, z6, z8 = 3 + c4, 15 + 15 * c4 + c6, 105 + 210 * c4 + 35 * c4**2 + 28 * c6 + c8
        found[0, alive, layer], found[1, alive, layer] = z4 - 1, z8 - 4 * z6 + 6 * z4 - 3
        if layer == len(chain) - 1:
            break
        w = weights.sample((networks, fan_out, fan_in), fan_in=fan_in, fan_out=fan_out, rng=rng)
        b = biases.sample((networks, fan_out), fan_in=fan_in, fan_out=fan_out, rng=rng)
        a = np.asarray(step.activation(np.einsum("noi,ni->no", w, a) + b), dtype=np.float64)
    return found


def _cumulants(law: Initializer, variance: float) -> tuple[float, float, float]:
    """The fourth, sixth and eighth cumulant of a symmetric law."""
    if _gaussian(law) or not isinstance(law.law, Scaled):
        return 0.0, 0.0, 0.0
    m4, m6, m8 = law.law.shape.kurtosis, law.law.shape.sixth, law.law.shape.eighth
    fourth, sixth = m4 - 3, m6 - 15 * m4 + 30
    return (
        variance**2 * fourth,
        variance**3 * sixth,
        variance**4 * (m8 - 28 * m6 - 35 * m4**2 + 420 * m4 - 630),
    )


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
                found = chances.dead_rate(dead, simulation.n_networks, expected=expected[place[0]])
            findings.append(Finding(place, found, expected[place[0]], scale="difference"))
        end = findings[-1]
        counted = cast("chances.Proportion", end.outcome).count
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
