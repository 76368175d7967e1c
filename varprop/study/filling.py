"""Bringing a run's folder to what its study asks for: what is missing there is sampled, all at once or look by look."""

from __future__ import annotations

import contextlib
import errno
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from varprop._arguments import checked
from varprop.engine.executors import ExecutorLike, run_tasks
from varprop.engine.plan import Block, Plan
from varprop.engine.simulate import run_block
from varprop.study.earlier import plans_to_fill
from varprop.study.errors import FewNetworksWarning, Problem, RunStoppedError, StudyError
from varprop.study.files import csv_text, locked
from varprop.study.judgement import Goals, follow
from varprop.study.looks import read_looks
from varprop.study.manifest import (
    is_unreadable,
    looks_so_far,
    make_manifest,
    other_draws,
    read_manifest,
    record_looks,
    write_manifest,
)
from varprop.study.run import Run
from varprop.study.standing import stand, too_few
from varprop.study.store import (
    DamagedPartError,
    encode_part,
    part_path,
    read_part,
    remove_temporary_files,
    write_atomically,
)
from varprop.study.study import Study
from varprop.verification.watching import Watch

_DISK_FULL = frozenset(filter(None, (errno.ENOSPC, getattr(errno, "EDQUOT", None), errno.EFBIG)))

BlockName = tuple[str, int]
"""A configuration's label, and the index of one of its blocks."""


def remove_parts(folder: Path, plans: Mapping[str, Plan]) -> None:
    """Remove every part of these plans, and nothing else."""
    for plan in plans.values():
        for path in (folder / "samples" / plan.key).glob("part-*.parquet"):
            path.unlink()


def missing_blocks(folder: Path, plans: Mapping[str, Plan]) -> dict[BlockName, Block]:
    """Blocks of which there is no whole and sound part in the folder; a damaged one is warned about."""
    missing = {}
    for label, plan in plans.items():
        for block in plan.blocks:
            path = part_path(folder / "samples", plan, block)
            try:
                there = read_part(path, plan, block) is not None
            except DamagedPartError as error:
                there = False
                msg = f"{path} is damaged ({error}) and is sampled again"
                warnings.warn(msg, RuntimeWarning, stacklevel=4)
            if not there:
                missing[label, block.index] = block
    return missing


def sampled_parts(
    plans: Mapping[str, Plan],
    missing: Mapping[BlockName, Block],
    executor: ExecutorLike,
    workers: int | None,
) -> Iterator[tuple[str, Block, bytes]]:
    """Sample the missing blocks; yield label, block and part as they are finished, in any order."""
    tasks = [(plans[label], (label, index)) for label, index in missing]
    work = sum(plans[label].draws * block.networks // plans[label].n_networks for (label, _), block in missing.items())
    try:
        # Closed at once if the caller stops, so that nothing goes on in the background.
        with contextlib.closing(run_tasks(_sample, tasks, executor, workers=workers, work=work)) as results:
            for name, data in results:
                yield name[0], missing[name], data
    except BrokenExecutor as error:
        msg = f"{error}; start the run again to go on"
        raise RunStoppedError(msg) from error


def _sample(plan: Plan, name: BlockName) -> bytes:
    """Sample and encode one block, in a worker: compressed it travels at a tenth of the size."""
    label, index = name
    try:
        values = run_block(plan, index)
    except (ValueError, ArithmeticError, MemoryError) as error:
        raise StudyError(label, [Problem("", str(error) or "needs more memory than there is")]) from error
    return encode_part(plan, plan.block_at(index), values)


# ---- the blocks that a folder lacks ---------------------------------------------------------------------------------

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


@checked
def run_study(
    study: Study,
    directory: str | Path = "runs",
    executor: ExecutorLike = None,
    progress: Callable[[RunProgress], object] | None = None,
    *,
    networks: int | None = None,
    workers: int | None = None,
    fresh: bool = False,
) -> Run:
    r"""Sample what a study asks for and is not on disk yet, and test its claims.

    Parameters
    ----------
    study : Study
        What to sample and test.
    directory : str or Path
        Parent of the run's folder, which is called as the study.
    executor : None, "serial", "threads", "processes" or concurrent.futures.Executor
        Where blocks run; None is serial for short work, else worker processes.
    progress : callable, optional
        Called with a ``RunProgress`` at the start and after every block. An exception from it, KeyboardInterrupt
        too, stops the run; what is finished stays.
    networks : int, optional
        Networks per configuration, in place of the study's own number; of a sequential study the most that there may be.
    workers : int, optional
        Threads or processes; the number of usable cores if None.
    fresh : bool
        Sample everything again, whatever is there.

    Returns
    -------
    Run

    Raises
    ------
    StudyError
        If the folder cannot be written or is another's, another process works in it, or a configuration cannot be sampled.
    RunStoppedError
        If the disk is full or workers keep dying: the same call goes on from there.
    ValueError
        If the number of networks or of workers, or the executor's name, is none.
    TypeError
        If an argument is of another kind.

    Warns
    -----
    RuntimeWarning
        If a part was damaged and is sampled again, or an earlier version did not record what a claim needs.
    FewNetworksWarning
        Before anything is sampled, if the plan of a claim says that so few networks will not decide it.

    Notes
    -----
    Samples are kept by the hash of their content and seed, so a claim that was edited is tested without sampling, a
    longer run adds to a shorter one, and a run that was killed loses the blocks in flight. The parts do not depend on
    the executor, the number of workers, or on how often the run was stopped.

    What was judged is recorded in the manifest: a run with more networks, another seed or other margins is a further look
    at the study, and verdicts are given for it so that all looks together have the study's alpha. Of a longer run those
    networks are judged that reach the ladder's next rung, four times as many as the one before. What an earlier version sampled with
    ``quantities`` left out is taken as it is, without the quantities that came later, wherever claims do not need them;
    ``fresh`` samples with all.

    Examples
    --------
    >>> import tempfile
    >>> from varprop.study import load_study
    >>> lines = ["schema = 1", 'title = "Small"', "seed = 1", "networks = 20", "[network]"]
    >>> lines += ['widths = "8x3"', 'activation = "relu"', 'weights = "he_normal"']
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "small.toml"
    ...     characters = file.write_text("\n".join(lines))
    ...     run = run_study(load_study(file), folder)
    ...     run.simulations()["relu, he_normal"].values("pivot").shape
    (20, 3)
    """
    folder = Path(directory) / study.name
    refuse_foreign(folder)
    plans = plans_to_fill(study, folder, networks=networks, fresh=fresh)
    if warning := too_few(study, networks, looks=looks_so_far(folder)):
        warnings.warn(warning, FewNetworksWarning, stacklevel=2)
    with _disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            watches = fill(study, folder, plans, executor, progress, workers=workers, fresh=fresh)
            used = {
                label: plan.n_networks if watches is None else watches[label].networks for label, plan in plans.items()
            }
            run = Run(study, folder, study.networks if networks is None else networks, used, watches)
            verdicts = csv_text(run.verdicts(), digits=None).encode()
            record_looks(folder, run.looks())  # before anybody can see what was found
            write_atomically(folder / "verdicts.csv", verdicts)
            return run


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """Say what is wrong with the disk without a traceback: what stops a run, or a folder that cannot be used."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _DISK_FULL:
            msg = f"{folder}: the disk is full ({reason}); make room and start the run again, it goes on from there"
            raise RunStoppedError(msg) from error
        msg = f"cannot be written ({reason}); name a folder that can"
        raise StudyError(str(folder), [Problem("", msg)]) from error
