"""Quadrature against mpmath, against closed forms that share nothing with it, and against itself."""

import math

import mpmath
import numpy as np
import pytest
from scipy import special

from varprop.numerics.quadrature import integration_gap, normal_expectation, normal_product_expectation, unresolved

SMOOTH = {
    "tanh^2": (lambda z: np.tanh(z) ** 2, lambda z: mpmath.tanh(z) ** 2),
    "softplus": (lambda z: np.logaddexp(0, z), lambda z: mpmath.log(1 + mpmath.exp(z))),
    "sech^4": (lambda z: np.cosh(np.clip(z, -300, 300)) ** -4.0, lambda z: mpmath.sech(z) ** 4),
}


def by_mpmath(function, q, kinks=()):
    """E[g(z)] to 25 digits, on panels as narrow as the function's own features."""
    with mpmath.workdps(25):
        s = mpmath.sqrt(mpmath.mpf(q))
        features = [
            k / s for k in (*range(-8, 9, 2), *(-(4.0**j) for j in range(2, 5)), *(4.0**j for j in range(2, 5)))
        ]
        points = sorted(x for x in {*features, *(k / s for k in kinks), *range(-12, 13, 2)} if abs(x) <= 12)
        return float(mpmath.quad(lambda x: mpmath.npdf(x) * function(s * x), points))


@pytest.mark.parametrize("q", [1e-4, 0.3, 7.0, 1e4])
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_agree_with_mpmath(name, q):
    ours, theirs = SMOOTH[name]
    assert normal_expectation(ours, np.array([q]))[0] == pytest.approx(by_mpmath(theirs, q), rel=2e-15)


def test_jumps_are_resolved():
    # P(|z| < 1) = erf(1 / sqrt(2 q)), on which Gauss-Hermite does not converge.
    for q in (1e-4, 0.04, 1.0, 9.0, 1e4):
        inside = normal_expectation(lambda z: (np.abs(z) < 1) * 1.0, np.array([q]), kinks=(-1.0, 1.0))[0]
        assert inside == pytest.approx(math.erf(1 / math.sqrt(2 * q)), rel=4e-15)


@pytest.mark.parametrize("q", [0.01, 1.0, 30.0])
def test_breaks_that_are_not_told_are_found(q):
    inside = normal_expectation(lambda z: (np.abs(z) < 1.1) * 1.0, np.array([q]))[0]
    assert inside == pytest.approx(math.erf(1.1 / math.sqrt(2 * q)), rel=1e-9)
    clipped = normal_expectation(lambda z: np.maximum(z - 0.3, 0), np.array([q]))[0]
    h = 0.3 / math.sqrt(q)
    expected = math.sqrt(q) * (math.exp(-h * h / 2) / math.sqrt(2 * math.pi) - h * special.ndtr(-h))
    assert clipped == pytest.approx(expected, rel=1e-9)


def test_one_set_of_panels_would_not_resolve_a_jump():
    # The control: halving is what makes the test above pass.
    nodes, weights = np.polynomial.legendre.leggauss(20)
    x = (np.arange(-13, 13)[:, None] + (1 + nodes) / 2).ravel()
    mass = np.tile(weights / 2, 26) * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    inside = (np.abs(x) < 1.1) * 1.0
    assert inside @ mass != pytest.approx(math.erf(1.1 / math.sqrt(2)), rel=1e-6)
    assert np.flatnonzero(unresolved(inside, mass)).tolist() == [11, 14]


@pytest.mark.parametrize("rate", [20.0, 1000.0])
def test_narrow_features_are_resolved(rate):
    # E tanh(rate z)^2 under N(0, 1) is E tanh(z)^2 under N(0, rate^2).
    steep = normal_expectation(lambda z: np.tanh(rate * z) ** 2, np.array([1.0]))[0]
    assert steep == pytest.approx(normal_expectation(lambda z: np.tanh(z) ** 2, np.array([rate**2]))[0], rel=1e-12)
    pair = normal_product_expectation(lambda z: np.tanh(rate * z), 1.0, 1.0, 0.5)
    assert pair == pytest.approx(normal_product_expectation(np.tanh, rate**2, rate**2, 0.5), rel=1e-11)


def test_waves_are_followed_far_out():
    # E cos(z1) cos(z2) = exp(-q (1 - rho)) / 2 for q this large.
    found = normal_product_expectation(np.cos, 2500.0, 2500.0, 1 - 1e-4)
    assert found == pytest.approx(math.exp(-0.25) / 2, rel=1e-9)


def test_what_cannot_be_resolved_is_refused():
    with pytest.raises(ValueError, match="more narrow features, or more noise"):
        normal_expectation(lambda z: np.sin(1e9 * z) ** 2, np.array([1.0]))
    with pytest.raises(ValueError, match="more narrow features, or more noise"):
        normal_product_expectation(lambda z: np.sin(1e4 * z), 1.0, 1.0, 0.5)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("function", "kinks"),
    [
        (lambda z: np.tanh(z) ** 2, ()),
        (np.abs, (0.0,)),
        (lambda z: np.clip(z, -1, 1), (-1.0, 1.0)),
        (lambda z: (z > 2) * 1.0, (2.0,)),
        (lambda z: np.exp(0.1 * z), ()),
    ],
    ids=["tanh^2", "abs", "hard_tanh", "step at 2", "exp"],
)
def test_interpolation_over_many_q_agrees_with_one_at_a_time(function, kinks, rng):
    q = np.exp(rng.uniform(math.log(1e-3), math.log(1e3), (40, 100)))
    together = normal_expectation(function, q, kinks)
    chosen = rng.integers(0, [[40], [100]], (2, 200))
    alone = np.array([normal_expectation(function, q[i, j], kinks) for i, j in chosen.T])
    size = np.array([normal_expectation(lambda z: np.abs(function(z)), q[i, j], kinks) for i, j in chosen.T])
    assert np.all(np.abs(together[tuple(chosen)] - alone) <= 1e-14 * size)


def test_where_the_expectation_grows_too_fast_to_interpolate_it_is_integrated():
    q = np.linspace(8.0, 15.9, 60)  # exp(q / 2) grows by e^4 over the octave
    assert normal_expectation(np.exp, q) == pytest.approx(np.exp(q / 2), rel=1e-13)


@pytest.mark.false_alarm(0)
def test_zeros_among_many_values(rng):
    q = np.where(rng.random(5000) < 0.5, 0.0, rng.uniform(0.5, 1, 5000))
    found = normal_expectation(lambda z: 1 + np.tanh(z) ** 2, q)
    assert np.all(found[q == 0] == pytest.approx(1, rel=1e-15))
    assert np.all(found[q > 0] > 1.2)
    assert normal_expectation(lambda z: z * z, np.array([5e-324, 1e-320, 1e-300])) == pytest.approx([0, 0, 1e-300])


def test_shapes_and_zero_variance():
    q = np.array([[0.0, 1.0, 4.0]])
    assert normal_expectation(lambda z: 3.0 + z, q).shape == (1, 3)
    assert normal_expectation(lambda z: 3.0 + z, q)[0] == pytest.approx([3.0] * 3, rel=1e-14)
    assert normal_expectation(np.cos, np.array(0.0)).shape == ()


def test_what_the_window_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="grows so fast"):
        normal_expectation(lambda z: np.exp(0.51 * z**2 - 200), np.array([1.0]))
    with pytest.raises(ValueError, match="not finite"):
        normal_expectation(np.exp, np.array([1e4]))
    with pytest.raises(ValueError, match="not finite"):
        normal_product_expectation(np.log, 1.0, 1.0, 0.5)


@pytest.mark.parametrize("threshold", [3.0, 12.5, 20.0, 36.0])
def test_what_starts_far_out_is_found(threshold):
    beyond = normal_expectation(lambda z: (z > threshold) * 1.0, np.array([1.0]), kinks=(threshold,))[0]
    assert beyond == pytest.approx(special.ndtr(-threshold), rel=1e-13)


@pytest.mark.parametrize("k", [1.0, 5.0, 15.0])
def test_exponential_growth_is_followed(k):
    assert normal_expectation(lambda z: np.exp(k * z), np.array([1.0]))[0] == pytest.approx(
        np.exp(k * k / 2), rel=1e-13
    )
    pair = normal_product_expectation(lambda z: np.exp(k * z / 2), 1.0, 1.0, 0.5)
    assert pair == pytest.approx(np.exp(3 * k * k / 8), rel=1e-13)


RHO = [-1.0, -1 + 1e-9, -0.99, -0.3, 0.0, 1e-300, 0.6, 0.999, 1 - 1e-15, 1.0]


@pytest.mark.parametrize("rho", RHO)
@pytest.mark.parametrize(("q1", "q2"), [(1.0, 1.0), (1e-4, 3.0), (50.0, 0.2), (1e4, 1e4)])
def test_the_quadrant_probability(q1, q2, rho):
    # P(z1 > 0, z2 > 0) = 1/4 + asin(rho) / (2 pi): Sheppard, by geometry.
    both = normal_product_expectation(lambda z: (z > 0) * 1.0, q1, q2, rho, kinks=(0.0,))
    assert both == pytest.approx(0.25 + math.asin(rho) / (2 * math.pi), abs=2e-15)


@pytest.mark.parametrize("rho", RHO)
@pytest.mark.parametrize(("q1", "q2"), [(1.0, 1.0), (0.5, 2.0), (10.0, 0.1)])
def test_the_characteristic_function(q1, q2, rho):
    # cos(z1) cos(z2) = (cos(z1 + z2) + cos(z1 - z2)) / 2, each of a normal variable.
    expected = math.exp(-(q1 + q2) / 2) * math.cosh(rho * math.sqrt(q1 * q2))
    assert normal_product_expectation(np.cos, q1, q2, rho) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("rho", [-0.9, 0.2, 0.95])
def test_a_kink_away_from_zero(rho):
    # E[1{z1 > 1} 1{z2 > 1}] by Owen's T for equal thresholds: Phi(-h) - 2 T(h, sqrt((1 - r) / (1 + r))).
    h = 1 / math.sqrt(2.0)
    expected = special.ndtr(-h) - 2 * special.owens_t(h, math.sqrt((1 - rho) / (1 + rho)))
    both = normal_product_expectation(lambda z: (z > 1) * 1.0, 2.0, 2.0, rho, kinks=(1.0,))
    assert both == pytest.approx(expected, abs=2e-15)


@pytest.mark.parametrize("rho", [-0.8, 0.5, 0.9])
def test_a_smooth_kernel_agrees_with_its_hermite_series(rho):
    # Mehler: E g(z1) g(z2) = sum_k b_k(q1) b_k(q2) rho^k, b_k = E[g(s x) He_k(x)] / sqrt(k!), by Gauss-Hermite.
    x, weights = np.polynomial.hermite_e.hermegauss(240)
    weights /= weights.sum()
    polynomials = [np.ones_like(x), x]
    for k in range(2, 80):  # normalised He_k
        polynomials.append((x * polynomials[-1] - math.sqrt(k - 1) * polynomials[-2]) / math.sqrt(k))
    b1, b2 = (np.array(polynomials) @ (weights * np.tanh(math.sqrt(q) * x)) for q in (0.3, 0.5))
    series = np.sum(b1 * b2 * rho ** np.arange(80))
    assert normal_product_expectation(np.tanh, 0.3, 0.5, rho) == pytest.approx(series, rel=1e-12)


def test_the_product_does_not_depend_on_the_order_of_its_arguments():
    assert normal_product_expectation(np.tanh, 3.0, 0.1, 0.4) == normal_product_expectation(np.tanh, 0.1, 3.0, 0.4)


@pytest.mark.parametrize("q", [1e-20, 1.0, 1e10])
def test_a_derivative_is_held_against_its_function(q):
    s = math.sqrt(q)
    assert integration_gap(lambda z: np.tanh(z / s), lambda z: np.cosh(z / s) ** -2.0 / s, q) < 1e-13
    # Wrong by 1e-5 for z > s only, by what lies there; and a function that jumps where its derivative is said to be 0.
    wrong = integration_gap(lambda z: z / s, lambda z: (1 + 1e-5 * (z > s)) / s, q, [s])
    assert wrong == pytest.approx(1e-5 * special.ndtr(-1), rel=1e-4)
    assert integration_gap(lambda z: np.round(z / s), np.zeros_like, q) == math.inf
    # At a kink that is told it may jump.
    assert integration_gap(lambda z: np.sign(z - s) + z / s, lambda z: np.full_like(z, 1 / s), q, [s]) < 1e-13
