"""A verdict: all that is told of one claim about one configuration, from the moment it is decided to where it is printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from varprop.model.sites import Place
from varprop.stats import equivalence, multiple
from varprop.stats.equivalence import Decision
from varprop.stats.identity import Identity
from varprop.stats.outcome import Guarantee
from varprop.verification.claims import Claim
from varprop.verification.questions import ROUNDING, Evidence, Finding, UndecidableError, join_notes, p_value

if TYPE_CHECKING:
    import pandas as pd

# ---- what a verdict may spend ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one verdict may spend: its level now, and at the looks to come."""

    level: float
    networks: int
    later: tuple[tuple[int, float], ...] = ()
    waits: str = ""
    note: str = ""
    aside: str = ""


def of_one_look(networks: int, *, alpha: float, m: int) -> Allowance:
    """Give a verdict all of its part of alpha: the sample is looked at once, and nobody keeps a record."""
    equivalence.check_budget(alpha, m)
    level = alpha / m
    later = tuple((larger, level) for _, larger in multiple.above(max(networks, 1), 1))
    return Allowance(level=level, networks=networks, later=later)


@dataclass(frozen=True, slots=True)
class Forecast:
    """How many networks would decide a claim: the first number with a chance of one half or more, and the next one."""

    networks: int | None = None
    chance: float | None = None
    next_networks: int | None = None
    next_chance: float | None = None
    said: str = ""


def forecast(evidence: Evidence, allowance: Allowance) -> Forecast:
    """Foresee how many networks decide a claim that is open."""
    if evidence.chance is None:
        return Forecast(said="more networks do not decide it")
    if not allowance.later:
        return Forecast(said="no larger number of networks is foreseen")
    counted = evidence.headline.outcome.n
    # A network that is dead where the claim is decided counts as one of the sample all the same.
    chances = (
        (networks, evidence.chance(counted * networks / allowance.networks, level))
        for networks, level in allowance.later
    )
    possible = False
    for networks, chance in chances:  # each found when it is asked for: of a thousand layers they take a while
        possible = possible or chance > 0.0
        if chance < 0.5:
            continue
        said = f"{networks:,} networks decide with a chance of {_percent(chance)}"
        aside = f" ({allowance.aside})" if allowance.aside else ""
        more, surer = next(chances, (None, None))
        if more is None or surer is None:
            return Forecast(networks, chance, said=said + aside)
        return Forecast(networks, chance, more, surer, f"{said}, {more:,} with {_percent(surer)}{aside}")
    if not possible:
        return Forecast(said="how many networks would decide cannot be told from these")
    return Forecast(said="more than 10^9 networks would be needed")


def _percent(chance: float) -> str:
    """A chance in words, which is never said to be a certainty."""
    return "over 99 %" if chance > 0.99 else f"{100 * chance:.0f} %"


# ---- the verdict -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was measured at one place (None: over the whole network), beside what was predicted there; NaN is missing.

    ``ratio`` is measured over predicted, ``interval`` that of the ratio or, where there is none, of the estimate, and
    ``adjusted`` the p-value among all of a report.
    """

    place: Place | None = None
    n_networks: int = 0
    estimate: float = math.nan
    predicted: float = math.nan
    ratio: float = math.nan
    interval: tuple[float, float] = (math.nan, math.nan)
    statistic: float = math.nan
    df: float = math.nan
    pvalue: float = math.nan
    adjusted: float = math.nan
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One claim about one configuration, and what came out of it.

    ``measured`` is what the verdict rests on; ``layers`` bear none and are for exploration. ``level`` is the largest p-value
    that makes a verdict, ``required`` foresees what decides an open one, and ``jointly`` tells whether it holds at the level
    that several studies share, None where nobody has asked.
    """

    claim: Claim
    configuration: str
    verdict: Decision
    measured: Comparison
    layers: tuple[Comparison, ...] = ()
    alpha: float = math.nan
    level: float = math.nan
    p_support: float = math.nan
    p_refute: float = math.nan
    guarantee: Guarantee | Literal[""] = ""
    required: Forecast = Forecast()
    notes: tuple[str, ...] = ()
    jointly: bool | None = None
    evidence: Evidence | UndecidableError | None = field(default=None, repr=False, compare=False)

    @property
    def note(self) -> str:
        """What a reader should know before believing it."""
        return join_notes(*self.notes)

    @property
    def contradicts(self) -> bool:
        """Whether it is the opposite of what the claim's author expects."""
        return {self.claim.expect, self.verdict} == {"supported", "refuted"}

    @property
    def standardised(self) -> bool:
        """Whether its estimate is a standardised mean, for which there is no ratio to a prediction of 0."""
        return self.claim.rule.standardised and math.isnan(self.measured.ratio)

    @property
    def compared(self) -> float:
        """What its interval and its margin are about: a standardised mean, or measured over predicted."""
        return self.measured.estimate if self.standardised else self.measured.ratio

    @property
    def pvalue(self) -> float:
        """The p-value that it rests on."""
        return self.p_support if self.verdict == "supported" else self.p_refute


def decide(
    configuration: str,
    claim: Claim,
    evidence: Evidence | UndecidableError,
    allowance: Allowance,
    *,
    alpha: float,
    place: Place | None = None,
) -> Verdict:
    """Decide a claim, about the whole network or about one place of it."""
    level = allowance.level
    if isinstance(evidence, UndecidableError):  # no evidence either way, and the reason
        return Verdict(
            claim=claim,
            configuration=configuration,
            verdict="inconclusive",
            measured=Comparison(place=place, pvalue=1.0),
            alpha=alpha,
            level=level,
            p_support=1.0,
            p_refute=1.0,
            guarantee="none",
            notes=(str(evidence), allowance.waits, allowance.note),
            evidence=evidence,
        )
    waits = allowance.waits if evidence.counts else ""
    verdict = "inconclusive" if waits else equivalence.decide(evidence.p_support, evidence.p_refute, level=level)
    undecided = verdict == "inconclusive"
    larger = forecast(evidence, allowance) if undecided else Forecast()
    outcome = evidence.headline.outcome
    refusal = outcome.refusal(level) if undecided and evidence.counts else ""
    return Verdict(
        claim=claim,
        configuration=configuration,
        verdict=verdict,
        measured=_comparison(evidence.headline, level, place),
        layers=tuple(_comparison(one, alpha / 2.0, one.place) for one in evidence.layers),
        alpha=alpha,
        level=level,
        p_support=evidence.p_support,
        p_refute=evidence.p_refute,
        guarantee=outcome.guarantee(level),
        required=larger,
        notes=(waits, refusal, larger.said, evidence.note, allowance.note if evidence.counts else ""),
        evidence=evidence,
    )


def _comparison(finding: Finding, level: float, place: Place | None) -> Comparison:
    outcome = finding.outcome
    # Nothing is estimated by an exact test, so there is nothing to be uncertain of.
    low, high = (math.nan, math.nan) if isinstance(outcome, Identity) else outcome.bounds(level)
    if math.isinf(low) and math.isinf(high):  # the test refuses the level, so there is no interval
        low = high = math.nan
    return Comparison(
        place=place,
        n_networks=outcome.n,
        estimate=finding.estimate,
        predicted=finding.predicted,
        ratio=finding.ratio,
        interval=(finding.compared(low), finding.compared(high)),
        statistic=outcome.statistic,
        df=outcome.df,
        pvalue=outcome.pvalue,
        note=outcome.note,
    )


def in_one_report(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Adjust a report's p-values, and note where a supported claim's difference from the null is detectable.

    Notes
    -----
    A p-value supports nothing, and with enough networks rejects every approximation. Beside a verdict of "supported" a small
    one (adjusted for an exact null, as it is for the others) means that there is a difference, within the margin. That is said
    of tests that have a margin, and not where the whole interval is as close to the prediction as single precision can tell.
    """
    if not verdicts:
        return ()
    pvalues = np.array([row.pvalue for one in verdicts for row in (one.measured, *one.layers)])
    exact = [one.claim.rule.point_null and not i for one in verdicts for i in range(1 + len(one.layers))]
    adjusted = iter(multiple.adjust_report(pvalues, np.array(exact)).tolist())
    return tuple(_adjusted(one, adjusted) for one in verdicts)


def _adjusted(one: Verdict, pvalues: Iterator[float]) -> Verdict:
    measured = replace(one.measured, adjusted=next(pvalues))
    layers = tuple(replace(layer, adjusted=next(pvalues)) for layer in one.layers)
    p, notes = measured.adjusted if one.claim.rule.point_null else measured.pvalue, one.notes
    if one.verdict == "supported" and p <= one.alpha and one.claim.rule.margin and not _rounded(one):
        notes = (*notes, f"a difference is detectable ({p_value(p)}) but within the margin")
    return replace(one, measured=measured, layers=layers, notes=notes)


def _rounded(one: Verdict) -> bool:
    """Whether no end of the interval is farther from the prediction than rounding may take it.

    Networks have one value there but for its last digits, as under orthogonal weights between identities, and no number of them
    makes a difference of these. Distances and shares are counted, and free of rounding.
    """
    right = {"ratio": 1.0, "root mean square": 0.0}.get(one.claim.rule.margin or "")
    return right is not None and all(abs(end - right) <= ROUNDING for end in one.measured.interval)


# ---- the edge ----------------------------------------------------------------------------------------------------

_READ: dict[str, tuple[str, Callable[[Verdict, Comparison], object]]] = {
    "claim": ("str", lambda one, _: one.claim.id),
    "configuration": ("str", lambda one, _: one.configuration),
    "layer": ("Int64", lambda _, row: row.place[0] if row.place else None),
    "module": ("str", lambda _, row: row.place[1] if row.place else None),
    "quantity": ("str", lambda one, _: one.claim.quantity),
    "theory": ("str", lambda one, _: one.claim.theory),
    "test": ("str", lambda one, _: one.claim.test),
    "n_networks": ("int64", lambda _, row: row.n_networks),
    "estimate": ("float64", lambda _, row: row.estimate),
    "predicted": ("float64", lambda _, row: row.predicted),
    "ratio": ("float64", lambda _, row: row.ratio),
    "ci_low": ("float64", lambda _, row: row.interval[0]),
    "ci_high": ("float64", lambda _, row: row.interval[1]),
    "statistic": ("float64", lambda _, row: row.statistic),
    "df": ("float64", lambda _, row: row.df),
    "pvalue": ("float64", lambda _, row: row.pvalue),
    "pvalue_adjusted": ("float64", lambda _, row: row.adjusted),
    "p_equivalence": ("float64", lambda one, row: one.p_support if row is one.measured else None),
    "p_refute": ("float64", lambda one, row: one.p_refute if row is one.measured else None),
    "margin": ("float64", lambda one, _: one.claim.shown_margin),
    "alpha": ("float64", lambda one, _: one.alpha),
    "verdict": ("str", lambda one, row: one.verdict if row is one.measured else None),
    "n_required": ("Int64", lambda one, row: one.required.networks if row is one.measured else None),
    "note": ("str", lambda one, row: one.note if row is one.measured else row.note),
    "chance": ("float64", lambda one, row: one.required.chance if row is one.measured else None),
    "n_next": ("Int64", lambda one, row: one.required.next_networks if row is one.measured else None),
    "chance_next": ("float64", lambda one, row: one.required.next_chance if row is one.measured else None),
    "level": ("float64", lambda one, row: one.level if row is one.measured else None),
    "guarantee": ("str", lambda one, row: (one.guarantee or None) if row is one.measured else None),
}
"""What kind a column is of, and what it has of a verdict and of what was measured, be it in one of its layers."""

COLUMNS = tuple(_READ)
"""Of every frame of verdicts, in this order."""


def to_frame(verdicts: Sequence[Verdict], *, rows: Literal["all", "verdicts", "layers"] = "all") -> pd.DataFrame:
    """Give verdicts as a frame: for each a row, and below it one for each layer."""
    import pandas as pd

    told = [
        (one, row)
        for one in verdicts
        for row in (*((one.measured,) if rows != "layers" else ()), *(one.layers if rows != "verdicts" else ()))
    ]
    # Column by column: as rows, ten thousand layers would take ten times what they say.
    return pd.DataFrame(
        {name: pd.Series([read(*pair) for pair in told], dtype=kind) for name, (kind, read) in _READ.items()}
    )
