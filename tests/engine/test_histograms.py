"""Histograms of units: the networks that simulate samples, counted whole, and the dense definition's law."""

import numpy as np
import pytest
from scipy import stats

import varprop as vp

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


def net(activation="relu", weights="he_normal", widths=(12, 10, 14, 9), biases="zeros"):
    return vp.mlp(list(widths), activation=activation, weights=weights, biases=biases)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "linear"])
def test_moments_are_those_that_simulate_records(activation):
    """Same seed, same networks: the mean square is the recorded one, and bounded by the bins' own edges."""
    network = net(activation)
    found = vp.histograms(network, n_networks=130, rng=7, inputs=2)
    sim = vp.simulate(network, n_networks=130, rng=7, inputs=2)
    for counts in (found.activations, found.gradients):
        recorded = sim.values(f"{counts.quantity}_second_moment").mean(axis=0)
        np.testing.assert_allclose(counts.second_moments, recorded, rtol=1e-12)
        assert not counts.below.any()
        assert not counts.above.any()
        squares = np.sort(np.stack([counts.edges[:-1] ** 2, counts.edges[1:] ** 2]), axis=0)
        low, high = (counts.counts @ side / counts.units for side in squares)
        if counts.scale == "linear" and counts.edges[0] < 0:
            low = np.zeros_like(low)  # a bin across 0
        assert (low <= recorded * (1 + 1e-6)).all()
        assert (recorded <= high * (1 + 1e-6)).all()


def test_every_unit_is_counted_once():
    found = vp.histograms(net(), n_networks=2100, rng=3, inputs=2)  # two blocks
    assert found.activations.units.tolist() == [2100 * 2 * width for width in (10, 14, 9)]
    frame = found.to_frame()
    assert frame.groupby(["quantity", "layer"])["count"].sum().tolist() == [42000, 58800, 37800] * 2
    body = frame[(frame["quantity"] == "gradient") & (frame["low"] > 0) & np.isfinite(frame["high"])]
    decades = np.log10(body["high"] / body["low"])
    shares = (body["density"] * decades).groupby(body["layer"]).sum()
    np.testing.assert_allclose(shares, 1 - found.gradients.zeros / found.gradients.units)


def test_exact_zeros_are_told_apart_and_are_the_inactive_units():
    found = vp.histograms(net(), n_networks=50, rng=3)
    draws = vp.simulate(net(), n_networks=50, rng=3, quantities=["dead_fraction"]).values("dead_fraction")
    np.testing.assert_allclose(found.activations.zeros / found.activations.units, draws.mean(axis=0))
    assert not vp.histograms(net("tanh"), n_networks=50, rng=3).activations.zeros.any()


def test_saturated_units_stand_in_the_outermost_bins():
    found = vp.histograms(net("tanh", {"name": "normal", "std": 30.0}), n_networks=50, rng=3).activations
    assert found.edges[[0, -1]].tolist() == [-1.0, 1.0]
    assert ((found.counts[:, 0] + found.counts[:, -1]) / found.units > 0.9).all()


def test_the_seed_decides_all():
    one, two, other = (vp.histograms(net(), n_networks=60, rng=seed) for seed in (5, 5, 6))
    assert one.to_frame().equals(two.to_frame())
    assert not one.to_frame().equals(other.to_frame())


def test_edges_of_ones_own():
    found = vp.histograms(net(), n_networks=60, rng=5, activation_edges=[0.5, 1.0], gradient_edges=[-0.1, 0.0, 0.1])
    assert found.activations.counts.shape == (3, 1)
    assert (found.activations.below > 0).all()
    assert (found.gradients.above > 0).all()
    assert found.activations.units.tolist() == [600, 840, 540]


def test_a_scale_beyond_float32_is_counted_at_its_true_size():
    deep = vp.mlp([8] * 80, activation="linear", weights={"name": "normal", "std": 30.0})
    counts = vp.histograms(deep, n_networks=5, rng=1).activations
    assert counts.edges[-1] > 1e100
    assert counts.units.tolist() == [40] * 79


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match="bins must be an integer"):
        vp.histograms(net(), n_networks=5, rng=1, bins=1)
    with pytest.raises(ValueError, match="activation_edges must be two or more finite, increasing"):
        vp.histograms(net(), n_networks=5, rng=1, activation_edges=[1, 0])
    with pytest.raises(ValueError, match="quantity must be"):
        vp.histograms(net(), n_networks=5, rng=1).of("weights")


def dense_shares(rng, gain, edges):
    """Shares of |a| and |delta| below the edges in the last and the first layer of one network, in plain NumPy."""
    a, steps = np.ones(12), []
    for fan_in, units in ((12, 10), (10, 14), (14, 9)):
        w = rng.standard_normal((units, fan_in)) * np.sqrt(gain / fan_in)
        z = w @ a
        a = np.maximum(z, 0)
        steps.append((w, z))
    delta = rng.standard_normal(9)
    for (w, _), (_, z) in zip(steps[:0:-1], steps[-2::-1], strict=True):
        delta = (w.T @ delta) * (z > 0)
    return np.array([np.mean((np.abs(v) > 0) & (np.abs(v) < edge)) for v, edge in zip((a, delta), edges, strict=True)])


@pytest.mark.false_alarm(1e-6)
def test_the_law_is_that_of_the_dense_definition(rng):
    """Shares of each of 300 networks, drawn both ways: two KS tests at 5e-7, exact, and conservative under ties."""
    edges = (1.0, 0.8)
    ours = np.array(
        [
            [
                found.activations.counts[-1, 0] / found.activations.units[-1],
                found.gradients.counts[0, 0] / found.gradients.units[0],
            ]
            for found in (
                vp.histograms(
                    net(), n_networks=1, rng=rng, activation_edges=[0, edges[0]], gradient_edges=[-edges[1], edges[1]]
                )
                for _ in range(300)
            )
        ]
    )
    plain = np.array([dense_shares(rng, 2.0, edges) for _ in range(300)])
    wrong = np.array([dense_shares(rng, 6.0, edges) for _ in range(300)])
    for mine, theirs, control in zip(ours.T, plain.T, wrong.T, strict=True):
        assert stats.ks_2samp(mine, theirs, method="exact").pvalue > 5e-7
        assert stats.ks_2samp(mine, control, method="exact").pvalue < 5e-7  # negative control: three times the variance
