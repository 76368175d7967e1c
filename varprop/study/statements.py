"""What a study states: each claim about each configuration, told apart from its margin and from the draws it is judged by."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from varprop.study.study import Study
from varprop.verification.claims import Claim

TOLERANCES = ("margin", "below", "above", "share")
"""Parts of a claim that say how far from the statement is still the same; edited ones leave it the same statement."""
_WORDS = ("statement", "corrected", "expect")
_DRAWN = ("dtype", "method", "normals", "tile", "block", "draws_version")
"""Parts of a plan's content that decide which numbers are drawn, and not of what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One statement as it is looked at."""

    claim: str
    configuration: str
    quantity: str
    statement: str
    about: str
    draws: str
    tolerance: tuple[tuple[str, float], ...]
    watched: bool = False
    own_draws: bool = False
    counts: bool = True
    edited: bool = False
    level: float | None = None
    p_support: float | None = None
    p_refute: float | None = None

    @property
    def told(self) -> str:
        """The tolerance in words: ``margin 0.05``."""
        return ", ".join(f"{name} {value:.6g}" for name, value in self.tolerance) or "no margin"


def sightings(study: Study) -> tuple[Sighting, ...]:
    """Return everything that a study states, configuration by configuration, claims in the file's order."""
    found = []
    for configuration in study.configurations:
        claims = study.claims_about(configuration.label)
        if not claims:
            continue
        content = study.plan(configuration).content
        drawn = _hash({"seed": study.seed} | {name: content[name] for name in _DRAWN})
        sampled = {name: value for name, value in content.items() if name not in _DRAWN}
        for claim in claims:
            stated = _stated(claim)
            about = {name: value for name, value in stated.items() if name != "id"}
            found.append(
                Sighting(
                    claim=claim.id,
                    configuration=configuration.label,
                    quantity=claim.quantity,
                    statement=_hash({"claim": stated, "sampled": sampled}),
                    about=_hash({"claim": about, "sampled": sampled}),
                    draws=drawn,
                    tolerance=tolerance(claim),
                    watched=study.stopping == "sequential" and claim.rule.watched,
                    own_draws=claim.rule.own_draws,
                )
            )
    return tuple(found)


def tolerance(claim: Claim) -> tuple[tuple[str, float], ...]:
    """Return what a claim says of how far is still the same, by name: its bound, its share or its margin.

    Examples
    --------
    >>> tolerance(Claim(id="a", quantity="cosine", test="level", below=0.5))
    (('below', 0.5),)
    """
    if claim.rule.bound:
        return ((claim.direction, float(claim.bound)),)
    if claim.rule.equality:
        share = getattr(claim, "share", None)
        return () if share is None else (("share", float(share)),)
    return (("margin", float(claim.margin)),)


def _stated(claim: Claim) -> dict[str, Any]:
    """The parts of a claim that make its statement; what a claim leaves out is left out, so that parts may be added."""
    said: dict[str, Any] = {}
    for field in dataclasses.fields(claim):
        value = getattr(claim, field.name)
        if field.name not in (*TOLERANCES, *_WORDS) and value != field.default:
            said[field.name] = list(value) if isinstance(value, tuple) else value
    if claim.rule.bound:
        said["direction"] = claim.direction
    return said


def _hash(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
