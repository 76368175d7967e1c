"""The value Activation: values, slopes, names, errors, equality and pickling."""

import pickle
from dataclasses import replace

import cloudpickle
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varprop.model.activations import Activation, activation_names, as_activation, get_activation


def clip(z, low, high):
    return min(max(z, low), high)


EXACT = {
    "abs": abs,
    "celu": lambda z: z if z > 0 else mpmath.expm1(z),
    "cos": mpmath.cos,
    "elu": lambda z: z if z > 0 else mpmath.expm1(z),
    "erf": mpmath.erf,
    "exp": mpmath.exp,
    "gaussian": lambda z: mpmath.exp(-z * z),
    "gelu": lambda z: z * mpmath.ncdf(z),
    "gelu_tanh": lambda z: z / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (z + mpmath.mpf("0.044715") * z**3))),
    "hard_sigmoid": lambda z: clip(z + 3, 0, 6) / mpmath.mpf(6),
    "hard_swish": lambda z: z * clip(z + 3, 0, 6) / mpmath.mpf(6),
    "hard_tanh": lambda z: clip(z, -1, 1),
    "leaky_relu": lambda z: z if z > 0 else mpmath.mpf(0.01) * z,
    "lecun_tanh": lambda z: mpmath.mpf("1.7159") * mpmath.tanh(2 * z / 3),
    "linear": lambda z: z,
    "mish": lambda z: z * mpmath.tanh(mpmath.log1p(mpmath.exp(z))),
    "prelu": lambda z: z if z > 0 else z / 4,
    "relu": lambda z: max(z, 0),
    "relu6": lambda z: clip(z, 0, 6),
    "selu": lambda z: SELU[0] * (z if z > 0 else SELU[1] * mpmath.expm1(z)),
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "sign": mpmath.sign,
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "sin": mpmath.sin,
    "softplus": lambda z: mpmath.log1p(mpmath.exp(z)),
    "softsign": lambda z: z / (1 + abs(z)),
    "step": lambda z: 1 if z > 0 else 0,
    "tanh": mpmath.tanh,
}
SELU = mpmath.mpf("1.0507009873554804934"), mpmath.mpf("1.6732632423543772848")
PARAMETRISED = [
    *(("leaky_relu", {"slope": s}) for s in (-1.0, 0.0, 0.3, 2.5)),
    ("elu", {"alpha": 0.5}),
    ("elu", {"alpha": -2.0}),
    ("celu", {"alpha": 2.5}),
]
EVERY = [get_activation(name) for name in activation_names()] + [get_activation(n, **p) for n, p in PARAMETRISED]
BOUNDED_SLOPE = pytest.mark.parametrize("phi", [p for p in EVERY if p.max_slope < np.inf], ids=lambda phi: phi.label)
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
    phi = get_activation(name)
    z = np.concatenate([np.linspace(-12, 12, 97), [-1e-3, 1e-3]]).astype(dtype)
    z = z[~np.isin(z, phi.breaks)]
    with mpmath.workdps(40):
        exact = np.array([float(mpmath.diff(EXACT[name], mpmath.mpf(float(v)), h=mpmath.mpf(10) ** -12)) for v in z])
    for slope in (phi.slope(z), phi.slope_given_value(z, phi(z))):
        assert (np.abs(slope - exact) / np.maximum(np.abs(exact), 1)).max() < 4 * np.finfo(dtype).eps


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
@BOUNDED_SLOPE
def test_nothing_overflows_far_out(phi, dtype):
    z = np.array([-1e30, -1e4, -90.0, 90.0, 1e4, 1e30], dtype)  # warnings are errors here
    a = phi(z)
    for slope in (phi.slope(z), phi.slope_given_value(z, a)):
        assert np.isfinite(slope).all()
        assert np.abs(slope).max() <= phi.slope_bound() * (1 + np.finfo(dtype).eps)
    assert np.isfinite(a).all()


def test_exp_alone_overflows_and_numpy_says_so():
    assert [phi.name for phi in EVERY if phi.max_slope == np.inf] == ["exp"]
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert get_activation("exp")(np.array([1e4]))[0] == np.inf


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "silu", "mish"])
def test_single_precision_keeps_the_tails(name):
    # Values of a few millionths keep five digits, though 1 - Phi(z) has lost them all.
    phi, z = get_activation(name), np.linspace(-6, -1, 1001)
    assert phi(z.astype(np.float32)) == pytest.approx(phi(z.astype(np.float32).astype(float)), rel=1e-5)


@every_activation
def test_the_input_is_neither_changed_nor_returned(phi):
    z = np.array([-1.0, 2.0])
    a = phi(z)
    a += 1
    assert z.tolist() == [-1.0, 2.0]


@pytest.mark.false_alarm(0)
@every_activation
def test_slopes_agree_with_differences(phi, rng):
    z = rng.normal(0, 3, 2000)
    numerical = replace(phi, derivative=None, slope_from_value=None)
    # In units of phi's size where the largest |z| drawn, 14 or so, may lie.
    size = np.maximum(1, np.abs(phi(np.abs(z) + 0.1)))
    assert (np.abs(numerical.slope(z) - phi.slope(z)) / size).max() < 1e-10


@BOUNDED_SLOPE
def test_the_bound_is_the_largest_slope(phi):
    beside = [np.nextafter(place, side) for place in phi.breaks for side in (-np.inf, np.inf)]
    z = np.concatenate([np.linspace(-40, 40, 800_001), beside])
    largest = np.abs(phi.slope(z)).max()
    assert largest <= phi.slope_bound() * (1 + 1e-15)
    assert largest == pytest.approx(phi.slope_bound(), rel=1e-9)


@BOUNDED_SLOPE
def test_a_bound_that_is_not_stated_is_found(phi):
    assert replace(phi, max_slope=None).slope_bound() == pytest.approx(phi.slope_bound(), rel=1e-8)


@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
@pytest.mark.parametrize("phi", [phi for phi in EVERY if phi.homogeneous], ids=lambda phi: phi.label)
def test_the_homogeneous_ones_are(phi, scale, z):
    point = np.array([z])
    assert phi(scale * point)[0] == pytest.approx(scale * phi(point)[0], rel=1e-14)


@pytest.mark.parametrize("phi", [phi for phi in EVERY if not phi.homogeneous], ids=lambda phi: phi.label)
def test_the_others_are_not(phi):
    z = np.array([-4.0, -1.0, 1.0, 4.0])
    assert phi(2 * z) != pytest.approx(2 * phi(z), rel=1e-3)


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


@pytest.mark.parametrize("phi", [phi for phi in EVERY if phi.label != "leaky_relu(slope=1)"], ids=lambda phi: phi.label)
def test_the_breaks_that_are_stated_are_the_ones_that_are_found(phi):
    own = Activation(name="own", value=phi.value)
    assert own.kinks == pytest.approx(phi.kinks, abs=1e-12)
    assert own.jumps == phi.jumps


def test_a_kink_that_proves_to_be_a_jump_is_one():
    phi = Activation(name="own", value=lambda z: np.where(z > 1 / 3, 2 + z, np.abs(z)), kinks=(0.0, 1 / 3))
    assert (phi.kinks, phi.jumps, phi.breaks) == ((0.0,), (1 / 3,), (0.0, 1 / 3))


def test_jumps_that_are_stated_are_not_found_twice():
    phi = Activation(name="own", value=lambda z: np.where(z > 1 / 3, 2 + z, np.abs(z)), jumps=(1 / 3,))
    assert (phi.kinks, phi.jumps) == ((0.0,), (1 / 3,))


def test_kinks_can_be_denied():
    assert Activation(name="own", value=np.abs, kinks=()).kinks == ()
    assert "found" in repr(Activation.__dataclass_fields__["kinks"].default)


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
        ("qqqq", ValueError, "Known: abs, celu"),
        (3, TypeError, 'a name such as "relu"'),
        ({"slope": 0.1}, ValueError, 'its "name"'),
        ({"name": "leaky_relu", "alpha": 0.1}, ValueError, "no parameter 'alpha'; it takes slope"),
        ({"name": "relu", "slope": 0.1}, ValueError, "it takes none"),
        ({"name": "elu", "alpha": float("nan")}, ValueError, "must be finite"),
        ({"name": "elu", "alpha": "1"}, TypeError, "must be a number"),
        ({"name": "elu", "alpha": True}, TypeError, "must be a number"),
        ({"name": "celu", "alpha": 0}, ValueError, "alpha of activation 'celu' must be > 0, got 0"),
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
        ({"kinks": (float("inf"),)}, ValueError, "each of the kinks of activation 'own' must be finite"),
        ({"jumps": (0.0, 0.0)}, ValueError, "jumps of activation 'own' must be finite and increasing"),
        ({"max_slope": float("nan")}, ValueError, "max_slope of activation 'own'"),
        ({"max_slope": -1.0}, ValueError, "max_slope of activation 'own'"),
    ],
)
def test_it_cannot_exist_in_a_wrong_state(fields, error, message):
    with pytest.raises(error, match=message):
        Activation(**{"name": "own", "value": np.tanh, **fields})
