"""Signals keep their digits and their scale."""

import numpy as np
import pytest

from varprop.engine.signal import Signal, SignalRangeError, gram, row_count, row_dot, row_sum

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


@pytest.mark.parametrize("units", [1, 7, 1024, 1025, 65_536])
def test_float32_sums_keep_a_relative_error_of_1e_6(units, rng):
    x = rng.standard_normal((3, 1, units), dtype=np.float32) + np.float32(0.5)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(row_dot(x, x), (wide**2).sum(-1), rtol=1e-6)
    # A sum's error is relative to the sum of magnitudes, which is what cannot cancel.
    assert np.all(np.abs(row_sum(x) - wide.sum(-1)) <= 1e-6 * np.abs(wide).sum(-1))
    np.testing.assert_array_equal(row_count(x > 0), (x > 0).sum(-1))


@pytest.mark.parametrize("units", [2, 3, 7, 100, 257, 1025])
def test_equal_numbers_have_variance_zero(units):
    """Exactly, though the mean of 257 times 0.1 is rounded; and numbers a last digit apart have one."""
    x = np.repeat([[[0.1], [1 / 3], [0.0], [-1e-30]], [[1e40], [2.0], [1e-3], [1.0]]], units, axis=2)
    assert (Signal(x).variance() == 0).all()
    x[0, 0, -1] = np.nextafter(x[0, 0, -1], 1)
    assert Signal(x).variance()[0, 0] > 0


def test_variance_keeps_its_digits_where_the_mean_dominates(rng):
    x = (1.0 + 1e-3 * rng.standard_normal((4, 2, 300))).astype(np.float32)
    np.testing.assert_allclose(Signal(x).variance(), x.astype(np.float64).var(axis=-1, ddof=1), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-36, 1e-25, 1e-12, 1.0, 1e12, 1e25, 1e36])
def test_moments_survive_squares_beyond_float32(scale, rng):
    x = (rng.standard_normal((5, 2, 64)) * scale).astype(np.float32)
    wide = x.astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):  # as in propagate
        signal = Signal(x)
    np.testing.assert_allclose(signal.second_moment(), (wide**2).mean(-1), rtol=2e-6)
    np.testing.assert_allclose(signal.variance(), wide.var(axis=-1, ddof=1), rtol=2e-6)
    np.testing.assert_allclose(signal.mean(), wide.mean(-1), atol=1e-6 * scale)


def test_each_network_has_its_own_scale_and_a_dead_one_stays_dead():
    x = np.stack([np.full((1, 8), 1e-30), np.zeros((1, 8)), np.ones((1, 8))]).astype(np.float32)
    signal = Signal(x)
    np.testing.assert_allclose(signal.second_moment()[:, 0], [float(np.float32(1e-30)) ** 2, 0.0, 1.0], rtol=1e-6)
    np.testing.assert_array_equal(signal.true_values("here"), x)


def test_a_scale_that_the_type_cannot_hold_is_refused_when_it_is_needed():
    tiny = Signal(np.full((1, 1, 4), 0.5, dtype=np.float32), np.array([-400]))
    with pytest.raises(SignalRangeError, match="vanished below what float32 can hold"):
        tiny.true_values("tanh")
    huge = Signal(np.full((1, 1, 4), 0.5, dtype=np.float32), np.array([400]))
    with pytest.raises(SignalRangeError, match="grew beyond"):
        huge.true_values("tanh")
    with pytest.raises(SignalRangeError, match="grew beyond"):
        huge.plus(np.ones((1, 1, 4), dtype=np.float32), "biases")
    with pytest.raises(SignalRangeError, match="vanished below"):
        tiny.plus(np.zeros((1, 1, 4), dtype=np.float32), "biases")
    with pytest.raises(SignalRangeError, match="range of float64"):
        Signal(np.full((1, 1, 4), 0.5, dtype=np.float32), np.array([600])).second_moment()
    with pytest.raises(SignalRangeError, match="overflowed float32"):
        Signal(np.full((1, 1, 4), np.inf, dtype=np.float32))


def test_gram_is_all_inner_products_in_float64(rng):
    x = rng.standard_normal((3, 4, 10), dtype=np.float32)
    k = gram(x)
    assert k.dtype == np.float64
    np.testing.assert_allclose(k, np.einsum("nij,nkj->nik", x.astype(float), x.astype(float)), rtol=1e-12, atol=1e-12)


def test_what_is_added_keeps_its_digits_beside_a_signal_too_small_for_the_type():
    """A GELU network whose units are all far below 0 sends on 1e-40; its biases go on as if it were nothing."""
    values = np.full((2, 1, 4), 0.5, dtype=np.float32)
    biases = np.array([[[0.0, -1.0, 2.0, 1e-30]]], dtype=np.float32)
    total = Signal(values, np.array([-400, 3])).plus(biases, "biases")
    np.testing.assert_array_equal(total.true_values("here"), np.concatenate([biases, biases + np.float32(4)]))
