import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from varprop.stats.equivalence import (
    all_layers,
    check_budget,
    combine_layers,
    decide,
    directional,
    p_equivalence,
    p_refute,
)
from varprop.stats.means import pooled_step_mean, step_mean, step_mean_layers
from varprop.stats.outcome import Outcome
from varprop.stats.zero_mean import zero_mean

DELTA = math.log(1.05)


def estimate(theta, se, df=199):
    return Outcome.from_estimate("step_mean", theta=theta, se=se, df=df, n=200)


# --- p-values -------------------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("shift", [0.8, 0.97, 1.0, 1.04, 1.3])
def test_equivalence_agrees_with_statsmodels(he_steps, rng, shift):
    """The two one-sided tests of statsmodels on the networks' influences, moved to the estimate."""
    from statsmodels.stats.weightstats import DescrStatsW

    ratios = shift * he_steps(rng, (300, 4), 32)
    outcome = pooled_step_mean(ratios)
    influence = outcome.theta + (ratios / ratios.mean(axis=0) - 1).mean(axis=1)
    theirs = DescrStatsW(influence).ttost_mean(-DELTA, DELTA)[0]
    assert p_equivalence(outcome, DELTA) == pytest.approx(theirs, rel=1e-9)


@given(st.floats(-0.3, 0.3), st.floats(1e-3, 0.1), st.floats(0.01, 0.2))
def test_refutation_is_its_formula(theta, se, delta):
    outcome = estimate(theta, se)
    expected = stats.t.sf((abs(theta) - delta) / se, 199) + stats.t.sf((abs(theta) + delta) / se, 199)
    assert p_refute(outcome, delta) == pytest.approx(min(1.0, expected), rel=1e-9)


@given(st.floats(-0.3, 0.3), st.floats(1e-3, 0.1), st.floats(0.01, 0.2))
def test_signs_do_not_matter_and_both_verdicts_cannot_hold(theta, se, delta):
    outcome, mirrored = estimate(theta, se), estimate(-theta, se)
    assert p_equivalence(outcome, delta) == pytest.approx(p_equivalence(mirrored, delta), rel=1e-12)
    assert p_refute(outcome, delta) == pytest.approx(p_refute(mirrored, delta), rel=1e-12)
    assert p_equivalence(outcome, delta) + p_refute(outcome, delta) >= 1 - 1e-12


def test_a_margin_of_nothing_is_the_two_sided_test():
    outcome = estimate(0.02, 0.01)
    assert p_refute(outcome, 1e-12) == pytest.approx(outcome.pvalue, rel=1e-9)


@pytest.mark.parametrize("theta", [0.0, 0.01, -0.1, DELTA])
def test_without_spread_no_margin_is_told_from_another(theta):
    for delta in (1e-6, DELTA, 10.0):
        assert (p_equivalence(estimate(theta, 0.0), delta), p_refute(estimate(theta, 0.0), delta)) == (1.0, 1.0)


def test_where_the_law_has_no_spread_the_margin_is_compared():
    for theta, expected in ((0.01, (0.0, 1.0)), (-0.1, (1.0, 0.0)), (DELTA, (1.0, 1.0))):
        sure = Outcome.from_estimate("cumulative_mean", theta=theta, se=0.0, df=9, n=10, certain=True)
        assert (p_equivalence(sure, DELTA), p_refute(sure, DELTA)) == expected


@pytest.mark.parametrize("delta", [0.0, -0.05, math.inf, math.nan])
def test_a_margin_must_mean_something(delta):
    for test in (p_equivalence, p_refute):
        with pytest.raises(ValueError, match=r"log\(1\.05\)"):
            test(estimate(0.0, 0.01), delta)


@pytest.mark.false_alarm(2e-7)
@pytest.mark.parametrize("side", [1, -1])
def test_levels_at_the_margin(at_level, rng, side):
    """A truth exactly on the margin: each verdict is given in 5 % of 2,000 studies, when its null is the true one.

    300 networks of width 64, so that the margin is eight standard errors wide. False alarm 1e-7, twice a case.
    """
    supported, refuted = 0, 0
    for _ in range(2000):
        outcome = step_mean(math.exp(side * DELTA) * rng.standard_gamma(64.0, 300) / 64.0)
        supported += p_equivalence(outcome, DELTA) <= 0.05
        refuted += p_refute(outcome, DELTA) <= 0.05
    assert supported in at_level
    assert refuted in at_level


@pytest.mark.false_alarm(1e-7)
def test_level_of_a_mean_of_zero_at_its_margin(rejections, at_level, rng):
    """Units of +-1, + with probability .525: d has mean .05, the margin itself; seldom supported. False alarm 1e-7.

    Negative control: against a margin of .1 nearly all are.
    """
    found = []

    def pvalue():
        a = np.where(rng.random((400, 16)) < 0.525, 1.0, -1.0)
        found.append(zero_mean(a.mean(axis=1), np.ones(400)))
        return p_equivalence(found[-1], 0.05)

    assert rejections(pvalue) <= at_level[-1]
    assert sum(p_equivalence(one, 0.15) <= 0.05 for one in found[:300]) > 290


# --- direction ------------------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
def test_direction_is_the_one_sided_test(rng):
    values = rng.normal(0.1, 1.0, size=50)
    outcome = Outcome.from_estimate("growth_rate_mean", theta=values.mean(), se=stats.sem(values), df=49, n=50)
    less, greater = (stats.ttest_1samp(values, 0.2, alternative=side).pvalue for side in ("less", "greater"))
    assert directional(outcome, 0.2, direction="below") == pytest.approx((less, greater), rel=1e-9)
    assert directional(outcome, 0.2, direction="above") == pytest.approx((greater, less), rel=1e-9)


def test_direction_at_its_threshold_without_spread_decides_nothing():
    assert directional(estimate(0.1, 0.0), 0.1) == (1.0, 1.0)


def test_an_unknown_direction_is_refused():
    with pytest.raises(ValueError, match="'below' or 'above', got 'under'"):
        directional(estimate(0.1, 0.1), 0.0, direction="under")


# --- all layers -----------------------------------------------------------------------------------------------------


def test_all_layers_is_maximum_and_corrected_minimum():
    outcomes = [estimate(0.0, 0.01), estimate(0.03, 0.01), estimate(-0.08, 0.01)]
    joint = all_layers(outcomes, DELTA)
    assert joint == (
        max(p_equivalence(outcome, DELTA) for outcome in outcomes),
        3 * p_refute(outcomes[2], DELTA),
        2,
    )
    assert all_layers(outcomes[:2], DELTA).deciding == 1
    assert all_layers(outcomes[:1], DELTA).p_refute == pytest.approx(p_refute(outcomes[0], DELTA))


@pytest.mark.parametrize("se", [1e-3, 0.0])
def test_the_farthest_layer_decides_beyond_the_reach_of_p_values(se):
    layers = [estimate(theta, se if theta == 2.0 else 1e-3) for theta in (1.0, 2.0, 1.5)]
    joint = all_layers(layers, DELTA)
    assert joint.deciding == 1
    assert joint.p_equivalence == 1.0


@pytest.mark.false_alarm(1e-8)
def test_one_bad_layer_of_ten_is_enough_and_none_is_not(rng):
    """Level and power over ten layers: any false refutation in at most 5 % of 500 studies, one layer 50 % off always.

    More than 56 of 500 have probability 1e-8 at a level of .05 (here .05 at most, since all sit at the margin). The bad
    layer is 20 standard errors beyond it.
    """
    false = 0
    for _ in range(500):
        ratios = math.exp(DELTA) * rng.standard_gamma(64.0, (100, 10)) / 64.0
        false += all_layers(step_mean_layers(ratios), DELTA).p_refute <= 0.05
    assert false <= 56
    ratios[:, 4] *= 1.5 / 1.05
    bad = all_layers(step_mean_layers(ratios), DELTA)
    assert bad.deciding == 4
    assert bad.p_refute < 1e-3


def test_layers_must_pair_up():
    with pytest.raises(ValueError, match="at least one"):
        combine_layers([], [])
    with pytest.raises(ValueError, match="as many"):
        combine_layers([0.1], [0.1, 0.2])


# --- verdicts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p_support", "p_against", "verdict"),
    [(0.0025, 0.9, "supported"), (0.0026, 0.9, "inconclusive"), (0.9, 0.0025, "refuted"), (1.0, 1.0, "inconclusive")],
)
def test_verdicts_spend_an_equal_share_each(p_support, p_against, verdict):
    assert decide(p_support, p_against, level=0.05 / 20) == verdict


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((math.nan, 0.5, 0.05), "NaN decides nothing"),
        ((0.5, 1.5, 0.05), "must lie in"),
        ((0.01, 0.01, 0.05), "same claim"),
        ((0.5, 0.5, 0.0), "level must"),
        ((0.5, 0.5, 0.6), "level must"),
        ((0.5, 0.5, math.nan), "level must"),
    ],
)
def test_what_decides_nothing_is_refused(arguments, message):
    p_support, p_against, level = arguments
    with pytest.raises(ValueError, match=message):
        decide(p_support, p_against, level=level)


@pytest.mark.parametrize(("alpha", "m"), [(0.0, 1), (0.6, 1), (0.05, 0)])
def test_a_budget_that_guarantees_nothing_is_refused(alpha, m):
    with pytest.raises(ValueError, match="alpha must lie in"):
        check_budget(alpha, m)


@pytest.mark.false_alarm(4e-8)
@pytest.mark.parametrize("dependent", [False, True], ids=["independent", "dependent"])
def test_a_report_seldom_has_any_false_verdict(at_level, rng, dependent):
    """The guarantee, at its worst: 30 claims whose truths all lie on the margin, half of them just inside, half outside.

    125 networks of width 256. Any false verdict in at most 5 % of 2,000 reports: more than 156 with probability below 4e-8.
    Dependent: the claims of a report share a factor per network. Negative control: without dividing alpha by the number of
    claims, most reports of independent claims have one, and the test would notice for certain.
    """
    m = 30
    outside = np.arange(m) % 2 == 0
    truths = np.where(np.arange(m) % 4 < 2, 1, -1) * DELTA
    false, uncorrected = 0, 0
    for _ in range(2000):
        ratios = np.exp(truths) * rng.standard_gamma(128.0, (125, m)) / 128.0
        if dependent:
            ratios *= rng.standard_gamma(128.0, (125, 1)) / 128.0
        smallest = min(
            p_equivalence(outcome, DELTA) if out else p_refute(outcome, DELTA)
            for outcome, out in zip(step_mean_layers(ratios), outside, strict=True)
        )
        false += smallest <= 0.05 / m
        uncorrected += smallest <= 0.05
    assert false <= at_level[-1]
    assert uncorrected > 500
