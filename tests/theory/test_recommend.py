"""Recommendations keep what they promise: one criterion for each kind of activation, checked through the maps."""

import math

import pytest

import varprop as vp
from varprop.theory import NoEdgeError, chi_parallel, gain, gradient_factor, length_map, recommend


@pytest.mark.parametrize(("slope", "expected"), [(0.0, 2.0), (0.5, 1.6), (1.0, 1.0)])
def test_homogeneous_activations_get_the_gain_of_he(slope, expected):
    choice = recommend({"name": "leaky_relu", "slope": slope}, 30)
    assert (choice.weight_variance, choice.bias_variance) == pytest.approx((expected, 0.0))
    assert choice.first_weight_variance == choice.weight_variance
    assert (choice.signal_growth, choice.gradient_growth) == pytest.approx((1.0, 1.0), rel=1e-12)
    assert choice.critical


@pytest.mark.parametrize("name", ["tanh", "erf", "elu", "hard_tanh", "softsign", "sin"])
def test_activations_with_a_stable_edge_are_put_on_it_at_unit_signal(name):
    depth = 20
    choice = recommend(name, depth)
    assert choice.critical
    assert choice.q == 1.0
    assert abs(choice.chi_parallel) < 1
    assert choice.bias_variance >= 0
    # First layer: a unit input comes to q.
    assert choice.first_weight_variance + choice.bias_variance == pytest.approx(1.0)
    laws = {"weight_variance": choice.weight_variance, "bias_variance": choice.bias_variance}
    assert length_map(name, q=1.0, depth=depth, **laws) == pytest.approx(1.0, rel=1e-10)
    assert choice.gradient_growth == pytest.approx(1.0, rel=1e-10)


@pytest.mark.parametrize("name", ["gelu", "silu", "mish"])
def test_activations_without_a_stable_edge_go_to_the_half_stable_point(name):
    choice = recommend(name, 10)
    assert choice.critical
    assert choice.chi_parallel == pytest.approx(1.0, abs=1e-9)
    assert (choice.signal_growth, choice.gradient_growth) == pytest.approx((1.0, 1.0), rel=1e-9)


def test_gelu_is_where_the_closed_form_is():
    choice = recommend("gelu", 10)
    assert choice.q == pytest.approx((3 + math.sqrt(17)) / 2, rel=1e-12)


def test_activations_without_an_edge_keep_the_signal_alone():
    name = "softplus"
    choice = recommend(name, 10)
    assert not choice.critical
    assert choice.weight_variance == pytest.approx(gain(name) ** 2)
    assert choice.signal_growth == pytest.approx(1.0, rel=1e-9)
    chi = gradient_factor(name, weight_variance=choice.weight_variance, q=1.0)
    assert choice.gradient_growth == pytest.approx(chi**9, rel=1e-6)
    assert any("no critical initialisation" in reason for reason in choice.reasons)


def test_the_sigmoid_has_an_edge_that_nobody_wants():
    """chi_1 = 1 with weights of variance 103/n: most units are saturated, and a few carry the gradient.

    There z is spread so wide that its density is flat where sigma' counts: E[sigma'^(2k)] is the integral of sigma'^(2k),
    1/6 and 1/140 for k = 1 and 2, over sqrt(2 pi q). A layer's spread is the ratio of the second to the first squared.
    """
    choice = recommend("sigmoid", 10)
    assert choice.critical
    assert choice.weight_variance == pytest.approx(103.0, abs=0.1)
    flat = math.sqrt(2 * math.pi * choice.q) * 6**2 / 140
    assert choice.jacobian_spread == pytest.approx(10 * flat, rel=0.05)


def test_the_jacobian_spread_of_relu_is_twice_the_depth():
    assert recommend("relu", 15).jacobian_spread == pytest.approx(30.0)


def test_a_given_bias_variance_is_kept():
    choice = recommend("tanh", 20, bias_variance=0.05)
    edge = vp.theory.edge_of_chaos("tanh", 0.05)
    assert (choice.bias_variance, choice.weight_variance, choice.q) == (0.05, edge.weight_variance, edge.q)
    assert choice.gradient_growth == pytest.approx(1.0, rel=1e-8)
    assert choice.chi_parallel == pytest.approx(chi_parallel("tanh", weight_variance=edge.weight_variance, q=edge.q))


def test_tanh_without_biases_decays_polynomially_and_says_so():
    """The edge is at q = 0: from a unit input q_l ~ 1/(2l), and gradients lose about .7/L."""
    choice = recommend("tanh", 100, bias_variance=0.0)
    assert choice.weight_variance == pytest.approx(1.0)
    assert choice.q == pytest.approx(1.0)
    assert 0.5 < 100 * choice.gradient_growth < 1
    assert 0.4 < 100 * choice.signal_growth < 0.6
    assert "without biases" in choice.reasons[0]


def test_where_there_is_no_edge_a_given_bias_variance_is_refused():
    with pytest.raises(NoEdgeError):
        recommend("relu", 10, bias_variance=0.1)


def test_what_jumps_has_no_gradient_to_keep():
    with pytest.raises(ValueError, match="jumps"):
        recommend("sign", 10)


def test_depth_makes_inputs_alike():
    """On the edge correlations go to 1, slowly: more depth, more alike."""
    shallow, deep = recommend("relu", 10), recommend("relu", 100)
    assert 0.8 < shallow.correlation < deep.correlation < 1


def test_it_prints_what_to_do_and_why():
    text = str(recommend("gelu", 10))
    assert text.startswith("gelu, depth 10: Var(W) = 1.983/fan_in (first layer: 3.389/fan_in), Var(b) = 0.1729")
    assert text.count("\n- ") == 4
