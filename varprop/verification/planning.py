"""How many networks a report needs to decide its claims, foreseen from a pilot or from what is known beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from varprop.model.network import Network
from varprop.stats.equivalence import check_budget
from varprop.stats.laws import LawFit
from varprop.stats.outcome import Outcome
from varprop.stats.power import networks_to_decide, required_networks
from varprop.stats.variances import known_variance
from varprop.verification.chain import links
from varprop.verification.claims import Claim, Verdict
from varprop.verification.compare import Case
from varprop.verification.evidence import gather
from varprop.verification.findings import Evidence, Finding, UndecidableError

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
)
"""Of every plan's frame, in this order."""

_EVERY_LAYER = frozenset({"step_mean", "band", "zero_mean", "activation_map", "spread", "log_mean"})
_ONE_NUMBER = frozenset({"cumulative_mean", "growth_rate", "pooled_step_mean", "dead_rate"})
_LAWS = frozenset({"pivot_law", "exact_law"})
_WITHOUT_NETWORKS = {
    "identity": "exact: any number of networks decides",
    "weights_law": "decided by draws of single weights, not by networks",
}


@dataclass(frozen=True, slots=True)
class Forecast:
    """The verdict that a claim heads for, and the networks it takes; None where no feasible number decides."""

    verdict: Verdict | None
    required: int | None
    note: str = ""


def plan_claims(cases: Sequence[Case], *, alpha: float = 0.05) -> pd.DataFrame:
    """Foresee how many networks each claim of a report needs.

    Parameters
    ----------
    cases : sequence of Case
        Pilot samples with their claims; all claims of the report.
    alpha : float
        Bound on the probability that any verdict is false.

    Returns
    -------
    DataFrame
        One row per claim, configuration and quantity. ``heads_for`` is the verdict that the pilot makes likely,
        ``n_required`` the networks with which it is reached with probability .9, missing where no number decides.

    Raises
    ------
    ValueError
        If there is no claim, or a sample lacks what a test needs.

    Notes
    -----
    A pilot's estimate is no truth: its error, times ten thousand networks, would be a difference. What a claim can be
    supported with is planned for the truth nearest to 0 in the pilot's 95 % interval, for every layer at its own variance.
    Planned for the estimate is what lies outside its margin by all of that interval, what is expected to be refuted and
    estimated so, and what is not 0 and may lie on either side of the margin. Where the truth sits on the margin no number
    decides.
    """
    import pandas as pd

    m = sum(len(case.claims) for case in cases)
    if not m:
        msg = "there is no claim to plan for; give at least one"
        raise ValueError(msg)
    check_budget(alpha, m)
    rows: list[dict[str, object]] = []
    for case in cases:
        found = gather(case.claims, case.simulation, called=case.configuration)
        for claim, evidence in zip(case.claims, found, strict=True):
            said: dict[str, object] = {
                "claim": claim.id,
                "configuration": case.configuration,
                "quantity": claim.quantity,
                "theory": claim.theory,
                "test": claim.test,
                "margin": math.nan if claim.test == "identity" else claim.margin,
                "expect": claim.expect,
                "pilot": case.simulation.n_networks,
            }
            forecast = _forecast(claim, evidence, alpha, m)
            rows.append(
                said
                | {
                    "estimate": evidence.headline.estimate if isinstance(evidence, Evidence) else math.nan,
                    "heads_for": forecast.verdict,
                    "n_required": forecast.required,
                    "note": forecast.note,
                }
            )
    text = ["claim", "configuration", "quantity", "theory", "test", "expect", "heads_for", "note"]
    kinds = {"pilot": "int64", "n_required": "Int64"} | dict.fromkeys(text, "str")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)


def _forecast(claim: Claim, evidence: Evidence | UndecidableError, alpha: float, m: int) -> Forecast:
    """What one claim takes."""
    if isinstance(evidence, UndecidableError):
        return Forecast(None, None, f"the pilot admits no test: {evidence}")
    if claim.test in _WITHOUT_NETWORKS:
        verdict: Verdict = "supported" if evidence.p_support <= evidence.p_refute else "refuted"
        return Forecast(verdict, 2, _WITHOUT_NETWORKS[claim.test])
    if claim.test in _EVERY_LAYER | _ONE_NUMBER:
        findings = evidence.layers if claim.test in _EVERY_LAYER else (evidence.headline,)
        return _about_margins(claim, findings, alpha, m)
    if claim.test in _LAWS:
        return _about_laws(claim, evidence, alpha, m)
    verdict = "supported" if evidence.p_support <= evidence.p_refute else "refuted"
    return _said(verdict, evidence.required(alpha, m), "planned for the pilot's estimate")


def _about_margins(claim: Claim, findings: Sequence[Finding], alpha: float, m: int) -> Forecast:
    """Estimates of one number each, all of which have to lie within the margin."""
    layers = len(findings)
    deltas = [claim.log_margin if finding.scale == "logarithm" else claim.margin for finding in findings]
    nearest = [_likely(finding.outcome, delta) for finding, delta in zip(findings, deltas, strict=True)]
    outside = [
        finding.outcome
        for finding, delta, theta in zip(findings, deltas, nearest, strict=True)
        if abs(finding.outcome.theta if claim.expect == "refuted" else theta) > delta
    ]
    if outside:
        needed = [networks_to_decide(o, deltas[0], alpha=alpha, m=m, layers=layers) for o in outside]
        return _said(
            "refuted", min((n for n in needed if n is not None), default=None), "planned for the pilot's estimate"
        )
    needed = [
        networks_to_decide(replace(finding.outcome, theta=theta), delta, alpha=alpha, m=m, layers=layers)
        for finding, delta, theta in zip(findings, deltas, nearest, strict=True)
    ]
    why = "planned for the mildest truth that the pilot allows"
    if any(theta == finding.outcome.theta != 0.0 for finding, theta in zip(findings, nearest, strict=True)):
        why = "near its margin: planned for the pilot's estimate"
    elif all(theta == 0.0 for theta in nearest):
        why = "planned for an exact prediction"
    return _said("supported", None if None in needed else max(n for n in needed if n is not None), why)


def _about_laws(claim: Claim, evidence: Evidence, alpha: float, m: int) -> Forecast:
    """Distances between laws, of which a small sample's are too large by chance."""
    fits = [finding.outcome for finding in evidence.layers if isinstance(finding.outcome, LawFit)]
    worst = max(fits, key=lambda fit: fit.theta)
    least = replace(worst, theta=worst.interval(0.95)[0])
    verdict: Verdict = "supported" if least.theta < claim.margin else "refuted"
    required = least.networks_to_decide(claim.margin, alpha=alpha, m=m, layers=len(fits))
    return _said(verdict, required, "planned for the smallest distance that the pilot allows")


def _said(verdict: Verdict, required: int | None, note: str) -> Forecast:
    if required is None:
        return Forecast(None, None, "undecidable at any size: the truth sits on the margin; declare another margin")
    return Forecast(verdict, required, note)


def _likely(outcome: Outcome, delta: float) -> float:
    """The mildest truth in the pilot's 95 % interval; the estimate where the interval says no more than "near the margin"."""
    low, high = outcome.interval(0.95)
    if low <= 0.0 <= high:
        return 0.0
    mildest, farthest = (low, high) if low > 0.0 else (high, low)
    return outcome.theta if abs(mildest) <= delta <= abs(farthest) else mildest


def foreseen(claims: Mapping[str, Sequence[Claim]], networks: Mapping[str, Network], *, alpha: float) -> dict[str, int]:
    """Name the claims that need a known number of networks, before anything is sampled.

    Parameters
    ----------
    claims : mapping of str to sequence of Claim
        By configuration, all claims of the report.
    networks : mapping of str to Network
        By configuration.
    alpha : float
        Bound on the probability that any verdict is false.

    Returns
    -------
    dict of str to int
        Networks that support the claim with probability .9 if its prediction is exact, by "claim (configuration)". Only
        what is known without sampling: claims that are not expected to be refuted, about ReLU with Gaussian weights and
        zero biases at one width, by a test whose variance `required_networks` knows.
    """
    m = max(1, sum(len(listed) for listed in claims.values()))
    found = {}
    for label, listed in claims.items():
        network = networks[label]
        width = _relu_width(network)
        for claim in listed:
            steps = claim.layers[1] if claim.layers else network.depth
            if width is None or claim.expect == "refuted":
                continue
            try:
                variance = known_variance(claim.test, claim.quantity, width, steps)
            except ValueError:
                continue  # a test that it does not know
            layers = network.depth if claim.test in _EVERY_LAYER else 1
            found[f"{claim.id} ({label}, {claim.quantity})"] = required_networks(
                variance=variance, margin=claim.margin, alpha=alpha, claims=m, layers=layers
            )
    return found


def _relu_width(network: Network) -> int | None:
    """The width of a ReLU network whose variances are known; None of any other."""
    chain = links(network)
    alike = len(set(network.widths)) == 1
    plain = all(
        link.activation.name == "relu" and link.noun.weights.gaussian and link.noun.biases.name == "zeros"
        for link in chain[:-1]
    )
    return network.widths[0] if alike and plain else None
