"""Figures of whole networks: what is drawn is what was sampled, and where a network stands follows from its laws."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

import varprop as vp
from varprop.plot.axes import DARK
from varprop.plot.phases import draw_points, name_points, phase_points
from varprop.plot.spreads import draw_ridges, ridges
from varprop.report.law_pictures import histogram_pictures, phase_pictures, spread_pictures
from varprop.theory.finite_width.predictions import LogNormalLaw

pytestmark = pytest.mark.false_alarm(0)

QUANTITY = "preactivation_second_moment"
APPROXIMATION = "log-normal with the predicted mean and sd"


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
        assert (ridge.overlay.density * np.diff(ridge.edges)).sum() == pytest.approx(inside)
        assert ridge.overlay.exact
    (picture,) = spread_pictures({"relu": simulation})
    assert "the exact law at these widths, where one is known (1 of 1 panel)" in picture.caption
    assert APPROXIMATION not in picture.caption
    with pytest.raises(ValueError, match="has negative values"):
        ridges(vp.simulate(simulation.network, n_networks=50, rng=3), "preactivation_mean")


@pytest.fixture(scope="module")
def smooth():
    """Widths at which the terms of order 1/width are small: the log-normal law is seen to be a good approximation."""
    net = vp.mlp([64] * 6, activation="tanh", weights="xavier_normal")
    quantities = [QUANTITY, "gradient_second_moment"]
    return vp.simulate(
        net, n_networks=4000, rng=np.random.SeedSequence(20100513), quantities=quantities, executor="serial"
    )


def apart(ridge, density=None):
    """Total variation between the networks and a law, over the bins."""
    law = ridge.overlay.density if density is None else density
    return np.abs((ridge.density - law) * np.diff(ridge.edges)).sum() / 2


@pytest.mark.false_alarm(1e-6)
@pytest.mark.parametrize("quantity", [QUANTITY, "gradient_second_moment"])
def test_without_an_exact_law_the_predicted_mean_and_sd_are_drawn(smooth, quantity):
    """The law is that of the theory and not of the sample, and a sample of 4,000 shows whether its sd is wrong by a half.

    In k = 36 bins, as Scott's rule has them, the mean of the total variation of n networks from their true law is below
    sqrt(k / (2 pi n)) = 0.04. One network changes it by 1 / n, so by McDiarmid's inequality it exceeds its mean by 0.045 with a
    probability below exp(-2 n 0.045^2) < 1e-7, in any of six layers below 1e-6. The law itself is off by 0.03 at most.
    A normal law that is 1.5 times as wide differs by 0.19.
    """
    predicted = vp.predict(smooth.network, theory="finite-width").query("quantity == @quantity").set_index("layer")
    for ridge in ridges(smooth, quantity):
        row = predicted.loc[ridge.layer]
        assert (ridge.overlay.exact, ridge.overlay.rough) == (False, False)
        share, middle = ridge.overlay.density * np.diff(ridge.edges), (ridge.edges[:-1] + ridge.edges[1:]) / 2
        assert share.sum() == pytest.approx(1.0, abs=0.01)  # what lies beyond the sample is less
        log_variance = np.log1p((row.predicted_sd / row.predicted) ** 2)
        assert share @ middle == pytest.approx(np.log(row.predicted) - log_variance / 2, abs=0.02)
        assert apart(ridge) < 0.12
        too_wide = LogNormalLaw(mean=row.predicted, sd=1.5 * row.predicted_sd, rough=False)
        assert apart(ridge, np.diff(too_wide.cdf(ridge.edges)) / np.diff(ridge.edges)) > 0.12


def test_an_approximation_is_told_from_an_exact_law(simulation, smooth):
    axes = Figure().subplots()
    draw_ridges(axes, [*ridges(simulation, QUANTITY, layers=1), *ridges(smooth, QUANTITY, layers=1)])
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["exact law"].get_linestyle() == lines[APPROXIMATION].get_linestyle() == "--"  # both have own dashes
    assert lines["exact law"]._dash_pattern != lines[APPROXIMATION]._dash_pattern
    (picture, _) = spread_pictures({"tanh": smooth, "relu": simulation})
    assert "exact law at these widths, where one is known (1 of 2 panels)" in picture.caption
    assert "an approximation (1 of 2 panels): the log-normal law with the mean and sd" in picture.caption
    assert "nothing is fitted" in picture.caption
    assert f"the {APPROXIMATION} and the exact law" in picture.alternative


def test_where_theory_has_neither_law_none_is_drawn_and_the_caption_says_so(simulation):
    net = vp.mlp([16] * 4, activation="tanh", weights="orthogonal")
    several = vp.simulate(net, n_networks=50, rng=3, quantities=[QUANTITY], executor="serial")
    drawn = ridges(several, QUANTITY)
    assert [ridge.overlay for ridge in drawn] == [None] * 3
    axes = Figure().subplots()
    draw_ridges(axes, drawn)
    assert axes.get_legend_handles_labels()[1][:3] == ["networks", "mean", "typical"]
    (picture,) = spread_pictures({"relu": simulation, "orthogonal": several})
    assert "No law is drawn in orthogonal, where theory has neither" in picture.caption


def test_no_approximation_beside_dead_networks():
    """The predicted mean and sd count them, and the ridge is of the living ones; a width of 3 dies within few layers."""
    net = vp.mlp([3] * 8, activation="relu", weights="he_uniform")
    dying = vp.simulate(net, n_networks=400, rng=3, quantities=[QUANTITY], executor="serial")
    alive, *dead = ridges(dying, QUANTITY, layers=3)
    assert alive.n_dead == 0
    assert not alive.overlay.exact
    assert all(ridge.n_dead and ridge.overlay is None for ridge in dead)


def test_rough_predictions_are_called_rough():
    net = vp.mlp([8] * 6, activation="gelu", weights="he_normal")
    narrow = vp.simulate(net, n_networks=50, rng=3, quantities=[QUANTITY], executor="serial")
    drawn = ridges(narrow, QUANTITY)
    assert [drawn[0].overlay.rough, drawn[-1].overlay.rough] == [False, True]
    (picture,) = spread_pictures({"gelu": narrow})
    assert "Mean and sd are rough where terms of order 1/width are not small (1 of 1 panel)" in picture.caption


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
    draw_points(axes, points)
    name_points(axes, points, list(points["configuration"]))
    (marks,) = (line for line in axes.lines if line.get_marker() == "o")
    assert marks.get_xydata() == pytest.approx(points[["weight_variance", "bias_variance"]].to_numpy())
    assert sorted(text.get_text() for text in axes.texts) == ["he", "uneven"]
    (picture,) = phase_pictures(networks)
    assert "Left out: jump" in picture.caption
    assert phase_pictures({"jump": networks["jump"]}) == []


def test_figures_hold_no_colour_that_a_dark_page_would_not_repaint(simulation, smooth):
    networks = {"relu": simulation.network, "tanh": smooth.network}
    pictures = [*spread_pictures({"relu": simulation, "tanh": smooth}), *phase_pictures(networks)]
    pictures += histogram_pictures({"relu": simulation}, seed=1, dtype="float32")
    assert len(pictures) == 5
    for picture in pictures:
        colours = set(re.findall(r"(?:fill|stroke)(?:: |=\")(#?\w+)", picture.svg)) - {"none"}
        assert colours <= set(DARK), picture.name
