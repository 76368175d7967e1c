"""Draws of initialisers against their laws: faults are refuted and named."""

from dataclasses import replace

import numpy as np
import pytest

import varprop as vp
from varprop.model.initializers import Initializer
from varprop.model.laws import Scaled
from varprop.model.shapes import UNIFORM


def sample(weights, widths=(64, 32, 64)):
    net = vp.mlp(list(widths), activation="relu", weights=weights)
    return vp.simulate(net, n_networks=2, rng=801, quantities=["pivot"], method="dense")


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize(
    "weights", ["he_normal", "xavier_uniform", "torch_linear", {"name": "truncated_normal", "std": 0.1}]
)
def test_laws_are_what_they_state(judge, weights):
    """10^6 draws: all margins are more than 30 standard errors; a p-value below 1e-8 has probability 1e-8."""
    row = judge(sample(weights), "weights_law", "weights")
    assert row["verdict"] == "supported"
    assert row["pvalue"] > 1e-8
    assert "Kolmogorov distance" in row["note"]
    assert "independence of entries" in row["note"]


@pytest.mark.false_alarm(1e-12)
def test_classical_faults_are_named(judge):
    truncated = judge(
        sample({"name": "truncated_normal", "std": (2 / 64) ** 0.5}, (64, 32)), "weights_law", "weights", theory="he"
    )
    assert truncated["verdict"] == "refuted"
    assert "a normal law cut at two standard deviations and not rescaled" in truncated["note"]
    fans = sample({"name": "variance_scaling", "scale": 2, "mode": "fan_out"}, (64, 16))
    row = judge(fans, "weights_law", "weights", theory="he")
    assert row["verdict"] == "refuted"
    assert "fan_in and fan_out exchanged" in row["note"]


def lying(sampler):
    """An initialiser that states uniform weights of limit .1 and draws something else."""
    return Initializer(name="lying", law=Scaled(replace(UNIFORM, sample=sampler), 0.1))


def normal_of_that_variance(shape, scale, rng, dtype):
    return (scale / 3**0.5 * rng.standard_normal(shape)).astype(dtype)


def one_in_ten_thousand_too_large(shape, scale, rng, dtype):
    draws = rng.uniform(-scale, scale, shape)
    return np.where(rng.random(shape) < 1e-4, 1.01 * scale, draws).astype(dtype)


def copied_rows(shape, scale, rng, dtype):
    draws = rng.uniform(-scale, scale, shape)
    draws[..., 1::2, :] = draws[..., ::2, :]
    return draws.astype(dtype)


@pytest.mark.false_alarm(1e-12)
@pytest.mark.parametrize(
    ("sampler", "said"),
    [
        (normal_of_that_variance, "outside the law's bounds"),
        (one_in_ten_thousand_too_large, "outside the law's bounds"),
        (copied_rows, "independence of entries p < 1e-300"),
    ],
)
def test_what_the_variance_does_not_show_is_refuted(judge, sampler, said):
    row = judge(sample(lying(sampler)), "weights_law", "weights")
    assert row["verdict"] == "refuted"
    assert row["pvalue"] < 1e-6
    assert said in row["note"]
    assert row["ratio"] == pytest.approx(1.0, abs=0.01)  # of variances


@pytest.mark.false_alarm(1e-8)
def test_an_honest_sampler_of_that_kind_passes(judge):
    """Control of the three above. False alarm 1e-8."""
    row = judge(sample(lying(UNIFORM.sample)), "weights_law", "weights")
    assert row["verdict"] == "supported"
    assert row["pvalue"] > 1e-8


@pytest.mark.false_alarm(1e-12)
def test_large_layers_are_drawn_in_part(judge):
    """A layer of 4 million weights: as many rows as hold a million."""
    net = vp.mlp([2048, 2048], activation="relu", weights="he_normal")
    sim = vp.simulate(net, n_networks=2, rng=802, quantities=["pivot"])
    row = judge(sim, "weights_law", "weights")
    assert row["n_networks"] == 489 * 2048
    assert row["verdict"] == "supported"


@pytest.mark.false_alarm(0)
def test_layers_that_are_not_there_are_refused(judge):
    with pytest.raises(ValueError, match="no layer with weights"):
        judge(sample("he_normal"), "weights_law", "weights", layers=(5, 6))
    with pytest.raises(ValueError, match="independent entries"):
        judge(sample("orthogonal"), "weights_law", "weights")
