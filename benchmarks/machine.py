"""What the times hold for: the processor, and the versions of what was timed."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from varprop.engine.executors import usable_cores
from varprop.study.manifest import commit_of

_PACKAGES = ("varprop", "numpy", "scipy", "loky", "torch", "jax", "jaxlib")


def describe_machine() -> dict[str, Any]:
    """Describe this machine as plain data."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "memory_bytes": _memory(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "commit": _commit(),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def sentence_about(machine: dict[str, Any]) -> str:
    """What `describe_machine` found, for reading."""
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items() if version)
    memory = f", {machine['memory_bytes'] / 2**30:.0f} GiB of memory" if machine["memory_bytes"] else ""
    return (
        f"{machine['processor']}, {machine['usable_cores']} of {machine['cores']} cores{memory}; {machine['system']}; "
        f"Python {machine['python']}, {packages}; commit {machine['commit']}, {machine['measured']}."
    )


def _processor() -> str:
    """The model's name where the system says it; some virtual machines hide it, so family and model stand beside it."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    text = info.read_text(encoding="utf-8")
    found = {
        key: match[1].strip() if (match := re.search(rf"^{key}\s*:(.*)$", text, re.MULTILINE)) else "?"
        for key in ("model name", "cpu family", "model", "cache size")
    }
    return f"{found['model name']} (family {found['cpu family']}, model {found['model']}, cache {found['cache size']})"


def _memory() -> int | None:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit that was measured; None outside a checkout."""
    commit = commit_of(Path(__file__).parent)
    return None if commit is None else commit[:12]
