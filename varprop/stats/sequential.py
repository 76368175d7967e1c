r"""Inference that stays valid however often one looks and whenever one stops: asymptotic confidence sequences.

A t interval looked at after every few networks misses the truth sooner or later. A confidence sequence covers it at all looks
at once with the stated probability, at the price of being wider by a factor that grows like the root of a logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from varprop.stats import equivalence
from varprop.stats.capital import CapitalMean
from varprop.stats.floors import AtRisk
from varprop.stats.mixture import NormalMixture
from varprop.stats.outcome import Outcome
from varprop.stats.positive import BennettMean, EitherMean, GrowthBets
from varprop.stats.skewed import SkewedMean

MIN_NETWORKS = 50
"""Before as many, a mean over its standard error is not yet close to normal, on which every look relies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialOutcome(Outcome):
    """An outcome whose p-values and intervals hold at whatever look one stops.

    Made by `at_any_look`. One-sided p-values are those of the one-sided mixture, `pvalue` that of the two-sided one, and the
    interval of a level is made of two one-sided bounds, as that of an `Outcome` is. Where the outcome of a single look refuses
    a level, so does this one.

    Parameters
    ----------
    mixture : NormalMixture
        What the bounds are taken from; fixed before the data were seen.

    Notes
    -----
    The bounds are exact for normal observations of known variance. Otherwise they are asymptotic in this sense: on a rich enough
    probability space the centred sums stay within o(sqrt(n log log n)) of a Brownian motion's, and the sample's standard deviation
    tends to the true one, both almost surely and for all n at once, so that the interval's edges differ from those of a
    valid sequence by less and less of its width. How much is lost depends on the first look, hence the 50 networks. A sum
    of logarithms of means is asymptotically linear: it is the mean of the networks' influences up to a term of order 1 / n,
    which a width of order sqrt(log(n) / n) absorbs likewise.

    Examples
    --------
    >>> at_one_look = Outcome.from_estimate("step_mean", theta=0.02, se=0.01, df=199, n=200)
    >>> stopped = at_any_look(at_one_look, NormalMixture.tuned(200, alpha=0.1))
    >>> at_one_look.p_above(0.0), stopped.p_above(0.0)
    (0.0234, 0.251)
    >>> stopped.interval(0.9)
    (-0.00766, 0.0477)
    """

    mixture: NormalMixture

    def radius(self, networks: float, level: float) -> float:
        """Distance of a one-sided bound from the estimate, had the sample so many networks."""
        if self.se == 0.0:
            return 0.0 if self.certain else math.inf
        raw = self.floor.raw(level, networks)
        if raw == 0.0:
            return math.inf
        return float(self.mixture.bound(networks, alpha=raw)) * self.se * math.sqrt(self.n / networks)

    def p_outside(self, delta: float) -> float:
        """Evidence that the truth lies outside a margin.

        Parameters
        ----------
        delta : float
            Half-width of the margin on the scale of theta, finite and > 0.

        Returns
        -------
        float
            p-value of the null "|theta| <= delta" at whatever look one stops. The evidence is the mean of that for
            "theta > delta" and for "theta < -delta": each alone is at most 1 in expectation under the null, so their mean is.
        """
        if self.se == 0.0:
            return 0.0 if self.certain and abs(self.theta) > delta else 1.0
        above = self.mixture.log_e_value((self.theta - delta) / self.se, self.n)
        below = self.mixture.log_e_value((-delta - self.theta) / self.se, self.n)
        return self.floor.p(_as_p(np.logaddexp(above, below) - math.log(2.0)), self.n)

    def _tail(self, excess: float) -> float:
        """Evidence for an excess above 0, as a p-value."""
        if self.se == 0.0 or not math.isfinite(excess):
            return Outcome._tail(self, excess)  # noqa: SLF001 - slots rebuild the class, which super() does not survive
        return self.floor.p(_as_p(self.mixture.log_e_value(excess / self.se, self.n)), self.n)


def at_any_look(outcome: Outcome, mixture: NormalMixture) -> Outcome:
    """Read an outcome as one of many looks.

    Parameters
    ----------
    outcome : Outcome
        Of an estimate that is asymptotically a mean over networks, 50 networks or more; or judged by bets, which hold at all
        looks as they are.
    mixture : NormalMixture
        Chosen before the data were seen.

    Returns
    -------
    Outcome
        A `SequentialOutcome` with infinite degrees of freedom; a `CapitalMean` as it came; of an outcome that is made of others
        one made of these at many looks.

    Raises
    ------
    ValueError
        If there are fewer than `MIN_NETWORKS` networks, and no bets.
    """
    match outcome:
        case CapitalMean():
            return outcome
        case BennettMean():
            return outcome.at_any_look()
        case SkewedMean():
            return outcome.at_any_look(mixture)
        case EitherMean(t_test=t_test, bets=bets):
            both = at_any_look(t_test, mixture), at_any_look(bets, mixture)
            return replace(outcome, t_test=both[0], bets=both[1]).tested()
        case GrowthBets(last=last, first=first):
            ends = at_any_look(last, mixture), at_any_look(first, mixture)
            return replace(outcome, last=ends[0], first=ends[1]).tested()
    if outcome.n < MIN_NETWORKS:
        msg = f"a confidence sequence starts at {MIN_NETWORKS} networks, got {outcome.n}; look later"
        raise ValueError(msg)
    floor = outcome.floor if math.isinf(outcome.df) else AtRisk(outcome.floor, (outcome.df + 1.0) / outcome.n)
    pvalue = outcome.pvalue
    if outcome.se > 0.0:
        raw = _as_p(mixture.log_e_value(outcome.statistic, outcome.n, alternative="two-sided"))
        pvalue = floor.p(raw, outcome.n)
    return SequentialOutcome(
        test=outcome.test,
        theta=outcome.theta,
        se=outcome.se,
        df=math.inf,
        n=outcome.n,
        statistic=outcome.statistic,
        pvalue=pvalue,
        note=outcome.note,
        floor=floor,
        certain=outcome.certain,
        mixture=mixture,
    )


def all_layers(outcomes: Sequence[Outcome], delta: float) -> equivalence.LayersJointly:
    """Judge at one of many looks the claim that every layer lies within the margin.

    Parameters
    ----------
    outcomes : sequence of Outcome
        One per layer, as `at_any_look` returns them.
    delta : float
        Half-width of the margin on the scale of theta, finite and > 0.

    Returns
    -------
    LayersJointly
        As `varprop.stats.equivalence.all_layers`, with p-values that hold at whatever look one stops.

    Raises
    ------
    ValueError
        If there are no outcomes, or delta is not finite and > 0.

    Notes
    -----
    Support needs every layer's sequence inside the margin at the same look. If one layer's truth lies outside, its own
    sequence excludes that truth at some look with probability at most alpha, whatever the others do. For refutation one
    layer's sequence outside is enough, each at level alpha / K.

    Examples
    --------
    >>> mixture = NormalMixture.tuned(200, alpha=0.1)
    >>> layers = [Outcome.from_estimate("step_mean", theta=t, se=0.01, df=199, n=200) for t in (0.0, 0.12, 0.01)]
    >>> all_layers([at_any_look(layer, mixture) for layer in layers], 0.05)
    LayersJointly(p_equivalence=1.0, p_refute=4.69e-09, deciding=1)
    """
    joint = equivalence.all_layers(outcomes, delta)
    outside = [outcome.p_outside(delta) for outcome in outcomes]
    return joint._replace(p_refute=min(1.0, len(outside) * min(outside)))


def _as_p(log_e: ArrayLike) -> float:
    """Evidence as a p-value."""
    return min(1.0, math.exp(min(0.0, -float(np.asarray(log_e)))))
