"""Verdicts as objects: what they say of themselves, the p-values beside them, and the frame at the edge."""

import math
from dataclasses import replace

import numpy as np
import pytest

import varprop as vp
from varprop.stats.multiple import exploration_adjust, holm
from varprop.verification.claims import TESTS, Claim
from varprop.verification.verdict import COLUMNS, Comparison, Verdict, in_one_report, to_frame

SMALL = """
schema = 1
title = "Small"
seed = 1
networks = 40
network.widths = "8x3"

[grid]
activation = ["relu", "tanh"]
weights = ["he_normal"]

[[claims]]
id = "x"
quantity = ["preactivation_second_moment", "activation_second_moment"]
theory = "he"
test = "step_mean"
"""


def verdict(test, decision, pvalue, *, note="", layers=(), interval=(math.nan, math.nan)):
    """A verdict of a test whose p-value, and those of its layers, are given."""
    rule = TESTS[test]
    claim = Claim(
        id=test,
        quantity=rule.quantities[0],
        test=test,
        theory="he" if rule.theory == "required" else None,
        below=0.5 if rule.bound else None,
    )
    return Verdict(
        claim=claim,
        configuration="one",
        verdict=decision,
        measured=Comparison(pvalue=pvalue, interval=interval),
        layers=tuple(Comparison(pvalue=p) for p in layers),
        alpha=0.05,
        notes=(note,),
    )


def test_point_nulls_are_adjusted_among_themselves():
    found = in_one_report(
        [
            verdict("pivot_law", "supported", 0.02, note="a", layers=[0.001]),
            verdict("step_mean", "supported", 0.04),
            verdict("log_mean", "refuted", 0.01),
            verdict("spread", "supported", 0.2),
        ]
    )
    np.testing.assert_array_equal([found[0].measured.adjusted, found[2].measured.adjusted], holm([0.02, 0.01]))
    others = [found[0].layers[0].adjusted, found[1].measured.adjusted, found[3].measured.adjusted]
    np.testing.assert_array_equal(others, exploration_adjust([0.001, 0.04, 0.2]))
    assert [one.note for one in found] == [
        "a; a difference is detectable (p = 0.02) but within the margin",
        "a difference is detectable (p = 0.04) but within the margin",
        "",
        "",
    ]


@pytest.mark.false_alarm(1e-8)
def test_the_budget_of_point_nulls_holds_over_a_report(rng):
    """Twenty true nulls in each of 2,000 reports: any adjusted p-value below .05 in at most 5 % of them.

    More than 156 have probability 8e-9. Control: unadjusted, some p-value is below .05 in 64 %.
    """
    p = rng.random((2000, 20))
    rejected = 20 * p.min(axis=1) <= 0.05  # the first step, without which Holm takes none
    assert [bool((holm(row) <= 0.05).any()) for row in p[:20]] == rejected[:20].tolist()
    assert rejected.sum() <= 156
    assert (p <= 0.05).any(axis=1).sum() > 1000


@pytest.mark.false_alarm(1e-8)
def test_a_difference_that_is_real_and_small_is_called_so():
    """Weights of 1 % too much variance, 20,000 networks of width 64 and ten layers: z = 32 beside a margin of 5 %.

    False alarm 1e-8, of the right prediction's p-value.
    """
    net = vp.mlp([64] * 11, activation="relu", weights={"name": "variance_scaling", "scale": 2.02})
    sim = vp.simulate(
        net, n_networks=20_000, rng=901, quantities=["preactivation_second_moment", "conditional_variance"]
    )
    claim = {"test": "pooled_step_mean", "quantity": "preactivation_second_moment"}
    claims = [claim | {"id": name, "theory": name} for name in ("preserved", "he")]
    rows = vp.verify(sim, claims=claims)
    rows = rows[rows["verdict"].notna()].set_index("claim")
    assert rows["verdict"].tolist() == ["supported", "supported"]
    assert "detectable" in rows.loc["preserved", "note"]
    assert rows.loc["he", "pvalue"] > 1e-8


@pytest.mark.parametrize("name", sorted(TESTS))
def test_a_difference_within_the_margin_is_told_of_tests_that_have_one(name):
    (one,) = in_one_report([verdict(name, "supported", 1e-9, note="a")])
    assert ("within the margin" in one.note) == (TESTS[name].margin is not None)


@pytest.mark.parametrize(
    ("test", "low", "high", "told"),
    [
        ("cumulative_mean", 1 + 2.2e-16, 1 + 2.2e-16, False),  # one number in all networks, but for its last digit
        ("cumulative_mean", 1 - 9e-7, 1 - 3e-7, False),
        ("cumulative_mean", 1 + 5e-6, 1 + 2e-5, True),
        ("zero_mean", 1e-9, 2e-9, False),
        ("zero_mean", 1 - 1e-9, 1 + 1e-9, True),
        ("dead_rate", 1e-7, 5e-6, True),  # counted: one network in a million is one
        ("cumulative_mean", np.nan, np.nan, True),
    ],
)
def test_what_rounding_leaves_is_no_difference(test, low, high, told):
    (one,) = in_one_report([verdict(test, "supported", 0.0, interval=(low, high))])
    assert ("within the margin" in one.note) == told


@pytest.mark.false_alarm(0)
def test_weights_that_keep_the_norm_differ_in_rounding_alone():
    """Orthogonal weights between identities, drawn as matrices in single precision: means are off by 1e-8, many of their errors."""
    net = vp.mlp([32] * 4, activation="linear", weights="orthogonal")
    quantity = "preactivation_second_moment"
    sim = vp.simulate(net, n_networks=400, rng=1, method="dense", quantities=[quantity])
    rows = vp.verify(sim, theory="mean-field")
    assert rows["verdict"].tolist() == ["supported"] * 3
    assert rows["pvalue"].min() < 0.05
    assert not rows["note"].str.contains("detectable").any()


@pytest.mark.parametrize("name", sorted(TESTS))
def test_exact_nulls_are_marked(name):
    exact = {"pivot_law", "exact_law", "log_mean", "dead_rate", "identity", "weights_law"}
    assert TESTS[name].point_null == (name in exact)


@pytest.mark.parametrize(
    ("expect", "decision", "contradicts"),
    [
        ("supported", "refuted", True),
        ("refuted", "supported", True),
        ("supported", "supported", False),
        ("supported", "inconclusive", False),
        ("inconclusive", "refuted", False),
        (None, "refuted", False),
    ],
)
def test_only_the_opposite_contradicts(expect, decision, contradicts):
    one = verdict("step_mean", decision, 0.5)
    assert replace(one, claim=replace(one.claim, expect=expect)).contradicts == contradicts


def test_a_verdict_rests_on_the_p_value_of_its_side():
    one = replace(verdict("step_mean", "supported", 0.5), p_support=0.1, p_refute=0.9)
    assert (one.pvalue, replace(one, verdict="refuted").pvalue) == (0.1, 0.9)


def test_a_standardised_mean_is_compared_by_its_estimate():
    one = verdict("zero_mean", "supported", 0.5)
    one = replace(one, measured=replace(one.measured, estimate=0.1))
    assert (one.standardised, one.compared) == (True, 0.1)
    ratio = replace(one, measured=replace(one.measured, ratio=1.2))
    assert (ratio.standardised, ratio.compared) == (False, 1.2)


def test_a_frame_has_a_row_for_each_verdict_and_each_layer():
    verdicts = [verdict("step_mean", "supported", 0.5, note="a", layers=[0.1, 0.2]), verdict("spread", "refuted", 0.4)]
    frame = to_frame(verdicts)
    assert tuple(frame.columns) == COLUMNS
    assert frame["verdict"].tolist() == pytest.approx(["supported", np.nan, np.nan, "refuted"], nan_ok=True)
    assert frame["pvalue"].tolist() == [0.5, 0.1, 0.2, 0.4]
    for rows, kept in (("verdicts", [0, 3]), ("layers", [1, 2])):
        part = to_frame(verdicts, rows=rows)
        assert part.equals(frame.iloc[kept].reset_index(drop=True))
    assert to_frame([]).dtypes.equals(frame.dtypes)


@pytest.mark.false_alarm(0)
def test_every_statement_of_a_study_has_its_verdict(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    run = vp.run_study(vp.load_study(path), tmp_path, "serial")
    stated = [(c.label, claim) for c in run.study.configurations for claim in run.study.claims_about(c.label)]
    assert [(one.configuration, one.claim) for one in run.judged] == stated
    assert len(stated) == 4
    assert run.verdicts().equals(to_frame(run.judged))
