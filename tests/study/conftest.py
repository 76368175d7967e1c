"""A small study to vary."""

import functools
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


@pytest.fixture(scope="session")
def write_in():
    """Write a study file into a folder."""

    def write_in(folder, tables=NETWORK, *, top="", name="small", networks=40, seed=3):
        head = HEAD.replace("networks = 40", f"networks = {networks}").replace("seed = 3", f"seed = {seed}")
        path = folder / f"{name}.toml"
        path.write_text(head + top + "\n" + textwrap.dedent(tables), encoding="utf-8")
        return path

    return write_in


@pytest.fixture
def write(write_in, tmp_path):
    """Write a study file into the test's own folder."""
    return functools.partial(write_in, tmp_path)
