"""Every contender of the benchmark samples the network that it is timed for."""

import math

import numpy as np
import pytest

import varprop as vp
from benchmarks.configuration import SECOND_MOMENTS, Configuration, batch_size, input_rows, only_relu
from benchmarks.contenders.registry import CONTENDERS, NORMALS, PEERS, SERIAL, missing

NETWORKS = 4000
SAMPLERS = [SERIAL, f"{SERIAL}, ziggurat", f"{SERIAL}, dense", *PEERS]
CASES = [
    (name, inputs, weights)
    for name in SAMPLERS
    for inputs in (1, 3)
    for weights in ("he_normal", "he_uniform")
    if weights == "he_normal" or name in {f"{SERIAL}, dense", PEERS[1]}
]


def _sampled(name, configuration, networks):
    if missing(name):
        pytest.skip(f"{missing(name)} is not installed")
    contender = CONTENDERS[name].build(configuration)
    try:
        return contender.run(networks)
    finally:
        contender.close()


def _theory(configuration):
    net = vp.mlp([configuration.width] * (configuration.depth + 1), activation="relu", weights="he_normal")
    frame = vp.predict(net, theory="he")
    return {
        name: frame[frame["quantity"] == name].sort_values("layer")["predicted"].to_numpy() for name in SECOND_MOMENTS
    }


def _largest_z(found, predicted):
    """Departure from theory in standard errors, the largest over quantities and layers."""
    return max(
        np.abs(
            (found[name].mean(0) - predicted[name]) / (found[name].std(0, ddof=1) / math.sqrt(len(found[name])))
        ).max()
        for name in SECOND_MOMENTS
    )


@pytest.mark.parametrize(("name", "inputs", "weights"), CASES)
def test_second_moments_are_those_of_theory(name, inputs, weights):
    """He's second moments are exact for relu at any width, with any law of that variance.

    12 means a case, in 15 cases: were they normal, |z| < 7 for all of them would fail with 180 * 2.6e-12. Their skewness, at
    most 2.7 / sqrt(4000) (200,000 networks), multiplies that by no more than exp(343 * 0.043 / 3) = 140: 7e-8. The
    control is the same sample against a variance of the weights that is 12 % off.
    """
    configuration = Configuration(32, depth=4, inputs=inputs, weights=weights)
    found, predicted = _sampled(name, configuration, NETWORKS), _theory(configuration)
    assert {key: moments.shape for key, moments in found.items()} == dict.fromkeys(SECOND_MOMENTS, (NETWORKS, 4))
    assert _largest_z(found, predicted) < 7
    gains = 1.12 ** np.arange(1, 5)
    wrong = {
        name: values * (gains if name != "gradient_second_moment" else gains[::-1] / 1.12)
        for name, values in predicted.items()
    }
    assert _largest_z(found, wrong) > 7


@pytest.mark.parametrize("name", SAMPLERS)
def test_no_two_networks_are_the_same(name):
    """Neither across batches and threads nor across runs: rows of 6 numbers, which do not meet by chance (1e-20)."""
    configuration = Configuration(32, depth=2)
    if missing(name):
        pytest.skip(f"{missing(name)} is not installed")
    contender = CONTENDERS[name].build(configuration)
    try:
        runs = [contender.run(2 * batch_size(configuration) + 1) for _ in range(2)]
    finally:
        contender.close()
    rows = np.concatenate([np.concatenate([run[name] for name in SECOND_MOMENTS], axis=1) for run in runs])
    assert len(np.unique(rows, axis=0)) == len(rows) == 2 * (2 * batch_size(configuration) + 1)


def test_the_yardstick_has_no_moments():
    assert _sampled(NORMALS, Configuration(8, depth=2), 500) == {}


@pytest.mark.parametrize(
    "configuration",
    [
        Configuration(8, activation="tanh"),
        Configuration(8, weights="he_uniform"),
        Configuration(8, record="all"),
    ],
)
def test_a_peer_refuses_what_it_was_not_written_for(configuration):
    with pytest.raises(ValueError, match="relu with he_normal"):
        only_relu(configuration, "he_normal")


@pytest.mark.parametrize("inputs", [1, 5])
def test_inputs_have_mean_square_one(inputs):
    rows = input_rows(Configuration(50, inputs=inputs))
    assert rows.shape == (inputs, 50)
    np.testing.assert_allclose(np.mean(rows.astype(np.float64) ** 2, axis=1), 1, rtol=1e-6)
