import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from varprop.stats.equivalence import all_layers, p_equivalence, p_refute
from varprop.stats.means import step_mean, step_mean_layers
from varprop.stats.outcome import Outcome
from varprop.stats.power import (
    detectable_difference,
    networks_to_decide,
    networks_to_decide_direction,
    required_networks,
)

DELTA = math.log(1.05)


def pilot(theta, unit_variance, n=100):
    return Outcome.from_estimate("step_mean", theta=theta, se=math.sqrt(unit_variance / n), df=n - 1, n=n)


def power_to_support(n, unit_variance, effect, alpha=0.05):
    """Probability of support by the normal law: both one-sided tests must reject."""
    se, z = math.sqrt(unit_variance / n), stats.norm.ppf(1 - alpha)
    return stats.norm.cdf((DELTA - effect) / se - z) - stats.norm.cdf(-(DELTA + effect) / se + z)


@pytest.mark.parametrize(
    ("unit_variance", "margin", "networks"),
    [
        (5 * 10 / 64, 0.05, 3552),
        (5 * 50 / 64, 0.05, 17759),
        (5 * 50 / 256, 0.05, 4440),
        (2 / (16 * 10), 0.01, 1367),
        (2 / (64 * 10), 0.01, 342),
    ],
)
def test_published_plans(unit_variance, margin, networks):
    assert required_networks(unit_variance=unit_variance, margin=margin) == networks


def test_the_price_of_21_verdicts():
    one, many = (required_networks(unit_variance=5 * 50 / 64, margin=0.05, m=m) for m in (1, 21))
    assert many / one == pytest.approx(1.84, abs=0.005)


@pytest.mark.parametrize(("networks", "power"), [(1.0, 0.9), (0.5, 0.5)], ids=["as planned", "half as many"])
def test_a_plan_delivers_its_power(rng, networks, power):
    """A true claim about a pivot of width 16, margin 5 %: supported in 90 % of 1,000 studies, and in 50 % with half the plan.

    The second is the control, far outside what the first accepts. Six points around .9 are 6.3 standard errors, eight
    around .5 are five: false alarm 1e-6 together.
    """
    n = round(networks * required_networks(unit_variance=2 / 16, margin=0.05))
    supported = np.mean(
        [p_equivalence(step_mean(rng.standard_gamma(8.0, n) / 8.0), DELTA) <= 0.05 for _ in range(1000)]
    )
    assert abs(supported - power) < (0.06 if power == 0.9 else 0.08)


@pytest.mark.parametrize("effect", [0.02, 0.08, -0.12])
def test_a_plan_for_another_truth_delivers_its_power(rng, effect):
    """Inside the margin to support, outside it to refute: 90 % of 1,000 studies. False alarm 1e-6 a case (6 points)."""
    n = required_networks(unit_variance=2 / 16, margin=0.05, effect=effect)
    verdict = p_equivalence if abs(effect) < DELTA else p_refute
    outcomes = [step_mean(math.exp(effect) * rng.standard_gamma(8.0, n) / 8.0) for _ in range(1000)]
    assert abs(np.mean([verdict(outcome, DELTA) <= 0.05 for outcome in outcomes]) - 0.9) < 0.06


def test_a_plan_for_all_layers_delivers_its_power(rng):
    """Ten layers at once: 90 % by the union bound, a little more since layers are independent. False alarm 1e-6 (6 points)."""
    n = required_networks(unit_variance=2 / 64, margin=0.05, layers=10)
    supported = np.mean(
        [
            all_layers(step_mean_layers(rng.standard_gamma(32.0, (n, 10)) / 32.0), DELTA).p_equivalence <= 0.05
            for _ in range(1000)
        ]
    )
    assert abs(supported - 0.905) < 0.06
    assert n > required_networks(unit_variance=2 / 64, margin=0.05)


@given(st.floats(-0.045, 0.045), st.floats(0.5, 10.0))
def test_a_plan_is_the_smallest_that_has_the_power(effect, unit_variance):
    n = required_networks(unit_variance=unit_variance, margin=0.05, effect=effect)
    assert power_to_support(n, unit_variance, abs(effect)) >= 0.9 - 1e-9
    assert power_to_support(n - 1, unit_variance, abs(effect)) < 0.9


@given(st.floats(0.001, 10.0), st.floats(0.01, 0.5), st.integers(1, 50), st.integers(2, 10_000))
def test_detectable_difference_inverts_the_plan(unit_variance, margin, layers, n):
    difference = detectable_difference(unit_variance=unit_variance, n_networks=n, margin=margin, layers=layers, m=5)
    effect = math.log1p(difference)
    again = required_networks(
        unit_variance=unit_variance, margin=margin, effect=effect * (1 + 1e-9), layers=layers, m=5
    )
    assert abs(again - n) <= 1
    assert difference > margin


def test_the_margin_itself_cannot_be_decided():
    with pytest.raises(ValueError, match="lies on the margin"):
        required_networks(unit_variance=1.0, margin=0.05, effect=math.log1p(0.05))
    assert networks_to_decide(pilot(DELTA, 1.0), DELTA) is None
    assert networks_to_decide(pilot(DELTA + 1e-6, 1.0), DELTA) is None
    assert networks_to_decide_direction(pilot(0.3, 1.0), 0.3) is None


@pytest.mark.parametrize("theta", [0.01, -0.03, 0.1])
def test_networks_to_decide_are_those_of_the_plan(theta):
    options = {"alpha": 0.01, "m": 3, "beta": 0.2, "layers": 4}
    planned = required_networks(unit_variance=0.5, margin=0.05, effect=theta, **options)
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
    assert required_networks(unit_variance=0.0, margin=0.05) == 2
    assert networks_to_decide(pilot(0.0, 0.0), DELTA) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"margin": 0.0},
        {"margin": math.nan},
        {"unit_variance": -1.0},
        {"unit_variance": math.inf},
        {"alpha": 0.0},
        {"m": 0},
        {"beta": 0.0},
        {"beta": 0.9},
        {"layers": 0},
        {"effect": math.nan},
    ],
)
def test_a_plan_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must|need"):
        required_networks(**{"unit_variance": 1.0, "margin": 0.05} | wrong)


def test_other_entries_refuse_too():
    with pytest.raises(ValueError, match="two networks or more"):
        detectable_difference(unit_variance=1.0, n_networks=1, margin=0.05)
    with pytest.raises(ValueError, match="delta"):
        networks_to_decide(pilot(0.0, 1.0), 0.0)
    with pytest.raises(ValueError, match="direction"):
        networks_to_decide_direction(pilot(0.0, 1.0), 0.1, direction="left")
