"""The record of a study's looks: what was judged, with how many networks, as it was then."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from varprop.numerics.randomness import DRAWS_VERSION
from varprop.stats import multiple
from varprop.study.errors import Problem, StudyError
from varprop.study.files import read_text
from varprop.study.parsing import MAX_BYTES, parse_study
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


Design = Literal["ladder", "one"]
"""Looks on a ladder, with shares of alpha; or one look with all of it."""
_OPTIONAL = ("level", "p_support", "p_refute")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a study's claims."""

    networks: int
    rung: int
    seed: int
    draws_version: int
    stopping: str
    design: Design
    alpha: float
    m: int
    sightings: tuple[Sighting, ...]

    def same_as(self, other: Look) -> bool:
        """Tell whether it shows nothing that the other did not: the same data, claims, margins and alpha."""
        ours, theirs = (
            (look.networks, look.rung, look.stopping, look.alpha, {_shown(one) for one in look.sightings})
            for look in (self, other)
        )
        return ours == theirs

    def describe(self) -> dict[str, Any]:
        """Return it as plain data for the manifest."""
        return {
            "networks": self.networks,
            "rung": self.rung,
            "seed": self.seed,
            "draws_version": self.draws_version,
            "stopping": self.stopping,
            "design": self.design,
            "alpha": self.alpha,
            "m": self.m,
            "claims": [_describe(one) for one in self.sightings],
        }


def _shown(one: Sighting) -> tuple[object, ...]:
    return one.statement, one.draws, one.tolerance


def _describe(one: Sighting) -> dict[str, Any]:
    """A statement as plain data; what goes without saying is left out."""
    flags = {name: True for name in ("watched", "edited") if getattr(one, name)}
    return {
        "id": one.claim,
        "configuration": one.configuration,
        "quantity": one.quantity,
        "statement": one.statement,
        "about": one.about,
        "draws": one.draws,
        **dict(one.tolerance),
        **{name: value for name in _OPTIONAL if (value := getattr(one, name)) is not None},
        **flags,
        **({} if one.counts else {"counts": False}),
    }


def read_looks(folder: Path, manifest: Mapping[str, Any]) -> tuple[Look, ...]:
    """Return what a run's manifest says of its looks, in their order."""
    if "looks" not in manifest:
        return _unrecorded(folder, manifest)
    try:
        given = manifest["looks"]
        if not isinstance(given, list):
            raise TypeError  # noqa: TRY301 - one message for every way of being damaged
        return tuple(_look(one) for one in given)
    except (KeyError, TypeError, ValueError) as error:
        msg = (
            "the record of its looks in manifest.json is damaged, and without it no verdict has a guarantee; "
            "put the file back as it was, or begin anew in another folder (--runs)"
        )
        raise StudyError(str(folder), [Problem("looks", msg)]) from error


def _look(given: Mapping[str, Any]) -> Look:
    numbers = {name: _integer(given[name]) for name in ("networks", "rung", "seed", "draws_version", "m")}
    if given["stopping"] not in ("fixed", "sequential") or given["design"] not in ("ladder", "one"):
        raise ValueError
    if numbers["networks"] < 1 or numbers["m"] < 1 or not isinstance(given["claims"], list):
        raise ValueError
    alpha = _number(given["alpha"])
    if not 0.0 < alpha <= 0.5:
        raise ValueError
    return Look(
        **numbers,
        stopping=given["stopping"],
        design=cast("Design", given["design"]),
        alpha=alpha,
        sightings=tuple(map(_sighting, given["claims"])),
    )


def _sighting(given: Mapping[str, Any]) -> Sighting:
    texts = {name: given[name] for name in ("configuration", "quantity", "statement", "about", "draws")}
    if not all(isinstance(text, str) for text in (given["id"], *texts.values())):
        raise TypeError
    level, p_support, p_refute = (_number(given[name]) if name in given else None for name in _OPTIONAL)
    return Sighting(
        claim=given["id"],
        configuration=texts["configuration"],
        quantity=texts["quantity"],
        statement=texts["statement"],
        about=texts["about"],
        draws=texts["draws"],
        tolerance=tuple((name, _number(given[name])) for name in TOLERANCES if name in given),
        watched=given.get("watched") is True,
        edited=given.get("edited") is True,
        counts=given.get("counts") is not False,
        level=level,
        p_support=p_support,
        p_refute=p_refute,
    )


def _integer(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _unrecorded(folder: Path, manifest: Mapping[str, Any]) -> tuple[Look, ...]:
    """What a version without a record must have looked at: the study in the folder, as far as it can be read."""
    if not manifest.get("complete"):
        return ()
    try:
        text = read_text(folder / "study.toml", limit=MAX_BYTES)
        study = parse_study(text, name=str(manifest["study"]), source=str(folder / "study.toml"))
        stated = sightings(study)
    except (OSError, ValueError):  # StudyError is one
        return ()
    return (look_at(study, int(manifest["networks"]), stated, rung=1, m=len(stated)),) if stated else ()


def look_at(
    study: Study, networks: int, stated: Sequence[Sighting], *, rung: int, m: int, alpha: float | None = None
) -> Look:
    """Describe a look at what a study states."""
    return Look(
        networks=networks,
        rung=rung,
        seed=study.seed,
        draws_version=DRAWS_VERSION,
        stopping=study.stopping,
        design="ladder" if study.looks is None else "one",
        alpha=study.alpha if alpha is None else alpha,
        m=max(1, m),
        sightings=tuple(stated),
    )


def judged_by(look: Look, p_values: Iterable[tuple[float, float]]) -> Look:
    """Put the evidence for and against every claim, in their order, into a look."""
    pairs = zip(look.sightings, p_values, strict=True)
    return replace(look, sightings=tuple(replace(one, p_support=p, p_refute=q) for one, (p, q) in pairs))


def with_look(looks: Sequence[Look], look: Look) -> tuple[Look, ...]:
    """Add a look to the record, unless it is one of those."""
    return tuple(looks) if any(look.same_as(one) for one in looks) else (*looks, look)


def ladder_told(first: int) -> str:
    """Say which numbers of networks a study is looked at with: ``200, 800, 3,200 and so on``."""
    return ", ".join(f"{multiple.size(first, rung):,}" for rung in (1, 2, 3)) + " and so on"
