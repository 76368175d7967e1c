import numpy as np
import pandas as pd
import pytest

from varprop.plot.depth import ProfileScale, profile_figure
from varprop.plot.figure_files import render_svg


def summarise(means, configuration="a", spread=1.2):
    means = np.asarray(means, dtype=float)
    return pd.DataFrame(
        {
            "configuration": configuration,
            "layer": np.arange(1, len(means) + 1),
            "module": "",
            "quantity": "preactivation_second_moment",
            "n_networks": 10,
            "mean": means,
            "ci_low": means / 1.05,
            "ci_high": means * 1.05,
            "low": means / spread,
            "high": means * spread,
        }
    )


def predict(values, theory="he", configuration="a"):
    layers = np.arange(1, len(values) + 1)
    return pd.DataFrame({"configuration": configuration, "layer": layers, "theory": theory, "predicted": values})


NOTHING = predict([])


def dots(axes):
    """The measured means: the only markers without a line."""
    return next(line for line in axes.lines if line.get_marker() == "o")


def test_draws_means_intervals_spread_and_each_theory():
    figure = profile_figure(
        summarise([1.0, 2.0, 3.0]), pd.concat([predict([1.0, 1.5, 2.0]), predict([1.0, 1.0, 1.0], "preserved")])
    )
    (axes,) = figure.axes
    assert dots(axes).get_xydata().tolist() == [[1, 1], [2, 2], [3, 3]]
    lines = {tuple(line.get_ydata()) for line in axes.lines if line.get_linestyle() != "None"}
    assert {(1.0, 1.5, 2.0), (1.0, 1.0, 1.0)} <= lines
    band, intervals = axes.collections
    assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(3.6)
    assert intervals.get_segments()[2].tolist() == pytest.approx(np.array([[3, 3 / 1.05], [3, 3.15]]))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "measured mean, 95 % interval",
        "5–95 % of networks",
        "he",
        "preserved",
    ]


def test_theories_differ_in_colour_and_in_dashes():
    theories = ["xavier", "he", "mean-field", "preserved", "finite-width", "xavier-variance", "he-variance", "x", "y"]
    figure = profile_figure(summarise([1.0, 2.0]), pd.concat([predict([1.0, 1.0], theory) for theory in theories]))
    handles = figure.legends[0].legend_handles[2:]
    assert len({handle.get_color() for handle in handles}) == len(theories)
    patterns = [str(handle._unscaled_dash_pattern) for handle in handles]
    assert len(set(patterns[:7])) == 7


@pytest.mark.parametrize(
    ("means", "log"),
    [([1.0, 2.0], True), ([1.0, 100.0], True), ([-1.0, 100.0], False), ([0.0, 0.0], False), ([1e-280, 1e280], True)],
)
def test_log_scale_is_for_what_is_positive(means, log):
    figure = profile_figure(summarise(means), NOTHING)
    assert figure.axes[0].get_yscale() == ("log" if log else "linear")
    render_svg(figure, title="t", name="n")  # nothing overflows while drawing


def test_zeros_stand_at_the_edge_of_a_log_axis():
    summary = summarise([1.0, 1e-4, 0.0, 0.0])
    figure = profile_figure(summary, predict([1.0, 1e-2, 1e-4, 0.0]))
    (axes,) = figure.axes
    floor = axes.get_ylim()[0]
    assert 0 < floor < 1e-4 / 1.2
    arrows = next(line for line in axes.lines if line.get_marker() == "v")
    assert arrows.get_xydata().tolist() == [[3, floor], [4, floor]]
    assert dots(axes).get_ydata().tolist() == [1.0, 1e-4, floor, floor]
    assert "mean 0, or off the axis" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert all(np.isfinite(line.get_ydata()).all() for line in axes.lines)


def test_infinities_stand_at_the_other_edge():
    summary = summarise([1.0, 1e20, 1.0]).assign(mean=[1.0, 1e20, np.inf], high=[2.0, 2e20, np.inf])
    (axes,) = profile_figure(summary, NOTHING).axes
    arrows = next(line for line in axes.lines if line.get_marker() == "^")
    assert arrows.get_xydata().tolist() == [[3, axes.get_ylim()[1]]]


def test_no_variance_at_all_draws_a_flat_line():
    (axes,) = profile_figure(summarise([0.5, 0.5], spread=1.0), NOTHING).axes
    low, high = axes.get_ylim()
    assert low < 0.5 < high


def test_a_panel_for_each_configuration_each_on_its_own_scale():
    names = [f"activation {i}, he_normal" for i in range(12)]
    summary = pd.concat([summarise([1.0, 10.0 ** (i - 6)], name) for i, name in enumerate(names)])
    figure = profile_figure(summary, predict([1.0, 1.0], configuration=names[3]))
    assert [axes.get_title(loc="left") for axes in figure.axes] == names
    for i, axes in enumerate(figure.axes):
        low, high = axes.get_ylim()
        assert low < min(1.0, 10.0 ** (i - 6)) / 1.2
        assert high > max(1.0, 10.0 ** (i - 6)) * 1.2
        assert high / low < 10 ** (abs(i - 6) + 2)
    figure.draw_without_rendering()
    for axes in figure.axes:  # every mean lies inside its panel
        inside = axes.get_window_extent()
        assert all(inside.contains(*point) for point in axes.transData.transform(dots(axes).get_xydata()))


def test_five_panels_leave_no_empty_axes():
    summary = pd.concat([summarise([1.0, 2.0], f"c{i}") for i in range(5)])
    figure = profile_figure(summary, NOTHING)
    assert len(figure.axes) == 5
    figure.draw_without_rendering()
    with_numbers = [axes.get_title(loc="left") for axes in figure.axes if axes.xaxis.get_tick_params()["labelbottom"]]
    assert with_numbers == ["c2", "c3", "c4"]  # the lowest of each column


def test_a_title_is_text_not_mathematics():
    figure = profile_figure(summarise([1.0, 2.0], "cost $x^{$ & <b>"), NOTHING)
    assert "cost $x^{$ &amp; &lt;b&gt;" in render_svg(figure, title="t", name="n")


def test_scale_without_predictions_or_values():
    assert not ProfileScale.fit(summarise([]), NOTHING).log
