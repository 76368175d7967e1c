"""Round numbers on axes of any length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from varprop.plot.axes import set_round_ticks


def ticks(low, high, scale):
    """Numbers on such an axis."""
    axes = Figure().subplots()
    axes.set(xscale=scale, xlim=(low, high))
    set_round_ticks(axes, most=5)
    return [float(tick) for tick in axes.get_xticks()]


@pytest.mark.parametrize(
    ("low", "high", "scale", "found"),
    [
        (0.93, 1.07, "log", [0.95, 1.0, 1.05]),
        (0.1, 12.0, "log", [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]),
        (0.003, 300.0, "log", [0.01, 0.1, 1.0, 10.0, 100.0]),
        (-0.5, 0.5, "linear", [-0.4, -0.2, 0.0, 0.2, 0.4]),
    ],
)
def test_numbers_are_round(low, high, scale, found):
    assert ticks(low, high, scale) == pytest.approx(found, abs=1e-12)


@given(st.floats(0.01, 8.0), st.floats(0.01, 8.0))
def test_no_axis_around_one_is_without_numbers(below, above):
    found = ticks(10.0**-below, 10.0**above, "log")
    assert 2 <= len(found) <= 10
