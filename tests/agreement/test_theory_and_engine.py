"""Theory and engine share no formula; here they meet, on cases where theory is exact at the width that is sampled."""

import numpy as np
import pytest
from scipy import special

import varprop as vp
from varprop.engine import rules
from varprop.model.activations import Activation
from varprop.model.layers import Dense
from varprop.theory import state

NETWORKS = 8_000
FALSE_ALARM = 1e-8  # of one comparison, all its quantities and layers together

# Every layer stands here with a network that has it; the last test holds the table complete.
EXACT = {
    "dense, linear": (Dense, "linear", "lecun_normal", "mean-field"),
    "dense, uniform weights": (Dense, "linear", "xavier_uniform", "xavier"),
    "relu": (Activation, "relu", "he_normal", "he"),
    "relu, uniform weights": (Activation, "relu", "he_uniform", "he"),
    "leaky relu": (Activation, {"name": "leaky_relu", "slope": 0.3}, "he_normal", "mean-field"),
    "tanh": (Activation, "tanh", "xavier_normal", "mean-field"),
    "sigmoid": (Activation, "sigmoid", "he_normal", "mean-field"),
    "elu": (Activation, "elu", "he_normal", "mean-field"),
    "erf": (Activation, "erf", "he_normal", "mean-field"),
    "gelu": (Activation, "gelu", "he_normal", "mean-field"),
}


@pytest.fixture
def largest_z(normal_score):
    """Largest |mean - prediction| in standard errors over all rows that theory calls exact, and their number."""

    def largest_z(network: vp.Network, theory: str, seed: int, **kwargs: object) -> tuple[float, int]:
        sim = vp.simulate(network, n_networks=NETWORKS, rng=seed, executor="serial", **kwargs)
        table = vp.predict(network, theory=theory, inputs=sim.inputs)
        table = table[table["exact"] & table["quantity"].isin(sim.quantities)]
        z = []
        for row in table.itertuples():
            values = sim.column(row.quantity, (row.layer, row.module))
            z.append(normal_score(values[~np.isnan(values)], row.predicted))
        return max(z), len(z)

    return largest_z


def limit(comparisons: int) -> float:
    """Bonferroni: the two-sided normal quantile for that many comparisons."""
    return -special.ndtri(FALSE_ALARM / comparisons / 2)


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize("case", EXACT)
def test_exact_predictions_are_met(case, largest_z):
    """Widths 24-32-20-28, biases, means over 8,000 networks by a z-test. False alarm 1e-7 a case."""
    _, activation, weights, theory = EXACT[case]
    net = vp.mlp([24, 32, 20, 28], activation=activation, weights=weights, biases={"name": "normal", "std": 0.4})
    z, comparisons = largest_z(net, theory, seed=20101)
    assert comparisons >= 8
    assert z < limit(comparisons)


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize("weights", ["he_normal", "he_uniform"])
def test_several_inputs_one_of_them_large(weights, largest_z):
    """Exact for every input alone and so for their average. False alarm 1e-7 a case."""
    x = np.stack([np.ones(24), np.linspace(-3, 3, 24), np.eye(24)[0]])
    net = vp.mlp([24, 32, 20, 28], activation="relu", weights=weights)
    z, comparisons = largest_z(net, "he", seed=20102, inputs=x)
    assert z < limit(comparisons)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("weights", "theory"),
    [
        ({"name": "variance_scaling", "scale": 2.1}, "he"),
        ({"name": "truncated_normal", "std": np.sqrt(2 / 24)}, "he"),
        ({"name": "variance_scaling", "scale": 2.0, "mode": "fan_out"}, "he"),
    ],
    ids=["sigma_w^2 + 5 %", "truncated without correction", "fans swapped"],
)
def test_a_wrong_variance_is_seen(weights, theory):
    """Negative controls: the sample has the wrong law, the prediction is the right one's, 16 standard errors away."""
    right = vp.mlp([24, 32, 20, 28], activation="relu", weights="he_normal")
    wrong = vp.mlp([24, 32, 20, 28], activation="relu", weights=weights)
    sim = vp.simulate(wrong, n_networks=NETWORKS, rng=20103, executor="serial")
    table = vp.predict(right, theory=theory)
    predicted = table.loc[table["quantity"] == "preactivation_second_moment", "predicted"].to_numpy()
    q = sim.values("preactivation_second_moment")
    z = np.abs(q.mean(0) - predicted) / (q.std(0, ddof=1) / np.sqrt(NETWORKS))
    assert z.max() > limit(3)


@pytest.mark.false_alarm(1e-7)
def test_gaussian_weights_need_no_width_for_a_step(normal_score):
    """Every pivot's conditional mean is 1 at width 3 as at any other, for any activation. False alarm 1e-7."""
    net = vp.mlp([3] * 6, activation="gelu", weights="he_normal", biases={"name": "normal", "std": 1.0})
    pivot = vp.simulate(net, n_networks=20_000, rng=20104, executor="serial").values("pivot")
    assert max(normal_score(column, 1.0) for column in pivot.T) < limit(5)


def test_every_layer_has_a_rule_on_both_sides_and_a_case_here():
    own = [
        {kind for kind in found if kind.__module__.startswith("varprop.")}
        for found in (rules.supported(), state.supported())
    ]
    assert own == [{case[0] for case in EXACT.values()}] * 2
