"""Verdicts: prediction meets simulation, claim by claim, with one guarantee for the whole report."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop._arguments import checked, items_of, quoted
from varprop._typing import Float64Array
from varprop.model.network import Network
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.simulation import Samples, Simulation
from varprop.model.sites import ModuleNetwork, Place
from varprop.stats import equivalence
from varprop.theory import Theory, get_theory
from varprop.verification.as_they_stand import ALONE
from varprop.verification.claims import TESTS, Claim, as_claim
from varprop.verification.forms import CARRIER
from varprop.verification.modules import STEPS, preserved_findings
from varprop.verification.questions import Evidence, Finding, Question, UndecidableError, about_one, ask, join_notes
from varprop.verification.tests.of_depth import cumulative_findings
from varprop.verification.validity import declared_symmetric
from varprop.verification.verdict import Allowance, Verdict, decide, in_one_report, of_one_look, to_frame

if TYPE_CHECKING:
    import pandas as pd


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
        return to_frame(hold_against(simulation, theory, margin=margin, alpha=alpha))
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
    return to_frame(verdicts_on(found, [of_one_look(size, alpha=alpha, m=m) for size in sizes], alpha=alpha))


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


def verdicts_on(found: Sequence[Found], allowances: Sequence[Allowance], *, alpha: float) -> tuple[Verdict, ...]:
    """Decide all claims of a report by the evidence for them."""
    pairs = zip(found, allowances, strict=True)
    return in_one_report([decide(*one, allowance, alpha=alpha) for one, allowance in pairs])


def hold_against(simulation: Simulation, theory: str, *, margin: float, alpha: float) -> tuple[Verdict, ...]:
    """Test every place of every quantity that a theory speaks of as a claim of its own."""
    rule = get_theory(theory)
    placed = (_by_module if isinstance(simulation.network, ModuleNetwork) else _by_layer)(simulation, rule, margin)
    allowance, label = of_one_look(simulation.n_networks, alpha=alpha, m=len(placed)), simulation.network.label
    declared = declared_symmetric(simulation.network)
    verdicts = []
    for claim, place, found in placed:
        evidence = found if isinstance(found, UndecidableError) else about_one((), found, claim.half_width, declared)
        verdicts.append(decide(label, claim, evidence, allowance, alpha=alpha, place=place))
    return in_one_report(verdicts)


_AtPlaces = list[tuple[Claim, Place, Finding | UndecidableError]]


def _by_layer(simulation: Simulation, theory: Theory, margin: float) -> _AtPlaces:
    asked = [
        Claim(
            id=f"{theory.name}.{quantity}", quantity=quantity, test="cumulative_mean", theory=theory.name, margin=margin
        )
        for quantity in TESTS["cumulative_mean"].quantities
        if quantity in simulation.quantities and theory.speaks_of(quantity)
    ]
    answers = ask([cumulative_findings(claim, simulation) for claim in asked], simulation)
    placed: _AtPlaces = []
    for claim, found in zip(asked, answers, strict=True):
        if isinstance(found, UndecidableError):  # of the quantity as a whole, such as networks that come back to life
            placed += [(claim, place, found) for place in sorted(simulation.places(claim.quantity))]
        elif isinstance(found, Exception):
            raise found
        else:
            placed += [(claim, place, one) for place, one in sorted(found, key=operator.itemgetter(0))]
    if not placed:
        msg = f"theory {quoted(theory.name)} predicts none of the recorded quantities ({', '.join(simulation.quantities)})"
        raise ValueError(f"{ALONE}; measure one in two or more" if theory.constant and asked else msg)
    return placed


def _by_module(simulation: Simulation, theory: Theory, margin: float) -> _AtPlaces:
    """Every module's step, forward and backward: there is no prediction over depth."""
    placed: _AtPlaces = []
    for quantity, needed in STEPS.items():
        if not set(needed) <= set(simulation.quantities):
            continue
        name = f"{theory.name}.{quantity}"
        claim = Claim(id=name, quantity=quantity, test="step_mean", theory=theory.name, margin=margin)
        placed += [(claim, place, one) for place, one in preserved_findings(simulation, theory, quantity)]
    if not placed:
        msg = f"the step of a module needs second moments of what enters and leaves it; recorded were {simulation.quantities}"
        raise ValueError(msg)
    return placed


def gather(claims: Sequence[Claim], simulation: Simulation, *, called: str) -> list[Evidence | UndecidableError]:
    """Test claims on one sample, which is read once for all of them (and again by a test that wants it whole)."""
    found: list[Evidence | Question[Evidence] | ValueError | TypeError] = []
    for claim in claims:
        try:
            found.append(claim.rule.ask(claim, simulation))
        except (ValueError, TypeError) as error:
            found.append(error)
    asked: list[Question[Evidence]] = [one for one in found if isinstance(one, Question)]
    answers = ask(asked, simulation)
    each = iter(answers)
    given = [next(each) if isinstance(one, Question) else one for one in found]
    checked = [_checked(one, claim, called) for one, claim in zip(given, claims, strict=True)]
    declared = declared_symmetric(simulation.network)
    return [replace(one, note=join_notes(one.note, declared)) if isinstance(one, Evidence) else one for one in checked]


def _checked(found: Evidence | ValueError | TypeError, claim: Claim, called: str) -> Evidence | UndecidableError:
    """Raise what is about the question and not about the data, with the claim's name."""
    if isinstance(found, Evidence | UndecidableError):
        return found
    if len(found.args) != 1:
        raise found  # with more to it than a message: samples that cannot be read
    msg = f"claim {quoted(claim.id)} on {quoted(called)}: {found}"
    raise type(found)(msg) from found


def needed_quantities(
    claim: Claim, network: Network, inputs: Float64Array, where: Mapping[str, Sequence[Place]]
) -> frozenset[str]:
    """Find out before anything is sampled which quantities a claim's test needs.

    The test itself is asked, by letting it read from a sample of two networks in which every number is 1.
    """
    if claim.quantity not in ALL_QUANTITIES:
        return frozenset()  # weights are drawn for their test alone
    # What a test uses where it is there, and does without where it is not, is not needed.
    for names in ((claim.quantity,), [name for name in where if name != CARRIER]):
        read = _read(claim, network, inputs, {name: where[name] for name in names if name in where})
        if read is not None:
            return read
    return _read(claim, network, inputs, where) or frozenset(where)


def _read(
    claim: Claim, network: Network, inputs: Float64Array, where: Mapping[str, Sequence[Place]]
) -> frozenset[str] | None:
    """What a test reads of a sample of ones that has these quantities; None if they are not enough for it."""
    if not where:
        return None
    axes = (len(inputs),) if len(inputs) > 1 else ()
    samples = _Noting(
        (name, Samples(np.ones((2, len(places), *(() if ALL_QUANTITIES[name].joint else axes))), tuple(places)))
        for name, places in where.items()
    )
    ones = Simulation(network=network, inputs=inputs, samples=samples, per_input=len(inputs) > 1)
    # What a test may say of numbers that nobody measured is of no interest.
    with contextlib.suppress(ArithmeticError):
        try:
            gather([claim], ones, called=network.label)
        except (ValueError, TypeError):
            return None
    return frozenset(samples.read)


class _Noting(dict[str, Samples]):
    """Samples that remember which of them were asked for."""

    def __init__(self, samples: Iterable[tuple[str, Samples]]) -> None:
        super().__init__(samples)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Samples:
        self.read.add(name)
        return super().__getitem__(name)
