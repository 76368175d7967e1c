"""Tests of an initialiser's draws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from varprop._arguments import quoted
from varprop._typing import Float64Array, FloatArray
from varprop.model.initializers import Initializer
from varprop.model.network import read_steps
from varprop.model.shapes import TRUNCATED_VARIANCE
from varprop.model.simulation import Simulation
from varprop.model.sites import Site
from varprop.numerics.randomness import named_generator
from varprop.stats import equivalence
from varprop.stats.law_fits import LawFit
from varprop.stats.weights import Independence, WeightsLaw, independence, matching_variances, weights_law
from varprop.theory.rules import weight_variance
from varprop.verification.claims import Claim, Test, register
from varprop.verification.columns import jointly
from varprop.verification.questions import Evidence, Finding, join_notes, p_value


@register
class InitialWeightsTest(Test):
    """Single weights beside the law they state."""

    name = "weights_law"
    meaning = "independent weights follow the law they state, with mean 0 and the variance that a theory, if given, prescribes"
    quantities = ("weights",)
    theory = "optional"
    margin = "ratio"
    point_null = True
    own_draws = True
    whole = True
    any_number = "decided by draws of single weights, not by networks"
    standardised = True

    def theory_problem(self, theory: str, _quantity: Any) -> str:
        """Say why a theory does not go with a claim about weights; empty if it does."""
        return (
            ""
            if theory in {"xavier", "he"}
            else f"{quoted(theory)} prescribes no variance of the weights; use 'xavier' or 'he'"
        )

    def ask(self, claim: Claim, simulation: Simulation) -> Evidence:
        """Hold draws of every law in a network against what it states, or against the variance that a theory prescribes.

        Supported is a claim of which mean, variance and distribution lie within the margin. Independence of entries and the
        law's bounds are tested too, and can refute it.
        """
        variances, centres, shapes, looks, notes = [], [], [], [], []
        bounded = True
        for site, law, matrices in draw_weights(simulation):
            place = site.place
            if not claim.covers(place):
                continue
            stated = law.variance(*site.fans)
            prescribed = weight_variance(claim.theory, *site.fans) if claim.theory else stated
            found = _judge(law, site, matrices, prescribed)
            variances.append(Finding(place, found.variance, prescribed))
            # In units of a standard deviation, where the margin applies as it does to a ratio.
            centres.append(Finding(place, found.mean, 0.0, scale="difference"))
            if found.distribution is not None:
                shapes.append(Finding(place, found.distribution, 0.0, scale="difference"))
            if min(matrices.shape[1:]) > 1:
                looks.append(independence(matrices, variance=stated, kurtosis=law.kurtosis(*site.fans)))
            bounded = bounded and found.within_bounds
            notes.append(_cause(claim, law, site, matrices, found))
        if not variances:
            msg = f"no layer with weights lies in layers {claim.layers}"
            raise ValueError(msg)
        return _together(claim, (variances, centres, shapes), looks, notes, bounded=bounded)


def _judge(law: Initializer, site: Site, matrices: FloatArray, prescribed: float) -> WeightsLaw:
    fan_in, fan_out = site.fans
    kurtosis = law.kurtosis(fan_in, fan_out)

    def cdf(x: Float64Array) -> Float64Array:
        return law.cdf(x, fan_in=fan_in, fan_out=fan_out)

    return weights_law(matrices, variance=prescribed, kurtosis=kurtosis, cdf=cdf if law.continuous else None)


def _together(
    claim: Claim,
    findings: tuple[list[Finding], list[Finding], list[Finding]],
    looks: list[Independence],
    notes: list[str],
    *,
    bounded: bool,
) -> Evidence:
    """One verdict from all of it; the row's number is the variance, which the claim is known for."""
    variances, centres, shapes = findings
    parts = [jointly(variances, claim.log_margin), jointly(centres, claim.log_margin)]
    if shapes:
        parts.append(jointly(shapes, claim.margin))
    p_support, p_refute = [part.p_support for part in parts], [part.p_refute for part in parts]
    if looks:
        against = [equivalence.p_refute(o, claim.margin) for look in looks for o in look.looks.values()]
        dependent = min(1.0, len(against) * min(against))
        p_refute.append(dependent)
        p_support.append(0.0 if dependent > 0.5 else 1.0)
    p_refute.append(1.0 if bounded else 0.0)
    p_support.append(0.0 if bounded else 1.0)
    points = [part.headline.outcome.pvalue for part in parts]
    points += [len(shapes) * f.outcome.second_pvalue for f in shapes if isinstance(f.outcome, LawFit)]
    points += [len(looks) * look.pvalue for look in looks]
    kinds = len(parts) + bool(shapes) + bool(looks)
    exact = min(1.0, kinds * min(points))
    headline = replace(parts[0].headline, outcome=replace(parts[0].headline.outcome, pvalue=exact if bounded else 0.0))
    low, high = parts[1].headline.outcome.interval(0.95)
    centre = f"mean over standard deviation {parts[1].headline.estimate:.2g} ({low:.2g} to {high:.2g})"
    note = join_notes(
        parts[0].note,
        f"of single weights, {variances[0].outcome.n:,} draws of each law",
        centre,
        f"Kolmogorov distance {parts[2].headline.estimate:.2g}" if shapes else "",
        f"independence of entries {p_value(min(1.0, len(looks) * min(look.pvalue for look in looks)))}"
        if looks
        else "",
        "" if bounded else "draws lie outside the law's bounds",
        *notes,
    )
    layers = (*variances, *centres, *shapes)
    # More networks decide nothing: the draws are of their own, and as many whatever the sample.
    return Evidence(layers, headline, *equivalence.combine_layers(p_support, p_refute), None, note)


def _cause(claim: Claim, law: Initializer, site: Site, matrices: FloatArray, found: WeightsLaw) -> str:
    """Name the classical fault that a wrong variance is the mark of."""
    if not claim.theory or abs(found.variance.theta) <= claim.log_margin:
        return ""
    fan_in, fan_out = site.fans
    kurtosis = law.kurtosis(fan_in, fan_out)
    right = weight_variance(claim.theory, fan_in, fan_out)
    candidates = {"a normal law cut at two standard deviations and not rescaled": TRUNCATED_VARIANCE * right}
    if fan_in != fan_out:
        candidates["fan_in and fan_out exchanged"] = weight_variance(claim.theory, fan_out, fan_in)
    matching = matching_variances(matrices, candidates, kurtosis=kurtosis)
    return f"layer {site.number} has the variance of {' or '.join(matching)}" if matching else ""


N_DRAWS = 10**6
"""Of each law: the standard error of a normal law's variance is then 0.14 %."""


def draw_weights(simulation: Simulation) -> Iterator[tuple[Site, Initializer, FloatArray]]:
    """Draw weights of every different law in a network, the first layer that has it standing for all."""
    seen = set()
    for step in read_steps(simulation.architecture, "weights_law"):
        site, weights = step.site, step.weights
        if (weights.label, site.fans) in seen:
            continue
        seen.add((weights.label, site.fans))
        fan_in, fan_out = site.fans
        if not weights.iid:
            msg = (
                f"weights_law needs independent entries, and those of {weights.label} are not known to be; "
                "test what the layers measure instead, with step_mean or cumulative_mean"
            )
            raise ValueError(msg)
        # A variance of 0 has no kurtosis, and its test says so.
        if weights.variance(*site.fans) > 0 and weights.kurtosis(*site.fans) == math.inf:
            msg = (
                f"weights_law tests the variance with an error that takes a fourth moment, and {weights.label} has "
                "none; take more than 4 degrees of freedom"
            )
            raise ValueError(msg)
        rng = named_generator(simulation.seed, f"weights {weights.label} {fan_in} {fan_out}")
        yield site, weights, weights.sample(_stack(fan_in, fan_out), fan_in=fan_in, fan_out=fan_out, rng=rng)


def _stack(fan_in: int, fan_out: int) -> tuple[int, int, int]:
    """Shape of so many matrices, or rows of one that has more, that they hold the weights wanted."""
    rows = min(fan_out, math.ceil(N_DRAWS / fan_in))
    return math.ceil(N_DRAWS / (rows * fan_in)), rows, fan_in
