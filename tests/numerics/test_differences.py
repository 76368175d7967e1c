"""Finite differences against exact derivatives, on both sides of a kink."""

import numpy as np
import pytest

from varprop.numerics.differences import finite_difference

Z = np.linspace(-6.0, 6.0, 4001)


@pytest.mark.parametrize(
    ("function", "derivative"),
    [(np.tanh, lambda z: 1 / np.cosh(z) ** 2), (np.sin, np.cos), (lambda z: z**3, lambda z: 3 * z**2)],
    ids=["tanh", "sin", "cube"],
)
def test_smooth_functions(function, derivative):
    size = np.abs(function(Z)).max()
    assert np.abs(finite_difference(function, Z) - derivative(Z)).max() < 3e-13 * size


def test_kinks_are_not_stepped_across():
    z = np.sort(np.concatenate([Z, 1 + np.linspace(-0.02, 0.02, 401)]))
    with_kink = finite_difference(lambda x: np.where(x < 1, np.sin(x), np.sin(1) + 5 * (x - 1)), z, kinks=(1.0,))
    assert np.abs(with_kink - np.where(z < 1, np.cos(z), 5.0)).max() < 1e-11


def test_an_undeclared_kink_is_smeared():
    # The control for the test above.
    assert abs(finite_difference(np.abs, np.array([1e-3]))[0] - 1) > 0.1


def test_at_a_kink_it_is_the_right_derivative():
    assert finite_difference(np.abs, np.array([0.0]), kinks=(0.0,))[0] == pytest.approx(1.0, abs=1e-12)
