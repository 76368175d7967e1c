"""The exact law of ln q against direct integrals, closed forms, mpmath and samples drawn without the engine."""

import itertools
import json
import math
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy import integrate, special, stats

import varprop as vp
from varprop.theory import finite_width_law
from varprop.theory.finite_width.factors import log_chi_square

REFERENCE = {row["id"]: row for row in json.loads((Path(__file__).parents[1] / "data/reference.json").read_text())}
FALSE_ALARM = 1e-8
KS_LIMIT = math.sqrt(math.log(2 / FALSE_ALARM) / 2)  # of sqrt(N) D: Kolmogorov's law exceeds it so rarely


def expected(name):
    row = REFERENCE[name]
    return row["value"], row["tolerance"]


def law_of(widths, activation="relu", weights="he_normal", layer=None, **kwargs):
    net = vp.mlp(widths, activation=activation, weights=weights)
    return finite_width_law(net, len(widths) - 1 if layer is None else layer, **kwargs)


def scaled_ks(law, log_q):
    x = np.sort(log_q)
    cdf = law.cdf(x)
    steps = np.arange(len(x) + 1) / len(x)
    return math.sqrt(len(x)) * max((steps[1:] - cdf).max(), (cdf - steps[:-1]).max())


@pytest.mark.parametrize("n", [1, 2, 8, 64, 1000, 2**17])
def test_first_layer_is_chi_square(n):
    law = law_of([5, n], weights="lecun_normal")
    q = stats.chi2.ppf([1e-7, 0.01, 0.3, 0.5, 0.9, 0.999, 1 - 1e-7], n) / n
    np.testing.assert_allclose(law.cdf(np.log(q)), stats.chi2.cdf(n * q, n), atol=1e-12)
    np.testing.assert_allclose(law.pdf(np.log(q)), stats.chi2.pdf(n * q, n) * n * q, atol=1e-9 * math.sqrt(n))
    assert law.cdf_error <= 1e-12


@pytest.mark.parametrize("n", [1, 2, 3, 16, 100])
def test_relu_is_a_binomial_mixture(n):
    law = law_of([5, n], quantity="activation_second_moment")
    x = law.mean + law.std * np.array([-4.0, -2.0, -0.5, 0.0, 0.7, 2.0])
    k = np.arange(1, n + 1)
    mass = stats.binom.pmf(k, n, 0.5) / (1 - 0.5**n)
    direct = [mass @ stats.chi2.cdf(n * math.exp(value) / 2, k) for value in x]
    np.testing.assert_allclose(law.cdf(x), direct, atol=1e-12)
    assert law.dead_probability == pytest.approx(0.5**n, rel=1e-14)


@pytest.mark.parametrize(("slope", "n"), [(0.2, 3), (0.01, 3), (-0.5, 4), (3.0, 2), (0.9, 3)])
def test_leaky_relu_against_a_convolution(slope, n):
    """P(a chi2_K + b chi2_{n-K} <= u), one chi-square integrated out, K summed over."""
    activation = vp.Activation(
        name="kinked", value=lambda z: np.where(z > 0, z, slope * z), kinks=(0.0,), homogeneous=True
    )
    law = law_of([5, n], activation=activation, weights="lecun_normal", quantity="activation_second_moment")
    for x in law.mean + law.std * np.array([-1.5, 0.0, 1.2]):
        u, b = n * math.exp(x), slope**2
        total = 0.5**n * (stats.chi2.cdf(u, n) + stats.chi2.cdf(u / b, n))
        for k in range(1, n):
            # t^2 for the chi-square that is integrated out takes the pole of its density away.
            def integrand(t, k=k, u=u, b=b):
                return stats.chi2.cdf(u - b * t * t, k) * stats.chi2.pdf(t * t, n - k) * 2 * t

            end = min(math.sqrt(u / b), 12.0)
            value, _ = integrate.quad(integrand, 1e-300, end, epsabs=1e-11, limit=200)
            total += stats.binom.pmf(k, n, 0.5) * value
        assert law.cdf(x) == pytest.approx(total, abs=2e-9)


def test_two_linear_layers_are_a_product_of_chi_squares():
    law = law_of([4, 3, 5], activation="linear", weights="lecun_normal")
    for q in (0.01, 0.3, 1.0, 4.0):
        # chi2_3 chi2_5 <= 15 q
        direct, _ = integrate.quad(
            lambda t, q=q: stats.chi2.cdf(15 * q / (t * t), 5) * stats.chi2.pdf(t * t, 3) * 2 * t,
            1e-9,
            12,
            epsabs=1e-12,
        )
        assert law.cdf(math.log(q)) == pytest.approx(direct, abs=1e-9)


@pytest.mark.parametrize("activation", ["relu", {"name": "leaky_relu", "slope": 0.1}, "linear"])
@pytest.mark.parametrize("widths", [[8] * 11, [64, 16, 2, 128]])
def test_density_distribution_quantiles_and_moments_agree(activation, widths):
    law = law_of(widths, activation)
    x = np.linspace(law.mean - 45 * law.std, law.mean + 20 * law.std, 20001)
    density, step = law.pdf(x), x[1] - x[0]
    assert density.sum() * step == pytest.approx(1, abs=1e-10)
    assert (x * density).sum() * step == pytest.approx(law.mean, abs=1e-8)
    assert ((x - law.mean) ** 2 * density).sum() * step == pytest.approx(law.var, rel=1e-7)
    np.testing.assert_allclose(np.cumsum(density)[::500] * step, law.cdf(x[::500] + step / 2), atol=2e-6)
    p = np.array([1e-8, 1e-3, 0.2, 0.5, 0.99, 1 - 1e-8])
    np.testing.assert_allclose(law.cdf(law.ppf(p)), p, atol=2e-12)
    assert law.ppf(0.5) == pytest.approx(law.ppf(np.array([0.5]))[0], rel=1e-12)


def test_alive_and_unconditional_moments():
    """E[q^k] = P(alive) E[exp(k ln q) | alive], by summing the density; width 2 is dead one time in four a layer."""
    law = law_of([4, 2, 3, 4])
    assert law.dead_probability == pytest.approx(1 - (1 - 1 / 4) * (1 - 1 / 8))
    x = np.linspace(-60, 12, 40001)
    mass = law.pdf(x) * (x[1] - x[0]) * (1 - law.dead_probability)
    assert law.second_moment_mean == pytest.approx((mass * np.exp(x)).sum(), rel=1e-7)
    assert law.second_moment_mean == pytest.approx(2.0, rel=1e-14)
    assert law.moment(0.5) == pytest.approx((mass * np.exp(x / 2)).sum(), rel=1e-8)
    assert law.second_moment_variance == pytest.approx(law.moment(2) - law.moment(1) ** 2, rel=1e-12)


def test_reference_moments_of_one_step():
    value, tolerance = expected("D.relu.rawmoments.n64")
    one = law_of([64, 64], quantity="activation_second_moment")
    np.testing.assert_allclose([one.moment(k) for k in (1, 2, 3, 4)], value, rtol=tolerance["rel"])
    value, tolerance = expected("D.relu.log.n64")
    np.testing.assert_allclose([one.mean, one.var], value, rtol=tolerance["rel"])
    value, tolerance = expected("D.linear.log.n64")
    linear = law_of([64, 64], "linear", "lecun_normal")
    np.testing.assert_allclose([linear.mean, linear.var], value, rtol=tolerance["rel"])
    value, tolerance = expected("D.orth.relu.log.n16")
    orthogonal = law_of([16, 16], quantity="activation_second_moment", orthogonal=True)
    np.testing.assert_allclose([orthogonal.mean, orthogonal.var], value, rtol=tolerance["rel"])


@pytest.mark.parametrize(
    ("name", "widths", "orthogonal"),
    [
        ("D.relu.var.n64.L10", [64] * 11, False),
        ("D.relu.var.n256.L50", [256] * 51, False),
        ("D.relu.var.widths", [9, 16, 64, 8, 128, 32], False),
        ("D.orth.relu.var.n64.L10", [64] * 11, True),
    ],
)
def test_reference_variances(name, widths, orthogonal):
    law = law_of(widths, quantity="activation_second_moment", orthogonal=orthogonal)
    value, tolerance = expected(name)
    assert law.second_moment_variance == pytest.approx(value, rel=tolerance["rel"] * 10)
    assert law.second_moment_mean == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(("name", "slope"), [("D.lrelu.var.a0.5", 0.5), ("D.lrelu.var.a-1", -1.0)])
def test_reference_variances_of_leaky_relu(name, slope):
    gain = {"name": "variance_scaling", "scale": 2 / (1 + slope**2)}
    law = law_of(
        [9, 16, 64, 8, 128, 32], {"name": "leaky_relu", "slope": slope}, gain, quantity="activation_second_moment"
    )
    value, tolerance = expected(name)
    assert law.second_moment_variance == pytest.approx(value, rel=tolerance["rel"] * 10)


def test_reference_death():
    value, tolerance = expected("D.dead.single.n5.H10")
    assert law_of([5] * 12).dead_probability == pytest.approx(value, rel=tolerance["rel"])


def test_gradients_are_the_same_products_backward():
    """The law of the gradient at the bottom is that of the signal in the network turned round, for one scale."""
    net = vp.mlp([6, 8, 12, 5, 7], activation="relu", weights="he_normal")
    down = finite_width_law(net, 1, quantity="gradient_second_moment")
    # From 7 readouts down to layer 1: chi2_7/7, then widths 5, 12, 8 with Var(W) of layers 4, 3, 2.
    back = vp.mlp([3, 7, 5, 12, 8], activation="relu", weights="he_normal")
    up = finite_width_law(back, 4, quantity="activation_second_moment")
    # In the turned network layer 1's 7 units pass a ReLU too; in the first one the readout passes none.
    step = finite_width_law(back, 1, quantity="activation_second_moment")
    alone = finite_width_law(back, 1)
    assert down.var == pytest.approx(up.var - step.var + alone.var, rel=1e-12)
    alive = (1 - 2.0**-8) * (1 - 2.0**-12) * (1 - 2.0**-5)
    assert down.dead_probability == pytest.approx(1 - alive, rel=1e-12)
    # Means: n_l Var(W_l) / 2 = n_l / n_{l-1} for each step.
    assert down.second_moment_mean == pytest.approx(7 / 8, rel=1e-12)
    last = finite_width_law(net, 4, quantity="gradient_second_moment")
    assert (last.dead_probability, last.second_moment_mean) == (0, 1)


def haar(rng, count, rows, columns):
    """Matrices with Haar-distributed orthonormal columns, or rows where these are fewer."""
    tall = rng.standard_normal((count, max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None]
    return q if rows >= columns else q.swapaxes(1, 2)


@pytest.mark.false_alarm(2e-8)
@pytest.mark.parametrize("widths", [[8] * 5, [6, 14, 9, 12, 7]], ids=["square", "rectangular"])
@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_orthogonal_weights_by_direct_simulation(widths, slope, rng):
    """ln q of the last layer over 4,000 networks, by Kolmogorov and Smirnov's test. False alarm 1e-8 a case, and for
    the number of the dead.

    Negative control: the law of Gaussian weights of the same variance.
    """
    a = np.ones((4000, widths[0]))
    for n_in, n_out in itertools.pairwise(widths):
        z = math.sqrt(2 / n_in * max(n_in, n_out)) * (haar(rng, 4000, n_out, n_in) @ a[..., None])[..., 0]
        a = np.where(z > 0, z, slope * z)
    q = np.mean(z**2, axis=1)
    activation = {"name": "leaky_relu", "slope": slope}
    law = law_of(widths, activation, orthogonal=True)
    assert stats.binomtest(int((q < 1e-25).sum()), 4000, law.dead_probability).pvalue > FALSE_ALARM
    alive = np.log(q[q >= 1e-25])
    assert scaled_ks(law, alive) < KS_LIMIT
    assert scaled_ks(law_of(widths, activation), alive) > KS_LIMIT


def test_orthogonal_limits():
    """A square linear orthogonal network changes nothing, and a first layer of any activation is a constant."""
    law = law_of([8] * 4, "linear", "lecun_normal", orthogonal=True)
    assert (law.var, law.cdf_error, law.ppf(0.3)) == (0, 0, law.offset)
    assert law.offset == pytest.approx(0, abs=1e-14)
    np.testing.assert_array_equal(law.cdf(np.array([-0.1, 0.1])), [0, 1])
    with pytest.raises(ValueError, match="constant"):
        law.pdf(0.0)
    with pytest.raises(ValueError, match="jumps or cusps"):
        law_of([3, 3, 3], orthogonal=True).cdf(0.0)


@pytest.mark.parametrize("k", [1, 5, 63, 65, 300, 10**5, 10**7])
def test_gamma_quotients_against_mpmath(k):
    """Stirling's difference loses nothing where the gamma functions themselves are huge."""
    scale = math.sqrt(k)
    s = np.array([0.3j, 1j * scale, 6j * scale, -0.2 + 0j, 2.0 + 0j])
    with mpmath.workdps(40):
        exact = [
            complex(
                mpmath.loggamma(mpmath.mpf(k) / 2 + mpmath.mpc(t))
                - mpmath.loggamma(mpmath.mpf(k) / 2)
                - mpmath.mpc(t) * mpmath.log(mpmath.mpf(k) / 2)
            )
            for t in s.tolist()
        ]
    np.testing.assert_allclose(log_chi_square(np.array(float(k)), s), exact, rtol=1e-13, atol=2e-15 * (1 + 6 * scale))


def test_log_moments_are_digamma_functions():
    law = law_of([16, 8, 4], {"name": "leaky_relu", "slope": -1.0}, "lecun_normal")  # |z|: nothing but chi-squares
    psi = sum(special.digamma(n / 2) - math.log(n / 2) for n in (8, 4))
    assert law.mean == pytest.approx(psi, rel=1e-13)
    assert law.var == pytest.approx(sum(special.polygamma(1, n / 2) for n in (8, 4)), rel=1e-13)


def test_inputs_and_activations_before_the_first_layer_enter():
    net = vp.Network(4, ["relu", vp.Dense(6, weights="lecun_normal"), "relu", vp.Dense(3, weights="he_normal")])
    x = np.array([1.0, -2.0, 3.0, -4.0])
    law = finite_width_law(net, 2, inputs=x)
    assert law.second_moment_mean == pytest.approx((1 + 9) / 4, rel=1e-12)
    np.testing.assert_allclose(law.mean, finite_width_law(net, 2, inputs=x[None] * 2).mean - math.log(4), rtol=1e-12)


RELU = vp.mlp([8, 8, 8], activation="relu", weights="he_normal")


@pytest.mark.parametrize(
    ("network", "arguments", "error", "message"),
    [
        (RELU, {"layer": 3}, ValueError, "from 1 to 2"),
        (RELU, {"layer": True}, ValueError, "integer"),
        (RELU, {"layer": 1, "quantity": "pivot"}, ValueError, "quantity must be"),
        (RELU, {"layer": 1, "inputs": np.ones((2, 8))}, ValueError, "got 2 inputs"),
        (RELU, {"layer": 1, "inputs": np.zeros(8)}, ValueError, "input is zero"),
        (RELU, {"layer": 1, "inputs": np.ones(7)}, ValueError, "shape"),
        (RELU, {"layer": 1, "quantity": "gradient_second_moment", "orthogonal": True}, TypeError, "orthogonal"),
        (vp.mlp([8, 8], activation="tanh", weights="he_normal"), {"layer": 1}, TypeError, "not positively homogeneous"),
        (vp.mlp([8, 8], activation="relu", weights="he_uniform"), {"layer": 1}, TypeError, "not Gaussian"),
        (
            vp.mlp([8, 8], activation="relu", weights="he_normal", biases={"name": "normal", "std": 1.0}),
            {"layer": 1},
            TypeError,
            "biases",
        ),
        (vp.mlp([8, 8], activation="relu", weights={"name": "normal", "std": 0}), {"layer": 1}, ValueError, "to 0"),
        (
            vp.Network(8, [vp.Dense(8, weights="he_normal"), "relu", "relu"]),
            {"layer": 1},
            TypeError,
            "follows another",
        ),
        (
            vp.Network(8, [vp.Dense(8, weights="he_normal")]),
            {"layer": 1, "quantity": "activation_second_moment"},
            ValueError,
            "no activation",
        ),
    ],
)
def test_what_has_no_law_is_refused(network, arguments, error, message):
    with pytest.raises(error, match=message):
        finite_width_law(network, **arguments)


def test_arguments_out_of_range_are_refused():
    law = finite_width_law(RELU, 2)
    for method, value in ((law.cdf, math.nan), (law.ppf, 0.0), (law.ppf, 1 - 1e-9), (law.moment, 0.0)):
        with pytest.raises(ValueError, match="must"):
            method(value)
