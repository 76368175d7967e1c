import numpy as np
import pandas as pd
import pytest
from scipy import stats

from varprop.model.simulation import Samples, Simulation
from varprop.plot.depth import frame_summary, layer_summary

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


def simulate(values, quantity="preactivation_second_moment"):
    values = np.asarray(values, dtype=float)
    places = tuple((layer, str(layer - 1)) for layer in range(1, values.shape[1] + 1))
    return Simulation(network=None, inputs=np.ones((1, 2)), samples={quantity: Samples(values, places)})


def test_mean_interval_and_spread_are_scipys(rng):
    values = rng.gamma(2.0, size=(60, 3))
    summary = layer_summary(simulate(values), "preactivation_second_moment", configuration="here")
    for layer in range(3):
        row, column = summary.iloc[layer], values[:, layer]
        low, high = stats.t.interval(0.95, 59, loc=column.mean(), scale=stats.sem(column))
        assert (row["configuration"], row["layer"], row["n_networks"]) == ("here", layer + 1, 60)
        assert [row["mean"], row["ci_low"], row["ci_high"]] == pytest.approx([column.mean(), low, high], rel=1e-12)
        assert [row["low"], row["high"]] == pytest.approx(np.quantile(column, [0.05, 0.95]), rel=1e-12)


def test_inputs_are_averaged_within_a_network():
    values = np.array([[[1.0, 3.0]], [[5.0, np.nan]], [[np.nan, np.nan]]])
    row = layer_summary(simulate(values), "preactivation_second_moment").iloc[0]
    assert (row["n_networks"], row["mean"]) == (2, 3.5)


def test_a_layer_without_values_has_no_row():
    summary = layer_summary(simulate([[1.0, np.nan], [2.0, np.nan]]), "preactivation_second_moment")
    assert summary["layer"].tolist() == [1]


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_squares_neither_overflow_nor_vanish(scale):
    row = layer_summary(simulate([[1.0 * scale], [2.0 * scale], [4.0 * scale]]), "preactivation_second_moment").iloc[0]
    half = stats.t.ppf(0.975, 2) * np.std([1, 2, 4], ddof=1) / np.sqrt(3)
    assert row["mean"] / scale == pytest.approx(7 / 3)
    assert (row["ci_high"] - row["mean"]) / scale == pytest.approx(half)


def test_zero_variance_gives_a_point_and_one_network_no_interval():
    same = layer_summary(simulate([[0.5], [0.5]]), "preactivation_second_moment").iloc[0]
    assert same[["mean", "ci_low", "ci_high", "low", "high"]].tolist() == [0.5] * 5
    alone = layer_summary(simulate([[0.5]]), "preactivation_second_moment").iloc[0]
    assert alone["mean"] == 0.5
    assert np.isnan(alone["ci_low"])


def test_a_frame_gives_what_its_simulation_gives(rng):
    values = rng.normal(size=(7, 3))
    simulation = simulate(values)
    frame = pd.DataFrame(
        [
            (network, layer + 1, str(layer), "preactivation_second_moment", values[network, layer])
            for network in range(7)
            for layer in range(3)
        ],
        columns=["network", "layer", "module", "quantity", "value"],
    )
    expected = layer_summary(simulation, "preactivation_second_moment")
    pd.testing.assert_frame_equal(frame_summary(frame, "preactivation_second_moment"), expected)


def test_a_frame_that_cannot_be_summarised_is_refused():
    frame = pd.DataFrame({"network": [0], "layer": [1], "quantity": ["pivot"], "value": [1.0]})
    with pytest.raises(ValueError, match="no rows of 'cosine'; it has pivot"):
        frame_summary(frame, "cosine")
    with pytest.raises(ValueError, match="no column value"):
        frame_summary(frame.drop(columns="value"), "pivot")
