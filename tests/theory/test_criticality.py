"""The edge of chaos and half-stable points."""

import math

import numpy as np
import pytest

import varprop as vp
from varprop.theory import NoEdgeError, chi_parallel, edge_of_chaos, gradient_factor, half_stable_points, length_map


@pytest.mark.parametrize("biases", [1e-6, 0.01, 0.04, 0.2, 1.0])
@pytest.mark.parametrize("name", ["erf", "sin", "hard_tanh", "elu", "selu", "gelu", "cos", "gaussian", "sigmoid"])
def test_on_the_edge_gradients_and_second_moments_stay(name, biases):
    edge = edge_of_chaos(name, biases)
    assert gradient_factor(name, weight_variance=edge.weight_variance, q=edge.q) == pytest.approx(1, rel=1e-12)
    after = length_map(name, weight_variance=edge.weight_variance, bias_variance=biases, q=edge.q, depth=2)[1]
    assert after == pytest.approx(edge.q, rel=1e-10)
    slope = chi_parallel(name, weight_variance=edge.weight_variance, q=edge.q)
    assert edge.chi_parallel == pytest.approx(slope, rel=1e-12)
    assert edge.stable == (abs(slope) < 1)


@pytest.mark.parametrize(
    ("name", "biases", "weights", "q"),
    [
        ("tanh", 0.05, 1.7609546396067393, 0.570047882),
        ("tanh", 0.5, 2.84316745972408, 1.971030613),
        ("hard_tanh", 0.04, 1.0686088436741763**2, 0.4232866419404468),
        ("selu", 0.04, 0.9374755821053232**2, 0.7170491095107414),
    ],
)
def test_edges_that_are_known(name, biases, weights, q):
    edge = edge_of_chaos(name, biases)
    assert edge.weight_variance == pytest.approx(weights, rel=1e-9)
    assert edge.q == pytest.approx(q, rel=1e-8)
    assert edge.stable


def test_the_edge_of_gelu_is_where_the_length_map_runs_away():
    edge = edge_of_chaos("gelu", 0.04)
    assert not edge.stable
    assert edge.chi_parallel > 1
    for start, grows in ((0.99, False), (1.01, True)):
        q = length_map("gelu", weight_variance=edge.weight_variance, bias_variance=0.04, q=start * edge.q, depth=30)
        assert (np.diff(q) > 0).all() == grows


@pytest.mark.parametrize(
    ("name", "weights", "stable"),
    [("tanh", 1.0, True), ("erf", math.pi / 4, True), ("gelu", 4.0, False), ("elu", 1.0, True), ("linear", 1.0, False)],
)
def test_without_biases_the_edge_is_at_one_over_the_slope_at_0(name, weights, stable):
    edge = edge_of_chaos(name)
    assert edge.weight_variance == pytest.approx(weights, rel=1e-13)
    assert edge.q == (None if name == "linear" else 0.0)
    assert edge.chi_parallel == pytest.approx(1)
    assert edge.stable == stable


def test_relu_has_an_edge_without_biases_alone():
    edge = edge_of_chaos({"name": "leaky_relu", "slope": 0.5}, 0.0)
    assert (edge.weight_variance, edge.q, edge.chi_parallel, edge.stable) == (1.6, None, 1.0, False)
    with pytest.raises(NoEdgeError, match="grow by the biases' variance"):
        edge_of_chaos("relu", 0.04)


@pytest.mark.parametrize("biases", [0.0, 0.04, 1.0, 50.0])
def test_softplus_has_no_edge(biases):
    """Its biases' variance on the critical line is negative; the message says from where to where."""
    with pytest.raises(NoEdgeError, match=r"softplus has no edge of chaos .* for q from .* goes from -94.3 to -1.922"):
        edge_of_chaos("softplus", biases)


def test_sigmoid_needs_a_large_q():
    edge = edge_of_chaos("sigmoid")
    assert edge.q == pytest.approx(45.6, abs=0.05)
    assert edge.weight_variance == pytest.approx(103.0, abs=0.05)


def test_the_edge_of_gelu_turns_stable_at_the_half_stable_point():
    (point,) = half_stable_points("gelu")
    below, at, above = (edge_of_chaos("gelu", point.bias_variance + off) for off in (-1e-6, 0.0, 1e-6))
    assert below.q < at.q < above.q
    assert at.q == pytest.approx(point.q, rel=1e-9)
    assert (below.stable, at.stable, above.stable) == (False, False, True)


def test_half_stable_points_that_are_known():
    """Of GELU in closed form; of Mish to six digits."""
    (gelu,) = half_stable_points("gelu")
    assert gelu.q == pytest.approx((3 + math.sqrt(17)) / 2, rel=1e-12)
    assert gelu.weight_variance == pytest.approx(1.98305826, abs=5e-9)
    assert gelu.bias_variance == pytest.approx(0.17292239, abs=5e-9)
    (mish,) = half_stable_points("mish")
    assert (mish.q, mish.weight_variance, mish.bias_variance) == pytest.approx((1.670169, 2.013524, 0.094522), abs=6e-7)


@pytest.mark.parametrize("name", ["gelu", "mish", "silu", "hard_swish"])
def test_at_half_stable_points_both_slopes_are_1(name):
    (point,) = half_stable_points(name)
    assert gradient_factor(name, weight_variance=point.weight_variance, q=point.q) == pytest.approx(1, rel=1e-12)
    assert chi_parallel(name, weight_variance=point.weight_variance, q=point.q) == pytest.approx(1, rel=1e-11)
    moments = {"weight_variance": point.weight_variance, "bias_variance": point.bias_variance, "depth": 2}
    assert length_map(name, q=point.q, **moments)[1] == pytest.approx(point.q, rel=1e-12)


@pytest.mark.parametrize("name", ["tanh", "erf", "sin", "hard_tanh", "elu", "softplus", "sigmoid", "relu6"])
def test_most_activations_have_no_half_stable_point(name):
    assert half_stable_points(name) == ()


def test_relu_is_half_stable_everywhere():
    (point,) = half_stable_points("relu")
    assert (point.q, point.weight_variance, point.bias_variance) == (None, 2.0, 0.0)


def test_what_has_no_chi_is_refused():
    for name in ("sign", "step"):
        with pytest.raises(ValueError, match="jumps, so chi_1 is infinite"):
            edge_of_chaos(name, 0.1)
        with pytest.raises(ValueError, match="jumps, so chi_1 is infinite"):
            half_stable_points(name)
    constant = vp.Activation(name="constant", value=lambda z: 0 * z + 1, derivative=lambda z: 0 * z)
    with pytest.raises(NoEdgeError, match="its slope is 0"):
        edge_of_chaos(constant, 0.1)
    with pytest.raises(ValueError, match="bias_variance must be"):
        edge_of_chaos("tanh", -0.1)


@pytest.mark.parametrize("biases", [0.0, 0.5, 3.0])
def test_exp_in_closed_form(biases):
    """E phi^2 = E phi'^2 = e^{2q}, so C_b = q - 1 and C_W = e^{-2q}; there chi_parallel = 2: never stable.

    Its moments overflow long before q = 16384, which must not hide the edge.
    """
    edge = edge_of_chaos("exp", biases)
    assert edge.q == pytest.approx(1 + biases, rel=1e-12)
    assert edge.weight_variance == pytest.approx(math.exp(-2 - 2 * biases), rel=1e-11)
    assert edge.chi_parallel == pytest.approx(2, rel=1e-11)
    assert not edge.stable
    assert half_stable_points("exp") == ()
