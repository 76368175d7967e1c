"""Hermite series against closed forms, and the truncation error they promise against the one they make."""

import math

import numpy as np
import pytest

from varprop.numerics.hermite import (
    at_mantissa,
    coefficients_in_octave,
    hermite_coefficients,
    hermite_covariance,
    is_settled,
    terms_needed,
)
from varprop.numerics.quadrature import normal_product_expectation


@pytest.mark.parametrize("q", [1e-6, 0.3, 4.0, 20.0])
def test_the_coefficients_of_waves(q):
    # cos(s x) = sum_k (-1)^k s^(2k) exp(-q/2) He_2k(x) / (2k)!, from the generating function.
    k = np.arange(30)
    log_size = 2 * k * math.log(math.sqrt(q)) - q / 2 - np.array([math.lgamma(2 * j + 1) for j in k]) / 2
    found = hermite_coefficients(np.cos, np.array([q]))
    assert found.values[: 2 * k.size : 2, 0] == pytest.approx((-1.0) ** k * np.exp(log_size), abs=4e-15)
    assert found.values[1::2, 0] == pytest.approx(0, abs=4e-15)
    assert found.energy[0] == pytest.approx((1 + math.exp(-2 * q)) / 2, rel=1e-14)
    assert found.remainder[0] <= 2e-15


def test_the_coefficients_of_a_step():
    # E[1{x > 0} h_k(x)] = h_(k-1)(0) / sqrt(2 pi k): a power law, no end to it.
    found = hermite_coefficients(lambda z: (z > 0) * 1.0, np.array([1.0, 50.0]), kinks=(0.0,))
    expected, at_zero = [0.5], [1.0, 0.0]
    for k in range(1, 40):
        expected.append(at_zero[k - 1] / math.sqrt(2 * math.pi * k))
        at_zero.append(-math.sqrt(k / (k + 1)) * at_zero[k - 1])
    assert found.values[:40, 0] == pytest.approx(expected, abs=1e-15)
    assert found.values[:40, 1] == pytest.approx(expected, abs=1e-15)
    assert 0.001 < found.remainder[0] < 0.05


@pytest.mark.parametrize(
    ("function", "kinks", "kernel"),
    [
        (np.cos, (), lambda q, c: np.exp(-q) * np.cosh(c)),
        (lambda z: (z > 0) * 1.0, (0.0,), lambda q, c: 0.25 + np.arcsin(c / q) / (2 * np.pi)),
        (lambda z: np.exp(-z * z), (), lambda q, c: 1 / np.sqrt((1 + 2 * q) ** 2 - 4 * c * c)),
    ],
    ids=["cos", "step", "gaussian"],
)
@pytest.mark.parametrize("q", [0.1, 1.0, 12.0, 100.0])
def test_the_error_is_within_its_bound(function, kinks, kernel, q):
    rho = np.array([-1.0, -0.99, -0.5, 0.0, 0.3, 0.9, 0.9999, 1.0])
    b = hermite_coefficients(function, np.array([q]), kinks)
    found, bound = hermite_covariance(b, b, rho)
    error = np.abs(found - kernel(q, rho * q)) / b.energy
    assert np.all(error <= bound + 1e-14)  # of which exp(-q) cosh(c) has q eps
    assert is_settled(bound[3]).all()


def test_a_series_that_is_too_short_says_so():
    # The control: without its bound the series of a step would be wrong in the fourth digit.
    b = hermite_coefficients(lambda z: (z > 0) * 1.0, np.ones(1), kinks=(0.0,))
    found, bound = hermite_covariance(b, b, np.array([0.9999]))
    exact = 0.25 + math.asin(0.9999) / (2 * math.pi)
    assert 1e-5 < abs(found[0] - exact) <= bound[0] * b.energy[0]
    assert not is_settled(bound).any()


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("exponent", [-20, 0, 2, 4])
def test_tables_agree_with_single_variances(exponent, rng):
    table = coefficients_in_octave(np.tanh, exponent)
    mantissa = rng.uniform(0.5, 1, 30)
    several = at_mantissa(table, mantissa)
    for index in (0, 11, 29):
        alone = hermite_coefficients(np.tanh, np.ldexp(mantissa[[index]], exponent))
        terms = min(len(alone.values), len(several.values))
        size = math.sqrt(alone.energy[0])
        assert np.abs(several.values[:terms, index] - alone.values[:terms, 0]).max() < 4e-15 * size
        assert several.energy[index] == pytest.approx(alone.energy[0], rel=1e-14)


def test_where_a_table_would_not_do_there_is_none():
    assert coefficients_in_octave(lambda z: np.exp(z * z / 5), 0) is None  # grows beyond the window
    assert coefficients_in_octave(np.cos, 7) is None  # E cos(z)^2 falls by exp(-64) over the octave


@pytest.mark.parametrize(
    "function",
    [lambda z: np.exp(4 * z), lambda z: np.tanh(40 * z), lambda z: np.abs(z - 0.37)],
    ids=["exp", "steep", "denied kink"],
)
def test_what_the_panels_do_not_hold_is_left_alone(function):
    b = hermite_coefficients(function, np.array([4.0]))
    _, bound = hermite_covariance(b, b, np.array([0.0, 0.5, 1.0]))
    assert not is_settled(bound).any()


def test_different_variances_and_lengths():
    short, long = hermite_coefficients(np.tanh, np.array([0.25])), hermite_coefficients(np.tanh, np.array([16.0]))
    assert len(short.values) < len(long.values)
    for rho in (0.9, -0.5):
        found, bound = hermite_covariance(short, long, np.array([rho]))
        direct = normal_product_expectation(np.tanh, 0.25, 16.0, rho)
        assert abs(found[0] - direct) <= (bound[0] + 4e-15) * math.sqrt(short.energy[0] * long.energy[0])


def test_a_shortened_series_owns_up_to_all_it_may_have_left_out():
    b = hermite_coefficients(np.tanh, np.ones(1))
    short = b.shortened(terms_needed(0.5))
    found, bound = hermite_covariance(short, short, np.array([0.5, 0.99]))
    whole, _ = hermite_covariance(b, b, np.array([0.5, 0.99]))
    assert found[0] == pytest.approx(whole[0], rel=1e-15)
    assert is_settled(bound).tolist() == [True, False]
    assert b.shortened(10**6) is b


def test_terms_needed():
    assert terms_needed(0.0) == 1
    assert terms_needed(1.0) == terms_needed(1 - 1e-12) == 4096
    assert 0.5 ** terms_needed(0.5) < 2.0**-53
