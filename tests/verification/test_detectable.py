"""p-values beside verdicts: their budgets, and what is said of small differences."""

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.stats.multiple import exploration_adjust, holm
from varprop.verification.claims import TESTS
from varprop.verification.detectable import with_point_nulls


def table(rows):
    frame = pd.DataFrame(rows, columns=["test", "verdict", "pvalue", "note"])
    return with_point_nulls(frame.assign(alpha=0.05))


def test_point_nulls_are_adjusted_among_themselves():
    found = table(
        [
            ("pivot_law", "supported", 0.02, "a"),
            ("pivot_law", None, 0.001, ""),
            ("step_mean", "supported", 0.04, ""),
            ("log_mean", "refuted", 0.01, ""),
            ("spread", "supported", 0.2, ""),
        ]
    )
    adjusted = found["pvalue_adjusted"].to_numpy()
    np.testing.assert_array_equal(adjusted[[0, 3]], holm([0.02, 0.01]))
    np.testing.assert_array_equal(adjusted[[1, 2, 4]], exploration_adjust([0.001, 0.04, 0.2]))
    assert found["note"].tolist() == [
        "a; a difference is detectable (p = 0.02) but within the margin",
        "",
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
    (note,) = table([(name, "supported", 1e-9, "a")])["note"]
    assert ("within the margin" in note) == (TESTS[name].margin is not None)


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
    frame = pd.DataFrame({"test": [test], "verdict": "supported", "pvalue": 0.0, "note": "", "alpha": 0.05})
    (note,) = with_point_nulls(frame.assign(ci_low=low, ci_high=high))["note"]
    assert ("within the margin" in note) == told


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
