"""The noun Activation: values, slopes, names, errors, equality and pickling."""

import pickle
from dataclasses import replace

import cloudpickle
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varprop.model.activations import Activation, activation_names, as_activation, get_activation

EXACT = {
    "linear": lambda z: z,
    "tanh": mpmath.tanh,
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "relu": lambda z: max(z, 0),
    "leaky_relu": lambda z: z if z > 0 else mpmath.mpf(0.01) * z,
    "elu": lambda z: z if z > 0 else mpmath.expm1(z),
    "erf": mpmath.erf,
    "gelu": lambda z: z * mpmath.ncdf(z),
}
PARAMETRISED = [("leaky_relu", {"slope": s}) for s in (-1.0, 0.0, 0.3, 2.5)] + [("elu", {"alpha": 0.5})]
EVERY = [get_activation(name) for name in activation_names()] + [get_activation(n, **p) for n, p in PARAMETRISED]
every_activation = pytest.mark.parametrize("phi", EVERY, ids=lambda phi: phi.label)
floats = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def swish(z):
    return z / (1 + np.exp(-z))


def test_every_built_in_is_checked_here():
    assert set(EXACT) == set(activation_names())


@floats
@pytest.mark.parametrize("name", sorted(EXACT))
def test_values_are_right_to_the_last_places(name, dtype):
    z = np.concatenate([np.linspace(-30, 30, 241), [-1e-3, 0.0, 1e-3, -1e-20, 1e-20]]).astype(dtype)
    exact = np.array([float(EXACT[name](mpmath.mpf(float(v)))) for v in z])
    # Saturating functions are held to an absolute error, in units of their size.
    error = np.abs(get_activation(name)(z) - exact) / np.maximum(np.abs(exact), 1.0)
    assert error.max() < 2 * np.finfo(dtype).eps


@floats
@pytest.mark.parametrize("name", sorted(EXACT))
def test_slopes_are_right_to_the_last_places(name, dtype):
    z = np.concatenate([np.linspace(-12, 12, 97), [-1e-3, 1e-3]]).astype(dtype)
    z = z[z != 0]
    with mpmath.workdps(40):
        exact = np.array([float(mpmath.diff(EXACT[name], mpmath.mpf(float(v)), h=mpmath.mpf(10) ** -12)) for v in z])
    phi = get_activation(name)
    for slope in (phi.slope(z), phi.slope_given_value(z, phi(z))):
        assert np.abs(slope - exact).max() < 4 * np.finfo(dtype).eps


@floats
@every_activation
def test_shape_and_dtype_are_kept(phi, dtype):
    for shape in ((), (3,), (2, 3, 4), (0,)):
        z = np.full(shape, 0.3, dtype)
        a = phi(z)
        for result in (a, phi.slope(z), phi.slope_given_value(z, a)):
            assert result.shape == shape
            assert result.dtype == dtype


@floats
@every_activation
def test_nothing_overflows_far_out(phi, dtype):
    z = np.array([-1e30, -1e4, -90.0, 90.0, 1e4, 1e30], dtype)  # warnings are errors here
    a = phi(z)
    for slope in (phi.slope(z), phi.slope_given_value(z, a)):
        assert np.isfinite(slope).all()
        assert np.abs(slope).max() <= phi.slope_bound() * (1 + np.finfo(dtype).eps)
    assert np.isfinite(a).all()


@every_activation
def test_the_input_is_neither_changed_nor_returned(phi):
    z = np.array([-1.0, 2.0])
    a = phi(z)
    a += 1
    assert z.tolist() == [-1.0, 2.0]


@every_activation
def test_slopes_agree_with_differences(phi, rng):
    z = rng.normal(0, 3, 2000)
    numerical = replace(phi, derivative=None, slope_from_value=None)
    assert np.abs(numerical.slope(z) - phi.slope(z)).max() < 1e-10 * phi.slope_bound()


@every_activation
def test_the_bound_is_the_largest_slope(phi):
    z = np.linspace(-40, 40, 800_001)
    largest = np.abs(phi.slope(z)).max()
    assert largest <= phi.slope_bound() * (1 + 1e-15)
    assert largest == pytest.approx(phi.slope_bound(), rel=1e-9)


@every_activation
def test_a_bound_that_is_not_stated_is_found(phi):
    assert replace(phi, max_slope=None).slope_bound() == pytest.approx(phi.slope_bound(), rel=1e-8)


@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
@pytest.mark.parametrize("phi", [phi for phi in EVERY if phi.homogeneous], ids=lambda phi: phi.label)
def test_the_homogeneous_ones_are(phi, scale, z):
    point = np.array([z])
    assert phi(scale * point)[0] == pytest.approx(scale * phi(point)[0], rel=1e-14)


@pytest.mark.parametrize("phi", [phi for phi in EVERY if not phi.homogeneous], ids=lambda phi: phi.label)
def test_the_others_are_not(phi):
    assert phi(np.array([-2.0]))[0] != pytest.approx(2 * phi(np.array([-1.0]))[0], rel=1e-3)


def test_labels():
    assert get_activation("relu").label == "relu"
    assert get_activation("leaky_relu", slope=0.1).label == "leaky_relu(slope=0.1)"
    assert get_activation("elu").label == "elu(alpha=1)"
    assert get_activation("elu", alpha=1 / 3).label == f"elu(alpha={1 / 3!r})"


@every_activation
def test_equality_hash_and_pickling(phi):
    again = get_activation(phi.name, **dict(phi.parameters))
    assert again == phi
    assert hash(again) == hash(phi)
    assert pickle.loads(pickle.dumps(phi)) == phi


def test_different_parameters_are_different_activations():
    assert get_activation("leaky_relu", slope=0.1) != get_activation("leaky_relu", slope=0.2)
    assert get_activation("relu") != get_activation("leaky_relu", slope=0.0)


def test_a_function_of_ones_own_travels_to_a_worker():
    phi = Activation(name="own", value=lambda z: z * np.abs(z), kinks=(0.0,))
    z = np.linspace(-2, 2, 9)
    assert np.array_equal(pickle.loads(cloudpickle.dumps(phi))(z), phi(z))


@floats
def test_a_function_of_ones_own_keeps_the_dtype(dtype):
    phi = Activation(name="double", value=lambda z: np.asarray(z, dtype=np.float64) ** 2)
    z = np.linspace(-1, 1, 5, dtype=dtype)
    assert phi(z).dtype == phi.slope(z).dtype == dtype
    assert phi.slope(z) == pytest.approx(2 * z, abs=1e-6 if dtype is np.float32 else 1e-12)


def test_what_stands_for_an_activation():
    relu = get_activation("relu")
    assert as_activation(relu) is relu
    assert as_activation("relu") == relu
    assert as_activation({"name": "elu", "alpha": 2}) == get_activation("elu", alpha=2.0)
    assert as_activation(swish).name == "swish"


@pytest.mark.parametrize(
    ("obj", "error", "message"),
    [
        ("reul", ValueError, "did you mean 'relu'"),
        ("ReLU", ValueError, "did you mean 'relu'"),
        ("qqqq", ValueError, "Known: elu, erf"),
        (3, TypeError, 'a name such as "relu"'),
        ({"slope": 0.1}, ValueError, 'its "name"'),
        ({"name": "leaky_relu", "alpha": 0.1}, ValueError, "no parameter 'alpha'; it takes slope"),
        ({"name": "relu", "slope": 0.1}, ValueError, "it takes none"),
        ({"name": "elu", "alpha": float("nan")}, ValueError, "must be finite"),
        ({"name": "elu", "alpha": "1"}, TypeError, "must be a number"),
        ({"name": "elu", "alpha": True}, TypeError, "must be a number"),
        (np.sum, ValueError, "must act elementwise"),
        (lambda z: z > 0, ValueError, "must act elementwise.*bool"),
        (lambda z: np.where(z > 0, z, np.nan), ValueError, "not finite at z ="),
    ],
)
def test_what_does_not(obj, error, message):
    with pytest.raises(error, match=message):
        as_activation(obj)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"name": ""}, ValueError, "non-empty string"),
        ({"value": 3}, TypeError, "value of activation 'own' must be a function"),
        ({"derivative": 3}, TypeError, "derivative of activation 'own' must be a function"),
        ({"derivative": np.sum}, ValueError, "derivative of activation 'own' must act elementwise"),
        ({"kinks": (1.0, 0.0)}, ValueError, "finite and increasing"),
        ({"kinks": (float("inf"),)}, ValueError, "finite and increasing"),
        ({"max_slope": float("inf")}, ValueError, "max_slope of activation 'own'"),
        ({"max_slope": -1.0}, ValueError, "max_slope of activation 'own'"),
    ],
)
def test_it_cannot_exist_in_a_wrong_state(fields, error, message):
    with pytest.raises(error, match=message):
        Activation(**{"name": "own", "value": np.tanh, **fields})
