"""Claims judged while their sample grows, so that sampling can end as soon as they are decided.

The looks are fixed before the first network is drawn and depend on the study alone. At each one every claim that is still
open is judged by a confidence sequence, which holds at all looks at once; what a claim's row says is what was known when it
was decided, whatever else the sample was used for afterwards. A larger budget later is more of the same looks and costs
nothing, as long as the sequence stays the one that was chosen for the first budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from varprop._arguments import quoted
from varprop._typing import Float64Array, RNGLike
from varprop.model.simulation import Simulation
from varprop.numerics.randomness import generator_of
from varprop.stats import equivalence, sequential
from varprop.stats.mixture import NormalMixture
from varprop.stats.outcome import Outcome
from varprop.stats.power import required_networks
from varprop.verification.claims import Claim
from varprop.verification.columns import beyond_bound
from varprop.verification.compare import gather
from varprop.verification.questions import (
    Chance,
    Evidence,
    Finding,
    Question,
    Tally,
    UndecidableError,
    beyond,
    join_notes,
    judging,
    within,
)

if TYPE_CHECKING:
    import pandas as pd


FIRST_LOOK = 500
"""Ten times as many networks as a confidence sequence needs at least: before, means of skewed values are not normal yet."""
GROWTH = 1.1
"""Of the sample from one look to the next: on average half of a tenth is sampled after the claim could be decided."""


def look_schedule(budget: int, *, block: int = 1) -> tuple[int, ...]:
    """Return the numbers of networks at which claims are judged.

    Examples
    --------
    >>> look_schedule(2_000, block=250)
    (500, 750, 1000, 1250, 1500, 1750, 2000)
    >>> look_schedule(10**6, block=500)[-3:]
    (857000, 943000, 1000000)
    """
    if budget < 1 or block < 1:
        msg = f"need a budget and blocks of at least one network, got {budget} and {block}"
        raise ValueError(msg)
    looks, look = [], -(-FIRST_LOOK // block) * block
    while look < budget:
        looks.append(look)
        look = max(look + block, math.ceil(GROWTH * look / block) * block)
    return (*looks, budget)


def mixture_for(looks: Sequence[int], *, alpha: float, m: int) -> NormalMixture:
    """Choose the mixture for a schedule: tuned for the geometric mean of its first look and its last."""
    # A claim's bounds are one-sided at alpha / m each, nearly a two-sided one at twice that.
    return NormalMixture.tuned(math.sqrt(looks[0] * looks[-1]), alpha=min(0.99, 2.0 * alpha / m))


@dataclass(frozen=True, slots=True)
class Stopped:
    """What is known of a claim at the look at which it was closed.

    ``networks`` counts the sample by then.
    """

    claim: Claim
    evidence: Evidence | UndecidableError
    networks: int


class Watch:
    """Claims about one configuration, judged look by look until all are closed."""

    def __init__(
        self,
        configuration: str,
        claims: Sequence[Claim],
        *,
        looks: Sequence[int],
        levels: Sequence[float],
        mixture: NormalMixture,
    ) -> None:
        for level in levels:
            equivalence.check_budget(level, 1)
        self._configuration = configuration
        self._claims = tuple(claims)
        self._looks = tuple(looks)
        self._levels = tuple(levels)
        self._mixture = mixture
        self._taken = 0
        self._tallies: dict[int, Tally[Evidence]] = {}
        self._stopped: dict[int, Stopped] = {}

    @property
    def networks(self) -> int:
        """Number of networks at the latest look, 0 before the first."""
        return self._looks[self._taken - 1] if self._taken else 0

    @property
    def next_look(self) -> int | None:
        """Number of networks at which to look next; None if every claim is closed.

        Without a claim there is nothing to stop for, and the only look is at the budget.
        """
        if not self._claims:
            return self._looks[-1] if not self._taken else None
        return None if len(self._stopped) == len(self._claims) else self._looks[self._taken]

    @property
    def stopped(self) -> tuple[Stopped, ...]:
        """The closed claims, in the claims' order."""
        return tuple(self._stopped[i] for i in sorted(self._stopped))

    def look(self, new: Iterable[Simulation], sample: Simulation, *, first: Simulation | None = None) -> None:
        """Judge the open claims by a sample that has grown to the next look."""
        size, before = self.next_look, self.networks
        if size is None or sample.n_networks != size:
            msg = f"the next look is at {size} networks, got a sample of {sample.n_networks}"
            raise ValueError(msg)
        self._taken = self._looks.index(size) + 1
        last = self._taken == len(self._looks)
        still_open = {i: claim for i, claim in enumerate(self._claims) if i not in self._stopped}
        watched = {i: claim for i, claim in still_open.items() if claim.rule.watched}
        for i, claim in watched.items():
            if i not in self._tallies:
                with self._named(claim):
                    self._tallies[i] = Tally(_question(claim, sample))
        read = before
        for piece in new:  # once, for all claims
            read += piece.n_networks
            for i in watched:
                self._tallies[i].add(piece)
        if read != size:
            msg = f"from {before} to {size} networks there are {size - before}, got {read - before}"
            raise ValueError(msg)
        for i, claim in watched.items():
            with self._named(claim):
                found = self._at_this_look(claim, self._tallies[i])
            if last or self._tallies[i].error is not None or self._decides(i, found):
                self._close(i, found)
        once = {i: claim for i, claim in still_open.items() if i not in watched and (last or claim.rule.own_draws)}
        whole = sample if first is None else first
        judged = gather(list(once.values()), whole, called=self._configuration)
        for i, one in zip(once, judged, strict=True):
            self._close(i, one, whole.n_networks)

    @contextmanager
    def _named(self, claim: Claim) -> Iterator[None]:
        """Around what may find that a test is not valid: the message names the claim."""
        try:
            yield
        except (ValueError, TypeError) as error:
            if len(error.args) != 1:
                raise  # with more to it than a message: samples that cannot be read
            msg = f"claim {quoted(claim.id)} on {quoted(self._configuration)}: {error}"
            raise type(error)(msg) from error

    def _at_this_look(self, claim: Claim, tally: Tally[Evidence]) -> Evidence | UndecidableError:
        answer = tally.answer()
        if isinstance(answer, UndecidableError):
            return answer
        if isinstance(answer, Exception):
            raise answer
        try:
            return at_any_look(claim, answer, self._mixture)
        except UndecidableError as error:
            return error

    def _decides(self, i: int, found: Evidence | UndecidableError) -> bool:
        if isinstance(found, UndecidableError):
            return False
        return equivalence.decide(found.p_support, found.p_refute, level=self._levels[i]) != "inconclusive"

    def _close(self, i: int, found: Evidence | UndecidableError, judged: int | None = None) -> None:
        claim, budget = self._claims[i], self._looks[-1]
        note = f"sequential: stopped after {self.networks:,} of at most {budget:,}"
        if claim.rule.own_draws:
            note = ""  # it has drawn what it judges for itself
        elif not claim.rule.watched:
            note = f"judged once, after {judged or self.networks:,} networks: the test has no sequential form"
        if isinstance(found, UndecidableError):
            found = UndecidableError(join_notes(note, str(found)))
        else:
            found = replace(found, note=join_notes(note, found.note))
        self._stopped[i] = Stopped(claim, found, judged or self.networks)
        self._tallies.pop(i, None)


def at_any_look(claim: Claim, evidence: Evidence, mixture: NormalMixture) -> Evidence:
    """Turn the evidence of a fixed sample into that of one look among many."""
    with judging():
        layers = tuple(_finding(finding, mixture) for finding in evidence.layers)
        headline = _finding(evidence.headline, mixture)
    rule, every_layer = claim.rule, claim.rule.scope == "every layer"
    if rule.bound and every_layer:
        judged = beyond_bound(claim, layers)
        headline, p_support, p_refute = judged.headline, judged.p_support, judged.p_refute
    elif every_layer:
        outcomes, delta = [finding.outcome for finding in layers], claim.half_width
        joint = sequential.all_layers(outcomes, delta)
        p_support, p_refute = joint.p_equivalence, joint.p_refute
        # That every layer is exactly right: the smallest of the layers' p-values, times their number.
        pvalue = min(1.0, len(outcomes) * min(outcome.pvalue for outcome in outcomes))
        headline = replace(headline, outcome=replace(headline.outcome, pvalue=pvalue))
    elif rule.bound:
        p_support, p_refute = equivalence.directional(headline.outcome, 0.0, direction=claim.direction)
    else:
        delta = claim.half_width
        p_support = equivalence.p_equivalence(headline.outcome, delta)
        p_refute = headline.outcome.p_outside(delta)
    return replace(
        evidence,
        layers=layers,
        headline=headline,
        p_support=p_support,
        p_refute=p_refute,
        chance=_chance(claim, headline.outcome, len(layers)),
        note=join_notes(evidence.note, rule.single_look),
    )


def _question(claim: Claim, sample: Simulation) -> Question[Evidence]:
    """What a test that is watched adds up."""
    question = claim.rule.ask(claim, sample)
    if not isinstance(question, Question):
        msg = f"test {quoted(claim.test)} judges whole samples and cannot be watched"
        raise TypeError(msg)
    return question


def _finding(finding: Finding, mixture: NormalMixture) -> Finding:
    return replace(finding, outcome=sequential.at_any_look(finding.outcome, mixture))


def _chance(claim: Claim, outcome: Outcome, layers: int) -> Chance:
    """Foresee a claim by the sequence of the layer that decides."""
    layers = layers if claim.rule.scope == "every layer" else 1
    if claim.rule.bound:
        return beyond(outcome, claim.direction, layers=layers)
    return within(outcome, claim.half_width, layers=2 * layers)  # its p-value averages the evidence for either side


# ---- what looking early saves ---------------------------------------------------------------------------------------

TRUTHS = (0.0, 0.5, 2.0, 5.0)
"""In units of the margin, on the logarithmic scale: exactly right, half a margin off, and far outside."""
BUDGET = 8
"""Times the plan for a prediction that is exactly right: enough for a truth at half the margin, which takes over thrice as
many networks."""

_DRAWS = 2**22


def sequential_savings(
    *,
    rng: RNGLike,
    width: int = 64,
    margin: float = 0.01,
    alpha: float = 0.05,
    claims: Sequence[int] = (1, 21),
    repeats: int = 500,
) -> pd.DataFrame:
    r"""Simulate how many networks a sequential claim about one step takes, under ReLU and He.

    Notes
    -----
    The step's ratio is (4 / n) times half of a chi-square number with K degrees of freedom, K ~ Bin(n, 1/2): the law of
    activations of a layer given the one before, with mean 1 and variance 5 / n. A truth off by a factor multiplies every
    ratio by it, so all truths are judged on the same draws.

    Examples
    --------
    >>> table = sequential_savings(rng=1, margin=0.05, claims=[1], repeats=20)
    >>> table[["truth", "verdict", "planned_networks"]].to_numpy().tolist()[0]
    [0.0, 'supported', 356]
    """
    import pandas as pd

    if not 1 <= width <= 1000 or repeats < 1:
        msg = f"need a width of 1 to 1000 and one study or more, got width={width} and repeats={repeats}"
        raise ValueError(msg)
    generator, delta = generator_of(rng), math.log1p(margin)
    rows = []
    for m in claims:
        plan = {
            truth: required_networks(variance=5.0 / width, margin=margin, alpha=alpha, claims=m, theta=truth * delta)
            for truth in TRUTHS
        }
        looks = np.array(look_schedule(BUDGET * plan[0.0]))
        theta, se = _running(generator, looks, width, repeats)
        for truth in TRUTHS:
            supported, refuted = _verdicts(theta + truth * delta, se, looks, delta, alpha=alpha, m=m)
            decided = supported | refuted
            used = np.where(decided.any(axis=1), looks[decided.argmax(axis=1)], looks[-1])
            first = decided & (np.cumsum(decided, axis=1) == 1)
            wrong = refuted if truth < 1.0 else supported
            rows.append(
                {
                    "claims": m,
                    "truth": truth,
                    "verdict": "supported" if truth < 1.0 else "refuted",
                    "repeats": repeats,
                    "budget": int(looks[-1]),
                    "planned_networks": plan[0.0],
                    "fixed_networks": plan[truth],
                    "mean_networks": float(used.mean()),
                    "quantile_90": float(np.quantile(used, 0.9)),
                    "decided": float(decided.any(axis=1).mean()),
                    "false": float((first & wrong).any(axis=1).mean()),
                }
            )
    return pd.DataFrame(rows)


def _running(
    rng: np.random.Generator, looks: np.ndarray, width: int, repeats: int
) -> tuple[Float64Array, Float64Array]:
    """Estimates of log E[ratio] and their standard errors at every look, shape (repeats, looks), as `step_mean` has them."""
    sums: Float64Array = np.zeros((2, repeats, len(looks)))
    edges = np.concatenate([[0], looks])
    at_once = max(1, _DRAWS // int(looks[-1]))
    for start in range(0, repeats, at_once):
        shape = (min(at_once, repeats - start), int(looks[-1]))
        ratios = 4.0 / width * rng.standard_gamma(rng.binomial(width, 0.5, size=shape) / 2.0)
        for power in (1, 2):
            between = np.add.reduceat(ratios**power, edges[:-1], axis=1)
            sums[power - 1, start : start + shape[0]] = np.cumsum(between, axis=1)
    mean = sums[0] / looks
    squared_cv = (sums[1] / looks - mean**2) / mean**2 * looks / (looks - 1)
    return np.log(mean) + squared_cv / (2 * looks), np.sqrt(squared_cv / looks)


def _verdicts(
    theta: Float64Array, se: Float64Array, looks: np.ndarray, delta: float, *, alpha: float, m: int
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each look supports and whether it refutes that |theta| is below delta."""
    mixture, needed = mixture_for(looks.tolist(), alpha=alpha, m=m), math.log(m / alpha)
    inside = [mixture.log_e_value((delta + sign * theta) / se, looks) >= needed for sign in (-1.0, 1.0)]
    outside = [mixture.log_e_value((sign * theta - delta) / se, looks) for sign in (-1.0, 1.0)]
    return inside[0] & inside[1], np.logaddexp(*outside) - math.log(2.0) >= needed
