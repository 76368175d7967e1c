"""What `varprop list` lists."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any


class Catalogue(StrEnum):
    """What can be listed."""

    activations = "activations"
    initializers = "initializers"
    theories = "theories"
    tests = "tests"
    reasons = "reasons"
    studies = "studies"


Entries = list[dict[str, Any]]


def entries(what: Catalogue, studies: Path) -> Entries:
    """Return one mapping for every entry, all with the same keys."""
    if what == "studies":
        return _studies(studies)
    listed = {"activations": _activations, "initializers": _initializers, "theories": _theories}
    return (listed | {"tests": _tests, "reasons": _reasons})[what]()


def _activations() -> Entries:
    from varprop.model.activations import activation_names, get_activation

    return [{"name": name, "defaults": _defaults(get_activation(name).parameters)} for name in activation_names()]


def _initializers() -> Entries:
    from varprop.model.initializers import get_initializer, initializer_names

    listed = []
    for name in initializer_names():
        try:
            defaults = _defaults(get_initializer(name).parameters)
        except ValueError as error:  # it has no default for a parameter, and says which
            defaults = str(error)
        listed.append({"name": name, "defaults": defaults})
    return listed


def _defaults(parameters: tuple[tuple[str, Any], ...]) -> str:
    return ", ".join(f"{key}={value}" for key, value in parameters)


def _theories() -> Entries:
    from varprop.theory import THEORIES

    return [{"name": theory.name, "meaning": theory.statement} for theory in THEORIES.values()]


def _tests() -> Entries:
    from varprop.verification.claims import TESTS

    return [
        {
            "name": test.name,
            "meaning": test.meaning,
            "margin": test.margin or "none",
            "quantities": ", ".join(test.quantities),
        }
        for test in TESTS.values()
    ]


def _reasons() -> Entries:
    from varprop.verification.reasons import REASONS

    return [
        {"name": reason.name, "meaning": reason.meaning, "quantities": ", ".join(reason.quantities)}
        for reason in REASONS.values()
    ]


def _studies(folder: Path) -> Entries:
    """Studies in a folder; one that cannot be used is listed with what is wrong."""
    from varprop.study import StudyError, load_study

    listed = []
    for path in sorted(folder.glob("*.toml")):
        try:
            study = load_study(path)
        except StudyError as error:
            found: tuple[str, int | None, int | None] = (str(error), None, None)
        else:
            found = (study.title, len(study.configurations), len({claim.id for claim in study.claims}))
        listed.append(dict(zip(("path", "title", "configurations", "claims"), (str(path), *found), strict=True)))
    return listed
