"""The law of the logarithm of a product of independent factors: distribution, quantiles and moments."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, overload

import numpy as np

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.inputs import real_array
from varprop.theory.finite_width.factors import ComplexArray, Factor

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


LawQuantity = Literal[
    "preactivation_second_moment",
    "conditional_variance",
    "activation_second_moment",
    "gradient_second_moment",
    "weight_gradient_second_moment",
]
_ACCURACY = 1e-6
"""Of the distribution function: what cannot be computed as well is refused."""
_ROUNDING = 1e-12
_LARGEST_LOG = math.log(sys.float_info.max)


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteWidthLaw:
    r"""Exact law of ln q over random networks, given that the signal is alive (q > 0).

    q is the mean square over one layer's units, a constant times a product of independent factors. Made by
    `finite_width_law`.

    Parameters
    ----------
    layer : int
        1 is the first layer with weights.
    quantity : str
        Which mean square q is.
    offset : float
        Logarithm of the constant.
    factors : tuple of (Factor, int)
        Each factor and how often it occurs, independently.
    dead_probability : float
        P(q = 0).

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([64] * 11, activation="relu", weights="he_normal")
    >>> law = vp.theory.finite_width_law(net, 10)
    >>> round(law.mean, 4), round(law.var, 4)
    (0.3165, 0.7787)
    >>> round(law.second_moment_mean, 12)
    2.0
    >>> round(law.cdf(law.ppf(0.975)), 9)
    0.975
    """

    layer: int
    quantity: LawQuantity
    offset: float
    factors: tuple[tuple[Factor, int], ...]
    dead_probability: float

    @property
    def mean(self) -> float:
        """E[ln q], given that q > 0."""
        return self.offset + math.fsum(count * factor.log_moments[0] for factor, count in self.factors)

    @property
    def var(self) -> float:
        """Var(ln q), given that q > 0."""
        return math.fsum(count * factor.log_moments[1] for factor, count in self.factors)

    @property
    def std(self) -> float:
        """Standard deviation of ln q, given that q > 0."""
        return math.sqrt(self.var)

    @property
    def second_moment_mean(self) -> float:
        """E[q] over all networks, dead ones (q = 0) included."""
        return math.exp(self.offset + self._log_mean()) * self._alive_beside_the_factors()

    @property
    def second_moment_variance(self) -> float:
        """Var(q) over all networks, dead ones (q = 0) included."""
        relative = math.expm1(math.fsum(n * math.log1p(factor.moments[1]) for factor, n in self.factors))
        mean, alive = math.exp(self.offset + self._log_mean()), self._alive_beside_the_factors()
        return mean**2 * alive * (relative + 1 - alive)

    @checked
    def moment(self, order: float) -> float:
        """E[q^order] over all networks, dead ones included, for any real order > 0.

        Parameters
        ----------
        order : float
            Exponent, > 0.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If the order is not positive, or the moment past the largest float.
        TypeError
            If an argument is of another kind.

        Examples
        --------
        >>> import varprop as vp
        >>> net = vp.mlp([64, 64, 64], activation="relu", weights="he_normal")
        >>> law = vp.theory.finite_width_law(net, 1, quantity="activation_second_moment")
        >>> [round(law.moment(k), 6) for k in (1, 2, 3)]
        [1.0, 1.078125, 1.245117]
        """
        if not (math.isfinite(order) and order > 0):
            msg = f"order must be finite and > 0, got {quoted(order)}"
            raise ValueError(msg)
        log_moment = float(self._log_mgf(np.array([order + 0j]))[0].real)
        if not log_moment <= _LARGEST_LOG:  # NaN too, from an order at which the factors' own moments are no numbers
            msg = f"E[q^order] at order = {order:g} is past the largest float; ask for a lower order"
            raise ValueError(msg)
        return (1 - self.dead_probability) * math.exp(log_moment)

    @property
    def cdf_error(self) -> float:
        """Bound on the absolute error of `cdf`: 1e-12 with Gaussian weights, up to 1e-6 with orthogonal ones.

        The latter in few and narrow layers, where the distribution function has jumps or cusps.
        """
        return max(_table(self).error, _ROUNDING) if self.factors else 0.0

    @overload
    def cdf(self, x: float) -> float: ...
    @overload
    def cdf(self, x: Float64Array) -> Float64Array: ...
    def cdf(self, x: float | Float64Array) -> float | Float64Array:
        """P(ln q <= x), given that q > 0.

        Parameters
        ----------
        x : float or ndarray
            Values of ln q.

        Returns
        -------
        float or ndarray, as x
            With an absolute error below `cdf_error`.

        Raises
        ------
        ValueError
            If x is NaN, or the law cannot be computed to 1e-6: with orthogonal weights in few and narrow layers.
        TypeError
            If it is no real number, or array of them.
        """
        values = _numbers("x", x)
        if not self.factors:
            return _like(x, np.where(values < self.offset, 0.0, 1.0))
        return _like(x, _table(self).cdf(values))

    @overload
    def pdf(self, x: float) -> float: ...
    @overload
    def pdf(self, x: Float64Array) -> Float64Array: ...
    def pdf(self, x: float | Float64Array) -> float | Float64Array:
        """Density of ln q at x, given that q > 0; parameters and errors as for `cdf`.

        Parameters
        ----------
        x : float or ndarray
            Values of ln q.

        Returns
        -------
        float or ndarray, as x

        Raises
        ------
        ValueError
            As `cdf`, or if ln q is a constant.
        TypeError
            If it is no real number, or array of them.
        """
        values = _numbers("x", x)
        if not self.factors:
            msg = f"ln q of layer {self.layer} is the constant {self.offset:g}: it has no density"
            raise ValueError(msg)
        return _like(x, _table(self).pdf(values))

    @overload
    def ppf(self, p: float) -> float: ...
    @overload
    def ppf(self, p: Float64Array) -> Float64Array: ...
    def ppf(self, p: float | Float64Array) -> float | Float64Array:
        """Quantiles of ln q, given that q > 0: the inverse of `cdf`.

        Parameters
        ----------
        p : float or ndarray
            Probabilities at least 1e-8, and 10,000 times `cdf_error`, away from 0 and 1.

        Returns
        -------
        float or ndarray, as p

        Raises
        ------
        ValueError
            If p is out of range; else as `cdf`.
        TypeError
            As `cdf`.
        """
        values = _numbers("p", p)
        least = max(1e-8, 1e4 * self.cdf_error)
        outside = values[~((values >= least) & (values <= 1 - least))]
        if outside.size:
            msg = f"p must lie between {least:.2g} and 1 - {least:.2g}, got {outside.flat[0]}: cdf has no digits beyond"
            raise ValueError(msg)
        if not self.factors:
            return _like(p, np.full_like(values, self.offset))
        return _like(p, _table(self).ppf(values))

    def _log_mgf(self, s: ComplexArray) -> ComplexArray:
        total = self.offset * s
        for factor, count in self.factors:
            total = total + count * factor.log_mgf(s)
        return total

    def _log_mean(self) -> float:
        return math.fsum(count * math.log(factor.moments[0]) for factor, count in self.factors)

    def _alive_beside_the_factors(self) -> float:
        """Probability that nothing is dead outside of the factors: they may cover a part of the network alone."""
        covered = math.prod(factor.alive**count for factor, count in self.factors)
        return (1 - self.dead_probability) / covered


@lru_cache(maxsize=64)
def _table(law: FiniteWidthLaw) -> TabulatedLaw:
    """The characteristic function of a law, tabulated once."""
    table = tabulate(
        law._log_mgf,  # noqa: SLF001  the law's own
        mean=law.mean,
        sd=law.std,
        lowest=max(factor.lowest for factor, _ in law.factors),
        highest=min(factor.highest for factor, _ in law.factors),
    )
    if table.error > _ACCURACY:
        msg = (
            f"the distribution function of layer {law.layer} could be computed to {table.error:.1g} only, not to "
            f"{_ACCURACY:g}: with orthogonal weights in few and narrow layers it has jumps or cusps"
        )
        raise ValueError(msg)
    return table


def _numbers(name: str, values: float | Float64Array) -> Float64Array:
    array = real_array(values, name)
    if np.isnan(array).any():
        msg = f"{name} must be numbers, got NaN"
        raise ValueError(msg)
    return array


def _like(given: float | Float64Array, values: Float64Array) -> float | Float64Array:
    return values if np.ndim(given) else float(values)
