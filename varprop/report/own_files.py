"""Which files of a folder a report may replace: those that varprop wrote, which are known by what their pages say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from varprop.study.files import TooLargeError, read_bytes

PAGES = ("README.md", "index.html", "supplement.tex")
"""Files that say in their text who wrote them."""
_MARKS = {
    ".md": (b"\n*Written by varprop ", b"\n*Written by varprop;"),
    ".html": (b"<footer><p>Written by varprop ",),
    ".tex": (b"% Written by varprop ",),
}
_MAX_BYTES = 2**28  # a page with the numbers of all figures has a few MB


def check_target(directory: str | Path, names: Mapping[str, Iterable[str]], *, option: str = "--report") -> None:
    """Refuse to replace what varprop did not write.

    Parameters
    ----------
    directory : str or Path
        Where a report is to go; it need not be there.
    names : mapping of str to iterable of str
        By folder in it (empty for itself) the files that are to be written, as paths from that folder.
    option : str
        How the directory is named on the command line, for the message.

    Raises
    ------
    ValueError
        If one of them is there and is not varprop's, or is no file. A page is known by its footer, any other file by a page
        of varprop's in its folder.
    """
    if not str(directory):
        msg = "the name of the report's folder is empty; write . for the working folder"
        raise ValueError(msg)
    for folder, files in names.items():
        place = Path(directory, folder)
        ours = any(is_own_page(place / page) for page in PAGES)
        for name in files:
            path = place / name
            if not (path.exists() or path.is_symlink()) or (name not in PAGES and ours):
                continue
            if name in PAGES and is_own_page(path):
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
