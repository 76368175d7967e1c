"""What PyTorch does against what it says; `nox -s torch` runs it."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed here; nox -s torch installs it")
pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def bridge():
    from varprop.bridges.torch import bridge

    return bridge()


# The law's own name says that N(0, 0.01) is read as everywhere else in the module; what comes is N(0, 0.01^2).
REFUTED = {"nn.init.sparse_(sparsity=0.0)": None, "nn.MultiheadAttention.in_proj_weight": "packed_projections"}


def test_nothing_but_what_is_known_is_refuted(audits):
    """False alarm 1e-6 a law, some 50 laws."""
    refuted = {one.case.name: one.audit.cause for one in audits.values() if one.audit.verdict == "refuted"}
    assert refuted == REFUTED


def test_the_default_of_linear_has_a_third_of_lecuns_variance(audit_of):
    part = {part.name: part for part in audit_of("nn.Linear.weight").audit.parts}["variance"]
    assert part.estimate == pytest.approx(1 / (3 * 120), rel=0.02)


def test_a_cut_at_two_leaves_0774_of_the_variance(audit_of):
    part = {part.name: part for part in audit_of("nn.init.trunc_normal_(std=1.0)").audit.parts}["variance"]
    assert part.estimate == pytest.approx(0.774, rel=0.02)


def test_the_default_is_neither_xaviers_nor_hes_law_and_both_are_offered(claimed):
    """False alarm 1e-6; that what is true is not shown, less."""
    offered = {key[1]: found for key, found in claimed.items() if key[0] == "framework.defaults.offered"}
    assert offered == {
        "nn.init.xavier_normal_": ("supported", "xavier_normal"),
        "nn.init.xavier_uniform_": ("supported", "xavier_uniform"),
        "nn.init.kaiming_normal_": ("supported", "he_normal"),
        "nn.init.kaiming_uniform_": ("supported", "he_uniform"),
    }
    assert claimed["framework.defaults", "nn.Linear.weight"] == ("refuted", "xavier_uniform")
    assert claimed["framework.defaults.torch", "nn.Linear.weight"] == ("supported", "torch_linear")
    for n in "123":
        assert claimed["framework.defaults.convolution", f"nn.Conv{n}d.weight"] == ("refuted", "xavier_uniform")
    assert claimed["framework.defaults.attention", "nn.MultiheadAttention.in_proj_weight"][0] == "refuted"


def test_packed_projections_are_named(audit_of):
    one = audit_of("nn.MultiheadAttention.in_proj_weight", "of each projection")
    assert (one.audit.verdict, one.audit.cause, one.case.documented) == ("refuted", "packed_projections", False)


def test_the_formulas_are_in_the_docstrings():
    """What is said to be stated there is."""
    nn = torch.nn
    assert r"k = \frac{1}{\text{in\_features}}" in nn.Linear.__doc__
    assert r"k = \frac{groups}{C_\text{in}" in nn.Conv2d.__doc__
    assert r"k = \frac{groups}{C_\text{out}" in nn.ConvTranspose2d.__doc__
    assert r"k = \frac{1}{\text{hidden\_size}}" in nn.LSTM.__doc__
    assert r"\mathcal{N}(0, 0.01)" in nn.init.sparse_.__doc__
    assert r"\mathcal{N}(\text{mean}, \text{std}^2)" in nn.init.trunc_normal_.__doc__


def test_audits_leave_the_frameworks_numbers_alone(bridge):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with bridge.seeded(1):
        torch.rand(5)
    assert torch.equal(torch.rand(2), expected)
