"""Textbook and mean-field predictions against formulas worked out by hand, and what `exact` may say."""

import itertools

import numpy as np
import pytest

import varprop as vp
from varprop.model.initializers import as_initializer
from varprop.model.quantities import QUANTITIES
from varprop.theory.rules import weight_variance

UNEQUAL = [30, 50, 20, 40]


def by_layer(network, theory, quantity, **kwargs):
    table = vp.predict(network, theory=theory, **kwargs)
    rows = table[table["quantity"] == quantity].sort_values("layer")
    return rows["predicted"].to_numpy()


def test_xavier_is_a_chain_of_fan_in_times_variance():
    net = vp.mlp(UNEQUAL, activation="tanh", weights="xavier_normal", biases={"name": "normal", "std": 0.5})
    q, expected = 1.0, []
    for n_in, n_out in itertools.pairwise(UNEQUAL):
        q = n_in * 2 / (n_in + n_out) * q + 0.25
        expected.append(q)
    np.testing.assert_allclose(by_layer(net, "xavier", "preactivation_second_moment"), expected, rtol=1e-14)
    np.testing.assert_allclose(by_layer(net, "xavier", "activation_second_moment"), expected, rtol=1e-14)
    np.testing.assert_allclose(by_layer(net, "xavier-variance", "activation_variance"), expected, rtol=1e-14)
    # Backward from 1 at the last layer: fan_out Var(W) of the layer above.
    back = [1.0]
    for n_in, n_out in list(itertools.pairwise(UNEQUAL))[:0:-1]:
        back.insert(0, back[0] * n_out * 2 / (n_in + n_out))
    np.testing.assert_allclose(by_layer(net, "xavier", "gradient_second_moment"), back, rtol=1e-14)


@pytest.mark.false_alarm(0)
def test_a_declared_symmetry_makes_the_forward_prediction_exact_and_no_other():
    """Backward a law that may have atoms has no half for a slope; without the declaration nothing is known of signs."""
    for symmetric in (False, True):
        law = as_initializer(lambda shape, rng: rng.laplace(size=shape), variance=0.1, symmetric=symmetric)
        table = vp.predict(vp.mlp(UNEQUAL, activation="relu", weights=law), theory="he").set_index(
            ["quantity", "layer"]
        )
        assert bool(table.loc[("preactivation_second_moment", 3), "exact"]) is symmetric
        assert not table.loc[("gradient_second_moment", 1), "exact"]


def test_he_halves_from_the_second_layer_on():
    net = vp.mlp(UNEQUAL, activation="relu", weights="he_normal")
    np.testing.assert_allclose(by_layer(net, "he", "preactivation_second_moment"), [2.0, 2.0, 2.0])
    np.testing.assert_allclose(by_layer(net, "he", "activation_second_moment"), [1.0, 1.0, 1.0])
    np.testing.assert_allclose(by_layer(net, "he-variance", "activation_variance"), [1.0, 1.0, 1.0])
    # n_l Var(W_l) / 2 = n_l / n_{l-1}, going back over 40/20 and 20/50.
    np.testing.assert_allclose(by_layer(net, "he", "gradient_second_moment"), [0.8, 2.0, 1.0])
    # mean(delta^2) mean(a^2), a_0 of mean square 1 and the others of 1.
    np.testing.assert_allclose(by_layer(net, "he", "weight_gradient_second_moment"), [0.8, 2.0, 1.0])


def test_preserved_repeats_the_first_layer_and_does_not_follow_a_wrong_variance():
    net = vp.mlp(UNEQUAL, activation="tanh", weights="he_normal")
    q = by_layer(net, "preserved", "preactivation_second_moment")
    np.testing.assert_allclose(q, [2.0, 2.0, 2.0])
    a = by_layer(net, "preserved", "activation_second_moment")
    np.testing.assert_allclose(a, vp.get_activation("tanh").second_moment(2.0))
    np.testing.assert_allclose(by_layer(net, "preserved", "gradient_second_moment"), 1.0)


def test_mean_field_is_the_length_map_layer_by_layer():
    net = vp.mlp([40] * 6, activation="tanh", weights="lecun_normal", biases={"name": "normal", "std": 0.3})
    q = by_layer(net, "mean-field", "preactivation_second_moment")
    expected = vp.theory.length_map("tanh", weight_variance=1.0, bias_variance=0.09, q=1.09, depth=5)
    np.testing.assert_allclose(q, expected, rtol=1e-13)
    tanh = vp.get_activation("tanh")
    np.testing.assert_allclose(by_layer(net, "mean-field", "activation_variance"), tanh.variance(q), rtol=1e-12)
    chi = [vp.theory.gradient_factor("tanh", weight_variance=1.0, q=value) for value in q[:-1]]
    back = np.append(np.cumprod(chi[::-1])[::-1], 1.0)
    np.testing.assert_allclose(by_layer(net, "mean-field", "gradient_second_moment"), back, rtol=1e-12)


def test_tanh_decays_as_known():
    """q_1..q_4 = 1, .394, .236, .167 at unit gain, and 1/q_l approaches 2 l."""
    q = vp.theory.length_map("tanh", weight_variance=1.0, q=1.0, depth=400)
    np.testing.assert_allclose(q[:4], [1.0, 0.394, 0.236, 0.167], atol=6e-4)
    assert 1 / q[-1] == pytest.approx(2 * 400 - 5 / 6 * np.log(400) + 1.11, rel=5e-3)


def test_inputs_enter_by_their_mean_squares_and_are_averaged_last():
    net = vp.mlp([4, 6, 5], activation="tanh", weights="lecun_normal")
    x = np.array([[1.0, 1, 1, 1], [3.0, 0, 0, 0]])
    tanh = vp.get_activation("tanh")
    expected = np.mean(tanh.second_moment(np.array([1.0, 9 / 4])))
    assert by_layer(net, "mean-field", "activation_second_moment", inputs=x)[0] == pytest.approx(expected)
    np.testing.assert_allclose(
        by_layer(net, "mean-field", "pivot", inputs=5), by_layer(net, "mean-field", "pivot", inputs=None)
    )


def test_layers_without_activation_and_activations_before_the_first_layer():
    net = vp.Network(10, ["relu", vp.Dense(8, weights="he_normal"), vp.Dense(6, weights="xavier_normal")])
    q = by_layer(net, "he", "preactivation_second_moment")
    np.testing.assert_allclose(q, [10 * 0.2 * 0.5, 8 * 2 / 14 * 1.0])


@pytest.mark.parametrize(
    ("activation", "weights", "theory", "exact_layers"),
    [
        ("relu", "he_normal", "he", {1, 2, 3}),
        ("relu", "he_uniform", "he", {1, 2, 3}),
        ("leaky_relu", "he_normal", "he", {1}),
        ("leaky_relu", "he_normal", "mean-field", {1, 2, 3}),
        ("linear", "xavier_uniform", "xavier", {1, 2, 3}),
        ("tanh", "xavier_normal", "xavier", {1}),
        ("tanh", "xavier_normal", "mean-field", {1, 2}),
        ("tanh", "xavier_uniform", "mean-field", {1}),
        ("relu", "he_normal", "preserved", {1}),
    ],
)
def test_exact_is_said_where_it_is_true(activation, weights, theory, exact_layers):
    table = vp.predict(vp.mlp([8] * 4, activation=activation, weights=weights), theory=theory)
    rows = table[table["quantity"] == "preactivation_second_moment"]
    assert set(rows.loc[rows["exact"], "layer"]) == exact_layers


@pytest.mark.parametrize(("width", "exact_layers"), [(32, {1, 2, 3, 4}), (6, {4})])
def test_gradients_are_exact_up_to_the_probability_of_dying(width, exact_layers):
    """A dead network has slope 0 at z = 0, where theory tosses a coin; at width 6 that happens once in 64 layers.

    Only the last layer, which has the readout itself, is then exact.
    """
    net = vp.mlp([width] * 5, activation="relu", weights="he_normal")
    table = vp.predict(net, theory="he")
    rows = table[table["quantity"] == "gradient_second_moment"]
    assert set(rows.loc[rows["exact"], "layer"]) == exact_layers


@pytest.mark.false_alarm(0)
def test_rows_join_with_what_is_simulated():
    net = vp.mlp([12, 10, 14], activation="relu", weights="he_normal")
    frame = vp.simulate(net, n_networks=3, rng=1).to_frame()
    predicted = vp.predict(net, theory="mean-field")
    keys = ["module", "layer", "quantity"]
    joined = frame.astype({"quantity": "str"}).merge(predicted, on=keys, how="left")
    unpredicted = set(joined.loc[joined["predicted"].isna(), "quantity"])
    assert unpredicted == {"saturated_fraction", "dead_fraction"}
    assert set(predicted["quantity"]) <= set(QUANTITIES)
    assert not predicted.duplicated([*keys, "theory"]).any()


def test_prescribed_variances():
    assert weight_variance("xavier", 256, 64) == pytest.approx(vp.get_initializer("xavier_normal").variance(256, 64))
    assert weight_variance("he", 256, 64) == pytest.approx(vp.get_initializer("he_uniform").variance(256, 64))
    with pytest.raises(ValueError, match="prescribes no variance"):
        weight_variance("mean-field", 2, 2)


def test_what_theory_does_not_cover_is_refused():
    constant = vp.mlp([4, 4], activation="relu", weights={"name": "constant", "value": 0.5})
    with pytest.raises(vp.UnsupportedError, match="mean 0"):
        vp.predict(constant)
    twice = vp.Network(4, [vp.Dense(4, weights="he_normal"), "relu", "tanh"])
    with pytest.raises(vp.UnsupportedError, match="follows another activation"):
        vp.predict(twice)
    with pytest.raises(ValueError, match="did you mean 'mean-field'"):
        vp.predict(vp.mlp([4, 4], activation="relu", weights="he_normal"), theory="mean_field")
    with pytest.raises(ValueError, match="shape"):
        vp.predict(vp.mlp([4, 4], activation="relu", weights="he_normal"), inputs=np.ones(4))


@pytest.mark.parametrize(
    "arguments",
    [{"weight_variance": -1.0}, {"q": float("nan")}, {"bias_variance": float("inf")}, {"depth": 0}, {"depth": 1.5}],
)
def test_maps_refuse_what_is_out_of_range(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        vp.theory.length_map("relu", **({"weight_variance": 2.0, "q": 1.0, "depth": 3} | arguments))


def cosines(network, **kwargs):
    table = vp.predict(network, **kwargs)
    return table[table["quantity"] == "cosine"].sort_values("layer")


def test_cosines_follow_the_correlation_map():
    """ReLU without biases: the cosine of activations is the next layer's correlation of pre-activations."""
    net = vp.mlp([4, 50, 30, 20], activation="relu", weights="he_normal")
    x = np.array([[2.0, 0, 0, 0], [0, 3.0, 0, 0]])
    rows = cosines(net, inputs=x)
    expected = vp.theory.correlation_map("relu", weight_variance=2.0, q=(2.0, 4.5), c=0.0, depth=4)[1:]
    np.testing.assert_allclose(rows["predicted"], expected, rtol=1e-12)
    assert not rows["exact"].any()
    assert rows["module"].tolist() == ["1", "3", "5"]


def test_cosines_are_averaged_over_pairs_and_know_biases():
    net = vp.mlp([3, 40, 40], activation="gelu", weights="lecun_normal", biases={"name": "normal", "std": 0.7})
    x = np.array([[1.0, 2.0, 0.5], [-1.0, 0.3, 2.0], [0.1, 0.2, 0.3]])
    gelu, q, found = vp.get_activation("gelu"), np.mean(x**2, axis=1) + 0.49, []
    for i, j in itertools.combinations(range(3), 2):
        c = (np.mean(x[i] * x[j]) + 0.49) / np.sqrt(q[i] * q[j])
        below = gelu.covariance(q[i], q[j], c)
        first = below / np.sqrt(gelu.second_moment(q[i]) * gelu.second_moment(q[j]))
        p = [gelu.second_moment(q[k]) + 0.49 for k in (i, j)]
        second = gelu.covariance(*p, (below + 0.49) / np.sqrt(p[0] * p[1]))
        found.append((first, second / np.sqrt(gelu.second_moment(p[0]) * gelu.second_moment(p[1]))))
    np.testing.assert_allclose(cosines(net, inputs=x)["predicted"], np.mean(found, axis=0), rtol=1e-12)


@pytest.mark.false_alarm(2e-9)
def test_cosines_are_what_wide_networks_show():
    """Mean over 1000 networks of width 1000, by a z-test with 3/width allowed for finite width; false alarm 2e-9."""
    width, networks = 1000, 1000
    widths = [20, *[width] * 3]
    net = vp.mlp(widths, activation="tanh", weights="he_normal", biases={"name": "normal", "std": 0.3})
    sim = vp.simulate(
        net,
        n_networks=networks,
        rng=np.random.SeedSequence(20110),
        inputs=3,
        quantities=["cosine"],
        executor="serial",
    )
    values = sim.values("cosine")
    allowed = 6.2 * values.std(axis=0, ddof=1) / np.sqrt(networks) + 3 / width  # 6.2: 2e-9 over 3 layers
    off = np.abs(values.mean(axis=0) - cosines(net, inputs=sim.inputs)["predicted"])
    assert (off < allowed).all()
    # Negative control: theory without the biases.
    wrong = cosines(vp.mlp(widths, activation="tanh", weights="he_normal"), inputs=sim.inputs)["predicted"]
    assert (np.abs(values.mean(axis=0) - wrong) > allowed).any()


@pytest.mark.parametrize("inputs", [None, 4, np.ones((1, 6))])
def test_there_is_no_cosine_where_inputs_are_not_known_or_alone(inputs):
    net = vp.mlp([6, 5, 4], activation="relu", weights="he_normal")
    assert cosines(net, inputs=inputs).empty


def test_other_theories_say_nothing_of_cosines():
    net = vp.mlp([6, 5, 4], activation="relu", weights="he_normal")
    assert cosines(net, inputs=np.eye(6), theory=["he", "xavier", "preserved", "he-variance"]).empty
    # Of a signal that is exactly 0 there is no cosine.
    assert cosines(net, inputs=np.stack([np.ones(6), np.zeros(6)])).empty


@pytest.mark.parametrize("name", ["sign", "step"])
def test_gradients_below_a_jump_are_left_out_with_a_warning(name):
    net = vp.Network(
        6,
        [
            vp.Dense(5, weights="he_normal"),
            name,
            vp.Dense(4, weights="he_normal"),
            "relu",
            vp.Dense(3, weights="he_normal"),
        ],
    )
    with pytest.warns(UserWarning, match=f"theory 'mean-field' has no gradients below {name}, which jumps"):
        table = vp.predict(net, theory=["mean-field", "he"])
    of = dict(list(table.groupby("theory")))
    gradients = {t: set(rows.loc[rows["quantity"] == "gradient_second_moment", "layer"]) for t, rows in of.items()}
    assert gradients == {"mean-field": {2, 3}, "he": {1, 2, 3}}
    q = of["mean-field"][of["mean-field"]["quantity"] == "preactivation_second_moment"]
    second = 2 * (1.0 if name == "sign" else 0.5)
    np.testing.assert_allclose(q["predicted"].iloc[:2], [2.0, second])


def test_a_jump_above_all_weights_costs_no_gradient(recwarn):
    net = vp.Network(6, [vp.Dense(5, weights="he_normal"), "tanh", vp.Dense(4, weights="he_normal"), "sign"])
    table = vp.predict(net)
    assert set(table.loc[table["quantity"] == "gradient_second_moment", "layer"]) == {1, 2}
    assert not recwarn.list


def test_finite_width_adds_the_spread_between_networks():
    """Under He and ReLU, Var(q_l) is prod(1 + 5/n) (1 + 2/n) - 1 in units of its mean: the layers below, then chi2."""
    net = vp.mlp([64] * 5, activation="relu", weights="he_normal")
    table = vp.predict(net, theory=["finite-width", "mean-field"])
    rows = table[table["quantity"] == "preactivation_second_moment"].set_index(["theory", "layer"])
    for layer in range(1, 5):
        finite = rows.loc[("finite-width", layer)]
        assert finite["predicted"] == pytest.approx(2.0, rel=1e-12)
        spread = (1 + 5 / 64) ** (layer - 1) * (1 + 2 / 64) - 1
        assert finite["predicted_sd"] == pytest.approx(2.0 * np.sqrt(spread), rel=1e-12)
        assert finite["exact"]
    assert rows.loc["mean-field", "predicted_sd"].isna().all()


@pytest.mark.parametrize("theory", vp.theory.theory_names())
def test_a_theory_predicts_what_it_says_it_speaks_of(theory):
    net = vp.mlp([12, 10, 14], activation="relu", weights="he_normal")
    x = np.stack([np.ones(12), np.linspace(-1, 1, 12)])
    said = set(vp.predict(net, theory=theory, inputs=x)["quantity"])
    assert said == {name for name in QUANTITIES if vp.theory.get_theory(theory).speaks_of(name)}


def blank_row(inputs, size):
    """Inputs of mean square 1, the last of them all zero."""
    signs = np.where(np.arange(inputs * size).reshape(inputs, size) % 3, 1.0, -1.0)
    signs[-1] = 0.0
    return signs


@pytest.mark.parametrize("theory", ["he", "mean-field"])
def test_a_blank_input_has_the_slope_at_zero(theory):
    net = vp.mlp([64] * 5, activation="relu", weights="he_normal")
    x = blank_row(10, 64)
    np.testing.assert_allclose(by_layer(net, theory, "gradient_second_moment", inputs=x), [0.9, 0.9, 0.9, 1.0])
    np.testing.assert_allclose(by_layer(net, theory, "derivative_second_moment", inputs=x), [0.45] * 4)
    biased = vp.mlp([64] * 5, activation="relu", weights="he_normal", biases={"name": "normal", "std": 0.1})
    np.testing.assert_allclose(by_layer(biased, theory, "gradient_second_moment", inputs=x), [1.0] * 4)


def test_xavier_has_the_slope_of_the_identity_at_zero_too():
    net = vp.mlp([64] * 3, activation="relu", weights="xavier_normal")
    np.testing.assert_allclose(by_layer(net, "xavier", "gradient_second_moment", inputs=np.zeros((1, 64))), [1.0, 1.0])


SILENT_AT_ZERO = [
    name for name in vp.activation_names() if not (phi := vp.get_activation(name)).jumps and phi(np.zeros(1))[0] == 0.0
]


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("name", SILENT_AT_ZERO)
def test_the_slope_at_zero_is_the_engines(name):
    """Of an input of zeros nothing is drawn but weights that are multiplied by 0."""
    net = vp.mlp([4, 6, 5], activation=name, weights="he_normal")
    x = np.zeros((1, 4))
    wanted = ["derivative_second_moment"]
    sim = vp.simulate(net, n_networks=3, rng=1, inputs=x, dtype="float64", executor="serial", quantities=wanted)
    predicted = by_layer(net, "mean-field", "derivative_second_moment", inputs=x)
    np.testing.assert_allclose(sim.values("derivative_second_moment"), np.tile(predicted, (3, 1)), rtol=1e-12)
