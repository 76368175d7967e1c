"""What the tests declare of their false alarms, and which of them use chance. `python tests/false_alarms.py` says it all.

Every test that uses chance bears ``@pytest.mark.false_alarm(rate)``: the probability, of each parametrised case, that it
fails where nothing is wrong. 0 is for what is exact whatever is drawn, or wrong with probability below 1e-15.
"""

import contextlib
import inspect
import io
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

HERE = Path(__file__).parent
BUDGETS = {"ordinary": 1e-4, "montecarlo": 1e-3, "cluster": 1e-4}
"""Of a session, all its cases counted; the ordinary suite is what pyproject.toml selects, the others are markers."""

FIXTURES = frozenset({"rng", "fresh_seed", "varprop"})
"""Fixtures that draw, or (`varprop`) start a process that does."""

CALLS = frozenset(
    {"CliRunner", "Generator", "SeedSequence", "audit", "audit_bridge", "calibrate", "default_rng", "plan_study"}
    | {"audit_claims", "random", "run_study", "rvs", "selfcheck", "sequential_savings", "simulate"}
)
"""Names that draw, as functions or as attributes (`np.random`, `vp.simulate`)."""


def chance_of(item: pytest.Function) -> str | None:
    """How a test comes to use chance: a fixture's name, or that of what it calls; None if it does not."""
    seen: set[CodeType] = set()
    for name, definitions in item._fixtureinfo.name2fixturedefs.items():
        if name in FIXTURES:
            return name
        functions = [one.func for one in definitions if is_ours(one.func)]
        for way in filter(None, (draws(one, seen) for one in functions)):
            return f"{name} > {way}"
    return draws(item.function, seen)


def draws(function: Callable[..., Any], seen: set[CodeType]) -> str | None:
    """The name by which a function comes to draw, itself or through the functions of the tests that it calls."""
    function = inspect.unwrap(function)
    if not isinstance(function, FunctionType) or function.__code__ in seen:
        return None
    seen.add(function.__code__)
    for name in names(function.__code__):
        if name in CALLS:
            return name
        found = function.__globals__.get(name)
        if str(getattr(found, "__module__", None)).startswith("varprop.engine"):
            return name
        way = draws(found, seen) if is_ours(found) else None
        if way:
            return f"{name} > {way}"
    return None


def names(code: CodeType) -> Iterator[str]:
    """Every global and attribute that a function names, in the functions inside it too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names(constant)


def is_ours(found: object) -> bool:
    """Tell whether something is a function that is written in the tests."""
    return isinstance(found, FunctionType) and Path(found.__code__.co_filename).is_relative_to(HERE)


class Declarations:
    """A plugin of pytest that notes every collected test, and which of them the ordinary suite runs."""

    def __init__(self) -> None:
        self._collected: list[pytest.Item] = []
        self._ordinary: frozenset[str] = frozenset()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note what is collected, before any of it is deselected."""
        self._collected = list(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What is left is the ordinary suite."""
        self._ordinary = frozenset(item.nodeid for item in session.items)

    def tests(self) -> dict[str, dict[str, Any]]:
        """What each test declares, how it comes to use chance, and which session runs it, by its id."""
        chance: dict[Callable[..., Any], str | None] = {}
        found = {}
        for item in self._collected:
            if not isinstance(item, pytest.Function) or not item.path.is_relative_to(HERE):
                continue
            if item.function not in chance:
                chance[item.function] = chance_of(item)
            declared = item.get_closest_marker("false_alarm")
            session = next((name for name in BUDGETS if item.get_closest_marker(name)), None)
            found[item.nodeid] = {
                "chance": chance[item.function],
                "declared": declared and list(declared.args),
                "session": "ordinary" if item.nodeid in self._ordinary else session,
            }
        return found


DECLARATIONS = pytest.StashKey[Declarations]()
"""Where a session's configuration has them."""


def is_whole(config: pytest.Config) -> bool:
    """Whether a session of pytest collects all tests and runs the ordinary suite, as it does when it is told nothing."""
    chosen = {name: config.getoption(name, None) for name in ("keyword", "deselect", "lf", "stepwise")}
    ignored = [Path(path) for path in config.getoption("ignore") or () if Path(path).resolve().is_relative_to(HERE)]
    marked = [option for option in config.getini("addopts") if option.startswith("-m=")]
    return (
        not any(chosen.values())
        and not ignored
        and not config.getoption("ignore_glob")
        and marked == [f"-m={config.getoption('markexpr')}"]
        and any(HERE.is_relative_to((config.invocation_params.dir / one).resolve()) for one in config.args)
    )


def collect() -> dict[str, dict[str, Any]]:
    """Collect the tests as `pytest` does, and give what each declares by its id."""
    plugin, said = Declarations(), io.StringIO()
    arguments = ["--collect-only", "-qq", "-p", "no:cacheprovider", "--rootdir", str(HERE.parent)]
    with contextlib.redirect_stdout(said):
        status = pytest.main([*arguments, str(HERE)], plugins=[plugin])
    if status != pytest.ExitCode.OK:
        msg = f"pytest cannot collect the tests:\n{said.getvalue()}"
        raise RuntimeError(msg)
    return plugin.tests()


def summary(tests: dict[str, dict[str, Any]], session: str) -> str:
    """One line about a session."""
    marked = [one["declared"][0] for one in tests.values() if one["session"] == session and one["declared"]]
    at_risk = sum(rate > 0 for rate in marked)
    return f"{session}: {math.fsum(marked):.1e} of {BUDGETS[session]:.0e}, {at_risk} of {len(marked)} cases that use chance"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(collect()), encoding="utf-8")
    else:
        collected = collect()
        sys.stdout.writelines(f"{summary(collected, session)}\n" for session in BUDGETS)
