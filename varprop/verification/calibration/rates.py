"""From many studies' outcomes to rates: level, coverage, power and false verdicts, each with what was promised."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from varprop.stats.capital import CapitalMean
from varprop.stats.distances import below, degrees, to_either_side, upper
from varprop.stats.equivalence import directional, p_equivalence, p_refute
from varprop.stats.law_fits import LawFit
from varprop.stats.multiple import acceptance_region, share_interval
from varprop.stats.outcome import Outcome
from varprop.stats.positive import BennettMean, EitherMean, GrowthBets, either
from varprop.stats.power import detectable_difference, planned_power

Outcomes = Sequence["Outcome | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often something happened in simulated studies, and how often it should have."""

    rate: str
    alpha: float
    theta: float
    events: int
    studies: int
    planned: float
    bound: bool = False

    @property
    def value(self) -> float:
        """Share of the studies."""
        return self.events / self.studies

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's 95 % interval of the probability."""
        return share_interval(self.events, self.studies)

    @property
    def region(self) -> tuple[int, int] | None:
        """Counts that agree with what was promised, by `acceptance_region`; None if nothing was."""
        if math.isnan(self.planned):
            return None
        low, high = acceptance_region(self.studies, self.planned)
        if not self.bound:
            return low, high
        return (low, self.studies) if self.rate == "coverage" else (0, high)

    @property
    def accepted(self) -> bool | None:
        """Whether the count agrees; None if nothing was promised."""
        return None if self.region is None else self.region[0] <= self.events <= self.region[1]

    def row(self) -> dict[str, object]:
        """Row of a table."""
        low, high = self.interval
        accept_low, accept_high = self.region or (None, None)
        return {
            "rate": self.rate,
            "alpha": self.alpha,
            "theta": self.theta,
            "repeats": self.studies,
            "events": self.events,
            "value": self.value,
            "ci_low": low,
            "ci_high": high,
            "planned": self.planned,
            "accept_low": accept_low,
            "accept_high": accept_high,
            "accepted": self.accepted,
        }


def point_rates(outcomes: Outcomes, *, alpha: float, truth: float, at_most: bool, null: bool) -> Iterator[Rate]:
    """How often the point null was rejected, by the test and by the second test that may come with it."""
    name, planned = ("level", alpha) if null else ("rejection", math.nan)
    at_most = at_most or _bounded_alone(outcomes)

    def rate(pvalue: Callable[[Outcome], float], name: str, *, bound: bool) -> Rate:
        events = sum(one is not None and pvalue(one) <= alpha for one in outcomes)
        return Rate(
            rate=name, alpha=alpha, theta=0.0, events=events, studies=len(outcomes), planned=planned, bound=bound
        )

    yield rate(lambda one: one.pvalue if truth == 0.0 else _from(one, truth).pvalue, name, bound=at_most)
    if any(isinstance(one, LawFit) and one.second_test for one in outcomes):
        yield rate(
            lambda one: one.second_pvalue if isinstance(one, LawFit) else 1.0, f"{name}, second test", bound=False
        )


def estimate_rates(
    outcomes: Outcomes, *, alpha: float, truth: float, delta: float, n_networks: int, theta: float | None
) -> Iterator[Rate]:
    """Coverage, false verdicts with the truth at either end of the margin, and power inside and outside."""
    rate = _VerdictCounts(outcomes, alpha, truth).rate

    def supports(one: Outcome) -> bool:
        return p_equivalence(one, delta) <= alpha

    def refutes(one: Outcome) -> bool:
        return p_refute(one, delta) <= alpha

    yield rate("coverage", 0.0, _covering(alpha), 1.0 - alpha, bound=_bounded_alone(outcomes))
    for end in (-delta, delta):
        yield rate("false support", end, supports, alpha, bound=True)
        yield rate("false refutation", end, refutes, alpha, bound=True)
    variance = _mean_variance(outcomes)
    if variance == 0.0:
        return  # nothing varies, so every verdict is certain
    margin = math.expm1(delta)
    if theta is None:
        theta = math.log1p(
            detectable_difference(variance=variance, n_networks=n_networks, margin=margin, alpha=alpha, power=0.9)
        )
    for at, name, happened in ((0.0, "support", supports), (theta, "refutation", refutes)):
        planned = planned_power(n_networks=n_networks, variance=variance, margin=margin, theta=at, alpha=alpha)
        # No power is no promise: a few may succeed by luck.
        yield rate(name, at, happened, math.nan if _bounded_alone(outcomes) else planned or math.nan)


def bound_rates(
    outcomes: Outcomes, *, alpha: float, truth: float, n_networks: int, theta: float | None
) -> Iterator[Rate]:
    """Coverage, false verdicts with the truth at a claim's bound, and power on either side of it."""
    rate = _VerdictCounts(outcomes, alpha, truth).rate

    def supports(one: Outcome) -> bool:
        return directional(one, 0.0, direction="below")[0] <= alpha

    def refutes(one: Outcome) -> bool:
        return directional(one, 0.0, direction="below")[1] <= alpha

    at_most = _bounded_alone(outcomes)
    yield rate("coverage", 0.0, _covering(alpha), 1.0 - alpha, bound=at_most)
    yield rate("false support", 0.0, supports, alpha, bound=at_most)
    yield rate("false refutation", 0.0, refutes, alpha, bound=at_most)
    variance = _mean_variance(outcomes)
    if variance == 0.0:
        return  # nothing varies, so every verdict is certain
    df, se = degrees(n_networks), math.sqrt(variance / n_networks)
    far = to_either_side(alpha, 0.1, df) * se if theta is None else abs(theta)
    planned = math.nan if at_most else 1.0 - below(upper(alpha, df), far / se, df)
    yield rate("support", -far, supports, planned)
    yield rate("refutation", far, refutes, planned)


@dataclass(frozen=True, slots=True)
class _VerdictCounts:
    """Studies whose truth is known, to count what would happen were it another."""

    outcomes: Outcomes
    alpha: float
    truth: float

    def rate(
        self, name: str, at: float, happened: Callable[[Outcome], bool], planned: float, *, bound: bool = False
    ) -> Rate:
        """How often something happens with the truth `at`."""
        events = sum(happened(_from(one, self.truth - at)) for one in self.outcomes if one is not None)
        studies = len(self.outcomes)
        return Rate(rate=name, alpha=self.alpha, theta=at, events=events, studies=studies, planned=planned, bound=bound)


def _covering(alpha: float) -> Callable[[Outcome], bool]:
    """Whether 0 lies in an outcome's interval of level 1 - alpha."""

    def covers(outcome: Outcome) -> bool:
        low, high = outcome.interval(1.0 - alpha)
        return low <= 0.0 <= high

    return covers


def _mean_variance(outcomes: Outcomes) -> float:
    """What one network contributes to the estimate's variance, on average over the studies; 0 if there are none."""
    found = [one.unit_variance for one in outcomes if one is not None]
    return math.fsum(found) / max(len(found), 1)


def _bounded_alone(outcomes: Outcomes) -> bool:
    """Whether p-values are proved to be at most their level and not to reach it, so that power is no matter of a t law."""
    return any(isinstance(one, EitherMean | CapitalMean | GrowthBets | BennettMean) for one in outcomes)


def _from(outcome: Outcome, truth: float) -> Outcome:
    """The same estimate from a prediction that is larger by `truth`, so that a truth of `truth` becomes 0."""
    if truth == 0.0:
        return outcome
    if isinstance(outcome, EitherMean):
        return either(_from(outcome.t_test, truth), _from(outcome.bets, truth))
    names = ("test", "se", "df", "n", "note", "floor", "certain")
    given = {name: getattr(outcome, name) for name in names}
    moved = Moved(theta=outcome.theta - truth, statistic=0.0, pvalue=1.0, base=outcome, by=truth, **given)
    return moved.tested()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(Outcome):
    """What an outcome says of a truth that is counted from elsewhere."""

    base: Outcome = field(repr=False, compare=False)
    by: float

    def p_above(self, threshold: float) -> float:
        """p-value of the null "theta <= threshold"."""
        return self.base.p_above(threshold + self.by)

    def p_below(self, threshold: float) -> float:
        """p-value of the null "theta >= threshold"."""
        return self.base.p_below(threshold + self.by)

    def p_outside(self, delta: float) -> float:
        """p-value of the null "|theta| <= delta", by the rule of the outcome that was moved."""
        if isinstance(self.base, CapitalMean | GrowthBets | BennettMean):
            return min(1.0, 2.0 * min(self.p_above(delta), self.p_below(-delta)))
        return Outcome.p_outside(self, delta)

    def bounds(self, level: float) -> tuple[float, float]:
        """Bounds on theta that fail with at most this probability each."""
        low, high = self.base.bounds(level)
        return low - self.by, high - self.by

    def tested(self) -> Self:
        """Return the same with statistic and p-value of theta = 0."""
        statistic = self.theta / self.se if self.se > 0.0 else math.copysign(math.inf, self.theta)
        return replace(super(Moved, self).tested(), statistic=statistic)
