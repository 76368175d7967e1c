"""Moments: formula against quadrature, both against independent values, and the laws that hold between them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from varprop.model.activations import Activation, activation_names, get_activation
from varprop.numerics.bivariate import bivariate_normal_cdf
from varprop.numerics.quadrature import normal_expectation

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference.json").read_text(encoding="utf-8"))
SINGLE = {
    "E[phi(z)]": "mean",
    "E[phi(z)^2]": "second_moment",
    "Var(phi(z))": "variance",
    "E[phi'(z)^2]": "derivative_second_moment",
    "E[phi(z)phi'(z)]": "value_derivative_moment",
}
PARAMETRISED = [
    *(("leaky_relu", {"slope": s}) for s in (-1.0, 0.3, 2.5)),
    *(("elu", {"alpha": a}) for a in (-0.5, 1.7)),
    ("celu", {"alpha": 2.5}),
]
EVERY = [get_activation(name) for name in activation_names()] + [get_activation(n, **p) for n, p in PARAMETRISED]
every_activation = pytest.mark.parametrize("phi", EVERY, ids=lambda phi: phi.label)
every_continuous = pytest.mark.parametrize("phi", [phi for phi in EVERY if not phi.jumps], ids=lambda phi: phi.label)
every_jump = pytest.mark.parametrize("phi", [phi for phi in EVERY if phi.jumps], ids=lambda phi: phi.label)
either_method = pytest.mark.parametrize("method", ["auto", "quadrature"])
VARIANCES = np.array([1e-4, 1e-3, 0.1, 0.7, 1.0, 3.0, 25.0, 100.0, 1e3, 1e4])
CORRELATIONS = np.array([-1.0, -0.9999, -1 + 1e-9, -0.95, -0.5, 0.0, 1e-9, 0.3, 0.9, 0.9999, 1 - 1e-14, 1.0])
STENCIL = np.array([-1 / 60, 3 / 20, -3 / 4, 3 / 4, -3 / 20, 1 / 60])
OFFSETS = np.array([-3, -2, -1, 1, 2, 3])


def variances_of(phi):
    """Where quadrature can go: past q = 100 or so, exp(2z) is largest where the window ends."""
    return VARIANCES[VARIANCES <= 100] if phi.name == "exp" else VARIANCES


def pairs_of(phi):
    """Likewise; waves are followed to q = 1e4, but slowly."""
    wide = 100.0 if phi.name in ("exp", "sin", "cos") else 1e4
    return [(1.0, 1.0), (1e-4, 1e-4), (0.5, 2.0), (30.0, 0.01), (wide, wide), (1.0, wide)]


def lost(phi, *q):
    """What the formulas of those that saturate lose: they are differences of rectifiers, s1 s2 in size."""
    return 1e-15 * math.sqrt(math.prod(q)) if phi.name in ("hard_tanh", "hard_sigmoid", "relu6") else 0.0


def activation_of(config):
    """The activation a reference entry speaks of."""
    takes = dict(get_activation(config["activation"]).parameters)
    return get_activation(config["activation"], **{key: config[key] for key in takes if key in config})


def entries(family, quantities):
    chosen = [e for e in REFERENCE if e["family"] == family and e["quantity"] in quantities]
    return pytest.mark.parametrize("entry", chosen, ids=lambda e: e["id"])


@entries("A-single", SINGLE)
def test_reference_moments(entry):
    phi, q = activation_of(entry["config"]), entry["config"]["q"]
    moment = getattr(phi, SINGLE[entry["quantity"]])
    assert moment(q) == pytest.approx(entry["value"], **entry["tolerance"])
    assert moment(q, method="quadrature") == pytest.approx(entry["value"], **entry["tolerance"])


@entries("B-kernel", {"E[phi(z1)phi(z2)]"})
def test_reference_kernels(entry):
    config = entry["config"]
    phi, point = activation_of(config), (config["q1"], config["q2"], config["rho"])
    assert phi.covariance(*point) == pytest.approx(entry["value"], **entry["tolerance"])
    assert phi.covariance(*point, method="quadrature") == pytest.approx(entry["value"], **entry["tolerance"])


def test_reference_correlation_map():
    entry = next(e for e in REFERENCE if e["id"] == "B.relu.cmap10")
    relu, c = get_activation("relu"), [0.0]
    while len(c) <= 10:
        c.append(2 * relu.covariance(1.0, 1.0, c[-1]))
    assert c[1:] == pytest.approx(entry["value"], **entry["tolerance"])


def test_every_reference_value_of_these_families_is_tested():
    spoken_of = {"A-single": set(SINGLE), "B-kernel": {"E[phi(z1)phi(z2)]"}}
    left = [e["id"] for e in REFERENCE if e["quantity"] not in spoken_of.get(e["family"], {e["quantity"]})]
    assert left == ["B.relu.cmap10"]


@pytest.mark.parametrize("moment", SINGLE.values())
@every_activation
def test_formula_agrees_with_quadrature(phi, moment):
    if moment == "derivative_second_moment" and phi.jumps:
        return  # infinite: see below
    needed = ["mean", "second_moment"] if moment == "variance" and not phi.formulas.variance else [moment]
    if any(getattr(phi.formulas, name) is None for name in needed):
        with pytest.raises(ValueError, match="no closed form is known for the"):
            getattr(phi, moment)(1.0, method="formula")
        return
    q = variances_of(phi)
    formula = getattr(phi, moment)(q, method="formula")
    quadrature = getattr(phi, moment)(q, method="quadrature")
    # An odd integrand's moment is 0, and a wave's mean below rounding: compare with the size of the integrand.
    size = np.sqrt(phi.second_moment(q)) if moment in ("mean", "value_derivative_moment") else 0
    assert np.all(np.abs(formula - quadrature) <= np.maximum(1e-12 * np.abs(formula), 1e-15 * size))


@pytest.mark.parametrize(
    ("moment", "single"), [("covariance", "second_moment"), ("derivative_covariance", "derivative_second_moment")]
)
@every_continuous
def test_covariance_formula_agrees_with_quadrature(phi, moment, single):
    if getattr(phi.formulas, moment) is None:
        with pytest.raises(ValueError, match=f"no closed form is known for the {moment}"):
            getattr(phi, moment)(1.0, 1.0, 0.5, method="formula")
        return
    for number, (q1, q2) in enumerate(pairs_of(phi)):
        rho = CORRELATIONS if number == 0 else CORRELATIONS[number % 4 :: 4]
        formula = getattr(phi, moment)(q1, q2, rho, method="formula")
        quadrature = getattr(phi, moment)(q1, q2, rho, method="quadrature")
        size = math.sqrt(getattr(phi, single)(q1) * getattr(phi, single)(q2))
        assert np.abs(formula - quadrature).max() <= max(1e-14 * size, lost(phi, q1, q2))
        # Relative to the value too, where that is not the small rest of a cancellation of larger parts.
        sizeable = np.abs(formula) > 0.05 * size
        assert formula[sizeable] == pytest.approx(quadrature[sizeable], rel=1e-12, abs=lost(phi, q1, q2))


@every_jump
def test_covariances_of_jumps(phi):
    for q1, q2 in [(1e-4, 1e-4), (0.5, 2.0)]:
        formula = phi.covariance(q1, q2, CORRELATIONS, method="formula")
        assert formula == pytest.approx(phi.covariance(q1, q2, CORRELATIONS, method="quadrature"), abs=2e-15)
        inside = CORRELATIONS[np.abs(CORRELATIONS) < 1]
        formula = phi.derivative_covariance(q1, q2, inside, method="formula")
        assert formula == pytest.approx(phi.derivative_covariance(q1, q2, inside, method="quadrature"), rel=1e-13)


@every_jump
def test_what_is_infinite_is_refused(phi):
    for method in ("auto", "formula", "quadrature"):
        with pytest.raises(ValueError, match=f"derivative_second_moment of {phi.name} is infinite: phi jumps at z = 0"):
            phi.derivative_second_moment(1.0, method=method)
        for point in ((1.0, 1.0, 1.0), (1.0, 2.0, -1.0), (0.0, 1.0, 0.5)):
            with pytest.raises(ValueError, match=f"derivative_covariance of {phi.name} is infinite at rho"):
                phi.derivative_covariance(*point, method=method)
    for method in ("auto", "quadrature"):
        with pytest.raises(ValueError, match=r"value_derivative_moment of step is infinite, or beyond .* at q = 0"):
            get_activation("step").value_derivative_moment(0.0, method=method)


def test_jumps_and_slopes_together():
    # phi = z + sign(z - 1): E phi phi' and E phi'(z1) phi'(z2) have a smooth part, deltas, and products of the two.
    phi = Activation(name="own", value=lambda z: z + np.sign(z - 1))
    assert phi.breaks == phi.jumps == (1.0,)
    h, q1, q2, rho = 1 / 128, 0.8, 2.5, 0.6
    price = STENCIL @ phi.covariance(q1, q2, rho + h * OFFSETS) / (h * math.sqrt(q1 * q2))
    assert phi.derivative_covariance(q1, q2, rho) == pytest.approx(price, rel=1e-9)
    by_parts = normal_expectation(lambda z: z * phi(z) ** 2, np.array([q1]), phi.breaks)[0] / (2 * q1)
    assert phi.value_derivative_moment(q1) == pytest.approx(by_parts, rel=1e-13)


def test_exponentials_that_leave_the_range_of_numbers():
    exp = get_activation("exp")
    assert exp.second_moment(300.0) == pytest.approx(math.exp(600), rel=1e-13)
    with pytest.raises(
        ValueError, match="second_moment of exp is infinite, or beyond what float64 can hold, at q = 400"
    ):
        exp.second_moment(np.array([1.0, 400.0]))
    with pytest.raises(ValueError, match="covariance of exp is infinite, or beyond"):
        exp.covariance(400.0, 400.0, 1.0)
    with pytest.raises(ValueError, match="second_moment of exp: the function"):
        exp.second_moment(400.0, method="quadrature")


def elu_kernels_by_phi2(q1, q2, rho, alpha):
    """E phi phi and E phi' phi' of elu, quadrant by quadrant, by the distribution function of two normal variables."""
    s1, s2, c, t = math.sqrt(q1), math.sqrt(q2), rho * math.sqrt(q1 * q2), math.sqrt(1 - rho * rho)

    def density(x):
        return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    def tilted(x, y):
        """E[exp(x z1 + y z2); z1 < 0, z2 < 0]."""
        size = math.exp((x * x * q1 + 2 * x * y * c + y * y * q2) / 2)
        return size * bivariate_normal_cdf(-(x * q1 + y * c) / s1, -(x * c + y * q2) / s2, rho)

    def mixed(y, s1, s2):
        """E[z1 exp(y z2); z1 > 0, z2 < 0]."""
        m, k = y * c / s1, -y * s2
        h = -m
        edge = density(h) * special.ndtr((k - rho * h) / t) - rho * density(k) * special.ndtr(-(h - rho * k) / t)
        return math.exp(y * y * s2 * s2 / 2) * s1 * (edge + m * (special.ndtr(k) - bivariate_normal_cdf(h, k, rho)))

    def tilted_alone(s, other):
        """E[exp(z); z < 0, the other one > 0]."""
        return math.exp(s * s / 2) * (special.ndtr(-s) - bivariate_normal_cdf(-c / other, -s, rho))

    relu = get_activation("relu")
    both = tilted(1, 1) - tilted(1, 0) - tilted(0, 1) + tilted(0, 0)
    one = mixed(1, s1, s2) - mixed(0, s1, s2) + mixed(1, s2, s1) - mixed(0, s2, s1)
    value = relu.covariance(q1, q2, rho) + alpha**2 * both + alpha * one
    slopes = alpha * (tilted_alone(s1, s2) + tilted_alone(s2, s1)) + alpha**2 * tilted(1, 1)
    return float(value), relu.derivative_covariance(q1, q2, rho) + float(slopes)


@pytest.mark.parametrize("point", [(1.0, 1.0, 0.5), (0.7, 1.9, -0.6), (2.0, 0.5, 0.95), (1.5, 1.5, -0.99)])
@pytest.mark.parametrize("alpha", [1.0, 1.7])
def test_elu_by_a_third_road(point, alpha):
    phi = get_activation("elu", alpha=alpha)
    value, slopes = elu_kernels_by_phi2(*point, alpha)
    assert phi.covariance(*point) == pytest.approx(value, abs=2e-14)
    assert phi.derivative_covariance(*point) == pytest.approx(slopes, abs=2e-14)


def test_hard_tanh_cancels_as_documented():
    # And so does what is left: at a correlation of 0 the kernel of an odd function is 0.
    for q in (1.0, 1e2, 1e4):
        assert abs(get_activation("hard_tanh").covariance(q, q, 0.0)) <= 1e-15 * q


@pytest.mark.parametrize("name", [phi.name for phi in EVERY if phi.formulas.covariance is None])
def test_series_agrees_with_the_double_integral(name):
    phi, rho = get_activation(name), np.array([-0.9999, -0.4, 0.0, 0.9, 1 - 1e-9, 1.0])
    for moment, single in (("covariance", "second_moment"), ("derivative_covariance", "derivative_second_moment")):
        for q1, q2 in [(1e-4, 1e-4), (0.5, 2.0), (9.0, 9.0), (0.0, 1.0)]:
            series = getattr(phi, moment)(q1, q2, rho)
            direct = getattr(phi, moment)(q1, q2, rho, method="quadrature")
            size = math.sqrt(getattr(phi, single)(q1) * getattr(phi, single)(q2))
            assert np.abs(series - direct).max() <= 2e-14 * size


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("name", ["tanh", "silu", "softsign"])
def test_many_covariances_agree_with_one_at_a_time(name, rng):
    phi = get_activation(name)
    q1, q2, rho = (
        np.exp(rng.normal(0, 0.5, (40, 30))),
        np.exp(rng.normal(0, 0.5, (40, 30))),
        rng.uniform(-0.8, 0.8, (40, 30)),
    )
    rho[0, 0], q1[1, 3] = 0.0, 0.0
    for moment in ("covariance", "derivative_covariance"):
        together = getattr(phi, moment)(q1, q2, rho)
        points = zip(q1[:8, 3].tolist(), q2[:8, 3].tolist(), rho[:8, 3].tolist(), strict=True)
        alone = [getattr(phi, moment)(*point, method="quadrature") for point in points]
        assert together.shape == rho.shape
        assert together[:8, 3] == pytest.approx(alone, abs=1e-14)


def test_a_correlation_map_may_be_followed_at_one_variance():
    phi, rho = get_activation("tanh"), np.linspace(-1, 1, 2001)
    kernel = phi.covariance(2.0, 2.0, rho)
    assert kernel == pytest.approx(-kernel[::-1], abs=1e-15)
    assert np.all(np.diff(kernel) > 0)
    assert kernel[::250] == pytest.approx(phi.covariance(2.0, 2.0, rho[::250], method="quadrature"), abs=4e-15)


@pytest.mark.parametrize("q", [1e-3, 0.5, 8.0, 100.0])
@every_activation
def test_stein(phi, q):
    # E[phi phi'] = E[z phi^2] / (2 q), by integration by parts; phi' does not occur on the right.
    q = min(q, 80.0) if phi.name == "exp" else q
    by_parts = normal_expectation(lambda z: z * phi(z) ** 2, np.array([q]), phi.breaks)[0] / (2 * q)
    slope = 1 / math.sqrt(q) if phi.jumps else math.sqrt(phi.derivative_second_moment(q))
    scale = math.sqrt(phi.second_moment(q)) * slope
    assert phi.value_derivative_moment(q, method="quadrature") == pytest.approx(by_parts, abs=1e-13 * scale)
    assert phi.value_derivative_moment(q) == pytest.approx(by_parts, abs=1e-13 * scale)


@pytest.mark.parametrize("q", [1e-3, 0.5, 8.0, 100.0])
@every_continuous
def test_the_derivative_of_the_length_map(phi, q):
    # d/dq E[phi^2] = E[z phi phi'] / q.
    if phi.name == "exp":
        q = min(q, 8.0)  # exp(2q) changes too fast for the difference
    by_heat = normal_expectation(lambda z: z * phi(z) * phi.slope(z), np.array([q]), phi.breaks)[0] / q
    h = q / 512
    difference = STENCIL @ phi.second_moment(q + h * OFFSETS) / h
    rounding = 4 * np.finfo(np.float64).eps * phi.second_moment(q) / h
    assert difference == pytest.approx(by_heat, rel=1e-10, abs=rounding)


@pytest.mark.parametrize("rho", [-0.6, 0.1, 0.8])
@every_activation
def test_price(phi, rho):
    # d/dc E[phi(z1) phi(z2)] = E[phi'(z1) phi'(z2)], c the covariance of z1 and z2.
    q1, q2, h = 0.8, 2.5, 1 / 128
    slope = STENCIL @ phi.covariance(q1, q2, rho + h * OFFSETS) / (h * math.sqrt(q1 * q2))
    assert phi.derivative_covariance(q1, q2, rho) == pytest.approx(slope, rel=1e-8 if phi.jumps else 0, abs=2e-10)


@either_method
@every_continuous
def test_the_ends_of_the_correlation(phi, method):
    q = np.array([1e-4, 0.3, 2.0, 100.0 if phi.name == "exp" else 1e4])
    values = phi.covariance(q, q, 1.0, method=method)
    assert values == pytest.approx(phi.second_moment(q), rel=1e-13, abs=lost(phi, q[-1], q[-1]))
    whole = phi.derivative_covariance(q, q, 1.0, method=method)
    assert whole == pytest.approx(phi.derivative_second_moment(q), rel=1e-13)
    means = phi.mean(2.0) * phi.mean(0.5)
    assert phi.covariance(2.0, 0.5, 0.0, method=method) == pytest.approx(means, rel=1e-13, abs=1e-15)


@given(st.floats(1e-3, 50), st.floats(1e-3, 50), st.floats(-1, 1))
@pytest.mark.parametrize("name", ["relu", "erf", "gelu", "leaky_relu", "elu", "relu6", "hard_tanh", "sin", "step"])
def test_covariances_are_symmetric_and_bounded(name, q1, q2, rho):
    phi = get_activation(name)
    bound = math.sqrt(phi.second_moment(q1) * phi.second_moment(q2))
    value = phi.covariance(q1, q2, rho)
    assert value == pytest.approx(phi.covariance(q2, q1, rho), abs=2e-15 * bound + lost(phi, q1, q2))
    assert abs(value) <= bound * (1 + 1e-14) + lost(phi, q1, q2)


@given(st.floats(-3, 3), st.floats(1e-6, 1e6), st.floats(1e-3, 1e3))
def test_leaky_relu_is_a_line_plus_relu(slope, q, scale):
    leaky, relu = get_activation("leaky_relu", slope=slope), get_activation("relu")
    assert leaky.mean(q) == pytest.approx((1 - slope) * relu.mean(q), rel=1e-12)
    assert leaky.second_moment(q) == pytest.approx((1 + slope**2) * relu.second_moment(q), rel=1e-12)
    # Homogeneous of degree 1 and 0.
    assert leaky.second_moment(scale * q) == pytest.approx(scale * leaky.second_moment(q), rel=1e-12)
    assert leaky.derivative_second_moment(scale * q) == leaky.derivative_second_moment(q)


@every_activation
def test_variance(phi):
    q = np.array([0.01, 1.0, 30.0])
    expected = phi.second_moment(q) - phi.mean(q) ** 2
    assert phi.variance(q) == pytest.approx(expected, rel=1e-10)
    assert phi.variance(q, method="quadrature") == pytest.approx(expected, rel=1e-10)


def test_variance_does_not_cancel_where_phi_is_far_from_zero():
    # Var phi(z) -> phi'(0)^2 q + (phi''(0)^2 / 2 + phi'(0) phi3(0)) q^2, phi3 the third derivative; the plain difference
    # has lost 8 digits at this q.
    q = 1e-8
    for name, first, second in (
        ("sigmoid", 1 / 16, -1 / 32),
        ("hard_sigmoid", 1 / 36, 0.0),
        ("cos", 0.0, 1 / 2),
        ("gaussian", 0.0, 2.0),
        ("exp", 1.0, 3 / 2),
    ):
        assert get_activation(name).variance(q) == pytest.approx(
            first * q + second * q**2, rel=1e-7 if not first else 1e-13
        )
    assert get_activation("exp").variance(q, method="quadrature") == pytest.approx(q + 1.5 * q**2, rel=1e-13)


@pytest.mark.parametrize("name", ["elu", "gelu"])
def test_cancellation_at_small_q_is_as_documented(name):
    # E phi is of order q, the difference of halves of order sqrt(q): the rounding error is some 1e-16 / sqrt(q).
    phi = get_activation(name)
    for q in 10.0 ** -np.arange(4, 13, 2):
        error = abs(phi.mean(q, method="quadrature") / phi.mean(q) - 1)
        assert error < 2e-15 / math.sqrt(q)


@pytest.mark.false_alarm(0)
@every_activation
def test_many_values_agree_with_one_at_a_time(phi, rng):
    q = np.exp(rng.normal(0, 1, (50, 20)))
    for moment in SINGLE.values():
        if moment == "derivative_second_moment" and phi.jumps:
            continue
        together = getattr(phi, moment)(q)
        alone = [getattr(phi, moment)(float(v)) for v in q[::10, 3]]
        assert together.shape == q.shape
        assert together[::10, 3] == pytest.approx(alone, rel=1e-13, abs=1e-16)


@either_method
@every_continuous
def test_zero_variance(phi, method):
    at_zero = phi(np.zeros(1))[0]
    sides = phi.slope(np.array([-1e-99, 1e-99]))
    assert phi.mean(0.0, method=method) == pytest.approx(at_zero, abs=1e-15)
    assert phi.second_moment(0.0, method=method) == pytest.approx(at_zero**2, abs=1e-15)
    assert phi.variance(0.0, method=method) == pytest.approx(0.0, abs=1e-15)
    # phi' stands for its limit from q > 0: each one-sided slope with equal weight.
    assert phi.derivative_second_moment(0.0, method=method) == pytest.approx(np.mean(sides**2), rel=1e-14)
    assert phi.value_derivative_moment(0.0, method=method) == pytest.approx(at_zero * np.mean(sides), abs=1e-15)
    assert phi.covariance(0.0, 1.0, 0.0, method=method) == pytest.approx(at_zero * phi.mean(1.0), abs=1e-15)
    same_side = 0.5 + math.asin(0.5) / math.pi
    expected = same_side * np.mean(sides**2) + (1 - same_side) * sides[0] * sides[1]
    assert phi.derivative_covariance(0.0, 0.0, 0.5, method=method) == pytest.approx(expected, rel=1e-14)


@either_method
@every_jump
def test_zero_variance_of_jumps(phi, method):
    # phi stands for its limit from q > 0: each side with equal weight.
    sides = phi(np.array([-1e-99, 1e-99]))
    assert phi.mean(0.0, method=method) == pytest.approx(np.mean(sides), abs=1e-15)
    assert phi.second_moment(0.0, method=method) == pytest.approx(np.mean(sides**2), rel=1e-14)
    assert phi.variance(0.0, method=method) == pytest.approx(np.var(sides), rel=1e-14)
    same_side = 0.5 + math.asin(0.5) / math.pi
    expected = same_side * np.mean(sides**2) + (1 - same_side) * sides[0] * sides[1]
    assert phi.covariance(0.0, 0.0, 0.5, method=method) == pytest.approx(expected, rel=1e-14)


def test_floats_in_floats_out_arrays_in_arrays_out():
    phi = get_activation("tanh")
    assert type(phi.mean(1.0)) is type(phi.variance(np.float64(1))) is type(phi.second_moment(1)) is float
    assert type(phi.covariance(1.0, 2.0, 0.5)) is float
    assert phi.second_moment(np.ones((2, 3))).dtype == np.float64
    for name in ("tanh", "relu", "linear", "elu", "hard_tanh", "sin", "sign"):
        assert get_activation(name).covariance(np.ones((2, 1)), 2.0, np.zeros(3)).shape == (2, 3)
        assert get_activation(name).derivative_covariance(np.ones((2, 1)), np.ones(3), 0.0).shape == (2, 3)
        assert get_activation(name).covariance(np.ones(0), 2.0, 0.0).shape == (0,)


def test_a_correlation_off_by_rounding_is_forgiven():
    assert get_activation("relu").covariance(1.0, 1.0, 1 + 4e-16) == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 1.0, 0.5), "q1 is a variance.*got -1.0"),
        ((1.0, math.nan, 0.5), "q2 is a variance.*got nan"),
        ((math.inf, 1.0, 0.5), "q1 is a variance.*got inf"),
        ((1.0, 1.0, 1.1), "rho is a correlation.*got 1.1"),
        ((1.0, 1.0, math.nan), "rho is a correlation.*got nan"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    for name in ("relu", "tanh"):
        with pytest.raises(ValueError, match=message):
            get_activation(name).covariance(*arguments)


def test_an_unknown_method():
    for moment in SINGLE.values():
        with pytest.raises(ValueError, match="must be 'auto', 'formula' or 'quadrature', got 'exact'"):
            getattr(get_activation("cos"), moment)(1.0, method="exact")


def test_a_moment_that_cannot_be_integrated_says_whose_it_is():
    phi = Activation(name="own_exp", value=np.exp)
    assert phi.second_moment(4.0) == pytest.approx(math.exp(8), rel=1e-12)
    with pytest.raises(ValueError, match="second_moment of own_exp: the function is not finite"):
        phi.second_moment(1e6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("relu6", lambda z: np.clip(z, 0, 6)),
        ("elu", lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0)))),
        ("hard_swish", lambda z: z * np.clip(z + 3, 0, 6) / 6),
        ("step", lambda z: np.heaviside(z, 0.5)),
    ],
)
def test_a_function_of_ones_own_needs_no_kinks(name, value):
    own, known, q = Activation(name="own", value=value), get_activation(name), np.array([0.01, 1.0, 4.0, 50.0])
    for moment in SINGLE.values():
        if moment != "derivative_second_moment" or not known.jumps:
            assert getattr(own, moment)(q) == pytest.approx(getattr(known, moment)(q), rel=1e-11)
    for moment in ("covariance", "derivative_covariance"):
        assert getattr(own, moment)(4.0, 1.0, 0.9) == pytest.approx(getattr(known, moment)(4.0, 1.0, 0.9), rel=1e-11)


def test_narrow_features_are_resolved():
    tanh, steep = get_activation("tanh"), Activation(name="own", value=lambda z: np.tanh(20 * z))
    assert steep.breaks == ()
    assert steep.second_moment(1.0) == pytest.approx(tanh.second_moment(400.0), rel=1e-12)
    assert steep.covariance(1.0, 1.0, 0.5) == pytest.approx(tanh.covariance(400.0, 400.0, 0.5), rel=1e-12)


def test_a_kink_that_is_denied_is_found_by_the_quadrature():
    denied = Activation(name="own", value=lambda z: np.clip(z, -0.3, 6), kinks=())
    stated = Activation(name="own", value=lambda z: np.clip(z, -0.3, 6), kinks=(-0.3, 6.0))
    q = np.array([0.1, 4.0])
    assert denied.second_moment(q) == pytest.approx(stated.second_moment(q), rel=1e-9)
    assert denied.covariance(1.0, 4.0, 0.5) == pytest.approx(stated.covariance(1.0, 4.0, 0.5), rel=1e-9)
