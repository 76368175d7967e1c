"""Norms alone give the law that vectors have: two-sample tests of joint statistics, and exact relations."""

import dataclasses
import itertools

import numpy as np
import pytest

import varprop as vp
from tests.two_samples import ks_pvalue
from varprop.engine import norms
from varprop.engine.norms import NORMS

NETWORKS = 20_000
FALSE_ALARM = 1e-7
ACTIVATIONS = {
    "relu": "relu",
    "leaky": {"name": "leaky_relu", "slope": 0.3},
    "abs": "abs",
    "linear": "linear",
    "turned": vp.Activation(name="turned", value=lambda z: np.minimum(z, 0), kinks=(0.0,), homogeneous=True),
}
WIDTHS = {"unequal": [6, 4, 9, 3, 7], "narrow": [2, 3, 1, 2, 1, 3], "equal": [8, 8, 8, 8]}


def sample(widths, activation, method, seed):
    net = vp.mlp(widths, activation=activation, weights="he_normal")
    return vp.simulate(net, n_networks=NETWORKS, rng=seed, method=method, quantities=NORMS)


def statistics(sim):
    """Every quantity everywhere, and products of forward with backward, which only the joint law gives."""
    found = {(name, i): column for name in NORMS for i, column in enumerate(sim.values(name).T)}
    forward, backward = sim.values("preactivation_second_moment"), sim.values("gradient_second_moment")
    for i, j in itertools.product(range(forward.shape[1]), repeat=2):
        found["forward and backward", i, j] = forward[:, i] * backward[:, j]
        if j == i + 1:
            found["steps back", i] = backward[:, i] / (backward[:, j] + 1e-3)
    return found


def smallest_pvalue(one, other):
    """Bonferroni over all statistics that vary; pivots of dead networks are left out."""
    first, second = statistics(one), statistics(other)
    found = []
    for name, values in first.items():
        x, y = (column[~np.isnan(column)] for column in (values, second[name]))
        # A constant first conditional variance differs by float32's rounding.
        if np.ptp(x) > 1e-6 * np.abs(x).max():
            found.append(ks_pvalue(x, y))
    assert len(found) >= 15
    return min(found) * len(found)


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_norms_have_the_law_of_the_dense_definition(activation, widths, rng):
    """20,000 networks, 15 joint statistics and more, Bonferroni at 1e-7: false alarm 1e-7 a case, 15 cases."""
    seeds = rng.integers(2**62, size=2).tolist()
    mine, dense = (
        sample(WIDTHS[widths], ACTIVATIONS[activation], method, seed)
        for method, seed in zip(("norms", "dense"), seeds, strict=True)
    )
    assert smallest_pvalue(mine, dense) > FALSE_ALARM


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("wrong", ["c is not kept", "no direction is lost", "all units are positive"])
def test_a_wrong_law_is_found(wrong, rng, monkeypatch):
    """Negative controls, decided by tens of standard errors."""
    if wrong == "c is not kept":
        right = norms._step_back
        monkeypatch.setattr(norms, "_step_back", lambda *a: right(*a[:2], 0.8 * a[2], a[3]))
    elif wrong == "no direction is lost":
        right = norms._step_back

        def more(of, fresh, c, streams):
            return right(dataclasses.replace(of, positive=of.positive + 1), fresh, c, streams)

        monkeypatch.setattr(norms, "_step_back", more)
    else:
        forward = norms._forward

        def always(step, below, generator):
            of = forward(step, below, generator)
            up = of.up + of.down
            return dataclasses.replace(of, up=up, down=0 * of.down, after=up, positive=0 * of.positive + 3)

        monkeypatch.setattr(norms, "_forward", always)
    seeds = rng.integers(2**62, size=2).tolist()
    mine = sample([6, 3, 3, 3], "relu", "norms", seeds[0])
    monkeypatch.undo()
    assert smallest_pvalue(mine, sample([6, 3, 3, 3], "relu", "dense", seeds[1])) < 1e-20


@pytest.mark.false_alarm(0)
def test_a_longer_run_begins_with_the_shorter_and_workers_change_nothing():
    net = vp.mlp([16] * 6, activation="relu", weights="he_normal")
    short = vp.simulate(net, n_networks=100, rng=3, method="norms", executor="serial")
    long = vp.simulate(net, n_networks=5000, rng=3, method="norms", executor="threads")
    assert (long.method, long.quantities) == ("norms", NORMS)
    for name in NORMS:
        np.testing.assert_array_equal(short.values(name), long.values(name)[:100])


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("options", "arguments", "message"),
    [
        ({"activation": "tanh"}, {}, "tanh is not two half lines"),
        ({"weights": "he_uniform"}, {}, "layer 1 has he_uniform"),
        ({"biases": {"name": "normal", "std": 0.1}}, {}, "not Gaussian weights alone"),
        ({}, {"inputs": 2}, "there are 2 inputs"),
        ({}, {"quantities": ["pivot", "activation_mean"]}, "does not determine activation_mean"),
    ],
)
def test_what_norms_do_not_determine_is_refused(options, arguments, message):
    net = vp.mlp([8, 8, 8], **({"activation": "relu", "weights": "he_normal"} | options))
    with pytest.raises((ValueError, TypeError), match=message):
        vp.simulate(net, n_networks=10, rng=1, method="norms", **arguments)


@pytest.mark.false_alarm(0)
def test_what_float64_cannot_hold_is_refused():
    net = vp.mlp([8] * 400, activation="relu", weights={"name": "variance_scaling", "scale": 0.01})
    with pytest.raises(ValueError, match="a squared norm left the range of float64"):
        vp.simulate(net, n_networks=10, rng=1, method="norms")
