import itertools
import math

import numpy as np
import pytest

from varprop.plot.axes import VERDICTS
from varprop.plot.figure_files import render_svg
from varprop.plot.forests import forest_figure, forest_rows, forest_scale


def row(ratio, verdict, low=None, high=None, **more):
    given = {"ratio": ratio, "estimate": ratio, "predicted": 1.0, "verdict": verdict}
    return (
        given
        | {"ci_low": ratio * 0.98 if low is None else low, "ci_high": ratio * 1.02 if high is None else high}
        | more
    )


def markers(axes):
    """Every drawn marker as (marker, x, y, colour)."""
    return [
        (line.get_marker(), float(line.get_xdata()[0]), float(line.get_ydata()[0]), line.get_color())
        for line in axes.lines
        if line.get_marker() not in {"None", None}
    ]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_a_row_shows_ratio_interval_and_margin(make_verdicts):
    (axes,) = forest_figure(make_verdicts(row(1.02, "supported", low=0.99, high=1.05))).axes
    assert markers(axes) == [("o", 1.02, 1.0, VERDICTS["supported"].color)]
    segment = next(line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_xdata()[0] == 0.99)
    assert segment.get_xdata().tolist() == [0.99, 1.05]
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((1 / 1.1, 1.1))
    assert axes.get_xscale() == "log"
    assert any(line.get_xdata()[0] == line.get_xdata()[1] == 1.0 for line in axes.lines if len(line.get_xdata()) == 2)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["he.forward", "relu, he_normal · z²"]


def test_verdicts_differ_in_colour_and_in_shape(make_verdicts):
    frame = make_verdicts(row(1.0, "supported"), row(1.2, "refuted"), row(1.1, "inconclusive"))
    drawn = markers(forest_figure(frame).axes[0])
    assert len({marker for marker, *_ in drawn}) == len({color for *_, color in drawn}) == 3


@pytest.mark.parametrize(
    ("ratio", "arrow", "edge"), [(7.1, ">", 1), (1e-300, "<", 0), (0.0, "<", 0), (math.inf, ">", 1)]
)
def test_a_row_far_outside_stands_at_the_edge_with_arrow_and_value(make_verdicts, ratio, arrow, edge):
    frame = make_verdicts(row(1.01, "supported"), row(ratio, "refuted", low=ratio, high=ratio))
    (axes,) = forest_figure(frame).axes
    limits = axes.get_xlim()
    clipped = [entry for entry in markers(axes) if entry[2] == 2.0]
    assert [entry[0] for entry in clipped] == [VERDICTS["refuted"].marker, arrow]
    assert limits[0] < clipped[0][1] < limits[1]
    assert clipped[1][1] == limits[edge]
    assert texts(axes) == [{7.1: "7.100", 1e-300: "1.000e-300", 0.0: "0", math.inf: "∞"}[ratio]]
    band = axes.patches[0]  # the margin keeps a good share of the axis
    share = math.log(1.1**2) / math.log(limits[1] / limits[0])
    assert share > 0.1
    assert band.get_width() > 0


def test_an_interval_that_leaves_the_axis_ends_at_its_edge(make_verdicts):
    (axes,) = forest_figure(make_verdicts(row(1.0, "inconclusive", low=0.01, high=90.0))).axes
    low, high = axes.get_xlim()
    assert any(line.get_xdata().tolist() == [low, high] for line in axes.lines if len(line.get_xdata()) == 2)


def test_standardised_means_have_a_linear_axis_around_zero(make_verdicts):
    zero = {"test": "zero_mean", "quantity": "activation_mean", "margin": 0.05, "estimate": 0.01, "predicted": 0.0}
    frame = make_verdicts(zero | {"ci_low": 0.0, "ci_high": 0.02, "verdict": "supported"})
    (axes,) = forest_figure(frame).axes
    assert axes.get_xscale() == "linear"
    assert axes.get_xlabel() == "standardised mean"
    assert [(marker, x) for marker, x, *_ in markers(axes)] == [("o", 0.01)]
    assert axes.patches[0].get_width() == pytest.approx(0.1)


def test_a_row_without_a_place_on_the_axis_says_its_estimate(make_verdicts):
    zero = {"test": "zero_mean", "estimate": 0.56, "predicted": 0.0, "verdict": "refuted"}
    exact = {"test": "identity", "estimate": 0.0, "predicted": 0.0, "verdict": "supported", "margin": np.nan}
    (axes,) = forest_figure(make_verdicts(row(1.0, "supported"), zero, exact)).axes
    assert texts(axes) == ["standardised mean 0.5600", "no ratio; estimate 0"]
    assert len(markers(axes)) == 3


def test_rows_without_a_verdict_are_left_out_and_none_is_an_error(make_verdicts):
    frame = make_verdicts(row(1.0, "supported"), {"layer": 3, "ratio": 1.0})
    assert len(forest_rows(frame)) == 1
    with pytest.raises(ValueError, match="no row of the frame bears a verdict"):
        forest_figure(frame.iloc[1:])


def test_rows_of_a_layer_are_named_by_it(make_verdicts):
    rows = [row(1.0, "supported", layer=n, claim=np.nan, configuration=np.nan) for n in (1, 2)]
    assert [entry.label for entry in forest_rows(make_verdicts(*rows))] == ["z² · layer 1", "z² · layer 2"]


def test_layers_of_one_network_do_not_repeat_its_name(make_verdicts):
    rows = [row(1.0, "supported", layer=n) for n in (1, 2)]
    assert [entry.label for entry in forest_rows(make_verdicts(*rows))] == ["z² · layer 1", "z² · layer 2"]
    rows.append(row(1.0, "supported", layer=1, configuration="other"))
    assert forest_rows(make_verdicts(*rows))[2].label == "other · z² · layer 1"


def test_rows_of_one_claim_stand_together(make_verdicts):
    frame = make_verdicts(
        row(1.0, "supported", claim="a"), row(1.0, "refuted", claim="b"), row(1.0, "refuted", claim="a")
    )
    assert [entry.group for entry in forest_rows(frame)] == ["a", "a", "b"]


def test_no_uncertainty_and_no_margin(make_verdicts):
    rows = forest_rows(make_verdicts(row(1.0, "supported", low=1.0, high=1.0, margin=np.nan)))
    scale = forest_scale(rows)
    assert scale.low < 1.0 < scale.high
    forest_figure(make_verdicts(row(1.0, "supported", low=1.0, high=1.0, margin=np.nan)))


def test_forty_rows_do_not_touch(make_verdicts):
    frame = make_verdicts(
        *(
            row(1.0 + n / 10, "refuted", claim=f"claim.{n // 4}", configuration=f"activation {n}, he_normal")
            for n in range(40)
        )
    )
    figure = forest_figure(frame)
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert len(boxes) == 50
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in itertools.pairwise(boxes))
    assert min(box.x0 for box in boxes) >= 0
    legend = figure.legends[0].get_window_extent()
    assert legend.y0 >= figure.axes[0].get_window_extent().y1 - 1  # the legend covers no data


def test_labels_are_text_not_mathematics(make_verdicts):
    frame = make_verdicts(row(1.0, "supported", claim="_$x^{$_", configuration="<b> & 漢字 😀 {0} % \\frac"))
    svg = render_svg(forest_figure(frame), title="t", name="n")
    assert "_$x^{$_" in svg
    assert "&lt;b&gt; &amp; 漢字 😀 {0} % \\frac" in svg


def test_a_claim_about_a_bound_has_no_margin_in_figure_or_legend(make_verdicts):
    """Whatever a frame says, as those of earlier versions do."""
    frame = make_verdicts(row(0.4, "supported", test="directional", margin=0.05))
    figure = forest_figure(frame)
    assert not figure.axes[0].patches
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == ["supported", "refuted", "inconclusive"]
    both = forest_figure(make_verdicts(row(0.4, "supported", test="directional"), row(1.0, "supported")))
    assert len(both.axes[0].patches) == 1
    assert [text.get_text() for text in both.legends[0].get_texts()] == [*told, "margin"]
