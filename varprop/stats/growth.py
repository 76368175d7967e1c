"""Growth rates per layer, for the mean network and for the typical one.

The two differ at finite width and both are right: under ReLU and He at width 64 the mean over networks of a step is 1, so the
mean network keeps its signal, while the typical network's log signal falls by 0.04 a layer. A test of one rate against the
other's prediction refutes a true theory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from varprop._typing import Float64Array
from varprop.numerics.moments import Moments
from varprop.stats.floors import Floor, Units
from varprop.stats.influence import as_table, check_measured, log_means, step_ratios
from varprop.stats.means import dropped_note, mean_outcome, pooled_step_mean, step_mean_layers
from varprop.stats.outcome import Outcome
from varprop.stats.positive import ASSUMES
from varprop.stats.skewed import skewed_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthRate:
    """Both growth rates of one quantity, as differences from an expected rate.

    Parameters
    ----------
    mean_network : Outcome
        theta estimates log(E[q_K] / E[q_1]) / (K - 1) - expected: the rate at which the mean over networks grows.
    typical_network : Outcome
        theta estimates E[log(q_K / q_1)] / (K - 1) - expected, over the networks that are alive throughout.
    expected : float
        The log-rate per layer that both were tested against.
    """

    mean_network: Outcome
    typical_network: Outcome
    expected: float


def growth_rate(
    values: ArrayLike, *, expected: float = 0.0, product: bool = False, width: int | None = None
) -> GrowthRate:
    r"""Estimate growth per layer, and test it against an expected rate.

    Parameters
    ----------
    values : array_like, shape (networks, layers)
        Measured values q, finite and >= 0, two layers or more, in the order in which the signal travels. A dead network
        has 0.
    expected : float
        Log-rate per layer under the null; 0 for "neither grows nor shrinks".
    product : bool
        True if the steps of one network are independent (a positively homogeneous activation and zero biases). The mean
        network's rate is then the mean of the layers' log mean steps, which stays reliable over many layers.
    width : int, optional
        Units of the narrowest layer, by which tests say from how many networks on they are believed; always if None.

    Returns
    -------
    GrowthRate
        With n - 1 degrees of freedom. Notes tell how many dead networks the typical rate leaves out. Without `product` the
        mean network's rate is tested as far as the sample's skewness lets one believe the t law.

    Raises
    ------
    ValueError
        If a value is NaN, negative or infinite, fewer than two networks stay alive, a layer is 0 in all networks,
        `expected` is not finite, or (product form) a network comes back to life.

    Examples
    --------
    >>> rate = growth_rate([[1.0, 2.0, 4.0], [1.0, 1.0, 1.0]])
    >>> rate.mean_network.theta, rate.typical_network.theta
    (0.458, 0.347)
    """
    means, logs = growth_columns(as_table(values), product=product)
    columns = Moments.of(means, joint=True, thirds=not product)
    return growth_outcomes(columns, Moments.of(logs), expected=expected, product=product, width=width)


def growth_columns(values: ArrayLike, *, product: bool) -> tuple[Float64Array, Float64Array]:
    """Take from each network what its growth is estimated from.

    Parameters
    ----------
    values : array_like, shape (networks, layers)
        As in `growth_rate`, of any number of networks.
    product : bool
        As in `growth_rate`.

    Returns
    -------
    means : ndarray, shape (networks, layers) or (networks, layers - 1)
        What the mean network's rate averages: the values, or in the product form the step ratios.
    logs : ndarray, shape (networks, 1)
        log(q_K / q_1) / (K - 1), NaN for a network that is dead in any layer.

    Raises
    ------
    ValueError
        If a value is NaN, negative or infinite, there are fewer than two layers, or (product form) a network comes back
        to life.
    """
    table = np.asarray(values, dtype=np.float64)
    _check_depth(table)
    alive = (table > 0.0).all(axis=1, keepdims=True)
    first, last = (np.log(table[:, [i]], out=np.full((len(table), 1), np.nan), where=alive) for i in (0, -1))
    return step_ratios(table) if product else table, (last - first) / (table.shape[1] - 1)


def growth_outcomes(
    means: Moments, logs: Moments, *, expected: float, product: bool, width: int | None = None
) -> GrowthRate:
    """Judge growth by the moments of its columns: the second half of `growth_rate`.

    Parameters
    ----------
    means, logs : Moments
        Of what `growth_columns` returns; the first joint, and without `product` with third moments of pairs.
    expected : float
        As in `growth_rate`.
    product : bool
        As it was given to `growth_columns`.
    width : int, optional
        As in `growth_rate`.

    Returns
    -------
    GrowthRate

    Raises
    ------
    ValueError
        If fewer than two networks stay alive, a layer is 0 in all networks, or `expected` is not finite.
    """
    _check_rate(expected)
    if product:
        floor = None if width is None else Units(width, len(means.low))
        mean: Outcome = product_rate(means, expected=expected, floor=floor)
    else:
        steps = len(means.low) - 1
        pair = means.take(steps, 0)
        mean = skewed_ratio("growth_rate_mean", pair, steps=steps, expected=expected, note=ASSUMES)
    typical = typical_outcome(logs, expected=expected, width=width, steps=len(means.low) - 1)
    return GrowthRate(mean_network=mean, typical_network=typical, expected=expected)


def typical_outcome(logs: Moments, *, expected: float, width: int | None = None, steps: int = 1) -> Outcome:
    """Judge the typical network's growth, by the moments of the second table that `growth_columns` returns.

    Parameters
    ----------
    logs : Moments
        Of one column.
    expected, width : float, int
        As in `growth_rate`.
    steps : int
        Between the first layer and the last.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        If fewer than two networks stay alive.
    """
    alive = int(logs.n[0])
    _check_alive(alive, logs.rows)
    note = dropped_note(logs.rows - alive, logs.rows)
    skewness = float(logs.skewness[0])
    floor = None
    if width is not None:
        floor = Units(width, max(1, steps), "logarithm", skewness if math.isfinite(skewness) else 0.0)
    return mean_outcome("growth_rate_typical", logs, null=expected, note=note, floor=floor)


def step_outcomes(means: Moments, *, expected: float, product: bool) -> list[Outcome]:
    """Judge the mean network's growth over every single step, for exploration.

    Parameters
    ----------
    means : Moments
        Of the first table that `growth_columns` returns, as `growth_outcomes` takes it.
    expected : float
        As in `growth_rate`.
    product : bool
        As it was given to `growth_columns`.

    Returns
    -------
    list of Outcome
        One for each two neighbouring layers.

    Raises
    ------
    ValueError
        As `growth_outcomes`.
    """
    _check_rate(expected)
    if product:
        return [
            Outcome.from_estimate("growth_rate_mean", theta=step.theta - expected, se=step.se, df=step.df, n=step.n)
            for step in step_mean_layers(means)
        ]
    return [_two_layers(means.take(i - 1, i), expected) for i in range(1, len(means.low))]


def _check_depth(table: Float64Array) -> None:
    """Refuse values that no growth can be told from."""
    check_measured(table)
    if table.ndim != 2 or table.shape[1] < 2:
        msg = f"a growth rate needs two or more layers, got values of shape {table.shape}"
        raise ValueError(msg)


def _check_rate(expected: float) -> None:
    """Refuse a rate that no estimate can be compared with."""
    if not np.isfinite(expected):
        msg = f"expected must be a finite log-rate per layer, got {expected}; write log(gain), not the gain itself"
        raise ValueError(msg)


def _check_alive(alive: int, networks: int) -> None:
    """Refuse a typical rate of fewer than two networks that live throughout."""
    if alive < 2:
        msg = f"{alive} of {networks} networks stay alive, a typical rate needs two or more; test fewer layers"
        raise ValueError(msg)


def product_rate(steps: Moments, *, expected: float, floor: Floor | None = None) -> Outcome:
    """Judge the mean network's rate by the means of its steps.

    Parameters
    ----------
    steps : Moments
        Joint, of the step ratios.
    expected : float
        As in `growth_rate`.
    floor : Floor, optional
        From how many networks on the t law is believed; always if None.

    Returns
    -------
    Outcome
    """
    pooled = pooled_step_mean(steps)
    return Outcome.from_estimate(
        "growth_rate_mean", theta=pooled.theta - expected, se=pooled.se, df=pooled.df, n=pooled.n, floor=floor
    )


def _two_layers(pair: Moments, expected: float) -> Outcome:
    """Growth over one step, from the means of two layers, for exploration."""
    means = log_means(pair)
    return Outcome.from_estimate(
        "growth_rate_mean",
        theta=means.estimate[1] - means.estimate[0] - expected,
        se=float(means.standard_error([-1.0, 1.0])),
        df=pair.rows - 1,
        n=pair.rows,
    )


# ---- effect sizes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSizes:
    """A change over depth as a gain per layer and as an e-folding depth.

    Parameters
    ----------
    gain : float
        Factor per layer, > 0.
    gain_interval : tuple of float
        Its two-sided interval.
    depth : float
        Layers over which the quantity changes by the factor e, 1 / |log gain|; inf if the gain is 1.
    depth_interval : tuple of float
        Its two-sided interval; the upper end is inf if a gain of 1 lies inside `gain_interval`.

    See Also
    --------
    effect_sizes : What makes one.

    Examples
    --------
    >>> halves = Outcome.from_estimate("growth_rate_mean", theta=-0.693, se=0.01, df=99, n=100)
    >>> effect_sizes(halves).gain
    0.5
    """

    gain: float
    gain_interval: tuple[float, float]
    depth: float
    depth_interval: tuple[float, float]

    def __str__(self) -> str:
        low, high = self.gain_interval
        said = f"gain per layer {self.gain:.4g} ({low:.4g} to {high:.4g})"
        if math.isinf(self.depth):
            return said
        near, far = self.depth_interval
        beyond = f"{near:.3g} to {far:.3g}" if math.isfinite(far) else f"{near:.3g} or more"
        return f"{said}, e-folding depth {self.depth:.3g} layers ({beyond})"


def effect_sizes(outcome: Outcome, *, steps: int = 1, expected: float = 0.0, level: float = 0.95) -> EffectSizes:
    """Turn the estimate of a logarithm over depth into a gain per layer and an e-folding depth.

    Parameters
    ----------
    outcome : Outcome
        theta estimates a change of log q, less `expected`. From `growth_rate` it is one layer's; from `cumulative_mean` it
        is that of the ratio to the prediction over all steps.
    steps : int
        Layers that theta adds up, >= 1: 1 for a growth rate, the number of the layer for a cumulative mean.
    expected : float
        What theta is relative to, on its own scale, such as `GrowthRate.expected`: with it the gain is the quantity's own,
        without it the gain is relative to what was expected.
    level : float
        Nominal coverage of the intervals.

    Returns
    -------
    EffectSizes

    Raises
    ------
    ValueError
        If steps is less than 1, `expected` is not finite, or the level is not inside (0, 1).

    Examples
    --------
    >>> print(effect_sizes(Outcome.from_estimate("growth_rate_mean", theta=-0.1, se=0.01, df=99, n=100)))
    gain per layer 0.9048 (0.8871 to 0.923), e-folding depth 10 layers (8.34 to 12.5)
    """
    if steps < 1 or not math.isfinite(expected):
        msg = f"need steps >= 1 and a finite expected logarithm, got steps={steps} and expected={expected}"
        raise ValueError(msg)
    low, high = ((end + expected) / steps for end in outcome.interval(level))
    rate = (outcome.theta + expected) / steps
    nearest = 0.0 if low <= 0.0 <= high else min(abs(low), abs(high))
    return EffectSizes(
        gain=math.exp(rate),
        gain_interval=(math.exp(low), math.exp(high)),
        depth=_folding(rate),
        depth_interval=(_folding(max(abs(low), abs(high))), _folding(nearest)),
    )


def _folding(rate: float) -> float:
    """1 / |rate|, infinite where nothing changes."""
    return 1.0 / abs(rate) if rate else math.inf
