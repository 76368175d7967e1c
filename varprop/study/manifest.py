"""What a run was made of: versions, seed, commit, platform, BLAS, what every folder of samples holds, and the looks at it."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import json
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import threadpoolctl

import varprop as vp
from varprop._limits import MAX_NETWORKS
from varprop._typing import Float64Array
from varprop.engine.plan import Block, Plan
from varprop.engine.simulate import BlockValues, keeps_inputs
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.simulation import Samples, Simulation
from varprop.model.sites import Place
from varprop.numerics.randomness import DRAWS_VERSION
from varprop.study.errors import Problem, StudyError, shown
from varprop.study.files import read_text
from varprop.study.looks import Look, read_looks
from varprop.study.store import FORMAT, DamagedPartError, part_path, read_part, write_atomically
from varprop.study.study import Study

_MAX_BYTES = 2**28

_LIBRARIES = ("numpy", "scipy", "pandas", "statsmodels", "pyarrow", "pydantic")


def environment() -> dict[str, Any]:
    """Describe what samples: versions, the commit of the working folder, platform and BLAS; no times, no paths."""
    return {
        "versions": {
            "varprop": vp.__version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in _LIBRARIES},
        },
        "git_commit": commit_of(Path.cwd()),
        "platform": platform.platform(),
        "blas": _blas(),
    }


@functools.cache
def _version(name: str) -> str:
    """The version of a library, whose metadata takes a few milliseconds to read."""
    return importlib.metadata.version(name)


def _blas() -> list[str]:
    """Name, version and kernel of every BLAS; SciPy's is loaded first, so that the list is the same whenever asked."""
    importlib.import_module("scipy.linalg")
    libraries = [library for library in threadpoolctl.threadpool_info() if library.get("user_api") == "blas"]
    return sorted({" ".join(str(one.get(k)) for k in ("internal_api", "version", "architecture")) for one in libraries})


def make_manifest(
    study: Study,
    plans: Mapping[str, Plan],
    *,
    before: Mapping[str, Any],
    looks: Sequence[Look],
    samples_anew: bool,
    complete: bool,
    used: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Describe a run."""
    earlier = [*before.get("earlier_environments", []), *([before["environment"]] if "environment" in before else [])]
    current = environment() if samples_anew or not earlier else earlier[-1]
    return {
        "study": study.name,
        "title": study.title,
        "seed": study.seed,
        "networks": next(iter(plans.values())).n_networks,
        "stopping": study.stopping,
        "complete": complete,
        "draws_version": DRAWS_VERSION,
        "store_format": FORMAT,
        "environment": current,
        "earlier_environments": [made for made in _distinct(earlier) if made != current],
        "configurations": [
            {
                "label": configuration.label,
                **dict(configuration.fields),
                "key": plan.key,
                "method": plan.method,
                "normals": plan.normals,
                "dtype": plan.dtype,
                "inputs": len(plan.inputs),
                "block": plan.block,
                "networks": plan.n_networks if used is None else used[configuration.label],
            }
            for configuration, plan in ((c, plans[c.label]) for c in study.configurations)
        ],
        "looks": [look.describe() for look in looks],
    }


def looks_so_far(folder: Path) -> tuple[Look, ...]:
    """Return the looks at what a folder holds; none if it is no run's yet, or its manifest cannot be read."""
    try:
        manifest = read_manifest(folder)
    except StudyError:
        return ()
    return read_looks(folder, manifest)


def record_looks(folder: Path, looks: Sequence[Look]) -> None:
    """Write the looks at a run into its manifest, if they are not there; only the holder of the run's lock may call this."""
    manifest, described = read_manifest(folder), [look.describe() for look in looks]
    if manifest.get("looks") != described:
        write_manifest(folder, manifest | {"looks": described})


def _distinct(items: list[Any]) -> list[Any]:
    return [item for index, item in enumerate(items) if item not in items[:index]]


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write ``manifest.json``, whole or not at all."""
    write_atomically(folder / "manifest.json", (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read ``manifest.json``."""
    cause: Exception
    try:
        manifest = json.loads(read_text(folder / "manifest.json", limit=_MAX_BYTES))
        if problem := _problem(manifest):
            raise ValueError(problem)  # noqa: TRY301 - one message for every way of being damaged
    except (FileNotFoundError, NotADirectoryError) as error:
        cause = error
        msg = "this is no run's folder (it has no manifest.json); name one that `varprop run` wrote, such as runs/STUDY"
    except OSError as error:
        cause = error
        msg = f"its manifest.json cannot be read: {error.strerror or error}"
    except (ValueError, RecursionError) as error:
        cause = error
        reason = str(error).partition("\n")[0]
        msg = f"its manifest.json is damaged ({reason}); `varprop run` with the study's file writes it anew and keeps the samples"
    else:
        return dict(manifest)
    raise StudyError(str(folder), [Problem("", msg)]) from cause


def is_unreadable(error: StudyError) -> bool:
    """Tell whether a manifest is there that nobody could read, so that it is not to be written over."""
    cause = error.__cause__
    return isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError | NotADirectoryError)


def _problem(manifest: object) -> str:
    """What is wrong with the content of a manifest, as far as anything is read of it; nothing if it is sound."""
    if not isinstance(manifest, dict):
        return f"it holds {shown(manifest)}, not a table"
    wanted: list[tuple[str, object, Callable[[Any], bool], str]] = [
        (name, manifest.get(name), *_KINDS[name]) for name in _KINDS if name in manifest or name in _REQUIRED
    ]
    for i, one in enumerate(manifest["configurations"] if isinstance(manifest.get("configurations"), list) else ()):
        table = one if isinstance(one, dict) else {}
        path = f"configurations[{i}]"
        wanted += [(f"{path}.label", table.get("label"), *_TEXT), (f"{path}.networks", table.get("networks"), *_COUNT)]
    for path, value, holds, kind in wanted:
        if not holds(value):
            return f"{path} must be {kind}, got {'nothing' if value is None else shown(value)}"
    return ""


def _is_environment(value: object) -> bool:
    versions = value.get("versions") if isinstance(value, dict) else None
    return isinstance(versions, dict) and all(isinstance(one, str) for one in versions.values())


def _is_name(value: str) -> bool:
    """Whether a file could have given a study this name: it becomes a folder's, which is not to lead out of its parent."""
    return bool(value) and value.isprintable() and not value.startswith(".") and not set(value) & set("/\\")


_COUNT = (lambda value: type(value) is int and 0 <= value <= MAX_NETWORKS, "an integer from 0 to 1,000,000,000")
_TEXT = (lambda value: isinstance(value, str) and bool(value), "a text")
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "study": (lambda value: isinstance(value, str) and _is_name(value), "the name of a study"),
    "networks": (
        lambda value: type(value) is int and 1 <= value <= MAX_NETWORKS,
        "an integer from 1 to 1,000,000,000",
    ),
    "configurations": (lambda value: isinstance(value, list), "a list of tables"),
    "environment": (_is_environment, "a table with the versions of what sampled"),
    "earlier_environments": (
        lambda value: isinstance(value, list) and all(map(_is_environment, value)),
        "a list of such tables as environment",
    ),
    "draws_version": (lambda value: type(value) is int and 0 < value < MAX_NETWORKS, "a positive integer"),
    "complete": (lambda value: isinstance(value, bool), "true or false"),
}
_REQUIRED = frozenset({"study", "networks", "configurations", "environment"})


def other_draws(manifest: Mapping[str, Any]) -> str:
    """Say that samples were drawn by a version whose numbers are others, and what becomes of them; nothing if they were not."""
    version = manifest.get("draws_version", DRAWS_VERSION)
    if version == DRAWS_VERSION:
        return ""
    by = manifest["environment"]["versions"].get("varprop", "of another version")
    return (
        f"its samples are version {version} of the draws, by varprop {by}, and this varprop draws version {DRAWS_VERSION}, which are "
        "other numbers; the old parts are kept, and that varprop reads them"
    )


def networks_used(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Return how many networks were sampled of each configuration, by its label."""
    return {one["label"]: one["networks"] for one in manifest["configurations"]}


# ---- the commit that a folder has checked out -----------------------------------------------------------------------

# The program git is not asked: it runs whatever commands the folder's .git/config names (a file-system monitor, a filter), and a
# folder may have come from anybody. A file that is read can do nothing.

_MAX_OF_GIT = 2**16
_MAX_PACKED = 2**26  # a line for each of many thousands of references
_CHAIN = 5
"""References that refer to others; Git itself follows as many."""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REFERENCE = re.compile(r"refs/[^\x00-\x20\x7f]+")


def commit_of(folder: Path) -> str | None:
    """Return the commit that is checked out in a folder, or in the nearest one above it that is a repository."""
    try:
        place = folder.resolve()
        for one in (place, *place.parents):
            marker = one / ".git"
            if marker.is_dir():
                return _head(marker)
            if marker.is_file():  # a worktree, or a submodule: the file says where the rest is
                kind, _, where = read_text(marker, limit=_MAX_OF_GIT).strip().partition(": ")
                return _head(one / where) if kind == "gitdir" and where else None
    except (OSError, ValueError):  # a file that is none, or no text
        return None
    return None


def _head(repository: Path) -> str | None:
    """What HEAD says, references followed."""
    shared = repository
    if (repository / "commondir").is_file():  # a worktree shares the references of the repository that it belongs to
        shared = repository / read_text(repository / "commondir", limit=_MAX_OF_GIT).strip()
    said = read_text(repository / "HEAD", limit=_MAX_OF_GIT).strip()
    for _ in range(_CHAIN):
        if _COMMIT.fullmatch(said):
            return said
        name = said.removeprefix("ref:").strip()
        if name == said or not _REFERENCE.fullmatch(name) or ".." in PurePosixPath(name).parts:
            return None
        said = _reference(name, repository, shared)
    return None


def _reference(name: str, repository: Path, shared: Path) -> str:
    """What a reference says: a file of its own goes before the list of packed ones. Nothing if there is neither."""
    for place in dict.fromkeys((repository, shared)):
        if (place / name).is_file():
            return read_text(place / name, limit=_MAX_OF_GIT).strip()
    packed = shared / "packed-refs"
    if packed.is_file():
        for line in read_text(packed, limit=_MAX_PACKED).splitlines():
            commit, _, named = line.partition(" ")
            if named == name:
                return commit
    return ""


# ---- stored samples --------------------------------------------------------------------------------------------------


_PIECE = 2**21
"""Numbers in a piece, 16 MB: blocks that are small are read several at a time, since every piece has its overhead."""


@dataclass(frozen=True, slots=True)
class Store:
    """The parts of one plan in a run's folder."""

    folder: Path
    plan: Plan

    def check(self) -> None:
        """See that every part is there, without reading any."""
        for block in self.plan.blocks:
            if not part_path(self.folder / "samples", self.plan, block).exists():
                raise self._unfinished()

    def read(self, block: Block) -> BlockValues:
        """Values of one block."""
        path = part_path(self.folder / "samples", self.plan, block)
        try:
            values = read_part(path, self.plan, block)
        except DamagedPartError as error:
            msg = f"{path.relative_to(self.folder)} is damaged ({error}); `varprop run` samples it again"
            raise StudyError(str(self.folder), [Problem("", msg)]) from error
        if values is None:
            raise self._unfinished()
        return values

    def _unfinished(self) -> StudyError:
        told = ""
        with contextlib.suppress(StudyError):  # a manifest that is damaged is told by whoever reads it
            told = other_draws(read_manifest(self.folder))
        msg = "the run is not finished; `varprop run` goes on where it stopped"
        if told:
            msg = f"{told}; `varprop run` samples anew beside them"
        return StudyError(str(self.folder), [Problem("", msg)])

    def pieces(self) -> Iterator[dict[str, Samples]]:
        """All values, in pieces of several blocks."""
        plan = self.plan
        numbers = sum(
            plan.block * len(places) * (1 if ALL_QUANTITIES[name].joint or not plan.per_input else len(plan.inputs))
            for name, places in plan.where.items()
        )
        step = max(1, _PIECE // numbers)
        for first in range(0, len(plan.blocks), step):
            blocks = [self.read(block) for block in plan.blocks[first : first + step]]
            yield {
                name: Samples(np.concatenate([block[name] for block in blocks]), places)
                for name, places in plan.where.items()
            }

    def simulation(self) -> Simulation:
        """The samples as a simulation whose values stay on disk until they are asked for."""
        plan = self.plan
        samples: Mapping[str, StoredSamples] = {name: StoredSamples(self, name) for name in plan.where}
        return Simulation(
            network=plan.network,
            inputs=plan.inputs,
            samples=samples,
            seed=plan.seed,
            method=plan.method,
            normals=plan.normals,
            per_input=keeps_inputs(plan),
            pieces=self.pieces,
        )


@dataclass(frozen=True, slots=True)
class StoredSamples:
    """One quantity's values on disk."""

    store: Store
    quantity: str

    @property
    def places(self) -> tuple[Place, ...]:
        """Where each column was measured."""
        return self.store.plan.where[self.quantity]

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return self.store.plan.n_networks

    @property
    def values(self) -> Float64Array:
        """All values, shape (networks, places) or (networks, places, inputs), read now."""
        return np.concatenate([self.store.read(block)[self.quantity] for block in self.store.plan.blocks])

    def column(self, index: int) -> Float64Array:
        """One column, shape (networks,) or (networks, inputs), read now."""
        # A copy of the column, so that what else was read with it is given back.
        blocks = self.store.plan.blocks
        return np.concatenate([self.store.read(block)[self.quantity][:, index].copy() for block in blocks])
