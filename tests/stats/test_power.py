import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import special, stats

from varprop.stats import distances
from varprop.stats.equivalence import all_layers, p_equivalence, p_refute
from varprop.stats.growth import growth_rate
from varprop.stats.means import cumulative_mean, pooled_step_mean, step_mean, step_mean_layers
from varprop.stats.outcome import Outcome
from varprop.stats.power import (
    detectable_difference,
    networks_to_decide,
    networks_to_decide_direction,
    planned_power,
    required_networks,
)

DELTA = math.log(1.05)
STEPS = ("preactivation_second_moment", "activation_second_moment")


def pilot(theta, unit_variance, n=100):
    return Outcome.from_estimate("step_mean", theta=theta, se=math.sqrt(unit_variance / n), df=n - 1, n=n)


def power_to_support(n, unit_variance, effect, alpha=0.05):
    """Probability of support by the normal law: both one-sided tests must reject."""
    se, z = math.sqrt(unit_variance / n), stats.norm.ppf(1 - alpha)
    return stats.norm.cdf((DELTA - effect) / se - z) - stats.norm.cdf(-(DELTA + effect) / se + z)


@pytest.mark.parametrize(
    ("test", "width", "depth", "margin", "networks"),
    [
        ("cumulative_mean", 64, 10, 0.05, 3552),
        ("cumulative_mean", 64, 50, 0.05, 17759),
        ("cumulative_mean", 256, 50, 0.05, 4440),
        ("pooled_step_mean", 16, 10, 0.01, 1367),
        ("pooled_step_mean", 64, 10, 0.01, 342),
    ],
)
def test_published_plans(test, width, depth, margin, networks):
    quantity = "preactivation_second_moment" if test == "cumulative_mean" else "pivot"
    assert required_networks(test, quantity=quantity, width=width, depth=depth, margin=margin) == networks


def test_the_price_of_21_verdicts():
    one, many = (required_networks("cumulative_mean", width=64, depth=50, claims=m) for m in (1, 21))
    assert many / one == pytest.approx(1.84, abs=0.005)


@pytest.mark.false_alarm(1e-9)
@pytest.mark.parametrize(
    ("test", "quantity"),
    [
        ("cumulative_mean", "activation_second_moment"),
        ("growth_rate", "activation_second_moment"),
        *((test, q) for test in ("step_mean", "pooled_step_mean") for q in ("pivot", *STEPS)),
    ],
)
def test_known_variances_are_those_of_samples(rng, test, quantity):
    """The variance that a plan takes is what the test finds in 80,000 networks of the exact law.

    Its relative error is some 1/n = 1.6 % by theory, and by chance 1.3 % (a sample variance of values with excess
    kurtosis under 11): 12 % is eight of the latter, a false alarm of 1e-9 a case, skewness included. Half the width is the control, 100 % off.
    """
    width, steps, n = 64, 4, 80_000
    up = rng.binomial(width, 0.5, size=(n, steps + 1))
    positive, negative = (2.0 * rng.standard_gamma(units / 2.0) for units in (up, width - up))
    pivots, kept = (positive + negative)[:, 1:] / width, 2.0 * positive / width
    ratios = {
        "pivot": pivots,
        "preactivation_second_moment": kept[:, :-1] * pivots,
        "activation_second_moment": kept[:, 1:],
    }[quantity]
    profile = np.cumprod(ratios, axis=1)
    outcome = {
        "cumulative_mean": lambda: cumulative_mean(profile, np.ones(steps), product=True)[-1],
        "growth_rate": lambda: growth_rate(np.hstack([np.ones((n, 1)), profile]), product=True).mean_network,
        "step_mean": lambda: step_mean(ratios[:, 0]),
        "pooled_step_mean": lambda: pooled_step_mean(ratios),
    }[test]()
    assert outcome.unit_variance == pytest.approx(variance_of_plan(test, quantity, width, steps), rel=0.12)
    assert outcome.unit_variance != pytest.approx(variance_of_plan(test, quantity, width // 2, steps), rel=0.12)


def variance_of_plan(test, quantity, width, depth):
    """The variance behind a plan, from the plan itself: N delta^2 over the squared quantiles."""
    quantiles = stats.norm.ppf(0.95) + stats.norm.ppf(0.95)
    n = required_networks(test, quantity=quantity, width=width, depth=depth, margin=1e-4)
    return n * (math.log1p(1e-4) / quantiles) ** 2


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize(("networks", "power"), [(1.0, 0.9), (0.5, 0.5)], ids=["as planned", "half as many"])
def test_a_plan_delivers_its_power(rng, networks, power):
    """A true claim about a pivot of width 16, margin 5 %: supported in 90 % of 1,000 studies, and in 50 % with half the plan.

    The second is the control, far outside what the first accepts. Seven points around .9 are 7 standard errors, ten
    around .5 are six: false alarm 1e-8 a case, with half a point for what plans neglect.
    """
    n = round(networks * required_networks(variance=2 / 16, margin=0.05))
    supported = np.mean(
        [p_equivalence(step_mean(rng.standard_gamma(8.0, n) / 8.0), DELTA) <= 0.05 for _ in range(1000)]
    )
    assert abs(supported - power) < (0.07 if power == 0.9 else 0.1)


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("effect", [0.02, 0.08, -0.12])
def test_a_plan_for_another_truth_delivers_its_power(rng, effect):
    """Inside the margin to support, outside it to refute: 90 % of 1,000 studies. False alarm 1e-8 a case (7 points)."""
    n = required_networks(variance=2 / 16, margin=0.05, theta=effect)
    verdict = p_equivalence if abs(effect) < DELTA else p_refute
    outcomes = [step_mean(math.exp(effect) * rng.standard_gamma(8.0, n) / 8.0) for _ in range(1000)]
    assert abs(np.mean([verdict(outcome, DELTA) <= 0.05 for outcome in outcomes]) - 0.9) < 0.07


@pytest.mark.false_alarm(1e-8)
def test_a_plan_for_all_layers_delivers_its_power(rng):
    """Ten layers at once: 90 % by the union bound, a little more since layers are independent. False alarm 1e-8 (7 points)."""
    n = required_networks(variance=2 / 64, margin=0.05, layers=10)
    supported = np.mean(
        [
            all_layers(step_mean_layers(rng.standard_gamma(32.0, (n, 10)) / 32.0), DELTA).p_equivalence <= 0.05
            for _ in range(1000)
        ]
    )
    assert abs(supported - 0.905) < 0.07
    assert n > required_networks(variance=2 / 64, margin=0.05)


@given(st.floats(-0.045, 0.045), st.floats(0.5, 10.0))
def test_a_plan_is_the_smallest_that_has_the_power(effect, unit_variance):
    n = required_networks(variance=unit_variance, margin=0.05, theta=effect)
    assert power_to_support(n, unit_variance, abs(effect)) >= 0.9 - 1e-9
    assert power_to_support(n - 1, unit_variance, abs(effect)) < 0.9


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("effect", [0.0, 0.15])
def test_a_plan_of_few_networks_delivers_its_power(rng, effect):
    """A dozen normal logarithms: the t law's plan is right, the normal law's (the control) falls short.

    By the exact noncentral law 4,000 studies of `planned` networks have the power within 1/3 of a point above .9; six
    standard errors (3 points) around it are a false alarm of 1e-8. Planned by the normal law it would be under .87.
    """
    variance, z = (DELTA / 3.6) ** 2 * 8, stats.norm.ppf(0.95)
    planned = required_networks(variance=variance, margin=0.05, theta=effect)
    naive = math.ceil(((z + stats.norm.ppf(0.9 if effect else 0.95)) / (abs(effect) - DELTA)) ** 2 * variance)
    assert naive < planned < 30

    def share(n):
        sample = effect + math.sqrt(variance) * rng.standard_normal((4000, n))
        theta, se = sample.mean(axis=1), sample.std(axis=1, ddof=1) / math.sqrt(n)
        distance = (abs(theta) - DELTA) if effect else (DELTA - abs(theta))
        return np.mean(stats.t.sf(distance / se, n - 1) <= 0.05)

    assert abs(share(planned) - planned_power(n_networks=planned, variance=variance, margin=0.05, theta=effect)) < 0.03
    assert planned_power(n_networks=planned - 1, variance=variance, margin=0.05, theta=effect) < 0.9
    assert share(naive) < 0.9


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("n", [15, 199, 4000])
@pytest.mark.parametrize("times", [50.0, 1000.0], ids=lambda times: f"{times:g} margins")
def test_a_plan_to_refute_what_lies_far_outside_delivers_its_power(rng, n, times):
    """Normal estimates: the p-value counts estimates beyond either margin, and so does the plan.

    Both count about half of the level here. With a critical value for the near one alone (the control) the power is .85 at
    most. Adding up the tails, a plan takes the standard error for known, and from 200 networks on throughout: .005 too much
    (by simulation, fifteen networks and more). Of 10,000 studies .024 is another six standard errors of .003, a false
    alarm below 1e-8, and five less than what the control is off.
    """
    effect = times * DELTA
    z, near = stats.norm.ppf(0.95) + stats.norm.ppf(0.9), effect - DELTA

    def share(variance):
        """Studies that refute, of 10,000 with estimates of n normal networks."""
        se = math.sqrt(variance / n)
        theta = np.abs(effect + se * rng.standard_normal(10_000))
        estimated = se * np.sqrt(rng.chisquare(n - 1, size=10_000) / (n - 1))
        beyond = [stats.t.sf((theta + side * DELTA) / estimated, n - 1) for side in (-1, 1)]
        return np.mean(sum(beyond) <= 0.05)

    variance = largest_variance(n, effect)
    assert abs(share(variance) - 0.9) < 0.024
    naive = n * (near / z) ** 2
    assert share(naive) < 0.9 - 0.024


def largest_variance(n, effect):
    """The variance with which n networks are just enough, by bisection on the plan."""
    low, high = 1e-9, 1e9
    for _ in range(100):
        middle = math.sqrt(low * high)
        enough = required_networks(variance=middle, margin=0.05, theta=effect) <= n
        low, high = (middle, high) if enough else (low, middle)
    return low


@given(st.floats(1e-12, 0.5), st.integers(1, 300) | st.just(math.inf), st.floats(0.0, 50.0))
def test_two_tails_have_the_level(tail, df, apart):
    """Two roads: SciPy's distributions, and the number that the plan solves for."""
    law = stats.norm if math.isinf(df) else stats.t(df)
    critical = distances.critical_value(tail, df, apart=apart)
    assert law.sf(critical) + law.sf(critical + apart) == pytest.approx(tail, rel=1e-6)
    assert distances.critical_value(tail, df, apart=0.0) == pytest.approx(law.isf(tail / 2.0), rel=1e-9, abs=1e-7)
    assert distances.critical_value(tail, df, apart=math.inf) == pytest.approx(law.isf(tail), rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("n", [5, 150, 5000])
@pytest.mark.parametrize("effect", [0.0, 0.02, 0.2])
def test_planned_power_inverts_the_plan(n, effect):
    """The variance with which n networks have the power .8 is found by bisection; the plan then asks for n."""
    low, high = 1e-6, 1e3
    for _ in range(200):
        middle = math.sqrt(low * high)
        enough = planned_power(n_networks=n, variance=middle, margin=0.05, theta=effect) >= 0.8
        low, high = (middle, high) if enough else (low, middle)
    assert required_networks(variance=low, margin=0.05, theta=effect, power=0.8) == pytest.approx(n, abs=1)


@given(st.floats(0.001, 10.0), st.integers(1, 50), st.integers(10, 10_000))
def test_without_a_margin_the_smallest_is_found(unit_variance, layers, n):
    options = {"variance": unit_variance, "layers": layers, "claims": 5}
    margin = detectable_difference(n_networks=n, **options)
    assert abs(required_networks(margin=margin * (1 + 1e-9), **options) - n) <= 1


@given(st.floats(0.001, 10.0), st.floats(0.01, 0.5), st.integers(1, 50), st.integers(10, 10_000))
def test_detectable_difference_inverts_the_plan(unit_variance, margin, layers, n):
    difference = detectable_difference(variance=unit_variance, n_networks=n, margin=margin, layers=layers, claims=5)
    effect = math.log1p(difference)
    again = required_networks(variance=unit_variance, margin=margin, theta=effect * (1 + 1e-9), layers=layers, claims=5)
    assert abs(again - n) <= 1
    assert difference > margin


def test_the_margin_itself_cannot_be_decided():
    with pytest.raises(ValueError, match="lies on the margin"):
        required_networks(variance=1.0, margin=0.05, theta=math.log1p(0.05))
    assert networks_to_decide(pilot(DELTA, 1.0), DELTA) is None
    assert networks_to_decide(pilot(DELTA + 1e-6, 1.0), DELTA) is None
    assert networks_to_decide_direction(pilot(0.3, 1.0), 0.3) is None


@pytest.mark.parametrize("theta", [0.01, -0.03, 0.1])
def test_networks_to_decide_are_those_of_the_plan(theta):
    options = {"alpha": 0.01, "m": 3, "beta": 0.2, "layers": 4}
    planned = required_networks(variance=0.5, margin=0.05, theta=theta, alpha=0.01, claims=3, power=0.8, layers=4)
    assert networks_to_decide(pilot(theta, 0.5), DELTA, **options) == pytest.approx(planned, abs=1)


def test_an_inconclusive_outcome_needs_more_than_it_had():
    outcome = pilot(0.01, 0.09)
    assert min(p_equivalence(outcome, DELTA), p_refute(outcome, DELTA)) > 0.05
    assert networks_to_decide(outcome, DELTA) > outcome.n


@pytest.mark.parametrize(("theta", "direction"), [(-0.02, "below"), (0.02, "above"), (0.02, "below")])
def test_networks_to_decide_a_direction_deliver_their_power(theta, direction):
    """By the normal law: (z_.95 + z_.9)^2 Var / distance^2, whichever verdict it will be."""
    z = stats.norm.ppf(0.95) + stats.norm.ppf(0.9)
    n = networks_to_decide_direction(pilot(theta, 0.04), 0.0, direction=direction)
    assert n == math.ceil(z**2 * 0.04 / 0.02**2)


def test_no_spread_needs_two_networks():
    assert required_networks(variance=0.0, margin=0.05) == 2
    assert networks_to_decide(pilot(0.0, 0.0), DELTA) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"margin": 0.0},
        {"margin": math.nan},
        {"variance": -1.0},
        {"variance": math.inf},
        {"alpha": 0.0},
        {"claims": 0},
        {"power": 1.0},
        {"power": 0.1},
        {"layers": 0},
        {"theta": math.nan},
    ],
)
def test_a_plan_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must|need"):
        required_networks(**{"variance": 1.0, "margin": 0.05} | wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"test": "step_mean", "width": 8},
        {"test": "zero_mean", "width": 8, "depth": 2},
        {"test": "cumulative_mean", "quantity": "pivot", "width": 8, "depth": 2},
        {"test": "step_mean", "width": 8, "depth": 2, "variance": 1.0},
        {"test": "step_mean", "width": 0, "depth": 2},
    ],
)
def test_a_variance_comes_from_one_source(wrong):
    with pytest.raises(ValueError, match="variance"):
        required_networks(**wrong)


def test_other_entries_refuse_too():
    with pytest.raises(ValueError, match="take more"):
        detectable_difference(variance=9.0, n_networks=2, margin=0.5, layers=50)
    with pytest.raises(ValueError, match="n_networks >= 2"):
        planned_power(n_networks=1, variance=1.0, margin=0.05)
    with pytest.raises(ValueError, match="two networks or more"):
        detectable_difference(variance=1.0, n_networks=1, margin=0.05)
    with pytest.raises(ValueError, match="delta"):
        networks_to_decide(pilot(0.0, 1.0), 0.0)
    with pytest.raises(ValueError, match="direction"):
        networks_to_decide_direction(pilot(0.0, 1.0), 0.1, direction="left")


@pytest.mark.parametrize("se", [1e-12, 1e-9, 1e-7, 1e-5])
@pytest.mark.parametrize("alpha", [0.05, 1e-6, 1e-9])
def test_almost_certain_outcomes_take_a_few_networks(se, alpha):
    """Where the noncentral t law's own routine gives up, at tiny levels with two or three networks."""
    outcome = Outcome.from_estimate("step_mean", theta=0.01, se=se, df=10**6 - 1, n=10**6)
    assert 2 <= networks_to_decide(outcome, 0.05, alpha=alpha) <= 20


@pytest.mark.parametrize("df", [1, 2, 3])
@pytest.mark.parametrize("share", [0.3, 1.0, 3.0])
def test_far_out_the_denominator_decides(df, share):
    """Two roads just below the limit: SciPy's noncentral t, and the chi-square law that stands for it beyond."""
    exact = special.nctdtr(df, 999 * share, 999)
    assert distances.below(1001, 1001 * share, df) == pytest.approx(exact, abs=2e-3)


FAR_AND_LOST = [(5.6137868640148945, 35.88, 68), (6.5, 52.0, 50), (11.0, 55.0, 100), (12.0, 48.0, 198)]
"""A critical value, a distance and degrees of freedom for which SciPy's noncentral t law is NaN."""


@pytest.mark.parametrize(("critical", "distance", "df"), FAR_AND_LOST)
def test_a_law_that_underflows_is_zero(critical, distance, df):
    """Two roads: the rule, and P(T <= c) = E[Phi(c S - d)] summed over slices of S, each at its upper end, as a bound."""
    ends = np.linspace(0.0, 2.0 * distance / critical, 20_001)
    slices = -np.diff(stats.chi2.sf(df * ends**2, df))
    bound = special.ndtr(critical * ends[1:] - distance) @ slices + stats.chi2.sf(df * ends[-1] ** 2, df)
    assert 0.0 <= bound < 1e-70
    assert distances.below(critical, distance, df) == 0.0


@given(st.floats(0.0, 100.0), st.floats(0.0, 200.0), st.integers(1, 199))
def test_nothing_is_taken_for_zero_that_counts(critical, distance, df):
    exact = special.nctdtr(df, distance, critical)
    assume(not math.isnan(exact))
    assert distances.below(critical, distance, df) == pytest.approx(exact, rel=1e-12, abs=2e-30)


@pytest.mark.parametrize(
    ("variance", "theta", "power", "layers", "claims"),
    [(0.00043, 0.029, 0.99, 50, 1), (0.00046, 0.023, 0.9, 50, 30), (0.00014, 0.033, 0.9, 10, 1)],
)
def test_a_small_variance_at_a_tiny_level_has_a_plan(variance, theta, power, layers, claims):
    """The search for it looks at distances at which SciPy's law is NaN."""
    options = {"variance": variance, "margin": 0.05, "theta": theta, "alpha": 1e-6, "claims": claims}
    n = required_networks(**options, power=power, layers=layers)
    reached, before = (1.0 - planned_power(n_networks=count, **options) for count in (n, n - 1))
    assert reached <= (1.0 - power) / layers < before


@pytest.mark.parametrize(("critical", "distance", "df"), FAR_AND_LOST)
def test_a_plan_that_cannot_miss_has_power_one(critical, distance, df):
    variance, alpha = (df + 1) * (DELTA / distance) ** 2, stats.t.sf(critical, df)
    assert planned_power(n_networks=df + 1, variance=variance, margin=0.05, alpha=alpha) == 1.0
