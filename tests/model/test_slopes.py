"""Derivatives of functions that state none: right to 1e-6 by an independent road, or refused by theory and engine alike."""

import math

import mpmath
import numpy as np
import pytest
from scipy import special

import varprop as vp
from varprop.engine.rules import Slope
from varprop.model.activations import Activation

pytestmark = pytest.mark.false_alarm(0)  # nothing is drawn, but for what is compared number by number

WIDTH = 1e-3  # of the bump, at 0.7


def bump(z):
    return z + 0.01 * np.exp(-0.5 * ((z - 0.7) / WIDTH) ** 2)


def bump_slope(z):
    return 1 - 0.01 * (z - 0.7) / WIDTH**2 * np.exp(-0.5 * ((z - 0.7) / WIDTH) ** 2)


def moments_of_the_bump(q):
    """E[b^2], E[b'] and E[b'^2].

    exp(-(z - c)^2 / (2 v)) N(z; 0, q) is sqrt(2 pi v) N(c; 0, v + q) N(z; c q / (v + q), v q / (v + q)).
    """
    c, height = 0.7, 0.01

    def part(v):
        mass = math.sqrt(v / (v + q)) * math.exp(-0.5 * c * c / (v + q))
        away = c * q / (v + q) - c
        return mass, mass * away, mass * (away**2 + v * q / (v + q))

    single, square = part(WIDTH**2), part(WIDTH**2 / 2)
    return height**2 * square[0], -height / WIDTH**2 * single[1], (height / WIDTH**2) ** 2 * square[2]


def bump_moment(q):
    _, first, second = moments_of_the_bump(q)
    return 1 + 2 * first + second


def swish(z):
    return z / (1 + np.exp(-z))


def swish_slope(z, exp=np.exp):
    return (1 + exp(-z) + z * exp(-z)) / (1 + exp(-z)) ** 2


def integrated(slope, q, points):
    """E[slope(z)^2], z ~ N(0, q), by mpmath between the points, in z."""
    with mpmath.workdps(25):
        s = mpmath.sqrt(q)
        ends = sorted(x for x in {-12, *range(-10, 11, 2), 12, *(p / s for p in points)} if abs(x) <= 12)
        return float(mpmath.quad(lambda x: mpmath.npdf(x) * slope(s * x) ** 2, ends))


def sine(k):
    return (lambda z: np.sin(k * z)), (lambda z: k * np.cos(k * z)), lambda q: k**2 * (1 + math.exp(-2 * k**2 * q)) / 2


# phi, phi', E[phi'^2] under N(0, q), and some q.
FUNCTIONS = {
    "sin 1z": (*sine(1.0), [1.0, 1e-6]),
    "sin 300z": (*sine(300.0), [1.0]),
    "sin 512 pi z": (*sine(512 * math.pi), [1e-2, 1e-6]),  # of which a stencil with step 1/256 sees nothing
    "sin 3000z": (*sine(3000.0), [1e-3, 1e-7]),
    "steep tanh": (
        lambda z: np.tanh(1000 * z),
        lambda z: 1000 / np.cosh(np.clip(1000 * z, -300, 300)) ** 2,
        lambda q: integrated(
            lambda z: 1000 * mpmath.sech(1000 * z) ** 2,
            q,
            [side * m / 1000 for side in (-1, 1) for m in (0, 2, 5, 12, 30)],
        ),
        [1.0],
    ),
    "squared relu": (
        lambda z: np.maximum(z, 0) ** 2,
        lambda z: 2 * np.maximum(z, 0),
        lambda q: 2 * q,
        [1e-30, 1.0, 1e24],
    ),
    "swish": (swish, swish_slope, lambda q: integrated(lambda z: swish_slope(z, mpmath.exp), q, ()), [1e-6, 1.0, 50.0]),
    "snake": (
        lambda z: z + np.sin(20 * z) ** 2 / 20,
        lambda z: 1 + np.sin(40 * z),
        lambda q: 1 + (1 - math.exp(-2 * 40**2 * q)) / 2,
        [1.0, 1e-4],
    ),
    "kink off 0": (
        lambda z: np.maximum(z - 0.37, 0),
        lambda z: (z >= 0.37) * 1.0,
        lambda q: special.ndtr(-0.37 / math.sqrt(q)),
        [0.1, 1.0],
    ),
    "kink far out": (  # beyond where kinks are looked for
        lambda z: z + np.maximum(z - 70.3, 0),
        lambda z: 1 + (z >= 70.3) * 1.0,
        lambda q: 1 + 3 * special.ndtr(-70.3 / math.sqrt(q)),
        [400.0],
    ),
    "narrow bump": (
        bump,
        bump_slope,
        bump_moment,
        [0.2, 1.0],
    ),
    "softsign": (
        lambda z: z / (1 + np.abs(z)),
        lambda z: (1 + np.abs(z)) ** -2,
        lambda q: integrated(lambda z: 1 / (1 + abs(z)) ** 2, q, [0]),
        [1e-6, 1.0],
    ),
}
REFUSED = {
    "quantised": lambda z: np.round(100 * z) / 100,
    "single precision": lambda z: np.sin(z.astype(np.float32)).astype(z.dtype),
    "noise": lambda z: np.tanh(z) + 1e-5 * np.sin(1e14 * z),
}


def activation(name):
    return Activation(name=name, value=FUNCTIONS[name][0])


@pytest.mark.parametrize(("name", "q"), [(name, q) for name, (*_, many) in FUNCTIONS.items() for q in many])
def test_the_second_moment_is_that_of_an_independent_road(name, q):
    assert activation(name).derivative_second_moment(q) == pytest.approx(FUNCTIONS[name][2](q), rel=1e-6)


@pytest.mark.parametrize("derivative", [None, lambda z: bump_slope(z) - 1], ids=["found", "stated"])
def test_a_bump_is_not_overlooked(derivative):
    phi = Activation(name="bump", value=lambda z: bump(z) - z, derivative=derivative)
    for q in (0.2, 1.0):
        second, _, slope = moments_of_the_bump(q)
        assert phi.second_moment(q) == pytest.approx(second, rel=1e-6)
        assert phi.derivative_second_moment(q) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_engine_takes_the_same_slopes_as_theory_and_they_are_right(name, dtype):
    phi, scale = activation(name), math.sqrt(FUNCTIONS[name][3][0])
    z = (scale * special.ndtri((np.arange(2000) + 0.5) / 2000)).astype(dtype).reshape(2, 10, 100)
    sampled = Slope(phi, z, phi(z)).values()
    assert sampled.dtype == dtype
    assert np.array_equal(sampled, phi.slope(z))
    exact = FUNCTIONS[name][1](z.astype(np.float64))
    typical = math.sqrt(np.mean(exact**2))
    # float32 numbers keep what was found from float64 values of phi: to 6e-8 of the slope itself.
    assert np.all(np.abs(sampled - exact) <= 1e-8 * typical + np.finfo(dtype).eps * np.abs(exact))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_had_is_refused_by_theory_and_engine(name, dtype):
    phi = Activation(name="own", value=REFUSED[name])
    z = special.ndtri((np.arange(2000) + 0.5) / 2000).astype(dtype).reshape(2, 10, 100)
    slope = Slope(phi, z, phi(z))
    with pytest.raises(ValueError, match=r"'own', taken by differences, is refused: .*derivative=\.\.\."):
        slope.values()
    if dtype is np.float64:
        with pytest.raises(ValueError, match=r"'own', taken by differences, is refused: .*derivative=\.\.\."):
            phi.derivative_second_moment(1.0)


def test_what_is_stated_is_taken():
    # The same function with its derivative: what its author says is not doubted.
    phi = Activation(name="own", value=REFUSED["quantised"], derivative=np.zeros_like, kinks=())
    z = np.linspace(-3, 3, 100).reshape(1, 1, 100)
    assert not Slope(phi, z, phi(z)).values().any()
    assert phi.derivative_second_moment(1.0) == 0


def test_known_jumps_have_slope_zero_in_the_engine_and_no_second_moment_in_theory():
    phi = Activation(name="own", value=lambda z: np.round(4 * z) / 4)
    z = np.linspace(-3, 3, 101).reshape(1, 1, 101)
    assert len(phi.jumps) > 500
    assert not Slope(phi, z, phi(z)).values().any()
    with pytest.raises(ValueError, match="infinite: phi jumps"):
        phi.derivative_second_moment(1.0)


def sine_of_3000_z(z):
    return np.sin(3000 * z)


def net(**derivative):
    phi = Activation(name="sine", value=sine_of_3000_z, **derivative)
    weights = {"name": "uniform", "limit": math.sqrt(6 / 64) / 3000}
    return vp.mlp([64] * 5, activation=phi, weights=weights)


def gradients(frame, column):
    rows = frame[frame["quantity"] == "gradient_second_moment"]
    return rows[column].to_numpy()


def test_gradients_of_a_fast_sine_are_predicted():
    # In units of 1/3000, z_l ~ N(0, q_l): q_1 = 2, q_(l+1) = 2 E[sin^2] = 1 - exp(-2 q_l), and back through a layer goes
    # the factor 2 E[cos^2] = 1 + exp(-2 q_l).
    q = [2.0]
    for _ in range(3):
        q.append(1 - math.exp(-2 * q[-1]))
    back = [1 + math.exp(-2 * v) for v in q[:3]]
    expected = [math.prod(back[layer:]) for layer in range(4)]
    assert expected == pytest.approx([1.37, 1.34, 1.18, 1.0], abs=0.006)
    assert gradients(vp.predict(net()), "predicted") == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-5), ("float64", 1e-8)])
def test_gradients_of_a_fast_sine_are_sampled(dtype, error):
    """The same draws with the derivative stated: whatever they are, the gradients agree to the error of the slopes."""
    stated = net(derivative=lambda z: 3000 * np.cos(3000 * z.astype(np.float64)))
    own, exact = (
        gradients(vp.simulate(n, n_networks=20, rng=1, dtype=dtype).to_frame(), "value") for n in (net(), stated)
    )
    assert own == pytest.approx(exact, rel=error)
    # The control: with a step of 1/256 gradients would be smaller by 200 from layer to layer.
    assert 0.5 < own.mean() < 2
