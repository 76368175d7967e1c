"""The bivariate normal law against mpmath, against quadrature in the plane, and against geometry."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from varprop.numerics.bivariate import angle_between, bivariate_normal_cdf, complement, quadrant_integral, residual
from varprop.numerics.quadrature import normal_expectation

RHO = [-1.0, -1 + 1e-15, -1 + 1e-9, -0.9999, -0.6, 0.0, 1e-9, 0.9, 0.9999, 1 - 1e-9, 1 - 1e-14, 1.0]
limits = st.floats(-9, 9)
correlations = st.one_of(
    st.floats(-1, 1), st.floats(0, 1e-6).map(lambda d: 1 - d), st.floats(0, 1e-6).map(lambda d: d - 1)
)


def by_mpmath(h, k, rho):
    """P(x <= h, y <= k) as an integral over x, to 20 digits."""
    with mpmath.workdps(20):
        h, k, rho = mpmath.mpf(h), mpmath.mpf(k), mpmath.mpf(rho)
        if abs(rho) == 1:
            return float(mpmath.ncdf(min(h, k)) if rho == 1 else max(0, mpmath.ncdf(h) - mpmath.ncdf(-k)))
        t = mpmath.sqrt((1 - rho) * (1 + rho))
        # y's distribution given x turns from 0 to 1 around x = k / rho, over a width t / |rho|.
        turn = [k / rho + j * t / abs(rho) for j in (-16, -4, 0, 4, 16)] if rho else []
        points = sorted({x for x in [*turn, *map(mpmath.mpf, range(-16, 17, 4))] if -16 <= x < h} | {h})
        return float(mpmath.quad(lambda x: mpmath.npdf(x) * mpmath.ncdf((k - rho * x) / t), points))


@pytest.mark.parametrize("rho", RHO)
def test_the_distribution_function_agrees_with_mpmath(rho):
    points = [(0, 0), (1, -1), (0, 1.5), (0.3, 0.3 + 1e-7), (-2, -2.5), (1e-300, 1)]
    for h, k in points:
        assert float(bivariate_normal_cdf(h, k, rho)) == pytest.approx(by_mpmath(h, k, rho), abs=4e-16)


@pytest.mark.parametrize("rho", [-0.999, -0.4, 0.0, 0.7, 0.99])
def test_the_distribution_function_agrees_with_quadrature(rho):
    # Of P(y <= k | x) over x <= h: nothing is shared with Owen's function.
    h, k, t = 0.4, -1.1, math.sqrt(1 - rho * rho)
    kinks = sorted({h, *(k / rho + j * t / abs(rho) for j in range(-8, 9, 2))} if rho else {h})
    inner = normal_expectation(lambda x: (x <= h) * special.ndtr((k - rho * x) / t), np.array(1.0), kinks)
    assert float(bivariate_normal_cdf(h, k, rho)) == pytest.approx(float(inner), abs=1e-15)


@given(limits, limits, correlations)
def test_quadrants_add_up(h, k, rho):
    # P(x <= h, y <= k) + P(x <= h, -y <= -k) = P(x <= h), and the order does not matter.
    both = float(bivariate_normal_cdf(h, k, rho))
    assert both + float(bivariate_normal_cdf(h, -k, -rho)) == pytest.approx(special.ndtr(h), abs=1e-15)
    assert both == pytest.approx(float(bivariate_normal_cdf(k, h, rho)), abs=4e-16)
    assert 0 <= both <= min(special.ndtr(h), special.ndtr(k)) + 4e-16


def test_infinite_limits():
    h = np.array([-1.0, 0.5])
    assert bivariate_normal_cdf(h, np.inf, 0.3) == pytest.approx(special.ndtr(h), abs=4e-16)
    assert bivariate_normal_cdf(np.inf, h, -1.0) == pytest.approx(special.ndtr(h), abs=4e-16)
    assert not bivariate_normal_cdf(h, -np.inf, 0.3).any()


def test_what_the_plain_difference_would_round_away():
    # Control included: k - rho h for h = k, where nearly all of the product's digits cancel.
    h, rho = np.linspace(0.1, 5, 50), 1 - 1e-14
    with mpmath.workdps(40):
        exact = np.array([float(mpmath.mpf(x) - mpmath.mpf(rho) * mpmath.mpf(x)) for x in h])
    assert residual(h, h, np.full(50, rho)) == pytest.approx(exact, rel=1e-15, abs=0)
    assert np.max(np.abs((h - rho * h) / exact - 1)) > 1e-3


def test_angles_near_the_ends():
    for rho in (1 - 1e-15, -1 + 1e-15, 0.3):
        with mpmath.workdps(40):
            exact, root = float(mpmath.acos(rho)), float(mpmath.sqrt(1 - mpmath.mpf(rho) ** 2))
        assert float(angle_between(np.array(rho))) == pytest.approx(exact, rel=4e-16)
        assert float(complement(np.array(rho))) == pytest.approx(root, rel=4e-16)


@pytest.mark.parametrize("rho", [-1.0, -0.999999, -0.5, 0.3, 0.999, 1.0])
@pytest.mark.parametrize(("s1", "s2"), [(1.0, 1.0), (1e-3, 1e-3), (100.0, 1.0), (0.1, 300.0), (100.0, 100.0)])
def test_an_exponential_over_a_quadrant(s1, s2, rho):
    # E[exp(-z1 - z2); z1 > 0, z2 > 0], inner integral in closed form, outer over z1 / s1 = x > 0.
    def radial(a, b):
        g = (a + b) / math.sqrt(2)
        return (1 - g * math.sqrt(math.pi) * special.erfcx(g)) / (2 * math.pi)

    point = [np.array(value) for value in (s1, s2, angle_between(np.array(-rho)))]
    found = float(quadrant_integral(radial, *point))
    t = math.sqrt((1 - rho) * (1 + rho))
    with mpmath.workdps(18):

        def inner(x):
            # y given x is N(rho x, t^2), and y > 0: exp(-s2 y) tilts it.
            if t == 0:
                return mpmath.exp(-s2 * rho * x) if rho > 0 else mpmath.mpf(0)
            tilt = mpmath.exp(-s2 * rho * x + mpmath.mpf(s2 * t) ** 2 / 2)
            return tilt * mpmath.ncdf((rho * x - s2 * t * t) / t)

        scale = 1 / mpmath.mpf(1 + s1 + s2 * max(rho, 0))
        turn = [abs(t) * j for j in (1, 4, 16)]
        points = sorted({x for x in [0, *(scale * 3**j for j in range(-1, 8)), *turn, 1, 3, 6, 12] if x <= 12})
        exact = float(mpmath.quad(lambda x: mpmath.npdf(x) * mpmath.exp(-s1 * x) * inner(x), points))
    assert found == pytest.approx(exact, rel=2e-11, abs=2e-16)


def test_many_points_and_none():
    angle = np.full((50, 60), np.pi / 3)
    ones = np.ones_like(angle)
    found = quadrant_integral(lambda a, b: 0 * (a + b) + 1, ones, ones, angle)
    assert found.shape == angle.shape
    assert found == pytest.approx(np.pi / 3, rel=1e-15)
    assert quadrant_integral(lambda a, b: a + b, *np.ones((3, 0))).shape == (0,)
