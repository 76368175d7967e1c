"""The length map, its slope, and the gradient's factor: against differences, integrals by SciPy and known limits."""

import numpy as np
import pytest
from scipy import integrate

import varprop as vp
from varprop.theory import chi_parallel, gradient_factor, length_map

SMOOTH = [name for name in vp.activation_names() if not vp.get_activation(name).jumps]


def expectation(function, q):
    """E[g(z)], z ~ N(0, q), by SciPy's adaptive quadrature."""
    s = np.sqrt(q)
    return integrate.quad(
        lambda x: function(s * x) * np.exp(-x * x / 2) / np.sqrt(2 * np.pi), -14, 14, epsabs=1e-13, limit=400
    )[0]


@pytest.mark.parametrize("q", [0.03, 0.7, 6.0])
@pytest.mark.parametrize("name", SMOOTH)
def test_chi_parallel_is_the_slope_of_the_length_map(name, q):
    if name == "exp" and q > 1:
        q = 1.0
    phi, h = vp.get_activation(name), q / 64
    f = {k: phi.second_moment(q + k * h) for k in (-3, -2, -1, 1, 2, 3)}
    slope = ((f[3] - f[-3]) / 60 - 3 * (f[2] - f[-2]) / 20 + 3 * (f[1] - f[-1]) / 4) / h
    assert chi_parallel(phi, weight_variance=1.7, q=q) == pytest.approx(1.7 * slope, rel=1e-8, abs=1e-11)


@pytest.mark.parametrize("q", [0.05, 1.3, 20.0])
def test_chi_parallel_of_what_jumps(q):
    """Of a step of 3 at z = 1/2: E[phi^2] = 9 P(z > 1/2), whose slope in q is known."""
    phi = vp.Activation(name="late", value=lambda z: 3 * np.where(z > 0.5, 1, 0 * z), kinks=(0.5,), jumps=(0.5,))
    density = np.exp(-0.125 / q) / np.sqrt(2 * np.pi * q)
    assert chi_parallel(phi, weight_variance=1.0, q=q) == pytest.approx(9 * density * 0.25 / q, rel=1e-11)
    assert chi_parallel("sign", weight_variance=1.0, q=q) == pytest.approx(0, abs=1e-13)


@pytest.mark.parametrize(
    ("name", "slope"),
    [("tanh", 1), ("gelu", 0.25), ("sigmoid", 1 / 16), ("softplus", 0.25 + np.log(2) / 4), ("cos", -1)],
)
def test_chi_parallel_at_0_is_phi_prime_squared_plus_phi_phi_double_prime(name, slope):
    assert chi_parallel(name, weight_variance=2.0, q=0.0) == pytest.approx(2 * slope, rel=1e-9)
    nearly = chi_parallel(name, weight_variance=2.0, q=1e-7)
    assert nearly == pytest.approx(2 * slope, rel=1e-4)


def test_an_infinite_slope_at_0_is_refused():
    tent = vp.Activation(name="tent", value=lambda z: 1 + np.abs(z), kinks=(0.0,))
    with pytest.raises(ValueError, match="no finite slope at q = 0"):
        chi_parallel(tent, weight_variance=1.0, q=0.0)
    assert chi_parallel(tent, weight_variance=0.0, q=0.0) == 0


def test_gradient_factor_agrees_with_scipy():
    found = gradient_factor("tanh", weight_variance=1.7, q=0.8, keep_probability=0.5)
    assert found == pytest.approx(3.4 * expectation(lambda z: np.cosh(z) ** -4, 0.8), rel=1e-10)


def test_dropout_divides_the_weights_variance():
    kept = length_map("tanh", weight_variance=1.2, bias_variance=0.1, q=0.9, depth=6, keep_probability=0.6)
    np.testing.assert_allclose(kept, length_map("tanh", weight_variance=2.0, bias_variance=0.1, q=0.9, depth=6))
    chi = chi_parallel("erf", weight_variance=1.2, q=0.9, keep_probability=0.6)
    assert chi == pytest.approx(chi_parallel("erf", weight_variance=2.0, q=0.9))


def test_homogeneous_activations_grow_linearly_with_biases_at_the_he_gain():
    gain = 2 / (1 + 0.3**2)
    q = length_map({"name": "leaky_relu", "slope": 0.3}, weight_variance=gain, bias_variance=0.1, q=1.0, depth=50)
    np.testing.assert_allclose(q, 1 + 0.1 * np.arange(50), rtol=1e-13)


def test_elu_with_the_he_gain_grows_about_linearly():
    """q = 1, 1.29, ..., 5.33 (l = 10), 34.1 (50), 76.0 (100)."""
    q = length_map("elu", weight_variance=2.0, q=1.0, depth=101)
    np.testing.assert_allclose(q[[1, 10, 50, 100]], [1.29, 5.33, 34.1, 76.0], rtol=3e-3)


def test_tanh_gradients_at_unit_gain_fall_like_0_71_over_depth():
    q = length_map("tanh", weight_variance=1.0, q=1.0, depth=400)
    product = np.cumprod([gradient_factor("tanh", weight_variance=1.0, q=value) for value in q])
    assert 400 * product[-1] == pytest.approx(0.71, rel=0.01)
    assert 400 * product[-1] == pytest.approx(200 * product[199], rel=0.01)


def test_growth_past_the_largest_float_is_refused():
    with pytest.raises(ValueError, match="past the largest float at layer 513"):
        length_map("relu", weight_variance=8.0, q=1.0, depth=600)


@pytest.mark.parametrize("keep", [0.0, 1.1, float("nan"), -0.5])
def test_a_probability_is_in_0_1(keep):
    for call in (
        lambda: length_map("relu", weight_variance=2.0, q=1.0, depth=2, keep_probability=keep),
        lambda: gradient_factor("relu", weight_variance=2.0, q=1.0, keep_probability=keep),
        lambda: chi_parallel("relu", weight_variance=2.0, q=1.0, keep_probability=keep),
    ):
        with pytest.raises(ValueError, match="keep_probability must be in"):
            call()
