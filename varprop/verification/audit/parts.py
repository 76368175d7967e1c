"""Parts of an audit: what draws say for and against a law, of independent entries and of orthogonal matrices."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np

from varprop._typing import Float64Array
from varprop.model.initializers import Initializer
from varprop.model.laws import Constant, Fans, Orthogonal, Scaled
from varprop.model.shapes import RADEMACHER
from varprop.stats import equivalence, inspections
from varprop.stats.copies import mean_square
from varprop.stats.haar_battery import DETERMINANTS_FROM, draws_needed, haar
from varprop.stats.inspections import Inspection
from varprop.stats.law_fits import LawFit
from varprop.stats.outcome import Outcome
from varprop.stats.power import networks_to_decide
from varprop.stats.signs import dependence
from varprop.stats.weights import WeightsLaw, stepped_law, weights_law
from varprop.verification.audit.drawing import EQUAL_DRAWS, collision, told
from varprop.verification.audit.result import Candidate, Limits, Part

ROUNDING = 1e-6
"""Relative difference that single precision explains."""
_LEVEL = 0.95


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
            _variance(found.variance, arrays, law, fans, limits),
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

    def cdf(x: Float64Array) -> Float64Array:
        return law.cdf(x, fan_in=fans.fan_in, fan_out=fans.fan_out)

    kurtosis = _kurtosis(entries, law, fans)
    found = weights_law(entries, mean=mean, variance=variance, kurtosis=kurtosis, cdf=cdf if law.continuous else None)
    if law.continuous:
        return found, found.distribution
    if isinstance(law.law, Scaled):
        return found, stepped_law(_on_atoms(entries, law.law, fans), cdf, test="weights_law_distribution")
    return found, None  # the distribution function of a sampler of one's own is not known


def _kurtosis(entries: Float64Array, law: Initializer, fans: Fans) -> float:
    """Of the law's and the draws' the larger: the law's is the better one if it is right, and else no error is too small."""
    # A law of two values has none at all, but for rounding.
    return float(np.nanmax([1.0 + ROUNDING, kurtosis_of(entries, law.mean(*fans)), known_kurtosis(law, fans)]))


def _variance(outcome: Outcome, arrays: Float64Array, law: Initializer, fans: Fans, limits: Limits) -> Part:
    """As `_within`, but refuted by inequalities that hold for tails of any weight and any number of draws."""
    delta = math.log1p(limits.margin)
    part = _within("variance", outcome, delta, limits)
    moments = {"mean": law.mean(*fans), "variance": law.variance(*fans), "kurtosis": _kurtosis(arrays, law, fans)}
    found = mean_square(arrays, **moments)
    p_refute = min(1.0, 2.0 * min(found.p_above(delta), found.p_below(-delta)))
    needed = None
    if min(part.p_support, p_refute) > limits.alpha:
        needed = networks_to_decide(outcome, delta, alpha=limits.alpha)
        if needed is not None and abs(outcome.theta) > delta:  # inequalities take up to twice the draws to refute
            needed = max(2 * needed, outcome.n + 1)
    pvalue = min(1.0, 2.0 * min(found.p_above(0.0), found.p_below(0.0)))
    return replace(part, p_refute=p_refute, pvalue=pvalue, n_required=needed)


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
    if isinstance(law.law, Orthogonal):
        size = free_numbers(*sorted((arrays.shape[1], arrays[0].size // arrays.shape[1])))
    if math.log(calls * calls) + size * math.log(collision(law)) > math.log(alpha / 100):
        return None
    distinct = len({array.tobytes() for array in arrays})
    note = "" if distinct == calls else f"{calls:,} calls gave {distinct:,} different arrays"
    return Part.certain("repeats", holds=distinct == calls, cause="same_array", note=note)


def free_numbers(k: int, d: int) -> int:
    """Numbers that a d x k matrix with orthonormal columns leaves free, k <= d."""
    return d * k - k * (k + 1) // 2


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


MEANINGS = {
    "shape": "the shape that was asked for",
    "values": "finite numbers, of more than one value unless the law has one",
    "mean": "the mean, within the margin",
    "variance": "the variance, within the margin",
    "distribution": "Kolmogorov's distance from the law, within its margin",
    "bounds": "draws where the law never is",
    "symmetry": "signs against magnitudes, where the author of a sampler declares symmetry about 0",
    "repeats": "calls that return the same array",
    "permutation": "calls that return one array's numbers in another order",
    "replay": "a run of numbers that comes again: a generator of a short period",
    "transpose": "matrices that are their own transpose, or the negative of it",
    "lines": "two rows, columns or channels that are equal, opposite or correlated",
    "independence": "dependence within rows and columns, between neighbours and between calls",
    "orthogonality": "orthonormal rows or columns, within rounding",
    "list in full": "whether there are enough matrices for the list of departures from Haar's law",
    "draws": "sums, signs, entries, traces and fourth powers of orthogonal matrices",
    "left rotations": "the same of Q' = R Q, by which each matrix comes from the one before",
    "right rotations": "the same of Q' = Q R",
    "determinants": "as many determinants of 1 as of -1",
    "entries": "matrices with the entries of the one before, but for order and signs",
}
"""By the name of the part, in the order in which parts are told."""


# ---- orthogonal matrices ---------------------------------------------------------------------------------------------


NOTHING_FOUND = "no departure of the list was found, which is not to say that the matrices are uniformly random (Haar)"
"""What a supported orthogonal law comes to."""


def flattened(arrays: Float64Array, gain: float) -> Float64Array:
    """Arrays as matrices: channels first where their rows or columns are orthogonal then, else channels last."""
    first = arrays.reshape(len(arrays), arrays.shape[1], -1)
    last = arrays.reshape(len(arrays), -1, arrays.shape[-1])
    return min((first, last), key=lambda matrices: _departure(matrices[:1], gain))


def calls_needed(shape: tuple[int, ...]) -> int:
    """Arrays of that shape from which on an orthogonal law can be supported, in the layout that takes fewer of them."""
    size = math.prod(shape)
    return min(draws_needed(side, size // side) for side in (shape[0], shape[-1]))


def orthogonal_parts(matrices: Float64Array, law: Orthogonal, alpha: float) -> list[Part]:
    """Orthogonality within rounding, and the list of departures from the uniform law (Haar), if it means anything."""
    worst = _departure(matrices, law.gain)
    rows, columns = matrices.shape[1:]
    holds = worst <= ROUNDING * max(rows, columns)
    note = f"W W' is gain^2 I but for {worst:.2g} of gain^2"
    parts = [Part.certain("orthogonality", holds=holds, gate=False, note=note)]
    if not holds:
        return parts
    found = haar(matrices / law.gain)
    listed = (_listed(name, one) for name, one in found.items())
    return [*parts, _complete(len(matrices), rows, columns), *listed, *_same_entries(matrices, alpha)]


def _complete(calls: int, rows: int, columns: int) -> Part:
    """Whether there are enough matrices for the list to be one in full; else nothing is supported by it."""
    needed = draws_needed(rows, columns)
    enough = calls >= needed
    note = f"{calls:,} matrices, of {needed:,} that the list takes"
    if rows == columns and calls < DETERMINANTS_FROM:
        note += f"; signs of determinants take {DETERMINANTS_FROM} and were not looked at"
    return Part(
        name="list in full",
        p_support=0.0 if enough else 1.0,
        p_refute=1.0,
        n_required=None if enough else needed * rows * columns,
        note=note,
    )


def _listed(name: str, found: dict[str, Inspection]) -> Part:
    """One kind of matrices. The laws are exact, or bounded, so that they need no margin to be refuted."""
    worst, p = inspections.worst(found), inspections.family(found)
    return Part(
        name=name,
        p_support=0.0,
        p_refute=p,
        pvalue=p,
        gate=True,
        note=f"{len(found)} looks, most against it {worst}: {told(found[worst])}",
    )


def _same_entries(matrices: Float64Array, alpha: float) -> list[Part]:
    """Whether a matrix is the one before with rows or columns exchanged, or their signs; nothing where chance could do that."""
    calls, rows, columns = matrices.shape
    free = free_numbers(*sorted((rows, columns)))
    if math.log(max(1, calls - 1)) + free * math.log(EQUAL_DRAWS) > math.log(alpha / 100):
        return []
    sizes = np.sort(np.abs(matrices).reshape(calls, -1), axis=1)
    same = int((sizes[1:] == sizes[:-1]).all(axis=1).sum())
    note = f"{same:,} of {calls - 1:,} matrices have the entries of the one before, but for order and signs"
    return [Part.certain("entries", holds=not same, cause="permuted_array", note=note)]


def half_the_variance(matrices: Float64Array, law: Orthogonal) -> list[Candidate]:
    """The one cause that an orthogonal law shares with the others."""
    tolerance = ROUNDING * max(matrices.shape[1:])
    found = []
    for ratio, meaning in ((0.5, "a gain of sqrt(2) was left out"), (0.25, "a gain of 2 was left out")):
        holds = _departure(matrices, law.gain * math.sqrt(ratio)) <= tolerance
        found.append(
            Candidate(cause="factor_2_missing", meaning=meaning, ratio=ratio, p_support=1.0 - holds, supported=holds)
        )
    return found


def _departure(matrices: Float64Array, gain: float) -> float:
    """Largest entry of W W' / gain^2 - I, of the shorter side, over all matrices."""
    rows, columns = matrices.shape[1:]
    side = matrices if rows <= columns else np.swapaxes(matrices, 1, 2)
    products = side @ np.swapaxes(side, 1, 2)
    return float(np.abs(products / gain**2 - np.eye(side.shape[1])).max())
