"""Parts of an audit: what draws say for and against a law."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np

from varprop._typing import Float64Array
from varprop.model.initializers import Initializer
from varprop.model.laws import Constant, Fans, Orthogonal, Scaled
from varprop.model.shapes import RADEMACHER, Sparse
from varprop.stats import equivalence
from varprop.stats.atoms import stepped_law
from varprop.stats.dependence import dependence
from varprop.stats.laws import LawFit
from varprop.stats.outcome import Outcome
from varprop.stats.power import networks_to_decide
from varprop.stats.weights import WeightsLaw, weights_law
from varprop.verification.audit.result import Limits, Part

ROUNDING = 1e-6
"""Relative difference that single precision explains."""
_LEVEL = 0.95
_EQUAL_DRAWS = 2.0**-20
"""More than the probability that two draws of a continuous law are equal in single precision."""


def is_near(arrays: Float64Array, variance: float, margin: float) -> bool:
    """Whether the mean square of all entries lies within the margin of a variance."""
    return abs(math.log(float(np.mean(arrays**2)) / variance)) < math.log1p(margin)


def moments_and_law(arrays: Float64Array, law: Initializer, fans: Fans, limits: Limits) -> list[Part]:
    """Mean, variance, distribution and bounds of single entries, which are independent."""
    variance, mean = law.variance(*fans), law.mean(*fans)
    found, fit = _judge(arrays, law, fans)
    std, off = math.sqrt(variance), found.mean.theta
    low, high = found.mean.interval(_LEVEL)
    ratio = math.exp(found.variance.theta)
    least, most = found.variance.interval(_LEVEL)
    parts = [
        replace(
            _within("mean", found.mean, limits.margin, limits),
            estimate=mean + std * off,
            predicted=mean,
            low=mean + std * low,
            high=mean + std * high,
            note=f"{off:.2g} standard deviations from the law's",
        ),
        replace(
            _within("variance", found.variance, math.log1p(limits.margin), limits),
            estimate=variance * ratio,
            predicted=variance,
            low=variance * math.exp(least),
            high=variance * math.exp(most),
            margin=limits.margin,
            note=f"{ratio:.4g} times the law's{_implied_fan(law, fans, ratio)}",
        ),
    ]
    if fit is not None:
        low, high = fit.interval(_LEVEL)
        part = _within("distribution", fit, limits.distance, limits)
        parts.append(replace(part, estimate=fit.theta, predicted=0.0, low=low, high=high, note="Kolmogorov distance"))
        note = "" if found.within_bounds else f"from {arrays.min():.4g} to {arrays.max():.4g}, where the law never is"
        parts.append(Part.certain("bounds", holds=found.within_bounds, note=note))
    return parts


def _judge(arrays: Float64Array, law: Initializer, fans: Fans) -> tuple[WeightsLaw, LawFit | None]:
    """Draws against moments and distribution function, whichever are known."""
    entries = arrays.ravel()
    variance, mean = law.variance(*fans), law.mean(*fans)
    # Of the law's kurtosis and the draws' the larger: the law's is the better one if it is right, and where it is not
    # the error must not come out too small. A law of two values has none at all, but for rounding.
    kurtoses = [1.0 + ROUNDING, kurtosis_of(entries, mean), known_kurtosis(law, fans)]

    def cdf(x: Float64Array) -> Float64Array:
        return law.cdf(x, fan_in=fans.fan_in, fan_out=fans.fan_out)

    found = weights_law(
        entries, mean=mean, variance=variance, kurtosis=float(np.nanmax(kurtoses)), cdf=cdf if law.continuous else None
    )
    if law.continuous:
        return found, found.distribution
    if isinstance(law.law, Scaled):
        return found, stepped_law(_on_atoms(entries, law.law, fans), cdf, test="weights_law_distribution")
    return found, None  # the distribution function of a sampler of one's own is not known


def kurtosis_of(draws: Float64Array, mean: float) -> float:
    """Fourth moment over the squared second, both about a mean that is known; NaN if nothing departs from it."""
    squares = (draws - mean) ** 2
    average = float(squares.mean())
    return float(np.mean(squares**2)) / average**2 if average else math.nan


def known_kurtosis(law: Initializer, fans: Fans) -> float:
    """The law's kurtosis; NaN of a sampler of one's own that states none, and of a constant."""
    known = isinstance(law.law, Scaled | Orthogonal) or getattr(law.law, "kurtosis", None) is not None
    return law.kurtosis(*fans) if known and law.variance(*fans) else math.nan


def _on_atoms(entries: Float64Array, law: Scaled, fans: Fans) -> Float64Array:
    """Undo the rounding of draws to single precision where a law has two values."""
    if law.shape != RADEMACHER:
        return entries  # of the others the only atom is 0, which nothing rounds to or from
    scale = law.scale(fans)
    near = np.abs(np.abs(entries) - scale) <= ROUNDING * scale
    return np.where(near, np.copysign(scale, entries), entries)


def _within(name: str, outcome: Outcome, delta: float, limits: Limits) -> Part:
    """Evidence that an outcome lies within a margin, and that it does not."""
    p_support, p_refute = equivalence.p_equivalence(outcome, delta), equivalence.p_refute(outcome, delta)
    needed = None
    if min(p_support, p_refute) > limits.alpha:
        plan = outcome.networks_to_decide if isinstance(outcome, LawFit) else partial(networks_to_decide, outcome)
        needed = plan(delta, alpha=limits.alpha)
    return Part(
        name=name,
        p_support=p_support,
        p_refute=p_refute,
        pvalue=outcome.pvalue,
        margin=delta,
        n_required=needed,
    )


def _implied_fan(law: Initializer, fans: Fans, ratio: float) -> str:
    """The fan that a law scaled by one would have this variance with."""
    if not isinstance(law.law, Scaled) or law.law.mode is None:
        return ""
    stated = law.law.size / law.law.scale(fans) ** 2
    return f", as if {law.law.mode} were {stated / ratio:.4g}, not {stated:g}"


def constancy(arrays: Float64Array, value: float) -> Part:
    """Every entry is one number, but for rounding."""
    worst = float(np.abs(arrays - value).max())
    holds = worst <= ROUNDING * abs(value)
    note = "" if holds else f"off {value:g} by up to {worst:.4g}"
    mean = float(arrays.mean())
    return Part.certain("values", holds=holds, gate=False, estimate=mean, predicted=value, note=note)


def repeats(arrays: Float64Array, law: Initializer, alpha: float) -> Part | None:
    """Whether some call returned what another had; None where chance could do that."""
    calls, size = len(arrays), arrays[0].size
    if math.log(calls * calls) + size * math.log(_collision(law)) > math.log(alpha / 100):
        return None
    distinct = len({array.tobytes() for array in arrays})
    note = "" if distinct == calls else f"{calls:,} calls gave {distinct:,} different arrays"
    return Part.certain("repeats", holds=distinct == calls, note=note)


def _collision(law: Initializer) -> float:
    """At least the probability that two draws of an entry are equal."""
    if law.continuous:
        return _EQUAL_DRAWS
    match law.law:
        case Scaled(Sparse(density)):
            return (1 - density) ** 2 + _EQUAL_DRAWS
        case Scaled():
            return 0.5
    return 1 - 1e-3  # a sampler of one's own: anything but a constant


def independence(arrays: Float64Array, *, margin: float, rng: np.random.Generator) -> Part:
    """Dependence between entries and between calls; what is within the margin is none."""
    looks = dependence(arrays, rng=rng)
    against = {name: equivalence.p_refute(outcome, math.log1p(margin)) for name, outcome in looks.items()}
    worst = min(against, key=lambda name: (against[name], looks[name].pvalue))
    pvalue = min(1.0, len(looks) * min(outcome.pvalue for outcome in looks.values()))
    return Part(
        name="independence",
        p_support=0.0,
        p_refute=min(1.0, len(looks) * against[worst]),
        pvalue=pvalue,
        gate=True,
        margin=margin,
        note=f"{len(looks)} looks, most against it {worst}: {looks[worst].theta:.2g}, p = {looks[worst].pvalue:.2g}",
    )


def constant_value(law: Initializer, fans: Fans) -> float | None:
    """The one number that a law gives, if it gives one."""
    if isinstance(law.law, Constant):
        return law.law.value
    if isinstance(law.law, Scaled | Orthogonal) and law.variance(*fans) == 0:
        return 0.0
    return None
