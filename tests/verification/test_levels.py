"""Claims that a quantity lies below or above a bound in every layer."""

import numpy as np
import pytest

import varprop as vp
from varprop.model.simulation import Samples, Simulation

NETWORK = vp.mlp([8] * 4, activation="tanh", weights="xavier_normal")
PLACES = ((1, "1"), (2, "3"), (3, "5"))


def sample(*means, networks=400, sd=0.05, quantity="saturated_fraction"):
    """Layers with these means and a known spread between networks, alike in all layers."""
    steps = np.linspace(-np.sqrt(3), np.sqrt(3), networks)[:, None] * sd
    samples = {quantity: Samples(np.array(means) + steps, PLACES)}
    return Simulation(network=NETWORK, inputs=np.ones((1, 8)), samples=samples)


@pytest.mark.parametrize(
    ("means", "bound", "verdict"),
    [
        ((0.1, 0.2, 0.3), {"below": 0.4}, "supported"),
        ((0.1, 0.2, 0.5), {"below": 0.4}, "refuted"),
        ((0.1, 0.2, 0.4), {"below": 0.4}, "inconclusive"),
        ((0.5, 0.6, 0.7), {"above": 0.4}, "supported"),
        ((0.5, 0.3, 0.7), {"above": 0.4}, "refuted"),
        ((0.5, 0.3, 0.7), {"above": 0.4, "layers": (3, 3)}, "supported"),
    ],
)
def test_every_layer_has_to_lie_on_the_claimed_side(judge, means, bound, verdict):
    row = judge(sample(*means), "level", "saturated_fraction", **bound)
    assert row["verdict"] == verdict
    assert row["predicted"] == 0.4
    assert row["ratio"] == pytest.approx(row["estimate"] / 0.4)
    assert row["ci_low"] < row["ratio"] < row["ci_high"]


def test_the_row_is_the_layer_that_decides(judge):
    row = judge(sample(0.1, 0.5, 0.45), "level", "saturated_fraction", below=0.4)
    assert row["estimate"] == pytest.approx(0.5)
    assert row["note"].startswith("claimed below 0.4; decided by layer 2")


def test_an_open_claim_says_how_many_networks_decide_it(judge):
    row = judge(sample(0.39, 0.1, 0.1, networks=20), "level", "saturated_fraction", below=0.4)
    assert row["verdict"] == "inconclusive"
    decided = judge(sample(0.39, 0.1, 0.1, networks=int(row["n_required"])), "level", "saturated_fraction", below=0.4)
    assert decided["verdict"] == "supported"


@pytest.mark.false_alarm(1e-9)
def test_a_rectifiers_mean_squared_slope_is_one_half():
    """Exactly, at any width: 1,000 networks of 3 layers of 64 units, bounds 8 % off, of which a standard error is 0.2 %."""
    net = vp.mlp([64] * 4, activation="relu", weights="he_normal")
    sim = vp.simulate(net, n_networks=1000, rng=3, quantities=["derivative_second_moment"])
    claims = [
        {"id": name, "test": "level", "quantity": "derivative_second_moment", **bound}
        for name, bound in {"a": {"below": 0.54}, "b": {"above": 0.46}, "c": {"below": 0.46}}.items()
    ]
    table = vp.verify(sim, claims=claims)
    assert table[table["verdict"].notna()]["verdict"].tolist() == ["supported", "supported", "refuted"]
