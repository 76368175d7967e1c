"""Which part of constraints.txt an environment needs: its requirements and whatever they need in turn, with hashes.

pip heeds hashes in requirements and not in constraints, and once one is there it wants all. So noxfile.py writes such
a part to a file for each environment and installs from that; ``python pins.py NAME ...`` prints one.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
INSTALL = ("--require-hashes", "--only-binary=:all:")  # nothing is built: a build would fetch what has no hash here
PIN = re.compile(r"^([\w.-]+)==.*\n(?: .*\n)*", re.MULTILINE)  # with the lines below it, hashes and origin
ORIGIN = re.compile(r"^    #(?: via |   )([\w.-]+)", re.MULTILINE)  # uv notes who needs what it pins
GPU = ("cuda-", "nvidia-", "triton")  # PyPI's PyTorch needs them on Linux, its builds for a processor do not


def name(requirement: str) -> str:
    """Normalised project name: `nox[uv]>=1` is nox, `lazy_loader` is lazy-loader."""
    found = re.match(r"[\w.-]+", requirement)
    if not found:
        message = f"{requirement!r} names no project"
        raise ValueError(message)
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def pins(file: str) -> dict[str, str]:
    """Each project of a file with its lines; there are several pins where versions differ between Pythons."""
    found: dict[str, str] = {}
    for pin in PIN.finditer((ROOT / file).read_text(encoding="utf-8")):
        found[pin[1]] = found.get(pin[1], "") + pin[0]
    return found


def requirements(wanted: Iterable[str], *, processor: bool = False) -> str:
    """Pins of the wanted projects and of all that they need; of PyTorch its build for a processor, if so asked."""
    pinned = pins("constraints.txt")
    if processor:
        pinned = {key: lines for key, lines in pinned.items() if not key.startswith(GPU)}
        pinned |= pins("constraints-torch.txt")
    needs: dict[str, set[str]] = {}
    for key, lines in pinned.items():
        for origin in ORIGIN.findall(lines):
            needs.setdefault(origin, set()).add(key)
    queue, found = {name(requirement) for requirement in wanted}, set()
    while queue:
        found.add(key := queue.pop())
        queue |= needs.get(key, set()) - found
    if missing := sorted(found - pinned.keys()):
        message = f"constraints.txt has no {', '.join(missing)}; `nox -s lock` makes it anew"
        raise LookupError(message)
    return "".join(lines for key, lines in pinned.items() if key in found)


def rounds() -> list[list[str]]:
    """All pins, as lists in which no project comes twice, though its version may differ between Pythons."""
    found: list[list[str]] = []
    for lines in pins("constraints.txt").values():
        for count, pin in enumerate(sorted(set(re.findall(r"^[\w.-]+==[\w.!+-]+", lines, re.MULTILINE)))):
            if count == len(found):
                found.append([])
            found[count].append(pin)
    return found


if __name__ == "__main__":
    sys.stdout.write(requirements(sys.argv[1:]))
