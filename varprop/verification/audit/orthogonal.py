"""Matrices with orthonormal rows or columns: their entries depend on each other, so the law is that of the whole matrix."""

from __future__ import annotations

import math

import numpy as np

from varprop._typing import Float64Array
from varprop.model.laws import Fans, Orthogonal
from varprop.stats.laws import law_fit
from varprop.stats.means import mean_outcome
from varprop.stats.outcome import Outcome
from varprop.verification.audit.parts import ROUNDING
from varprop.verification.audit.result import Candidate, Part

_CALLS = 30  # from which on t-tests over calls are as good as their level


def flattened(arrays: Float64Array, gain: float) -> Float64Array:
    """Arrays as matrices: channels first where their rows or columns are orthogonal then, else channels last."""
    first = arrays.reshape(len(arrays), arrays.shape[1], -1)
    last = arrays.reshape(len(arrays), -1, arrays.shape[-1])
    return min((first, last), key=lambda matrices: _departure(matrices[:1], gain))


def orthogonal_parts(matrices: Float64Array, law: Orthogonal, *, rng: np.random.Generator) -> list[Part]:
    """Orthogonality within rounding, and spot checks that the rotation is uniformly random (Haar).

    The checks are two of which the law is known exactly: the form u' W v of fixed random unit vectors u and v, which is an
    entry of a matrix of the same law, and the mean of the diagonal, which QR without fixed signs makes negative.
    """
    worst = _departure(matrices, law.gain)
    rows, columns = matrices.shape[1:]
    d, k = max(rows, columns), min(rows, columns)
    note = f"W W' is gain^2 I but for {worst:.2g} of gain^2"
    if len(matrices) < _CALLS:
        note += f"; whether it is uniformly random takes {_CALLS} matrices, there are {len(matrices)}"
    parts = [Part.certain("orthogonality", holds=worst <= ROUNDING * d, gate=False, note=note)]
    if len(matrices) < _CALLS:
        return parts
    u, v = rng.standard_normal(rows), rng.standard_normal(columns)
    forms = np.einsum("nij,i,j->n", matrices, u / np.linalg.norm(u), v / np.linalg.norm(v)) / law.gain
    if d > 1:
        fit = law_fit("weights_law_haar", Orthogonal(1.0).cdf(forms, Fans(columns, rows)))
        note = "Kolmogorov distance of u' W v from the law of an entry"
        parts.append(_gate("direction", fit, note))
    # A trace over sqrt(k / d) has mean 0 and variance 1: entries are uncorrelated, each of variance 1 / d.
    traces = np.einsum("nii->n", matrices[:, :k, :k]) / (law.gain * math.sqrt(k / d))
    note = "mean trace in its standard deviations; below 0 where QR's signs were left as they came"
    parts.append(_gate("diagonal", mean_outcome("weights_law_haar", traces), note))
    return parts


def _gate(name: str, outcome: Outcome, note: str) -> Part:
    """A law that is exact, so that it needs no margin to be refuted."""
    p = outcome.pvalue
    return Part(name=name, p_support=0.0, p_refute=p, pvalue=p, gate=True, estimate=outcome.theta, note=note)


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
