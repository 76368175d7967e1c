"""What the tests of pages need beside Python packages: what is there, and how the rest is installed.

``python tests/pages/tools.py`` installs what is missing (Debian's packages where it runs as root, npm's into a folder that
git ignores) and says what it could not. That is no reason to stop: whatever can be checked is checked, and the tests that
need the rest fail by its name, unless VARPROP_PAGES_GAPS=accepted says that they may be left out.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
AXE = HERE / "node_modules" / "axe-core"
GAPS = "VARPROP_PAGES_GAPS"
ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that tests run: what they check with it, how it is found, and what brings it."""

    name: str
    checks: str
    programs: tuple[str, ...] = ()  # any of them will do
    styles: tuple[str, ...] = ()  # files that TeX has to find, all of them
    debian: tuple[str, ...] = ()
    npm: bool = False

    def lacks(self) -> str:
        """Say what is not there, or nothing."""
        if self.npm:
            return axe_lacks()
        if not self.program():
            return f"no {' or '.join(self.programs)} on PATH"
        lost = [name for name in self.styles if not found_by_tex(name)]
        return f"TeX does not find {', '.join(lost)}" if lost else ""

    def program(self) -> str | None:
        """Path of the program to run."""
        return next(filter(None, map(shutil.which, self.programs)), None)

    def remedy(self) -> str:
        """What a person types to install it."""
        return f"npm ci --prefix {HERE}" if self.npm else f"apt-get install {' '.join(self.debian)}"


CHROMIUM = Tool(
    "chromium",
    "pages in a browser",
    programs=("chromium", "chromium-browser", "google-chrome"),
    debian=("chromium",),
)
AXE_CORE = Tool("axe-core", "accessibility", npm=True)
PDFLATEX = Tool(
    "pdflatex",
    "LaTeX compiled",
    programs=("pdflatex",),
    styles=("booktabs.sty", "siunitx.sty", "lmodern.sty", "longtable.sty"),
    debian=("texlive-latex-recommended", "texlive-science", "texlive-fonts-recommended", "lmodern"),
)
POPPLER = Tool("poppler", "what PDF files show", programs=("pdftotext",), debian=("poppler-utils",))
TOOLS = {tool.name: tool for tool in (CHROMIUM, AXE_CORE, PDFLATEX, POPPLER)}


def axe_lacks() -> str:
    """Say what is wrong with what npm installed: nothing there, or another version than the pinned one."""
    wanted = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]["axe-core"]
    manifest = AXE / "package.json"
    if not (manifest.is_file() and (AXE / "axe.min.js").is_file()):
        return f"no {AXE}"
    found = json.loads(manifest.read_text(encoding="utf-8"))["version"]
    return "" if found == wanted else f"axe-core {found} in place of {wanted}"


def found_by_tex(name: str) -> bool:
    """Tell whether TeX finds a style file."""
    finder = shutil.which("kpsewhich")
    return finder is not None and subprocess.run([finder, name], capture_output=True, check=False).returncode == 0


def gaps() -> dict[str, str]:
    """What is not there, by the tool's name: what lacks, what stays unchecked, and the remedy."""
    lacking = {name: tool.lacks() for name, tool in TOOLS.items()}
    return {
        name: f"{lack}: {TOOLS[name].checks} NOT CHECKED; {TOOLS[name].remedy()}"
        for name, lack in lacking.items()
        if lack
    }


def accepted() -> bool:
    """Tell whether whoever runs the tests has said that what lacks may stay unchecked."""
    value = os.environ.get(GAPS, "")
    if value not in {"", ACCEPTED}:
        msg = f"{GAPS} is {value!r}; write {GAPS}={ACCEPTED} to leave out what cannot be checked, or unset it"
        raise ValueError(msg)
    return value == ACCEPTED


def install() -> list[str]:
    """Install what is missing; give what went wrong."""
    lacking = [tool for tool in TOOLS.values() if tool.lacks()]
    packages = [package for tool in lacking for package in tool.debian]
    problems = install_debian(packages) if packages else []
    if any(tool.npm for tool in lacking):
        # Nothing that a package brings is run while it is installed.
        problems += run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(HERE))
    return problems


def install_debian(packages: Sequence[str]) -> list[str]:
    """Install Debian's packages, which takes apt-get and root."""
    if not shutil.which("apt-get"):
        return [f"no apt-get here to install {' '.join(packages)}"]
    if os.geteuid() != 0:
        return [f"only root installs Debian packages: sudo apt-get install {' '.join(packages)}"]
    # Another installer may be at work: it is waited for.
    install = ("apt-get", "install", "-o", "DPkg::Lock::Timeout=600", "--yes", "--no-install-recommends")
    return run("apt-get", "update") or run(*install, *packages)


def run(*command: str) -> list[str]:
    """Run an installer quietly; where it fails, give its name and its last words."""
    sys.stdout.write(f"tools.py: {' '.join(command)}\n")
    sys.stdout.flush()
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        return [f"{command[0]}: {error}"]
    if done.returncode:
        return [f"{' '.join(command[:2])} gave status {done.returncode}: {' | '.join(done.stdout.splitlines()[-3:])}"]
    return []


def main() -> None:
    """Install, and say what is not there afterwards."""
    for problem in install():
        sys.stdout.write(f"tools.py: FAILED: {problem}\n")
    for name, gap in gaps().items():
        sys.stdout.write(f"tools.py: MISSING {name}: {gap}\n")


if __name__ == "__main__":
    main()
