"""A sweep as numbers, as a figure and on a page."""

import math

import numpy as np
import pytest

import varprop as vp
from varprop.plot.sweeps import sweep_figure
from varprop.report.content import study_page
from varprop.study.sweep_data import COLUMNS, points_of, sweep_frame, value_in, with_variance

pytestmark = pytest.mark.false_alarm(0)  # what is drawn is compared with the very numbers that were sampled

TEXT = """
schema = 1
title = "A sweep"
seed = 5
networks = 60
quantities = ["preactivation_second_moment", "gradient_second_moment", "saturated_fraction", "derivative_second_moment"]
[network]
widths = "24x9"
[grid]
activation = ["tanh", "relu"]
[sweep]
variable = "weight_variance"
values = [0.5, 2.0, 8.0]
[report]
figures = ["sweep"]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "s.toml").write_text(TEXT, encoding="utf-8")
    return vp.run_study(vp.load_study(folder / "s.toml"), folder / "runs", "serial")


@pytest.fixture(scope="module")
def simulations(run):
    return run.simulations()


@pytest.fixture(scope="module")
def frame(simulations):
    return sweep_frame(points_of(list(simulations.values()), "weight_variance"), "weight_variance")


def one(frame, **wanted):
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_gains_are_those_of_the_means_over_networks(frame, simulations):
    """Of tanh the ratio of means, from layer 5 to the last; of ReLU the product of the steps' means."""
    values = simulations["tanh, weight_variance 2"].values("preactivation_second_moment")
    q = values.mean(axis=0)
    row = one(frame, series="tanh", value=2.0, quantity="preactivation_second_moment", source="measured")
    assert row["estimate"] == pytest.approx((q[8] / q[4]) ** (1 / 4), rel=1e-9)
    assert (row["first_layer"], row["last_layer"], row["n_networks"]) == (5, 9, 60)
    delta = simulations["relu, weight_variance 2"].values("gradient_second_moment")
    steps = (delta[:, :-1] / delta[:, 1:]).mean(axis=0)[4:]
    row = one(frame, series="relu", value=2.0, quantity="gradient_second_moment", source="measured")
    assert math.log(row["estimate"]) == pytest.approx(np.log(steps).mean(), abs=0.02)  # less a term of bias
    assert row["ci_low"] < row["estimate"] < row["ci_high"]


def test_levels_are_means_over_layers_and_networks(frame, simulations):
    shares = simulations["tanh, weight_variance 8"].values("saturated_fraction")[:, 4:].mean(axis=1)
    row = one(frame, series="tanh", value=8.0, quantity="saturated_fraction")
    assert row["estimate"] == pytest.approx(shares.mean())
    half = 2.0010 * shares.std(ddof=1) / math.sqrt(60)  # the .975 quantile of t with 59 degrees of freedom
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((shares.mean() - half, shares.mean() + half), rel=1e-3)


def test_the_curve_is_the_theory_past_the_transient(frame):
    """By the maps themselves, at a value that was sampled and at those between."""
    curve = frame[(frame["series"] == "tanh") & (frame["source"] == "mean-field")]
    values = sorted(set(curve["value"]))
    assert set(values) > {0.5, 2.0, 8.0}
    for value in (2.0, values[1]):
        q = vp.theory.length_map("tanh", weight_variance=value, q=value, depth=9)
        row = one(curve, value=value, quantity="preactivation_second_moment")
        assert row["estimate"] == pytest.approx((q[8] / q[4]) ** (1 / 4), rel=1e-9)
        factors = [vp.theory.gradient_factor("tanh", weight_variance=value, q=q[i]) for i in range(4, 8)]
        row = one(curve, value=value, quantity="gradient_second_moment")
        assert row["estimate"] == pytest.approx(np.prod(factors) ** (1 / 4), rel=1e-9)
        slopes = vp.get_activation("tanh").derivative_second_moment(q[4:])
        row = one(curve, value=value, quantity="derivative_second_moment")
        assert row["estimate"] == pytest.approx(slopes.mean(), rel=1e-9)
    assert "saturated_fraction" not in set(curve["quantity"])


def test_a_rectifiers_curve_needs_no_points_between(frame):
    curve = frame[(frame["series"] == "relu") & (frame["source"] == "mean-field")]
    gains = curve[curve["quantity"] == "gradient_second_moment"]
    assert gains["value"].tolist() == [0.5, 2.0, 8.0]
    assert gains["estimate"].to_numpy() == pytest.approx([0.25, 1.0, 4.0])


@pytest.mark.parametrize(
    ("variable", "widths", "biases", "value"),
    [
        ("weight_variance", [8, 8, 8], "zeros", 1.0),
        ("bias_variance", [8, 8, 8], {"name": "normal", "std": 0.5}, 0.25),
        ("depth", [8, 4, 8], "zeros", 2.0),
        ("width", [8, 8, 8], "zeros", 8.0),
    ],
)
def test_a_network_says_its_value(variable, widths, biases, value):
    net = vp.mlp(widths, activation="tanh", weights="lecun_normal", biases=biases)
    assert value_in(net, variable) == value
    if variable.endswith("variance"):
        assert value_in(with_variance(net, variable, 0.7), variable) == pytest.approx(0.7)


def test_a_network_with_several_values_is_refused():
    net = vp.mlp([8, 4, 8], activation="tanh", weights="xavier_normal")
    with pytest.raises(ValueError, match="has no one weight_variance: its layers have"):
        value_in(net, "weight_variance")
    with pytest.raises(ValueError, match="has no one width"):
        value_in(net, "width")
    with pytest.raises(ValueError, match="variable must be"):
        value_in(net, "wdith")  # codespell:ignore


def test_two_samples_at_one_value_are_refused(simulations):
    with pytest.raises(ValueError, match=r"two simulations of tanh have weight_variance 0\.5"):
        points_of([simulations["tanh, weight_variance 0.5"]] * 2, "weight_variance")


def test_the_figure_has_a_panel_for_each_quantity_and_the_line_of_gain_1(frame):
    figure = sweep_figure(frame, log=True)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["gain of z² per layer", "gain of δ² per layer", "saturated", "φ′²"]
    forward, saturated = figure.axes[0], figure.axes[2]
    assert (forward.get_xscale(), forward.get_yscale(), saturated.get_yscale()) == ("log", "log", "linear")
    assert any(list(line.get_ydata()) == [1.0, 1.0] for line in forward.lines)
    assert not any(list(line.get_ydata()) == [1.0, 1.0] for line in saturated.lines)
    marks = [line for line in forward.lines if line.get_marker() == "o"]
    measured = frame[(frame["series"] == "tanh") & (frame["source"] == "measured")]
    shown = measured[measured["quantity"] == "preactivation_second_moment"]
    assert marks[0].get_xdata().tolist() == [0.5, 2.0, 8.0]
    assert marks[0].get_ydata().tolist() == shown["estimate"].tolist()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["tanh", "relu", "mean-field", "gain 1"]


def test_the_report_has_the_figure_with_caption_alternative_and_numbers(run):
    document = study_page(run)
    (picture,) = document.pictures
    assert picture.name == "sweep"
    assert "Measured from layer 5 (past the transient) to layer 9" in picture.caption
    assert "mean over 60 networks, with its 95 % interval" in picture.caption
    assert "in 2 series: tanh and relu" in picture.alternative
    assert [column.title for column in picture.numbers.columns][:3] == ["Series", "Quantity", "n_in Var(W)"]
    assert len(picture.numbers.rows) == 2 * 3 * 4
    assert picture.numbers.csv.startswith("series,variable,value,quantity,source,")
    assert picture.svg == study_page(run).pictures[0].svg


def test_a_study_without_a_sweep_says_so(make_run):
    document = study_page(make_run(more='[report]\nfigures = ["sweep"]'))
    assert document.pictures == ()
    assert any("has no [sweep]" in text for text in document.texts)


def test_columns_are_those_that_are_named(frame):
    assert tuple(frame.columns) == COLUMNS
