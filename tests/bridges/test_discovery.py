"""Bridges are found by their entry points, and a framework is imported by nobody else."""

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from varprop import bridges, study
from varprop.bridges import Bridge, BridgeError, bridge_names, catalogue, load_bridge

DECLARED = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
POINTS = DECLARED["project"]["entry-points"]["varprop.bridges"]


def toy():
    return Bridge(name="toy", version="1", cases=())


@pytest.fixture
def registered(monkeypatch):
    """Replace what is registered by modules of one's own."""

    def registered(**points):
        found = [EntryPoint(name, value, catalogue.GROUP) for name, value in points.items()]
        monkeypatch.setattr(catalogue, "entry_points", lambda *, group: [p for p in found if p.group == group])

    return registered


def test_three_bridges_are_declared_and_each_has_an_extra():
    assert sorted(POINTS) == ["jax", "keras", "torch"]
    assert set(POINTS) <= set(DECLARED["project"]["optional-dependencies"])
    for value in POINTS.values():
        module, _, function = value.partition(":")
        # Read and not imported, since the frameworks are not installed here; a bridge is a module or a package.
        named = Path(bridges.__file__).parent / module.rpartition(".")[2]
        files = [*named.parent.glob(f"{named.name}.py"), *named.glob("*.py")]
        assert any(f"def {function}() -> Bridge:" in file.read_text(encoding="utf-8") for file in files)


def test_a_bridge_is_found_and_loaded(registered, monkeypatch):
    monkeypatch.setattr(catalogue, "toy", toy, raising=False)
    registered(toy="varprop.bridges.catalogue:toy", other="nowhere:bridge")
    assert bridge_names() == ("other", "toy")
    assert load_bridge("toy") == toy()


def test_a_framework_that_is_missing_says_how_to_get_it(registered):
    registered(torch="no_such_framework.module:bridge")
    with pytest.raises(BridgeError, match=r"no_such_framework is not installed; .* pip install 'varprop\[torch\]'"):
        load_bridge("torch")


def test_a_name_that_is_not_there_is_told_from_one_that_is(registered):
    registered(torch="varprop.bridges.torch:bridge")
    with pytest.raises(BridgeError, match="torch"):
        load_bridge("troch")


def test_nothing_registered_is_told(registered):
    registered()
    with pytest.raises(BridgeError, match="install varprop"):
        load_bridge("torch")


def test_what_makes_no_bridge_is_refused(registered):
    registered(toy="builtins:dict")
    with pytest.raises(BridgeError, match="it made dict"):
        load_bridge("toy")


def test_no_framework_is_imported_before_it_is_asked_for():
    code = (
        "import sys, varprop, varprop.bridges, varprop.verification.audit.frameworks, varprop.cli.app; "
        "varprop.bridges.bridge_names(); varprop.audit; "
        "sys.exit(bool({'torch', 'keras', 'jax', 'flax'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_entry_of_a_catalogue_is_still_found_by_its_old_name():
    with pytest.warns(DeprecationWarning, match=r"varprop\.bridges\.Case is called StatedInitializer now; write that"):
        assert bridges.Case is bridges.StatedInitializer
    with pytest.warns(DeprecationWarning, match=r"varprop\.study\.Finding is called CheckedFile now"):
        assert study.Finding is study.CheckedFile
    with pytest.raises(AttributeError, match="has no attribute 'Cases'"):
        _ = bridges.Cases
