"""Every law of the weights: what theory calls exact is met by sampled networks, and the rest is not called exact."""

import numpy as np
import pytest
from scipy import special

import varprop as vp
from varprop.theory import layer_moments

NETWORKS = 8_000
FALSE_ALARM = 1e-8  # of one comparison, all its quantities and layers together
WIDTHS = [24, 32, 20, 20, 28]
LEAKY = {"name": "leaky_relu", "slope": 0.3}

LAWS = {
    "orthogonal": {"name": "orthogonal", "gain": 1.4},
    "student_t": {"name": "student_t", "std": 0.28, "df": 9.0},
    "rademacher": {"name": "variance_scaling", "scale": 2.0, "distribution": "rademacher"},
    "sparse": {"name": "sparse", "std": 0.28, "density": 0.25},
}
WITH_ATOMS = {"rademacher", "sparse"}


@pytest.fixture
def z_scores(normal_score):
    """|mean - prediction| in standard errors, for rows that have both."""

    def z_scores(network, theory, rows, seed):
        sim = vp.simulate(network, n_networks=NETWORKS, rng=seed, executor="serial")
        table = vp.predict(network, theory=theory, inputs=sim.inputs)
        table = table[rows(table) & table["quantity"].isin(sim.quantities)]
        scores = []
        for row in table.itertuples():
            values = sim.column(row.quantity, (row.layer, row.module))
            scores.append(normal_score(values[~np.isnan(values)], row.predicted))
        return np.array(scores)

    return z_scores


def limit(comparisons):
    """Bonferroni: the two-sided normal quantile for that many comparisons."""
    return -special.ndtri(FALSE_ALARM / comparisons / 2)


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize("biases", ["zeros", {"name": "normal", "std": 0.4}], ids=["no biases", "biases"])
@pytest.mark.parametrize("activation", ["relu", LEAKY, "linear", "tanh"], ids=str)
@pytest.mark.parametrize("law", LAWS)
def test_what_is_called_exact_is_met(law, activation, biases, z_scores):
    """Means over 8,000 networks by a z-test, forward and backward. False alarm 1e-7 a case."""
    net = vp.mlp(WIDTHS, activation=activation, weights=LAWS[law], biases=biases)
    scores = z_scores(net, "mean-field", lambda t: t["exact"], 4711)
    assert len(scores) >= 8
    assert scores.max() < limit(len(scores))


@pytest.mark.parametrize("law", LAWS)
def test_which_gradients_are_called_exact(law):
    """With a density all of a rectifier network's; signs and sparse weights cancel, and then the slope is phi'(0)."""
    net = vp.mlp(WIDTHS, activation="relu", weights=LAWS[law])

    def exact(network, theory="mean-field"):
        table = vp.predict(network, theory=theory)
        found = table[table["quantity"] == "gradient_second_moment"]
        return found.set_index("layer")["exact"].to_dict()

    below = law not in WITH_ATOMS
    assert exact(net) == {1: below, 2: below, 3: below, 4: True}
    # Biases with a density keep every pre-activation off 0, and the identity has one slope.
    assert all(
        exact(vp.mlp(WIDTHS, activation="relu", weights=LAWS[law], biases={"name": "normal", "std": 1})).values()
    )
    assert all(exact(vp.mlp(WIDTHS, activation="linear", weights=LAWS[law])).values())
    if law != "orthogonal":
        assert exact(net, "finite-width") == exact(net)
        assert all(exact(vp.mlp(WIDTHS, activation="linear", weights=LAWS[law]), "finite-width").values())


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("law", ["rademacher", "sparse"])
def test_gradients_through_atoms_are_rightly_not_called_exact(law, z_scores):
    """Eight inputs of all ones: signs cancel in 27 % of the units, sparse weights are all 0 in 17 % (density 0.2).

    The prediction is off by 35 standard errors and more.
    """
    weights = {
        "rademacher": {"name": "rademacher", "std": 0.5},
        "sparse": {"name": "sparse", "std": 0.5, "density": 0.2},
    }
    net = vp.mlp([8, 40, 40], activation="relu", weights=weights[law])
    said = z_scores(net, "mean-field", lambda t: (t["quantity"] == "gradient_second_moment") & (t["layer"] == 1), 4712)
    assert said.max() > 10


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize("activation", [vp.get_activation(**LEAKY), vp.get_activation("linear")], ids=lambda a: a.name)
def test_gradient_steps_of_orthogonal_weights(activation, normal_score):
    """Every step's mean ratio, given the gradient above, at width 8. False alarm 1e-7 a case."""
    net = vp.mlp([8] * 7, activation=activation, weights={"name": "orthogonal", "gain": 1.3})
    gradient = vp.simulate(net, n_networks=40_000, rng=4713, executor="serial").values("gradient_second_moment")
    ratios = gradient[:, :-1] / gradient[:, 1:] / (1.3**2 * float(activation.derivative_second_moment(1.0)))
    assert max(normal_score(column, 1.0) for column in ratios[:, :6].T) < limit(6)


@pytest.mark.false_alarm(0)
def test_the_pivot_of_orthogonal_weights_that_do_not_narrow_is_1():
    """All of the signal's length goes through: nothing of the fluctuation that independent weights add."""
    net = vp.mlp([16, 16, 24, 12], activation="tanh", weights="orthogonal")
    pivot = vp.simulate(net, n_networks=500, rng=4714, executor="serial").values("pivot")
    np.testing.assert_allclose(pivot[:, :2], 1.0, rtol=1e-5)
    assert pivot[:, 2].std() > 0.01


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize("law", ["student_t", "rademacher", "sparse"])
@pytest.mark.parametrize("activation", ["relu", LEAKY], ids=str)
def test_finite_width_moments_of_independent_laws(law, activation, normal_score):
    """Variances that are called exact, forward, by the sample's own fourth moment. False alarm 1e-7 a case."""
    # A variance's own error takes eight moments of the weights: with 30 degrees of freedom they are tame.
    weights = LAWS[law] | ({"df": 30.0} if law == "student_t" else {})
    net = vp.mlp(WIDTHS, activation=activation, weights=weights)
    sim = vp.simulate(net, n_networks=20_000, rng=4715, executor="serial")
    scores = []
    for layer in layer_moments(net):
        assert layer.exact
        q = sim.values("preactivation_second_moment")[:, layer.layer - 1]
        scores.append(normal_score((q - layer.preactivation.mean) ** 2, layer.variance))
    assert max(scores) < limit(len(scores))


def test_finite_width_theory_refuses_what_it_does_not_cover():
    def net(weights):
        return vp.mlp([8, 8, 8], activation="relu", weights=weights)

    with pytest.raises(vp.UnsupportedError, match=r"independent entries; orthogonal\(gain=1\).*orthogonal=True"):
        vp.predict(net("orthogonal"), theory="finite-width")
    with pytest.raises(vp.UnsupportedError, match=r"fourth moment.*student_t\(std=1, df=4\)"):
        vp.predict(net({"name": "student_t", "std": 1, "df": 4}), theory="finite-width")
    with pytest.raises(vp.UnsupportedError, match="not Gaussian"):
        vp.theory.finite_width_law(net({"name": "rademacher", "std": 1}), 2)


@pytest.mark.false_alarm(0)
def test_the_test_of_a_weight_law_refuses_what_it_cannot_judge():
    claim = vp.Claim(id="law", quantity="weights", test="weights_law", theory="he", margin=0.05)
    for weights, message in [
        ("orthogonal", r"independent entries, and those of orthogonal\(gain=1\) are not"),
        ({"name": "student_t", "std": 0.5, "df": 3}, r"student_t\(std=0.5, df=3\) has none"),
        ({"name": "rademacher", "std": 0.5}, "two-valued law is compared draw by draw"),
    ]:
        sim = vp.simulate(vp.mlp([8, 8], activation="relu", weights=weights), n_networks=20, rng=1)
        with pytest.raises(ValueError, match=message):
            vp.verify(sim, claims=[claim])
