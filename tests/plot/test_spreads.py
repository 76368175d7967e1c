"""Figures of units and networks at several depths: what is drawn is what was counted or sampled."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import varprop as vp

pytestmark = pytest.mark.false_alarm(0)

QUANTITY = "preactivation_second_moment"


@pytest.fixture(autouse=True)
def close_figures():
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def tanh():
    net = vp.mlp([24] * 11, activation="tanh", weights="xavier_normal")
    return vp.histograms(net, n_networks=30, rng=np.random.SeedSequence(20100513))


@pytest.fixture(scope="module")
def relu():
    net = vp.mlp([24] * 4, activation="relu", weights="he_normal")
    return vp.histograms(net, n_networks=30, rng=np.random.SeedSequence(20150206))


@pytest.fixture(scope="module")
def simulation():
    net = vp.mlp([16] * 9, activation="relu", weights="he_normal")
    return vp.simulate(net, n_networks=500, rng=np.random.SeedSequence(20150206), quantities=[QUANTITY])


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def curves(ax):
    return {line.get_label(): line.get_xydata().T for line in ax.lines}


def layer_counts(found, quantity, layer):
    """Bins and counts of one layer, from the tidy frame; without zeros and what lies outside."""
    frame = found.to_frame()
    mine = frame[(frame["quantity"] == quantity) & (frame["layer"] == layer)]
    inside = np.isfinite(mine["low"]) & np.isfinite(mine["high"]) & (mine["high"] > mine["low"])
    if mine["scale"].iloc[0] == "log":
        inside &= mine["low"] > 0
    return mine[inside], int(mine["count"].sum())


def test_curves_of_bounded_activations_are_the_counts_and_integrate_to_one(tanh):
    ax = vp.plot.histograms(tanh)
    assert ax.figure.number in plt.get_fignums()
    assert legend(ax) == [f"layer {layer}" for layer in (1, 2, 4, 5, 6, 7, 9, 10)]
    for name, (x, density) in curves(ax).items():
        bins, units = layer_counts(tanh, "activation", int(name.removeprefix("layer ")))
        width = (bins["high"] - bins["low"]).iloc[0]
        # A curve ends where its layer's counts do.
        assert (density * width).sum() == pytest.approx(1.0)
        count = dict(zip(((bins["low"] + bins["high"]) / 2).round(9), bins["count"], strict=True))
        assert density * width * units == pytest.approx([count[at] for at in x.round(9)])
        assert units == 30 * 24
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("linear", "a", "share per unit of a")
    low, high = ax.get_xlim()
    assert low < -1 < 1 < high  # the whole range, so that saturation shows
    assert ax.get_ylim()[0] == 0


def test_curves_on_a_log_axis_integrate_to_one_over_decades_but_for_zeros(relu):
    ax = vp.plot.histograms(relu)
    assert legend(ax) == ["layer 1", "layer 2", "layer 3"]
    for name, (x, density) in curves(ax).items():
        bins, units = layer_counts(relu, "activation", int(name.removeprefix("layer ")))
        decade = np.log10(bins["high"] / bins["low"]).iloc[0]
        dead = 1 - bins["count"].sum() / units
        assert 0.3 < dead < 0.7
        assert (density * decade).sum() == pytest.approx(1 - dead)
        assert np.diff(np.log10(x)) == pytest.approx(decade)
        used = slice(*np.flatnonzero(bins["count"])[[0, -1]] + [0, 1])
        assert x == pytest.approx(np.sqrt(bins["low"] * bins["high"])[used].tolist())
        assert density * decade * units == pytest.approx(bins["count"][used].tolist())
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "|a|", "share per decade")


def test_the_left_end_of_a_log_axis_hides_few_units_and_the_right_end_none(relu):
    ax = vp.plot.histograms(relu, quantity="gradient")
    assert (ax.get_xlabel(), ax.get_xscale()) == ("|δ|", "log")
    left, right = ax.get_xlim()
    for layer in (1, 2, 3):
        bins, _ = layer_counts(relu, "gradient", layer)
        assert bins.loc[bins["low"] < left * (1 - 1e-9), "count"].sum() <= 0.003 * bins["count"].sum()
        assert bins.loc[bins["count"] > 0, "high"].max() <= right * (1 + 1e-9)


def test_layers_are_told_from_dark_to_light(tanh):
    ax = vp.plot.histograms(tanh, layers=3)
    assert legend(ax) == ["layer 1", "layer 5", "layer 10"]
    lightness = [np.dot(to_rgb(line.get_color()), (0.2126, 0.7152, 0.0722)) for line in ax.lines]
    assert lightness == sorted(lightness)
    assert lightness[-1] > lightness[0] + 0.2
    assert legend(vp.plot.histograms(tanh, layers=1)) == ["layer 1"]


def test_histograms_draw_on_given_axes_and_their_legend_covers_no_data(tanh):
    axes = Figure(layout="constrained").subplots()
    assert vp.plot.histograms(tanh, quantity="gradient", ax=axes) is axes
    assert plt.get_fignums() == []
    axes.figure.draw_without_rendering()
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1 - 1


def test_histograms_that_cannot_be_drawn_are_refused(tanh, simulation):
    with pytest.raises(
        TypeError, match=r"must be what vp.histograms returns, got Simulation; write for example vp.plot"
    ):
        vp.plot.histograms(simulation)
    with pytest.raises(ValueError, match="quantity must be 'activation' or 'gradient', got 'weights'"):
        vp.plot.histograms(tanh, quantity="weights")
    with pytest.raises(TypeError, match="layers must be an integer, got str"):
        vp.plot.histograms(tanh, layers="3")
    for layers in (0, 9, 2.5):
        with pytest.raises(ValueError, match="layers must be an integer from 1 to 8, got"):
            vp.plot.histograms(tanh, layers=layers)
    linear = vp.Network(4, [vp.Dense(4, weights="xavier_normal")])
    with pytest.raises(ValueError, match="has no activations; take quantity='gradient'"):
        vp.plot.histograms(vp.histograms(linear, n_networks=5, rng=1))
    assert plt.get_fignums() == []


def ridge_lines(ax, label):
    """Lines of that name from the top of the figure to the bottom."""
    return [line.get_xydata().T for line in ax.lines if line.get_label() == label]


def test_ridges_are_the_sample_from_the_first_layer_down(simulation):
    ax = vp.plot.distributions(simulation, layers=3)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["1", "5", "8"]
    assert ax.get_yticks().tolist() == [0, -1, -2]  # the first layer at the top
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "z²", "layer")
    for (steps, outline), base, layer in zip(ridge_lines(ax, "networks"), (0, -1, -2), (1, 5, 8), strict=True):
        q = simulation.values(QUANTITY)[:, layer - 1]
        logs, height = np.log(steps), outline - base
        counts, _ = np.histogram(np.log(q), np.append(logs[::2], logs[-1]))
        drawn = height[::2] * np.diff(np.append(logs[::2], logs[-1]))
        assert drawn / drawn.sum() == pytest.approx(counts / len(q), abs=1e-9)
        assert height.min() >= 0
        assert height.max() <= 0.9 + 1e-9  # below the next ridge
        assert (steps[0], steps[-1]) == pytest.approx((q.min(), q.max()))


def test_marks_of_a_ridge_are_the_mean_and_the_typical_network(simulation):
    ax = vp.plot.distributions(simulation, layers=2)
    values = simulation.values(QUANTITY)[:, [0, 7]]
    assert [x[0] for x, _ in ridge_lines(ax, "mean")] == pytest.approx(values.mean(axis=0).tolist())
    assert [x[0] for x, _ in ridge_lines(ax, "typical")] == pytest.approx(np.exp(np.log(values).mean(axis=0)).tolist())
    assert [y[0] for _, y in ridge_lines(ax, "mean")] == [0, -1]
    assert sorted(legend(ax)) == ["exact law", "mean", "networks", "typical"]


def test_the_law_beside_a_ridge_has_its_scale(simulation):
    """Ridge and law are drawn to one scale: areas above the base line are the shares of both."""
    ax = vp.plot.distributions(simulation, layers=1)
    ((steps, outline),), ((middle, law),) = ridge_lines(ax, "networks"), ridge_lines(ax, "exact law")
    width = np.diff(np.log(middle)).mean()
    exact = vp.theory.finite_width_law(simulation.network, 1)
    inside = exact.cdf(np.log(steps[-1])) - exact.cdf(np.log(steps[0]))
    assert law.sum() * width / (outline[::2].sum() * width) == pytest.approx(inside, rel=1e-6)


def test_limits_hold_all_that_is_drawn(simulation):
    ax = vp.plot.distributions(simulation)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    q = simulation.values(QUANTITY)[:, [layer - 1 for layer in map(int, (t.get_text() for t in ax.get_yticklabels()))]]
    assert left <= q.min()
    assert q.max() <= right
    assert low < -5 < 0.9 < high


def test_ridges_are_drawn_on_given_axes(simulation):
    axes = Figure(layout="constrained").subplots()
    assert vp.plot.distributions(simulation, ax=axes) is axes
    assert plt.get_fignums() == []
    axes.figure.draw_without_rendering()
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1 - 1


def test_distributions_that_cannot_be_drawn_are_refused(simulation, tanh):
    with pytest.raises(TypeError, match=r"takes a Simulation, got DataFrame .* vp.Simulation.from_frame"):
        vp.plot.distributions(simulation.to_frame())
    with pytest.raises(TypeError, match="takes a Simulation, got Histograms"):
        vp.plot.distributions(tanh)
    for layers in (0, -1, 1.5):
        with pytest.raises(ValueError, match="layers must be an integer of at least 1"):
            vp.plot.distributions(simulation, layers=layers)
    with pytest.raises(ValueError, match="'activation_mean' was not recorded; this simulation has"):
        vp.plot.distributions(simulation, quantity="activation_mean")
    one = vp.simulate(simulation.network, n_networks=1, rng=3, quantities=[QUANTITY])
    with pytest.raises(ValueError, match="two living networks whose preactivation_second_moment differs; sample more"):
        vp.plot.distributions(one)
    assert plt.get_fignums() == []


@pytest.fixture(scope="module")
def phases():
    return vp.theory.phase_diagram("tanh", np.linspace(0.5, 4, 15), np.linspace(0, 1, 10), correlations=False)


def network(weights="he_normal", activation="tanh", **options):
    return vp.mlp([16] * 4, activation=activation, weights=weights, **options)


def test_networks_are_points_in_a_phase_diagram(phases):
    biased = {"biases": {"name": "normal", "std": 0.5}}
    networks = {"he": network(), "mine": network({"name": "normal", "std": 0.2}, **biased)}
    ax = vp.plot.phase_diagram(phases, networks=networks)
    (marks,) = (line for line in ax.lines if line.get_marker() == "o")
    assert marks.get_xydata() == pytest.approx(np.array([[2.0, 0.0], [16 * 0.2**2, 0.25]]))
    named = {text.get_text(): text.xy for text in ax.texts}
    assert named == {"he": pytest.approx((2.0, 0.0)), "mine": pytest.approx((0.64, 0.25))}
    assert (ax.get_xlim(), ax.get_ylim()) == (
        vp.plot.phase_diagram(phases).get_xlim(),
        vp.plot.phase_diagram(phases).get_ylim(),
    )


def test_a_bar_is_the_range_over_layers(phases):
    uneven = vp.mlp([64, 16, 64], activation="tanh", weights="xavier_normal")
    ax = vp.plot.phase_diagram(phases, networks={"uneven": uneven, "even": network()}, ax=Figure().subplots())
    (bar,) = (line for line in ax.lines if line.get_marker() in {"None", ""})
    assert bar.get_xdata() == pytest.approx([2 * 16 / 80, 2 * 64 / 80])
    assert plt.get_fignums() == []


def test_networks_without_a_place_in_a_phase_diagram_are_refused(phases):
    refused = {
        "outside the table's 0.5 to 4; compute a wider one": {"wide": network({"name": "normal", "std": 1.0})},
        "draw one for each": {"a": network(), "b": network(activation="erf")},
        "'jump' has no place in a phase diagram: its activation jumps": {"jump": network(activation="step")},
    }
    for message, networks in refused.items():
        with pytest.raises(ValueError, match=message):
            vp.plot.phase_diagram(phases, networks=networks)
    for given, came in ((network(), "Network"), ([network()], "list"), ({"he": "he_normal"}, "a mapping to str")):
        with pytest.raises(TypeError, match=f"must be a mapping of labels to networks, got {came}; write for example"):
            vp.plot.phase_diagram(phases, networks=given)
    assert plt.get_fignums() == []
