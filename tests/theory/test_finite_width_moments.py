"""Finite-width means and variances against the exact laws, enumeration, direct integrals and published recursions."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate

import varprop as vp
from varprop.theory import finite_width_law, finite_width_predictions, layer_moments, length_map
from varprop.theory.finite_width.chain import read_stages
from varprop.theory.finite_width.moments import forward_moments
from varprop.theory.finite_width.recursion import local_moments, local_slopes

REFERENCE = {row["id"]: row for row in json.loads((Path(__file__).parents[1] / "data/reference.json").read_text())}
FORWARD = ("preactivation_second_moment", "conditional_variance", "activation_second_moment")
GRADIENTS = ("gradient_second_moment", "weight_gradient_second_moment")


def rows_of(network, quantity, **kwargs):
    return [row for row in finite_width_predictions(network, **kwargs) if row.quantity == quantity]


def with_excess(network, excess):
    """The chain of a network with weights of the same variance and another kurtosis."""
    chain = read_stages(network)
    return replace(chain, stages=tuple(replace(s, weight_excess=excess, gaussian=False) for s in chain.stages))


@pytest.mark.parametrize("activation", ["relu", {"name": "leaky_relu", "slope": -0.4}, "linear"])
def test_recursion_and_exact_law_agree(activation):
    """The law multiplies independent factors, the recursion follows fourth moments of a Gaussian layer."""
    net = vp.mlp([5, 4, 9, 3, 6], activation=activation, weights="he_normal")
    for quantity in (*FORWARD, *GRADIENTS):
        for row in rows_of(net, quantity):
            law = finite_width_law(net, row.layer, quantity=quantity)
            assert row.predicted == pytest.approx(law.second_moment_mean, rel=1e-12)
            assert row.predicted_sd**2 == pytest.approx(law.second_moment_variance, rel=1e-10, abs=1e-14)
            assert row.exact
            assert row.sd_exact


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_random_signs_by_enumeration(slope):
    """All 2^(4+6+6) networks of widths 2-2-3-2 with weights +-s, each layer's mean square to the last digit."""
    x, widths = np.array([1.0, 0.5]), (2, 2, 3, 2)
    activation = {"name": "leaky_relu", "slope": slope}
    net = vp.mlp(widths, activation=activation, weights="he_normal")
    signals = x[None]
    layers = forward_moments(with_excess(net, -2.0), x)
    for layer, (n_in, n_out) in zip(layers, itertools.pairwise(widths), strict=True):
        signs = np.array(list(itertools.product([-1.0, 1.0], repeat=n_in * n_out))).reshape(-1, n_out, n_in)
        z = math.sqrt(2 / n_in) * np.einsum("woi,si->swo", signs, signals).reshape(-1, n_out)
        q = np.mean(z**2, axis=1)
        assert layer.mean == pytest.approx(q.mean(), rel=1e-12)
        assert layer.variance == pytest.approx(q.var(), rel=1e-10, abs=1e-13)
        assert layer.kurtosis == pytest.approx(np.mean(z**4) / np.mean(z**2) ** 2, rel=1e-12)
        signals = np.where(z > 0, z, slope * z)
        m = np.mean(signals**2, axis=1)
        assert layer.activation.variance == pytest.approx(m.var(), rel=1e-10, abs=1e-13)
    assert layers[-1].exact


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("D.relu.uniform.var.n16.L10", [16] * 11),
        ("D.relu.trunc.var.n16.L10", [16] * 11),
        ("D.relu.rademacher.var.n16.L10", [16] * 11),
        ("D.relu.uniform.888.ones", [8] * 4),
        ("D.relu.trunc.888.ones", [8] * 4),
        ("D.relu.rademacher.888.ones", [8] * 4),
    ],
)
def test_reference_variances_of_other_weights(name, widths):
    row = REFERENCE[name]
    law = {"uniform": "uniform", "trunc": "truncated_normal"}.get(row["config"]["weights"])
    if law is None:
        chain = with_excess(vp.mlp(widths, activation="relu", weights="he_normal"), -2.0)
        variance = forward_moments(chain, np.ones(widths[0]))[-1].activation.variance
    else:
        weights = {"name": "variance_scaling", "scale": 2.0, "distribution": law}
        variance = layer_moments(vp.mlp(widths, activation="relu", weights=weights))[-1].activation.variance
    assert variance == pytest.approx(row["value"], rel=row["tolerance"]["rel"])


def test_gaussian_weights_at_sixteen():
    """(1 + 5/16)^10 - 1 = 14.17, the largest of the four laws."""
    net = vp.mlp([16] * 11, activation="relu", weights="he_normal")
    assert layer_moments(net)[-1].activation.variance == pytest.approx((1 + 5 / 16) ** 10 - 1, rel=1e-13)


def test_reference_biases():
    row = REFERENCE["D.relu.bias.var"]
    net = vp.mlp([16] * 7, activation="relu", weights="he_normal", biases={"name": "normal", "std": math.sqrt(0.1)})
    # q_1 = 1 there has the bias in it: 2 mean(x^2) + 0.1 = 1.
    layer = layer_moments(net, inputs=np.full(16, math.sqrt(0.45)))[5]
    np.testing.assert_allclose([layer.mean, layer.preactivation.variance], row["value"], rtol=row["tolerance"]["rel"])


def test_reference_kurtosis():
    row = REFERENCE["D.kurt.relu.n64"]
    net = vp.mlp([64] * 11, activation="relu", weights="he_normal")
    assert layer_moments(net)[9].kurtosis == pytest.approx(row["value"], rel=row["tolerance"]["rel"] * 10)


def test_reference_weight_gradients_are_flat():
    """E g^2 / (E g)^2 is the same in every layer, as for means.

    The reference has a readout of random signs on the last activation, of which Bin(16, 1/2) are passed on, with a
    relative variance of 1/16; this loss has a normal one on the last pre-activation, with 2/16.
    """
    row = REFERENCE["D.wgrad.relu.second"]
    net = vp.mlp([10, 16, 12, 16, 12, 16], activation="relu", weights="he_normal")
    ratios = [1 + (row.predicted_sd / row.predicted) ** 2 for row in rows_of(net, "weight_gradient_second_moment")]
    np.testing.assert_allclose(ratios, row["value"] * (1 + 2 / 16) / (1 + 1 / 16), rtol=1e-12)


def critical(name):
    """Network and layer of one of the reference's recursions, at equal widths."""
    config = REFERENCE[name]["config"]
    weights = {"name": "variance_scaling", "scale": config["C_W"]}
    biases = {"name": "normal", "std": math.sqrt(config["C_b"])}
    net = vp.mlp([100] * (config["layer"] + 1), activation=config["activation"], weights=weights, biases=biases)
    return net, np.full(100, math.sqrt((config["K_1"] - config["C_b"]) / config["C_W"]))


@pytest.mark.parametrize(
    "name", [name for name in REFERENCE if name.startswith("D.nlo.") and "layer" in str(REFERENCE[name]["config"])]
)
def test_reference_recursions(name):
    net, x = critical(name)
    layers = forward_moments(read_stages(net), x)
    z = layers[-1].preactivation
    found = [z.mean_field, 100 * z.variance, 100 * (z.mean - z.mean_field)]
    np.testing.assert_allclose(found, REFERENCE[name]["value"], rtol=1e-6, atol=1e-12)


def test_reference_uniform_weights():
    row = REFERENCE["D.nlo.tanh.uniform"]
    weights = {"name": "variance_scaling", "distribution": "uniform"}
    layers = layer_moments(vp.mlp([32] * 6, activation="tanh", weights=weights))
    found = [32 * (layer.mean - layer.preactivation.mean_field) for layer in layers[1:5]]
    np.testing.assert_allclose(found, row["value"], atol=row["tolerance"]["abs"])


def test_reference_critical_tanh():
    """V / (K^2 l) tends to 2/3."""
    row = REFERENCE["D.nlo.tanh.ratio"]
    net = vp.mlp([1000] * 401, activation="tanh", weights="lecun_normal")
    z = forward_moments(read_stages(net), np.ones(1000))[399].preactivation
    assert 1000 * z.variance / z.mean_field**2 / 400 == pytest.approx(row["value"], rel=row["tolerance"]["rel"])


@pytest.mark.parametrize("name", ["tanh", "gelu", "elu", "hard_tanh", "sigmoid"])
@pytest.mark.parametrize("q", [0.2, 1.0, 7.0])
def test_local_moments_against_differences(name, q):
    phi = vp.get_activation(name)
    g, h = local_moments(phi, q), local_slopes(phi, q)
    step = 1e-3 * q
    low, mid, high = (phi.second_moment(q + k * step) for k in (-1, 0, 1))
    assert g.slope == pytest.approx((high - low) / (2 * step), rel=1e-5)
    assert g.curvature == pytest.approx((high - 2 * mid + low) / step**2, rel=1e-4, abs=1e-6)
    slopes = [phi.derivative_second_moment(q + k * step) for k in (-1, 1)]
    assert h.slope == pytest.approx((slopes[1] - slopes[0]) / (2 * step), rel=1e-5, abs=1e-9)

    def expectation(power, slope_power):
        def integrand(x):
            z = np.array([x * math.sqrt(q)])
            return float(phi(z)[0] ** power * phi.slope(z)[0] ** slope_power) * math.exp(-x * x / 2)

        points = [k / math.sqrt(q) for k in phi.kinks]
        edges = [-12, *points, 12]
        return sum(integrate.quad(integrand, a, b, epsabs=1e-13)[0] for a, b in itertools.pairwise(edges)) / math.sqrt(
            2 * math.pi
        )

    assert g.fourth == pytest.approx(expectation(4, 0), rel=1e-9)
    assert h.fourth == pytest.approx(expectation(0, 4), rel=1e-9)
    assert h.mixed == pytest.approx(expectation(2, 2), rel=1e-9)


def test_mean_field_part_is_the_length_map():
    net = vp.mlp([50] * 7, activation="gelu", weights="he_normal", biases={"name": "normal", "std": 0.3})
    q = length_map("gelu", weight_variance=2, bias_variance=0.09, q=2.09, depth=6)
    with pytest.warns(UserWarning, match="rough"):
        layers = layer_moments(net)
    np.testing.assert_allclose([layer.preactivation.mean_field for layer in layers], q, rtol=1e-12)


def test_exact_is_said_where_it_is_true():
    def flags(activation, weights, quantity, **kwargs):
        net = vp.mlp([400] * 5, activation=activation, weights=weights, **kwargs)
        return [(row.exact, row.sd_exact) for row in rows_of(net, quantity)]

    yes, mean_only, no = (True, True), (True, False), (False, False)
    assert flags("relu", "he_uniform", "preactivation_second_moment") == [yes] * 4
    assert flags("relu", "he_uniform", "gradient_second_moment") == [mean_only] * 3 + [yes]
    assert flags("relu", "he_normal", "weight_gradient_second_moment") == [yes] * 4
    assert flags("tanh", "lecun_normal", "preactivation_second_moment") == [yes, yes, no, no]
    assert flags("tanh", "lecun_normal", "activation_second_moment") == [yes, no, no, no]
    assert flags("tanh", "lecun_uniform", "conditional_variance") == [yes, no, no, no]
    assert flags("tanh", "lecun_normal", "gradient_second_moment") == [no] * 3 + [yes]
    assert flags("tanh", "lecun_uniform", "pivot") == [yes] + [mean_only] * 3
    biases = {"name": "uniform", "limit": 0.3}
    assert flags("relu", "he_normal", "gradient_second_moment", biases=biases) == [mean_only] * 3 + [yes]


def test_first_layers_of_a_smooth_network_by_hand():
    """Layers 1 and 2 of Gaussian tanh: q_1 = K chi2_n / n, Q_2 the mean of n independent tanh^2."""
    net = vp.mlp([7, 20, 30], activation="tanh", weights="he_normal")
    tanh, x = vp.get_activation("tanh"), np.linspace(-2, 1, 7)
    k = 2 * np.mean(x**2)
    q, big_q = (rows_of(net, name, inputs=x) for name in ("preactivation_second_moment", "conditional_variance"))
    assert (q[0].predicted, q[0].predicted_sd) == pytest.approx((k, k * math.sqrt(2 / 20)), rel=1e-13)
    m2, m4 = tanh.second_moment(k), local_moments(tanh, k).fourth
    sd = 2 * math.sqrt((m4 - m2**2) / 20)
    assert (big_q[1].predicted, big_q[1].predicted_sd) == pytest.approx((2 * m2, sd), rel=1e-12)
    # Var(Q chi2/n) = Var Q + 2/n E Q^2.
    assert q[1].predicted_sd ** 2 == pytest.approx(sd**2 + 2 / 30 * (sd**2 + 4 * m2**2), rel=1e-12)


def test_several_inputs_have_means_alone():
    net = vp.mlp([4, 30, 30], activation="tanh", weights="lecun_normal")
    x = np.array([[1.0, 1, 1, 1], [3.0, 0, 0, 0]])
    both = finite_width_predictions(net, inputs=x)
    each = [finite_width_predictions(net, inputs=one) for one in x]
    for row, first, second in zip(both, *each, strict=True):
        assert row.predicted == pytest.approx((first.predicted + second.predicted) / 2, rel=1e-14)
        assert math.isnan(row.predicted_sd)
        assert row.exact == first.exact
    assert [row.predicted for row in finite_width_predictions(net, inputs=1)] == [r.predicted for r in each[0]]
    assert math.isnan(finite_width_predictions(net, inputs=3)[0].predicted_sd)
    with pytest.raises(ValueError, match="only counts them"):
        finite_width_predictions(vp.mlp([4, 5], activation="tanh", weights="lecun_uniform"), inputs=3)
    with pytest.raises(ValueError, match="got 2 inputs"):
        layer_moments(net, inputs=x)


def test_kurtosis_of_the_first_layer_depends_on_the_input():
    """One-hot inputs give z the kurtosis of the weights, 9/5; spread ones bring it to 3 - 6/5 / n_0."""
    net = vp.mlp([12, 8], activation="relu", weights="he_uniform")
    assert layer_moments(net, inputs=np.eye(12)[3])[0].kurtosis == pytest.approx(1.8, rel=1e-13)
    assert layer_moments(net)[0].kurtosis == pytest.approx(3 - 1.2 / 12, rel=1e-13)
    pivot = rows_of(net, "pivot", inputs=np.eye(12)[3])[0]
    assert pivot.predicted_sd == pytest.approx(math.sqrt(0.8 / 8), rel=1e-13)


def test_rows_of_layers_with_and_without_activation():
    net = vp.Network(6, ["tanh", vp.Dense(5, weights="he_normal"), vp.Dense(4, weights="he_normal"), "relu"])
    rows = finite_width_predictions(net)
    assert [(row.module, row.layer) for row in rows if row.quantity == "activation_second_moment"] == [
        ("0", 0),
        ("3", 2),
    ]
    before = next(row for row in rows if row.module == "0")
    assert (before.predicted, before.predicted_sd, before.exact) == (pytest.approx(math.tanh(1) ** 2), 0, True)
    quantities = {row.quantity for row in rows}
    assert quantities == {*FORWARD, *GRADIENTS, "pivot"}


def test_rough_expansions_warn():
    narrow = vp.mlp([6] * 8, activation="tanh", weights="lecun_normal")
    with pytest.warns(UserWarning, match="from layer 3 on"):
        finite_width_predictions(narrow)
    wide = vp.mlp([2000] * 8, activation="tanh", weights="lecun_normal")
    assert max(layer.correction for layer in layer_moments(wide)) < 0.1
    # Exact moments do not warn, however large the variance.
    finite_width_predictions(vp.mlp([6] * 30, activation="relu", weights="he_normal"))


def test_gradients_below_a_jump_are_left_out():
    net = vp.Network(
        200,
        [
            *(vp.Dense(200, weights="lecun_normal"), "tanh", vp.Dense(200, weights="lecun_normal"), "sign"),
            *(vp.Dense(200, weights="lecun_normal"), "tanh", vp.Dense(200, weights="lecun_normal")),
        ],
    )
    with pytest.warns(UserWarning, match="no gradients below sign"):
        rows = finite_width_predictions(net)
    assert [row.layer for row in rows if row.quantity == "gradient_second_moment"] == [3, 4]


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (vp.mlp([4, 4], activation="relu", weights={"name": "constant", "value": 1.0}), TypeError, "mean"),
        (vp.mlp([4, 4], activation="relu", weights=lambda shape, rng: rng.random(shape)), TypeError, "independent"),
        (vp.mlp([4, 4], activation="relu", weights="zeros"), ValueError, "exactly 0"),
        (
            vp.mlp([4, 4], activation="tanh", weights="he_normal", biases={"name": "uniform", "limit": 1.0}),
            TypeError,
            "biases that are not Gaussian",
        ),
        (vp.Network(4, [vp.Dense(4, weights="he_normal"), "relu", "tanh"]), TypeError, "follows another"),
    ],
)
def test_what_is_not_covered_is_refused(network, error, message):
    with pytest.raises(error, match=message):
        finite_width_predictions(network)
