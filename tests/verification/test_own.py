"""A user's own measurements: what is claimed of them holds whatever the scale of the inputs and of the loss."""

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.verification.as_they_stand import kept_findings, plain_rate
from varprop.verification.claims import Claim
from varprop.verification.compare import needed_quantities

Z, VARIANCE, GRADIENT = "preactivation_second_moment", "preactivation_variance", "gradient_second_moment"
RELU = vp.mlp([64] * 6, activation="relu", weights="he_normal")
WITH_BIASES = vp.mlp([64] * 4, activation="relu", weights="he_normal", biases={"name": "normal", "std": 0.1})


def sampled(net, *, n=2000, scale=8.0, loss=1e-6, rng=1, quantities=(Z, GRADIENT)):
    """Measurements of networks that were fed 8 in every entry, with a loss of another scale than varprop's."""
    fed = np.full((1, net.widths[0]), scale)
    frame = vp.simulate(net, n_networks=n, rng=rng, inputs=fed, quantities=quantities).to_frame()
    frame.loc[frame["quantity"] == GRADIENT, "value"] *= loss
    return frame


def kept(frame, net, **options):
    return vp.verify(vp.Simulation.from_frame(frame, net), theory="preserved", **options)


@pytest.fixture(scope="module")
def measured():
    return sampled(RELU)


@pytest.mark.false_alarm(1e-9)
def test_every_layer_keeps_what_the_first_has_whatever_its_scale(measured):
    """Means of 128 and of 1e-6. The margin is ten standard errors of the last layer (1 %), and a verdict takes 2.9 of them."""
    rows = kept(measured, RELU, margin=0.12)
    assert rows["verdict"].tolist() == ["supported"] * 8
    by_layer = measured.groupby(["quantity", "layer"], observed=True)["value"].mean()
    for quantity, first, others in ((Z, 1, [2, 3, 4, 5]), (GRADIENT, 5, [1, 2, 3, 4])):
        mine = rows[rows["quantity"] == quantity]
        assert mine["layer"].tolist() == others  # nothing is claimed of the layer that the others are held against
        assert mine["predicted"].to_numpy() == pytest.approx(by_layer[quantity][first])
        assert mine["note"].str.contains(f"held against what was measured in layer {first}").all()
        np.testing.assert_allclose(mine["estimate"], by_layer[quantity][others], rtol=0.01)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("quantities", [(Z, GRADIENT), (Z, GRADIENT, VARIANCE, "conditional_variance")])
@pytest.mark.parametrize("net", [WITH_BIASES, vp.mlp([16] * 3, activation="tanh", weights="xavier_normal")])
def test_a_scale_changes_no_verdict_by_itself(net, quantities):
    """By steps, by recursion with biases, and by means as they stand."""
    frame = sampled(net, n=110, quantities=quantities)
    forward = frame["quantity"] != GRADIENT
    other = frame.assign(value=frame["value"] * np.where(forward, 1.0, 1e12))
    one, two = (kept(given, net) for given in (frame, other))
    np.testing.assert_allclose(one["ratio"], two["ratio"], rtol=1e-9)
    assert one["verdict"].tolist() == two["verdict"].tolist()
    # Bets have a scale of their own, and bounds by them are the narrower the nearer it is.
    by_steps = one["guarantee"].eq("measured") & ~one["note"].str.contains("assumes")
    np.testing.assert_allclose(
        one.loc[by_steps, ["ci_low", "ci_high"]], two.loc[by_steps, ["ci_low", "ci_high"]], rtol=1e-9
    )
    assert one["verdict"].notna().all()


@pytest.mark.false_alarm(1e-9)
def test_what_is_not_kept_is_refuted():
    """Negative control: Xavier's weights halve the signal at every ReLU, 30 and more standard errors beyond the margin."""
    halved = vp.mlp([64] * 4, activation="relu", weights="xavier_normal")
    rows = kept(sampled(halved, n=1000), halved, margin=0.1)
    assert set(rows["verdict"]) == {"refuted"}
    forward = rows[rows["quantity"] == Z]
    np.testing.assert_allclose(forward["ratio"], [0.5, 0.25], rtol=0.1)


def counts(*, studies, factor=1.0):
    """Studies in which one-sided tests at 5 % say of a true mean in the last layer that it is larger, or smaller."""
    net = vp.mlp([8] * 4, activation="relu", weights="he_normal")
    frame = vp.simulate(net, n_networks=40 * studies, rng=20, quantities=[Z]).to_frame()
    frame["value"] *= np.where(frame["layer"] == net.depth, factor, 1.0) * 50.0
    own = vp.Simulation.from_frame(frame, net)
    asked = kept_findings(own, Z, own.places(Z))
    tables = asked.tables(own)
    above = below = 0
    for i in range(studies):
        _, last = asked.conclude(tuple(table.summed(slice(i * 40, (i + 1) * 40)) for table in tables))[-1]
        above += last.outcome.p_above(0.0) <= 0.05
        below += last.outcome.p_below(0.0) <= 0.05
    return above, below


@pytest.mark.false_alarm(2e-7)
def test_it_holds_its_level_on_either_side():
    """40 networks of width 8: more than 54 of 500 true nulls have a probability below 1e-7 on either side at 5 %.

    Control: with a last layer twice as large most are rejected.
    """
    assert max(counts(studies=500)) <= 54
    above, below = counts(studies=100, factor=2.0)
    assert above > 50
    assert below == 0


@pytest.mark.false_alarm(0)
def test_means_as_they_stand_are_judged_as_their_growth_is(measured):
    """One step from the first layer to another: the test whose level has been measured."""
    net = vp.mlp([64] * 6, activation="gelu", weights="he_normal")
    own = vp.Simulation.from_frame(measured, net)
    places = own.places(Z)
    asked = kept_findings(own, Z, places)
    found = dict(asked.conclude(tuple(table.summed() for table in asked.tables(own))))
    growth = plain_rate("growth_rate", own, Z, (places[0], places[3]), steps=1, expected=0.0)
    there = growth.conclude(tuple(table.summed() for table in growth.tables(own)))
    assert found[places[3]].outcome.theta == there.theta
    assert found[places[3]].outcome.bounds(0.01) == there.bounds(0.01)


@pytest.mark.false_alarm(1e-9)
def test_a_claim_is_about_the_last_layer_that_it_covers(measured, judge):
    """A margin of 12 % is ten standard errors and more."""
    sim = vp.Simulation.from_frame(measured, RELU)
    row = judge(sim, "cumulative_mean", Z, theory="preserved", margin=0.12, layers=(2, 3))
    assert row["verdict"] == "supported"
    assert "to layer 3; held against what was measured in layer 1" in row["note"]
    with pytest.raises(ValueError, match=r"compares later layers with the first .* has none beside layer 1 in layers"):
        judge(sim, "cumulative_mean", Z, theory="preserved", layers=(1, 1))
    with pytest.raises(ValueError, match=r"compares later layers with the first .*; measure one in two or more"):
        kept(measured[measured["layer"] == 3], RELU)
    some = kept(measured[measured["layer"].isin([2, 5])], RELU, margin=0.12)
    assert some["layer"].tolist() == [5, 2]  # the first that was measured is what counts
    assert set(some["verdict"]) == {"supported"}


@pytest.mark.false_alarm(0)
def test_what_admits_no_test_is_inconclusive_with_the_reason(measured):
    gone = measured[~((measured["network"] == 7) & (measured["layer"] == 3) & (measured["quantity"] == Z))]
    rows = kept(gone, RELU, margin=0.12)
    forward = rows[rows["quantity"] == Z].set_index("layer")
    assert forward["verdict"].tolist() == ["supported", *["inconclusive"] * 3]
    assert forward.loc[3, "note"] == "values are missing at layer 3: leave out networks that were not measured"
    dead = measured.assign(value=measured["value"].where(measured["quantity"] != Z, 0.0))
    rows = kept(dead, RELU)
    assert set(rows.loc[rows["quantity"] == Z, "verdict"]) == {"inconclusive"}


@pytest.mark.false_alarm(0)
def test_weights_that_keep_the_norm_are_certain():
    net = vp.mlp([8] * 4, activation="linear", weights="orthogonal")
    frame = sampled(net, n=50, quantities=(Z,)).assign(value=3.0)
    rows = kept(frame, net)
    assert rows[["verdict", "guarantee", "ratio"]].to_numpy().tolist() == [["supported", "exact", 1.0]] * 2


@pytest.mark.false_alarm(1e-9)
def test_a_level_that_is_off_while_gains_agree_is_told(measured):
    """The ratios are 64 in all layers, within a margin of ten standard errors."""
    rows = vp.verify(vp.Simulation.from_frame(measured, RELU), theory="he", margin=0.12)
    assert set(rows["verdict"]) == {"refuted"}
    assert rows["note"].str.contains("times predicted in all layers: the gains agree and the level is off").all()
    assert rows["note"].str.contains("from_frame(frame, network, inputs=...)", regex=False).all()
    backward = rows["quantity"] == GRADIENT
    assert rows["note"].str.contains("gradient of the loss at the output").tolist() == backward.tolist()
    told = vp.Simulation.from_frame(measured[measured["quantity"] == Z], RELU, inputs=np.full((1, 64), 8.0))
    rows = vp.verify(told, theory="he", margin=0.12)
    assert set(rows["verdict"]) == {"supported"}
    assert not rows["note"].str.contains("level").any()


@pytest.mark.false_alarm(0)
def test_nothing_of_that_is_told_where_gains_differ_or_the_sampler_is_varprops():
    halved = vp.mlp([64] * 6, activation="relu", weights="xavier_normal")
    frame = sampled(halved, n=500, quantities=(Z,))
    grown = vp.verify(vp.Simulation.from_frame(frame, RELU), theory="he")  # held to be He's
    sim = vp.simulate(RELU, n_networks=500, rng=1, quantities=[Z])
    ours = vp.verify(sim, theory="preserved")
    assert not pd.concat([grown, ours])["note"].str.contains("level is off|held against").any()
    assert ours["layer"].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.false_alarm(0)
def test_a_study_records_what_its_own_test_of_preserved_needs():
    """Before anything is sampled the test reads numbers that nobody measured, which are not taken for a user's own."""
    claim = Claim(id="kept", quantity=Z, test="cumulative_mean", theory="preserved")
    everywhere = {"conditional_variance", "activation_second_moment", Z}
    where = {name: vp.simulate(WITH_BIASES, n_networks=2, rng=1).places(name) for name in everywhere}
    asked = needed_quantities(claim, WITH_BIASES, np.ones((1, 64)), where)
    own = vp.simulate(WITH_BIASES, n_networks=100, rng=1, quantities=asked)
    assert vp.verify(own, claims=[claim])["layer"].dropna().tolist() == [1, 2, 3]


@pytest.mark.false_alarm(0)
def test_a_figure_draws_what_is_preserved_at_the_level_that_was_measured(measured):
    sim = vp.Simulation.from_frame(measured, RELU)
    for quantity, first in ((Z, 1), (GRADIENT, 5)):
        level = measured[(measured["quantity"] == quantity) & (measured["layer"] == first)]["value"].mean()
        ax = vp.plot.profile(sim, theories=["preserved"], quantity=quantity)
        flat = [line for line in ax.lines if len(line.get_ydata()) == 5 and np.ptp(line.get_ydata()) == 0.0]
        np.testing.assert_allclose([line.get_ydata()[0] for line in flat], [level])
