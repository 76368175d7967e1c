"""Bands around a law hold what they promise, and the figures show what they are given."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import special, stats

from varprop.plot.exact_laws import draw_pvalues, draw_quantiles, half_width


def axes():
    return Figure().subplots()


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


@pytest.mark.false_alarm(1e-6)
def test_the_band_holds_for_the_whole_sample(rng):
    """2,000 uniform samples of 100: at most 5 % leave the band, accepted up to 151. False alarm below 1e-6 (8e-7)."""
    ordered = np.sort(rng.random((2000, 100)), axis=1)
    steps = np.arange(101) / 100
    distance = np.maximum(steps[1:] - ordered, ordered - steps[:-1]).max(axis=1)
    assert (distance > half_width(100, 0.95)).sum() <= 151
    assert (distance > half_width(200, 0.95)).sum() > 151  # negative control: a band for twice as many


@pytest.mark.false_alarm(0)
def test_quantiles_of_the_law_itself_lie_on_the_line():
    exact = special.ndtri((np.arange(1000) + 0.5) / 1000)
    ax = axes()
    draw_quantiles(ax, exact[::-1], special.ndtri, level=0.95)
    np.testing.assert_allclose(lines(ax)["sample"].get_ydata(), 0, atol=1e-12)
    ax = axes()
    draw_quantiles(ax, 2 + exact, special.ndtri, level=0.95)
    np.testing.assert_allclose(lines(ax)["sample"].get_ydata(), 2, atol=1e-12)
    assert len(lines(ax)["sample"].get_xdata()) == 400


@pytest.mark.false_alarm(0)
def test_the_band_is_that_of_the_distribution_function():
    ax = axes()
    draw_quantiles(ax, stats.norm.ppf((np.arange(500) + 0.5) / 500), special.ndtri, level=0.9)
    corners = ax.collections[0].get_paths()[0].vertices
    eps = half_width(500, 0.9)
    upper = corners[corners[:, 1] > 0]
    np.testing.assert_allclose(
        special.ndtr(upper.sum(axis=1)), np.minimum(special.ndtr(upper[:, 0]) + eps, 1 - 1e-9), atol=1e-9
    )


@pytest.mark.false_alarm(0)
def test_pvalues_are_steps_over_the_diagonal():
    ax = axes()
    draw_pvalues(ax, np.array([0.5, 0.1, 0.9]), level=0.95)
    drawn = lines(ax)["p-values"]
    np.testing.assert_allclose(drawn.get_xdata(), [0, 0.1, 0.5, 0.9, 1])
    np.testing.assert_allclose(drawn.get_ydata(), [0, 1 / 3, 2 / 3, 1, 1])


@pytest.mark.parametrize("level", [0.0, 1.0, float("nan")])
@pytest.mark.false_alarm(0)
def test_a_level_is_a_probability(level):
    with pytest.raises(ValueError, match="level must lie inside"):
        half_width(10, level)
