"""Studies of which some value was replaced, removed or moved: nothing but documented errors, and nothing slow.

The ordinary suite takes a few of them with a fixed seed; `nox -s hostile` takes thousands with a seed of its own.
"""

import copy
import json

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.hostile.limits import limited
from tests.hostile.zoo import NUMBERS, TEXTS
from varprop.study.errors import StudyError
from varprop.study.parsing import parse_study

SOUND = {
    "schema": 1,
    "title": "One of many",
    "seed": 1,
    "networks": 20,
    "alpha": 0.05,
    "inputs": 2,
    "quantities": ["preactivation_second_moment", "pivot"],
    "network": {"widths": "8x3", "biases": "zeros"},
    "grid": {
        "activation": ["relu", {"name": "leaky_relu", "slope": 0.1}],
        "weights": ["he_normal", {"name": "normal", "std": 0.5}],
    },
    "claims": [
        {
            "id": "a",
            "quantity": "preactivation_second_moment",
            "theory": "he",
            "test": "cumulative_mean",
            "margin": 0.1,
            "layers": [1, 3],
            "where": {"activation": "relu", "weights": "he_normal"},
        }
    ],
    "report": {"figures": ["profile"]},
}


def _is_toml(value):
    """Whether a file can hold it: no control characters, no half of a pair, no number that Python cannot print."""
    if isinstance(value, str):
        return value.isprintable()
    return isinstance(value, float) or value.bit_length() < 10**4


ZOO = [
    *(True, 0, -1, 1, 2, 2**20, 2**62, 10**400, 0.0, -0.0, 0.1, 1e-320, 1e-100, 1e100, 1e308),
    *("", "relu", "he", "pivot", "zeros", "1x65536", "256x20", "$\\frac{$", "\u202e", "a" * 5000),
    *([], [[]], [{}], {}, [1], [0.5, 0.5], ["relu"], ["pivot"], {"name": "relu"}, {"name": "normal", "std": 1e200}),
    *(one for one in (*NUMBERS.values(), *TEXTS.values()) if _is_toml(one)),
    *({"name": 1}, {"from": 1, "to": 2}, {"input": 4, "hidden": [4, 2], "depth": 3}, {"no such": {"key": [1]}}),
]
KEYS = [
    "sweep",
    "training",
    "stopping",
    "looks",
    "method",
    "dtype",
    "normals",
    "below",
    "above",
    "equals",
    "reason",
    "share",
]
SUITE = "mutated studies"


def toml(value):
    """Write a value as TOML, tables inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str | bool) else repr(value)


def places(value, path=()):
    """Every place of a document, from the top."""
    yield path
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(one, (*path, key))


@st.composite
def mutated(draw):
    """Change a sound study in one to four places."""
    document = copy.deepcopy(SOUND)
    for _ in range(draw(st.integers(1, 4))):
        *parents, last = draw(st.sampled_from([path for path in places(document) if path]))
        table = document
        for key in parents:
            table = table[key]
        what = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
        if what == "remove":
            del table[last]
        elif what == "add" and isinstance(table, dict):
            table[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(ZOO)))
        elif what == "add":
            table.append(copy.deepcopy(draw(st.sampled_from(ZOO))))
        else:
            table[last] = copy.deepcopy(draw(st.sampled_from(ZOO)))
    return "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in document.items())


def check(text, tried):
    """Read a study, or have it refused in one short message, soon."""
    problems = ()
    with limited(text):
        try:
            parse_study(text, name="one", source="one.toml")
        except StudyError as error:
            problems = error.problems
    assert all(len(str(problem)) < 2000 for problem in problems)
    tried[SUITE, "refused" if problems else "read"] += 1


def test_the_unchanged_study_is_read():
    text = "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in SOUND.items())
    assert len(parse_study(text, name="one", source="one.toml").configurations) == 4


QUICK = (HealthCheck.too_slow, HealthCheck.data_too_large)


@settings(max_examples=150, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=QUICK)
@given(text=mutated())
def test_a_mutated_study_is_read_or_refused(text, tried):
    check(text, tried)


@pytest.mark.hostile
@pytest.mark.timeout(3600)
@settings(max_examples=2000, database=None, suppress_health_check=QUICK)
@given(text=mutated())
def test_thousands_of_mutated_studies_are_read_or_refused(text, tried):
    check(text, tried)
