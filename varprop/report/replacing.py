"""A report's files -> a folder, whole or not at all, in place of those that were there, if these are varprop's own.

Everything is first written into a folder aside. Then a plan is written: which of these files go where, and which old ones
go. That moment decides: killed before it, the old report is there; killed after it, whoever writes a report there next carries the
plan out first. What is between is a few milliseconds of renaming.

Only files that varprop wrote are replaced; they are known by what their pages say.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from varprop.study.checking import Finding
from varprop.study.files import TooLargeError, read_bytes, read_text
from varprop.study.fingerprint import DIGITS
from varprop.study.lock import locked
from varprop.study.store import LEFT, write_atomically

if TYPE_CHECKING:
    from varprop.study.run import Run

ASIDE = ".varprop-report"
_PLAN = "plan.json"
_PLAN_BYTES = 2**26
_ATTEMPTS = 3
PAGES = ("README.md", "index.html", "supplement.tex")
"""Files that say in their text who wrote them."""
RECORD = "varprop-report.json"
"""Beside the pages: of which run they are, and which files belong to them."""
SUFFIXES = frozenset({".md", ".html", ".tex", ".pdf", ".svg", ".png", ".csv", ".json"})
"""Of the files that a report has."""
_MARKS = {
    ".md": (b"\n*Written by varprop ", b"\n*Written by varprop;"),
    ".html": (b"<footer><p>Written by varprop ",),
    ".tex": (b"% Written by varprop ",),
}
_RUN = re.compile(rb"Written by varprop [^\n]*?\bruns? ([0-9a-f]{%d})\b" % DIGITS, re.IGNORECASE)
_MAX_BYTES = 2**28  # a page with the numbers of all figures has a few MB


@dataclass(frozen=True, slots=True)
class FileSet:
    """The files of one folder of a report."""

    folder: str
    files: Mapping[str, Mapping[str, bytes]]
    run: str = ""

    @property
    def contents(self) -> dict[str, bytes]:
        """All files by their path."""
        return {name: data for files in self.files.values() for name, data in files.items()}


def replace_report(directory: str | Path, sets: Sequence[FileSet]) -> tuple[Path, ...]:
    """Write the files of a report in place of those that were there."""
    root = Path(directory)
    check_target(directory, {one.folder: one.contents for one in sets})
    root.mkdir(parents=True, exist_ok=True)
    with _aside(root) as aside:
        check_target(directory, {one.folder: one.contents for one in sets})  # again, now that nobody else writes there
        contents: dict[str, bytes] = {}
        old: list[str] = []
        for one in sets:
            made = {_join(one.folder, name): data for name, data in one.contents.items()}
            if one.run:
                formats, gone = _kept(root / one.folder, one)
                made[_join(one.folder, RECORD)] = record_text(one.run, formats).encode()
                old += [_join(one.folder, name) for name in gone]
            old += _left(root, made)
            contents |= made
        for number, data in enumerate(contents.values()):
            _write(aside / str(number), data)
        plan = {"moves": list(map(list, enumerate(contents))), "remove": sorted(set(old) - set(contents))}
        write_atomically(aside / _PLAN, json.dumps(plan).encode())
        try:
            _carry_out(root, aside)
        except BaseException:  # Ctrl-C: from here on the new report is the one that is to be there
            with contextlib.suppress(OSError, ValueError):
                _carry_out(root, aside)
            raise
    return tuple(root / name for name in contents)


def check_pages(run: Run, directory: str | Path) -> tuple[Finding, ...]:
    """See whether a report's pages of a run are of its present state; nothing is changed."""
    root = Path(directory)
    found = []
    if (root / ASIDE / _PLAN).exists():
        note = "the report was stopped while its files were put in place; the next one finishes that"
        found.append(Finding(str(root / ASIDE), "stale", note))
    for page in (root / run.study.name / name for name in PAGES):
        if not is_own_page(page):
            continue
        bears = run_of_page(page)
        if bears is None:
            found.append(Finding(str(page), "no hash", "of a version whose pages do not say of which run they are"))
        elif bears == run.fingerprint:
            found.append(Finding(str(page), "sound"))
        else:
            note = f"of run {bears}; this one is {run.fingerprint}; `varprop report` writes it anew"
            found.append(Finding(str(page), "stale", note))
    return tuple(found or [Finding(str(root / run.study.name), "missing", "there is no page of this study")])


def _join(folder: str, name: str) -> str:
    return (PurePosixPath(folder) / name).as_posix()


def _kept(folder: Path, new: FileSet) -> tuple[dict[str, list[str]], list[str]]:
    """By format the files that belong to the report from now on, and those of before that do no more."""
    run, before = read_record(folder)
    formats = {name: list(files) for name, files in new.files.items()}
    if run == new.run:  # what the same run gives in another format is as good as it was
        formats = before | formats
    now = {name for files in formats.values() for name in files}
    return formats, [name for files in before.values() for name in files if name not in now]


def _left(root: Path, names: Iterable[str]) -> list[str]:
    """Temporary files of these, of processes that were killed."""
    wanted: dict[PurePosixPath, set[str]] = {}
    for name in map(PurePosixPath, names):
        wanted.setdefault(name.parent, set()).add(name.name)
    return [
        (folder / path.name).as_posix()
        for folder, mine in wanted.items()
        if (root / folder).is_dir()
        for path in (root / folder).iterdir()
        if (found := LEFT.fullmatch(path.name)) and found[1] in mine
    ]


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _aside(root: Path) -> Iterator[Path]:
    """Give the folder aside, empty, to this process alone; what a killed one had decided is carried out first."""
    aside = root / ASIDE
    with contextlib.ExitStack() as stack:
        for attempt in range(_ATTEMPTS):
            if aside.is_symlink():
                msg = f"{aside} leads somewhere else; remove it"
                raise ValueError(msg)
            aside.mkdir(exist_ok=True)
            try:
                stack.enter_context(locked(aside, busy="another varprop writes a report there; wait for it to finish"))
                break
            except FileNotFoundError:  # another one finished between these two lines, and took the folder with it
                if attempt == _ATTEMPTS - 1:
                    raise
        _carry_out(root, aside)
        _clear(aside)
        try:
            yield aside
        finally:
            if not (aside / _PLAN).exists():
                _clear(aside)
                with contextlib.suppress(OSError):  # Windows removes no file that is open
                    (aside / ".lock").unlink()
                    aside.rmdir()


def _clear(aside: Path) -> None:
    for path in aside.iterdir():
        if path.name == ".lock":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _carry_out(root: Path, aside: Path) -> None:
    """Put files in place and remove old ones, as far as that is left to do."""
    plan = aside / _PLAN
    if not plan.exists():
        return
    moves, removals = _read_plan(root, aside)
    for source, target in moves:
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
    for path in removals:
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # a folder in which something is left stays
            for folder in path.parents:
                if folder == root:
                    break
                folder.rmdir()
    plan.unlink()


def _read_plan(root: Path, aside: Path) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """What is to be done. A folder may come from anybody, and so may the plan in it: nothing outside is touched."""
    try:
        plan = json.loads(read_text(aside / _PLAN, limit=_PLAN_BYTES))
        moves = [(aside / str(int(number)), _inside(root, name)) for number, name in plan["moves"]]
        return moves, [_inside(root, name) for name in plan["remove"]]
    except (TooLargeError, KeyError, TypeError, ValueError, RecursionError) as error:
        msg = f"{aside / _PLAN} is damaged; remove {aside}, and the report that it was to finish is written anew"
        raise ValueError(msg) from error


def _inside(root: Path, name: str) -> Path:
    """The path of a report's file, which is below its folder whatever links there are, and of a kind that reports have."""
    path = PurePosixPath(name)
    kind = LEFT.fullmatch(path.name)
    if path.is_absolute() or ".." in path.parts or PurePosixPath(kind[1] if kind else path.name).suffix not in SUFFIXES:
        raise ValueError
    whole = root / path
    if not whole.parent.resolve().is_relative_to(root.resolve()):
        raise ValueError
    return whole


def check_target(directory: str | Path, names: Mapping[str, Iterable[str]], *, option: str = "--report") -> None:
    """Refuse to replace what varprop did not write."""
    if not str(directory):
        msg = "the name of the report's folder is empty; write . for the working folder"
        raise ValueError(msg)
    for folder, files in names.items():
        place = Path(directory, folder)
        _, before = read_record(place)
        recorded = {name for names in before.values() for name in names}
        ours = bool(recorded) or any(is_own_page(place / page) for page in PAGES)
        for name in files:
            path = place / name
            known = name in recorded or (is_own_page(path) if name in PAGES else ours)
            if not (path.exists() or path.is_symlink()) or (known and not path.is_dir()):
                continue
            msg = (
                f"{path} is there, and varprop did not write it; name a folder of the report's own with {option}, "
                "or move that file away"
            )
            raise ValueError(msg)


def is_own_page(path: Path) -> bool:
    """Tell whether a page is there and says that varprop wrote it."""
    try:
        text = read_bytes(path, limit=_MAX_BYTES)
    except (OSError, TooLargeError):
        return False
    return any(mark in b"\n" + text for mark in _MARKS[path.suffix])


def run_of_page(path: Path) -> str | None:
    """Return the fingerprint of the run, or the runs, that a page says it is of; None if it says none."""
    try:
        found = _RUN.search(read_bytes(path, limit=_MAX_BYTES))
    except (OSError, TooLargeError):
        return None
    return None if found is None else found[1].decode()


def record_text(run: str, formats: Mapping[str, Iterable[str]]) -> str:
    """Write the record of a report's folder."""
    files = {name: sorted(formats[name]) for name in sorted(formats)}
    return json.dumps({"run": run, "files": files}, indent=1, ensure_ascii=False) + "\n"


def read_record(folder: Path) -> tuple[str, dict[str, list[str]]]:
    """Read the record of a report's folder."""
    try:
        found = json.loads(read_text(folder / RECORD, limit=_MAX_BYTES))
        run, files = str(found["run"]), {str(kind): list(map(str, names)) for kind, names in found["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", {}
    return run, {kind: [name for name in names if _is_reports(name)] for kind, names in files.items()}


def _is_reports(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path.suffix in SUFFIXES and path.name != RECORD
