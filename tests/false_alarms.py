"""What the tests declare of their false alarms, and which of them use chance: `python tests/false_alarms.py` sums it up."""

import inspect
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

HERE = Path(__file__).parent
SESSIONS = ("montecarlo", "cluster")
"""Markers that are sessions of their own; what pyproject.toml selects without being asked is the ordinary suite."""

FIXTURES = frozenset({"rng", "fresh_seed"})
CALLS = frozenset(
    {
        "default_rng",
        "SeedSequence",
        "Generator",
        "fresh_seed",
        "rvs",
        "random",
        "simulate",
        "simulate_plan",
        "run_study",
    }
)
"""Names that draw, as a function or as an attribute (`np.random`, `vp.simulate`)."""


def _names(code: CodeType) -> Iterator[str]:
    """Every global and attribute that a function names, in the functions inside it too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def draws(function: Callable[..., Any], seen: set[CodeType]) -> str | None:
    """The name by which a function comes to draw, itself or through the functions of the tests that it calls."""
    function = inspect.unwrap(function)
    if not isinstance(function, FunctionType) or function.__code__ in seen:
        return None
    seen.add(function.__code__)
    for name in _names(function.__code__):
        if name in CALLS:
            return name
        found = function.__globals__.get(name)
        module = getattr(found, "__module__", None) or ""
        if module.startswith("varprop.engine"):
            return f"{module}.{name}"
        if isinstance(found, FunctionType) and Path(found.__code__.co_filename).is_relative_to(HERE):
            deeper = draws(found, seen)
            if deeper:
                return f"{name} > {deeper}"
    return None


def chance_of(item: pytest.Function) -> str | None:
    """How a test comes to use chance: a fixture's name, or that of what it calls; None if it does not."""
    seen: set[CodeType] = set()
    for name, definitions in item._fixtureinfo.name2fixturedefs.items():  # noqa: SLF001 - pytest has no public way
        if name in FIXTURES:
            return name
        own = [one.func for one in definitions if Path(inspect.getfile(one.func)).is_relative_to(HERE)]
        found = next(filter(None, (draws(one, seen) for one in own)), None)
        if found:
            return f"{name} > {found}"
    return draws(item.function, seen)


class Declarations:
    """A plugin of pytest that notes every collected test, and which of them the ordinary suite runs."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if isinstance(item, pytest.Function):
                markers = list(item.iter_markers("false_alarm"))
                self.tests[item.nodeid] = {
                    "declared": [marker.args for marker in markers],
                    "chance": chance_of(item),
                    "session": next((name for name in SESSIONS if item.get_closest_marker(name)), None),
                }

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            if item.nodeid in self.tests:
                self.tests[item.nodeid]["session"] = "ordinary"


def collect(path: str) -> int:
    """Collect the tests and write what they declare, as JSON."""
    plugin = Declarations()
    quiet = ["--collect-only", "-qq", "-p", "no:cacheprovider", "-p", "no:randomly"]
    status = pytest.main([*quiet, f"--rootdir={HERE.parent}", str(HERE)], plugins=[plugin])
    Path(path).write_text(json.dumps(plugin.tests), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(collect(sys.argv[1]))
