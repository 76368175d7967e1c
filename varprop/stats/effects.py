"""Effect sizes in the words of the field."""

from __future__ import annotations

import math
from dataclasses import dataclass

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


def _folding(rate: float) -> float:
    """1 / |rate|, infinite where nothing changes."""
    return 1.0 / abs(rate) if rate else math.inf
