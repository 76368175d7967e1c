"""Public functions called with what nobody means to give: it is refused as the docstring says, or handled, and soon.

The ordinary suite takes a few calls with a fixed seed; `nox -s hostile` takes thousands with a seed of its own.
"""

import contextlib
import inspect
import re

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt

import varprop as vp
from tests.hostile.calls import AMOUNTS, MUCH, REFERENCE, calls, documented
from tests.hostile.limits import limited
from tests.hostile.zoo import OWN_FAULT, VALUES
from varprop import plot, theory

pytestmark = pytest.mark.false_alarm(0)  # whatever is drawn, the question is what is said

LONGEST = 2000  # characters of a message
SUITE = "calls of public functions"


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    """Sound calls, in a folder below others, since a path may lead upwards; each was made once, so that all is imported."""
    folder = tmp_path_factory.mktemp("calls") / "below" / "another"
    folder.mkdir(parents=True)
    with contextlib.chdir(folder):
        found = calls(folder)
        for call in found.values():
            with contextlib.suppress(*documented(call)) if call.refused else contextlib.nullcontext():
                call()
        plt.close("all")
        yield found


def hold(name, call, values, tried):
    """Call, and hold what comes of it against the docstring."""
    what = f"{name}({', '.join(f'{parameter}={value}' for parameter, value in values.items())})"
    try:
        with limited(what):
            try:
                call(**{parameter: VALUES[value]() for parameter, value in values.items()})
            except Exception as error:  # noqa: BLE001 - whatever it is, it is held against the docstring
                if str(error) == OWN_FAULT:  # of a function that was handed in, whose error is its caller's
                    tried[SUITE, "refused"] += 1
                    return
                _hold_error(what, call, error)
                tried[SUITE, "refused"] += 1
            else:
                tried[SUITE, "handled"] += 1
    finally:
        plt.close("all")


def _hold_error(what, call, error):
    assert isinstance(error, documented(call)), f"{what}: {type(error).__name__}: {error}"
    assert len(str(error)) < LONGEST, f"{what}: {len(str(error))} characters: {str(error)[:500]}"


CHOICES = st.tuples(
    st.integers(0, 2**16),  # which argument of which function
    st.lists(st.integers(0, 2**16), max_size=2),  # which others beside it
    st.tuples(*[st.sampled_from(list(VALUES))] * 3),
)
"""What a call is made of, whatever functions there are."""


def chosen(choices, public):
    """One to three arguments of one function, and names of values for them."""
    which, others, values = choices
    places = [(name, parameter) for name, call in public.items() for parameter in call.replaceable]
    name, first = places[which % len(places)]
    there = public[name].replaceable
    parameters = dict.fromkeys((first, *(there[other % len(there)] for other in others)))
    pairs = zip(parameters, values, strict=False)
    return name, {one: "number: two" if one in AMOUNTS and value in MUCH else value for one, value in pairs}


def test_every_public_name_is_called(public):
    """All of `varprop.__all__`, of the figures and theories, and whatever else the reference has a page for."""
    called = {name.split("-")[0] for name in public}
    parts = REFERENCE.read_text(encoding="utf-8").split(".. currentmodule:: ")[1:]
    listed = set()
    for part in parts:
        prefix = part.split()[0].removeprefix("varprop").removeprefix(".")
        names = re.findall(r"^   ~?([\w.]+)$", part, re.MULTILINE)
        listed |= {f"{prefix}.{name}" if prefix else name for name in names}
    modules = {"": vp, "plot.": plot, "theory.": theory}
    for prefix, module in modules.items():
        listed |= {prefix + name for name in module.__all__ if callable(getattr(module, name))}
    listed.discard("theory.predict")  # `varprop.predict`
    values = {name for name in listed if inspect.isclass(_found(name)) and name not in called}
    assert listed - values <= called
    assert all(
        issubclass(_found(name), Exception) or name.startswith("theory.") for name in values
    )  # what theory returns


def _found(name):
    found = vp
    for part in name.split("."):
        found = getattr(found, part)
    return found


def test_sound_calls_are_quick(public):
    for name, call in public.items():
        with limited(name), contextlib.suppress(*documented(call)) if call.refused else contextlib.nullcontext():
            call()
        plt.close("all")


QUICK = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


@settings(max_examples=300, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=QUICK)
@given(choices=CHOICES)
def test_a_call_is_refused_or_handled(choices, public, tried):
    name, values = chosen(choices, public)
    hold(name, public[name], values, tried)


@pytest.mark.hostile
@pytest.mark.timeout(3600)
@settings(max_examples=3000, database=None, phases=[Phase.generate, Phase.shrink], suppress_health_check=QUICK)
@given(choices=CHOICES)
def test_thousands_of_calls_are_refused_or_handled(choices, public, tried):
    name, values = chosen(choices, public)
    hold(name, public[name], values, tried)
