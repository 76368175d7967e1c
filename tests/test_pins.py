"""constraints.txt pins all that environments are made of, pins.py finds an environment's part of it, and what installs
the part refuses anything else."""

import base64
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PYPROJECT["dependency-groups"]


@pytest.fixture
def pins():
    """The module as noxfile.py imports it, which is no part of the package; fresh, so that a test may move its root."""
    spec = importlib.util.spec_from_file_location("pins", ROOT / "pins.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _wanted(group):
    """Requirements of varprop and of a group, with those of the groups that it includes."""
    wanted = list(PYPROJECT["project"]["dependencies"])
    for line in GROUPS[group]:
        wanted += [line] if isinstance(line, str) else _wanted(line["include-group"])
    return wanted


def _names(pins, text):
    return set(map(pins.name, re.findall(r"^[\w.-]+==", text, re.MULTILINE)))


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-torch.txt"])
def test_every_pin_has_hashes_and_nothing_else_is_there(pins, file):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert all(line.startswith("#") for line in pins.PIN.sub("", text).splitlines())
    for pin in pins.PIN.finditer(text):
        head, *below = re.sub(r"^ +#.*\n", "", pin[0], flags=re.MULTILINE).replace("\\\n", "").split("--hash=")
        assert re.fullmatch(r"[\w.-]+==[\w.!+-]+ *(?:; .+)?", head)
        assert below
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text.strip()) for text in below), head


@pytest.mark.parametrize("group", GROUPS)
def test_every_requirement_is_pinned(pins, group):
    assert {pins.name(line) for line in _wanted(group)} <= _names(pins, pins.requirements(_wanted(group)))


def test_versions_asked_for_are_the_pinned_ones(pins):
    """So pyproject.toml and constraints.txt do not drift apart where neither is made anew."""
    for group in GROUPS:
        for line in map(Requirement, _wanted(group)):
            versions = re.findall(
                r"^[\w.-]+==([\w.!+-]+)", pins.pins("constraints.txt")[pins.name(line.name)], re.MULTILINE
            )
            assert [version for version in versions if not line.specifier.contains(version)] == []


def test_pytorch_has_one_version(pins):
    (asked,) = GROUPS["torch"]
    assert pins.pins("constraints.txt")["torch"].split()[0] == asked
    assert pins.pins("constraints-torch.txt")["torch"].split()[0] == f"{asked}+cpu"


def test_a_part_holds_what_the_installed_projects_say_they_need(pins):
    """uv's notes say who needs what, the metadata of the installed projects say it independently."""
    named = set()
    queue = [Requirement(line) for line in _wanted("test")]
    while queue:
        requirement = queue.pop()
        key = (pins.name(requirement.name), frozenset(requirement.extras))
        if key in named:
            continue
        named.add(key)
        for line in map(Requirement, metadata.requires(requirement.name) or []):
            extras = requirement.extras or {""}
            if not line.marker or any(line.marker.evaluate(default_environment() | {"extra": of}) for of in extras):
                queue.append(line)
    assert len(named) > len(_wanted("test"))
    assert {key for key, _ in named} <= _names(pins, pins.requirements(_wanted("test")))


def test_a_part_holds_nothing_of_other_groups(pins):
    part = _names(pins, pins.requirements(_wanted("test")))
    assert part.isdisjoint({"jax", "mypy", "nox", "sphinx", "torch", "weasyprint"})


def test_pytorch_for_a_processor_comes_without_cuda(pins):
    full, processor = (pins.requirements(["torch"], processor=choice) for choice in (False, True))
    gone = _names(pins, full) - _names(pins, processor)
    assert {"cuda-toolkit", "nvidia-cublas", "triton"} <= gone
    assert all(key.startswith(pins.GPU) for key in gone)
    assert {"sympy", "mpmath", "filelock"} <= _names(pins, processor)
    (asked,) = GROUPS["torch"]
    assert re.findall(r"^torch==\S+", full + processor, re.MULTILINE) == [asked, f"{asked}+cpu"]


def test_what_is_not_pinned_is_named(pins):
    with pytest.raises(LookupError, match="no-such-project"):
        pins.requirements(["pytest", "No_Such.Project[extra]>=1"])


def test_rounds_hold_every_pin_once(pins):
    rounds = pins.rounds()
    heads = re.findall(r"^[\w.-]+==[\w.!+-]+", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(pin for pinned in rounds for pin in pinned) == sorted(set(heads))
    for pinned in rounds:
        assert len({pin.split("==")[0] for pin in pinned}) == len(pinned)


def test_nothing_is_installed_past_the_hashes():
    lines = [
        line for line in (ROOT / "noxfile.py").read_text().splitlines() if re.search(r'\.install\(|"install"', line)
    ]
    past = [line.strip() for line in lines if "*pins.INSTALL" not in line]
    assert past == ['on.install("--no-deps", "--no-build-isolation", varprop)']
    assert len(lines) == 3


# pip and uv, each fed a wheel of our own and nothing else: no network, none of the machine's settings.


def _wheel(folder, name, *needs):
    """A project of one empty module, version 1.0; returns its hash."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": "\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *needs]) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def _pip():
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--isolated", "install"]
    bundle = importlib.util.find_spec("ensurepip")
    for wheel in Path(bundle.origin).parent.glob("_bundled/pip-*.whl") if bundle else ():
        return [sys.executable, f"{wheel}/pip", "--isolated", "install"]
    return None


def _uv():
    found = shutil.which("uv") or next(map(str, ROOT.glob(".nox/bootstrap-*/bin/uv")), None)
    return [found, "pip", "install", "--no-config", "--no-cache", "--python", sys.executable] if found else None


@pytest.fixture(params=[_pip, _uv])
def install(request, pins, tmp_path, monkeypatch):
    """Install projects as noxfile.py does, by a constraints.txt of one's own; tells the modules that are there then."""
    command = request.param()
    if not command:
        pytest.skip("this machine does not have it")
    for setting in [key for key in os.environ if key.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(setting)
    monkeypatch.setattr(pins, "ROOT", tmp_path)

    def install(constraints, *wanted):
        (tmp_path / "constraints.txt").write_text(constraints)
        (tmp_path / "requirements.txt").write_text(pins.requirements(wanted))
        here = ["--no-index", "--find-links", str(tmp_path), "--target", str(tmp_path / "installed")]
        done = subprocess.run(
            [*command, *here, *pins.INSTALL, "-r", str(tmp_path / "requirements.txt")],
            check=False,
            capture_output=True,
            text=True,
        )
        modules = {path.stem for path in tmp_path.glob("installed/*.py")}
        assert (done.returncode == 0) == bool(modules), done.stderr
        return modules, done.stdout + done.stderr

    return install


PINNED = "{}==1.0 \\\n    --hash=sha256:{}\n    # via {}\n"


def test_a_wheel_with_its_hash_is_installed_with_what_it_needs(install, tmp_path):
    below, above = _wheel(tmp_path, "below"), _wheel(tmp_path, "above", "Requires-Dist: below")
    constraints = PINNED.format("above", above, "varprop (pyproject.toml:test)") + PINNED.format(
        "below", below, "above"
    )
    assert install(constraints, "above")[0] == {"above", "below"}


def test_a_wheel_with_another_hash_is_refused(install, tmp_path):
    below, above = _wheel(tmp_path, "below"), _wheel(tmp_path, "above", "Requires-Dist: below")
    wrong = below.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
    constraints = PINNED.format("above", above, "varprop (pyproject.toml:test)") + PINNED.format(
        "below", wrong, "above"
    )
    modules, said = install(constraints, "above")
    assert not modules
    assert wrong in said


def test_what_a_wheel_needs_and_nobody_pinned_is_refused(install, tmp_path):
    """So a part that lacks something is an error, never a project from anywhere."""
    _wheel(tmp_path, "below")
    above = _wheel(tmp_path, "above", "Requires-Dist: below")
    modules, said = install(PINNED.format("above", above, "varprop (pyproject.toml:test)"), "above")
    assert not modules
    assert "below" in said
    assert "hash" in said
