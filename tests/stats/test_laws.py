"""Tests of a law hold their level under that law, find others, and say how far off they are."""

import math

import numpy as np
import pytest
from scipy import special, stats

import varprop as vp
from varprop.stats.equivalence import p_equivalence, p_refute
from varprop.stats.law_fits import exact_law, law_fit, log_mean, pivot_law

POWER_ERROR = 5e-8
"""On either side of what a known power allows."""


def between(power, count, studies=2000):
    """Tell whether a number of rejections agrees with a known power: outside with probability 1e-7 if it does."""
    low, high = stats.binom.ppf([POWER_ERROR, 1 - POWER_ERROR], studies, power)
    return low <= count <= high


# --- a sample and a law ---------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
def test_distance_and_pvalue_are_scipys(rng):
    u = rng.random(77) ** 1.1
    found, theirs = law_fit("pivot_law", u), stats.kstest(u, "uniform")
    assert found.theta == pytest.approx(theirs.statistic, rel=1e-12)
    assert found.pvalue == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (found.n, found.statistic) == (77, pytest.approx(math.sqrt(77) * theirs.statistic))


def test_an_atom_is_compared_at_its_own_point():
    """Ten values, six of them at an atom of .5: F_n is .6 there, and the others sit where they should."""
    u = np.array([0.5] * 6 + [0.6, 0.7, 0.85, 0.95])
    assert law_fit("exact_law", u, atom=0.5).theta == pytest.approx(0.1)
    # By brute force on a fine grid of points, just below and at each.
    points = np.concatenate([np.linspace(0.5, 1.0, 100_001), u, u - 1e-12])
    points = points[points >= 0.5]
    gaps = np.abs(np.searchsorted(np.sort(u), points, side="right") / 10 - points)
    assert law_fit("exact_law", u, atom=0.5).theta == pytest.approx(gaps.max(), abs=1e-5)


@pytest.mark.parametrize("u", [[0.5], [0.5, 1.5], [0.5, np.nan], [-0.1, 0.2], []])
def test_what_is_no_distribution_function_is_refused(u):
    with pytest.raises(ValueError, match="leave out what was not measured"):
        law_fit("pivot_law", u)


@pytest.mark.false_alarm(1e-12)
def test_intervals_hold_the_true_distance(at_level, rng):
    """Draws of v^(1/1.2) against the uniform law: the distance is known. 2,000 studies of 200.

    The bound is conservative: more than 156 misses have probability below 1e-12. Control: without the bound's half-width
    the estimate itself misses always.
    """
    truth = np.abs(np.linspace(0, 1, 100_001) ** 1.2 - np.linspace(0, 1, 100_001)).max()
    intervals = [law_fit("pivot_law", rng.random(200) ** (1 / 1.2)).interval(0.95) for _ in range(2000)]
    assert sum(not low <= truth <= high for low, high in intervals) <= at_level[-1]
    assert all(high - low < 0.25 for low, high in intervals)


def test_verdicts_are_those_of_the_interval():
    """The upper end of the 1 - 2 a interval is on the margin exactly where the p-value of support is a; likewise below."""
    fit = law_fit("pivot_law", np.linspace(0.1, 1.0, 400))
    low, high = fit.interval(0.9)
    assert p_equivalence(fit, high) == pytest.approx(0.05)
    assert p_refute(fit, low) == pytest.approx(0.05)
    assert (fit.p_above(-0.1), fit.p_below(1e-9), fit.p_above(fit.theta)) == (0.0, 1.0, 1.0)
    eps = math.sqrt(math.log(2 / 0.05) / (2 * 400))
    assert high - fit.theta == pytest.approx(eps)


@pytest.mark.false_alarm(1e-12)
def test_planned_networks_support_a_law_that_is_right(rng):
    """A hundred studies of the planned size with an accepted failure of 10 %: 40 failures have probability 2e-14.

    Planned for a sample that fits: the distance of a random one is by chance sometimes beyond the margin.
    """
    planned = law_fit("pivot_law", (np.arange(100) + 0.5) / 100).networks_to_decide(0.05)
    assert 1500 < planned < 4000
    failed = sum(p_equivalence(law_fit("pivot_law", rng.random(planned)), 0.05) > 0.05 for _ in range(100))
    assert failed < 40


@pytest.mark.false_alarm(1e-12)
def test_planned_networks_refute_one_that_is_not(rng):
    far = law_fit("pivot_law", rng.random(2000) ** 2)
    assert far.networks_to_decide(0.05) < 2000
    assert law_fit("pivot_law", np.linspace(0.0, 1.0, 1000) ** 2).networks_to_decide(0.05, layers=50) < 1000
    assert far.networks_to_decide(far.theta - math.sqrt(math.log(20) / 2) / math.sqrt(2000)) is None
    with pytest.raises(ValueError, match="alpha"):
        far.networks_to_decide(0.05, alpha=2.0)
    with pytest.raises(ValueError, match="level"):
        far.interval(1.0)
    with pytest.raises(ValueError, match="finite"):
        far.p_below(math.inf)


# --- pivots ---------------------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(2e-7)
def test_pivot_law_holds_its_level(at_level, rng):
    """Both tests, width 16, 200 networks of which some are not at risk. False alarm 1e-7, twice."""
    fits = []
    for _ in range(2000):
        pivots = rng.chisquare(16, 200) / 16
        pivots[:7] = np.nan
        fits.append(pivot_law(pivots, units=16))
    assert {fit.n for fit in fits} == {193}
    assert sum(fit.pvalue <= 0.05 for fit in fits) in at_level
    assert sum(fit.second_pvalue <= 0.05 for fit in fits) in at_level


@pytest.mark.false_alarm(1e-7)
def test_the_sum_of_pivots_has_its_planned_power(rng):
    """Weights' variance 2 % too large in the sampler, 200 networks of width 16: the power is known exactly, .127."""
    df = 200 * 16
    low, high = stats.chi2.ppf([0.025, 0.975], df) / 1.02
    power = stats.chi2.cdf(low, df) + stats.chi2.sf(high, df)
    found = sum(pivot_law(1.02 * rng.chisquare(16, 200) / 16, units=16).second_pvalue <= 0.05 for _ in range(2000))
    assert between(power, found)


@pytest.mark.false_alarm(1e-8)
def test_other_pivots_are_found(rng):
    """Uniform weights at width 4 leave the pivot's mean and change its law; so does a wrong number of units.

    200,000 networks, of which a distance of .018 is 8 / sqrt(n): missed with probability below 1e-9. Control: normal weights are not found, false alarm 1e-8.
    """
    a = np.array([1.0, 1.0, 1.0, 1.0])
    uniform = np.mean(np.einsum("nij,j->ni", rng.uniform(-1, 1, (200_000, 4, 4)), a) ** 2, axis=1) / (4 / 3)
    assert uniform.mean() == pytest.approx(1.0, abs=0.03)
    assert pivot_law(uniform, units=4).pvalue < 1e-6
    normal = np.mean(np.einsum("nij,j->ni", rng.standard_normal((200_000, 4, 4)), a) ** 2, axis=1) / 4
    assert pivot_law(normal, units=4).pvalue > 1e-8
    assert pivot_law(normal, units=5).pvalue < 1e-6


@pytest.mark.parametrize("pivots", [[1.0], [1.0, np.nan], [1.0, -1.0], [1.0, np.inf], [[1.0, 1.0]]])
def test_what_is_no_pivot_is_refused(pivots):
    with pytest.raises(ValueError, match="two networks or more at risk"):
        pivot_law(pivots, units=4)
    with pytest.raises(ValueError, match="width of the layer"):
        pivot_law([1.0, 1.0], units=0)


# --- the law over depth ---------------------------------------------------------------------------------------------


def law_of(width, depth):
    net = vp.mlp([width] * (depth + 1), activation="relu", weights="he_normal")
    return vp.theory.finite_width_law(net, depth, quantity="activation_second_moment")


@pytest.mark.false_alarm(3e-7)
def test_exact_law_and_log_mean_hold_their_level(he_steps, at_level, rng):
    """Width 16, ten layers, 100 networks: where a t-test of the mean is useless. False alarm 1e-7, three times."""
    law = law_of(16, 10)
    q = np.prod(he_steps(rng, (2000, 100, 10), 16), axis=2)
    fits = [exact_law(column, law.cdf, dead_probability=law.dead_probability) for column in q]
    assert sum(fit.pvalue <= 0.05 for fit in fits) in at_level
    assert sum(fit.second_pvalue <= 0.05 for fit in fits) in at_level
    logs = [log_mean(column, expected=law.mean) for column in q]
    assert sum(outcome.pvalue <= 0.05 for outcome in logs) in at_level
    # Coverage is the same event seen from the truth; the naive t-test of the mean is the control, far beyond its level.
    naive = (stats.ttest_1samp(q, 1.0, axis=1).pvalue <= 0.05).sum()
    assert naive > at_level[-1]


@pytest.mark.false_alarm(1.2e-7)
def test_dead_networks_are_an_atom(he_steps, at_level, rng):
    """Width 2, two layers: 44 % are dead. False alarm 1e-7 and 1e-8.

    More than 156 of the first, whose level is .043, have probability below 1e-9. Controls: no dead networks at all, and half
    as many again, are found in 400, eight standard errors and more; the test of the living alone does not see them, false
    alarm 1e-8.
    """
    law = law_of(2, 2)
    assert law.dead_probability == pytest.approx(1 - (1 - 2**-2) ** 2)
    q = np.prod(he_steps(rng, (2000, 100, 2), 2), axis=2)
    fits = [exact_law(column, law.cdf, dead_probability=law.dead_probability) for column in q]
    assert sum(fit.pvalue <= 0.05 for fit in fits) <= at_level[-1]  # conservative, see exact_law
    assert sum(fit.pvalue <= 0.05 for fit in fits) > 10
    assert sum(fit.second_pvalue <= 0.05 for fit in fits) in at_level
    living = np.prod(he_steps(rng, (4000, 2), 2), axis=1)
    living = living[living > 0][:400]
    assert exact_law(living, law.cdf, dead_probability=law.dead_probability).pvalue < 1e-9
    too_many = np.concatenate([np.zeros(264), living[:136]])
    assert exact_law(too_many, law.cdf, dead_probability=law.dead_probability).pvalue < 1e-6
    assert exact_law(too_many, law.cdf, dead_probability=law.dead_probability).second_pvalue > 1e-8


@pytest.mark.false_alarm(2e-7)
def test_log_mean_has_its_planned_power_and_covers(he_steps, at_level, rng):
    """A variance 10 % too large, ten layers of width 16, 100 networks: the noncentral t law's power.

    log q is a sum of ten terms and nearly normal. The interval covers the shifted truth. False alarm 1e-7, twice.
    """
    law = law_of(16, 10)
    shift = math.log(1.1)
    limit = stats.t.ppf(0.975, 99)
    power = stats.nct.sf(limit, 99, shift / law.std * 10) + stats.nct.cdf(-limit, 99, shift / law.std * 10)
    q = 1.1 * np.prod(he_steps(rng, (2000, 100, 10), 16), axis=2)
    outcomes = [log_mean(column, expected=law.mean) for column in q]
    assert between(power, sum(outcome.pvalue <= 0.05 for outcome in outcomes))
    intervals = np.array([outcome.interval(0.95) for outcome in outcomes])
    assert np.sum((intervals[:, 0] > shift) | (intervals[:, 1] < shift)) in at_level


@pytest.mark.false_alarm(1e-12)
def test_a_wrong_variance_is_refuted_over_depth(he_steps, rng):
    """5 % a layer over twenty layers shift log q by .98, a third of its standard deviation at width 16: a distance of .135.

    20,000 networks: p < 1e-9 takes an estimate of .073 or more, 17 standard errors away. Control: the right variance is
    supported, which takes one below .027, seven times what is expected.
    """
    law = law_of(16, 20)
    q = np.prod(he_steps(rng, (20_000, 20), 16), axis=1)
    wrong = exact_law(1.05**20 * q, law.cdf, dead_probability=law.dead_probability)
    assert p_refute(wrong, 0.05) < 1e-9
    right = exact_law(q, law.cdf, dead_probability=law.dead_probability)
    assert p_equivalence(right, 0.05) < 1e-9


def test_log_mean_leaves_dead_networks_out():
    outcome = log_mean([1.0, math.e, 0.0, 0.0], expected=0.5)
    assert (outcome.theta, outcome.n) == (pytest.approx(0.0), 2)
    assert outcome.note == "2 of 4 networks are dead and left out"


@pytest.mark.false_alarm(0)
def test_exact_law_is_scipys_on_living_networks(rng):
    q = rng.chisquare(8, 60) / 8
    found = exact_law(q, lambda x: special.chdtr(8, 8 * np.exp(x)))
    assert found.pvalue == pytest.approx(stats.kstest(8 * q, stats.chi2(8).cdf).pvalue, rel=1e-9)
    assert found.second_pvalue == pytest.approx(stats.cramervonmises(8 * q, stats.chi2(8).cdf).pvalue, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "dead", "message"),
    [
        ([1.0, np.nan], 0.1, "leave out what was not measured"),
        ([1.0, -1.0], 0.1, "1 out of range"),
        ([1.0, 2.0], 1.0, "dead_probability"),
        ([1.0, 2.0, 0.0], 0.0, "cannot be"),
        ([1.0, 0.0], 0.1, "1 of 2 networks are alive"),
    ],
)
def test_what_has_no_law_is_refused(values, dead, message):
    with pytest.raises(ValueError, match=message):
        exact_law(values, np.tanh, dead_probability=dead)


def test_what_has_no_logarithm_is_refused():
    with pytest.raises(ValueError, match="expected must be"):
        log_mean([1.0, 2.0], expected=math.inf)
    with pytest.raises(ValueError, match="0 of 2 networks are alive"):
        log_mean([0.0, 0.0], expected=0.0)
    with pytest.raises(ValueError, match="does not cover"):
        exact_law([1.0, 2.0], lambda x: x * np.nan)
