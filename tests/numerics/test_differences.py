"""Finite differences against exact derivatives, on both sides of a kink."""

import numpy as np
import pytest

from varprop.numerics.differences import _BOTH_SIDES, _apply, differences, finite_difference

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


def test_a_step_too_wide_for_the_function_is_wrong():
    # The control for the test above, and for all that adapt the step: with only the first step the kink is smeared.
    slope, error, size, _ = _apply(_BOTH_SIDES, np.abs, np.array([1e-3]), np.array([2.0**-8]))
    assert abs(slope[0] - 1) > 0.1
    assert error[0] > 0.1 * size[0]


def test_a_kink_that_is_not_told_is_found_by_its_neighbours():
    z = np.concatenate([Z, [0.0, 1e-3, -1e-3, 1e-9, -1e-9, 1e-15, -1e-15]])
    slope, doubtful = differences(np.abs, z)
    assert np.abs(slope - np.where(z >= 0, 1.0, -1.0)).max() < 1e-10
    assert not doubtful.any()


@pytest.mark.parametrize(
    ("function", "derivative", "error"),
    [
        (lambda z: np.sin(30 * z), lambda z: 30 * np.cos(30 * z), 1e-11),
        (lambda z: np.sin(3000 * z), lambda z: 3000 * np.cos(3000 * z), 1e-9),
        (lambda z: np.sin(1e5 * z), lambda z: 1e5 * np.cos(1e5 * z), 1e-7),
        (lambda z: np.tanh(1000 * z), lambda z: 1000 / np.cosh(np.clip(1000 * z, -300, 300)) ** 2, 1e-9),
        (lambda z: z + bump(z), lambda z: 1 - (z - 0.7) / 1e-6 * bump(z), 1e-9),
        (lambda z: np.sin(z) + 100, np.cos, 1e-10),
    ],
    ids=["sin 30z", "sin 3000z", "sin 1e5z", "tanh 1000z", "bump", "offset"],
)
def test_the_step_fits_the_function(function, derivative, error):
    z = np.concatenate([Z, 1e-3 * Z, 0.7 + 1e-3 * Z])
    exact = derivative(z)
    slope, doubtful = differences(function, z)
    assert np.abs(slope - exact).max() < error * np.abs(exact).max()
    assert not doubtful.any()


def bump(z):
    return 0.01 * np.exp(-0.5 * ((z - 0.7) / 1e-3) ** 2)


@pytest.mark.parametrize("waves", [m / n for n in (1, 2, 3) for m in (1, 2, 5, 7)])
@pytest.mark.parametrize("detuned", [1.0, 1.001])
def test_no_rate_is_taken_for_another(waves, detuned):
    # So many waves in a step of 2^-8 (nearly) that all points of a stencil with equal spaces have (nearly) one value.
    k = 2 * np.pi * 256 * waves * detuned
    z = Z[::20]
    slope, doubtful = differences(lambda x: np.sin(k * x), z)
    assert np.abs(slope - k * np.cos(k * z)).max() < 2e-9 * k
    assert not doubtful.any()


@pytest.mark.parametrize("scale", [1e-100, 1e-20, 1e-8, 1e-4, 1e3, 1e12, 1e100])
def test_z_of_any_size(scale):
    # A square's slope is as small or large as z, and a step of 1/256 is far too wide or far too narrow.
    z = scale * Z
    slope, doubtful = differences(lambda x: np.maximum(x, 0) ** 2, z, kinks=(0.0,))
    assert np.abs(slope - 2 * np.maximum(z, 0)).max() < 1e-9 * scale
    assert not doubtful.any()


def test_between_two_kinks_there_is_room_for_one_side():
    z = np.linspace(-0.01, 0.01, 401)
    slope = finite_difference(lambda x: np.clip(x, -1e-3, 1e-3) + x * x, z, kinks=(-1e-3, 1e-3))
    inside = (z >= -1e-3) & (z < 1e-3)
    assert np.abs(slope - inside - 2 * z).max() < 1e-9


def test_what_has_no_derivative_is_doubtful():
    def noise(z):
        return np.modf(1e9 * np.sin(1e5 * z))[0]

    assert differences(noise, Z)[1].mean() > 0.99
    # Single precision leaves 1e-7 of values uncertain, which over the widest step is more than 1e-6 of many slopes.
    assert differences(lambda z: np.tanh(z.astype(np.float32)), Z)[1].mean() > 0.1


def test_what_is_not_finite_is_left_to_others():
    slope, doubtful = differences(lambda z: np.where(z < 1, z, np.nan), np.array([0.5, 0.999, 2.0]))
    assert slope[:2] == pytest.approx(1.0)
    assert np.isnan(slope[2])
    assert not doubtful.any()


def test_values_do_not_depend_on_their_company():
    def function(z):
        return np.abs(np.abs(z) - 0.3) * z  # made of what NumPy rounds alike in any place

    together = finite_difference(function, Z)
    alone = [finite_difference(function, Z[i : i + 1])[0] for i in range(0, Z.size, 7)]
    assert np.array_equal(together[::7], alone)


def test_at_a_kink_it_is_the_right_derivative():
    assert finite_difference(np.abs, np.array([0.0]), kinks=(0.0,))[0] == pytest.approx(1.0, abs=1e-12)
