"""A theory's step from what it predicts is what it predicts one layer on."""

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


@pytest.mark.parametrize("theory", [name for name, theory in THEORIES.items() if not (theory.constant or theory.finite)])
@pytest.mark.parametrize("net", NETWORKS)
def test_a_step_from_a_prediction_leads_to_the_next(net, theory):
    network = NETWORKS[net]
    said = places_and_values(vp.predict(network, theory=theory))
    compared = 0
    for quantity in TESTS["step_mean"].quantities:
        here = [place for name, place in said if name == quantity]
        if not here:
            continue
        for site, expected in expected_steps(
            network, get_theory(theory), quantity, lambda name, place: np.full((3, 1), said[name, place])
        ):
            np.testing.assert_allclose(expected, np.full((3, 1), said[quantity, (site.layer, site.module)]), rtol=1e-12)
            compared += 1
    assert compared >= 5


def test_every_layer_of_every_quantity_has_its_step():
    network = NETWORKS["some"]
    modules = {
        quantity: [site.module for site, _ in expected_steps(network, get_theory("mean-field"), quantity, ones)]
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
        list(expected_steps(network, get_theory("preserved"), quantity, measured))
    v, z, d = "conditional_variance", "preactivation_variance", "gradient_second_moment"
    assert places == [(v, "0"), (v, "2"), (v, "3"), (z, "2"), (d, "5"), (d, "3"), (d, "2")]


def test_what_has_no_step_is_said():
    sign = vp.mlp([8, 8, 8, 8], activation="sign", weights="he_normal")
    with pytest.raises(vp.UnsupportedError, match=r"no gradients below sign, which jumps"):
        list(expected_steps(sign, get_theory("mean-field"), "gradient_second_moment", ones))
    assert len(list(expected_steps(sign, get_theory("he"), "gradient_second_moment", ones))) == 2
    mean = vp.Network(8, [dense(8), dense(8, weights={"name": "constant", "value": 1.0})])
    for quantity in ("pivot", "preactivation_second_moment", "gradient_second_moment"):
        with pytest.raises(vp.UnsupportedError, match="theory takes weights of mean 0"):
            list(expected_steps(mean, get_theory("preserved"), quantity, ones))
    twice = vp.Network(8, [dense(8), "relu", "relu", dense(8)])
    with pytest.raises(vp.UnsupportedError, match="follows another activation"):
        list(expected_steps(twice, get_theory("he"), "preactivation_second_moment", ones))
