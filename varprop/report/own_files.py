"""Which files of a folder a report may replace: those that varprop wrote, which are known by what their pages say."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from varprop.study.files import TooLargeError, read_bytes, read_text
from varprop.study.fingerprint import DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
