"""Fixed points and depth scales, against plain iteration and hand-made cases."""

import math

import numpy as np
import pytest

import varprop as vp
from varprop.theory import chi_parallel, correlation_map, depth_scales, fixed_points, length_map
from varprop.theory.equilibrium import settled_second_moment


def iterated(name, weights, biases, q=1.0, depth=3000):
    return length_map(name, weight_variance=weights, bias_variance=biases, q=q, depth=depth)[-1]


@pytest.mark.parametrize("biases", [0.0, 0.05, 0.7])
@pytest.mark.parametrize("weights", [0.6, 1.3, 3.0, 9.0])
@pytest.mark.parametrize("name", ["erf", "sin", "cos", "gaussian", "hard_tanh", "relu6"])
def test_the_stable_fixed_point_of_a_bounded_activation_is_where_iteration_ends(name, weights, biases):
    stable = [point for point in fixed_points(name, weight_variance=weights, bias_variance=biases) if point.stable]
    assert len(stable) == 1
    (point,) = stable
    assert point.q == pytest.approx(iterated(name, weights, biases), rel=1e-9, abs=1e-12)
    assert abs(point.chi_parallel) <= 1
    slope = chi_parallel(name, weight_variance=weights, q=point.q)
    assert point.chi_parallel == pytest.approx(slope, rel=1e-12)


@pytest.mark.parametrize("weights", [1.0, 2.5, 7.0])
@pytest.mark.parametrize("biases", [0.0, 0.3])
def test_sine_in_closed_form(weights, biases):
    """q = C_W (1 - e^{-2q}) / 2 + C_b; on the edge, where C_W (1 + e^{-2q}) / 2 = 1, that is q = C_W + C_b - 1."""
    edge = vp.theory.edge_of_chaos("sin", biases)
    assert edge.q == pytest.approx(edge.weight_variance + biases - 1, abs=1e-12)
    for point in fixed_points("sin", weight_variance=weights, bias_variance=biases):
        assert point.q == pytest.approx(weights * (1 - math.exp(-2 * point.q)) / 2 + biases, abs=1e-13)
        assert point.chi_parallel == pytest.approx(weights * math.exp(-2 * point.q))
        assert point.chi_1 == pytest.approx(weights * (1 + math.exp(-2 * point.q)) / 2)


def test_tanh_without_biases_leaves_0_above_unit_gain():
    """Saxe et al.'s q(g): at g = 2 the signal settles at 2.12147."""
    zero, settled = fixed_points("tanh", weight_variance=4.0)
    assert (zero.q, zero.stable, zero.chi_1, zero.correlations) == (0.0, False, 4.0, ())
    assert settled.q == pytest.approx(2.121473568203179, rel=1e-9)
    assert [(c.c, c.stable) for c in settled.correlations] == [(-1.0, False), (0.0, True), (1.0, False)]
    (at_the_edge,) = fixed_points("tanh", weight_variance=1.0)
    assert (at_the_edge.q, at_the_edge.chi_parallel, at_the_edge.stable) == (0.0, 1.0, True)


@pytest.mark.parametrize("sigma", [(1.3, 0.6070467919093262, 1.0), (2.5, 4.079123875282239, 0.12210374734)])
def test_tanh_as_poole_et_al_have_it(sigma):
    deviation, q, c = sigma
    (point,) = fixed_points("tanh", weight_variance=deviation**2, bias_variance=0.09)
    assert point.q == pytest.approx(q, rel=1e-9)
    assert point.correlations[0].c == pytest.approx(c, abs=1e-9)
    assert point.correlations[0].stable


def test_two_fixed_points_and_what_lies_between():
    """GELU at C_W = 2 with few biases: small signals come to rest, those past the second point grow for ever."""
    low, high = fixed_points("gelu", weight_variance=2.0, bias_variance=0.05)
    assert (low.stable, high.stable) == (True, False)
    assert settled_second_moment(vp.get_activation("gelu"), weight_variance=2.0, bias_variance=0.05) == low.q
    assert iterated("gelu", 2.0, 0.05, q=0.5 * high.q, depth=30_000) == pytest.approx(low.q, rel=1e-6)
    assert iterated("gelu", 2.0, 0.05, q=2 * high.q) > 2 * high.q
    with pytest.raises(ValueError, match="from q = 200 to no fixed point; they grow for ever"):
        depth_scales("gelu", weight_variance=2.0, bias_variance=0.05, q=200.0)


@pytest.mark.parametrize("distance", [1e-6, 1e-8, 1e-10])
def test_fixed_points_that_are_about_to_merge_are_found(distance):
    """At GELU's half-stable point two of three fixed points of the length map meet, sqrt(distance) from each other."""
    (fold,) = vp.theory.half_stable_points("gelu")
    moments = {"weight_variance": fold.weight_variance}
    apart = fixed_points("gelu", bias_variance=fold.bias_variance + distance, **moments)
    assert [point.stable for point in apart] == [True, False, True]
    assert apart[1].q < fold.q < apart[2].q
    curvature = 1.4e-4 * fold.weight_variance  # of the length map
    assert apart[2].q - apart[1].q == pytest.approx(2 * math.sqrt(2 * distance / curvature), rel=0.1)
    gone = fixed_points("gelu", bias_variance=fold.bias_variance - distance, **moments)
    assert [point.stable for point in gone] == [True]
    merged = fixed_points("gelu", bias_variance=fold.bias_variance, **moments)
    assert [point.stable for point in merged] == [True, False]
    assert merged[1].q == pytest.approx(fold.q, rel=1e-5)


@pytest.mark.parametrize(
    ("weights", "biases", "q"),
    [(2.0, 0.0, [None]), (1.0, 0.5, [1.0]), (1.0, 0.0, [0.0]), (2.0, 0.1, []), (3.0, 0.1, [])],
)
def test_relu(weights, biases, q):
    assert [point.q for point in fixed_points("relu", weight_variance=weights, bias_variance=biases)] == q


def test_relu_at_the_he_gain_keeps_every_q_and_draws_inputs_together():
    (point,) = fixed_points("relu", weight_variance=2.0)
    assert (point.chi_1, point.chi_parallel, point.stable) == (1.0, 1.0, False)
    assert [(c.c, c.slope, c.stable) for c in point.correlations] == [(1.0, 1.0, True)]
    scales = depth_scales("relu", weight_variance=2.0, q=0.3)
    assert (scales.q, scales.c, scales.xi_q, scales.xi_c, scales.xi_gradient) == (0.3, 1.0, *[math.inf] * 3)
    (linear,) = fixed_points("linear", weight_variance=1.0)
    assert linear.correlations == ()
    assert depth_scales("linear", weight_variance=1.0).c is None


def test_large_variances_are_searched_far_enough():
    (_, point) = fixed_points("erf", weight_variance=1e5)
    assert point.q == pytest.approx(iterated("erf", 1e5, 0.0, q=5e4, depth=50), rel=1e-12)


def test_without_weights_the_biases_are_left():
    (point,) = fixed_points("tanh", weight_variance=0.0, bias_variance=0.3)
    assert (point.q, point.chi_1, point.stable) == (0.3, 0.0, True)
    assert [c.c for c in point.correlations] == [1.0]
    assert depth_scales("tanh", weight_variance=0.0, bias_variance=0.3).xi_c == 0.0


def test_sign_keeps_one_length_and_is_chaotic_everywhere():
    """E sign^2 = 1, so q = C_W + C_b; two inputs that differ at all move apart."""
    (point,) = fixed_points("sign", weight_variance=1.5, bias_variance=0.5)
    assert point.q == pytest.approx(2.0, rel=1e-13)
    assert point.chi_1 == math.inf
    inner, same = point.correlations
    c = 0.5
    for _ in range(200):
        c = 0.75 * 2 / math.pi * math.asin(c) + 0.25
    assert inner.c == pytest.approx(c, abs=1e-10)
    assert inner.slope == pytest.approx(0.75 * 2 / math.pi / math.sqrt(1 - c * c), rel=1e-6)
    assert (same.c, same.stable) == (1.0, False)


@pytest.mark.parametrize("weights", [1.4, 3.0])
def test_depth_scales_are_rates_of_the_maps(weights):
    """Deviations from the fixed points shrink by exp(-1/xi) a layer."""
    scales = depth_scales("erf", weight_variance=weights, bias_variance=0.05)
    q = length_map("erf", weight_variance=weights, bias_variance=0.05, q=scales.q * 1.001, depth=6) - scales.q
    np.testing.assert_allclose(q[1:] / q[:-1], math.exp(-1 / scales.xi_q), rtol=2e-3)
    c = correlation_map("erf", weight_variance=weights, bias_variance=0.05, q=scales.q, c=scales.c - 1e-4, depth=6) - (
        scales.c or 0.0
    )
    np.testing.assert_allclose(c[1:] / c[:-1], math.exp(-1 / scales.xi_c), rtol=2e-3)


def test_correlations_take_ever_longer_near_the_edge():
    """For tanh with C_b = 0.05, xi_c |C_W - C_W*| approaches 4.7 on both sides."""
    critical = vp.theory.edge_of_chaos("tanh", 0.05).weight_variance
    for off in (-0.01, 0.01):
        scales = depth_scales("tanh", weight_variance=critical + off, bias_variance=0.05)
        assert scales.xi_c * abs(off) == pytest.approx(4.7, rel=0.03)
        assert math.copysign(1, scales.xi_gradient) == -math.copysign(1, off)


@pytest.mark.parametrize(
    "arguments", [{"weight_variance": -1.0}, {"bias_variance": math.nan}, {"keep_probability": 0.0}]
)
def test_what_is_out_of_range_is_refused(arguments):
    for function in (fixed_points, depth_scales):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            function("tanh", **({"weight_variance": 1.0} | arguments))


def test_exp_has_two_fixed_points_or_none():
    """q = C_W e^{2q} has two solutions below C_W = 1/(2e), none above."""
    low, high = fixed_points("exp", weight_variance=0.15)
    for point in (low, high):
        assert point.q == pytest.approx(0.15 * math.exp(2 * point.q), rel=1e-12)
    assert (low.stable, high.stable) == (True, False)
    assert low.q < 0.5 < high.q
    assert fixed_points("exp", weight_variance=1.0001 / (2 * math.e)) == ()
    near = fixed_points("exp", weight_variance=(1 - 1e-9) / (2 * math.e))
    assert [point.stable for point in near] == [True, False]
