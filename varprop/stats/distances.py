"""How far from its margin, in standard errors, the truth must lie for a test to find on which side."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy import special

# A t law asks for about z^2 / 2 networks more than the normal one, z being the critical value: at this size 1 %.
T_LAW_BELOW = 200
# A second margin so many times as far away is never missed, to any digit that counts.
OUT_OF_SIGHT = 1000.0
# Beside so large a critical value the normal part of a t statistic, of order 1, is nothing.
FAR_OUT = 1000.0
# A probability below this is nothing beside any that a plan may miss with, and a sum that starts there cannot be trusted.
NOTHING = 1e-30


def count(
    unit_variance: float, near: float, wanted: Callable[[float], float], *, alive: float = 1.0, spare: int = 0
) -> float:
    """Networks at which `near` is as many standard errors as are wanted for df degrees of freedom; infinity if it is 0.

    A share `alive` of the networks has a value to the last, and where these are few, `spare` networks are added.
    """
    if near == 0.0:
        return math.inf

    def needed(df: float) -> float:
        deviations = wanted(df) * math.sqrt(unit_variance) / near
        return deviations * deviations

    networks = needed(math.inf)
    if networks * alive > T_LAW_BELOW - 1 or unit_variance == 0.0:
        return networks

    def enough(few: int) -> bool:
        return few * alive >= T_LAW_BELOW or few - spare >= needed(few * alive - 1.0)

    few, many = max(math.ceil(2.0 / alive) + spare, math.ceil(networks)), math.ceil(T_LAW_BELOW / alive)
    if enough(few):
        return float(few)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return float(many)


def to_either_side(tail: float, miss: float, df: float) -> float:
    """Distance from truth to bound at which a one-sided test of level `tail` misses so rarely."""
    return _beyond(upper(tail, df), miss, df)


def to_inside(tail: float, miss: float, df: float, *, far: float) -> float:
    """Distance to the nearer of two margins at which either of two one-sided tests misses so rarely.

    The other margin is `far` >= 1 times as far away.
    """
    from scipy.optimize import brentq

    nearest = to_either_side(tail, miss, df)
    critical = upper(tail, df)
    if math.isinf(critical):
        return critical

    def excess(d: float) -> float:
        return below(critical, d, df) + below(critical, far * d, df) - miss

    # Neglecting the far margin asks for too little, counting it like the near one for too much.
    if far >= OUT_OF_SIGHT or excess(nearest) <= 0.0:
        return nearest
    farthest = to_either_side(tail, miss / 2.0, df)
    if excess(farthest) >= 0.0:  # both margins equally far: rounding alone decides the sign
        return farthest
    return float(brentq(excess, nearest, farthest, xtol=1e-12))


def to_outside(tail: float, miss: float, df: float, *, apart: float) -> float:
    """Distance to the nearer of two margins, both on one side, at which the truth is so rarely missed to lie outside them.

    The margins are `apart` times as far from each other as the nearer one is from the truth.
    """
    from scipy.optimize import brentq

    def excess(d: float) -> float:
        return d - beyond_margins(tail, miss, df, apart=apart * d)

    nearest, farthest = (beyond_margins(tail, miss, df, apart=end) for end in (math.inf, 0.0))
    if math.isinf(farthest):
        return farthest
    # Margins many standard errors apart, or next to none: rounding alone decides the sign.
    if excess(nearest) >= 0.0:
        return nearest
    return farthest if excess(farthest) <= 0.0 else float(brentq(excess, nearest, farthest, xtol=1e-12))


def beyond_margins(tail: float, miss: float, df: float, *, apart: float) -> float:
    """The same distance for margins that are `apart` standard errors from each other."""
    return _beyond(critical_value(tail, df, apart=apart), miss, df)


def critical_value(tail: float, df: float, *, apart: float) -> float:
    """Number k such that P(T > k) + P(T > k + apart) = tail: where an estimate beyond two margins becomes significant."""
    from scipy.optimize import brentq

    def excess(k: float) -> float:
        return _exceeded(k, df) + _exceeded(k + apart, df) - tail

    lowest, highest = upper(tail, df), upper(tail / 2.0, df)
    if math.isinf(highest):
        return highest
    if excess(lowest) <= 0.0:
        return lowest
    return highest if excess(highest) >= 0.0 else float(brentq(excess, lowest, highest, xtol=1e-12))


def _beyond(critical: float, miss: float, df: float) -> float:
    """Distance at which T <= critical has probability `miss`."""
    from scipy.optimize import brentq

    if math.isinf(df) or math.isinf(critical):
        return critical + upper(miss)

    def excess(d: float) -> float:
        return below(critical, d, df) - miss

    # The standard error is estimated too large by chance: by sqrt(2 / df) and more, so that no bound is at hand.
    lowest, highest = 0.0, critical + upper(miss)
    if excess(lowest) <= 0.0:  # a test that always decides half of the time, which is all that is asked
        return lowest
    while excess(highest) > 0.0:
        lowest, highest = highest, 2.0 * highest
    return float(brentq(excess, lowest, highest, xtol=1e-12))


def below(critical: float, distance: float, df: float) -> float:
    """P(T <= critical), T being t with df degrees of freedom and its centre `distance` standard errors from 0."""
    if math.isinf(df):
        return float(special.ndtr(critical - distance))
    if critical > FAR_OUT:
        # Two or three networks at a tiny level: T > critical as good as only where its denominator is small, and SciPy's
        # noncentral t law gives up.
        return _denominator_above(distance / critical, df)
    # T <= critical takes a numerator that falls short of its mean by half, or a denominator as large as half of it asks
    # for. Where both are out of the question SciPy's law may underflow, and gives NaN.
    half = distance / 2.0
    if critical > 0.0 and special.ndtr(-half) < NOTHING and _denominator_above(half / critical, df) < NOTHING:
        return 0.0
    return float(special.nctdtr(df, distance, critical))


def _denominator_above(value: float, df: float) -> float:
    """P(S > value), S being the root of a chi-square of df degrees of freedom over df, what a t statistic divides by."""
    return float(special.gammaincc(df / 2.0, df * value * value / 2.0))


def upper(probability: float, df: float = math.inf) -> float:
    """Normal or t quantile that is exceeded with the given probability; infinity where SciPy finds none so far out."""
    found = float(special.ndtri(probability) if math.isinf(df) else special.stdtrit(df, probability))
    return math.inf if math.isinf(found) else -found


def _exceeded(value: float, df: float) -> float:
    """P(T > value), normal or t."""
    return float(special.ndtr(-value) if math.isinf(df) else special.stdtr(df, -value))


def degrees(n_networks: int, alive: float = 1.0) -> float:
    """Degrees of freedom that a plan reckons with; infinitely many where it makes no difference."""
    return n_networks * alive - 1.0 if n_networks * alive < T_LAW_BELOW else math.inf


def standard_error(unit_variance: float, n_networks: int, alive: float = 1.0, spare: int = 0) -> float:
    """Standard error that a plan reckons with."""
    few = n_networks * alive < T_LAW_BELOW
    return math.sqrt(unit_variance / (n_networks - spare if few else n_networks))
