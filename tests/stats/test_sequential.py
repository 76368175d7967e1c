"""Confidence sequences: their closed forms by a second road, and false alarms over all looks by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from varprop.numerics.moments import Moments
from varprop.stats.capital import Capital, capital_means
from varprop.stats.equivalence import directional, p_equivalence
from varprop.stats.floors import Strict
from varprop.stats.means import step_mean
from varprop.stats.mixture import NormalMixture
from varprop.stats.outcome import Outcome
from varprop.stats.sequential import (
    MIN_NETWORKS,
    SequentialOutcome,
    all_layers,
    at_any_look,
)

REPLICATIONS = 2000
BUDGET = 3000
WIDTH = 16
LOOKS = np.arange(MIN_NETWORKS, BUDGET + 1, 10)
MIXTURE = NormalMixture.tuned(500, alpha=0.1)
AT_MOST = 156  # of 2,000 false alarms: more are seen with probability below 4e-8 if their rate is .05


def outcome(theta, se, n=400):
    return Outcome.from_estimate("step_mean", theta=theta, se=se, df=n - 1, n=n)


# --- the mixture ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
@pytest.mark.parametrize("z", [-2.0, 0.0, 1.0, 3.5])
@pytest.mark.parametrize("n", [1, 50, 2000])
def test_the_e_value_is_the_average_likelihood_ratio(alternative, z, n):
    low = 0.0 if alternative == "greater" else -np.inf
    law = stats.norm(0.0, MIXTURE.rho)

    def averaged(x):
        return math.exp(x * z * math.sqrt(n) - 0.5 * n * x * x) * law.pdf(x) / law.sf(low)

    by_hand = integrate.quad(
        averaged, max(low, -1.0), 1.0, points=[z / math.sqrt(n)], epsabs=0, epsrel=1e-11, limit=200
    )[0]
    assert math.exp(MIXTURE.log_e_value(z, n, alternative=alternative)) == pytest.approx(by_hand, rel=1e-8)


@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
@given(st.floats(1e-12, 0.5), st.floats(1.0, 1e9), st.floats(1e-5, 2.0))
def test_the_bound_is_where_the_e_value_reaches_one_over_alpha(alternative, alpha, n, rho):
    mixture = NormalMixture(rho)
    bound = mixture.bound(n, alpha=alpha, alternative=alternative)
    assert mixture.log_e_value(bound, n, alternative=alternative) == pytest.approx(-math.log(alpha), rel=1e-9, abs=1e-9)


def test_one_side_costs_a_little_more_than_half_of_two():
    one = NormalMixture(0.1).bound(500, alpha=0.025)
    both = NormalMixture(0.1).bound(500, alpha=0.05, alternative="two-sided")
    assert both < one < 1.005 * both


@pytest.mark.parametrize("alpha", [1e-6, 0.05, 0.4])
@pytest.mark.parametrize("planned", [60, 10_000])
def test_tuning_makes_the_planned_look_tightest(planned, alpha):
    def bound(log_rho):
        return float(NormalMixture(math.exp(log_rho)).bound(planned, alpha=alpha, alternative="two-sided"))

    best = optimize.minimize_scalar(bound, bounds=(-12.0, 2.0), method="bounded", options={"xatol": 1e-10})
    tuned = NormalMixture.tuned(planned, alpha=alpha)
    assert tuned.rho == pytest.approx(math.exp(best.x), rel=1e-4)
    assert bound(math.log(tuned.rho)) <= best.fun * (1 + 1e-12)


def sequence(mean, variance, n, *, alpha, rho=MIXTURE.rho):
    """The published interval (Waudby-Smith and others 2024, written out): the second road to the mixture's bounds."""
    inside = 2 * (n * rho**2 + 1) / (n**2 * rho**2) * np.log(np.sqrt(n * rho**2 + 1) / alpha)
    return mean - np.sqrt(variance * inside), mean + np.sqrt(variance * inside)


def test_the_bound_is_that_of_the_published_sequence():
    n, variance, alpha = 700, 1.7, 0.05
    low, high = sequence(0.3, variance, n, alpha=alpha)
    bound = MIXTURE.bound(n, alpha=alpha, alternative="two-sided")
    assert (high - low) / 2 == pytest.approx(bound * math.sqrt(variance / n), rel=1e-12)


# --- false alarms over all looks ------------------------------------------------------------------------------------


@pytest.fixture
def looks(he_steps):
    """Running estimates and standard errors of 2,000 studies, at every tenth network: the formula of `step_mean`."""

    def draw(rng):
        theta, se = np.empty((2, REPLICATIONS, len(LOOKS)))
        for rows in np.array_split(np.arange(REPLICATIONS), 20):
            ratios = he_steps(rng, (len(rows), BUDGET), WIDTH)
            first, second = (np.cumsum(ratios**k, axis=1)[:, LOOKS - 1] for k in (1, 2))
            mean = first / LOOKS
            squared_cv = (second / LOOKS - mean**2) / mean**2 * LOOKS / (LOOKS - 1)
            theta[rows], se[rows] = np.log(mean) + squared_cv / (2 * LOOKS), np.sqrt(squared_cv / LOOKS)
        return theta, se

    return draw


def ever(rejected):
    return int(rejected.any(axis=1).sum())


@pytest.mark.false_alarm(0)
def test_running_estimates_are_those_of_the_test(he_steps, rng):
    ratios = he_steps(rng, 200, WIDTH)
    mean, n = ratios.mean(), len(ratios)
    squared_cv = ratios.var(ddof=1) / mean**2
    found = step_mean(ratios)
    assert (found.theta, found.se) == pytest.approx(
        (math.log(mean) + squared_cv / (2 * n), math.sqrt(squared_cv / n)), rel=1e-12
    )


@pytest.mark.false_alarm(2.4e-7)
def test_false_alarms_over_all_looks(looks, rng):
    """Both sides, each side, and a truth at the margin: at most .05 of 2,000 studies ever err, in 296 looks each.

    False alarm at most 4e-8 for each of six counts. With the same numbers, a t-test at every look errs in 37 to 58 %.
    """
    theta, se = looks(rng)
    z = theta / se
    threshold = math.log(20)
    assert ever(MIXTURE.log_e_value(z, LOOKS, alternative="two-sided") >= threshold) <= AT_MOST
    assert ever(MIXTURE.log_e_value(z, LOOKS) >= threshold) <= AT_MOST
    assert ever(MIXTURE.log_e_value(-z, LOOKS) >= threshold) <= AT_MOST
    low, high = sequence(theta, se**2 * LOOKS, LOOKS, alpha=0.05)
    assert ever((low > 0.0) | (high < 0.0)) <= AT_MOST
    # A truth at the upper margin is refuted by evidence on either side of the margin's two ends.
    for delta in (0.002, 0.03):
        above, below = MIXTURE.log_e_value(z, LOOKS), MIXTURE.log_e_value(-z - 2 * delta / se, LOOKS)
        assert ever(np.logaddexp(above, below) - math.log(2.0) >= threshold) <= AT_MOST
    # The control: what the looks do to a test that is valid once.
    assert 0.37 < ever(2 * stats.t.sf(np.abs(z), LOOKS - 1) <= 0.05) / REPLICATIONS < 0.58


@pytest.mark.false_alarm(8e-8)
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 21])
def test_false_alarms_over_depth(he_steps, rng, alpha):
    """A mean over ten steps at width 16, as a sum of logarithms with the variance of the summed influences.

    Looks a tenth apart from 500 networks on, as studies have them. Of 2,000 studies at most .05 (1/420) ever err, on
    either side; false alarm at most 4e-8 (4e-8) for each of two counts, two cases.
    """
    steps, looks = 10, np.array([500, 550, 610, 680, 750, 830, 920, 1020, 1130, 1250, 1380, 1520, 1680, 1850, 2000])
    mixture, at_most = NormalMixture.tuned(1000, alpha=2 * alpha), {0.05: AT_MOST, 0.05 / 21: 20}[alpha]
    starts, above, below = np.concatenate([[0], looks[:-1]]), 0, 0
    for _ in range(40):
        ratios = he_steps(rng, (50, looks[-1], steps), WIDTH)
        total = np.cumsum(np.add.reduceat(ratios, starts, axis=1), axis=1)
        mean, n = total / looks[:, None], looks[:, None, None]
        blocks = [ratios[:, a:b] for a, b in zip(starts, looks, strict=True)]
        products = np.cumsum([np.swapaxes(block, 1, 2) @ block for block in blocks], axis=0).swapaxes(0, 1)
        outer = mean[..., :, None] * mean[..., None, :]
        relative = (products / n - outer) / outer * n / (n - 1)
        squared_cv = np.diagonal(relative, axis1=2, axis2=3)
        theta = (np.log(mean) + squared_cv / (2 * n[..., 0])).sum(axis=2)
        z = theta / np.sqrt(relative.sum(axis=(2, 3)) / looks)
        above += ever(mixture.log_e_value(z, looks) >= -math.log(alpha))
        below += ever(mixture.log_e_value(-z, looks) >= -math.log(alpha))
    assert above <= at_most
    assert below <= at_most


@pytest.mark.false_alarm(1e-12)
def test_an_early_start_would_err(he_steps, rng):
    """Negative control: from the second network on, single values of a skewed law are taken for normal ones."""
    ratios = he_steps(rng, (REPLICATIONS, 200), 4)
    n = np.arange(2, 201)
    mean = np.cumsum(ratios, axis=1)[:, 1:] / n
    sd = np.sqrt(np.maximum((np.cumsum(ratios**2, axis=1)[:, 1:] / n - mean**2) * n / (n - 1), 1e-300))
    with np.errstate(over="ignore"):
        log_e = NormalMixture.tuned(20, alpha=0.1).log_e_value((1.0 - mean) / sd * np.sqrt(n), n)
    assert ever(log_e >= math.log(20)) > AT_MOST


@pytest.mark.false_alarm(1e-12)
def test_power_is_not_given_away(looks, rng):
    """A truth five margins off is refuted long before the budget: by 400 networks in all of 2,000 studies.

    The shift, 4 x .03, is then 4.3 standard errors of sqrt(5 / 16 / 400), the bound 2.9 and the chance to be short of
    it .08: fewer than 1,600 of 2,000 would be 13 standard deviations off.
    """
    theta, se = looks(rng)
    found = MIXTURE.log_e_value((theta + 4 * 0.03) / se, LOOKS) >= math.log(20)
    assert found[:, LOOKS <= 400].any(axis=1).sum() > 1600


# --- outcomes at any look -------------------------------------------------------------------------------------------


@given(st.floats(-0.3, 0.3), st.floats(1e-3, 0.1), st.floats(1e-6, 0.5))
def test_intervals_and_p_values_say_the_same(theta, se, alpha):
    found = at_any_look(outcome(theta, se), MIXTURE)
    low, high = found.bounds(alpha)
    assert found.p_above(low) == pytest.approx(alpha, rel=1e-6)
    assert found.p_below(high) == pytest.approx(alpha, rel=1e-6)


@given(st.floats(-0.3, 0.3), st.floats(1e-3, 0.1), st.floats(0.01, 0.2))
def test_looking_often_costs_evidence_of_every_kind(theta, se, delta):
    """Down to 1e-9, beyond which the t law's tails are heavier than any normal one's."""
    once = outcome(theta, se)
    often = at_any_look(once, MIXTURE)
    pairs = [(often.pvalue, once.pvalue), (p_equivalence(often, delta), p_equivalence(once, delta))]
    for threshold in (-delta, delta):
        pairs += zip(directional(often, threshold), directional(once, threshold), strict=True)
    assert all(max(more, 1e-9) >= less or less < 1e-9 for more, less in pairs)
    assert often.p_outside(delta) == pytest.approx(at_any_look(outcome(-theta, se), MIXTURE).p_outside(delta), rel=1e-9)


def test_without_spread_nothing_is_known():
    found = at_any_look(outcome(0.1, 0.0), MIXTURE)
    assert isinstance(found, SequentialOutcome)
    assert (found.p_outside(0.05), p_equivalence(found, 0.2), found.pvalue) == (1.0, 1.0, 1.0)
    assert found.interval(0.9) == (-math.inf, math.inf)


def test_where_the_law_has_no_spread_nothing_is_uncertain():
    sure = Outcome.from_estimate("cumulative_mean", theta=0.1, se=0.0, df=99, n=100, certain=True)
    found = at_any_look(sure, MIXTURE)
    assert (found.p_outside(0.05), found.p_outside(0.1), p_equivalence(found, 0.2), found.pvalue) == (
        0.0,
        1.0,
        0.0,
        0.0,
    )
    assert found.interval(0.9) == (0.1, 0.1)


def test_what_one_look_refuses_many_refuse():
    """A floor counts the networks at risk at a look as it does at a single one."""
    once = Outcome.from_estimate("step_mean", theta=0.4, se=0.02, df=159, n=200, floor=Strict(20))
    often = at_any_look(once, MIXTURE)
    for level in (0.05, 0.0025, 0.001):
        assert often.refusal(level) == once.refusal(level)
        assert math.isinf(often.bounds(level)[0]) == math.isinf(once.bounds(level)[0])
    assert "takes 200 networks of this width, there are 160" in often.refusal(0.001)
    assert often.p_above(0.0) == often.floor.p(0.0, 200) == 0.0025
    low, high = often.bounds(0.01)
    assert often.p_above(low) == pytest.approx(0.01, rel=1e-6)
    assert often.p_below(high) == pytest.approx(0.01, rel=1e-6)


def test_bets_hold_at_all_looks_as_they_are():
    table = np.linspace(0.0, 0.2, 60)[:, None]
    (bets,) = capital_means("level", Moments.of(table), Capital.of(table, low=0.0, high=1.0), null=0.1)
    assert at_any_look(bets, MIXTURE) is bets
    (few,) = capital_means("level", Moments.of(table[:3]), Capital.of(table[:3], low=0.0, high=1.0), null=0.1)
    assert at_any_look(few, MIXTURE) is few


def test_every_layer_is_the_worst_for_and_the_best_against():
    layers = [at_any_look(outcome(theta, 0.01), MIXTURE) for theta in (0.0, 0.12, -0.02)]
    joint = all_layers(layers, 0.05)
    assert joint.deciding == 1
    assert joint.p_equivalence == max(p_equivalence(layer, 0.05) for layer in layers)
    assert joint.p_refute == pytest.approx(3 * layers[1].p_outside(0.05))


@pytest.mark.parametrize("level", [0.05, 0.05 / 21])
def test_a_larger_sample_is_foreseen_with_the_bound_that_it_will_have(level):
    """Two roads: the interval that the same estimate would have with so many networks, and the half-width foreseen."""
    found = at_any_look(outcome(0.01, 0.03), MIXTURE)
    later = at_any_look(outcome(0.01, 0.03 / 2.0, n=1600), MIXTURE)
    low, high = later.interval(1 - 2 * level)
    assert found.radius(1600, level) == pytest.approx((high - low) / 2.0, rel=1e-12)
    assert at_any_look(outcome(0.01, 0.0), MIXTURE).radius(1600, level) == math.inf


def test_misuse_is_named():
    with pytest.raises(ValueError, match="starts at 50 networks, got 49"):
        at_any_look(outcome(0.1, 0.1, n=49), MIXTURE)
    with pytest.raises(ValueError, match="rho must be"):
        NormalMixture(0.0)
    with pytest.raises(ValueError, match="alpha must lie in"):
        MIXTURE.bound(60, alpha=0.7)
    with pytest.raises(ValueError, match="planned must be"):
        NormalMixture.tuned(0, alpha=0.05)
    with pytest.raises(ValueError, match="alpha must lie in"):
        NormalMixture.tuned(10, alpha=1.0)
