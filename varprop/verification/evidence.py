"""What a sample says for and against a claim, before anyone knows how many claims the report has."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from varprop._typing import Float64Array
from varprop.model.simulation import Place, Simulation
from varprop.stats import equivalence, growth, means, power, weights
from varprop.stats.outcome import Outcome
from varprop.theory import get_theory
from varprop.theory.predictions import said_of
from varprop.theory.rules import weight_variance
from varprop.verification.chain import Measured, is_product
from varprop.verification.claims import Claim
from varprop.verification.draws import draw_weights
from varprop.verification.steps import step_ratios


@dataclass(frozen=True, slots=True)
class Finding:
    """One estimate at one place (None: over the whole network), with what was predicted there.

    ``logarithmic`` tells that theta is log(estimate / predicted), else it is their difference.
    """

    place: Place | None
    outcome: Outcome
    predicted: float
    logarithmic: bool = True

    @property
    def estimate(self) -> float:
        """Estimate in the quantity's own units."""
        theta = self.outcome.theta
        return self.predicted * math.exp(theta) if self.logarithmic else self.predicted + theta


Required = Callable[[float, int], int | None]
"""From alpha and the number of verdicts m to the number of networks that would decide."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Findings layer by layer, the one that decides, and the p-values for and against the claim as a whole."""

    layers: tuple[Finding, ...]
    headline: Finding
    p_support: float
    p_refute: float
    required: Required
    note: str = ""


class UndecidableError(ValueError):
    """A sample that a test cannot judge, such as one in which every network is dead."""


@contextmanager
def _judging() -> Iterator[None]:
    """Around a call into statistics: what it refuses is a matter of these data, not of the question."""
    try:
        yield
    except ValueError as error:
        raise UndecidableError(str(error)) from error


def gather(claim: Claim, simulation: Simulation) -> Evidence:
    """Test one claim on one sample.

    Raises
    ------
    ValueError
        If the sample lacks what the test needs, or the test is not valid on it.
    UndecidableError
        If the values themselves admit no test.
    UnsupportedError
        If the theory does not cover the network.
    """
    return GATHER[claim.test](claim, simulation)


def _in_range(claim: Claim, place: Place) -> bool:
    return claim.layers is None or claim.layers[0] <= place[0] <= claim.layers[1]


def _columns(claim: Claim, table: Float64Array, places: Sequence[Place]) -> tuple[Float64Array, list[Place]]:
    """Keep the layers that the claim is about."""
    keep = [i for i, place in enumerate(places) if _in_range(claim, place)]
    if not keep:
        msg = f"no layer of {claim.quantity} lies in layers {claim.layers}; it has {sorted({p[0] for p in places})}"
        raise ValueError(msg)
    return table[:, keep], [places[i] for i in keep]


def _delta(claim: Claim) -> float:
    return math.log1p(claim.margin)


def _about_all_layers(findings: Sequence[Finding], delta: float, note: str) -> Evidence:
    """Judge a claim that every layer has to meet; the headline is the layer that decides."""
    outcomes = [finding.outcome for finding in findings]
    joint = equivalence.all_layers(outcomes, delta)
    decisive = findings[joint.deciding]

    def required(alpha: float, m: int) -> int | None:
        return power.networks_to_decide(decisive.outcome, delta, alpha=alpha, m=m, layers=len(outcomes))

    place = decisive.place
    said = f"decided by layer {place[0]}" if place is not None and len(findings) > 1 else ""
    return Evidence(
        tuple(findings),
        decisive,
        joint.p_equivalence,
        joint.p_refute,
        required,
        _join(said, note, decisive.outcome.note),
    )


def _about_one(layers: Sequence[Finding], headline: Finding, delta: float, note: str = "") -> Evidence:
    """Judge a claim about a single number."""

    def required(alpha: float, m: int) -> int | None:
        return power.networks_to_decide(headline.outcome, delta, alpha=alpha, m=m)

    return Evidence(
        tuple(layers),
        headline,
        equivalence.p_equivalence(headline.outcome, delta),
        equivalence.p_refute(headline.outcome, delta),
        required,
        _join(note, headline.outcome.note),
    )


def _join(*notes: str) -> str:
    return "; ".join(dict.fromkeys(note for note in notes if note))


def _step_mean(claim: Claim, simulation: Simulation) -> Evidence:
    ratios, places = step_ratios(simulation, get_theory(claim.theory or ""), claim.quantity)
    ratios, kept = _columns(claim, ratios, places)
    with _judging():
        outcomes = means.step_mean_layers(ratios)
    findings = [Finding(p, o, 1.0) for p, o in zip(kept, outcomes, strict=True)]
    return _about_all_layers(findings, _delta(claim), "gain of one step, relative to the theory's")


def cumulative_findings(simulation: Simulation, theory: str, quantity: str) -> list[Finding]:
    """Compare the mean over networks with a theory's prediction at every place where the theory has one.

    Raises
    ------
    ValueError
        If the theory says nothing of the quantity, or the prediction is 0.
    """
    said = {
        (p.layer, p.module): p.predicted
        for p in said_of(simulation.network, get_theory(theory), simulation.inputs)
        if p.quantity == quantity
    }
    table, places = Measured(simulation).table(quantity)
    keep = [i for i, place in enumerate(places) if place in said]
    if not keep:
        msg = f"theory {theory!r} says nothing of {quantity} in {simulation.network.label}"
        raise ValueError(msg)
    kept = [places[i] for i in keep]
    predicted = np.array([said[place] for place in kept])
    with _judging():
        outcomes = means.cumulative_mean(table[:, keep], predicted, product=is_product(simulation.network, quantity))
    return [Finding(p, o, value) for p, o, value in zip(kept, outcomes, predicted.tolist(), strict=True)]


def _cumulative_mean(claim: Claim, simulation: Simulation) -> Evidence:
    every = cumulative_findings(simulation, claim.theory or "", claim.quantity)
    findings = [f for f in every if f.place is None or _in_range(claim, f.place)]
    if not findings:
        msg = f"no layer of {claim.quantity} lies in layers {claim.layers}"
        raise ValueError(msg)
    end = findings[-1]
    said = f"over the whole depth, to layer {end.place[0]}" if end.place is not None else ""
    return _about_one(findings, end, _delta(claim), said)


def _rates(claim: Claim, simulation: Simulation, expected: float) -> tuple[growth.GrowthRate, list[Finding]]:
    """Both growth rates, and every step's mean gain on its own."""
    table, places = Measured(simulation).table(claim.quantity)
    table, kept = _columns(claim, table, places)
    product = is_product(simulation.network, claim.quantity)
    with _judging():
        rate = growth.growth_rate(table, expected=expected, product=product)
        pairs = [table[:, i - 1 : i + 1] for i in range(1, len(kept))]
        gains = [growth.growth_rate(pair, expected=expected, product=product).mean_network for pair in pairs]
    return rate, [Finding(place, gain, math.exp(expected)) for place, gain in zip(kept[1:], gains, strict=True)]


def _growth_rate(claim: Claim, simulation: Simulation) -> Evidence:
    said = cumulative_findings(simulation, claim.theory or "", claim.quantity)
    predicted = [f.predicted for f in said if f.place is not None and _in_range(claim, f.place)]
    if len(predicted) < 2:
        msg = f"a growth rate needs two layers or more, {claim.quantity} has {len(predicted)} in layers {claim.layers}"
        raise ValueError(msg)
    expected = math.log(predicted[-1] / predicted[0]) / (len(predicted) - 1)
    rate, steps = _rates(claim, simulation, expected)
    headline = Finding(None, rate.mean_network, math.exp(expected))
    return _about_one(steps, headline, _delta(claim), _both_rates(rate))


def _both_rates(rate: growth.GrowthRate) -> str:
    """Say the typical network's rate beside the mean network's, which the verdict is about."""
    typical = math.exp(rate.typical_network.theta + rate.expected)
    low, high = (math.exp(end + rate.expected) for end in rate.typical_network.interval(0.95))
    note = f"gain per layer of the mean network; of a typical one {typical:.4g} ({low:.4g} to {high:.4g})"
    return _join(note, rate.typical_network.note)


def _directional(claim: Claim, simulation: Simulation) -> Evidence:
    direction: equivalence.Direction = "below" if claim.below is not None else "above"
    factor = claim.below if claim.below is not None else claim.above
    threshold = math.log(factor) if factor is not None else 0.0
    # Estimated against the threshold, so that the ratio in the table is gain over threshold.
    rate, steps = _rates(claim, simulation, threshold)
    outcome = replace(rate.mean_network, test="directional")
    p_support, p_refute = equivalence.directional(outcome, 0.0, direction=direction)

    def required(alpha: float, m: int) -> int | None:
        return power.networks_to_decide_direction(outcome, 0.0, direction=direction, alpha=alpha, m=m)

    headline = Finding(None, outcome, math.exp(threshold))
    note = _join(f"claimed {direction} {math.exp(threshold):.4g} a layer", _both_rates(rate), outcome.note)
    return Evidence(tuple(steps), headline, p_support, p_refute, required, note)


def _zero_mean(claim: Claim, simulation: Simulation) -> Evidence:
    measured = Measured(simulation)
    first, places = measured.table("activation_mean")
    second = measured.table("activation_second_moment")[0]
    first, kept = _columns(claim, first, places)
    second, _ = _columns(claim, second, places)
    with _judging():
        outcomes = [means.zero_mean(first[:, i], second[:, i]) for i in range(len(kept))]
    findings = [Finding(place, o, 0.0, logarithmic=False) for place, o in zip(kept, outcomes, strict=True)]
    return _about_all_layers(findings, claim.margin, "mean over root mean square")


def _weights_law(claim: Claim, simulation: Simulation) -> Evidence:
    variances, centres = [], []
    for site, law, entries in draw_weights(simulation):
        place = (site.layer, site.module)
        if not _in_range(claim, place):
            continue
        prescribed = weight_variance(claim.theory or "", *site.fans)
        found = weights.weights_law(entries, mean=0.0, variance=prescribed, kurtosis=law.kurtosis(*site.fans))
        variances.append(Finding(place, found.variance, prescribed))
        # In units of a standard deviation, where the margin applies as it does to a ratio.
        centres.append(Finding(place, found.mean, 0.0, logarithmic=False))
    if not variances:
        msg = f"no layer with weights lies in layers {claim.layers}"
        raise ValueError(msg)
    # The claim is about both; the variance is what it is known for, so that is the row's number.
    delta = _delta(claim)
    spread = _about_all_layers(variances, delta, f"of single weights, {variances[0].outcome.n:,} draws of each law")
    centre = _about_all_layers(centres, delta, "")
    p_support, p_refute = equivalence.combine_layers(
        [spread.p_support, centre.p_support], [spread.p_refute, centre.p_refute]
    )
    low, high = centre.headline.outcome.interval(0.95)
    note = _join(f"mean over standard deviation {centre.headline.estimate:.2g} ({low:.2g} to {high:.2g})", spread.note)

    def required(alpha: float, m: int) -> int | None:
        needed = [side.required(alpha, m) for side in (spread, centre)]
        return None if None in needed else max(n for n in needed if n is not None)

    return Evidence((*variances, *centres), spread.headline, p_support, p_refute, required, note)


GATHER: dict[str, Callable[[Claim, Simulation], Evidence]] = {
    "step_mean": _step_mean,
    "cumulative_mean": _cumulative_mean,
    "growth_rate": _growth_rate,
    "directional": _directional,
    "zero_mean": _zero_mean,
    "weights_law": _weights_law,
}
