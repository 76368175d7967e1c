"""Effect sizes in the words of the field, and whether a mean of few networks is one of all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from varprop.numerics.moments import Moments
from varprop.stats.outcome import Outcome


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


def largest_share(values: ArrayLike | Moments) -> float:
    """Return the share of the sum over networks that the largest network holds.

    Parameters
    ----------
    values : array_like, shape (networks,), or Moments
        Finite and >= 0; NaN is left out. Or the moments of that column.

    Returns
    -------
    float
        In (0, 1]: from 1/n, where all agree, to 1, where one network is all of the mean.

    Raises
    ------
    ValueError
        If a value is negative or infinite, or all are 0.

    Notes
    -----
    It goes to 0 with the number of networks exactly if the mean is finite, and like n^(1/a - 1) under a tail of index
    a > 1. A sample variance does not show this: it is carried by the same networks.

    Examples
    --------
    >>> largest_share([1.0, 1.0, 2.0])
    0.5
    """
    return _largest_share(_moments(values))


def heavy_tail_note(values: ArrayLike | Moments, *, margin: float = 0.05) -> str:
    """Warn if one network alone moves the mean across a margin.

    Parameters
    ----------
    values : array_like, shape (networks,), or Moments
        What is averaged over networks, as in `largest_share`.
    margin : float
        Relative margin of the claim, > 0.

    Returns
    -------
    str
        Empty unless the largest network's share of the sum exceeds the margin: without it the mean would be smaller by
        more than the claim allows.

    Raises
    ------
    ValueError
        As `largest_share`, or if the margin is not positive.

    Examples
    --------
    >>> heavy_tail_note([1.0] * 99)
    ''
    >>> heavy_tail_note([1.0] * 98 + [20.0])
    'heavy tail: the largest of 99 networks holds 16.9 % of the sum'
    """
    if not margin > 0.0:
        msg = f"margin must be > 0, got {margin}; for 5 % write 0.05"
        raise ValueError(msg)
    column = _moments(values)
    share = _largest_share(column)
    if share <= margin:
        return ""
    return f"heavy tail: the largest of {int(column.n[0]):,} networks holds {100 * share:.3g} % of the sum"


def _moments(values: ArrayLike | Moments) -> Moments:
    """Moments of one column of values >= 0 that are not all 0."""
    column = values if isinstance(values, Moments) else Moments.of(np.asarray(values, dtype=np.float64).reshape(-1, 1))
    if not (column.low[0] >= 0.0 and 0.0 < column.high[0] < np.inf):
        msg = f"a share of the sum needs finite values >= 0, one of them > 0, got {column.low[0]} to {column.high[0]}"
        raise ValueError(msg)
    return column


def _largest_share(column: Moments) -> float:
    """Largest value over the sum of all."""
    return float(column.high[0] / column.mean[0]) / int(column.n[0])


def _folding(rate: float) -> float:
    """1 / |rate|, infinite where nothing changes."""
    return 1.0 / abs(rate) if rate else math.inf
