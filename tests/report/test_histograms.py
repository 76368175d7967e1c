"""The reports' histograms of single units: panels, legends, captions and the table are those of the counts."""

import numpy as np
import pytest

import varprop as vp
from varprop.plot.spreads import histogram_figure, zeros_told
from varprop.report.law_pictures import N_NETWORKS, histogram_pictures, sample_histograms

pytestmark = pytest.mark.false_alarm(0)


def simulation(activation, depth=3):
    net = vp.mlp([8] * (depth + 1), activation=activation, weights="he_normal")
    return vp.simulate(net, n_networks=2, rng=1, quantities=["pivot"], executor="serial")


@pytest.fixture(scope="module")
def simulations():
    return {"bounded": simulation("tanh"), "half dead": simulation("relu", depth=5)}


@pytest.fixture(scope="module")
def activations(simulations):
    found = sample_histograms(simulations, seed=3, dtype="float32")
    return {label: one.activations for label, one in found.items()}


@pytest.fixture(scope="module")
def pictures(simulations):
    return histogram_pictures(simulations, seed=3, dtype="float32")


def test_panels_say_what_they_show(activations):
    figure = histogram_figure(activations)
    bounded, dead = figure.axes
    assert [axes.get_xscale() for axes in figure.axes] == ["linear", "log"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["a", "|a|"]
    assert figure.get_supylabel() == "share per unit of a or share per decade"
    assert bounded.get_title(loc="left") == "bounded"
    assert dead.get_title(loc="left") == f"half dead\n{zeros_told(activations['half dead'])}"
    assert [axes.get_ylim()[0] for axes in figure.axes] == [0, 0]
    assert (len(bounded.lines), len(dead.lines)) == (3, 5)


def test_the_share_of_zeros_is_that_of_the_counts(activations):
    assert zeros_told(activations["bounded"]) == ""
    dead = activations["half dead"]
    first, last = (100 * dead.zeros[i] / dead.units[i] for i in (0, -1))
    assert zeros_told(dead) == f"exactly 0: {round(first, 1):g} % to {round(last, 1):g} %"


def test_the_legend_names_layers_only_where_they_are_the_same_in_all_panels(activations):
    def names(panels):
        return [text.get_text() for text in histogram_figure(panels).legends[0].get_texts()]

    assert names({"bounded": activations["bounded"]}) == ["layer 1", "layer 2", "layer 3"]
    assert names(activations) == ["first layer", "", "", "", "last layer"]


def test_captions_explain_the_axes_that_are_there(pictures):
    assert [picture.name for picture in pictures] == ["histograms-activation", "histograms-gradient"]
    activation, gradient = (picture.caption for picture in pictures)
    assert "Values of bounded activations" in activation
    assert "on a log axis" in activation
    assert "bounded" not in gradient
    assert f"in {N_NETWORKS} networks of each configuration that no test uses" in gradient
    linear = {"linear": vp.simulate(vp.Network(4, [vp.Dense(4, weights="he_normal")]), n_networks=2, rng=1)}
    assert [one.name for one in histogram_pictures(linear, seed=3, dtype="float32")] == ["histograms-gradient"]


def test_the_table_is_that_of_the_counts(pictures, activations):
    picture, _ = pictures
    rows = [[cell.text for cell in row] for row in picture.numbers.rows]
    assert [row[:3] for row in rows] == [
        [label, str(layer), f"{N_NETWORKS * 8}"]
        for label, depth in (("bounded", 3), ("half dead", 5))
        for layer in range(1, depth + 1)
    ]
    sizes = [float(row[3]) for row in rows]
    assert sizes == pytest.approx(
        np.sqrt(np.concatenate([one.second_moments for one in activations.values()])), rel=1e-3
    )


def test_the_same_seed_draws_the_same_and_another_does_not(simulations, pictures):
    def svg(seed):
        return histogram_pictures(simulations, seed=seed, dtype="float32")[0].svg

    assert svg(3) == pictures[0].svg != svg(4)
