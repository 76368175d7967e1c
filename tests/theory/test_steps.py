"""A theory's step from what it predicts is what it predicts one layer on."""

import itertools

import numpy as np
import pytest

import varprop as vp
from varprop.theory import THEORIES, get_theory
from varprop.theory.steps import expected_steps
from varprop.verification.claims import TESTS

pytestmark = pytest.mark.false_alarm(0)

BIASED = {"name": "normal", "std": 0.3}


def dense(units, **kwargs):
    return vp.Dense(units, **({"weights": "he_normal"} | kwargs))


NETWORKS = {
    "no activation": vp.Network(64, [dense(64), dense(64), dense(64)]),
    "relu": vp.mlp([60, 50, 70, 40], activation="relu", weights="he_normal"),
    "tanh with biases": vp.mlp([60, 50, 70, 40], activation="tanh", weights="xavier_uniform", biases=BIASED),
    "some": vp.Network(30, [dense(40), "elu", dense(50, biases=BIASED), dense(60), "abs", dense(20)]),
    "one before the weights": vp.Network(30, ["tanh", dense(40), "relu", dense(30), "relu", dense(20)]),
}


def places_and_values(frame):
    return {(row.quantity, (row.layer, row.module)): row.predicted for row in frame.itertuples()}


@pytest.mark.parametrize("theory", [name for name, theory in THEORIES.items() if not theory.constant])
@pytest.mark.parametrize("net", NETWORKS)
def test_a_step_from_a_prediction_leads_to_the_next(net, theory):
    network = NETWORKS[net]
    said = places_and_values(vp.predict(network, theory=theory))
    compared = 0
    for quantity in TESTS["step_mean"].quantities:
        here = [place for name, place in said if name == quantity]
        if not here:
            continue
        for site, expected in steps(network, theory, quantity, lambda name, place: np.full((3, 1), said[name, place])):
            if get_theory(theory).finite and site.number > 1 and not homogeneous(network):
                continue  # there a step from the mean is not the mean of steps
            np.testing.assert_allclose(
                expected, np.full((3, 1), said[quantity, (site.number, site.module)]), rtol=1e-12
            )
            compared += 1
    assert compared >= 2


def steps(network, theory, quantity, measured, inputs=None):
    x = np.ones((1, *network.input_shape)) if inputs is None else inputs
    return expected_steps(network, get_theory(theory), quantity, measured, inputs=x)


def homogeneous(network):
    return all(layer.homogeneous for layer in network.layers if isinstance(layer, vp.Activation))


def test_every_layer_of_every_quantity_has_its_step():
    network = NETWORKS["some"]
    modules = {
        quantity: [site.module for site, _ in steps(network, "mean-field", quantity, ones)]
        for quantity in TESTS["step_mean"].quantities
    }
    assert modules == {
        "preactivation_variance": ["2", "3", "5"],
        "preactivation_second_moment": ["2", "3", "5"],
        "pivot": ["0", "2", "3", "5"],
        "activation_variance": ["1", "4"],
        "activation_second_moment": ["1", "4"],
        "gradient_second_moment": ["3", "2", "0"],
    }


def ones(_quantity, _place):
    return np.ones((3, 1))


def test_what_is_preserved_is_what_the_layer_before_has():
    network, places = NETWORKS["some"], []

    def measured(quantity, place):
        places.append((quantity, place[1]))
        return np.ones((3, 1))

    for quantity in ("preactivation_variance", "activation_variance", "gradient_second_moment"):
        list(steps(network, "preserved", quantity, measured))
    v, z, d = "conditional_variance", "preactivation_variance", "gradient_second_moment"
    assert places == [(v, "0"), (v, "2"), (v, "3"), (z, "2"), (d, "5"), (d, "3"), (d, "2")]


def test_what_has_no_step_is_said():
    sign = vp.mlp([8, 8, 8, 8], activation="sign", weights="he_normal")
    with pytest.raises(vp.UnsupportedError, match=r"no gradients below sign, which jumps"):
        list(steps(sign, "mean-field", "gradient_second_moment", ones))
    assert len(list(steps(sign, "he", "gradient_second_moment", ones))) == 2
    mean = vp.Network(8, [dense(8), dense(8, weights={"name": "constant", "value": 1.0})])
    for quantity in ("pivot", "preactivation_second_moment", "gradient_second_moment"):
        with pytest.raises(vp.UnsupportedError, match="theory takes weights of mean 0"):
            list(steps(mean, "preserved", quantity, ones))
    twice = vp.Network(8, [dense(8), "relu", "relu", dense(8)])
    with pytest.raises(vp.UnsupportedError, match="follows another activation"):
        list(steps(twice, "he", "preactivation_second_moment", ones))


def test_finite_width_has_a_step_of_its_own():
    """Gradients of narrow networks, where the mean-field step is 8/7 off; of weights that are not Gaussian, E[phi^2]."""
    narrow = vp.mlp([3] * 7, activation="relu", weights="he_normal")
    factors = {
        theory: [e[0, 0] for _, e in steps(narrow, theory, "gradient_second_moment", ones)]
        for theory in ("finite-width", "mean-field")
    }
    np.testing.assert_allclose(factors["finite-width"], [(7 / 8) ** 4, 8 / 7, 8 / 7, 8 / 7, 8 / 7], rtol=1e-12)
    np.testing.assert_allclose(factors["mean-field"], [1.0] * 5, rtol=1e-12)

    inputs = np.stack([np.ones(8), np.sqrt(8) * np.eye(8)[0]])
    for weights in ("lecun_normal", "lecun_uniform"):
        network = vp.mlp([8, 100, 100], activation="tanh", weights=weights)
        found = steps(network, "finite-width", "activation_second_moment", lambda *_: np.ones((2, 2)), inputs)
        _, first = next(iter(found))
        frames = [vp.predict(network, theory="finite-width", inputs=x[None]) for x in inputs]
        said = [f.predicted[(f.quantity == "activation_second_moment") & (f.layer == 1)].item() for f in frames]
        np.testing.assert_allclose(first, [said, said], rtol=1e-12)
        assert (said[0] == pytest.approx(said[1], rel=1e-9)) == (weights == "lecun_normal")


def test_steps_and_expectations_of_gradients_meet():
    """Where gradients of dead networks are 0, the mean of steps is the ratio of means."""
    narrow = vp.Network(
        5, [dense(3), "relu", dense(4), "abs", dense(2, biases=BIASED), "relu", dense(3), "relu", dense(4)]
    )
    said = places_and_values(vp.predict(narrow, theory="finite-width"))
    means = [
        said["gradient_second_moment", (layer, module)] for layer, module in zip(range(1, 6), "02468", strict=True)
    ]
    factors = [e[0, 0] for _, e in steps(narrow, "finite-width", "gradient_second_moment", ones)]
    np.testing.assert_allclose(factors[::-1], [a / b for a, b in itertools.pairwise(means)], rtol=1e-12)


def test_finite_width_refuses_in_a_step_what_it_refuses_in_a_prediction():
    orthogonal = vp.mlp([8, 8, 8], activation="relu", weights="orthogonal")
    with pytest.raises(vp.UnsupportedError, match="independent entries"):
        list(steps(orthogonal, "finite-width", "gradient_second_moment", ones))
    relu = vp.mlp([8, 8, 8], activation="relu", weights="he_normal")
    with pytest.raises(ValueError, match="an input is zero"):
        list(steps(relu, "finite-width", "gradient_second_moment", ones, np.zeros((1, 8))))
