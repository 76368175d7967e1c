"""Names of studies that can be folders of a report, on every system on which somebody may check it out."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from varprop._arguments import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

_FORBIDDEN = frozenset('/\\:<>"|?*')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, with whatever ending."""
_MAX_BYTES = 200  # of 255, so that temporary files of it have room


def name_problems(names: Sequence[str], taken: Sequence[str]) -> dict[int, str]:
    """Say which studies' names can be no folders of a report.

    Examples
    --------
    >>> name_problems(["depth", "Depth"], [])
    {1: "the studies' names 'depth' and 'Depth' are one folder on many systems; rename a file, or report on them separately"}
    """
    found: dict[int, str] = {}
    seen: dict[str, str] = {}
    own = {_folded(name) for name in taken}
    for i, name in enumerate(names):
        key = _folded(name)
        if not _is_folder(name):
            found[i] = (
                f"the study's name {quoted(name)} cannot be a folder's on every system; rename its file, for example to "
                "forward-signal.toml"
            )
        elif key in own:
            found[i] = f"the study's name {quoted(name)} is that of the index; rename its file"
        elif seen.get(key) == name:
            found[i] = (
                f"two runs are of a study called {quoted(name)} and would share one folder; report on them separately"
            )
        elif key in seen:
            found[i] = (
                f"the studies' names {quoted(seen[key])} and {quoted(name)} are one folder on many systems; rename a file, or report on "
                "them separately"
            )
        else:
            seen[key] = name
    return found


def _folded(name: str) -> str:
    """What systems that do not tell capitals apart, or ways to write an accent, make of a name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _is_folder(name: str) -> bool:
    if not name or not name.isprintable() or name != name.strip() or name.startswith(".") or name.endswith("."):
        return False
    if set(name) & _FORBIDDEN or _DEVICES.fullmatch(name):
        return False
    return len(name.encode("utf-8")) <= _MAX_BYTES  # a printable text has no lone surrogates
