"""`import varprop` is quick because what is heavy waits until it is used."""

import json
import subprocess
import sys

import pytest

HEAVY = ("matplotlib", "pandas", "pyarrow", "scipy.stats", "seaborn", "statsmodels")

# The names that the documentation promises.
PUBLIC = {
    "Activation",
    "Audit",
    "Claim",
    "Dense",
    "Initializer",
    "Network",
    "Simulation",
    "StudyError",
    "UnsupportedError",
    "activation_names",
    "as_initializer",
    "calibrate",
    "detectable_difference",
    "audit",
    "get_activation",
    "get_initializer",
    "initializer_names",
    "load_run",
    "load_study",
    "mlp",
    "plan_study",
    "plot",
    "predict",
    "required_networks",
    "run_study",
    "simulate",
    "theory",
    "verify",
    "write_report",
}


def _fresh(code: str) -> list[str]:
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


@pytest.mark.parametrize("name", HEAVY)
def test_a_heavy_import_would_be_seen(name):
    assert name in _loaded_after(f"import {name}")


def test_public_names_are_listed_and_exist():
    names = _fresh("import json, varprop; print(json.dumps(dir(varprop)))")
    assert set(names) >= PUBLIC
    lost = "[name for name in dir(varprop) if getattr(varprop, name, None) is None]"
    assert _fresh(f"import json, varprop; print(json.dumps({lost}))") == []
