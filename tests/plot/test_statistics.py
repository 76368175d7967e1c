"""Figures of tests: what they are given is what they show, and what cannot be drawn is refused."""

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
    net = vp.mlp([16] * 5, activation="relu", weights="he_normal")
    return vp.simulate(net, n_networks=400, rng=np.random.SeedSequence(20150206))


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


@pytest.mark.false_alarm(0)
def test_exact_law_draws_differences_of_quantiles(simulation):
    ax = vp.plot.exact_law(simulation, layer=3)
    law = vp.theory.finite_width_law(simulation.network, 3)
    values = simulation.values("preactivation_second_moment")[:, 2]
    alive = np.sort(np.log(values[values > 0]))
    exact = law.ppf((np.arange(len(alive)) + 0.5) / len(alive))
    drawn = lines(ax)["sample"].get_xydata()
    np.testing.assert_allclose(drawn, np.column_stack([exact, alive - exact]))
    own = Figure().subplots()
    assert vp.plot.exact_law(simulation, ax=own) is own
    assert own.get_ylabel() == "measured minus exact, layer 4"


@pytest.mark.false_alarm(0)
def test_pvalues_leave_out_what_is_missing():
    drawn = lines(vp.plot.pvalues([0.2, np.nan, 0.7]))["p-values"]
    np.testing.assert_allclose(drawn.get_xdata(), [0, 0.2, 0.7, 1])


@pytest.mark.false_alarm(0)
def test_a_band_is_that_of_the_claim(simulation):
    ax = vp.plot.band(simulation, theory="he", level=0.95, margin=0.1)
    claim = {"id": "b", "test": "band", "theory": "he", "quantity": "preactivation_second_moment", "margin": 0.1}
    table = vp.verify(simulation, claims=[claim])
    rows = table[table["layer"].notna()]
    (bars,) = ax.containers
    np.testing.assert_allclose(np.asarray(bars.lines[0].get_xdata(), dtype=float), rows["layer"].to_numpy(dtype=float))
    np.testing.assert_allclose(bars.lines[0].get_ydata(), rows["ratio"].to_numpy(dtype=float))
    segments = np.array([segment[:, 1] for segment in bars.lines[2][0].get_segments()])
    np.testing.assert_allclose(segments, rows[["ci_low", "ci_high"]].to_numpy(dtype=float))


def test_power_is_what_the_plan_counts_on():
    ax = vp.plot.power(variance=5 * 10 / 64, margin=0.05, thetas=[0.0])
    (line,) = ax.get_lines()
    needed = vp.required_networks("cumulative_mean", width=64, depth=10, margin=0.05)
    assert np.interp(needed, *line.get_data()) == pytest.approx(0.9, abs=0.01)


@pytest.mark.false_alarm(0)
def test_what_cannot_be_drawn_is_refused(simulation):
    tanh = vp.simulate(vp.mlp([4, 4], activation="tanh", weights="he_normal"), n_networks=5, rng=1)
    with pytest.raises(TypeError, match="tanh"):
        vp.plot.exact_law(tanh)
    with pytest.raises(ValueError, match="layer 9; it has layers 1 to 4"):
        vp.plot.exact_law(simulation, layer=9)
    with pytest.raises(ValueError, match="level must lie inside"):
        vp.plot.exact_law(simulation, level=95)
    with pytest.raises(ValueError, match=r"p-values must be numbers in \[0, 1\]"):
        vp.plot.pvalues([0.1, 1.2])
    with pytest.raises(ValueError, match="margin must be finite and > 0"):
        vp.plot.power(variance=1.0, margin=0.0)
    with pytest.raises(ValueError, match="100"):
        vp.plot.band(vp.simulate(simulation.network, n_networks=50, rng=1), theory="he")
    assert plt.get_fignums() == []
