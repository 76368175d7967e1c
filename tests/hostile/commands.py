"""Command lines as a shell hands them over, run to their exit status in this process; options as the commands declare them."""

import contextlib
import io
import os
import shutil
import signal
import sys
import unicodedata
import warnings
from dataclasses import dataclass
from pathlib import Path

import typer

from tests.hostile.calls import STUDY
from tests.hostile.zoo import NUMBERS, TEXTS
from varprop.cli import failures, main
from varprop.cli.app import app

COMMANDS = typer.main.get_command(app).commands
STATUSES = {0, 1, 2, 3}  # docs/command-line.md; 4 is an error of varprop's own
NETWORK = ["--widths", "4x3", "--activation", "relu", "--weights", "he_normal"]
SOUND = {
    "run": ["study.toml", "--executor", "serial"],
    "plan": ["study.toml", "--pilot", "2", "--workers", "1"],
    "audit": ["no-such-framework"],
    "audit-model": ["model:build", "--input", "4"],
    "calibrate": ["step_mean", "--widths", "4x3", "--networks", "20", "--repeats", "2"],
    "check": ["runs/study"],
    "report": ["runs/study", "--format", "md"],
    "predict": NETWORK,
    "verify": [*NETWORK, "--theory", "he", "--networks", "20", "--seed", "1"],
    "init": ["new.toml"],
    "list": ["activations"],
    "schema": [],
}
"""A line of each command that is soon done; the first word of some is what they are about."""

GOOD = {
    "networks": "10",
    "pilot": "3",
    "repeats": "3",
    "seed": "2",
    "margin": "0.2",
    "alpha": "0.1",
    "theory": "he",
    "quantity": "pivot",
    "workers": "1",
    "formats": "latex",
    "executor": "threads",
    "runs": "runs",
    "report": "pages",
    "output": "pages",
    "widths": "4-8-2",
    "activation": "leaky_relu(slope=0.1)",
    "weights": "normal(std=0.5)",
    "biases": "normal(std=0.1)",
    "studies": ".",
}
"""A sound value of options that have one which is soon done."""

AMOUNTS = {"networks", "repeats", "pilot", "draws", "batch", "studies", "inputs"}
"""Options that are how much work is asked for: what is hostile there is no large number, which takes its time."""

VALUES = {
    **{name: text for name, text in TEXTS.items() if "\0" not in text},  # no shell can hand it over
    **{f"number {name}": repr(number) for name, number in NUMBERS.items() if name != "hexadecimal-digits"},
    "hexadecimal-digits": "0x" + "f" * 6000,
    "comma": "0,5",
    "plus": "+1",
    "underscores": "1_0",
    "other-digits": "١٢",
    "huge-width": "99999999999x2",
    "no-depth": "4x0",
    "dashed": "4-8-2",
    "two-laws": "normal(std=1)(std=2)",
    "slope-of-400-digits": f"leaky_relu(slope=1{'0' * 400})",
    "std-of-nan": "normal(std=nan)",
    "keyword": "normal(std=__import__('os'))",
    "no-such-file": "missing.toml",
    "a-folder": "runs",
    "an-empty-file": "empty.toml",
    "bytes": "bytes.toml",
    "a-text-file": "text.toml",
    "a-run": "runs/study",
    "a-run-without-parts": "bare",
    "a-module": "json:dumps",
    "no-module": "nowhere:build",
    "html": "html",
    "pdf": "pdf",
    "png": "png",
    "latex": "latex",
    "serial": "serial",
    "threads": "threads",
    "sequence": "zeros",
    "preserved": "preserved",
    "he": "he",
    "zero_mean": "zero_mean",
}
"""Texts that stand for an option's value or an argument, by their names."""


def is_much(name, text):
    """Whether an option asks for an amount of work that takes its time, and is not refused."""
    if text in {"1x65536", "65536x65536"}:
        return (
            name == "widths"
        )  # the deepest networks there may be, and sampled: wide ones too, by the law of their norms
    try:
        return name in AMOUNTS and 100 < float(text) <= 1e9
    except ValueError:
        return False


def fill(folder):
    """Write the files that command lines are about: a study and a run of it, and others that are none."""
    import varprop as vp

    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    vp.run_study(vp.load_study(folder / "study.toml"), folder / "runs", executor="serial")
    (folder / "empty.toml").write_text("", encoding="utf-8")
    (folder / "bytes.toml").write_bytes(bytes(range(256)))
    (folder / "text.toml").write_text(
        "\n".join(TEXTS[name] for name in ("escape", "html", "markdown")), encoding="utf-8"
    )
    (folder / "bare").mkdir()
    shutil.copy(folder / "runs" / "study" / "manifest.json", folder / "bare")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: object
    out: str
    err: str


def run(line, folder):
    """Run a command line in a folder, as `varprop` does, with nothing but a process of its own left out.

    Parameters
    ----------
    line : list of str
        What stands after ``varprop``.
    folder : Path
        To work in.

    Returns
    -------
    Ended
    """
    here, names, hook = Path.cwd(), (sys.argv, sys.stdout, sys.stderr, sys.path[:]), sys.excepthook
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    out, err = io.BytesIO(), io.BytesIO()
    safe = os.environ.get("PYTHONSAFEPATH")
    try:
        os.chdir(folder)
        sys.argv = ["varprop", *line]
        sys.stdout, sys.stderr = (io.TextIOWrapper(one, encoding="utf-8", write_through=True) for one in (out, err))
        failures._state.debug, failures._state.asked_to_stop, failures._state.told = False, None, False
        with warnings.catch_warnings():
            status = None
            try:
                main()
            except SystemExit as ended:
                status = ended.code or 0
    finally:
        kept = sys.stdout, sys.stderr
        sys.argv, sys.stdout, sys.stderr, sys.path[:] = names
        sys.excepthook = hook
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if safe is None:
            os.environ.pop("PYTHONSAFEPATH", None)
        os.chdir(here)
        for one in kept:
            with contextlib.suppress(ValueError):
                one.detach()
    return Ended(status, *(one.getvalue().decode("utf-8", "replace") for one in (out, err)))


def controls(text):
    """Characters that a terminal would obey, or hide."""
    return {one for one in text if one != "\n" and unicodedata.category(one) in {"Cc", "Cf", "Cs", "Co"}}


LONGEST_ERROR, LONGEST_ANSWER = 6000, 400_000  # characters; the schema of studies and JSON of verdicts are long


def check(line, ended):
    """Hold an ended command against what is documented of all of them."""
    assert ended.status in STATUSES, f"{line} ended with {ended.status}: {ended.err[-2000:]}"
    assert "Traceback" not in ended.err + ended.out, f"{line} showed a traceback: {ended.err[-2000:]}"
    assert not controls(ended.err + ended.out), f"{line} wrote {controls(ended.err + ended.out)!r}"
    assert len(ended.err) <= LONGEST_ERROR, f"{line} says {len(ended.err)} characters: {ended.err[:500]}"
    assert len(ended.out) <= LONGEST_ANSWER, f"{line} answers {len(ended.out)} characters: {ended.out[:500]}"
    assert ended.status in {0, 1} or (ended.err + ended.out).strip(), (
        f"{line} ended with {ended.status} and said nothing"
    )
