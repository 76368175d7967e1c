"""From estimates to verdicts about a margin.

With enough networks every approximation is rejected, so a claim is supported if the truth is shown to lie within its margin,
and refuted if it is shown to lie outside. One of the two nulls is true of any claim. Each verdict is given at its share of
alpha, alpha / m for a report's m verdicts (and less where the report may be looked at again), so the probability that any of
them is false is at most alpha, however the claims depend on one another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from varprop._arguments import quoted
from varprop.stats.outcome import Outcome

Decision = Literal["supported", "refuted", "inconclusive"]
Direction = Literal["below", "above"]

MARGINS = (1e-9, 1e6)
"""Smallest and largest margin of a claim: below, digits of float64 would decide; above, nothing could contradict."""
MIN_ALPHA = 1e-300
"""Smallest chance of a false verdict that is told apart from 0, once it is shared."""


class LayersJointly(NamedTuple):
    """Evidence for and against a claim about all layers."""

    p_equivalence: float
    p_refute: float
    deciding: int
    """The layer farthest outside its margin, or nearest to it, in standard errors: the one that decides."""


def p_equivalence(outcome: Outcome, delta: float) -> float:
    """Evidence that the truth lies within a margin: two one-sided tests.

    Parameters
    ----------
    outcome : Outcome
        Estimate of theta.
    delta : float
        Half-width of the margin on the scale of theta, finite and > 0: log(1 + margin) for a ratio, the margin itself for
        `zero_mean`.

    Returns
    -------
    float
        p-value of the null "|theta| >= delta", the greater of the two one-sided ones.

    Raises
    ------
    ValueError
        If delta is not finite and > 0.

    Examples
    --------
    >>> exact = Outcome.from_estimate("step_mean", theta=0.0, se=0.02, df=199, n=200)
    >>> p_equivalence(exact, 0.05)
    0.0066
    """
    _check_delta(delta)
    return max(outcome.p_below(delta), outcome.p_above(-delta))


def p_refute(outcome: Outcome, delta: float) -> float:
    """Evidence that the truth lies outside a margin.

    Parameters
    ----------
    outcome : Outcome
        Estimate of theta.
    delta : float
        Half-width of the margin on the scale of theta, finite and > 0, as in `p_equivalence`.

    Returns
    -------
    float
        p-value of the null "|theta| <= delta", as `Outcome.p_outside` has it.

    Raises
    ------
    ValueError
        If delta is not finite and > 0.

    Examples
    --------
    >>> far = Outcome.from_estimate("step_mean", theta=-0.2, se=0.05, df=199, n=200)
    >>> p_refute(far, 0.05)
    0.00153
    """
    _check_delta(delta)
    return outcome.p_outside(delta)


def directional(outcome: Outcome, threshold: float, *, direction: Direction = "below") -> tuple[float, float]:
    """Evidence for and against a declared threshold ("vanishes", "grows by more than 16 a layer").

    Parameters
    ----------
    outcome : Outcome
        Estimate of theta.
    threshold : float
        On the scale of theta (the logarithm of a ratio), finite.
    direction : {"below", "above"}
        On which side the claim says that theta lies.

    Returns
    -------
    p_support, p_refute : float
        One-sided p-values of the nulls that theta lies on the other side, and that it lies on the claimed one.

    Raises
    ------
    ValueError
        If the direction is neither, or the threshold is not finite.

    Examples
    --------
    >>> decay = Outcome.from_estimate("growth_rate_mean", theta=-0.1, se=0.05, df=99, n=100)
    >>> directional(decay, 0.0, direction="below")
    (0.0241, 0.976)
    """
    if direction == "below":
        return outcome.p_below(threshold), outcome.p_above(threshold)
    if direction == "above":
        return outcome.p_above(threshold), outcome.p_below(threshold)
    msg = f"direction must be 'below' or 'above', got {quoted(direction)}"
    raise ValueError(msg)


def combine_layers(p_support: Sequence[float], p_refute: Sequence[float]) -> tuple[float, float]:
    """Combine the layers' evidence into that for the claim that all of them comply.

    Parameters
    ----------
    p_support, p_refute : sequence of float
        One-sided p-values for and against each layer, in the same order.

    Returns
    -------
    p_support, p_refute : float
        The maximum (every layer must be shown to comply: intersection-union) and the smallest times the number of layers,
        at most 1 (one layer must be shown not to: Bonferroni). Both hold under any dependence between layers.

    Raises
    ------
    ValueError
        If there are no layers, or not equally many of both.

    Examples
    --------
    >>> combine_layers([0.01, 0.03], [0.99, 0.97])
    (0.03, 1.0)
    """
    if not p_support or len(p_support) != len(p_refute):
        msg = f"need as many p-values for as against, and at least one, got {len(p_support)} and {len(p_refute)}"
        raise ValueError(msg)
    return max(p_support), min(1.0, len(p_refute) * min(p_refute))


def all_layers(outcomes: Sequence[Outcome], delta: float) -> LayersJointly:
    """Judge the claim that every layer lies within the margin.

    Parameters
    ----------
    outcomes : sequence of Outcome
        One per layer.
    delta : float
        Half-width of the margin on the scale of theta, as in `p_equivalence`.

    Returns
    -------
    LayersJointly
        The tuple (p_equivalence, p_refute, deciding): the layers' p-values as `combine_layers` has them, and the position of
        the layer that decides.

    Raises
    ------
    ValueError
        If there are no outcomes, or delta is not finite and > 0.

    Examples
    --------
    >>> near = Outcome.from_estimate("step_mean", theta=0.00, se=0.01, df=199, n=200)
    >>> off = Outcome.from_estimate("step_mean", theta=0.09, se=0.01, df=199, n=200)
    >>> all_layers([near, off, near], 0.05)
    LayersJointly(p_equivalence=1.0, p_refute=0.00014, deciding=1)
    """
    within = [p_equivalence(outcome, delta) for outcome in outcomes]
    outside = [p_refute(outcome, delta) for outcome in outcomes]
    p_within, p_outside = combine_layers(within, outside)
    # p-values of distant layers round to 1 together; the distance in standard errors still orders them.
    index = max(range(len(within)), key=lambda i: (within[i], _excess(outcomes[i], delta)))
    return LayersJointly(p_within, p_outside, index)


def decide(p_support: float, p_refute: float, *, level: float) -> Decision:
    """Turn evidence for and against into a verdict.

    Parameters
    ----------
    p_support, p_refute : float
        p-values of the two nulls, in [0, 1].
    level : float
        Largest p-value that makes a verdict, in (0, 0.5]: alpha / m for each of a report's m verdicts, if alpha is to bound
        the probability that any of them is false, times the share of alpha that this look at the data has.

    Returns
    -------
    {"supported", "refuted", "inconclusive"}
        The verdict whose p-value is at most the level; inconclusive if neither is.

    Raises
    ------
    ValueError
        If a p-value is NaN or out of range, both are significant, or the level is out of range.

    Notes
    -----
    Of "|theta| >= delta" and "|theta| < delta" one is true; only the verdict that rejects it is false, and each is given with
    probability at most the level if it is. Summing over the claims, and over the looks, bounds the probability of any false
    verdict by the sum of the levels.

    Examples
    --------
    >>> decide(0.001, 0.999, level=0.05 / 21)
    'supported'
    >>> decide(0.01, 0.99, level=0.05 / 21)
    'inconclusive'
    """
    if not (0.0 <= p_support <= 1.0 and 0.0 <= p_refute <= 1.0):
        msg = f"p-values must lie in [0, 1], got {p_support} and {p_refute}; a test that gave NaN decides nothing"
        raise ValueError(msg)
    if not 0.0 < level <= 0.5:
        msg = f"level must lie in (0, 0.5], got {level}; write for example 0.05 / 21 for one of 21 verdicts"
        raise ValueError(msg)
    supports, refutes = p_support <= level, p_refute <= level
    if supports and refutes:
        msg = f"p-values {p_support} for and {p_refute} against cannot both be small; are they of the same claim?"
        raise ValueError(msg)
    if supports:
        return "supported"
    return "refuted" if refutes else "inconclusive"


def check_budget(alpha: float, m: int) -> None:
    """Refuse an error budget that gives no guarantee.

    Parameters
    ----------
    alpha : float
        Bound on the probability of any false verdict.
    m : int
        Number of verdicts.

    Raises
    ------
    ValueError
        If alpha is outside [1e-300, 0.5] or m less than 1.
    """
    if not MIN_ALPHA <= alpha <= 0.5 or m < 1:
        msg = f"alpha must lie in [{MIN_ALPHA:g}, 0.5] and m be a number of verdicts >= 1, got alpha={alpha} and m={m}"
        raise ValueError(msg)


def _check_delta(delta: float) -> None:
    """Refuse a margin that contains nothing or everything."""
    if not 0.0 < delta < math.inf:
        msg = f"delta must be finite and > 0, got {delta}; for a margin of 5 % write log(1.05)"
        raise ValueError(msg)


def _excess(outcome: Outcome, delta: float) -> float:
    """By how many standard errors an estimate lies outside the margin (negative: inside)."""
    excess = abs(outcome.theta) - delta
    if outcome.se == 0.0:
        return math.copysign(math.inf, excess) if excess else 0.0
    return excess / outcome.se
