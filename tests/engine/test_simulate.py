"""What simulate promises: the same numbers everywhere, prefixes, and rows only where a quantity exists."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import special

import varprop as vp
from varprop.engine.plan import make_plan
from varprop.engine.signal import Streams
from varprop.engine.simulate import run_block
from varprop.model.quantities import QUANTITIES
from varprop.numerics.randomness import block_generator

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


def small(activation="tanh", weights="he_normal", biases="zeros", widths=(12, 10, 14, 9)):
    return vp.mlp(list(widths), activation=activation, weights=weights, biases=biases)


def same(one: vp.Simulation, other: vp.Simulation) -> bool:
    return one.quantities == other.quantities and all(
        np.array_equal(one.values(q), other.values(q), equal_nan=True) for q in one.quantities
    )


@pytest.mark.parametrize("weights", ["he_normal", "he_uniform"])
def test_the_executor_changes_no_bit(weights):
    net = small(weights=weights, biases={"name": "normal", "std": 0.1})
    serial = vp.simulate(net, n_networks=1100, rng=5, inputs=2, executor="serial")
    assert same(serial, vp.simulate(net, n_networks=1100, rng=5, inputs=2, executor="threads"))
    assert same(serial, vp.simulate(net, n_networks=1100, rng=5, inputs=2, executor="processes"))
    with ThreadPoolExecutor(2) as pool:
        assert same(serial, vp.simulate(net, n_networks=1100, rng=5, inputs=2, executor=pool))
    assert not same(serial, vp.simulate(net, n_networks=1100, rng=6, inputs=2, executor="serial"))


def test_a_longer_simulation_begins_with_a_shorter_one():
    net = small()
    long = vp.simulate(net, n_networks=1300, rng=5)
    for n in (1, 300, 512, 513):
        short = vp.simulate(net, n_networks=n, rng=5)
        for quantity in short.quantities:
            np.testing.assert_array_equal(short.values(quantity), long.values(quantity)[:n])


def test_what_is_recorded_changes_no_draw():
    net = small("relu")
    everything = vp.simulate(net, n_networks=100, rng=5)
    for quantity in everything.quantities:
        alone = vp.simulate(net, n_networks=100, rng=5, quantities=[quantity])
        assert alone.quantities == (quantity,)
        np.testing.assert_array_equal(alone.values(quantity), everything.values(quantity))


def test_inputs_apart_average_to_inputs_together():
    net = small("relu")
    apart = vp.simulate(net, n_networks=60, rng=5, inputs=3, per_input=True)
    together = vp.simulate(net, n_networks=60, rng=5, inputs=3)
    for quantity in together.quantities:
        values = apart.values(quantity)
        expected = values if QUANTITIES[quantity].joint else values.mean(axis=2)
        np.testing.assert_allclose(together.values(quantity), expected, rtol=1e-12)


def test_configurations_have_streams_of_their_own():
    """Two networks with the same seed must not share draws: their comparison would not be one of independent samples."""
    one = vp.simulate(small("tanh"), n_networks=50, rng=5).values("pivot")
    other = vp.simulate(small("relu"), n_networks=50, rng=5).values("pivot")
    # With a shared stream all 50 would be equal; by chance, on float32's grid, three of them with probability below 1e-15.
    assert (one[:, 0] == other[:, 0]).sum() < 3


def dense_pass(net: vp.Network, x: np.ndarray, streams: Streams) -> dict[str, list[np.ndarray]]:
    """The textbook loop for one network, in float64, with its own formulas for every quantity."""
    found: dict[str, list] = {name: [] for name in QUANTITIES}
    a, zs, below, matrices, passed = x, [], [], [], []
    for site in net.sites:
        if isinstance(site.layer, vp.Dense):
            fans = {"fan_in": site.fans[0], "fan_out": site.fans[1]}
            w = site.layer.weights.sample((1, *site.fans[::-1]), **fans, rng=streams.rng)[0]
            b = 0.0
            if site.layer.biases.name != "zeros":
                b = site.layer.biases.sample((1, site.fans[1]), **fans, rng=streams.rng)[0]
            z = a @ w.T + b
            below.append(a)
            zs.append(z)
            matrices.append(w)
            variance = site.layer.weights.variance(*site.fans)
            v = variance * (a**2).sum(1) + site.layer.biases.variance(*site.fans)
            found["preactivation_mean"].append(z.mean(1))
            found["preactivation_variance"].append(z.var(1, ddof=1))
            found["preactivation_second_moment"].append((z**2).mean(1))
            found["conditional_variance"].append(v)
            found["pivot"].append((z**2).mean(1) / v)
            a = z
        else:
            passed.append(site.layer)
            z, a = a, site.layer(a)
            slope = site.layer.slope(z)
            found["activation_mean"].append(a.mean(1))
            found["activation_variance"].append(a.var(1, ddof=1))
            found["activation_second_moment"].append((a**2).mean(1))
            found["derivative_second_moment"].append((slope**2).mean(1))
            found["saturated_fraction"].append((np.abs(slope) < 0.05 * site.layer.slope_bound()).mean(1))
            found["dead_fraction"].append((a == 0).all(0).mean())
            unit = a / np.linalg.norm(a, axis=1, keepdims=True)
            found["cosine"].append((unit @ unit.T)[np.triu_indices(len(a), 1)].mean())
    delta = streams.rng.standard_normal((1, *zs[-1].shape))[0]
    for i in reversed(range(len(zs))):
        found["gradient_mean"].insert(0, delta.mean(1))
        found["gradient_variance"].insert(0, delta.var(1, ddof=1))
        found["gradient_second_moment"].insert(0, (delta**2).mean(1))
        outer = np.einsum("ko,ki->koi", delta, below[i])
        found["weight_gradient_second_moment"].insert(0, (outer**2).mean((1, 2)))
        if i:
            delta = (delta @ matrices[i]) * passed[i - 1].slope(zs[i - 1])
    return found


@pytest.mark.parametrize("activation", ["linear", "tanh", "sigmoid", "relu", "leaky_relu", "elu", "erf", "gelu"])
def test_every_quantity_is_what_the_textbook_loop_gives(activation):
    """The dense path in float64 with a tile of one network, against a plain loop on the same draws."""
    net = vp.mlp([90, 300, 80, 120], activation=activation, weights="he_normal", biases={"name": "normal", "std": 0.3})
    plan = make_plan(net, n_networks=1, rng=11, inputs=3, per_input=True, method="dense", dtype="float64")
    found = run_block(plan, 0)
    streams = Streams(block_generator(plan.root, plan.words, 0), dense=True)
    # The engine draws a whole tile at once; only its first network is looked at, so the loop needs a tile of one.
    assert plan.tile == 1 or found
    if plan.tile > 1:
        found, streams = _with_tile_of_one(plan)
    expected = dense_pass(net, plan.inputs, streams)
    for quantity, values in found.items():
        want = np.stack([np.asarray(value) for value in expected[quantity]])
        np.testing.assert_allclose(values[0], want, rtol=1e-9, atol=1e-12, err_msg=quantity)


def _with_tile_of_one(plan):
    from dataclasses import replace

    single = replace(plan, tile=1)
    return run_block(single, 0), Streams(block_generator(single.root, single.words, 0), dense=True)


@pytest.mark.false_alarm(1e-11)
def test_quantities_that_do_not_exist_have_no_rows():
    """That none of 400 networks of width 4 dies in layer 1 has probability (15/16)^400, 6e-12."""
    net = vp.mlp([5, 4, 1], activation="relu", weights="he_normal")
    sim = vp.simulate(net, n_networks=400, rng=1)
    assert "cosine" not in sim.quantities  # one input
    assert sim.layers("preactivation_variance") == (1,)  # the last layer has one unit
    frame = sim.to_frame()
    assert np.isfinite(frame["value"]).all()
    # Networks that died in layer 1 have no pivot in layer 2, and a second moment of exactly 0.
    dead = sim.values("activation_second_moment")[:, 0] == 0
    assert dead.any()
    assert np.isnan(sim.values("pivot")[dead, 1]).all()
    assert (sim.values("preactivation_second_moment")[dead, 1] == 0).all()
    pivots = frame[(frame["quantity"] == "pivot") & (frame["layer"] == 2)]
    assert len(pivots) == (~dead).sum()


@pytest.mark.parametrize(("activation", "there"), [("step", False), ("sign", False), ("exp", False), ("tanh", True)])
def test_saturation_needs_a_steepest_slope(activation, there):
    net = vp.mlp([8, 8, 8], activation=activation, weights={"name": "normal", "std": 0.1})
    assert ("saturated_fraction" in vp.simulate(net, n_networks=3, rng=1).quantities) == there


@pytest.mark.false_alarm(2e-11)
def test_homogeneous_networks_keep_their_digits_at_any_depth():
    """He's variance divided by 16 for 400 layers: q falls by 2^-1600 ... as far as float64 holds it, then it is said.

    At width 48 one of 20 networks dies in 200 layers with probability 1.4e-11.
    """
    net = vp.mlp([48] * 201, activation="relu", weights={"name": "variance_scaling", "scale": 2 / 16})
    sim = vp.simulate(net, n_networks=20, rng=3, quantities=["preactivation_second_moment", "gradient_second_moment"])
    q = sim.values("preactivation_second_moment")
    assert (q[:, -1] > 0).all()
    assert np.isfinite(sim.values("gradient_second_moment")).all()
    np.testing.assert_allclose(np.log2(q[:, -1] / q[:, 0]).mean() / 200, -4, atol=0.3)
    deeper = vp.mlp([48] * 601, activation="relu", weights={"name": "variance_scaling", "scale": 2 / 16})
    with pytest.raises(ValueError, match="range of float64"):
        vp.simulate(deeper, n_networks=2, rng=3, quantities=["preactivation_second_moment"])


@pytest.mark.parametrize(
    ("activation", "scale", "depth"),
    [("tanh", 1 / 16, 100), ("gelu", 1 / 16, 60), ("gelu", 64.0, 80), ("elu", 64.0, 60)],
)
def test_smooth_networks_of_extreme_scale_agree_with_the_textbook_loop(activation, scale, depth):
    """Beyond 2^-64 and 2^64 the engine sets the scale aside; the plain loop in float64 can still hold it."""
    net = vp.mlp([12] * (depth + 1), activation=activation, weights={"name": "variance_scaling", "scale": scale})
    plan = make_plan(net, n_networks=1, rng=11, method="dense", dtype="float64", inputs=2)
    found, streams = _with_tile_of_one(plan)
    expected = dense_pass(net, plan.inputs, streams)
    for quantity in ("preactivation_second_moment", "activation_variance", "gradient_second_moment", "pivot"):
        want = np.stack([np.asarray(value) for value in expected[quantity]]).mean(axis=1)
        np.testing.assert_allclose(found[quantity][0], want, rtol=1e-8, err_msg=quantity)


@pytest.mark.false_alarm(1e-9)
def test_a_dying_smooth_network_keeps_its_digits_to_depth_1000():
    """tanh at .6 of its critical variance, once z is small: log q falls as a linear network's, q ending near 1e-240.

    900 increments of 10 networks are independent, log(chi2_32 / 32) + log .6 each, with sd .253: their mean has sd .0027.
    False alarm at .02 (7.5 sd, skewness included): below 1e-9. The negative control is the rate without E log chi2.
    """
    net = vp.mlp([32] * 1001, activation="tanh", weights={"name": "variance_scaling", "scale": 0.6})
    q = vp.simulate(net, n_networks=10, rng=3, quantities=["preactivation_second_moment"]).values(
        "preactivation_second_moment"
    )
    rate = np.log(q[:, -1] / q[:, 99]).mean() / 901
    expected = np.log(0.6) + special.digamma(16) - np.log(16)
    assert abs(rate - expected) < 0.02
    assert abs(rate - np.log(0.6)) > 0.02


@pytest.mark.parametrize(
    ("activation", "scale", "quantity", "where"),
    [
        ("tanh", 0.1, "preactivation_second_moment", "preactivation_second_moment at layer"),
        ("exp", 1e6, "preactivation_second_moment", "layer 1: a signal overflowed float32"),
        ("sigmoid", 0.1, "gradient_second_moment", "gradient_second_moment at layer"),
    ],
)
def test_what_no_number_can_hold_is_refused_and_the_layer_named(activation, scale, quantity, where):
    net = vp.mlp([32] * 601, activation=activation, weights={"name": "variance_scaling", "scale": scale})
    with pytest.raises(ValueError, match=where):
        vp.simulate(net, n_networks=2, rng=3, quantities=[quantity])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_networks": 0}, "n_networks must be an integer from 1"),
        ({"n_networks": 1.5}, "n_networks must be an integer"),
        ({"rng": "seven"}, "rng must be an integer seed"),
        ({"inputs": 0}, "inputs must lie between 1 and"),
        ({"inputs": np.ones(12)}, "shape"),
        ({"inputs": np.full((1, 12), np.nan)}, "finite"),
        ({"quantities": []}, "empty"),
        ({"quantities": ["pivott"]}, "did you mean 'pivot'"),
        ({"quantities": ["cosine"]}, "none of the asked quantities"),
        ({"method": "fast"}, "method must be"),
        ({"dtype": "float16"}, "dtype must be"),
        ({"executor": "thread"}, "executor must be"),
        ({"executor": 3}, "executor must be"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        vp.simulate(small(), **({"n_networks": 5, "rng": 1} | arguments))
