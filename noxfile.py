"""Development sessions: ``python3 noxfile.py -s NAME``, or ``nox -s NAME`` where nox is installed.

The first form asks for nothing but Python 3.11: where nox is missing, the one pinned in constraints.txt is put into
.nox/ and run from there. Up to the sessions the code has to parse on any Python 3, so that an old one hears why. Whatever
is installed, here and in the sessions, has a hash in constraints.txt, or in constraints-torch.txt; see pins.py.
"""

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
PYTEST = ("pytest", "-n", "auto", "--maxprocesses=4", "--dist=loadfile")
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of each worker: more would wait for each other


def _bootstrap() -> NoReturn:
    """Install the pinned nox into .nox/, then start again with it."""
    home = ROOT / ".nox" / "bootstrap-{}.{}".format(*sys.version_info)
    wanted, listing = pins.requirements(["nox", "uv"]), home / "requirements.txt"
    python = str(home / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    # The stamp is written last and names what was installed: an interrupted or outdated set-up is done again.
    stamp, key = home / "stamp", hashlib.sha256((sys.version + wanted).encode()).hexdigest()
    if Path(sys.prefix) == home:
        stamp.unlink(missing_ok=True)
        sys.exit(f"noxfile.py: {home} was damaged; run the same command again to rebuild it")
    if not (stamp.is_file() and stamp.read_text() == key):
        without_pip, pip = [], [python, "-m", "pip"]
        if importlib.util.find_spec("ensurepip") is None:  # Debian ships it apart; an installed pip will do as well
            without_pip, pip = ["--without-pip"], [sys.executable, "-m", "pip", "--python", python]
        if not importlib.util.find_spec("venv") or (without_pip and not importlib.util.find_spec("pip")):
            sys.exit("noxfile.py: this Python can make no environments (on Debian: apt install python3-venv)")
        print(f"noxfile.py: installing nox into {home} (once)", file=sys.stderr)
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", *without_pip, str(home)], check=True)
            listing.write_text(wanted, encoding="utf-8")
            subprocess.run([*pip, "install", "--quiet", *pins.INSTALL, "-r", str(listing)], check=True)
            stamp.write_text(key)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"noxfile.py: nox could not be installed: {error}")
        except KeyboardInterrupt:
            sys.exit(130)
    command = [python, __file__, *sys.argv[1:]]
    if os.name == "nt":  # where exec would hand the terminal back at once
        sys.exit(subprocess.call(command))
    os.execv(python, command)


if sys.version_info < (3, 11):  # noqa: UP036 - this line is for those who run an older one
    sys.exit("noxfile.py: varprop needs Python 3.11 or newer; {} is {}.{}".format(sys.executable, *sys.version_info))
sys.path.insert(0, str(ROOT))  # where nox runs this file, its folder is not there
import pins

try:
    from nox import Session, main, options, project, session  # nox.main is also what tells a nox that is too old
    from nox.command import CommandFailed
except ImportError:
    _bootstrap()

options.default_venv_backend = "uv|virtualenv"
options.error_on_missing_interpreters = True
# Where Python is told to keep no bytecode, as in many containers, each of the tests' processes would compile all that it
# imports, which took most of their time. So it is kept, and apart from the sources.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.setdefault("PYTHONPYCACHEPREFIX", str(ROOT / ".nox" / "bytecode"))


def _install_pinned(on: Session, *wanted: str) -> None:
    """Install requirements with all that they need, each as constraints.txt pins it and with one of its hashes."""
    processor = "torch" in map(pins.name, wanted) and _finds_torch_for_a_processor(on)
    listing = Path(on.virtualenv.location, "requirements.txt")
    listing.write_text(pins.requirements(wanted, processor=processor), encoding="utf-8")
    on.install(*pins.INSTALL, "-r", str(listing))


def _finds_torch_for_a_processor(on: Session) -> bool:
    """Whether pip is led, by its own settings, to the build of PyTorch that comes without CUDA's 2 GB."""
    if sys.platform != "linux" or on.venv_backend != "virtualenv":
        return False  # elsewhere PyPI's own is that build; and uv knows nothing of pip's settings
    version = pins.pins("constraints-torch.txt")["torch"].split()[0].removeprefix("torch==")
    offered = on.run_install("python", "-m", "pip", "index", "versions", "torch", silent=True, success_codes=[0, 1])
    return re.search(rf"(?<![\w.+]){re.escape(version)}(?![\w.+])", str(offered)) is not None


def _install(on: Session, *groups: str, varprop: str = "-e.") -> None:
    """Install what varprop and dependency groups need, then varprop itself, which as a folder can have no hash."""
    about = project.load_toml("pyproject.toml")
    _install_pinned(on, *about["project"]["dependencies"], *project.dependency_groups(about, "build", *groups))
    on.install("--no-deps", "--no-build-isolation", varprop)


@session
def lint(on: Session) -> None:
    """Style, types, the arrows between the layers, spelling and docstrings."""
    _install(on, "lint")
    on.run("ruff", "check")
    on.run("ruff", "format", "--check")
    on.run("mypy")
    on.run("lint-imports")
    on.run("codespell")
    on.run("numpydoc", "lint", *map(str, sorted(Path("varprop").rglob("*.py"))))


@session
def tests(on: Session) -> None:
    """Run the test suite and the doctests. Arguments after -- go to pytest."""
    _install(on, "test")
    on.run(*PYTEST, *on.posargs, env=ONE_THREAD)


@session(default=False)
def dev(on: Session) -> None:
    """Make an environment to work in, .nox/dev/: varprop from the sources, with what tests and linters need."""
    _install(on, "dev")


@session(default=False)
def agreement(on: Session) -> None:
    """Theory against simulation, for minutes. Arguments after -- go to pytest."""
    _install(on, "test")
    on.run(*PYTEST, "-m", "montecarlo", "--timeout=3600", *on.posargs, env=ONE_THREAD)


@session(default=False)
def hostile(on: Session) -> None:
    """Thousands of mutated studies, command lines and calls, of a new seed that is printed. Arguments after -- go to pytest."""
    _install(on, "test")
    seed = f"--hypothesis-seed={int.from_bytes(os.urandom(4), 'big')}"
    if not any(argument.startswith("--hypothesis-seed") for argument in on.posargs):
        on.log(f"to repeat this session: nox -s hostile -- {seed}")
        on.posargs.append(seed)
    on.run("pytest", "-m", "hostile", "tests/hostile", *on.posargs, env=ONE_THREAD)


@session(default=False)
def clusters(on: Session) -> None:
    """Dask and MPI with processes of their own: kills, stops, resumption. Arguments after -- go to pytest."""
    _install(on, "clusters")
    on.run("pytest", "-m", "cluster", *on.posargs)


@session(default=False)
def docs(on: Session) -> None:
    """Build the site into docs/_build/, with warnings as errors. Arguments after -- go to sphinx-build."""
    _install(on, "docs")
    on.env["MPLBACKEND"] = "Agg"
    on.run("sphinx-build", "-W", "--keep-going", "-c", "docs", ".", "docs/_build", *on.posargs)


def _look(on: Session, marker: str) -> None:
    """Run the tests that look at pages, or at the site, with Debian's Chromium, TeX and poppler and npm's axe-core."""
    _install(on, "pages")
    on.run("python", "tests/pages/tools.py")  # installs what is missing of them
    on.run(*PYTEST, "--dist=worksteal", "-m", marker, "tests/pages", *on.posargs, env=ONE_THREAD)


@session(default=False)
def pages(on: Session) -> None:
    """Reports as their readers meet them: in a browser, on paper, compiled by LaTeX. Arguments after -- go to pytest."""
    _look(on, "pages")


@session(default=False)
def site(on: Session) -> None:
    """Look at the site that `docs` has built, in a browser. Arguments after -- go to pytest."""
    _look(on, "site")


@session(default=False)
def report(on: Session) -> None:
    """Run every study and write reports/, with the audits of frameworks in it. Arguments after -- go to `varprop run`."""
    _install(on, varprop=".")
    studies = map(str, sorted(Path("studies").glob("*.toml")))
    on.run("varprop", "run", *studies, "--report", "reports", "--audits", "reports/frameworks", *on.posargs)


@session(default=False)
def calibration(on: Session) -> None:
    """Test the tests on networks of a known truth; write reports/calibration/ (hours; -- --quick takes minutes)."""
    _install(on, varprop=".")
    depth = () if "--quick" in on.posargs else ("--full", "--report", "reports/calibration")
    on.run("varprop", "calibrate", *depth, *on.posargs, success_codes=[0, 1])


def _audit(on: Session, framework: str) -> None:
    """Test a bridge, then audit its framework; status 1 is a finding, which is in the report."""
    on.run("pytest", "-m", framework, "tests/bridges")
    on.run("varprop", "audit", framework, *on.posargs, success_codes=[0, 1])


@session(default=False, venv_backend="virtualenv")  # pip finds the builds of PyTorch for a processor, uv does not
def torch(on: Session) -> None:
    """Measure models and audit PyTorch's initialisers; write reports/frameworks/torch/. Arguments go to `varprop audit`."""
    _install(on, "test", "torch")
    on.run("pytest", "--override-ini=addopts=--doctest-modules", "varprop/bridges/torch")
    on.run("pytest", "tests/test_docs.py", "tests/test_examples.py", "-k", "torch")
    _audit(on, "torch")


@session(default=False)
def keras(on: Session) -> None:
    """Audit Keras' initialisers on JAX; write reports/frameworks/keras/. Arguments after -- go to `varprop audit`."""
    on.env["KERAS_BACKEND"] = "jax"
    _install(on, "test", "keras")
    _audit(on, "keras")


@session(default=False)
def jax(on: Session) -> None:
    """Audit JAX's and Flax' initialisers; write reports/frameworks/jax/. Arguments after -- go to `varprop audit`."""
    _install(on, "test", "jax")
    _audit(on, "jax")


@session(default=False, venv_backend="virtualenv")  # as for torch
def bench(on: Session) -> None:
    """Time varprop beside PyTorch, JAX and NumPy, and PyTorch's models. Arguments after -- go to `benchmarks`."""
    _install(on, "bench")
    on.run("python", "-m", "benchmarks", *on.posargs)
    on.run("python", "-m", "benchmarks.models")


@session(default=False)
def lock(on: Session) -> None:
    """Make constraints.txt anew from pyproject.toml, keeping what is pinned; -- --upgrade for the newest versions."""
    _install_pinned(on, "uv")
    about = project.load_toml("pyproject.toml")
    groups = [word for group in about["dependency-groups"] for word in ("--group", group)]
    oldest = about["project"]["requires-python"].removeprefix(">=")
    # For every platform and Python; wheels alone, since sessions build nothing; final releases, even where one that is
    # not would leave others as they are.
    shape = ("--universal", "--python-version", oldest, "--no-build", "--prerelease", "disallow", "--generate-hashes")
    on.env["UV_CUSTOM_COMPILE_COMMAND"] = "nox -s lock"
    on.run("uv", "pip", "compile", "pyproject.toml", *groups, *shape, "-q", "-o", "constraints.txt", *on.posargs)


@session(default=False)
def advisories(on: Session) -> None:
    """Name the known vulnerabilities of all that is pinned, or say that nobody could be asked. Arguments go to pip-audit."""
    _install_pinned(on, *project.dependency_groups(project.load_toml("pyproject.toml"), "advisories"))
    home = Path(on.virtualenv.location)
    audit = ("pip-audit", "--disable-pip", "--no-deps", "--progress-spinner=off", *on.posargs)
    # A mirror may have every project and nothing of its advisories, which pip-audit calls "no known vulnerabilities".
    # So a source is asked first about a release that is known to have some.
    known = home / "known.txt"
    known.write_text("jinja2==2.4.1", encoding="utf-8")
    for source in ("pypi", "osv"):
        said = on.run(*audit, "-s", source, "-f", "json", "-r", str(known), silent=True, success_codes=[0, 1])
        if re.search(r'"(?:PYSEC|GHSA|CVE)-', str(said)):
            break
        on.warn(f"{source} names no advisory for {known.read_text()}, which has some: not to be relied on")
    else:
        on.skip("NOTHING WAS CHECKED: no source of advisories can be reached from here")
    found = False
    for count, pinned in enumerate(pins.rounds()):  # of each project pip-audit takes one version at a time
        listing = home / f"pinned-{count}.txt"
        listing.write_text("\n".join(pinned), encoding="utf-8")
        try:
            on.run(*audit, "-s", source, "--strict", "-r", str(listing))
        except CommandFailed:  # the others are wanted all the same
            found = True
    if found:
        on.error("advisories, or pins that the source does not know, are named above")


if __name__ == "__main__":
    main()
