"""Bringing a run's folder to what its study asks for: what is missing there is sampled, all at once or look by look."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from varprop.engine.executors import ExecutorLike
from varprop.engine.plan import Block, Plan
from varprop.study.errors import Problem, StudyError
from varprop.study.looks import read_looks
from varprop.study.manifest import is_unreadable, make_manifest, other_draws, read_manifest, write_manifest
from varprop.study.sampling import BlockName, missing_blocks, remove_parts, sampled_parts
from varprop.study.standing import stand
from varprop.study.stopping import Goals, follow
from varprop.study.store import part_path, remove_temporary_files, write_atomically
from varprop.study.study import Study
from varprop.verification.watching import Watch

_WRITTEN = ("study.toml", "manifest.json", "verdicts.csv")
_SIGNS = (".lock", "samples")
"""What every run's folder has from its beginning, or from its first block."""


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that is no run's and holds what a run would replace."""
    there = [name for name in _WRITTEN if (folder / name).exists()]
    if not there or any((folder / sign).exists() for sign in _SIGNS):
        return
    with contextlib.suppress(StudyError):
        read_manifest(folder)
        return
    msg = f"it is no run's folder and has a {there[0]}, which a run would replace; name another place for runs with --runs"
    raise StudyError(str(folder), [Problem("", msg)])


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is.

    ``networks`` were just finished in ``configuration`` (0 in the first call), ``done`` of ``total`` are there, those
    of earlier runs included. The total of a sequential study counts what is wanted at most, and so becomes smaller.
    """

    configuration: str
    networks: int
    done: int
    total: int


class Filling:
    """The blocks that a folder lacks, and how they get there."""

    def __init__(
        self,
        folder: Path,
        plans: Mapping[str, Plan],
        missing: Mapping[BlockName, Block],
        executor: ExecutorLike,
        progress: Callable[[RunProgress], object] | None,
        *,
        workers: int | None,
        beginning: Callable[[], None] | None,
    ) -> None:
        self._folder, self._plans, self._missing = folder, plans, dict(missing)
        self._executor, self._workers, self._progress = executor, workers, progress
        self._beginning = beginning
        self._lacking = dict.fromkeys(plans, 0)
        for (label, _), block in missing.items():
            self._lacking[label] += block.networks
        self._goals: dict[str, int] = {}
        self._open = frozenset(plans)
        self.begun = False
        self.tell(next(iter(plans)))

    def bring(self, goals: Goals) -> None:
        """Sample what is missing of so many networks of each configuration; of those not named nothing more is wanted."""
        self._goals |= goals
        self._open = frozenset(goals)
        wanted = {
            name: block for name, block in self._missing.items() if name[0] in goals and block.first < goals[name[0]]
        }
        if wanted and not self.begun:
            self.begun = True
            if self._beginning is not None:
                self._beginning()
        for label, block, data in sampled_parts(self._plans, wanted, self._executor, self._workers):
            path = part_path(self._folder / "samples", self._plans[label], block)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
            del self._missing[label, block.index]
            self._lacking[label] -= block.networks
            self.tell(label, block.networks)

    def tell(self, label: str, networks: int = 0) -> None:
        """Report how far the run is: open configurations may want all that is planned, the others have what they want."""
        if self._progress is None:
            return
        total = sum(plan.n_networks if name in self._open else self._goals[name] for name, plan in self._plans.items())
        lacking = sum(self._lacking[name] for name in self._open)
        self._progress(RunProgress(label, networks, total - lacking, total))

    def close(self) -> None:
        """Report that nothing more is wanted, where that is news."""
        if any(self._goals[label] < plan.n_networks for label, plan in self._plans.items()):
            self._open = frozenset()
            self.tell(next(iter(self._plans)))


def fill(
    study: Study,
    folder: Path,
    plans: Mapping[str, Plan],
    executor: ExecutorLike,
    progress: Callable[[RunProgress], object] | None,
    *,
    workers: int | None,
    fresh: bool,
) -> dict[str, Watch] | None:
    """Bring the folder to what the study asks for."""
    before = _manifest_before(folder)
    if told := other_draws(before):
        warnings.warn(
            f"{folder}: {told}; they are not used, and what the study asks for is sampled anew",
            RuntimeWarning,
            stacklevel=3,
        )
    looks = read_looks(folder, before)  # what was looked at before, while the study that said so is still there
    remove_temporary_files(folder)
    if fresh:
        remove_parts(folder, plans)
    missing = missing_blocks(folder, plans)
    (folder / "verdicts.csv").unlink(missing_ok=True)  # until the end there are none
    write_atomically(folder / "study.toml", study.text.encode())

    def describe(*, samples_anew: bool, complete: bool, used: Goals | None = None) -> None:
        manifest = make_manifest(
            study, plans, before=before, looks=looks, samples_anew=samples_anew, complete=complete, used=used
        )
        write_manifest(folder, manifest)

    fixed = study.stopping == "fixed"
    # Only looking on shows whether a sequential study takes any of what is missing.
    describe(samples_anew=fixed and bool(missing), complete=fixed and not missing)
    filling = Filling(
        folder,
        plans,
        missing,
        executor,
        progress,
        workers=workers,
        beginning=None if fixed else lambda: describe(samples_anew=True, complete=False),
    )
    if fixed:
        filling.bring({label: plan.n_networks for label, plan in plans.items()})
        if missing:
            describe(samples_anew=True, complete=True)
        return None
    networks = next(iter(plans.values())).n_networks
    watches = follow(stand(study, looks, networks), folder, plans, filling.bring)
    filling.close()
    used = {label: watch.networks for label, watch in watches.items()}
    describe(samples_anew=filling.begun, complete=True, used=used)
    return watches


def _manifest_before(folder: Path) -> Mapping[str, Any]:
    """The manifest that the folder has: nothing if there is none, or a damaged one, which holds nothing that samples need."""
    try:
        return read_manifest(folder)
    except StudyError as error:
        if is_unreadable(error):
            raise
        if (folder / "manifest.json").exists():
            msg = (
                f"{folder}: manifest.json was damaged and is written anew; the looks that it recorded are lost, so that this "
                "one counts as the first"
            )
            warnings.warn(msg, RuntimeWarning, stacklevel=4)
        return {}
