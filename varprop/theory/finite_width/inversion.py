r"""From a characteristic function to a distribution function, with the error known.

Gil-Pelaez' integral for P(X <= x), by the midpoint rule with step h:

.. math:: F(x) = \frac12 - \frac1\pi \sum_k \frac{\mathrm{Im}\,[\varphi(t_k) e^{-i t_k x}]}{k + 1/2},
   \qquad t_k = (k + \tfrac12) h.

The rule's error is at most P(X < x - 2 pi / h) + P(X > x + 2 pi / h) (Davies, 1973), so that h follows from Chernoff's
bounds for the tails; the sum ends where the characteristic function has died away.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from varprop._typing import Float64Array
from varprop.theory.finite_width.factors import ComplexArray

LogMgf = Callable[[ComplexArray], ComplexArray]

_TAIL = 1e-14  # probability left out at either end
_CUT = 1e-13  # of what the sum's last octave holds
_MOST = 2**15  # terms
_CHUNK = 2**20  # of terms times points, at a time


@dataclass(frozen=True, slots=True, eq=False)
class TabulatedLaw:
    """A characteristic function at t_k, of X less its mean, with the range outside of which X hardly ever is."""

    mean: float
    step: float
    values: ComplexArray
    low: float
    high: float
    error: float

    def cdf(self, x: Float64Array) -> Float64Array:
        """P(X <= x), elementwise."""
        centred = x - self.mean
        k = np.arange(self.values.size, dtype=np.float64) + 0.5
        inside = (centred > self.low) & (centred < self.high)
        result = np.where(centred < 0, 0.0, 1.0)
        summed = _sum(centred[inside], self.step, self.values / k).imag
        result[inside] = np.clip(0.5 - summed / math.pi, 0.0, 1.0)
        return result

    def pdf(self, x: Float64Array) -> Float64Array:
        """Density at x, elementwise."""
        centred = x - self.mean
        inside = (centred > self.low) & (centred < self.high)
        result = np.zeros_like(centred)
        result[inside] = np.maximum(_sum(centred[inside], self.step, self.values).real * self.step / math.pi, 0.0)
        return result

    def ppf(self, p: Float64Array) -> Float64Array:
        """Quantiles by Newton's method, kept inside a bracket that bisection narrows."""
        low, high = np.full_like(p, self.mean + self.low), np.full_like(p, self.mean + self.high)
        x = np.full_like(p, self.mean)
        going = np.ones(p.shape, dtype=bool)  # most are there in six steps, a few far out take fifty
        for _ in range(200):
            at = x[going]
            miss, density = self.cdf(at) - p[going], self.pdf(at)
            low[going], high[going] = np.where(miss < 0, at, low[going]), np.where(miss < 0, high[going], at)
            newton = at - np.divide(miss, density, out=np.full_like(at, np.inf), where=density > 0)
            inside = (newton > low[going]) & (newton < high[going])
            after = np.where(inside, newton, (low[going] + high[going]) / 2)
            there = np.abs(after - at) <= 4 * np.finfo(np.float64).eps * (1 + np.abs(at))
            x[going] = np.where(there, at, after)
            going[going] = ~there
            if not going.any():
                break
        return x


def tabulate(log_mgf: LogMgf, *, mean: float, sd: float, lowest: float, highest: float) -> TabulatedLaw:
    """Tabulate a characteristic function as finely and as far as its distribution function needs."""
    low, high = _range(log_mgf, mean, sd, lowest)
    step = 2 * math.pi / (high - low)
    blocks: list[ComplexArray] = []
    most = _MOST if math.isinf(highest) else min(_MOST, math.floor(highest / step))
    count, target = 0, min(most, max(16, math.ceil(4 / sd / step)))
    error = math.inf
    while count < target and not (count and error < _CUT):
        k = np.arange(count, target, dtype=np.float64) + 0.5
        s = (1j * step * k).astype(np.complex128)
        blocks.append(np.exp(log_mgf(s) - s * mean))
        error = float(np.sum(np.abs(blocks[-1]) / k)) / math.pi
        count, target = target, min(most, 2 * target)
    # Of what decays at least like t^(-1/2), all octaves together hold less than 3.5 times the first.
    return TabulatedLaw(mean, step, np.concatenate(blocks), low, high, 3.5 * error + 2 * _TAIL)


def _range(log_mgf: LogMgf, mean: float, sd: float, lowest: float) -> tuple[float, float]:
    """Chernoff: P(X - mean < -c) <= E[exp(-s (X - mean))] exp(-s c), the smallest c over s; and the upper tail likewise."""
    s = np.geomspace(0.25, 40, 60) / sd
    below = np.minimum(s, -0.98 * lowest)

    def reach(at: Float64Array) -> float:
        bound = (log_mgf(at.astype(np.complex128)).real - at * mean - math.log(_TAIL)) / np.abs(at)
        return float(bound[np.isfinite(bound)].min())

    return -reach(-below), reach(s)


def _sum(x: Float64Array, step: float, weights: ComplexArray) -> ComplexArray:
    """Sum over k of weights_k exp(-i (k + 1/2) step x).

    With k = j m + r and m near the root of the number of terms, the exponential is a product of two; so few of them are
    needed, and what is left is a product of matrices.
    """
    columns = math.ceil(math.sqrt(weights.size))
    rows = -(-weights.size // columns)
    table = np.zeros((rows, columns), dtype=np.complex128)
    table.reshape(-1)[: weights.size] = weights
    coarse, fine = np.arange(rows) * columns * step, (np.arange(columns) + 0.5) * step
    result = np.empty(x.shape, dtype=np.complex128)
    chunk = max(1, _CHUNK // (rows + columns))
    for start in range(0, x.size, chunk):
        part = slice(start, start + chunk)
        inner = np.exp(-1j * np.outer(x[part], coarse)) @ table
        result[part] = np.einsum("xr,xr->x", inner, np.exp(-1j * np.outer(x[part], fine)))
    return result
