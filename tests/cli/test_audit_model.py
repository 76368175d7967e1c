"""``varprop audit-model``: what it says to a wrong flag; models themselves are in tests/bridges, where PyTorch is."""

import sys

import pytest
from typer.testing import CliRunner

from varprop.cli.app import app
from varprop.cli.audit import _inputs

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


def invoke(*arguments):
    return CliRunner().invoke(app, ["audit-model", *map(str, arguments)], prog_name="varprop")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine_to_audit.py").write_text("number = 3\n\ndef build():\n    raise RuntimeError\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mine_to_audit", "--input", "3"], "named as package.module:factory"),
        (["nowhere_to_be_found:f", "--input", "3"], "there is no module 'nowhere_to_be_found'"),
        (["mine_to_audit:other", "--input", "3"], "has no attribute 'other'"),
        (["mine_to_audit:number", "--input", "3"], "must be a function that returns a model, it is int"),
        (["mine_to_audit:build", "--input", "3y4"], "write for example 3x32x32"),
        (["mine_to_audit:build", "--input", "0x4"], "write for example 3x32x32"),
    ],
)
def test_a_wrong_flag_is_told_in_one_line(arguments, said):
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize("factory", ["mine_to_audit:build", "needs_torch_to_audit:build"])
def test_without_pytorch_it_says_what_to_install(monkeypatch, tmp_path, factory):
    (tmp_path / "needs_torch_to_audit.py").write_text("from torch import nn\n\nbuild = nn.ReLU\n")
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("varprop.bridges.torch")]:
        monkeypatch.delitem(sys.modules, name)
    done = invoke(factory, "--input", "3")
    assert done.exit_code == 2
    assert "pip install 'varprop[torch]'" in done.stderr


def test_inputs_are_fixed_by_the_seed():
    first, second = (_inputs([(3, 4), (5,)], batch=2, tokens=None, seed=seed) for seed in (1, 2))
    assert [x.shape for x in first] == [(2, 3, 4), (2, 5)]
    assert (first[0] == _inputs([(3, 4)], batch=2, tokens=None, seed=1)[0]).all()
    assert not (first[0] == second[0]).any()
    (ids,) = _inputs([(50,)], batch=4, tokens=7, seed=1)
    assert set(ids.ravel().tolist()) == set(range(7))
