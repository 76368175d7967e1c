"""Kinks and jumps are found where they are, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from varprop.numerics.breaks import find_breaks, find_features, is_jump, one_sided_values

SMOOTH = {
    "tanh": np.tanh,
    "tanh(20 z)": lambda z: np.tanh(20 * z),
    "tanh(1e4 z)": lambda z: np.tanh(1e4 * z),
    "tanh(1e6 z)": lambda z: np.tanh(1e6 * z),
    "tanh(20 z - 7)": lambda z: np.tanh(20 * z - 7),
    "narrow peak": lambda z: 1 / (1 + 1e6 * z * z),
    "narrow bell": lambda z: np.exp(-((30 * z) ** 2)),
    "sin": np.sin,
    "sin(20 z)": lambda z: np.sin(20 * z),
    "sinc": np.sinc,
    "exp": np.exp,
    "softplus, carelessly": lambda z: np.log(1 + np.exp(z)),
    "(exp(z) - 1) / z, carelessly": lambda z: (np.exp(z) - 1) / z,
    "log cosh": lambda z: np.log(np.cosh(np.clip(z, -300, 300))),
    "gelu": lambda z: z * special.ndtr(z),
    "mish": lambda z: z * np.tanh(np.logaddexp(0, z)),
    "z^2": np.square,
    "constant": np.ones_like,
    "zero": np.zeros_like,
    "in single precision": lambda z: np.tanh(z.astype(np.float32)).astype(float),
    "noise": lambda z: np.sin(1e9 * z),
}
KINKED = {
    "relu": (lambda z: np.maximum(z, 0), (0,), ()),
    "relu6": (lambda z: np.clip(z, 0, 6), (0, 6), ()),
    "far out": (lambda z: np.clip(z, -0.1, 60), (-0.1, 60), ()),
    "no round number": (lambda z: np.minimum(z, np.pi), (np.pi,), ()),
    "soft shrinkage": (lambda z: np.sign(z) * np.maximum(np.abs(z) - 0.5, 0), (-0.5, 0.5), ()),
    "slope of 1e-6": (lambda z: z + 1e-6 * np.maximum(z, 0), (0,), ()),
    "close together": (lambda z: np.clip(z, 0, 0.02), (0, 0.02), ()),
    "second derivative": (lambda z: z * np.abs(z), (0,), ()),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))), (0,), ()),
    "softsign": (lambda z: z / (1 + np.abs(z)), (0,), ()),
    "third derivative": (lambda z: np.maximum(z, 0) ** 3, (0,), ()),
    "step": (lambda z: (z > 0) * 1.0, (), (0,)),
    "hard shrinkage": (lambda z: np.where(np.abs(z) > 0.5, z, 0), (), (-0.5, 0.5)),
    "staircase": (lambda z: np.floor(np.clip(z, -3, 3)), (), (-2, -1, 0, 1, 2, 3)),
    "both": (lambda z: np.where(z > 2, 5, np.abs(z)), (0,), (2,)),
    "small jump": (lambda z: np.tanh(z) + 1e-7 * (z > 1), (), (1,)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_have_none(name):
    assert find_breaks(SMOOTH[name]) == ((), ())


@pytest.mark.parametrize("name", KINKED)
def test_breaks_are_found(name):
    function, kinks, jumps = KINKED[name]
    found = find_breaks(function)
    assert found[0] == pytest.approx(kinks, abs=1e-10)
    assert found[1] == pytest.approx(jumps, abs=1e-15)


@given(st.floats(-8, 8), st.floats(0.01, 2), st.booleans())
def test_wherever_they_are(place, height, jump):
    if jump:
        kinks, jumps = find_breaks(lambda z: np.tanh(z) + height * (z > place))
        assert kinks == ()
        assert jumps == pytest.approx([place], abs=1e-14)
        assert is_jump(lambda z: np.tanh(z) + height * (z > place), jumps[0])
    else:
        kinks, jumps = find_breaks(lambda z: np.tanh(z) + height * np.maximum(z - place, 0))
        assert jumps == ()
        assert kinks == pytest.approx([place], abs=1e-8)


def test_what_is_not_finite_is_passed_over():
    assert find_breaks(lambda z: np.exp(z**2)) == ((), ())
    assert find_breaks(lambda z: np.where(z < 40, np.abs(z), np.inf))[0] == (0.0,)


def test_the_two_sides_of_a_jump():
    assert one_sided_values(lambda z: np.where(z >= 1 / 3, 2.0, -1.0), 1 / 3) == (-1.0, 2.0)
    assert is_jump(lambda z: (z > 1 / 3) * 1.0, 1 / 3)
    assert not is_jump(lambda z: (z > 1 / 3) * 1.0, 0.3)


def test_branches_that_meet_but_for_rounding_are_no_jump():
    assert not is_jump(lambda z: np.where(z > 1, z - 1, 1e-16), 1.0)


@pytest.mark.parametrize("place", [-30.0, -0.7, 1e-5, 3e-3, 1.0, 7.7])
def test_narrow_features_are_found_where_they_are(place):
    width = abs(place) / 2000
    found = find_features(lambda z: np.tanh(z) + 0.01 * abs(place) * np.exp(-(((z - place) / width) ** 2)))
    assert found
    assert min(low for low, _ in found) < place < max(high for _, high in found)
    assert all(abs(end - place) < 20 * width for pair in found for end in pair)


@pytest.mark.parametrize(
    "function",
    [np.tanh, np.exp, lambda z: np.sin(3000 * z), lambda z: np.tanh(1e6 * z), lambda z: z**3, np.zeros_like],
    ids=["tanh", "exp", "fast sine", "steep tanh", "cube", "zero"],
)
def test_there_are_none_in_what_is_smooth_or_narrow_everywhere(function):
    assert find_features(function) == ()
