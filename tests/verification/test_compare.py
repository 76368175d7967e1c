"""Verdicts: right ones where the truth is known, wrong ones never beyond the stated rate, and the table's columns."""

import math

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.verification.compare import Case, assess
from varprop.verification.verdict import COLUMNS

RELU = vp.mlp([64] * 9, activation="relu", weights="he_normal")
WRONG = vp.mlp([64] * 9, activation="relu", weights={"name": "variance_scaling", "scale": 2.2})


@pytest.fixture(scope="module")
def he():
    return vp.simulate(RELU, n_networks=4000, rng=301, executor="serial")


@pytest.fixture(scope="module")
def ten_percent_off():
    return vp.simulate(WRONG, n_networks=4000, rng=302, executor="serial")


def verdict(sim, **claim):
    table = vp.verify(sim, claims=[{"id": "one"} | claim])
    rows = table[table["layer"].isna()]
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.mark.false_alarm(0)
def test_the_columns_are_the_contract(he):
    table = vp.verify(he, theory="he", margin=0.1)
    assert tuple(table.columns) == COLUMNS
    assert table["verdict"].notna().all()
    assert table["layer"].dtype == "Int64"
    assert set(table["test"]) == {"cumulative_mean"}
    assert len(table) == 7 * 8 - 8  # seven quantities, but he says nothing of activation_variance
    np.testing.assert_allclose(table["ratio"], table["estimate"] / table["predicted"], rtol=1e-12)
    assert ((table["ci_low"] < table["ratio"]) & (table["ratio"] < table["ci_high"])).all()


@pytest.mark.false_alarm(1e-12)
def test_true_claims_are_supported_and_false_ones_refuted(he, ten_percent_off):
    """Each of these is decided by ten standard errors and more; a false verdict has probability below 1e-12."""
    forward = {"quantity": "preactivation_second_moment", "test": "step_mean"}
    assert verdict(he, **forward, theory="he")["verdict"] == "supported"
    assert verdict(he, **forward, theory="preserved")["verdict"] == "supported"
    assert verdict(he, **forward, theory="xavier")["verdict"] == "refuted"
    # Against "he" the wrong variance is in the prediction too; against "preserved" it is not.
    assert verdict(ten_percent_off, **forward, theory="he")["verdict"] == "supported"
    assert verdict(ten_percent_off, **forward, theory="preserved")["verdict"] == "refuted"
    depth = {"quantity": "gradient_second_moment", "test": "cumulative_mean", "theory": "preserved", "margin": 0.2}
    assert verdict(he, **depth)["verdict"] == "supported"
    assert verdict(ten_percent_off, **depth)["verdict"] == "refuted"
    zero = {"quantity": "activation_mean", "test": "zero_mean"}
    assert verdict(he, **zero)["verdict"] == "refuted"


@pytest.mark.false_alarm(1e-12)
def test_pooling_neurons_would_be_wrong(he):
    """Negative control: a t interval that counts units as replicates is too narrow by the law of q's spread.

    Under He, Var(q_8 / q_1) is (1 + 5/64)^7 - 1 = .69 between networks, of which pooling 64 units a network
    accounts for 2 / 64 only.
    """
    q = he.values("preactivation_second_moment")
    relative = q[:, -1] / q[:, 0]
    honest = relative.var(ddof=1)
    pooled = 2 * (relative**2).mean() / 64
    assert honest > 8 * pooled


@pytest.mark.false_alarm(1e-12)
def test_a_growth_rate_tells_both_rates(he):
    row = verdict(he, quantity="preactivation_second_moment", test="growth_rate", theory="preserved")
    assert row["verdict"] == "supported"
    assert "of a typical one 0.9" in row["note"]


@pytest.mark.false_alarm(1e-12)
def test_directional_claims(ten_percent_off):
    above = {"quantity": "preactivation_second_moment", "test": "directional"}
    assert verdict(ten_percent_off, **above, above=1.05)["verdict"] == "supported"
    assert verdict(ten_percent_off, **above, above=1.2)["verdict"] == "refuted"
    row = verdict(ten_percent_off, **above, below=1.2)
    assert row["verdict"] == "supported"
    assert row["predicted"] == pytest.approx(1.2)
    assert row["estimate"] == pytest.approx(1.1, rel=0.02)


@pytest.mark.false_alarm(1e-12)
@pytest.mark.parametrize(
    ("weights", "theory", "expected"),
    [
        ("xavier_uniform", "xavier", "supported"),
        ("he_normal", "he", "supported"),
        ("he_normal", "xavier", "refuted"),
        # Unscaled truncation and exchanged fans: the classical faults.
        ({"name": "truncated_normal", "std": math.sqrt(2 / 64)}, "he", "refuted"),
        ({"name": "variance_scaling", "scale": 2, "mode": "fan_out"}, "he", "refuted"),
    ],
)
def test_weights_law(weights, theory, expected):
    """10^6 draws: a margin of 5 % is more than 30 standard errors wide. False alarm below 1e-12 a case, 5 cases."""
    net = vp.mlp([64, 32, 64], activation="relu", weights=weights)
    sim = vp.simulate(net, n_networks=2, rng=5, quantities=["pivot"], method="dense")
    assert verdict(sim, quantity="weights", test="weights_law", theory=theory)["verdict"] == expected


@pytest.mark.false_alarm(1e-9)
def test_inconclusive_names_the_networks_that_would_decide():
    """At alpha 1e-9 a hundred networks cannot support a 5 % margin, and refute it with probability below 1e-9."""
    few = vp.simulate(RELU, n_networks=100, rng=303)
    claim = {"id": "few", "quantity": "preactivation_second_moment", "test": "cumulative_mean", "theory": "he"}
    row = vp.verify(few, claims=[claim], alpha=1e-9).iloc[0]
    assert row["verdict"] == "inconclusive"
    assert row["n_required"] in {100 * 4**k for k in range(1, 12)}
    assert 0.5 <= row["chance"] <= row["chance_next"] <= 1.0
    assert row["n_next"] == 4 * row["n_required"]
    assert f"{row['n_required']:,} networks decide with a chance of" in row["note"]


@pytest.mark.false_alarm(1e-8)
def test_the_planned_number_of_networks_decides():
    """Planned from the exact variance, 2/n for layer 1 and 5/n for each step; fails with probability 1e-8."""
    planned = vp.required_networks(variance=(2 + 7 * 5) / 64, margin=0.05, power=1 - 1e-8)
    sim = vp.simulate(RELU, n_networks=planned, rng=304, quantities=["preactivation_second_moment"])
    row = verdict(sim, quantity="preactivation_second_moment", test="cumulative_mean", theory="he")
    assert row["verdict"] == "supported"


@pytest.mark.false_alarm(0)
def test_m_counts_every_claim_of_the_report(he):
    claims = [vp.Claim(id=f"c{i}", quantity="pivot", test="step_mean", theory="xavier", margin=0.1) for i in range(10)]
    one = assess([Case("a", he, (claims[0],))], alpha=0.05)
    ten = assess([Case("a", he, tuple(claims[:5])), Case("b", he, tuple(claims[5:]))], alpha=0.05)
    width = one["ci_high"].iloc[0] - one["ci_low"].iloc[0]
    wider = ten["ci_high"].iloc[0] - ten["ci_low"].iloc[0]
    assert wider > 1.4 * width  # z at 1 - .005 / ... against z at 1 - .05
    assert len(ten[ten["layer"].isna()]) == 10


@pytest.mark.false_alarm(0)
def test_the_interval_lies_inside_the_margin_exactly_where_supported(he):
    for margin in (0.005, 0.02, 0.05, 0.1, 0.3):
        table = vp.verify(he, theory="he", margin=margin)
        inside = (table["ci_low"] > 1 / (1 + margin)) & (table["ci_high"] < 1 + margin)
        assert (inside == (table["verdict"] == "supported")).all()


@pytest.mark.false_alarm(0)
def test_a_users_own_frame(he):
    frame = he.to_frame()
    again = vp.Simulation.from_frame(frame, RELU)
    ours = vp.verify(he, theory="he")
    theirs = vp.verify(again, theory="he")
    pd.testing.assert_frame_equal(ours, theirs)
    bare = frame[frame["quantity"] == "preactivation_second_moment"][["network", "layer", "quantity", "value"]]
    shuffled = bare.sample(frac=1.0, random_state=1)
    mine = vp.verify(vp.Simulation.from_frame(shuffled, RELU), theory="he")
    expected = ours[ours["quantity"] == "preactivation_second_moment"]
    np.testing.assert_allclose(mine["ratio"], expected["ratio"], rtol=1e-12)


@pytest.mark.false_alarm(0)
def test_layers_restrict_a_claim(he):
    claim = {"id": "late", "quantity": "pivot", "test": "step_mean", "theory": "xavier", "layers": (5, 8)}
    table = vp.verify(he, claims=[claim])
    assert table["layer"].dropna().tolist() == [5, 6, 7, 8]
    with pytest.raises(ValueError, match="layers"):
        vp.verify(he, claims=[claim | {"layers": (20, 30)}])


@pytest.mark.false_alarm(2e-12)
def test_a_sample_that_no_test_can_judge_is_inconclusive_and_says_why():
    """One claim on dead networks must not take the other verdicts of a report with it.

    That a network of width 2 lives through 120 layers has probability 1e-15; that the pivots' mean leaves a margin of
    100 % by chance, 30 standard errors, none to speak of. False alarm 2e-12.
    """
    dying = vp.mlp([2] * 121, activation="relu", weights="he_normal")
    sim = vp.simulate(dying, n_networks=2000, rng=2)
    assert (sim.values("activation_second_moment")[:, -1] == 0).all()
    claims = [
        {"id": "dead", "quantity": "preactivation_second_moment", "test": "step_mean", "theory": "he"},
        {"id": "alive", "quantity": "pivot", "test": "step_mean", "theory": "xavier", "layers": (1, 2), "margin": 1.0},
    ]
    table = vp.verify(sim, claims=claims)
    dead = table[table["claim"] == "dead"]
    assert dead["verdict"].tolist() == ["inconclusive"]
    assert "at risk" in dead["note"].iloc[0]
    assert table.loc[table["claim"] == "alive", "verdict"].iloc[0] == "supported"


@pytest.mark.false_alarm(0)
def test_misuse_is_named(he):
    with pytest.raises(TypeError, match="from_frame"):
        vp.verify(he.to_frame(), theory="he")
    with pytest.raises(ValueError, match="one of them"):
        vp.verify(he)
    with pytest.raises(ValueError, match="no claim"):
        vp.verify(he, claims=[])
    with pytest.raises(ValueError, match="a claim needs id"):
        vp.verify(he, claims=[{"id": "x", "quantity": "pivot", "test": "step_mean", "theery": "he"}])
    with pytest.raises(ValueError, match="alpha"):
        vp.verify(he, theory="he", alpha=2.0)
    with pytest.raises(ValueError, match="margin"):
        vp.verify(he, theory="he", margin=0.0)
    pivots = vp.simulate(RELU, n_networks=5, rng=1, quantities=["pivot"])
    with pytest.raises(ValueError, match="predicts none"):
        vp.verify(pivots, theory="he")
