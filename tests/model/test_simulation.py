"""A sample in memory and one that is read piece by piece answer alike."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import varprop as vp
from varprop.model.histograms import COLUMNS, PROBABILITIES
from varprop.model.simulation import Samples, Simulation
from varprop.numerics.quantiles import EXACT

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


def simulate(values, quantity="preactivation_second_moment", **keywords):
    values = np.asarray(values, dtype=float)
    places = tuple((layer, str(layer - 1)) for layer in range(1, values.shape[1] + 1))
    return Simulation(network=None, inputs=np.ones((1, 2)), samples={quantity: Samples(values, places)}, **keywords)


def in_pieces(simulation, sizes):
    """The same simulation, read in pieces of these sizes."""

    def pieces():
        first = 0
        for size in sizes:
            yield {
                name: Samples(sample.values[first : first + size], sample.places)
                for name, sample in simulation.samples.items()
            }
            first += size

    return Simulation(
        network=simulation.network,
        inputs=simulation.inputs,
        samples=simulation.samples,
        per_input=simulation.per_input,
        pieces=pieces,
    )


@pytest.fixture(scope="module")
def sampled():
    net = vp.mlp([3, 3, 3, 3], activation="relu", weights="he_normal")
    return vp.simulate(net, n_networks=100, rng=3, inputs=2, per_input=True)


def test_in_memory_there_is_one_piece(sampled):
    (piece,) = sampled.chunks()
    assert piece is sampled


def test_pieces_are_the_sample(sampled):
    pieces = list(in_pieces(sampled, [40, 1, 59]).chunks())
    assert [(piece.first, piece.n_networks) for piece in pieces] == [(0, 40), (40, 1), (41, 59)]
    whole = pd.concat([piece.to_frame() for piece in pieces])
    keys = ["quantity", "network", "layer", "input"]
    pd.testing.assert_frame_equal(
        whole.sort_values(keys, ignore_index=True), sampled.to_frame().sort_values(keys, ignore_index=True)
    )


def test_a_column(sampled):
    place = sampled.places("pivot")[1]
    np.testing.assert_array_equal(sampled.column("pivot", place), sampled.values("pivot")[:, 1])
    with pytest.raises(ValueError, match=r"pivot was not recorded at layer 9 \(module 4\)"):
        sampled.column("pivot", (9, "4"))
    with pytest.raises(ValueError, match="this simulation has preactivation_second_moment"):
        simulate(np.ones((2, 1))).column("pivot", place)


# ---- summaries ---------------------------------------------------------------------------------------------------


def test_a_summary_is_pandas_and_scipys(rng):
    values = rng.gamma(2.0, size=(500, 3))
    values[:50, 1] = 0.0
    values[100:150, 2] = np.nan
    table = simulate(values).summary()
    assert tuple(table.columns) == COLUMNS
    for layer, row in zip(range(3), table.to_dict("records"), strict=True):
        column = pd.Series(values[:, layer]).dropna()
        logs = np.log(column[column > 0])
        assert (row["layer"], row["module"], row["quantity"]) == (layer + 1, str(layer), "preactivation_second_moment")
        assert (row["n_networks"], row["n_zero"]) == (len(column), int((column == 0).sum()))
        found = [row[name] for name in ("mean", "sd", "skewness", "log_mean", "log_sd")]
        assert found == pytest.approx(
            [column.mean(), column.std(), stats.skew(column), logs.mean(), logs.std()], rel=1e-11
        )
        assert [row[name] for name in COLUMNS[-5:]] == column.quantile(list(PROBABILITIES)).tolist()


def test_what_can_be_negative_has_no_logarithms(rng):
    row = simulate(rng.normal(size=(30, 1)), "activation_mean").summary().iloc[0]
    assert np.isnan(row[["log_mean", "log_sd"]].astype(float)).all()
    assert row["n_zero"] == 0


def test_inputs_of_one_network_are_no_replicates():
    values = np.array([[[1.0, 3.0]], [[5.0, np.nan]], [[np.nan, np.nan]]])
    row = simulate(values).summary().iloc[0]
    assert (row["n_networks"], row["mean"], row["q95"]) == (2, 3.5, pytest.approx(4.85))


def test_a_layer_without_values_has_no_row():
    assert simulate([[1.0, np.nan], [2.0, np.nan]]).summary()["layer"].tolist() == [1]


def test_a_summary_of_pieces_is_that_of_the_whole(sampled, rng):
    exact = ["layer", "module", "quantity", "n_networks", "n_zero", *COLUMNS[-5:]]
    whole, parts = sampled.summary(), in_pieces(sampled, [40, 1, 59]).summary()
    pd.testing.assert_frame_equal(parts[exact], whole[exact])
    pd.testing.assert_frame_equal(parts, whole, rtol=1e-10)
    long = simulate(rng.lognormal(size=(EXACT + 500, 2)))
    whole, parts = long.summary(), in_pieces(long, [7000] * 2 + [EXACT + 500 - 14_000]).summary()
    pd.testing.assert_frame_equal(parts[exact], whole[exact])
    np.testing.assert_allclose(whole["q50"], np.median(long.values("preactivation_second_moment"), axis=0), rtol=1e-3)


def test_a_summary_of_some_quantities(sampled):
    assert set(sampled.summary(["pivot", "cosine"])["quantity"]) == {"pivot", "cosine"}
    with pytest.raises(ValueError, match="unknown quantity"):
        sampled.summary(["pivott"])
