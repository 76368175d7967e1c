"""Command lines with what nobody means to give: the documented exit statuses, no traceback, nothing raw for the terminal, soon.

The ordinary suite takes a few lines with a fixed seed; `nox -s hostile` takes thousands with a seed of its own.
"""

import shutil
import sys

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.hostile.commands import COMMANDS, GOOD, SOUND, VALUES, check, fill, is_much, run
from tests.hostile.limits import limited

pytestmark = pytest.mark.false_alarm(0)  # whatever is drawn, the question is what is said

SUITE = "command lines"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A function that makes a folder with a study and a run of it, below others, since a path may lead upwards."""
    above = tmp_path_factory.mktemp("lines") / "below"
    filled, work = above / "filled", above / "work"
    filled.mkdir(parents=True)
    fill(filled)

    def fresh():
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(filled, work)
        return work

    for command, line in SOUND.items():  # so that all is imported
        run([command, *line], fresh())
    with pytest.MonkeyPatch.context() as patch:
        for name in ("weasyprint", "torch", "jax", "keras"):  # as if not installed: each takes longer than a case may
            patch.setitem(sys.modules, name, None)
        yield fresh


@st.composite
def lines(draw):
    """A sound line of a command with one to three changes."""
    command = draw(st.sampled_from(list(SOUND)))
    words, parameters = list(SOUND[command]), COMMANDS[command].params
    for _ in range(draw(st.integers(1, 3))):
        one = draw(st.sampled_from(parameters)) if parameters else None
        if one is None or draw(st.integers(0, 9)) == 0:
            words.append(draw(st.sampled_from(list(VALUES.values()))))  # one word more than there should be
            continue
        value = draw(st.sampled_from(list(VALUES.values())).filter(lambda text: not is_much(one.name, text)))  # noqa: B023
        if draw(st.booleans()):  # half of the options are as they should be, else hardly a line would get far
            value = GOOD.get(one.name, value)
        if one.param_type_name == "argument":
            words[:1] = [value] if draw(st.booleans()) else [*words[:1], value]
        elif one.is_flag:
            words.append(draw(st.sampled_from([one.opts[0]] * 3 + [f"{one.opts[0]}={value}"])))
        else:
            words += draw(st.sampled_from([[one.opts[0], value]] * 3 + [[f"{one.opts[0]}={value}"], [one.opts[0]]]))
    if command == "calibrate" and words[:1] != SOUND[command][:1]:
        words.insert(0, SOUND[command][0])  # without a test it is the check of all of them, which takes minutes
    return [command, *words]


def hold(line, folders, tried):
    """Run a line, and hold how it ended against what is documented."""
    folder = folders()
    with limited(line):
        ended = run(line, folder)
    check(line, ended)
    tried[SUITE, f"ended with {ended.status}"] += 1


def test_every_command_is_tried():
    assert set(SOUND) == set(COMMANDS)


@pytest.mark.parametrize("command", list(SOUND))
def test_a_sound_line_is_quick(command, folders):
    folder = folders()
    with limited(command):
        ended = run([command, *SOUND[command]], folder)
    check([command], ended)
    assert ended.status == (2 if command in {"audit", "audit-model"} else 0), ended.err  # there is no framework


QUICK = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


@settings(max_examples=60, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=QUICK)
@given(line=lines())
def test_a_line_ends_as_documented(line, folders, tried):
    hold(line, folders, tried)


@pytest.mark.hostile
@pytest.mark.timeout(3600)
@settings(max_examples=2000, database=None, phases=[Phase.generate, Phase.shrink], suppress_health_check=QUICK)
@given(line=lines())
def test_thousands_of_lines_end_as_documented(line, folders, tried):
    hold(line, folders, tried)
