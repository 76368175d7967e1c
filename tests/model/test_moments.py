"""Moments: formula against quadrature, both against independent values, and the laws that hold between them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from varprop.model.activations import Activation, activation_names, get_activation
from varprop.numerics.quadrature import normal_expectation

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference.json").read_text(encoding="utf-8"))
SINGLE = {
    "E[phi(z)]": "mean",
    "E[phi(z)^2]": "second_moment",
    "Var(phi(z))": "variance",
    "E[phi'(z)^2]": "derivative_second_moment",
    "E[phi(z)phi'(z)]": "value_derivative_moment",
}
PARAMETRISED = [("leaky_relu", {"slope": s}) for s in (-1.0, 0.3, 2.5)] + [("elu", {"alpha": a}) for a in (-0.5, 1.7)]
EVERY = [get_activation(name) for name in activation_names()] + [get_activation(n, **p) for n, p in PARAMETRISED]
every_activation = pytest.mark.parametrize("phi", EVERY, ids=lambda phi: phi.label)
VARIANCES = np.array([1e-4, 1e-3, 0.1, 0.7, 1.0, 3.0, 25.0, 1e3, 1e4])
PAIRS = [(1e-4, 1e-4), (1.0, 1.0), (0.5, 2.0), (30.0, 0.01), (1e4, 1e4)]
CORRELATIONS = np.array([-1.0, -1 + 1e-9, -0.95, -0.5, 0.0, 1e-9, 0.3, 0.9, 0.9999, 1 - 1e-14, 1.0])


def selu(z, alpha=1.6732632423543772, scale=1.0507009873554805):
    return scale * (np.maximum(z, 0) + alpha * np.expm1(np.minimum(z, 0)))


def softplus(z):
    return np.logaddexp(0, z)


# Functions that are not in the catalogue, as a user would bring them: no derivative, kinks declared.
OWN = {
    "abs": (np.abs, (0.0,)),
    "celu": (lambda z: np.maximum(z, 0) + 2 * np.expm1(np.minimum(z, 0) / 2), (0.0,)),
    "cos": (np.cos, ()),
    "exp": (np.exp, ()),
    "gaussian": (lambda z: np.exp(-z * z), ()),
    "hard_sigmoid": (lambda z: np.clip(z + 3, 0, 6) / 6, (-3.0, 3.0)),
    "hard_swish": (lambda z: z * np.clip(z + 3, 0, 6) / 6, (-3.0, 3.0)),
    "hard_tanh": (lambda z: np.clip(z, -1, 1), (-1.0, 1.0)),
    "mish": (lambda z: z * np.tanh(softplus(z)), ()),
    "prelu": (lambda z: np.where(z > 0, z, 0.25 * z), (0.0,)),
    "relu6": (lambda z: np.clip(z, 0, 6), (0.0, 6.0)),
    "selu": (selu, (0.0,)),
    "sign": (np.sign, (0.0,)),
    "silu": (lambda z: z * special.expit(z), ()),
    "sin": (np.sin, ()),
    "softplus": (softplus, ()),
    "softsign": (lambda z: z / (1 + np.abs(z)), (0.0,)),
    "step": (lambda z: np.heaviside(z, 0.5), (0.0,)),
}


def activation_of(config):
    """The activation a reference entry speaks of: from the catalogue, or as a user's own function."""
    name = config["activation"]
    if name in activation_names():
        parameters = {key: config[key] for key in ("slope", "alpha") if key in config}
        return get_activation(name, **parameters)
    value, kinks = OWN[name]
    return Activation(name=name, value=value, kinks=kinks)


def entries(family, quantities):
    chosen = [e for e in REFERENCE if e["family"] == family and e["quantity"] in quantities]
    return pytest.mark.parametrize("entry", chosen, ids=lambda e: e["id"])


@entries("A-single", SINGLE)
def test_reference_moments(entry):
    phi, q = activation_of(entry["config"]), entry["config"]["q"]
    moment = getattr(phi, SINGLE[entry["quantity"]])
    assert moment(q) == pytest.approx(entry["value"], **entry["tolerance"])
    assert moment(q, method="quadrature") == pytest.approx(entry["value"], **entry["tolerance"])


@entries("B-kernel", {"E[phi(z1)phi(z2)]"})
def test_reference_kernels(entry):
    config = entry["config"]
    phi, point = activation_of(config), (config["q1"], config["q2"], config["rho"])
    assert phi.covariance(*point) == pytest.approx(entry["value"], **entry["tolerance"])
    assert phi.covariance(*point, method="quadrature") == pytest.approx(entry["value"], **entry["tolerance"])


@pytest.mark.parametrize("moment", [m for m in SINGLE.values() if m != "variance"])
@every_activation
def test_formula_agrees_with_quadrature(phi, moment):
    if getattr(phi.formulas, moment) is None:
        with pytest.raises(ValueError, match=f"no closed form is known for the {moment}"):
            getattr(phi, moment)(1.0, method="formula")
        return
    formula = getattr(phi, moment)(VARIANCES, method="formula")
    quadrature = getattr(phi, moment)(VARIANCES, method="quadrature")
    # An odd integrand's moment is 0: compare with the size of its two halves.
    size = np.sqrt(phi.second_moment(VARIANCES)) if moment in ("mean", "value_derivative_moment") else 0
    assert np.all(np.abs(formula - quadrature) <= np.maximum(1e-12 * np.abs(formula), 1e-15 * size))


@every_activation
def test_covariance_formula_agrees_with_quadrature(phi):
    for moment, single in (("covariance", "second_moment"), ("derivative_covariance", "derivative_second_moment")):
        if getattr(phi.formulas, moment) is None:
            continue
        for q1, q2 in PAIRS:
            formula = getattr(phi, moment)(q1, q2, CORRELATIONS, method="formula")
            quadrature = getattr(phi, moment)(q1, q2, CORRELATIONS, method="quadrature")
            size = math.sqrt(getattr(phi, single)(q1) * getattr(phi, single)(q2))
            assert np.abs(formula - quadrature).max() <= 1e-14 * size


@pytest.mark.parametrize("q", [1e-3, 0.5, 8.0, 100.0])
@every_activation
def test_stein(phi, q):
    # E[phi phi'] = E[z phi^2] / (2 q), by integration by parts; phi' does not occur on the right.
    by_parts = normal_expectation(lambda z: z * phi(z) ** 2, np.array([q]), phi.kinks)[0] / (2 * q)
    scale = math.sqrt(phi.second_moment(q) * phi.derivative_second_moment(q))
    assert phi.value_derivative_moment(q, method="quadrature") == pytest.approx(by_parts, abs=1e-13 * scale)
    assert phi.value_derivative_moment(q) == pytest.approx(by_parts, abs=1e-13 * scale)


@pytest.mark.parametrize("q", [1e-3, 0.5, 8.0, 100.0])
@every_activation
def test_the_derivative_of_the_length_map(phi, q):
    # d/dq E[phi^2] = E[z phi phi'] / q.
    by_heat = normal_expectation(lambda z: z * phi(z) * phi.slope(z), np.array([q]), phi.kinks)[0] / q
    h = q / 512
    stencil = np.array([-1 / 60, 3 / 20, -3 / 4, 3 / 4, -3 / 20, 1 / 60])
    difference = stencil @ phi.second_moment(q + h * np.array([-3, -2, -1, 1, 2, 3])) / h
    rounding = 4 * np.finfo(np.float64).eps * phi.second_moment(q) / h
    assert difference == pytest.approx(by_heat, rel=1e-10, abs=rounding)


@pytest.mark.parametrize("rho", [-0.6, 0.1, 0.8])
@every_activation
def test_price(phi, rho):
    # d/dc E[phi(z1) phi(z2)] = E[phi'(z1) phi'(z2)], c the covariance of z1 and z2.
    q1, q2, h = 0.8, 2.5, 1 / 128
    stencil = np.array([-1 / 60, 3 / 20, -3 / 4, 3 / 4, -3 / 20, 1 / 60])
    slope = stencil @ phi.covariance(q1, q2, rho + h * np.array([-3, -2, -1, 1, 2, 3])) / (h * math.sqrt(q1 * q2))
    assert phi.derivative_covariance(q1, q2, rho) == pytest.approx(slope, abs=2e-10)


@pytest.mark.parametrize("method", ["auto", "quadrature"])
@every_activation
def test_the_ends_of_the_correlation(phi, method):
    q = np.array([1e-4, 0.3, 2.0, 1e4])
    assert phi.covariance(q, q, 1.0, method=method) == pytest.approx(phi.second_moment(q), rel=1e-13)
    whole = phi.derivative_covariance(q, q, 1.0, method=method)
    assert whole == pytest.approx(phi.derivative_second_moment(q), rel=1e-13)
    means = phi.mean(2.0) * phi.mean(0.5)
    assert phi.covariance(2.0, 0.5, 0.0, method=method) == pytest.approx(means, rel=1e-13, abs=1e-16)


@given(st.floats(1e-3, 50), st.floats(1e-3, 50), st.floats(-1, 1))
@pytest.mark.parametrize("name", ["relu", "erf", "gelu", "leaky_relu"])
def test_covariances_are_symmetric_and_bounded(name, q1, q2, rho):
    phi = get_activation(name)
    bound = math.sqrt(phi.second_moment(q1) * phi.second_moment(q2))
    value = phi.covariance(q1, q2, rho)
    assert value == pytest.approx(phi.covariance(q2, q1, rho), abs=1e-15 * bound)
    assert abs(value) <= bound * (1 + 1e-14)


@given(st.floats(-3, 3), st.floats(1e-6, 1e6), st.floats(1e-3, 1e3))
def test_leaky_relu_is_a_line_plus_relu(slope, q, scale):
    leaky, relu = get_activation("leaky_relu", slope=slope), get_activation("relu")
    assert leaky.mean(q) == pytest.approx((1 - slope) * relu.mean(q), rel=1e-12)
    assert leaky.second_moment(q) == pytest.approx((1 + slope**2) * relu.second_moment(q), rel=1e-12)
    # Homogeneous of degree 1 and 0.
    assert leaky.second_moment(scale * q) == pytest.approx(scale * leaky.second_moment(q), rel=1e-12)
    assert leaky.derivative_second_moment(scale * q) == leaky.derivative_second_moment(q)


@every_activation
def test_variance(phi):
    q = np.array([0.01, 1.0, 30.0])
    expected = phi.second_moment(q) - phi.mean(q) ** 2
    assert phi.variance(q) == pytest.approx(expected, rel=1e-10)
    assert phi.variance(q, method="quadrature") == pytest.approx(expected, rel=1e-10)


def test_variance_does_not_cancel_where_phi_is_far_from_zero():
    # Var sigmoid(z) = E[tanh(z/2)^2] / 4 -> q / 16 - q^2 / 32; the plain difference has lost 8 digits at this q.
    q = 1e-8
    assert get_activation("sigmoid").variance(q) == pytest.approx(q / 16 - q**2 / 32, rel=1e-13)


@pytest.mark.parametrize(("name", "tolerance"), [("elu", 2e-16), ("gelu", 2e-16)])
def test_cancellation_at_small_q_is_as_documented(name, tolerance):
    # E phi is of order q, the difference of halves of order sqrt(q): the rounding error is some 1e-16 / sqrt(q).
    phi = get_activation(name)
    for q in 10.0 ** -np.arange(4, 13, 2):
        error = abs(phi.mean(q, method="quadrature") / phi.mean(q) - 1)
        assert error < 10 * tolerance / math.sqrt(q)


@every_activation
def test_many_values_agree_with_one_at_a_time(phi, rng):
    q = np.exp(rng.normal(0, 1, (50, 20)))
    for moment in ("second_moment", "derivative_second_moment", "value_derivative_moment", "mean", "variance"):
        together = getattr(phi, moment)(q)
        alone = [getattr(phi, moment)(float(v)) for v in q[::10, 3]]
        assert together.shape == q.shape
        assert together[::10, 3] == pytest.approx(alone, rel=1e-13, abs=1e-16)


@pytest.mark.parametrize("method", ["auto", "quadrature"])
@every_activation
def test_zero_variance(phi, method):
    at_zero = phi(np.zeros(1))[0]
    sides = phi.slope(np.array([-1e-99, 1e-99]))
    assert phi.mean(0.0, method=method) == pytest.approx(at_zero, abs=1e-15)
    assert phi.second_moment(0.0, method=method) == pytest.approx(at_zero**2, abs=1e-15)
    assert phi.variance(0.0, method=method) == pytest.approx(0.0, abs=1e-15)
    # phi' stands for its limit from q > 0: each one-sided slope with equal weight.
    assert phi.derivative_second_moment(0.0, method=method) == pytest.approx(np.mean(sides**2), rel=1e-14)
    assert phi.value_derivative_moment(0.0, method=method) == pytest.approx(at_zero * np.mean(sides), abs=1e-15)
    assert phi.covariance(0.0, 1.0, 0.0, method=method) == pytest.approx(at_zero * phi.mean(1.0), abs=1e-15)
    same_side = 0.5 + math.asin(0.5) / math.pi
    expected = same_side * np.mean(sides**2) + (1 - same_side) * sides[0] * sides[1]
    assert phi.derivative_covariance(0.0, 0.0, 0.5, method=method) == pytest.approx(expected, rel=1e-14)


def test_floats_in_floats_out_arrays_in_arrays_out():
    phi = get_activation("tanh")
    assert type(phi.mean(1.0)) is type(phi.variance(np.float64(1))) is type(phi.second_moment(1)) is float
    assert type(phi.covariance(1.0, 2.0, 0.5)) is float
    assert phi.second_moment(np.ones((2, 3))).dtype == np.float64
    assert phi.covariance(np.ones((2, 1)), 2.0, np.zeros(3)).shape == (2, 3)
    assert get_activation("relu").derivative_covariance(np.ones((2, 1)), 2.0, np.zeros(3)).shape == (2, 3)
    assert get_activation("linear").derivative_covariance(np.ones((2, 1)), np.ones(3), 0.0).shape == (2, 3)


def test_a_correlation_off_by_rounding_is_forgiven():
    assert get_activation("relu").covariance(1.0, 1.0, 1 + 4e-16) == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 1.0, 0.5), "q1 is a variance.*got -1.0"),
        ((1.0, math.nan, 0.5), "q2 is a variance.*got nan"),
        ((math.inf, 1.0, 0.5), "q1 is a variance.*got inf"),
        ((1.0, 1.0, 1.1), "rho is a correlation.*got 1.1"),
        ((1.0, 1.0, math.nan), "rho is a correlation.*got nan"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    for name in ("relu", "tanh"):
        with pytest.raises(ValueError, match=message):
            get_activation(name).covariance(*arguments)


def test_an_unknown_method():
    with pytest.raises(ValueError, match="must be 'auto', 'formula' or 'quadrature', got 'exact'"):
        get_activation("relu").mean(1.0, method="exact")


def test_a_moment_that_cannot_be_integrated_says_whose_it_is():
    phi = Activation(name="own_exp", value=np.exp)
    assert phi.second_moment(4.0) == pytest.approx(math.exp(8), rel=1e-12)
    with pytest.raises(ValueError, match="second_moment of own_exp: the function is not finite"):
        phi.second_moment(1e6)
