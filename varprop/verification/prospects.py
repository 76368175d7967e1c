"""How many networks a report needs to decide its claims, foreseen from a pilot or from what is known beforehand."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scipy import special

from varprop._limits import MAX_NETWORKS
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_chain
from varprop.stats import power
from varprop.stats.chances import Proportion
from varprop.stats.equivalence import Decision
from varprop.stats.identity import networks_to_show
from varprop.stats.law_fits import LawFit
from varprop.stats.mixture import NormalMixture
from varprop.stats.outcome import Outcome
from varprop.stats.power import least_networks, required_networks
from varprop.stats.sequential import MIN_NETWORKS
from varprop.stats.variances import known_variance
from varprop.theory import get_theory
from varprop.theory.predictions import said_of
from varprop.verification.claims import Claim
from varprop.verification.questions import Evidence, Finding, UndecidableError
from varprop.verification.verdict import Allowance, forecast

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "claim",
    "configuration",
    "quantity",
    "theory",
    "test",
    "margin",
    "expect",
    "pilot",
    "estimate",
    "heads_for",
    "n_required",
    "note",
    "chance",
    "n_next",
    "chance_next",
    "n_first",
)
"""Of every plan's frame, in this order."""

POWER = 0.9
"""Probability of a verdict that a plan without data asks for."""

_SAME = 1e-6
"""Relative difference of two predictions that are the same but for rounding."""

Need = Callable[[float], int | None]
"""From the one-sided level of a verdict to the number of networks that reaches it with probability .9; None if none does."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A claim and the sample that it is planned by, a pilot or the run itself.

    Of a pilot the ``allowance`` has the look to come too among the numbers of networks at which the claim may be judged, and
    ``fresh`` says that the first of these may still be any other. ``verdict`` is what the run says; of a pilot it is None.
    Without a ``ladder`` there is one look, and any number of networks will do for it.
    """

    configuration: str
    claim: Claim
    network: Network
    inputs: int
    networks: int
    evidence: Evidence | UndecidableError
    allowance: Allowance
    verdict: Decision | None = None
    fresh: bool = False
    ladder: bool = True
    mixture: NormalMixture | None = None


@dataclass(frozen=True, slots=True)
class _Prospect:
    """The verdict that a claim heads for, and the networks that it takes."""

    verdict: Decision | None
    need: Need
    note: str = ""


def plan_table(planned: Sequence[Planned]) -> pd.DataFrame:
    """Say how many networks each claim of a report needs.

    Notes
    -----
    Where the variance and the truth are known beforehand, as of ReLU networks held against a theory that is exact for them,
    no pilot is asked. A pilot's estimate is no truth: its error, times ten thousand networks, would be a difference. What a
    claim can be supported with is planned for the truth nearest to 0 in the pilot's 95 % interval, for every layer at its
    own variance. Planned for the estimate is what lies outside its margin by all of that interval, what is expected to be
    refuted and estimated so, and what is not 0 and may lie on either side of the margin. Where the truth sits on the margin
    no number decides.
    """
    import pandas as pd

    if not planned:
        msg = "there is no claim to plan for; give at least one"
        raise ValueError(msg)
    rows = [_row(one) for one in planned]
    text = ["claim", "configuration", "quantity", "theory", "test", "expect", "heads_for", "note"]
    counts = {"pilot": "int64", "n_required": "Int64", "n_next": "Int64", "n_first": "Int64"}
    kinds = counts | dict.fromkeys(text, "str") | dict.fromkeys(("chance", "chance_next"), "float64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)


def _row(one: Planned) -> dict[str, object]:
    claim, evidence = one.claim, one.evidence
    said: dict[str, object] = {
        "claim": claim.id,
        "configuration": one.configuration,
        "quantity": claim.quantity,
        "theory": claim.theory,
        "test": claim.test,
        "margin": claim.shown_margin,
        "expect": claim.expect,
        "pilot": one.networks,
        "estimate": evidence.headline.estimate if isinstance(evidence, Evidence) else math.nan,
    }
    if one.verdict is not None:
        return said | _by_run(one)
    prospect = known_before(claim, one.network, inputs=one.inputs) or _prospect(one)
    need, rungs = prospect.need, one.allowance.later
    if one.mixture is not None:
        need = watched_need(need, one.mixture)
    first = need(rungs[0][1]) if one.fresh and rungs else None
    needed, note = first_rung(need, rungs, ladder=one.ladder), prospect.note
    if needed is None and prospect.verdict is not None:
        never = need(rungs[-1][1] if rungs else 0.5) is None
        note = "more than 10^9 networks would be needed"
        if never:
            note = "undecidable at any size: the truth sits on the margin; declare another margin"
    return said | {
        "heads_for": prospect.verdict if needed is not None else None,
        "n_required": needed,
        "note": note,
        "n_first": first,
    }


def _by_run(one: Planned) -> dict[str, object]:
    """What the run's own table says of a claim."""
    evidence, allowance = one.evidence, one.allowance
    if isinstance(evidence, UndecidableError):
        return {"heads_for": None, "n_required": None, "note": str(evidence)}
    if one.verdict != "inconclusive":
        return {"heads_for": one.verdict, "n_required": allowance.networks, "note": "decided by the run"}
    larger = forecast(evidence, allowance)
    heads: Decision = "supported" if evidence.p_support <= evidence.p_refute else "refuted"
    return {
        "heads_for": None if larger.networks is None else heads,
        "n_required": larger.networks,
        "note": "; ".join(filter(None, (allowance.waits, larger.said))),
        "chance": larger.chance,
        "n_next": larger.next_networks,
        "chance_next": larger.next_chance,
    }


def first_rung(need: Need, rungs: Sequence[tuple[int, float]], *, ladder: bool = True) -> int | None:
    """Return the first number of networks that is as large as a claim needs at its level there."""
    if not ladder:
        given, level = rungs[0]
        needed = need(level)
        return None if needed is None or needed > MAX_NETWORKS else max(given, needed)
    by_level = functools.cache(need)  # rungs share levels
    for networks, level in rungs:
        needed = by_level(level)
        if needed is not None and needed <= networks:
            return networks
    return None


# ---- from a pilot --------------------------------------------------------------------------------------------------


def _prospect(one: Planned) -> _Prospect:
    """What one claim takes, by the pilot."""
    claim, evidence = one.claim, one.evidence
    if isinstance(evidence, UndecidableError):
        return _Prospect(None, lambda _: None, f"the pilot admits no test: {evidence}")
    heads: Decision = "supported" if evidence.p_support <= evidence.p_refute else "refuted"
    if claim.rule.any_number:
        return _about_equality(claim, evidence, heads)
    if claim.rule.bound is not None:
        return _about_bound(one, evidence, heads)
    if claim.rule.scope == "whole law":
        return _about_laws(one, evidence)
    return _about_margins(one, evidence.layers if claim.rule.scope == "every layer" else (evidence.headline,))


def _about_equality(claim: Claim, evidence: Evidence, heads: Decision) -> _Prospect:
    """What any number of networks decides, or a share of them; or all, without a reason and an exception so far."""
    found = evidence.headline.outcome
    if isinstance(found, Proportion) and claim.counts:
        return _Prospect(
            heads, lambda level: networks_to_show(found, alpha=level, m=1), "planned for the pilot's exceptions"
        )
    if evidence.p_support == evidence.p_refute:
        return _Prospect(None, lambda _: None, evidence.note)
    return _Prospect(heads, lambda _: 2, claim.rule.any_number)


def _in_all(one: Planned, outcome: Outcome, needed: int | None, level: float) -> int | None:
    """Networks of the sample, where a test counts those that are alive; no fewer than the test takes."""
    if needed is None:
        return None
    steps = one.network.depth - 1 if one.claim.rule.scope == "one number" else None
    claim, width = one.claim, min(one.network.widths)
    least = least_networks(claim.test, level=level, width=width, steps=steps, quantity=claim.quantity)
    return max(least, math.ceil(needed * one.networks / outcome.n))


def _about_margins(one: Planned, findings: Sequence[Finding]) -> _Prospect:
    """Estimates of one number each, all of which have to lie within the margin."""
    claim, layers = one.claim, len(findings)
    delta = claim.half_width
    likely = [(finding.outcome, _likely(finding.outcome, delta)) for finding in findings]
    outside = [
        outcome for outcome, theta in likely if abs(outcome.theta if claim.expect == "refuted" else theta) > delta
    ]

    def networks(outcome: Outcome, level: float) -> int | None:
        needed = power.networks_to_decide(outcome, delta, alpha=level, layers=layers, beta=1.0 - POWER)
        return _in_all(one, outcome, needed, level)

    if outside:

        def to_refute(level: float) -> int | None:
            needed = (networks(outcome, level) for outcome in outside)
            return min((n for n in needed if n is not None), default=None)

        return _Prospect("refuted", to_refute, "planned for the pilot's estimate")

    def to_support(level: float) -> int | None:
        needed = [networks(replace(outcome, theta=theta), level) for outcome, theta in likely]
        return None if None in needed else max(n for n in needed if n is not None)

    why = "planned for the mildest truth that the pilot allows"
    if any(theta == outcome.theta != 0.0 for outcome, theta in likely):
        why = "near its margin: planned for the pilot's estimate"
    elif all(theta == 0.0 for _, theta in likely):
        why = "planned for an exact prediction"
    return _Prospect("supported", to_support, why)


def _about_laws(one: Planned, evidence: Evidence) -> _Prospect:
    """Distances between laws, of which a small sample's are too large by chance."""
    fits = [finding.outcome for finding in evidence.layers if isinstance(finding.outcome, LawFit)]
    worst = max(fits, key=lambda fit: fit.theta)
    least = replace(worst, theta=worst.interval(0.95)[0])
    margin = one.claim.margin

    def need(level: float) -> int | None:
        needed = least.networks_to_decide(margin, alpha=level, layers=len(fits), beta=1.0 - POWER)
        return _in_all(one, worst, needed, level)

    heads: Decision = "supported" if least.theta < margin else "refuted"
    return _Prospect(heads, need, "planned for the smallest distance that the pilot allows")


def _about_bound(one: Planned, evidence: Evidence, heads: Decision) -> _Prospect:
    """An estimate that lies on one side of a bound."""
    outcome, direction = evidence.headline.outcome, one.claim.direction
    layers = len(evidence.layers) if one.claim.rule.scope == "every layer" else 1

    def need(level: float) -> int | None:
        needed = power.networks_to_decide_direction(
            outcome, 0.0, direction=direction, alpha=level, layers=layers, beta=1.0 - POWER
        )
        return _in_all(one, outcome, needed, level)

    return _Prospect(heads, need, "planned for the pilot's estimate")


def _likely(outcome: Outcome, delta: float) -> float:
    """The mildest truth in the pilot's 95 % interval; the estimate where the interval says no more than "near the margin"."""
    low, high = outcome.interval(0.95)
    if low <= 0.0 <= high:
        return 0.0
    mildest, farthest = (low, high) if low > 0.0 else (high, low)
    return outcome.theta if abs(mildest) <= delta <= abs(farthest) else mildest


# ---- before any data -----------------------------------------------------------------------------------------------


def known_before(claim: Claim, network: Network, *, inputs: int = 1) -> _Prospect | None:
    """What a claim takes, where that is known without a sample: its variance, and that its prediction is exactly right.

    Known are claims that are not expected to be refuted, about ReLU with Gaussian weights, zero biases and one input, at one
    width from the first layer on, by a test whose variance `required_networks` knows, against a theory that is exact for them.
    """
    width = _relu_width(network)
    first, last = claim.layers or (1, network.depth)
    if width is None or claim.expect == "refuted" or first != 1 or inputs > 1:
        return None
    # The rate is that of what lies between the layers; every other test begins with the first.
    steps = max(1, last - 1) if claim.rule.between else last
    try:
        known_variance(claim.test, claim.quantity, width, steps)
    except ValueError:
        return None  # a test that it does not know
    if not _exact(claim, network):
        return None
    layers = last if claim.rule.scope == "every layer" else 1

    def need(level: float) -> int:
        return required_networks(
            claim.test,
            quantity=claim.quantity,
            width=width,
            depth=steps,
            margin=claim.margin,
            alpha=level,
            layers=layers,
            power=POWER,
        )

    return _Prospect("supported", need, "planned for an exact prediction")


def watched_need(need: Need, mixture: NormalMixture) -> Need:
    """Turn what a fixed sample needs into what a confidence sequence needs, which is wider by its bound over the quantile."""
    late = -float(special.ndtri((1.0 - POWER) / 2.0))

    def sequential(level: float) -> int | None:
        fixed = need(level)
        if fixed is None:
            return None
        unit, networks = fixed / (late - float(special.ndtri(level))) ** 2, float(max(fixed, MIN_NETWORKS))
        # The bound grows like the root of a logarithm, so that a few steps settle it.
        for _ in range(20):
            networks = max(MIN_NETWORKS, unit * (late + float(mixture.bound(networks, alpha=level))) ** 2)
        return math.ceil(networks)

    return sequential


def _exact(claim: Claim, network: Network) -> bool:
    """Whether a theory says of a ReLU network what mean-field theory does, which is exact for its second moments."""
    if claim.quantity == "pivot":
        return True  # its mean is 1, whatever the theory
    try:
        theirs, right = (_profile(claim, network, theory) for theory in (claim.theory or "", "mean-field"))
    except (UnsupportedError, ValueError):
        return False
    if not theirs or theirs.keys() != right.keys() or not all(right.values()):  # 0 is where the float64 end
        return False
    ratios = [theirs[place] / right[place] for place in theirs]
    # Over depth the level counts too; of steps and rates only that it stays the same.
    level = 1.0 if claim.rule.absolute else ratios[0]
    return all(abs(ratio / level - 1.0) < _SAME for ratio in ratios)


def _profile(claim: Claim, network: Network, theory: str) -> dict[tuple[int, str], float]:
    """What a theory says of the claim's quantity, by place, for one input of all ones; theories scale with others alike."""
    import numpy as np

    said = said_of(network, get_theory(theory), np.ones((1, network.widths[0])))
    return {(p.layer, p.module): p.predicted for p in said if p.quantity == claim.quantity}


def _relu_width(network: Network) -> int | None:
    """The width of a ReLU network whose variances are known; None of any other."""
    if not network.is_chain:
        return None
    chain = read_chain(network)
    alike = len(set(network.widths)) == 1
    plain = all(
        step.activation.name == "relu" and step.weights.gaussian and step.biases.name == "zeros" for step in chain[:-1]
    )
    return network.widths[0] if alike and plain else None
