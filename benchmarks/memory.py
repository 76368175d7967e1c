"""Peak memory of this process and the workers it started."""

from __future__ import annotations

import os
import re
from pathlib import Path

_KILOBYTE = 1024


def peak_bytes() -> int:
    """Sum of the largest resident sizes that this process and all its descendants have had.

    Pages that two of them share are counted twice. Where there is no /proc, 0: not measured.
    """
    return sum(_high_water(process) for process in _family(os.getpid()))


def _family(process: int) -> list[int]:
    children = [
        int(word)
        for listed in Path(f"/proc/{process}/task").glob("*/children")
        for word in listed.read_text(encoding="ascii").split()
    ]
    return [process, *(member for child in children for member in _family(child))]


def _high_water(process: int) -> int:
    status = Path(f"/proc/{process}/status")
    found = (
        re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(encoding="utf-8"), re.MULTILINE) if status.exists() else None
    )
    return int(found[1]) * _KILOBYTE if found else 0
