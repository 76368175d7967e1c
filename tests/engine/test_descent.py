"""Gradient descent: the right gradients, by roads of their own, and sums that never tell equal units apart."""

import numpy as np
import pytest

import varprop as vp
from varprop.engine import rules
from varprop.engine.descent import Task, backward, dense_sites, draw, forward, outputs, product
from varprop.engine.rules import Probe
from varprop.engine.signal import Signal, Streams
from varprop.model.inputs import Training
from varprop.model.layers import Dense

pytestmark = pytest.mark.false_alarm(0)

TASK = {"steps": 20, "learning_rate": 0.1, "inputs": 8}
CONSTANT = {"name": "constant", "value": 0.01}


def drawn(network, networks, seed):
    rng = np.random.default_rng(seed)
    return {site.place: draw(site, networks, rng) for site in dense_sites(network)}


def loss(network, parameters, inputs, targets):
    return np.square(outputs(forward(network, parameters, inputs)) - targets).mean(axis=(1, 2))


# ---- sums --------------------------------------------------------------------------------------------------------


def test_a_product_is_that_of_matrices(rng):
    x, w = rng.standard_normal((3, 5, 37)), rng.standard_normal((3, 37, 23))
    np.testing.assert_allclose(product(x, w), x @ w, atol=1e-13)
    np.testing.assert_allclose(product(x[:1], w), x[:1] @ w, atol=1e-13)


@pytest.mark.parametrize("units", [1, 2, 3, 7, 100, 257])
def test_equal_columns_give_equal_sums(units, rng):
    x, column = rng.standard_normal((2, 3, 41)), rng.standard_normal((2, 41, 1))
    found = product(x, np.repeat(column, units, axis=2))
    assert (found == found[:, :, :1]).all()
    one_off = np.repeat(column, units, axis=2)
    one_off[0, 5, -1] += np.spacing(np.abs(one_off[0, 5, -1])) * 2**20
    changed = product(x, one_off)
    assert units == 1 or (changed[0] != changed[0, :, :1]).any()  # negative control


# ---- gradients ---------------------------------------------------------------------------------------------------

NETWORKS = {
    "tanh": vp.mlp([3, 5, 4, 2], activation="tanh", weights="xavier_normal", biases={"name": "normal", "std": 0.3}),
    "relu": vp.mlp([3, 5, 4, 2], activation="relu", weights="he_uniform", biases={"name": "normal", "std": 0.3}),
    "elu after sigmoid, input first": vp.Network(
        3,
        [
            "tanh",
            Dense(6, weights="he_normal"),
            "sigmoid",
            "elu",
            Dense(4, weights="he_normal"),
            Dense(2, weights="he_normal"),
        ],
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_finite_differences(name, rng):
    """Step 1e-6 and a loss near 1: rounding leaves 1e-10, and no kink lies so near a pre-activation with this seed."""
    network = NETWORKS[name]
    inputs, targets = rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    parameters = drawn(network, 2, 801)
    found = backward(forward(network, parameters, inputs), parameters, targets)
    assert set(found) == set(parameters)
    for place, own in parameters.items():
        for array, gradient in ((own.weights, found[place].weights), (own.biases, found[place].biases)):
            assert gradient.shape == array.shape
            for index in np.ndindex(array.shape[1:]):
                at = (slice(None), *index)
                kept = array[at].copy()
                array[at] = kept + 1e-6
                above = loss(network, parameters, inputs, targets)
                array[at] = kept - 1e-6
                below = loss(network, parameters, inputs, targets)
                array[at] = kept
                np.testing.assert_allclose(gradient[at], (above - below) / 2e-6, atol=1e-8)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "gelu"])
def test_a_pass_is_that_of_the_engine(activation):
    """The same draws through the engine's own rules, forward and backward; uniform weights, which both draw alike."""
    network = vp.mlp(
        [6, 9, 7, 5], activation=activation, weights="he_uniform", biases={"name": "uniform", "limit": 0.5}
    )
    inputs, targets = np.random.default_rng(802).standard_normal((4, 6)), np.zeros((4, 5))
    parameters = drawn(network, 3, 803)
    passed = forward(network, parameters, inputs)
    streams = Streams(np.random.default_rng(803), dense=True, normals="ziggurat")
    passage = rules.Passage(streams, Probe({}, None, None))
    x, back = Signal(np.broadcast_to(inputs, (3, 4, 6))), []
    for one in passed:
        x, pull = rules.forward(one.site.layer, x, one.site, passage)
        np.testing.assert_allclose(one.y, x.values, rtol=1e-12, atol=1e-14)
        back.append((one.site, pull))
    back.pop()  # the loss acts on the last pre-activation
    gradients = backward(passed, parameters, targets)
    delta = Signal(2 / targets.size * outputs(passed))
    for site, pull in reversed(back):
        if isinstance(site.layer, Dense):
            np.testing.assert_allclose(gradients[site.place].delta, delta.values, rtol=1e-11, atol=1e-14)
        delta = pull(delta)


def test_least_squares_follows_its_closed_form(rng):
    """One linear layer: what is left of the way to the solution shrinks by I - 2 rate X^T X / n in every step."""
    x, y = rng.standard_normal((12, 4)), rng.standard_normal((12, 3))
    network = vp.Network(4, [Dense(3, weights={"name": "constant", "value": 0.2})])
    sim = vp.train(
        network,
        steps=7,
        learning_rate=0.5,
        train_biases=False,
        n_networks=2,
        rng=1,
        inputs=x,
        targets=y,
        executor="serial",
    )
    best = np.linalg.lstsq(x, y, rcond=None)[0]
    start = np.full((4, 3), 0.2)
    left = np.linalg.matrix_power(np.eye(4) - 2 * 0.5 / y.size * x.T @ x, 7) @ (start - best)
    end = best + left
    for name, weights in (("initial_loss", start), ("final_loss", end)):
        np.testing.assert_allclose(sim.values(name), np.mean((x @ weights - y) ** 2), rtol=1e-12)
    np.testing.assert_allclose(sim.values("weight_change"), np.sqrt(np.mean((end - start) ** 2)), rtol=1e-12)
    assert (sim.values("bias_change") == 0).all()


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_random_start_learns(activation):
    net = vp.mlp([10, 50, 50, 3], activation=activation, weights="xavier_normal")
    sim = vp.train(net, **TASK, n_networks=10, rng=804)
    assert (sim.values("final_loss") < 0.5 * sim.values("initial_loss")).all()
    same = vp.train(net, **(TASK | {"learning_rate": 1e-12}), n_networks=10, rng=804)
    assert (same.values("final_loss") > 0.99 * same.values("initial_loss")).all()  # negative control


# ---- symmetry ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [7, 100, 257])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("biases", ["zeros", {"name": "constant", "value": 0.1}], ids=["zeros", "constant"])
def test_units_that_start_alike_stay_alike(width, activation, biases):
    """Bit by bit, at widths that leave a rest whatever the vectors of the processor hold; and the weights do move."""
    net = vp.mlp([5, width, width, width, 3], activation=activation, weights=CONSTANT, biases=biases)
    sim = vp.train(net, steps=3, learning_rate=0.1, n_networks=2, rng=805, inputs=3, executor="serial")
    for quantity in ("preactivation_variance", "activation_variance"):
        assert (sim.values(quantity) == 0).all()
    assert (sim.values("loss_gradient_variance")[:, :3] == 0).all()
    assert (sim.values("loss_gradient_variance")[:, 3] > 0).all()
    assert sim.values("most_distinct_rows").tolist() == [[1, 1, 1, 3]] * 2
    assert sim.values("most_distinct_columns").tolist() == [[5, 1, 1, 1]] * 2
    assert (sim.values("weight_change") > 0).all()


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_zero_weights_are_frozen(activation):
    net = vp.mlp([5, 20, 20, 3], activation=activation, weights="zeros")
    sim = vp.train(net, **TASK, n_networks=2, rng=806)
    assert (sim.values("weight_change") == 0).all()
    assert (sim.values("bias_change")[:, :2] == 0).all()
    assert (sim.values("bias_change")[:, 2] > 0).all()
    held = vp.train(net, **TASK, train_biases=False, n_networks=2, rng=806)
    assert (held.values("bias_change") == 0).all()
    assert (held.values("final_loss") == held.values("initial_loss")).all()
    sigmoid = vp.mlp([5, 20, 20, 3], activation="sigmoid", weights="zeros")
    assert (vp.train(sigmoid, **TASK, n_networks=2, rng=806).values("weight_change") > 0).all()


def test_random_weights_and_random_biases_tell_units_apart():
    start = vp.mlp([5, 20, 20, 3], activation="tanh", weights="xavier_normal")
    sim = vp.train(start, **TASK, n_networks=5, rng=807)
    assert sim.values("fewest_distinct_rows").tolist() == [[20, 20, 3]] * 5
    assert sim.values("fewest_distinct_columns").tolist() == [[5, 20, 20]] * 5
    biased = vp.mlp([5, 20, 20, 3], activation="tanh", weights=CONSTANT, biases={"name": "normal", "std": 0.1})
    sim = vp.train(biased, **TASK, n_networks=5, rng=808)
    assert sim.values("fewest_distinct_rows").tolist() == [[1, 1, 1]] * 5  # before the first step
    assert sim.values("most_distinct_rows").tolist() == [[20, 20, 3]] * 5


# ---- limits ------------------------------------------------------------------------------------------------------


def test_training_that_diverges_says_so():
    net = vp.mlp([5, 20, 20, 3], activation="relu", weights="he_normal")
    with pytest.raises(
        ValueError, match=r"left the range of float64 after \d+ of 200 steps; use a smaller learning_rate"
    ):
        vp.train(net, steps=200, learning_rate=1e3, n_networks=2, rng=809, inputs=4, executor="serial")


def test_a_task_is_a_value():
    task = Task(Training(steps=1, learning_rate=0.1), np.zeros((1, 1)))
    with pytest.raises(AttributeError):
        task.targets = np.ones((1, 1))
