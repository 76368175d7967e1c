import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import varprop as vp


@pytest.fixture(autouse=True)
def close_figures():
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def simulation():
    net = vp.mlp([16] * 7, activation="relu", weights="he_normal")
    return vp.simulate(net, n_networks=60, rng=np.random.SeedSequence(20150206))


def markers(ax, marker="o"):
    return next(line for line in ax.lines if line.get_marker() == marker)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_profile_draws_means_and_theories_in_a_new_pyplot_figure(simulation):
    ax = vp.plot.profile(simulation, theories=["he", "mean-field"])
    assert ax.figure.number in plt.get_fignums()
    values = simulation.values("preactivation_second_moment")
    assert markers(ax).get_ydata() == pytest.approx(values.mean(axis=0))
    assert markers(ax).get_xdata().tolist() == [1, 2, 3, 4, 5, 6]
    he = [line for line in ax.lines if line.get_ydata() == pytest.approx([2.0] * 6)]
    assert len(he) == 2  # for ReLU the two theories say the same
    assert legend(ax) == ["measured mean, 95 % interval", "5–95 % of networks", "he", "mean-field"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("layer", "z²")


def test_profile_draws_on_given_axes_and_opens_nothing(simulation):
    axes = Figure(layout="constrained").subplots()
    assert vp.plot.profile(simulation, quantity="gradient_second_moment", ax=axes) is axes
    assert plt.get_fignums() == []


def test_the_legend_covers_no_data(simulation):
    ax = vp.plot.profile(simulation, theories=["he", "xavier", "preserved"])
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y1 - 1
    assert ax.get_legend().get_window_extent().y1 <= ax.figure.bbox.y1 + 1


def test_a_frame_draws_what_its_simulation_draws(simulation):
    first = vp.plot.profile(simulation)
    second = vp.plot.profile(simulation.to_frame())
    assert markers(second).get_xydata() == pytest.approx(markers(first).get_xydata())


def test_a_frame_of_several_configurations_wants_one_chosen(simulation):
    frame = simulation.to_frame().assign(configuration="one")
    frame.loc[frame["network"] % 2 == 0, "configuration"] = "two"
    with pytest.raises(ValueError, match="none is chosen; pass configuration= one of 'two', 'one'"):
        vp.plot.profile(frame)
    with pytest.raises(ValueError, match="there is no 'three'"):
        vp.plot.profile(frame, configuration="three")
    odd = simulation.values("preactivation_second_moment")[1::2]
    assert markers(vp.plot.profile(frame, configuration="one")).get_ydata() == pytest.approx(odd.mean(axis=0))


def test_what_cannot_be_drawn_is_refused(simulation):
    with pytest.raises(ValueError, match="a frame does not say which network it is of, so he cannot be drawn"):
        vp.plot.profile(simulation.to_frame(), theories=["he"])
    with pytest.raises(TypeError, match="data must be a Simulation, a Run or a DataFrame, got list"):
        vp.plot.profile([1.0])
    with pytest.raises(ValueError, match="unknown quantity"):
        vp.plot.profile(simulation, quantity="no_such")
    with pytest.raises(ValueError, match="nonsense"):
        vp.plot.profile(simulation, theories=["nonsense"])
    assert plt.get_fignums() == []  # no empty figure is left behind


def test_forest_of_a_theory_has_a_row_for_each_layer_and_quantity(simulation):
    verdicts = vp.verify(simulation, theory="he")
    ax = vp.plot.forest(verdicts)
    rows = [line for line in ax.lines if line.get_marker() in {"o", "X", "D"}]
    assert len(rows) == len(verdicts)
    assert legend(ax) == ["supported", "refuted", "inconclusive", "margin"]
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y1 - 1


def test_forest_draws_on_given_axes(simulation):
    axes = Figure(layout="constrained").subplots()
    assert vp.plot.forest(vp.verify(simulation, theory="he"), ax=axes) is axes
    assert plt.get_fignums() == []


def test_forest_without_verdicts_is_refused(simulation):
    verdicts = vp.verify(simulation, theory="he")
    with pytest.raises(ValueError, match="no row of the frame bears a verdict"):
        vp.plot.forest(verdicts.iloc[:0])
    assert plt.get_fignums() == []


def test_plots_follow_the_style_that_is_set(simulation):
    with plt.style.context("dark_background"):
        ax = vp.plot.profile(simulation)
        assert markers(ax).get_color() == plt.rcParams["text.color"] == "white"
