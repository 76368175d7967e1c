"""A small study to vary."""

import textwrap

import pytest

from varprop.study.parsing import parse_study

HEAD = """
schema = 1
title = "A small study"
seed = 3
networks = 40
"""
NETWORK = """
[network]
widths = "6x3"
activation = "relu"
weights = "he_normal"
"""


@pytest.fixture
def parse():
    """Parse a study whose tables are given; what has to stand at the top of the file stands there."""

    def parse(tables=NETWORK, *, top="", name="small"):
        return parse_study(HEAD + top + "\n" + textwrap.dedent(tables), name=name, source=f"{name}.toml")

    return parse


@pytest.fixture
def write(tmp_path):
    """Write a study file."""

    def write(tables=NETWORK, *, top="", name="small", networks=40, seed=3):
        head = HEAD.replace("networks = 40", f"networks = {networks}").replace("seed = 3", f"seed = {seed}")
        path = tmp_path / f"{name}.toml"
        path.write_text(head + top + "\n" + textwrap.dedent(tables), encoding="utf-8")
        return path

    return write
