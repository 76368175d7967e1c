"""Sweeps from Python: simulations or a frame -> Axes."""

import pandas as pd
import pytest
from matplotlib import pyplot as plt

import varprop as vp

pytestmark = pytest.mark.false_alarm(0)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def markers(ax):
    return next(line for line in ax.lines if line.get_marker() == "o")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.fixture(scope="module")
def swept():
    return [
        vp.simulate(
            vp.mlp([16] * 8, activation=phi, weights={"name": "variance_scaling", "scale": v}), n_networks=30, rng=3
        )
        for phi in ("tanh", "erf")
        for v in (0.5, 2, 8)
    ]


def test_sweep_reads_the_values_off_the_networks(swept):
    ax = vp.plot.sweep(swept, variable="weight_variance", quantity="gradient_second_moment")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("n_in Var(W)", "gain of δ² per layer")
    assert markers(ax).get_xdata().tolist() == [0.5, 2.0, 8.0]
    assert ax.get_xscale() == "log"
    assert legend(ax) == ["tanh", "erf", "mean-field", "gain 1"]


def test_sweep_draws_a_frame_that_it_computed(swept):
    table = vp.sweep_data(swept, variable="weight_variance", theory=None)
    ax = vp.plot.sweep(table, quantity="derivative_second_moment", scale="linear")
    assert (ax.get_ylabel(), ax.get_xscale()) == ("φ′²", "linear")
    assert legend(ax) == ["tanh", "erf"]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"quantity": "pivot"}, ValueError, "quantity must be one of"),
        ({"variable": None}, TypeError, "do not say what was swept"),
        ({"data": [3]}, TypeError, "data must be a Run, simulations"),
        ({"data": []}, TypeError, "data must be a Run, simulations"),
        ({"data": pd.DataFrame({"value": [1]})}, ValueError, "has no column ci_high"),
    ],
)
def test_sweep_refuses_what_it_cannot_draw(swept, given, error, message):
    keywords = {"data": swept, "variable": "weight_variance"} | given
    with pytest.raises(error, match=message):
        vp.plot.sweep(keywords.pop("data"), **keywords)
