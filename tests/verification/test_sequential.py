"""Claims judged look by look: the schedule, verdicts where the truth is known, and what a row says."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

import varprop as vp
from varprop.stats.equivalence import decide
from varprop.verification.claims import TESTS
from varprop.verification.compare import gather
from varprop.verification.questions import UndecidableError
from varprop.verification.watching import (
    FIRST_LOOK,
    Watch,
    at_any_look,
    look_schedule,
    mixture_for,
)

RELU = vp.mlp([32] * 5, activation="relu", weights="he_normal")
BUDGET = 20_000


def claim(id="c", test="step_mean", quantity="preactivation_second_moment", theory="he", margin=0.05, **more):
    return vp.Claim(id=id, test=test, quantity=quantity, theory=theory, margin=margin, **more)


def part(simulation, first, last):
    """Networks of a sample in memory, from one number to before another."""
    samples = {
        name: dataclasses.replace(kept, values=kept.values[first:last]) for name, kept in simulation.samples.items()
    }
    return dataclasses.replace(simulation, samples=samples, first=first)


def follow(simulation, claims, *, looks=None, alpha=0.05, m=None, pieces=1):
    """Watch claims on a sample in memory until all are closed."""
    looks = looks or look_schedule(simulation.n_networks, block=100)
    m = m or max(1, len(claims))
    mixture = mixture_for(looks, alpha=alpha, m=m)
    watch = Watch("here", claims, looks=looks, levels=[alpha / m] * len(claims), mixture=mixture)
    while (size := watch.next_look) is not None:
        ends = np.linspace(watch.networks, size, pieces + 1).astype(int)
        new = [part(simulation, a, b) for a, b in itertools.pairwise(ends)]
        watch.look(new, part(simulation, 0, size))
    return watch


@pytest.fixture(scope="module")
def he():
    return vp.simulate(RELU, n_networks=BUDGET, rng=71, executor="serial")


# --- the schedule ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 16, 250, 2000])
@pytest.mark.parametrize("budget", [1, 400, 500, 501, 2000, 10**6])
def test_looks_are_whole_blocks_a_tenth_apart(budget, block):
    looks = look_schedule(budget, block=block)
    assert looks[-1] == budget
    assert all(a < b for a, b in itertools.pairwise(looks))
    assert all(look % block == 0 for look in looks[:-1])
    if len(looks) > 1:
        assert FIRST_LOOK <= looks[0] < FIRST_LOOK + block
    for a, b in itertools.pairwise(looks):
        assert b <= a * 1.1 + block


def test_a_larger_budget_looks_at_the_same_moments():
    few, many = look_schedule(5000, block=100), look_schedule(50_000, block=100)
    assert many[: len(few) - 1] == few[:-1]


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one network"):
        look_schedule(0)


# --- verdicts -------------------------------------------------------------------------------------------------------

TRUE = (
    claim("step"),
    claim("pooled", test="pooled_step_mean", margin=0.03),
    claim("depth", test="cumulative_mean", margin=0.1),
    claim("growth", test="growth_rate", margin=0.03),
    vp.Claim(id="below", test="directional", quantity="preactivation_second_moment", below=1.05),
    vp.Claim(id="typical", test="typical_directional", quantity="preactivation_second_moment", below=0.97),
    vp.Claim(id="level", test="level", quantity="activation_mean", above=0.3),
    vp.Claim(id="map", test="activation_map", quantity="activation_second_moment"),
    vp.Claim(id="zero", test="zero_mean", quantity="activation_mean", margin=0.9),
)
FALSE = (
    claim("step", theory="xavier"),
    claim("pooled", test="pooled_step_mean", theory="xavier"),
    claim("depth", test="cumulative_mean", theory="xavier"),
    claim("growth", test="growth_rate", theory="xavier"),
    vp.Claim(id="above", test="directional", quantity="preactivation_second_moment", above=1.05),
    vp.Claim(id="typical", test="typical_directional", quantity="preactivation_second_moment", above=0.97),
    vp.Claim(id="level", test="level", quantity="activation_mean", below=0.3),
    vp.Claim(id="zero", test="zero_mean", quantity="activation_mean", margin=0.05),
)


def test_every_watched_test_is_tried():
    assert {one.test for one in TRUE} == {name for name, rule in TESTS.items() if rule.watched}


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize(("claims", "expected"), [(TRUE, "supported"), (FALSE, "refuted")])
def test_true_claims_are_supported_early_and_false_ones_refuted(he, claims, expected):
    """At the budget every margin is 17 standard errors and more, of which the bound at alpha = 1e-6 takes six."""
    watch = follow(he, claims, alpha=1e-6)
    assert [stop.claim for stop in watch.stopped] == list(claims)
    for stop in watch.stopped:
        evidence = stop.evidence
        assert decide(evidence.p_support, evidence.p_refute, level=1e-6 / len(claims)) == expected
        assert stop.networks < BUDGET
        assert f"sequential: stopped after {stop.networks:,} of at most 20,000" in evidence.note


@pytest.mark.false_alarm(0)
def test_a_verdict_does_not_depend_on_the_other_claims_or_on_the_pieces(he):
    """What else a sample is used for, and how it is cut up on the way, is no part of the evidence."""
    together = {stop.claim.id: stop for stop in follow(he, TRUE, m=7).stopped}
    for one in TRUE:
        (alone,) = follow(he, [one], m=7, pieces=3).stopped
        assert alone.networks == together[one.id].networks
        assert alone.evidence.p_support == pytest.approx(together[one.id].evidence.p_support, rel=1e-9)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("one", TRUE, ids=lambda one: one.id)
def test_a_look_is_the_fixed_evidence_with_other_bounds(he, one):
    """Estimates and standard errors are those of a fixed sample of that size; only p-values and intervals differ."""
    (stop,) = follow(he, [one]).stopped
    (fixed,) = gather([one], part(he, 0, stop.networks), called="here")
    watched = stop.evidence
    for ours, theirs in zip((watched.headline, *watched.layers), (fixed.headline, *fixed.layers), strict=True):
        assert ours.place == theirs.place
        assert ours.estimate == pytest.approx(theirs.estimate, rel=1e-12)
        assert ours.outcome.se == pytest.approx(theirs.outcome.se, rel=1e-9)
        (low, high), (inner_low, inner_high) = ours.outcome.interval(0.95), theirs.outcome.interval(0.95)
        if one.test == "zero_mean":  # bets hold at all looks as they are
            assert (low, high) == pytest.approx((inner_low, inner_high), rel=1e-9)
        else:
            assert low < inner_low < inner_high < high
    assert watched.p_support >= fixed.p_support
    # At the look before it was not decided yet.
    mixture = mixture_for(look_schedule(BUDGET, block=100), alpha=0.05, m=1)
    looks = look_schedule(BUDGET, block=100)
    if stop.networks > looks[0]:
        earlier = looks[looks.index(stop.networks) - 1]
        before = at_any_look(one, gather([one], part(he, 0, earlier), called="here")[0], mixture)
        assert decide(before.p_support, before.p_refute, level=0.05) == "inconclusive"


@pytest.mark.false_alarm(0)
def test_the_interval_lies_inside_the_margin_where_supported(he):
    (stop,) = follow(he, [claim(test="cumulative_mean", margin=0.1)]).stopped
    low, high = stop.evidence.headline.outcome.interval(1 - 2 * 0.05)
    assert -math.log(1.1) < low < high < math.log(1.1)


@pytest.mark.false_alarm(1e-9)
def test_what_the_budget_does_not_decide_stays_open_and_says_what_would(he):
    tight = claim(margin=0.001)
    (stop,) = follow(part(he, 0, 2000), [tight], alpha=1e-9).stopped
    assert stop.networks == 2000
    assert decide(stop.evidence.p_support, stop.evidence.p_refute, level=1e-9) == "inconclusive"
    assert stop.evidence.chance(4 * 2000, 1e-9) < 0.5 < stop.evidence.chance(10**7, 1e-9)


@pytest.mark.false_alarm(0)
def test_other_tests_are_judged_once(he):
    """Whole laws at the budget; weights, of which an own sample is drawn, at the first look."""
    claims = [
        vp.Claim(id="law", test="pivot_law", quantity="pivot"),
        vp.Claim(id="weights", test="weights_law", quantity="weights", theory="he"),
    ]
    law, weights = follow(part(he, 0, 3000), claims).stopped
    assert (law.networks, weights.networks) == (3000, 500)
    assert "judged once, after 3,000 networks" in law.evidence.note
    (fixed,) = gather(claims[:1], part(he, 0, 3000), called="here")
    assert (law.evidence.p_support, law.evidence.p_refute) == (fixed.p_support, fixed.p_refute)


@pytest.mark.false_alarm(0)
def test_a_sample_without_a_claim_is_taken_whole(he):
    watch = follow(part(he, 0, 1000), [])
    assert watch.networks == 1000
    assert watch.stopped == ()


@pytest.mark.false_alarm(0)
def test_few_networks_decide_nothing():
    few = vp.simulate(RELU, n_networks=30, rng=1)
    (stop,) = follow(few, [claim(margin=50.0)]).stopped
    assert isinstance(stop.evidence, UndecidableError)
    assert "starts at 50 networks" in str(stop.evidence)


@pytest.mark.false_alarm(1e-9)
def test_a_network_that_no_test_can_judge_closes_the_claim_where_it_is_met(he):
    """More networks cannot mend it; the other claims go on."""
    table = he.values("preactivation_second_moment").copy()
    table[1234, 2] = np.nan
    name = "preactivation_second_moment"
    samples = dict(he.samples) | {name: dataclasses.replace(he.samples[name], values=table)}
    broken, other = follow(dataclasses.replace(he, samples=samples), [TRUE[2], TRUE[6]], alpha=1e-6).stopped
    assert isinstance(broken.evidence, UndecidableError)
    assert "NaN" in str(broken.evidence)
    assert 1234 < broken.networks < 1234 * 1.1 + 100
    assert not isinstance(other.evidence, UndecidableError)


@pytest.mark.false_alarm(0)
def test_misuse_is_named(he):
    watch = Watch(
        "here", [claim()], looks=(500, 1000), levels=[0.05], mixture=mixture_for((500, 1000), alpha=0.05, m=1)
    )
    with pytest.raises(ValueError, match="next look is at 500"):
        watch.look([part(he, 0, 400)], part(he, 0, 400))
    with pytest.raises(ValueError, match="there are 500, got 400"):
        watch.look([part(he, 0, 400)], part(he, 0, 500))
    bare = vp.simulate(RELU, n_networks=500, rng=1, quantities=["pivot"])
    with pytest.raises(ValueError, match="claim 'c' on 'here'"):
        follow(bare, [claim()])
    assert TESTS["step_mean"].scope == "every layer"
