"""How a study is read from a TOML file, with every problem at once."""

from __future__ import annotations

import stat
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from varprop._arguments import checked, quoted
from varprop.engine.plan import make_plan
from varprop.engine.training import INPUTS, make_training_plan
from varprop.model.layers import UnsupportedError
from varprop.model.quantities import QUANTITIES, TRAINING_QUANTITIES
from varprop.study.configurations import Choice, Configuration, available, configurations, cross, matches
from varprop.study.errors import Problem, StudyError, shown, suggestion
from varprop.study.messages import problems_of
from varprop.study.schema import ClaimTable, Document, GridTable, NetworkTable
from varprop.study.study import Scope, Study
from varprop.study.sweep import SweepTable
from varprop.verification.claims import Claim
from varprop.verification.compare import needed_quantities
from varprop.verification.reasons import check_reason

Section = TypeVar("Section")

MAX_BYTES = 4 * 2**20
"""A study is written by a person; a larger file is something else."""


@checked
def load_study(path: str | Path) -> Study:
    """Read a study from a TOML file.

    Parameters
    ----------
    path : str or Path
        The file; its stem becomes the study's name.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        If there is no such file, it is not TOML, or what it says makes no study; with every problem at once.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> load_study("no-such-study.toml")
    Traceback (most recent call last):
        ...
    varprop.study.errors.StudyError: no-such-study.toml: there is no such file; ...
    """
    path = Path(path)
    return parse_study(_read(path), name=_name(path), source=str(path))


def _name(path: Path) -> str:
    """Return the file's stem, which becomes a folder's name."""
    name = path.stem
    if any("\ud800" <= character <= "\udfff" for character in name):
        msg = (
            f"the file's name is no text in this environment's encoding ({sys.getfilesystemencoding()}); set PYTHONUTF8=1, or "
            "rename the file"
        )
        raise StudyError(str(path), [Problem("", msg)])
    if name.startswith(".") or not name.isprintable() or "\\" in name:
        msg = "the file's name becomes a folder's; it must not start with '.' or hold control characters or backslashes"
        raise StudyError(str(path), [Problem("", msg)])
    return name


def _read(path: Path) -> str:
    """Return the text of a study file, or say why there is none."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            msg = f"this is a folder; name a study file in it, for example {path / 'study.toml'}"
        elif not stat.S_ISREG(status.st_mode):
            msg = "this is not a regular file; name a TOML file"
        elif status.st_size > MAX_BYTES:
            msg = (
                f"this file has {status.st_size} bytes, and a study is smaller than {MAX_BYTES}; is it the right file?"
            )
        else:
            return path.read_bytes().decode("utf-8-sig")  # some editors on Windows begin a file with a mark
    except FileNotFoundError:
        msg = "there is no such file; `varprop init` writes one to begin with"
    except UnicodeDecodeError as error:
        msg = f"this is not UTF-8 text (byte {error.start}); save it as UTF-8, as TOML asks"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        msg = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    raise StudyError(str(path), [Problem("", msg)])


def parse_study(text: str, *, name: str, source: str) -> Study:
    """Make a study from the text of a file."""
    raw = _parse_toml(text, source)
    document, problems = _validate(Document, raw)
    # What is in order is checked further even if something else is not: one round of errors, not two.
    shared, _ = _validate(NetworkTable, raw.get("network", {}))
    grids, _ = _validate(list[GridTable], _as_list(raw.get("grid", {})))
    swept, _ = _validate(SweepTable, raw["sweep"]) if "sweep" in raw else (None, [])
    sweep = None if swept is None else swept.sweep()
    choices: tuple[Choice, ...] = ()
    if shared is not None and grids is not None and (swept is not None or "sweep" not in raw):
        choices, more = cross(shared, grids, several=isinstance(raw.get("grid"), list), sweep=sweep)
        problems += more
        problems += _input_problems(raw.get("inputs"), choices)
    found = configurations(choices)
    problems += _size_problems(found, document, where="grid" if shared and shared.widths is None else "network")
    problems += _top_problems(raw)
    claims = [(index, _validate(ClaimTable, item)[0]) for index, item in enumerate(_as_list(raw.get("claims", [])))]
    scopes: list[Scope] = []
    ids: dict[str, int] = {}
    for index, claim in claims:
        if claim is None:
            continue
        if claim.id in ids:
            msg = f"{shown(claim.id)} is the id of claims[{ids[claim.id]}] already; give each claim its own"
            problems.append(Problem(f"claims[{index}].id", msg))
        ids.setdefault(claim.id, index)
        matched = [
            c for c, choice in zip(found, choices, strict=True) if any(matches(scope, choice) for scope in claim.scopes)
        ]
        if choices:
            problems += _scope_problems(claim, f"claims[{index}]", matched, choices)
        problems += _kind_problems(claim.claims(), f"claims[{index}]", trained="training" in raw)
        scopes += [Scope(one, tuple(c.label for c in matched)) for one in claim.claims()]
    if problems or document is None:
        raise StudyError(source, problems)
    training = None if document.training is None else document.training.training()
    inputs = INPUTS if training is not None and document.inputs is None else document.inputs
    study = Study(
        name=name,
        title=document.title,
        seed=document.seed,
        networks=document.networks,
        alpha=document.alpha,
        stopping=document.stopping,
        looks=document.looks,
        inputs=tuple(map(tuple, inputs)) if isinstance(inputs, list) else inputs,
        quantities=None if document.quantities is None else tuple(document.quantities),
        dtype=document.dtype if training is None else "float64",
        method=document.method,
        normals=document.normals,
        training=training,
        configurations=found,
        sweep=sweep,
        scopes=tuple(scopes),
        figures=None if document.report.figures is None else tuple(document.report.figures),
        text=text,
    )
    positions = {claim.id: index for index, claim in claims if claim is not None}
    if problems := [*_reason_problems(study, positions), *_unrecorded(study, positions)]:
        raise StudyError(source, problems)
    return study


def _unrecorded(study: Study, positions: Mapping[str, int]) -> list[Problem]:
    """Name the claims that need more than the study records."""
    if study.quantities is None:
        return []
    problems = []
    for scope in study.scopes:
        configuration = next(c for c in study.configurations if c.label == scope.labels[0])
        plan = replace(study, quantities=None).plan(configuration)
        needed = needed_quantities(scope.claim, plan.network, plan.inputs, plan.where) - set(study.quantities)
        if needed:
            msg = (
                f"needs {', '.join(sorted(needed))} too; add that to quantities, or leave them out to record everything"
            )
            problems.append(Problem(f"claims[{positions[scope.claim.id]}]", msg))
    return problems


def _parse_toml(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        msg = "is nested deeper than any study needs; is this the right file?"
    except ValueError as error:  # TOMLDecodeError, and what int() and datetime refuse
        msg = f"is not TOML: {error}"
    raise StudyError(source, [Problem("", msg)])


def _validate(kind: type[Section], raw: object) -> tuple[Section | None, list[Problem]]:
    try:
        return TypeAdapter(kind).validate_python(raw), []
    except ValidationError as error:
        return None, list(problems_of(error))


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _input_problems(inputs: object, choices: tuple[Choice, ...]) -> list[Problem]:
    """Given inputs must fit the first layer of every configuration."""
    if not (isinstance(inputs, list) and inputs and isinstance(inputs[0], list)):
        return []
    width = len(inputs[0])
    other = next((choice.widths[0] for choice in choices if choice.widths[0] != width), None)
    if other is None:
        return []
    return [Problem("inputs", f"has rows of {width} numbers, but there is a network with {other} inputs")]


def _scope_problems(
    claim: ClaimTable, path: str, matched: list[Configuration], choices: tuple[Choice, ...]
) -> list[Problem]:
    for index, scope in enumerate(claim.scopes):
        if not any(matches(scope, choice) for choice in choices):
            where = f"{path}.where[{index}]" if isinstance(claim.where, list) else f"{path}.where"
            msg = f"matches none of the {len(choices)} configurations; there are {available(scope, choices)}"
            return [Problem(where, msg)]
    shallow = next((c for c in matched if claim.layers and c.network.depth < claim.layers[1]), None)
    if shallow is not None and claim.layers is not None:
        msg = f"asks for layer {claim.layers[1]}, but {shallow.label} has {shallow.network.depth} weight layers"
        return [Problem(f"{path}.layers", msg)]
    return []


def _reason_problems(study: Study, positions: Mapping[str, int]) -> list[Problem]:
    """Name the claims with a reason that a configuration does not fulfil, before anything is sampled."""
    problems: dict[Problem, None] = {}
    scopes = [scope for scope in study.scopes if scope.claim.reason is not None]
    about = [one for one in study.configurations if any(one.label in scope.labels for scope in scopes)]
    recorded = {one.label: replace(study, quantities=None).plan(one).where for one in about}
    for scope in scopes:
        claim = scope.claim
        for configuration in (one for one in about if one.label in scope.labels):
            places = recorded[configuration.label].get(claim.quantity, ())
            layers = sorted({place[0] for place in places if claim.covers(place)})
            try:
                check_reason(claim.reason or "", claim.quantity, layers, configuration.network)
            except UnsupportedError as error:
                problems[Problem(f"claims[{positions[claim.id]}].reason", str(error))] = None
                break
    return list(problems)


def _size_problems(found: tuple[Configuration, ...], document: Document | None, *, where: str) -> list[Problem]:
    """Name the configurations of which not even one network can be held in memory, or that the engine cannot run."""
    inputs, method, dtype = (
        (document.inputs, document.method, document.dtype) if document else (None, "auto", "float32")
    )
    table = document.training if document else None
    problems = []
    for configuration in found:
        try:
            if table is not None:
                given = INPUTS if inputs is None else inputs
                make_training_plan(configuration.network, table.training(), n_networks=1, rng=0, inputs=given)
            else:
                make_plan(configuration.network, n_networks=1, rng=0, inputs=inputs, method=method, dtype=dtype)
        except (TypeError, ValueError) as error:
            problems.append(Problem(f"{where}.widths", f"{configuration.label}: {error}"))
    return problems


# ---- what does not go with the study's kind ------------------------------------------------------------

_TEST = "identity"
"""The one test whose claims are about trained networks: all others hold random networks against a theory of their start."""
_OF_THE_START = {
    "method": "weights that are trained are drawn in full",
    "dtype": "training is in float64",
    "normals": "training takes NumPy's",
}


def _top_problems(raw: Mapping[str, Any]) -> list[Problem]:
    """Find what does not go with the study's kind at the top of a file."""
    trained = "training" in raw
    problems = []
    for key, why in _OF_THE_START.items():
        if trained and key in raw:
            problems.append(Problem(key, f"has no meaning with [training]: {why}; leave it out"))
    listed = raw.get("quantities")
    for index, name in enumerate(listed if isinstance(listed, list) else ()):
        if (
            isinstance(name, str)
            and name in (QUANTITIES | TRAINING_QUANTITIES)
            and (why := _of_the_other_kind(name, trained=trained))
        ):
            problems.append(Problem(f"quantities[{index}]", why))
    return problems


def _kind_problems(claims: Sequence[Claim], path: str, *, trained: bool) -> list[Problem]:
    """Find what does not go with the study's kind in a table of ``[[claims]]``."""
    problems: dict[Problem, None] = {}
    for index, claim in enumerate(claims):
        if trained and claim.test != _TEST:
            why = f"{quoted(claim.test)} does not go with [training], whose claims are exact; use 'identity', or another study"
            problems[Problem(f"{path}.test", why)] = None
        elif claim.quantity != "weights" and (why := _of_the_other_kind(claim.quantity, trained=trained)):
            problems[Problem(f"{path}.quantity{f'[{index}]' if len(claims) > 1 else ''}", why)] = None
    return list(problems)


def _of_the_other_kind(quantity: str, *, trained: bool) -> str:
    """Say that a study of this kind does not record a quantity; an empty text if it does."""
    known = TRAINING_QUANTITIES if trained else QUANTITIES
    if quantity in known:
        return ""
    if trained:
        return f"{quantity} is not recorded of trained networks; {suggestion(quantity, known)}"
    return f"{quantity} is recorded of trained networks; add a table [training], or name another quantity"
