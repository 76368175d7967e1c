"""Gains against the table of a paper's worth of closed forms, and the fixed points that they promise."""

import math

import numpy as np
import pytest

import varprop as vp
from varprop.theory import gain, gradient_factor, length_map, torch_gain

# sqrt(1 / E[phi(z)^2]) at q = 1, by 30-digit integration.
AT_ONE = {
    "relu": 1.41421,
    "leaky_relu": 1.41414,
    "elu": 1.24520,
    "selu": 1.0,
    "gelu": 1.53353,
    "silu": 1.67653,
    "mish": 1.48685,
    "erf": 1.46717,
    "hard_tanh": 1.39204,
    "sin": 1.52087,
    "softsign": 2.33753,
    "softplus": 1.04187,
    "sigmoid": 1.84623,
    "tanh": 1.59254,
}


@pytest.mark.parametrize(("name", "expected"), AT_ONE.items())
def test_gain_at_unit_signal(name, expected):
    assert gain(name) == pytest.approx(expected, abs=6e-6)


@pytest.mark.parametrize("slope", [-1.0, 0.0, 0.2, 0.25, 1.0])
@pytest.mark.parametrize("q", [1e-6, 1.0, 50.0])
def test_gain_of_rectifiers_is_that_of_he_at_every_q(slope, q):
    expected = math.sqrt(2 / (1 + slope**2))
    assert gain({"name": "leaky_relu", "slope": slope}, q) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("name", ["tanh", "gelu", "sigmoid", "elu"])
@pytest.mark.parametrize("q", [0.3, 1.0, 4.0])
def test_gain_makes_q_a_fixed_point(name, q):
    lengths = length_map(name, weight_variance=gain(name, q) ** 2, q=q, depth=2)
    assert lengths[1] == pytest.approx(q, rel=1e-13)


def test_gain_of_smooth_activations_at_small_signals_is_that_of_their_slope():
    """E[tanh^2] = q - 2 q^2 + ..., so the gain is 1 + q to first order."""
    assert gain("tanh", 1e-4) == pytest.approx(1 + 1e-4, abs=1e-7)


def test_gain_matches_a_plain_average_over_normal_quantiles():
    """A road without quadrature: the mean over 200,000 equidistant quantiles."""
    from scipy import special

    z = special.ndtri((np.arange(200_000) + 0.5) / 200_000)
    phi = vp.get_activation("gelu")
    assert gain(phi) == pytest.approx(1 / math.sqrt(np.mean(phi(z) ** 2)), rel=1e-4)


def test_a_users_function_has_a_gain():
    assert gain(np.tanh) == pytest.approx(gain("tanh"), rel=1e-14)


@pytest.mark.parametrize("q", [0.0, -1.0, math.inf, math.nan])
def test_q_has_to_be_positive(q):
    with pytest.raises(ValueError, match="second moment to keep"):
        gain("relu", q)


def test_no_gain_revives_what_is_zero():
    dead = vp.Activation(name="dead", value=np.zeros_like)
    with pytest.raises(ValueError, match="dead sets to 0"):
        gain(dead)


def test_torch_gain_is_the_table_of_torch():
    expected = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    assert {name: torch_gain(name) for name in expected} == expected
    for slope in (0.01, 0.2, 1.0):
        assert torch_gain({"name": "leaky_relu", "slope": slope}) == math.sqrt(2 / (1 + slope**2))


def test_torch_gain_says_what_it_lacks():
    with pytest.raises(ValueError, match="no entry for gelu, only for linear"):
        torch_gain("gelu")


@pytest.mark.parametrize(
    ("name", "weight_variance", "start", "q", "chi_1"),
    [
        ("tanh", 25 / 9, 1.0, 1.17848, 1.20983),
        ("sigmoid", 1.0, 1.0, 0.264687, 1 / 17.94665),
        ("selu", 9 / 16, 0.02303, 0.02303, 1.00367),
    ],
)
def test_where_torch_gains_lead(name, weight_variance, start, q, chi_1):
    """The numbers of the docstring; selu starts where it ends, since it takes thousands of layers to get there."""
    assert torch_gain(name) ** 2 == pytest.approx(weight_variance)
    end = length_map(name, weight_variance=weight_variance, q=start, depth=200)[-1]
    assert end == pytest.approx(q, rel=1e-3 if name == "selu" else 1e-5)
    assert gradient_factor(name, weight_variance=weight_variance, q=end) == pytest.approx(chi_1, rel=1e-5)
