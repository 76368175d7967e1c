"""How much a layer's mean square varies between networks, given the layer below."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop.stats.outcome import Outcome
from varprop.stats.variances import CLOSED_FROM, LEAST, log_cumulants, resolved, standardised, tails

_FARTHEST = math.log(2.0)
"""Up to a factor of two the law widens with the variance, as that of a Gamma variable does; beyond, it is scaled."""
_NODES = tuple(j * _FARTHEST / 2.0 for j in range(-2, 3))
"""Truths at which samples are simulated; between them tails are interpolated on the normal scale, which they nearly follow."""
_CLOSE = 0.1
"""A truth of which the closed form makes the tail smaller than so much of the largest one is not simulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread(Outcome):
    r"""The variance of pivots between networks, with the tails of its own law.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    theta : float
        log(S^2 / expected), S^2 being the sample's variance.
    se : float
        Standard deviation of `theta` under the null, for planning alone.
    df : float
        inf; no t law is involved.
    n : int
        Number of networks at risk.
    statistic : float
        `theta` less its mean under the null, over `se`.
    pvalue : float
        Of the point null that the expected variance is the true one: twice the smaller tail.
    note : str
        What a reader should know.
    shape_variance : float
        Variance u of the Gamma variable of mean 1 that the pivots are as far from normal as: for Gaussian weights their own.
    doubt : float
        Variance of the logarithm of the expected variance, where that is an estimate.

    See Also
    --------
    spread : What makes one.

    Notes
    -----
    At a threshold t the truth is V e^t, and the pivot's law that of a Gamma variable whose u is e^t times as large; for Gaussian
    weights t = 0 is exact, and that the family goes on as Gamma is an assumption about truths that are none of Gaussian weights.
    Beyond a factor of two the law is scaled. No tail is below 1e-6, nor below 1e-5 with fewer than 100 networks.

    Examples
    --------
    >>> found = spread([0.7, 1.2, 0.9, 1.1, 1.3, 0.8, 1.0, 1.4, 0.6, 1.2], expected=0.05)
    >>> found.theta, found.p_above(0.0), found.interval(0.9)
    (0.346, 0.182, (-0.315, 1.42))
    """

    shape_variance: float
    doubt: float = 0.0

    def p_above(self, threshold: float) -> float:
        """Evidence that the variance is larger than e^threshold times the expected one.

        Parameters
        ----------
        threshold : float
            On the scale of theta, finite.

        Returns
        -------
        float
            Probability of a variance at least as large as the sample's, were the truth at the threshold.
        """
        return self._at(_finite(threshold))[1]

    def p_below(self, threshold: float) -> float:
        """Evidence that the variance is smaller than e^threshold times the expected one.

        Parameters
        ----------
        threshold : float
            On the scale of theta, finite.

        Returns
        -------
        float
            Probability of a variance at most as large as the sample's, were the truth at the threshold; or, if that is more,
            farther up to a factor of two: of few networks in narrow layers a larger truth may make a small sample more likely.
        """
        threshold = _finite(threshold)
        farther = [threshold, *(node for node in _NODES if node > threshold)]
        likely = [self._closed(truth) for truth in farther]
        near = [
            t for t, z in zip(farther, likely, strict=True) if special.ndtr(z) >= _CLOSE * special.ndtr(max(likely))
        ]
        return max(self._at(truth)[0] for truth in near)

    def bounds(self, level: float) -> tuple[float, float]:
        """Lower and upper bound on theta, each of which fails with at most this probability.

        Parameters
        ----------
        level : float
            One-sided, in (0, 0.5].

        Returns
        -------
        low, high : float
            Where `p_above` and `p_below` are the level; infinite where no tail so small is told.
        """
        return _end(self.p_above, self.theta, -self.se, level), _end(self.p_below, self.theta, self.se, level)

    def radius(self, networks: float, level: float) -> float:
        """Half-width of a one-sided bound, roughly, had the sample so many networks.

        Parameters
        ----------
        networks : float
            In place of `n`.
        level : float
            One-sided error of the bound, in (0, 0.5].

        Returns
        -------
        float
            Infinite where the test refuses so few networks, or tells no tail so small.
        """
        if networks < LEAST or level < resolved(int(networks)):
            return math.inf
        return -float(special.ndtri(level)) * self.se * math.sqrt(self.n / networks)

    def refusal(self, level: float) -> str:
        """Say why there is no verdict at a one-sided level, whatever the estimate.

        Parameters
        ----------
        level : float
            One-sided, in (0, 0.5].

        Returns
        -------
        str
            Empty if there may be a verdict.
        """
        least = resolved(self.n)
        return (
            f"the law of a variance was compared with samples down to tails of {least:g} alone" if level < least else ""
        )

    def _closed(self, truth: float) -> float:
        """The sample on a normal scale, by the closed form."""
        widened = self.shape_variance * math.exp(min(_FARTHEST, max(-_FARTHEST, truth)))
        return standardised(self.theta - truth, variance=widened, n=self.n, doubt=self.doubt)

    def _at(self, truth: float) -> tuple[float, float]:
        """Both tails, were this the truth."""
        held = min(_FARTHEST, max(-_FARTHEST, truth))
        if self.n >= CLOSED_FROM:
            return self._tails(truth, held)
        place = (held / _FARTHEST + 1.0) * 2.0
        first = min(3, math.floor(place))
        weight = place - first
        if weight in (0.0, 1.0):
            return self._tails(truth, _NODES[first + int(weight)])
        before, after = self._tails(truth, _NODES[first]), self._tails(truth, _NODES[first + 1])
        low, high = (_between(p, q, weight) for p, q in zip(before, after, strict=True))
        return low, high

    def _tails(self, truth: float, held: float) -> tuple[float, float]:
        widened = self.shape_variance * math.exp(held)
        return tails(self.theta - truth, variance=widened, n=self.n, doubt=self.doubt)


def spread(pivots: ArrayLike, *, expected: float, excess: float | None = None, doubt: float = 0.0) -> Spread:
    r"""Test the variance of a layer's pivots.

    Parameters
    ----------
    pivots : array_like, shape (networks,)
        :math:`\overline{z^2} / v`, mean of z^2 over its conditional variance, >= 0, of one input; NaN for a network whose
        signal died before this layer, which is dropped.
    expected : float
        Variance under the null, > 0: with n units, weights of excess kurtosis k and signals a below,
        :math:`(2 + k\, E[\sum a^4 / (\sum a^2)^2]) / n`.
    excess : float, optional
        The pivots' own excess kurtosis under the null, where weights are not Gaussian. If None the pivots are mean squares of n
        independent normal variables, so that n times one is chi-square, and `expected` is 2/n.
    doubt : float
        Variance of log `expected`, where that was estimated, >= 0.

    Returns
    -------
    Spread
        theta estimates log(Var(pivot) / expected).

    Raises
    ------
    ValueError
        If a pivot is negative or infinite, fewer than 10 networks are at risk (50 with `excess`), they all agree, or another
        number is out of range.

    Notes
    -----
    Given a, the units are independent with E[z^2] = v and E[z^4] = (3 + k sum a^4 / (sum a^2)^2) v^2. The null takes
    independent symmetric weights and zero biases. The replicate is the network.

    For Gaussian weights the law of S^2 over the variance depends on the width and the number of networks alone. From 10 networks
    on it is simulated, from 50 on taken from its cumulants (`varprop.stats.variances`). Other weights are judged by the
    law of Gamma variables with the same kurtosis.

    Examples
    --------
    >>> spread([0.7, 1.2, 0.9, 1.1, 1.3, 0.8, 1.0, 1.4, 0.6, 1.2], expected=0.05).pvalue
    0.363
    """
    column = np.asarray(pivots, dtype=np.float64)
    present = column[~np.isnan(column)]
    n, least = len(present), LEAST if excess is None else CLOSED_FROM
    if column.ndim != 1 or n < least or not (present.min() >= 0.0 and present.max() < np.inf):
        msg = (
            f"spread takes finite pivots >= 0 of shape (networks,), {least} networks or more at risk; "
            f"got shape {column.shape} with {n} at risk"
        )
        raise ValueError(msg)
    if not (0.0 < expected < math.inf and 0.0 <= doubt < math.inf and (excess is None or math.isfinite(excess))):
        msg = (
            "the expected variance must be finite and > 0, its doubt finite and >= 0, and the excess finite, "
            f"got {expected}, {doubt} and {excess}"
        )
        raise ValueError(msg)
    variance = float(present.var(ddof=1))
    if (present == present[0]).all() or variance == 0.0:
        msg = f"all {n} pivots are {present[0]}: their variance is 0, which has no logarithm; test identity"
        raise ValueError(msg)
    # Of a Gamma variable of mean 1 the excess is 6 times the variance. Flatter than normal counts as normal.
    shape_variance = expected if excess is None else max(0.0, excess) / 6.0
    mean, own, _, _ = log_cumulants(shape_variance, n)
    theta, se = math.log(variance / expected), math.sqrt(own + doubt)
    found = Spread(
        test="spread",
        theta=theta,
        se=se,
        df=math.inf,
        n=n,
        statistic=(theta - mean) / se,
        pvalue=1.0,
        shape_variance=shape_variance,
        doubt=doubt,
    )
    return replace(found, pvalue=min(1.0, 2.0 * min(found._at(0.0))))  # noqa: SLF001 - of this module's own class


def _finite(threshold: float) -> float:
    if not math.isfinite(threshold):
        msg = f"a threshold must be finite, got {threshold}"
        raise ValueError(msg)
    return threshold


def _between(p: float, q: float, weight: float) -> float:
    """Interpolate two tails on the normal scale."""
    most = 1.0 - 1e-12
    first, second = special.ndtri(min(p, most)), special.ndtri(min(q, most))
    return float(special.ndtr((1.0 - weight) * first + weight * second))


def _end(p: Callable[[float], float], theta: float, step: float, tail: float) -> float:
    """Where a one-sided p-value falls to a tail, going away from theta."""
    inside, outside = theta, theta + step
    while p(outside) > tail:
        step *= 2.0
        inside, outside = outside, outside + step
        if abs(step) > 1e3:
            return math.copysign(math.inf, step)
    while abs(outside - inside) > 1e-9 * max(1.0, abs(step)):
        middle = (inside + outside) / 2.0
        inside, outside = (middle, outside) if p(middle) > tail else (inside, middle)
    return outside
