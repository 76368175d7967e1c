"""The false alarms that all tests declare, added up, and that none is left out."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.false_alarms import BUDGETS, DECLARATIONS, draws, is_whole, summary

SCRIPT = Path(__file__).with_name("false_alarms.py")


@pytest.fixture(scope="module")
def collected(pytestconfig, tmp_path_factory):
    """Every test of the suite by its id: of this session if that collects them all, else from a process of its own."""
    tests = pytestconfig.stash[DECLARATIONS].tests() if is_whole(pytestconfig) else collected_apart(tmp_path_factory)
    return {name: test for name, test in tests.items() if test["session"]}


def collected_apart(tmp_path_factory):
    path = tmp_path_factory.mktemp("false_alarms") / "tests.json"
    # What pytest and its plugins tell their own processes is not for this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    command = [sys.executable, str(SCRIPT), str(path)]
    done = subprocess.run(
        command, cwd=SCRIPT.parents[1], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_test_that_uses_chance_declares_its_rate(collected):
    silent = [
        f"{name} ({test['chance']})" for name, test in collected.items() if test["chance"] and not test["declared"]
    ]
    assert not silent, "write @pytest.mark.false_alarm(rate) over:\n" + "\n".join(silent)


def test_no_case_takes_much_of_the_budget(collected):
    """One number each, and a fifth at most; only checks of whole tables, of hundreds of counts, come near."""
    for name, test in collected.items():
        if test["declared"] is not None:
            (rate,) = test["declared"]
            assert 0 <= rate <= BUDGETS[test["session"]] / 5, name


@pytest.mark.parametrize("session", BUDGETS)
def test_the_sum_is_within_the_budget(collected, session):
    rates = [test["declared"][0] for test in collected.values() if test["session"] == session and test["declared"]]
    assert rates
    assert math.fsum(rates) <= BUDGETS[session], summary(collected, session)


def helper(rng):
    return rng.normal()


def roundabout():
    return [number() for number in [lambda: helper(np.random.default_rng(1))]]


def nothing():
    return math.sqrt(2)


@pytest.mark.false_alarm(0)
def test_chance_is_seen_through_helpers_and_inner_functions():
    assert draws(roundabout, set()) == "random"
    assert draws(nothing, set()) is None
    assert draws(test_chance_is_seen_through_helpers_and_inner_functions, set()) == "roundabout > random"


def test_the_collection_sees_all_sessions(collected):
    sessions = [test["session"] for test in collected.values()]
    assert sessions.count("ordinary") > 1000
    assert set(BUDGETS) == set(sessions)


def test_a_session_that_leaves_tests_out_is_not_the_whole(pytestconfig):
    class Chosen:
        args, invocation_params, getini = ["tests"], pytestconfig.invocation_params, pytestconfig.getini

        def __init__(self, **chosen):
            self._chosen = chosen

        def getoption(self, name, default=None):
            ordinary = next(one for one in self.getini("addopts") if one.startswith("-m="))[3:]
            return self._chosen.get(name, ordinary if name == "markexpr" else default)

    if (pytestconfig.invocation_params.dir / "tests").resolve() == SCRIPT.parent:
        assert is_whole(Chosen())
    for option in ({"keyword": "torch"}, {"markexpr": "cluster"}, {"lf": True}, {"ignore": ["tests/stats"]}):
        assert not is_whole(Chosen(**option)), option
