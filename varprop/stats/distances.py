"""How far from its margin, in standard errors, the truth must lie for a one-sided test to find it."""

from __future__ import annotations

import math

from scipy import special

# A t law asks for about z^2 / 2 networks more than the normal one, z being the critical value: at this size 1 %.
T_LAW_BELOW = 200
# A second margin so many times as far away is never missed, to any digit that counts.
OUT_OF_SIGHT = 1000.0
# Beside so large a critical value the normal part of a t statistic, of order 1, is nothing.
FAR_OUT = 1000.0
# A probability below this is nothing beside any that a plan may miss with, and a sum that starts there cannot be trusted.
NOTHING = 1e-30


def count(unit_variance: float, near: float, tail: float, miss: float, *, far: float = math.inf) -> float:
    """Networks at which `near` is as many standard errors as `standard_errors` asks for; infinity if it is 0."""
    if near == 0.0:
        return math.inf

    def wanted(df: float) -> float:
        deviations = standard_errors(tail, miss, df, far=far) * math.sqrt(unit_variance) / near
        return deviations * deviations

    networks = wanted(math.inf)
    if networks > T_LAW_BELOW - 1 or unit_variance == 0.0:
        return networks
    few = max(2, math.ceil(networks))
    while few < T_LAW_BELOW and few < wanted(few - 1):
        few += 1
    return float(few)


def standard_errors(tail: float, miss: float, df: float, *, far: float = math.inf) -> float:
    """Distance from truth to margin, in standard errors, at which a one-sided test of level `tail` misses so rarely.

    A second test has its margin `far` >= 1 times as far away, and a miss by either counts.
    """
    from scipy.optimize import brentq

    critical = upper(tail, df)

    def excess(d: float) -> float:
        beyond = below(critical, far * d, df) if far < OUT_OF_SIGHT else 0.0
        return below(critical, d, df) + beyond - miss

    if math.isinf(df):
        # Neglecting the far margin asks for too little, counting it like the near one for too much.
        lowest, highest = critical + upper(miss), critical + upper(miss / 2.0)
        if far >= OUT_OF_SIGHT or excess(lowest) <= 0.0:
            return lowest
        if excess(highest) >= 0.0:  # both margins equally far: rounding alone decides the sign
            return highest
    else:
        # The standard error is estimated too large by chance: by sqrt(2 / df) and more, so that no bound is at hand.
        lowest, highest = 0.0, critical + upper(miss / 2.0)
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
    """Normal or t quantile that is exceeded with the given probability."""
    return -float(special.ndtri(probability) if math.isinf(df) else special.stdtrit(df, probability))


def degrees(n_networks: int) -> float:
    """Degrees of freedom that a plan reckons with; infinitely many where it makes no difference."""
    return n_networks - 1 if n_networks < T_LAW_BELOW else math.inf
