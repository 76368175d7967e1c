"""Two inputs: the correlation map by hand and by sampling, its asymptotics, and the gradients' correlation."""

import itertools

import numpy as np
import pytest

import varprop as vp
from varprop.theory import (
    correlation_decay,
    correlation_map,
    edge_of_chaos,
    fixed_points,
    gradient_correlation,
    length_map,
)

# Iterated with the arc-cosine kernel in 30 digits.
RELU_FROM_0 = [0.3183, 0.4937, 0.6048, 0.6810, 0.7359, 0.7772, 0.8091, 0.8344, 0.8548, 0.8715]


def test_relu_from_orthogonal_inputs():
    c = correlation_map("relu", weight_variance=2.0, q=1.0, c=0.0, depth=11)
    np.testing.assert_allclose(c[1:], RELU_FROM_0, atol=6e-5)
    theta = np.arccos(c[:-1])
    np.testing.assert_allclose(c[1:], (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / np.pi, rtol=1e-12)


def test_relu_inputs_become_alike_as_9_pi_squared_over_2_l_squared():
    c = correlation_map("relu", weight_variance=2.0, q=1.0, c=0.0, depth=4001)
    scaled = np.array([layer**2 * (1 - c[layer]) for layer in (100, 1000, 4000)])
    limit = 9 * np.pi**2 / 2
    assert (np.diff(scaled) > 0).all()
    assert scaled[-1] == pytest.approx(limit, rel=0.01)


@pytest.mark.parametrize("name", ["erf", "sin"])
def test_smooth_inputs_on_the_edge_become_alike_as_beta_over_l(name):
    edge = edge_of_chaos(name, 0.04)
    c = correlation_map(name, weight_variance=edge.weight_variance, bias_variance=0.04, q=edge.q, c=0.2, depth=20_001)
    beta = correlation_decay(name, q=edge.q)
    assert 20_000 * (1 - c[-1]) == pytest.approx(beta, rel=2e-3)
    assert 200 * (1 - c[200]) != pytest.approx(beta, rel=2e-3)  # the check can tell


def test_beta_in_closed_form():
    """For sin: E phi'^2 = (1 + e^{-2q})/2, E phi''^2 = (1 - e^{-2q})/2."""
    assert correlation_decay("sin", q=0.7) == pytest.approx(2 / (0.7 * np.tanh(0.7)), rel=1e-11)


def test_beta_of_ones_own_function():
    """Its second derivative is a difference of differences: the identity's is their rounding, and was integrated for seconds."""
    assert correlation_decay(np.sin, q=0.7) == pytest.approx(2 / (0.7 * np.tanh(0.7)), rel=1e-8)
    for linear in (lambda z: z, np.float64, lambda z: 3 * z - 1):
        with pytest.raises(ValueError, match="is linear"):
            correlation_decay(linear, q=0.5)
    # The control: what is above the rounding counts, E phi''^2 = 1e-6 (1 - e^{-2q})/2.
    nearly = correlation_decay(lambda z: z + 1e-3 * np.sin(z), q=0.5)
    assert nearly == pytest.approx(8 / (1e-6 * (1 - np.exp(-1.0))), rel=0.01)


@pytest.mark.parametrize(("name", "why"), [("relu", "1/l\\^2"), ("sign", "1/l\\^2"), ("linear", "linear")])
def test_beta_is_refused_where_there_is_none(name, why):
    with pytest.raises(ValueError, match=why):
        correlation_decay(name, q=1.0)


@pytest.mark.parametrize("name", ["relu", "erf", "gelu"])
def test_equal_inputs_stay_equal_and_second_moments_may_differ(name):
    arguments = {"weight_variance": 1.6, "bias_variance": 0.2, "depth": 5}
    np.testing.assert_allclose(correlation_map(name, q=0.7, c=1.0, **arguments), 1.0, rtol=1e-12)
    unequal = correlation_map(name, q=(0.7, 2.0), c=0.4, **arguments)
    np.testing.assert_allclose(unequal, correlation_map(name, q=(2.0, 0.7), c=0.4, **arguments), rtol=1e-12)
    q1, q2 = (length_map(name, weight_variance=1.6, bias_variance=0.2, q=q, depth=5) for q in (0.7, 2.0))
    phi = vp.get_activation(name)
    for layer in range(4):
        after = 1.6 * phi.covariance(q1[layer], q2[layer], unequal[layer]) + 0.2
        assert unequal[layer + 1] == pytest.approx(after / np.sqrt(q1[layer + 1] * q2[layer + 1]), rel=1e-12)


def covariance_sampled(function, q1, q2, c, draws):
    x, y = draws
    return function(np.sqrt(q1) * x) * function(np.sqrt(q2) * (c * x + np.sqrt(1 - c * c) * y))


@pytest.mark.false_alarm(2e-9)
def test_one_layer_by_sampling(rng):
    """One layer of tanh against a million pairs of normals; false alarm 2e-9 (6 standard errors)."""
    q1, q2, c = 0.8, 2.5, -0.4
    products = covariance_sampled(np.tanh, q1, q2, c, rng.standard_normal((2, 1_000_000)))
    before, after = correlation_map("tanh", weight_variance=1.5, bias_variance=0.3, q=(q1, q2), c=c, depth=2)
    assert before == c
    q = [length_map("tanh", weight_variance=1.5, bias_variance=0.3, q=value, depth=2)[1] for value in (q1, q2)]
    norm = np.sqrt(q[0] * q[1])
    error = 1.5 * products.std() / 1000 / norm
    sampled = (1.5 * products.mean() + 0.3) / norm
    assert abs(sampled - after) < 6 * error
    without_biases = correlation_map("tanh", weight_variance=1.5, q=(q1, q2), c=c, depth=2)[1]
    assert abs(sampled - without_biases) > 6 * error  # the wrong map is told


def test_gradient_correlation_is_a_product_of_kernels():
    """For He and ReLU the kernel of phi' is (pi - theta) / 2 pi; the product falls like 1/L^3, not like 2^-L."""
    c = correlation_map("relu", weight_variance=2.0, q=1.0, c=0.0, depth=101)
    found = gradient_correlation("relu", weight_variance=2.0, q=1.0, c=0.0, depth=101)
    np.testing.assert_allclose(found[0], np.prod(1 - np.arccos(c[:-1]) / np.pi), rtol=1e-10)
    assert found[-1] == 1
    long = gradient_correlation("relu", weight_variance=2.0, q=1.0, c=0.0, depth=1001)
    assert 1e9 * long[0] == pytest.approx(188, rel=0.01)
    assert pytest.approx(1e6 * found[0], rel=0.01) == 144


def test_dropout_with_independent_masks_keeps_inputs_apart():
    """Without dropout equal inputs stay equal; with it p c_relu(c) = c, and gradients lose a factor p a layer more."""
    for keep, c_star in ((0.95, 0.7448170868845317), (0.5, 0.21723362821122166)):
        c = correlation_map("relu", weight_variance=2 * keep, q=1.0, c=1.0, depth=400, keep_probability=keep)
        assert c[1] == pytest.approx(keep, rel=1e-12)
        assert c[-1] == pytest.approx(c_star, abs=1e-9)
        (point,) = fixed_points("relu", weight_variance=2 * keep, keep_probability=keep)
        assert [fixed.c for fixed in point.correlations] == pytest.approx([c_star], abs=1e-12)
    gradients = gradient_correlation("linear", weight_variance=0.5, q=1.0, c=1.0, depth=4, keep_probability=0.5)
    np.testing.assert_allclose(gradients, [1 / 8, 1 / 4, 1 / 2, 1])


@pytest.mark.parametrize(
    ("weights", "biases"), list(itertools.product([1.2, 2.5, 6.0], [0.0, 0.05, 0.5])), ids=lambda value: f"{value}"
)
@pytest.mark.parametrize("name", ["erf", "sin", "elu", "gaussian", "relu", "sign", "abs"])
def test_the_map_goes_to_the_fixed_point_that_attracts(name, weights, biases):
    """Whatever c inputs start from, short of the fixed points that repel."""
    for point in fixed_points(name, weight_variance=weights, bias_variance=biases):
        if not point.q or not point.correlations:
            continue
        attracting = [fixed for fixed in point.correlations if fixed.stable]
        phi = vp.get_activation(name)
        for fixed in point.correlations:
            image = (weights * phi.covariance(point.q, point.q, fixed.c) + biases) / point.q
            assert image == pytest.approx(fixed.c, abs=1e-10)
        for start in (-0.9, 0.3, 0.99):
            c = start
            for _ in range(600):
                c = min(1.0, (weights * phi.covariance(point.q, point.q, c) + biases) / point.q)
            slowest = max(fixed.slope for fixed in attracting)
            if slowest < 0.97:
                assert min(abs(c - fixed.c) for fixed in attracting) < 1e-6


@pytest.mark.parametrize("name", ["erf", "elu", "gaussian"])
def test_slopes_are_those_of_the_map(name):
    (point,) = fixed_points(name, weight_variance=1.9 if name == "elu" else 4.0, bias_variance=0.05)
    phi, gain = vp.get_activation(name), (1.9 if name == "elu" else 4.0) / point.q
    inner = point.correlations[0]
    h = 1e-4
    difference = phi.covariance(point.q, point.q, inner.c + h) - phi.covariance(point.q, point.q, inner.c - h)
    assert inner.slope == pytest.approx(gain * difference / (2 * h), rel=1e-6)
    assert point.correlations[-1].slope == pytest.approx(point.chi_1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"c": 1.2}, "c is a correlation"),
        ({"q": (1.0, 2.0, 3.0)}, "one number or a pair"),
        ({"q": -1.0}, "q must be"),
        ({"q": 0.0}, "at layer 1 .* nothing to correlate"),
        ({"depth": 0}, "depth must be"),
        ({"weight_variance": 0.0}, "at layer 2 .* nothing to correlate"),
        ({"keep_probability": 2.0}, "keep_probability"),
    ],
)
@pytest.mark.parametrize("function", [correlation_map, gradient_correlation])
def test_what_is_out_of_range_is_refused(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function("relu", **({"weight_variance": 2.0, "q": 1.0, "c": 0.0, "depth": 3} | arguments))
