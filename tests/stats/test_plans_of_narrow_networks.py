"""Plans where networks die on the way: the power that they promise, by the exact law of ReLU's steps."""

import math

import numpy as np
import pytest
from scipy import special

from varprop.stats.distances import degrees, standard_error
from varprop.stats.power import detectable_difference, required_networks
from varprop.stats.variances import known_variance

STUDIES = 2000
CASES = {
    "4x20": ("growth_rate", 4, 20, 0.1, 0.05),
    "3x10": ("growth_rate", 3, 10, 0.2, 5e-4),
    "8x20": ("growth_rate", 8, 20, 0.1, 0.05),
    "4x10": ("cumulative_mean", 4, 10, 1.0, 5e-4),
    "16x50": ("growth_rate", 16, 50, 0.1, 0.05 / 150),
}
"""Test, width, steps, margin and one-sided level."""
WITHOUT_DEATHS = {"4x20": 76, "3x10": 128, "4x10": 634}
"""What a plan asked for that took every network to be alive to the last step."""


def _supported(rng, networks, case, *, studies=STUDIES, batch=250):
    """Share of studies that support a prediction that is exactly right, by the product of the steps' means.

    A step keeps (2 / n) chi2_K, K ~ Bin(n, 1/2): 0 where the network dies, which is at risk in no later step. What is
    estimated of it is as in `varprop.stats.influence`: log m + s^2 / (2 n m^2), and the spread of the networks' summed influences.
    """
    (test, width, steps, margin, level), found = case, 0
    for _ in range(studies // batch):
        units = rng.binomial(width, 0.5, size=(batch, networks, steps))
        ratios = 4.0 / width * rng.standard_gamma(units / 2.0)
        alive = np.ones(units.shape, dtype=bool)
        alive[:, :, 1:] = np.logical_and.accumulate(units[:, :, :-1] > 0, axis=2)
        at_risk = alive.sum(axis=1)
        mean = np.where(alive, ratios, 0.0).sum(axis=1) / at_risk
        influence = np.where(alive, ratios / mean[:, None] - 1.0, 0.0) / at_risk[:, None]
        squared_cv = (influence**2).sum(axis=1) * at_risk**2 / (at_risk - 1)
        per_step = steps if test == "growth_rate" else 1
        theta = (np.log(mean) + squared_cv / (2 * at_risk)).sum(axis=1) / per_step
        se = np.sqrt((influence.sum(axis=2) ** 2).sum(axis=1) * networks / (networks - 1)) / per_step
        df, delta = at_risk.min(axis=1) - 1, math.log1p(margin)
        p = np.maximum(special.stdtr(df, -(delta - theta) / se), special.stdtr(df, -(delta + theta) / se))
        found += int(np.count_nonzero(p <= level))
    return found / studies


@pytest.mark.false_alarm(2e-7)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.montecarlo] if name == "4x10" else []) for name in CASES]
)
def test_a_plan_delivers_its_power_though_networks_die(rng, name):
    """Nine of ten studies of exactly right predictions are supported, at a report's level too.

    Measured with 20,000 studies .903, .907, .920, .900 and .917 for the numbers asked for here. Of 2,000 studies six standard
    errors are .04, .035 where the power is .92 (a false alarm below 2e-7 a case with the margin of .005 that is left). The
    controls are plans that take all networks for living: .51, .18 and .70, and less than .8 whatever the seed.
    """
    test, width, steps, margin, level = CASES[name]
    networks = required_networks(test, width=width, depth=steps, margin=margin, alpha=level)
    assert 0.86 < _supported(rng, networks, CASES[name]) < 0.96
    if name in WITHOUT_DEATHS:
        assert networks > 1.3 * WITHOUT_DEATHS[name]
        assert _supported(rng, WITHOUT_DEATHS[name], CASES[name]) < 0.8


@pytest.mark.parametrize("name", CASES)
def test_a_plan_is_as_small_as_its_power_allows(name):
    """`detectable_difference` is the inverse: the margin that the plan's number supports, and one network less does not."""
    test, width, steps, margin, level = CASES[name]
    options = {"width": width, "depth": steps, "alpha": level}
    networks = required_networks(test, margin=margin, **options)
    at, before = (detectable_difference(test, n_networks=n, **options) for n in (networks, networks - 1))
    assert at <= margin * (1 + 1e-9)
    assert before > margin * (1 - 1e-9)


@pytest.mark.parametrize("n", [60, 500, 5000])
@pytest.mark.parametrize("margin", [None, 0.1])
def test_differences_and_plans_are_inverse_though_networks_die(n, margin):
    options = {"width": 4, "depth": 20, "alpha": 0.01}
    difference = detectable_difference("growth_rate", n_networks=n, margin=margin, **options)
    theta = 0.0 if margin is None else math.log1p(difference) * (1 + 1e-9)
    wanted = difference * (1 + 1e-9) if margin is None else margin
    assert abs(required_networks("growth_rate", margin=wanted, theta=theta, **options) - n) <= 1


@pytest.mark.parametrize(("width", "steps"), [(2, 5), (4, 20), (64, 10)])
def test_variances_sum_over_those_that_are_left(width, steps):
    """By a plain loop over the steps, and without deaths the known closed forms."""
    accumulated = sum(5 / width / (1 - 2.0**-width) ** step for step in range(steps))
    for test, expected in (("cumulative_mean", accumulated), ("growth_rate", accumulated / steps**2)):
        known = known_variance(test, "activation_second_moment", width, steps)
        assert known.variance == pytest.approx(expected)
        assert known.alive == pytest.approx((1 - 2.0**-width) ** (steps - 1))
    wide = {
        quantity: known_variance("pooled_step_mean", quantity, 500, steps).variance
        for quantity in ("pivot", "preactivation_second_moment")
    }
    assert wide["pivot"] == pytest.approx(2 / (500 * steps))
    assert wide["preactivation_second_moment"] == pytest.approx((11 - 4 / steps) / (500 * steps))


def test_degrees_of_freedom_are_those_of_the_living():
    assert degrees(100, 0.5) == 49.0
    assert degrees(1000, 0.5) == math.inf
    assert standard_error(1.0, 102, 0.5, 2) == pytest.approx(0.1)


def test_where_next_to_nobody_lives_there_is_no_plan():
    with pytest.raises(ValueError, match="lives through 50 steps"):
        required_networks("cumulative_mean", width=1, depth=50)
    with pytest.raises(ValueError, match="live through all layers"):
        detectable_difference("growth_rate", width=2, depth=30, n_networks=100)
    # A few more networks than two in the last layer, and the plan ends.
    assert required_networks("cumulative_mean", width=2, depth=30, margin=1.0) > 100_000
