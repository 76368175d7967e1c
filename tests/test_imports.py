"""`import varprop` is quick because what is heavy waits until it is used."""

import json
import subprocess
import sys

import pytest

HEAVY = ("matplotlib", "pandas", "pyarrow", "scipy.stats", "seaborn", "statsmodels")


def _fresh(code: str) -> list:
    """Run code that prints a JSON list in an interpreter of its own."""
    # pytest's warning filters do not reach there; -W error makes an import that warns a failure all the same.
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _loaded_after(statement: str) -> list[str]:
    return _fresh(f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))")


@pytest.mark.parametrize(
    "statement",
    [
        "import varprop",
        "import varprop; dir(varprop)",
        "import varprop as vp; vp.mlp(widths=[4, 4], activation='relu', weights='he_normal')",
    ],
)
def test_import_loads_nothing_heavy(statement):
    loaded = _loaded_after(statement)
    assert "varprop" in loaded
    assert [name for name in HEAVY if name in loaded] == []


@pytest.fixture(scope="module")
def loaded_with_all():
    return _loaded_after(f"import {', '.join(HEAVY)}")


@pytest.mark.parametrize("name", HEAVY)
def test_a_heavy_import_would_be_seen(name, loaded_with_all):
    assert name in loaded_with_all


def test_public_names_are_listed_and_exist():
    """Before any was used; tests/test_site.py holds them against the reference."""
    unlisted = "[name for name in varprop.__all__ if name not in dir(varprop)]"
    lost = "[name for name in dir(varprop) if getattr(varprop, name, None) is None]"
    assert _fresh(f"import json, varprop; print(json.dumps([{unlisted}, {lost}]))") == [[], []]
