"""Going through a run's folder: which of its files are sound, and what else lies there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from varprop._arguments import checked
from varprop.engine.plan import Block, Plan
from varprop.study.earlier import plan_there
from varprop.study.errors import StudyError
from varprop.study.manifest import is_unreadable, networks_used, other_draws, read_manifest
from varprop.study.run import load_run
from varprop.study.store import LEFT, DamagedPartError, has_its_places, open_part, part_path

PartState = Literal["sound", "no hash", "damaged", "unreadable", "missing", "stale", "orphaned", "foreign"]
BAD: frozenset[PartState] = frozenset({"damaged", "unreadable", "missing", "stale"})
"""States of files that are not as they should be."""
_FILES = frozenset({"study.toml", "manifest.json", "verdicts.csv", ".lock", "samples"})
_KEY = re.compile(r"[0-9a-f]{16,64}")
_PART = re.compile(r"part-\d{5,}\.parquet")


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One file of a run's folder, or one that it lacks.

    Parameters
    ----------
    path : str
        From the folder.
    state : str
        "sound": as it was written. "no hash": likewise as far as its format tells, written by a version that kept no hash of
        the values. "damaged", "unreadable", "missing". "stale": a page of another state of the run. "orphaned": varprop's own, and read by nothing as the study is now.
        "foreign": not varprop's, and left alone.
    note : str
        What is wrong, or what becomes of it.
    configuration : str
        Whose samples it holds, empty where it is none of the study's.
    """

    path: str
    state: PartState
    note: str = ""
    configuration: str = ""


@checked
def check_run(path: str | Path) -> tuple[CheckedFile, ...]:
    """Go through a run's folder and say of every file what it is; nothing is changed.

    Parameters
    ----------
    path : str or Path
        ``runs/<study>``.

    Returns
    -------
    tuple of CheckedFile
        First the manifest and the study, then the parts that the verdicts rest on, in the study's order, then whatever else
        is there.

    Raises
    ------
    StudyError
        If the folder is no run's.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> import tempfile
    >>> import varprop as vp
    >>> text = '''
    ... schema = 1
    ... title = "He"
    ... seed = 1
    ... networks = 20
    ... network = { widths = "8x3", activation = "relu", weights = "he_normal" }
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "he.toml")
    ...     _ = file.write_text(text)
    ...     run = vp.run_study(vp.load_study(file), folder, "serial")
    ...     _ = (run.path / "notes.txt").write_text("mine")
    ...     [(Path(one.path).name, one.state) for one in check_run(run.path)]
    [('manifest.json', 'sound'), ('study.toml', 'sound'), ('part-00000.parquet', 'sound'), ('notes.txt', 'foreign')]
    """
    folder = Path(path)
    try:
        manifest = read_manifest(folder)
        run = load_run(folder)
    except StudyError as error:
        try:
            there = (folder / "manifest.json").exists()
        except OSError:  # such a name no file can have
            there = False
        if not there:
            raise
        name = "study.toml" if _reads_manifest(folder) else "manifest.json"
        state: PartState = "unreadable" if is_unreadable(error) else "damaged"
        findings = [CheckedFile(name, state, "; ".join(map(str, error.problems)))]
        return (*findings, *_others(folder, {}))
    plans = {c.label: plan_there(run.study, c, folder, networks=run.used[c.label]) for c in run.study.configurations}
    findings = [CheckedFile("manifest.json", "sound"), CheckedFile("study.toml", "sound", _edited(plans, manifest))]
    findings += [_part(folder, label, plan, block) for label, plan in plans.items() for block in plan.blocks]
    return (*findings, *_others(folder, plans))


def _reads_manifest(folder: Path) -> bool:
    try:
        read_manifest(folder)
    except StudyError:
        return False
    return True


def _edited(plans: Mapping[str, Plan], manifest: Mapping[str, Any]) -> str:
    """What is to be said of a study that is not the one that was sampled."""
    if told := other_draws(manifest):
        return told
    recorded = {one["label"]: one.get("key") for one in manifest["configurations"]}
    others = [label for label, plan in plans.items() if recorded.get(label, plan.key) != plan.key]
    if others or set(plans) != set(networks_used(manifest)):
        return "it was edited since the run: it asks for other samples"
    return ""


def _part(folder: Path, label: str, plan: Plan, block: Block) -> CheckedFile:
    """What a part that the study asks for is."""
    path = part_path(folder / "samples", plan, block)
    name = path.relative_to(folder).as_posix()
    state: PartState
    try:
        part = open_part(path, plan, block)
        if part is None or part.networks < block.networks:
            there = 0 if part is None else part.networks
            state, note = "missing", f"it has {there:,} networks of {block.networks:,}; `varprop run` samples it"
        elif not has_its_places(path, plan, block, part):
            state, note = "damaged", "its rows do not stand where they were written"
        elif part.hashed:
            state, note = "sound", ""
        else:
            state, note = "no hash", "written by a version that kept no hash of the values; it is read as it is"
    except DamagedPartError as error:
        state, note = "damaged", f"{error}; `varprop run` samples it again"
    except StudyError as error:
        state, note = "unreadable", str(error.problems[0])
    return CheckedFile(name, state, note, label)


def _others(folder: Path, plans: Mapping[str, Plan]) -> Iterator[CheckedFile]:
    """What is in the folder beside the parts that the study asks for."""
    known = {part_path(folder / "samples", plan, block) for plan in plans.values() for block in plan.blocks}
    keys = {plan.key for plan in plans.values()}
    for path in sorted(folder.iterdir()):
        if LEFT.fullmatch(path.name):
            yield _left(folder, path)
        elif path.name not in _FILES:
            yield _foreign(folder, path)
    samples = folder / "samples"
    for place in sorted(samples.iterdir()) if samples.is_dir() else ():
        if not (_KEY.fullmatch(place.name) and place.is_dir()):
            yield _foreign(folder, place)
            continue
        for path in sorted(set(place.iterdir()) - known):
            if LEFT.fullmatch(path.name):
                yield _left(folder, path)
            elif not _PART.fullmatch(path.name):
                yield _foreign(folder, path)
            elif place.name in keys:
                note = "of more networks than the run has now; a longer run takes it up"
                yield CheckedFile(path.relative_to(folder).as_posix(), "orphaned", note)
            elif plans:
                note = "of another seed, network or version of the draws; nothing reads it as the study is now"
                yield CheckedFile(path.relative_to(folder).as_posix(), "orphaned", note)
            else:
                note = "whose it is cannot be said without the study and the manifest"
                yield CheckedFile(path.relative_to(folder).as_posix(), "orphaned", note)


def _left(folder: Path, path: Path) -> CheckedFile:
    note = "left half written by a run that was killed; the next one removes it"
    return CheckedFile(path.relative_to(folder).as_posix(), "orphaned", note)


def _foreign(folder: Path, path: Path) -> CheckedFile:
    return CheckedFile(path.relative_to(folder).as_posix(), "foreign", "varprop neither wrote nor reads it")
