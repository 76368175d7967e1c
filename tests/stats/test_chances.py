"""The chance that a larger sample decides: its closed form by integration, and how often it comes true."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from varprop.stats.chances import chance_of_distance, chance_to_decide, dead_rate
from varprop.stats.law_fits import law_fit
from varprop.stats.outcome import Outcome

DELTA = 0.05


def estimate(theta, se, n=100, df=None):
    return Outcome.from_estimate("step_mean", theta=theta, se=se, df=n - 1 if df is None else df, n=n)


@pytest.mark.parametrize("theta", [0.0, 0.02, 0.05, -0.08, 0.3])
@pytest.mark.parametrize("networks", [400, 6400])
@pytest.mark.parametrize("layers", [1, 8])
def test_the_closed_form_is_the_integral_over_what_is_open(theta, networks, layers):
    """Another road: the truth from what the data leave open, the mean of the new networks from the truth, by quadrature."""
    n, se, level = 100, 0.03, 0.05 / 7
    outcome, unit = estimate(theta, se, n, math.inf), n * se**2
    later = stats.norm.isf(level) * math.sqrt(unit / networks)
    beyond = stats.norm.isf(level / layers) * math.sqrt(unit / networks)
    spread = math.sqrt(unit / (networks - n))

    def decided(truth):
        def below(end):
            """Chance that the estimate of all networks is below a value: the mean of the new ones has to be."""
            return stats.norm.cdf(((networks * end - n * theta) / (networks - n) - truth) / spread)

        inside = max(0.0, below(DELTA - later) - below(-DELTA + later)) if later < DELTA else 0.0
        return inside + below(-DELTA - beyond) + 1.0 - below(DELTA + beyond)

    expected, _ = integrate.quad(
        lambda t: decided(t) * stats.norm.pdf(t, theta, se), theta - 9 * se, theta + 9 * se, limit=400
    )
    found = chance_to_decide(outcome, networks, level=level, low=-DELTA, high=DELTA, layers=layers)
    assert found == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("theta", [-0.1, 0.0, 0.2])
def test_a_bound_has_one_side(theta):
    outcome = estimate(theta, 0.05, 200)
    networks, level = 800, 0.01
    spread, radius = 0.05 * math.sqrt(1 - 200 / 800), outcome.radius(networks, level)
    expected = stats.norm.cdf((-radius - theta) / spread) + stats.norm.sf((radius - theta) / spread)
    for low, high in ((-math.inf, 0.0), (0.0, math.inf)):
        assert chance_to_decide(outcome, networks, level=level, low=low, high=high) == pytest.approx(expected)


def test_an_estimate_on_the_margin_is_no_truth_on_it():
    """It would take infinitely many networks; as what is known of the truth it does not."""
    chances = [
        chance_to_decide(estimate(DELTA, 0.03), 100 * 4**k, level=0.05, low=-DELTA, high=DELTA) for k in range(1, 12)
    ]
    assert chances == sorted(chances)
    assert chances[0] < 0.5 < chances[3]
    assert chances[-1] > 0.99


def test_values_that_are_all_alike_foresee_nothing():
    assert chance_to_decide(estimate(0.0, 0.0), 400, level=0.05, low=-DELTA, high=DELTA) == 0.0
    assert estimate(0.0, 0.0).radius(400, 0.05) == math.inf


def test_a_half_width_is_that_of_the_interval_with_so_many_networks():
    """Two roads: the interval of an outcome that has them."""
    now, then = estimate(0.01, 0.04, 50), estimate(0.01, 0.02, 200)
    low, high = then.interval(1 - 2 * 0.003)
    assert now.radius(200, 0.003) == pytest.approx((high - low) / 2.0, rel=1e-12)
    fit = law_fit("pivot_law", (np.arange(50) + 0.5) / 50)
    low, high = law_fit("pivot_law", np.linspace(0.0, 1.0, 4000) ** 2).interval(1 - 2 * 0.003)
    assert fit.radius(4000, 0.003) == pytest.approx((high - low) / 2.0, rel=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        {"networks": 100},
        {"level": 0.0},
        {"level": 0.6},
        {"low": 0.1, "high": 0.1},
        {"layers": 0},
        {"networks": math.nan},
    ],
)
def test_what_cannot_be_foreseen_is_refused(wrong):
    with pytest.raises(ValueError, match="need more networks"):
        chance_to_decide(estimate(0.0, 0.1), **{"networks": 400, "level": 0.05, "low": -DELTA, "high": DELTA} | wrong)


def test_a_distance_is_foreseen_without_what_is_chance_in_it():
    """Values of the law itself show .87 / sqrt(n), which is no distance; those of another law keep theirs."""
    right = law_fit("pivot_law", (np.arange(100) + 0.25) / 100.0)
    assert chance_of_distance(right, 10_000, level=0.01, margin=0.1) > 0.9
    wrong = law_fit("pivot_law", np.linspace(0.0, 1.0, 100) ** 2)
    assert wrong.theta > 0.2
    assert chance_of_distance(wrong, 10_000, level=0.01, margin=0.05) > 0.98
    on_margin = wrong.theta - math.sqrt(math.pi / 2) * math.log(2) / 10
    assert chance_of_distance(wrong, 400, level=0.01, margin=on_margin) < 0.5


def test_a_share_is_foreseen_too():
    rate = dead_rate(0, 100, expected=0.0)
    assert chance_to_decide(rate, 10_000, level=0.05, low=-0.05, high=0.05) > 0.99


@pytest.mark.false_alarm(1e-8)
def test_the_promised_chance_comes_true_on_average(rng):
    """Studies of 200 normal networks with truths all over the margin; those left open are extended fourfold.

    Averaged over truths that are uniform to three margins, as many are decided as was promised: the difference has standard
    error .011 at most with 2,000 studies, so that .066 is six of them, a false alarm of 2e-9, and the prior's edge no matter. The
    control promises by the estimate taken for the truth: 0 or 1 nearly, and .10 too much where it says more than one half.
    """
    n, networks, level, unit = 200, 800, 0.05, 0.25
    truth = rng.uniform(-3 * DELTA, 3 * DELTA, size=4000)
    theta = truth + math.sqrt(unit / n) * rng.standard_normal(4000)
    later = (
        n * theta + (networks - n) * (truth + math.sqrt(unit / (networks - n)) * rng.standard_normal(4000))
    ) / networks
    se, after = math.sqrt(unit / n), math.sqrt(unit / networks)
    z = stats.norm.isf(level)
    undecided = (np.abs(theta) > DELTA - z * se) & (np.abs(theta) < DELTA + z * se)
    decided = ((np.abs(later) < DELTA - z * after) | (np.abs(later) > DELTA + z * after))[undecided]
    promised = np.array(
        [
            chance_to_decide(estimate(t, se, n, math.inf), networks, level=level, low=-DELTA, high=DELTA)
            for t in theta[undecided]
        ]
    )
    assert undecided.sum() > 2000
    assert abs(decided.mean() - promised.mean()) < 0.066
    naive = np.abs(np.abs(theta[undecided]) - DELTA) > z * after
    assert abs(decided[naive].mean() - 1.0) > 0.1
