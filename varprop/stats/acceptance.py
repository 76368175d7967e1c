"""Shares of simulated studies: how sure one is of them, and which counts agree with a stated probability."""

from __future__ import annotations

from collections.abc import Callable

from scipy import special

FALSE_ALARM = 8e-7
"""Probability that a count lies outside its acceptance region though the probability is as stated."""


def acceptance_region(trials: int, probability: float, *, false_alarm: float = FALSE_ALARM) -> tuple[int, int]:
    """Return the counts that agree with a stated probability.

    Parameters
    ----------
    trials : int
        Number of simulated studies, >= 1.
    probability : float
        As stated, in [0, 1].
    false_alarm : float
        Probability of a count outside the region if the statement is right, at most; half of it on either side.

    Returns
    -------
    low, high : int
        Both belong to the region.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> acceptance_region(2000, 0.05)
    (56, 151)
    """
    if trials < 1 or not 0.0 <= probability <= 1.0 or not 0.0 < false_alarm < 1.0:
        msg = f"need trials >= 1 and probabilities, got {trials}, {probability} and false_alarm={false_alarm}"
        raise ValueError(msg)
    tail = false_alarm / 2.0
    # The least count k with P(X <= k) > tail, and the least with P(X > k) <= tail.
    low = _least(trials, lambda k: bool(special.bdtr(k, trials, probability) > tail))
    high = _least(trials, lambda k: bool(special.bdtrc(k, trials, probability) <= tail))
    return low, high


def share_interval(count: int, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return Clopper and Pearson's interval for a probability.

    Parameters
    ----------
    count, trials : int
        Events, of so many independent trials.
    level : float
        Coverage, at least, in (0, 1).

    Returns
    -------
    low, high : float

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> share_interval(100, 2000)
    (0.0409, 0.0605)
    """
    if not 0 <= count <= trials or trials < 1 or not 0.0 < level < 1.0:
        msg = f"need 0 <= count <= trials, trials >= 1 and a level inside (0, 1), got {count}, {trials} and {level}"
        raise ValueError(msg)
    tail = (1.0 - level) / 2.0
    low = float(special.betaincinv(count, trials - count + 1, tail)) if count else 0.0
    high = float(special.betaincinv(count + 1, trials - count, 1.0 - tail)) if count < trials else 1.0
    return low, high


def _least(trials: int, holds: Callable[[int], bool]) -> int:
    """Least count from 0 to `trials` of which something holds that holds of all greater ones, and of `trials`."""
    low, high = 0, trials
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
