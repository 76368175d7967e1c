import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import varprop as vp

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


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


@pytest.fixture(scope="module")
def phases():
    return vp.theory.phase_diagram("tanh", np.linspace(0.5, 4, 30), np.linspace(0, 1, 20))


def edge_line(ax):
    """Vertices of the contour."""
    (contours,) = [found for found in ax.collections if type(found).__name__ == "QuadContourSet"]
    return np.concatenate([path.vertices for path in contours.get_paths()])


@pytest.mark.parametrize("value", ["chi_1", "xi_c"])
def test_phase_diagram_draws_the_edge_of_chaos(phases, value):
    ax = vp.plot.phase_diagram(phases, value=value)
    assert ax.figure.number in plt.get_fignums()
    for weights, biases in edge_line(ax):
        if biases > 0.1:
            assert weights == pytest.approx(vp.theory.edge_of_chaos("tanh", biases).weight_variance, abs=0.02)
    assert legend(ax) == [r"$\chi_1 = 1$"]
    ax.figure.draw_without_rendering()


def test_phase_diagram_colours_are_the_table(phases):
    ax = vp.plot.phase_diagram(phases)
    (mesh,) = [found for found in ax.collections if type(found).__name__ == "QuadMesh"]
    chi_1 = phases.pivot(index="bias_variance", columns="weight_variance", values="chi_1").to_numpy()
    np.testing.assert_allclose(10 ** np.asarray(mesh.get_array()).reshape(chi_1.shape), np.clip(chi_1, 0.1, 10))
    assert mesh.norm.vmin == -mesh.norm.vmax


def test_phase_diagram_hatches_what_grows_for_ever():
    table = vp.theory.phase_diagram("relu", np.linspace(1, 3, 9), np.linspace(0, 1, 5))
    axes = Figure(layout="constrained").subplots()
    assert vp.plot.phase_diagram(table, ax=axes) is axes
    assert legend(axes) == [r"$\chi_1 = 1$", "q grows for ever"]
    (mesh,) = [found for found in axes.collections if type(found).__name__ == "QuadMesh"]
    assert np.ma.getmaskarray(mesh.get_array()).sum() == (table["phase"] == "diverging").sum() > 0
    assert plt.get_fignums() == []


def test_phase_diagram_of_one_phase_has_no_line():
    ax = vp.plot.phase_diagram(vp.theory.phase_diagram("tanh", [0.3, 0.5], [0.1, 0.2]))
    assert ax.get_legend() is None
    ax.figure.draw_without_rendering()


def test_length_map_marks_what_attracts_and_what_repels():
    ax = vp.plot.length_map("gelu", weight_variance=2.0, bias_variance=0.1)
    assert legend(ax) == ["unchanged", "gelu", "attracts", "repels"]
    low, high = vp.theory.fixed_points("gelu", weight_variance=2.0, bias_variance=0.1)
    drawn = {line.get_label(): line.get_xydata() for line in ax.lines}
    np.testing.assert_allclose(drawn["attracts"], [[low.q, low.q]])
    np.testing.assert_allclose(drawn["repels"], [[high.q, high.q]])
    q, after = drawn["gelu"].T
    np.testing.assert_allclose(after, 2 * vp.get_activation("gelu").second_moment(q) + 0.1)
    assert q[-1] == pytest.approx(2 * high.q)


@pytest.mark.parametrize(
    ("activation", "weights", "end"), [("relu", 2.0, 2.0), ("elu", 2.0, 2.0), ("tanh", 0.5, 2.0), ("relu", 3.0, 2.0)]
)
def test_length_map_has_an_axis_without_fixed_points_too(activation, weights, end):
    ax = vp.plot.length_map(activation, weight_variance=weights)
    assert ax.get_xlim() == (0, end)
    axes = Figure().subplots()
    assert vp.plot.length_map(activation, weight_variance=weights, q_max=0.3, ax=axes) is axes
    assert axes.get_xlim() == (0, 0.3)


def test_correlation_map_is_drawn_where_the_length_map_settles():
    ax = vp.plot.correlation_map("erf", weight_variance=4.0, bias_variance=0.1)
    drawn = {line.get_label(): line.get_xydata() for line in ax.lines}
    (point,) = vp.theory.fixed_points("erf", weight_variance=4.0, bias_variance=0.1)
    np.testing.assert_allclose(drawn["attracts"][0, 0], point.correlations[0].c)
    np.testing.assert_allclose(drawn["repels"], [[1.0, 1.0]])
    c, after = drawn[f"erf, q = {point.q:.3g}"].T
    expected = vp.theory.correlation_map("erf", weight_variance=4.0, bias_variance=0.1, q=point.q, c=c[40], depth=2)
    assert after[40] == pytest.approx(expected[1])
    axes = Figure().subplots()
    assert vp.plot.correlation_map("relu", weight_variance=2.0, ax=axes) is axes


def test_maps_that_cannot_be_drawn_are_refused(phases):
    with pytest.raises(ValueError, match="value must be 'chi_1' or 'xi_c', got 'q'"):
        vp.plot.phase_diagram(phases, value="q")
    with pytest.raises(ValueError, match="the table lacks chi_1, q; pass what"):
        vp.plot.phase_diagram(phases.drop(columns=["q", "chi_1"]))
    with pytest.raises(ValueError, match="two or more values"):
        vp.plot.phase_diagram(phases[phases["bias_variance"] == 0])
    with pytest.raises(ValueError, match="q_max must be"):
        vp.plot.length_map("tanh", weight_variance=1.0, q_max=0.0)
    with pytest.raises(ValueError, match="dies out"):
        vp.plot.correlation_map("tanh", weight_variance=0.5)
    with pytest.raises(ValueError, match="they grow for ever"):
        vp.plot.correlation_map("relu", weight_variance=3.0)
    assert plt.get_fignums() == []
