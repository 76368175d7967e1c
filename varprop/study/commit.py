"""The commit that a folder has checked out, read from Git's own files.

The program ``git`` is not asked: it runs whatever commands the folder's ``.git/config`` names (a file-system monitor, a
filter), and a folder may have come from anybody. A file that is read can do nothing.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from varprop.study.files import read_text

_MAX_BYTES = 2**16
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
                kind, _, where = read_text(marker, limit=_MAX_BYTES).strip().partition(": ")
                return _head(one / where) if kind == "gitdir" and where else None
    except (OSError, ValueError):  # a file that is none, or no text
        return None
    return None


def _head(repository: Path) -> str | None:
    """What HEAD says, references followed."""
    shared = repository
    if (repository / "commondir").is_file():  # a worktree shares the references of the repository that it belongs to
        shared = repository / read_text(repository / "commondir", limit=_MAX_BYTES).strip()
    said = read_text(repository / "HEAD", limit=_MAX_BYTES).strip()
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
            return read_text(place / name, limit=_MAX_BYTES).strip()
    packed = shared / "packed-refs"
    if packed.is_file():
        for line in read_text(packed, limit=_MAX_PACKED).splitlines():
            commit, _, named = line.partition(" ")
            if named == name:
                return commit
    return ""
