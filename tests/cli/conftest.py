"""The command line as a user meets it: a process with arguments, two streams and an exit status."""

import os
import subprocess
import sys

import pytest

STUDY = """
schema = 1
title = "A small [bold]study"
seed = 3
networks = {networks}
[network]
widths = "6x3"
activation = "relu"
weights = "he_normal"
[[claims]]
id = "zero"
test = "zero_mean"
quantity = "activation_mean"
expect = "{expect}"
"""


@pytest.fixture
def varprop(tmp_path):
    """Run a command in a folder of its own."""

    def varprop(*arguments, variables=None):
        command = [sys.executable, "-m", "varprop.cli", *map(str, arguments)]
        environment = {**os.environ, "PYTHONWARNINGS": "", "COLUMNS": "80", **(variables or {})}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return varprop


@pytest.fixture
def study(tmp_path):
    """Write a study that a run decides at once."""

    def study(name="small", *, expect="refuted", networks=500):
        path = tmp_path / f"{name}.toml"
        path.write_text(STUDY.format(expect=expect, networks=networks), encoding="utf-8")
        return path

    return study
