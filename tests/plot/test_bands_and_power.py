"""Steps with a band, and power curves, show what they are given."""

import math

import numpy as np
from matplotlib.figure import Figure

from varprop.plot.statistics import draw_band, draw_power


def test_a_band_has_a_bar_for_each_layer_and_the_margin():
    ax = Figure().subplots()
    draw_band(ax, [2, 3], np.array([1.0, 1.1]), [(0.9, 1.2), (1.0, 1.3)], margin=0.05)
    (bars,) = ax.containers
    segments = bars.lines[2][0].get_segments()
    np.testing.assert_allclose([segment[:, 1] for segment in segments], [(0.9, 1.2), (1.0, 1.3)])
    assert {"margin", "theory", "all layers at once"} <= set(ax.get_legend_handles_labels()[1])
    ax = Figure().subplots()
    draw_band(ax, [2], np.array([1.0]), [(0.9, 1.2)])
    assert "margin" not in ax.get_legend_handles_labels()[1]


def test_power_curves_say_which_verdict_is_right():
    ax = Figure().subplots()
    networks = np.array([10.0, 100.0])
    draw_power(ax, networks, {0.0: np.array([0.1, 0.9]), math.log(1.2): np.array([0.2, 1.0])}, margin=0.1)
    assert [line.get_label() for line in ax.get_lines()] == ["truth 1: supported", "truth 1.2: refuted"]
    assert ax.get_xscale() == "log"
