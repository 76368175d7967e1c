"""The false alarms that all tests declare, added up, and that none is left out."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("false_alarms.py")


def load_script():
    spec = importlib.util.spec_from_file_location("false_alarms", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script():
    return load_script()


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """Every test of the suite by its id, from a collection in a process of its own."""
    path = tmp_path_factory.mktemp("false_alarms") / "tests.json"
    # What pytest and its plugins tell their own processes is not for this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    command = [sys.executable, str(SCRIPT), str(path)]
    done = subprocess.run(
        command, cwd=SCRIPT.parents[1], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tests = json.loads(path.read_text(encoding="utf-8"))
    return {name: test for name, test in tests.items() if test["session"]}


def test_every_test_that_uses_chance_declares_its_rate(collected):
    silent = [
        f"{name} ({test['chance']})" for name, test in collected.items() if test["chance"] and not test["declared"]
    ]
    assert not silent, "write @pytest.mark.false_alarm(rate) over:\n" + "\n".join(silent)


def test_no_case_takes_much_of_the_budget(script, collected):
    """One number each, and a fifth at most; only checks of whole tables, of hundreds of counts, come near."""
    for name, test in collected.items():
        if test["declared"] is not None:
            (rate,) = test["declared"]
            assert 0 <= rate <= script.BUDGETS[test["session"]] / 5, name


@pytest.mark.parametrize("session", ["ordinary", "montecarlo", "cluster"])
def test_the_sum_is_within_the_budget(script, collected, session):
    rates = [test["declared"][0] for test in collected.values() if test["session"] == session and test["declared"]]
    assert rates
    assert math.fsum(rates) <= script.BUDGETS[session], script.summary(collected, session)


def helper(rng):
    return rng.normal()


def roundabout():
    return [number() for number in [lambda: helper(np.random.default_rng(1))]]


def nothing():
    return math.sqrt(2)


@pytest.mark.false_alarm(0)
def test_chance_is_seen_through_helpers_and_inner_functions(script):
    assert script.draws(roundabout, set()) == "random"
    assert script.draws(nothing, set()) is None
    assert script.draws(test_chance_is_seen_through_helpers_and_inner_functions, set()) == "roundabout > random"


def test_the_collection_sees_all_sessions(collected):
    sessions = [test["session"] for test in collected.values()]
    assert sessions.count("ordinary") > 1000
    assert {"ordinary", "montecarlo", "cluster"} == set(sessions)
