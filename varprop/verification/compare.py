"""Verdicts: prediction meets simulation, claim by claim, with one guarantee for the whole report."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from varprop._arguments import checked, items_of, quoted
from varprop.model.modules import ModuleNetwork
from varprop.model.network import Place
from varprop.model.simulation import Simulation
from varprop.stats import equivalence
from varprop.stats.identity import Identity
from varprop.stats.outcome import Outcome
from varprop.theory import Theory, get_theory
from varprop.verification.allowance import Allowance, Forecast, forecast, of_one_look
from varprop.verification.claims import TESTS, Claim, as_claim
from varprop.verification.detectable import with_point_nulls
from varprop.verification.evidence import gather
from varprop.verification.findings import Evidence, Finding, UndecidableError, about_one, join_notes
from varprop.verification.modules import STEPS, preserved_findings
from varprop.verification.own import ALONE
from varprop.verification.questions import ask
from varprop.verification.tests.of_depth import cumulative_findings
from varprop.verification.validity import declared_symmetric

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "claim",
    "configuration",
    "layer",
    "module",
    "quantity",
    "theory",
    "test",
    "n_networks",
    "estimate",
    "predicted",
    "ratio",
    "ci_low",
    "ci_high",
    "statistic",
    "df",
    "pvalue",
    "pvalue_adjusted",
    "p_equivalence",
    "p_refute",
    "margin",
    "alpha",
    "verdict",
    "n_required",
    "note",
    "chance",
    "n_next",
    "chance_next",
    "level",
    "guarantee",
)
"""Of every frame of verdicts, in this order."""


_MOST_CLAIMS = 100_000  # of one report, and samples: beyond them alpha / m is below what tests can tell


@dataclass(frozen=True, slots=True)
class Case:
    """One sample, what it is called in tables, and the claims that are about it."""

    configuration: str
    simulation: Simulation
    claims: tuple[Claim, ...]


@checked
def verify(
    simulation: Simulation,
    *,
    theory: str | None = None,
    claims: Sequence[Claim | Mapping[str, Any]] | None = None,
    margin: float = 0.05,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Hold a sample against a theory, or against claims, and give verdicts.

    Parameters
    ----------
    simulation : Simulation
        From `simulate`, or a user's own measurements through ``Simulation.from_frame``.
    theory : str, optional
        Test every recorded quantity of which this theory predicts a positive value, in every layer: the mean over
        networks against the prediction (``cumulative_mean``), each row a claim of its own. Of a model of which the modules
        alone are known "preserved" can be tested, from what enters each module to what leaves it (``step_mean``).
        Of a user's own measurements "preserved" means that each layer keeps the mean that was measured in the first one (of
        gradients the last), which therefore has no row: whatever the scale of the inputs and of the loss.
    claims : sequence of Claim or dict, optional
        Test these instead: for each a row with the verdict (layer missing), and a row per layer for exploration.
    margin : float, default 0.05
        With ``theory``: largest relative departure that counts as agreement. Claims have their own.
    alpha : float, default 0.05
        Bound on the probability that any verdict of this call is false.

    Returns
    -------
    DataFrame
        One row per verdict or layer. ``ratio`` is estimate over predicted with its interval ``ci_low`` to
        ``ci_high``, of level 1 - 2 alpha / m on rows with a verdict (so that it lies inside the margin exactly where
        the verdict is "supported") and 1 - alpha on the others; for ``zero_mean`` the interval is that of the
        estimate, and there is no ratio. ``n_required`` is the number of networks, four, sixteen or more times as many as
        there are, that decides an inconclusive claim with a chance of one half or more; ``chance`` is that chance, and
        ``n_next`` and ``chance_next`` are the number after it and its chance. They are missing where no feasible number
        would do. ``level`` is the largest p-value that makes a verdict, and ``guarantee`` what that level rests on:
        "proved" for every law and any number of networks, "measured" by simulation over a range outside of which the
        test refuses, "exact" where chance has no part, "none" where no test is known to hold its level and there is no
        verdict.

    Raises
    ------
    ValueError
        If neither or both of theory and claims are given, or the sample lacks what a test needs.
    UnsupportedError
        If the theory does not cover the network.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    With enough networks every approximation is rejected, so a verdict is about a margin: "supported" if the truth is
    shown to lie within it, "refuted" if it is shown to lie outside, each at level alpha / m, m being the number of
    verdicts of the call. One of the two nulls is true of each claim, so P(any false verdict) <= alpha under any
    dependence.

    That holds for one look at the data. Whoever samples ``n_required`` networks and calls `verify` again has looked twice, and
    one of two looks is false more often than one alone; this function keeps no record of them. A study does
    (`varprop.run_study`): it has shares of alpha for further looks.

    References
    ----------
    .. [1] Goeman, Solari & Stijnen (2010), Statistics in Medicine 29: three-sided testing by partitioning.
    .. [2] Berger (1982), Technometrics 24: intersection-union tests.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([64] * 4, activation="relu", weights="he_normal")
    >>> sim = vp.simulate(net, n_networks=4000, rng=2015, quantities=["preactivation_second_moment"])
    >>> table = vp.verify(sim, theory="he", margin=0.1)
    >>> table[["layer", "quantity", "predicted", "verdict"]].to_string(index=False, header=False).splitlines()
    ['1 preactivation_second_moment        2.0 supported', '2 preactivation_second_moment        2.0 supported', '3 preactivation_second_moment        2.0 supported']
    """
    if not isinstance(simulation, Simulation):
        msg = (
            f"verify takes a Simulation, got {type(simulation).__name__}; "
            "make one of your own measurements with Simulation.from_frame(frame, network)"
        )
        raise TypeError(msg)
    if (theory is None) == (claims is None):
        msg = "give theory or claims (one of them); write for example verify(simulation, theory='he')"
        raise ValueError(msg)
    if theory is not None:
        return _verify_theory(simulation, theory, margin, alpha)
    given = items_of("claims", claims, most=_MOST_CLAIMS, example="[vp.Claim(...)]", ordered=True)
    listed = tuple(claim if isinstance(claim, Claim) else as_claim(claim) for claim in given)
    return assess([Case(simulation.network.label, simulation, listed)], alpha=alpha)


@checked
def assess(cases: Sequence[Case], *, alpha: float = 0.05) -> pd.DataFrame:
    """Give the verdicts of a whole report: m counts the claims of all cases that chance may mislead.

    Parameters
    ----------
    cases : sequence of Case
        Samples with their claims.
    alpha : float, default 0.05
        Bound on the probability that any verdict is false.

    Returns
    -------
    DataFrame
        The columns of `verify`, claim by claim in the order given.

    Raises
    ------
    ValueError
        If there is no claim, or a sample lacks what a test needs; the message names the claim and the sample.
    TypeError
        If an argument is of another kind.
    """
    cases = items_of("cases", cases, most=_MOST_CLAIMS, example="[Case(...)]", ordered=True)
    if strangers := [case for case in cases if not isinstance(case, Case)]:
        msg = f"assess takes cases, got {type(strangers[0]).__name__}; write Case(configuration, simulation, claims)"
        raise TypeError(msg)
    if not any(case.claims for case in cases):
        msg = "there is no claim to test; give at least one"
        raise ValueError(msg)
    equivalence.check_budget(alpha, 1)
    found = judge(cases)
    sizes = [case.simulation.n_networks for case in cases for _ in case.claims]
    m = counted(found)
    return tabulate(found, [of_one_look(size, alpha=alpha, m=m) for size in sizes], alpha=alpha)


Found = tuple[str, Claim, Evidence | UndecidableError]
"""A configuration's label, a claim about it, and what the sample says."""


def judge(cases: Sequence[Case]) -> list[Found]:
    """Take the evidence for every claim of several samples, in their order."""
    found: list[Found] = []
    for case in cases:
        evidence = gather(case.claims, case.simulation, called=case.configuration)
        found += [(case.configuration, claim, one) for claim, one in zip(case.claims, evidence, strict=True)]
    return found


def counted(found: Sequence[Found]) -> int:
    """Return the number of verdicts that share alpha, at least 1."""
    return max(1, sum(claim.counts for _, claim, _ in found))


def tabulate(found: Sequence[Found], allowances: Sequence[Allowance], *, alpha: float) -> pd.DataFrame:
    """Turn the evidence for all claims of a report into its table of verdicts."""
    rows: list[dict[str, object]] = []
    for (configuration, claim, evidence), allowance in zip(found, allowances, strict=True):
        if isinstance(evidence, UndecidableError):
            rows.append(_undecided(claim, configuration, alpha, allowance, str(evidence)))
        else:
            rows += _rows(claim, configuration, evidence, alpha, allowance)
    return _frame(rows)


def _verify_theory(simulation: Simulation, theory: str, margin: float, alpha: float) -> pd.DataFrame:
    """Test every place of every quantity as a claim of its own."""
    rule = get_theory(theory)
    if isinstance(simulation.network, ModuleNetwork):
        return _verify_modules(simulation, rule, margin, alpha)
    asked = [
        Claim(id=f"{theory}.{quantity}", quantity=quantity, test="cumulative_mean", theory=theory, margin=margin)
        for quantity in TESTS["cumulative_mean"].quantities
        if quantity in simulation.quantities and rule.speaks_of(quantity)
    ]
    answers = ask([cumulative_findings(claim, simulation) for claim in asked], simulation)
    placed: list[tuple[Claim, Place | None, Finding | UndecidableError]] = []
    for claim, found in zip(asked, answers, strict=True):
        if isinstance(found, UndecidableError):  # of the quantity as a whole, such as networks that come back to life
            placed += [(claim, place, found) for place in sorted(simulation.places(claim.quantity))]
        elif isinstance(found, Exception):
            raise found
        else:
            placed += [(claim, place, one) for place, one in sorted(found, key=operator.itemgetter(0))]
    if not placed:
        msg = f"theory {quoted(theory)} predicts none of the recorded quantities ({', '.join(simulation.quantities)})"
        raise ValueError(f"{ALONE}; measure one in two or more" if rule.constant and asked else msg)
    return _frame(_rows_of_places(placed, simulation, alpha))


def _verify_modules(simulation: Simulation, theory: Theory, margin: float, alpha: float) -> pd.DataFrame:
    """Test every module's step, forward and backward, as a claim of its own: there is no prediction over depth."""
    placed: list[tuple[Claim, Place | None, Finding | UndecidableError]] = []
    for quantity, needed in STEPS.items():
        if not set(needed) <= set(simulation.quantities):
            continue
        name = f"{theory.name}.{quantity}"
        claim = Claim(id=name, quantity=quantity, test="step_mean", theory=theory.name, margin=margin)
        placed += [(claim, place, one) for place, one in preserved_findings(simulation, theory, quantity)]
    if not placed:
        msg = f"the step of a module needs second moments of what enters and leaves it; recorded were {simulation.quantities}"
        raise ValueError(msg)
    return _frame(_rows_of_places(placed, simulation, alpha))


def _rows_of_places(
    placed: Sequence[tuple[Claim, Place | None, Finding | UndecidableError]], simulation: Simulation, alpha: float
) -> list[dict[str, object]]:
    """Rows that are each a claim about one place."""
    allowance, label = of_one_look(simulation.n_networks, alpha=alpha, m=len(placed)), simulation.network.label
    declared = declared_symmetric(simulation.network)
    rows = []
    for claim, place, found in placed:
        if isinstance(found, UndecidableError):
            verdict = _undecided(claim, label, alpha, allowance, str(found))
        else:
            evidence = about_one((), found, claim.half_width, declared)
            verdict = _rows(claim, label, evidence, alpha, allowance)[0]
        verdict["layer"], verdict["module"] = place or (None, None)
        rows.append(verdict)
    return rows


def _rows(
    claim: Claim, configuration: str, evidence: Evidence, alpha: float, allowance: Allowance
) -> list[dict[str, object]]:
    """The row with the verdict, then a row per layer for exploration."""
    common, level = _about(claim, configuration, alpha), allowance.level
    waits = allowance.waits if evidence.counts else ""
    verdict = "inconclusive" if waits else equivalence.decide(evidence.p_support, evidence.p_refute, level=level)
    undecided = verdict == "inconclusive"
    larger = forecast(evidence, allowance) if undecided else Forecast()
    outcome = evidence.headline.outcome
    refusal = outcome.refusal(level) if undecided and evidence.counts else ""
    first = common | {
        "layer": None,
        "module": None,
        **_numbers(evidence.headline, level),
        "p_equivalence": evidence.p_support,
        "p_refute": evidence.p_refute,
        "verdict": verdict,
        "n_required": larger.networks,
        "note": join_notes(waits, refusal, larger.said, evidence.note, allowance.note if evidence.counts else ""),
        "chance": larger.chance,
        "n_next": larger.next_networks,
        "chance_next": larger.next_chance,
        "level": level,
        "guarantee": outcome.guarantee(level),
    }
    explored = [
        common
        | {
            "layer": finding.place[0] if finding.place else None,
            "module": finding.place[1] if finding.place else None,
            **_numbers(finding, alpha / 2.0),
            "verdict": None,
            "n_required": None,
            "note": finding.outcome.note,
        }
        for finding in evidence.layers
    ]
    return [first, *explored]


def _about(claim: Claim, configuration: str, alpha: float) -> dict[str, object]:
    """What every row of a claim says."""
    return {
        "claim": claim.id,
        "configuration": configuration,
        "quantity": claim.quantity,
        "theory": claim.theory,
        "test": claim.test,
        "margin": claim.shown_margin,
        "alpha": alpha,
    }


def _undecided(claim: Claim, configuration: str, alpha: float, allowance: Allowance, why: str) -> dict[str, object]:
    """The row of a claim that these data cannot judge: no evidence either way, and the reason."""
    numbers = ("estimate", "predicted", "ratio", "ci_low", "ci_high", "statistic", "df")
    return _about(claim, configuration, alpha) | {
        **dict.fromkeys(numbers, math.nan),
        **dict.fromkeys(("pvalue", "p_equivalence", "p_refute"), 1.0),
        "n_networks": 0,
        "verdict": "inconclusive",
        "note": join_notes(why, allowance.waits, allowance.note),
        "level": allowance.level,
        "guarantee": "none",
    }


def _numbers(finding: Finding, level: float) -> dict[str, object]:
    outcome: Outcome = finding.outcome
    # Nothing is estimated by an exact test, so there is nothing to be uncertain of.
    low, high = (math.nan, math.nan) if isinstance(outcome, Identity) else outcome.bounds(level)
    if math.isinf(low) and math.isinf(high):  # the test refuses the level, so there is no interval
        low = high = math.nan
    return {
        "n_networks": outcome.n,
        "estimate": finding.estimate,
        "predicted": finding.predicted,
        "ratio": finding.ratio,
        "ci_low": finding.compared(low),
        "ci_high": finding.compared(high),
        "statistic": outcome.statistic,
        "df": outcome.df,
        "pvalue": outcome.pvalue,
        "p_equivalence": math.nan,
        "p_refute": math.nan,
    }


def _frame(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    import pandas as pd

    frame = with_point_nulls(pd.DataFrame(list(rows)))
    text = ["claim", "configuration", "module", "quantity", "theory", "test", "verdict", "note", "guarantee"]
    numbers = dict.fromkeys(("chance", "chance_next", "level"), "float64")
    counts_of = {"layer": "Int64", "n_required": "Int64", "n_next": "Int64", "n_networks": "int64"}
    kinds = counts_of | numbers | dict.fromkeys(text, "str")
    return frame.reindex(columns=list(COLUMNS)).astype(kinds)
