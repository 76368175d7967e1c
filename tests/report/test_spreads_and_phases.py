"""Figures of whole networks: what is drawn is what was sampled, and where a network stands follows from its laws."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import varprop as vp
from varprop.report.phases import draw_points, phase_pictures, phase_points
from varprop.report.spreads import draw_ridges, ridges, spread_pictures

pytestmark = pytest.mark.false_alarm(0)

QUANTITY = "preactivation_second_moment"


@pytest.fixture(scope="module")
def simulation():
    net = vp.mlp([16] * 8, activation="relu", weights="he_normal")
    return vp.simulate(net, n_networks=400, rng=3, quantities=[QUANTITY], executor="serial")


def test_ridges_hold_the_sample_and_its_exact_law(simulation):
    drawn = ridges(simulation, QUANTITY, layers=3)
    assert [ridge.layer for ridge in drawn] == [1, 4, 7]
    values = simulation.values(QUANTITY)
    for ridge in drawn:
        column = values[:, ridge.layer - 1]
        assert ridge.mean == pytest.approx(column.mean())
        assert ridge.typical == pytest.approx(np.exp(np.log(column[column > 0]).mean()))
        assert (ridge.density * np.diff(ridge.edges)).sum() == pytest.approx(1.0)
        law = vp.theory.finite_width_law(simulation.network, ridge.layer)
        inside = law.cdf(ridge.edges[-1]) - law.cdf(ridge.edges[0])
        assert (ridge.expected * np.diff(ridge.edges)).sum() == pytest.approx(inside)


def test_a_network_without_an_exact_law_is_drawn_alone(simulation):
    tanh = vp.simulate(vp.mlp([16] * 4, activation="tanh", weights="he_normal"), n_networks=50, rng=3)
    assert all(ridge.expected is None for ridge in ridges(tanh, QUANTITY))
    axes = Figure().subplots()
    draw_ridges(axes, ridges(tanh, QUANTITY))
    assert "exact law" not in axes.get_legend_handles_labels()[1]
    with pytest.raises(ValueError, match="has negative values"):
        ridges(tanh, "activation_mean")
    (picture, _) = spread_pictures({"tanh": tanh})
    assert "exact law" not in picture.caption
    (picture,) = spread_pictures({"relu": simulation})
    assert "(1 of 1 panels)" in picture.caption


def test_points_are_where_the_laws_put_them():
    uneven = vp.mlp([64, 16, 64], activation="tanh", weights="xavier_normal", biases={"name": "normal", "std": 0.5})
    networks = {
        "he": vp.mlp([16] * 4, activation="tanh", weights="he_normal"),
        "uneven": uneven,
        "jump": vp.mlp([16] * 4, activation="step", weights="he_normal"),
    }
    points, left_out = phase_points(networks)
    assert points["weight_variance"].tolist() == pytest.approx([2.0, (2 * 64 / 80 + 2 * 16 / 80) / 2])
    assert points.loc[1, ["weight_low", "weight_high", "bias_variance"]].tolist() == pytest.approx([0.4, 1.6, 0.25])
    assert list(left_out) == ["jump"]
    axes = Figure().subplots()
    axes.set(xlim=(0, 4), ylim=(0, 1))
    draw_points(axes, points, list(points["configuration"]))
    (marks,) = (line for line in axes.lines if line.get_marker() == "o")
    assert marks.get_xydata() == pytest.approx(points[["weight_variance", "bias_variance"]].to_numpy())
    assert sorted(text.get_text() for text in axes.texts) == ["he", "uneven"]
    (picture,) = phase_pictures(networks)
    assert "Left out: jump" in picture.caption
    assert phase_pictures({"jump": networks["jump"]}) == []
