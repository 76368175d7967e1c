"""How activations act far from 1 and close to 0."""

import numpy as np
import pytest

import varprop as vp
from varprop.engine.maps import extremes

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

LINE_AT_ZERO = {"abs", "celu", "elu", "erf", "gelu", "gelu_tanh", "hard_swish", "hard_tanh", "leaky_relu", "lecun_tanh"}
LINE_AT_ZERO |= {"linear", "mish", "prelu", "relu", "relu6", "selu", "silu", "sin", "softsign", "tanh"}
LINE_AT_INFINITY = {"abs", "celu", "elu", "gelu", "gelu_tanh", "hard_swish", "leaky_relu", "linear", "mish", "prelu"}
LINE_AT_INFINITY |= {"relu", "selu", "silu", "softplus"}
FLAT = {
    "erf",
    "gaussian",
    "hard_sigmoid",
    "hard_tanh",
    "lecun_tanh",
    "relu6",
    "sigmoid",
    "sign",
    "softsign",
    "step",
    "tanh",
}


@pytest.mark.parametrize("name", vp.activation_names())
def test_built_in_activations(name):
    found = extremes(vp.get_activation(name))
    assert (found.small, found.large, found.flat) == (name in LINE_AT_ZERO, name in LINE_AT_INFINITY, name in FLAT)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda z: np.maximum(z, 0) ** 2, (False, False, False)),  # slope 0 at 0, but no line
        (lambda z: z + 0.1, (False, True, False)),
        (lambda z: np.sign(z) * np.sqrt(np.abs(z)), (False, False, False)),
        (lambda z: np.where(np.abs(z) > 0.5, z, 0), (True, True, False)),  # a dead zone is the line 0
        (np.arctan, (True, False, True)),
    ],
)
def test_functions_of_ones_own(function, expected):
    found = extremes(vp.Activation(name="mine", value=function, kinks=()))
    assert (found.small, found.large, found.flat) == expected


def test_the_parts_of_an_exponent_add_up_unless_it_makes_no_difference():
    exponent = np.array([-200, -64, -3, 0, 64, 70])
    for name in ("gelu", "sin"):
        within, past = extremes(vp.get_activation(name)).split(exponent)
        np.testing.assert_array_equal(within + past, exponent)
    within, past = extremes(vp.get_activation("tanh")).split(exponent)
    np.testing.assert_array_equal(past, [-136, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(within, [-64, -64, -3, 0, 64, 64])
    within, past = extremes(vp.get_activation("sigmoid")).split(exponent)
    np.testing.assert_array_equal(within, [-200, -64, -3, 0, 64, 64])  # towards 0 it has no scale to pass on
    np.testing.assert_array_equal(past, 0)
