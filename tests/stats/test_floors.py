"""From where on t laws are believed: levels and p-values are each other's inverse, and a refusal says why."""

import itertools
import math

import numpy as np
import pytest
from scipy import special, stats

from varprop.stats.floors import (
    SKEWNESS_LIMIT,
    SMALL,
    AtRisk,
    Everywhere,
    FromNetworks,
    Refused,
    Skewed,
    Strict,
    Units,
    pooled_floor,
    skewness_limit,
)
from varprop.stats.multiple import acceptance_region

LEVELS = [*np.geomspace(1e-300, 0.5, 31).tolist(), *np.geomspace(1e-5, 0.5, 37).tolist(), 0.05, SMALL, 0.05 / 150, 1e-4]
NETWORKS = (2, 19, 20, 100, 199, 200, 500, 100_000)
FLOORS = [
    Everywhere(),
    Refused("for a reason"),
    *(Units(width, steps) for width in (1, 2, 8, 16, 64) for steps in (1, 5)),
    *(Units(width, 1, "step") for width in (1, 2, 8, 16, 64)),
    *(Units(width, steps, "logarithm") for width in (1, 2, 8, 16, 64) for steps in (1, 5)),
    Units(16, 5, "logarithm", -1.5),
    *(Strict(width) for width in (1, 2, 8, 16, 64)),
    *(Skewed(skewness) for skewness in (0.0, -0.5, 0.9, 1.6, 4.0, 30.0, math.nan)),
    AtRisk(Units(16), 0.5),
    FromNetworks(Units(16), 500, "some law"),
    FromNetworks(Skewed(1.0), 2000, "some law"),
]


@pytest.mark.parametrize("floor", FLOORS, ids=str)
def test_p_values_and_levels_are_inverse(floor):
    """A raw p-value makes a p-value of at most a exactly where it is itself at most the raw level of a, and that is not 0.

    Raw p-values on a grid that does not meet the levels', where rounding would decide.
    """
    raws = np.append(np.geomspace(1.1e-299, 1e-6, 20), np.geomspace(1.3e-6, 1.0, 40))
    for networks in NETWORKS:
        found = [floor.p(float(raw), networks) for raw in raws]
        assert (np.diff(found) >= 0.0).all()
        assert all(raw * (1 - 1e-12) <= p <= 1.0 for raw, p in zip(raws, found, strict=True))
        for level in LEVELS:
            allowed = floor.raw(level, networks)
            assert 0.0 <= allowed <= level
            rejects = [p <= level for p in found]
            assert rejects == [0.0 < raw <= allowed for raw in raws], (networks, level)
            # What is too small for a number is no evidence either where a level is refused.
            assert allowed > 0.0 or floor.p(0.0, networks) > level


@pytest.mark.parametrize("floor", FLOORS, ids=str)
def test_a_reason_is_given_exactly_where_a_level_is_refused(floor):
    for networks, level in itertools.product(NETWORKS, LEVELS):
        reason = floor.reason(level, networks)
        assert bool(reason) == (floor.raw(level, networks) == 0.0)
        assert "nan" not in reason


@pytest.mark.parametrize("floor", FLOORS, ids=str)
def test_what_a_larger_level_or_sample_takes_is_no_more(floor):
    """Who is let by at a level is let by at a larger one, and with more networks, whatever the skewness of them."""
    for networks in NETWORKS:
        allowed = [floor.raw(level, networks) for level in sorted(LEVELS)]
        assert (np.diff(allowed) >= 0.0).all()
    for level in LEVELS:
        assert (np.diff([floor.raw(level, networks) for networks in NETWORKS]) >= 0.0).all()


@pytest.mark.parametrize(
    ("floor", "networks", "level", "used"),
    [
        # Put together with estimated weights: n N = 3,200, from 100 networks at .05 and 200 below .0025, at two thirds of
        # the level up to 8,000.
        (Strict(16), 199, 0.05, 0.0),
        (Strict(16), 200, 0.05, 2 / 3),
        (Strict(32), 99, 0.05, 0.0),
        (Strict(32), 100, 0.05, 2 / 3),
        (Strict(80), 100, 0.05, 1.0),
        (Strict(80), 100, 0.0024, 0.0),
        (Strict(80), 200, 0.0024, 1.0),
        (Strict(16), 499, 1e-6, 2 / 3),
        (Strict(16), 500, 1e-6, 1.0),
        # One step takes 20 networks.
        (Units(64), 19, 0.05, 0.0),
        (Units(1), 19, 0.5, 0.0),
        # Others.
        (AtRisk(Strict(80), 0.5), 200, 0.05, 1.0),
        (AtRisk(Strict(80), 0.5), 198, 0.05, 0.0),
        (FromNetworks(Strict(80), 2000, "t"), 1999, 0.05, 0.0),
        (FromNetworks(Strict(80), 2000, "t"), 2000, 0.05, 1.0),
        (Skewed(1.47), 100, 0.05, 1.0),
        (Skewed(1.49), 100, 0.05, 0.0),
        (Skewed(-1.49), 100, 0.05, 0.0),
        (Skewed(0.1), 99, 0.05, 0.0),
        (Skewed(0.1), 100, 0.0025, 1.0),
        (Skewed(0.1), 199, 0.0024, 0.0),
        (Skewed(0.1), 200, 0.0024, 1.0),
        (Skewed(1.15), 100, 0.0025, 1.0),
        (Skewed(1.16), 100, 0.0025, 0.0),
        (Skewed(0.95), 200, 0.05 / 150, 1.0),
        (Skewed(0.98), 200, 0.05 / 150, 0.0),
    ],
    ids=str,
)
def test_the_least_networks_of_every_test(floor, networks, level, used):
    assert floor.raw(level, networks) == pytest.approx(used * level, rel=1e-12)


@pytest.mark.parametrize("width", [1, 2, 16])
@pytest.mark.parametrize("networks", [20, 200, 5000])
@pytest.mark.parametrize("level", [0.05, 0.0025, 0.05 / 150, 1e-6])
def test_the_level_of_a_step_is_lowered_by_its_first_order_excess(width, networks, level):
    """One and a half times c (z^2 - 1) phi(z) / 6 sqrt(N), c = sqrt(2 / n), by SciPy's own law; refused where as large as a."""

    def excess(a):
        z = stats.norm.isf(a)
        return 1.5 * math.sqrt(2 / width) * (z**2 - 1) * stats.norm.pdf(z) / 6 / math.sqrt(networks)

    floor = Units(width)
    if excess(level) > level:
        assert floor.raw(level, networks) == 0.0
        assert floor.least(level) > networks
        return
    used = floor.raw(level, networks)
    assert used + excess(used) == pytest.approx(level, rel=1e-9)
    assert floor.p(used, networks) == pytest.approx(level, rel=1e-9)
    assert floor.least(level) <= networks
    # Five steps of n units are like one of 5 n.
    assert Units(width, 5).raw(level, networks) == Units(5 * width).raw(level, networks)


def step(rng, shape, width):
    """Draws of a ReLU step of pre-activations, given a living layer below: the layer's mean of 2 phi(z)^2 times a mean square."""
    living = np.bitwise_count(rng.integers(0, 2**width, size=shape, dtype=np.uint64))
    below = 4 * rng.standard_gamma(living / 2) / width
    return below * 2 * rng.standard_gamma(width / 2, shape) / width


@pytest.mark.parametrize("width", [1, 2, 4, 16])
def test_a_step_of_pre_activations_leans_as_its_own_moments_say(width):
    """Second road to its spread and skewness: moments of chi-squares, added up over the number of living units."""

    def chi2(k, order):
        return math.prod(k + 2 * i for i in range(order))

    living = [math.comb(width, k) / 2**width for k in range(width + 1)]
    raw = [
        sum(p * chi2(k, order) for k, p in enumerate(living)) * (2 / width) ** order * chi2(width, order) / width**order
        for order in (1, 2, 3)
    ]
    assert raw[0] == pytest.approx(1.0)
    spread = math.sqrt(raw[1] - 1)
    skewness = (raw[2] - 3 * raw[1] + 2) / spread**3
    level, networks = 0.05, 5000
    used = Units(width, 7, "step").raw(level, networks)
    z = stats.norm.isf(used)
    lean = skewness * (2 * z**2 + 1) - 3 * spread * (z**2 + 1)
    assert used + 1.5 * lean * stats.norm.pdf(z) / 6 / math.sqrt(networks) == pytest.approx(level, rel=1e-9)


@pytest.mark.false_alarm(1e-7)
def test_a_narrow_step_holds_its_level(rng):
    """One-sided, 60,000 studies of 200 networks of four units at .01. The control: the allowance of a mean square errs 1.6 times
    as often, and is found with a probability above .9999."""
    level, networks, width = 0.01, 200, 4
    below = []
    for _ in range(60):
        ratios = step(rng, (1000, networks), width)
        mean, squared_cv = ratios.mean(axis=1), ratios.var(axis=1, ddof=1) / ratios.mean(axis=1) ** 2
        t = (np.log(mean) + squared_cv / (2 * networks)) / np.sqrt(squared_cv / networks)
        below.append(stats.t.cdf(t, networks - 1))
    raw = np.concatenate(below)
    _, most = acceptance_region(len(raw), level, false_alarm=1e-7)
    assert (raw <= Units(width, law="step").raw(level, networks)).sum() <= most
    assert (raw <= Units(width).raw(level, networks)).sum() > most


@pytest.mark.false_alarm(1e-7)
def test_a_narrow_network_s_logarithm_holds_its_level(rng):
    """As above on its own side, of the product of two steps of four units; the control errs one and a half times as often."""
    level, networks, width = 0.01, 200, 4

    def logs(shape):
        with np.errstate(divide="ignore"):  # a dead layer, which is left out
            found = np.log(step(rng, shape, width)) + np.log(step(rng, shape, width))
        return np.where(np.isfinite(found), found, np.nan)

    # Of each step: log(8 / n^2), and psi(k / 2) of a layer with k living units and of a mean square; k > 0 has binomial odds.
    living = np.arange(1, width + 1)
    odds = stats.binom.pmf(living, width, 0.5) / (1 - 0.5**width)
    truth = 2 * (math.log(8 / width**2) + odds @ special.digamma(living / 2) + special.digamma(width / 2))
    above = []
    for _ in range(60):
        found = logs((1000, networks))
        n = np.isfinite(found).sum(axis=1)
        t = (np.nanmean(found, axis=1) - truth) / (np.nanstd(found, axis=1, ddof=1) / np.sqrt(n))
        above.append(stats.t.sf(t, n - 1))
    raw = np.concatenate(above)
    _, most = acceptance_region(len(raw), level, false_alarm=1e-7)
    assert (raw <= Units(width, 2, "logarithm").raw(level, networks)).sum() <= most
    assert (raw <= Units(width).raw(level, networks)).sum() > most


@pytest.mark.parametrize(
    "floor",
    [Units(1), Units(16), Units(4, 30), Units(4, 30, "step"), Units(4, 30, "logarithm"), Units(9, 2, "logarithm", 2.0)],
)
@pytest.mark.parametrize("level", [0.05, 0.0025, 1e-4, 1e-10])
def test_the_least_networks_are_the_least(floor, level):
    least = floor.least(level)
    assert floor.raw(level, least) > 0.0
    assert floor.raw(level, least - 1) == 0.0


def test_the_skewness_that_is_allowed_falls_with_the_level():
    """6 a / ((2 z^2 + 1) phi(z)) by SciPy's own law, .148 at most; at the smallest levels by its limit."""
    for level in (0.2, 0.05, 0.01, 0.0025, 0.05 / 150, 1e-4, 1e-10, 1e-100):
        z = stats.norm.isf(level)
        doubled = 6 * level / ((2 * z**2 + 1) * stats.norm.pdf(z))
        assert skewness_limit(level) == pytest.approx(min(SKEWNESS_LIMIT, doubled), rel=1e-9)
    rounded = [round(skewness_limit(level), 3) for level in (0.05, 0.0025, 0.05 / 150, 1e-4)]
    assert rounded == [0.148, 0.115, 0.068, 0.053]
    z = -stats.norm.ppf(1e-300)
    assert skewness_limit(1e-300) == pytest.approx(6 / (2 * z**3), rel=3 / z**2)
    assert (np.diff([skewness_limit(level) for level in sorted(LEVELS)]) >= 0).all()


def test_reasons_say_how_many_networks_would_do():
    assert Units(16).reason(0.05, 10) == "a verdict at level 0.05 takes 20 networks of this width, there are 10"
    assert f"takes {Units(1).least(1e-6):,} networks" in Units(1).reason(1e-6, 20)
    assert "takes 100 networks" in Strict(64).reason(0.05, 50)
    assert "takes 200 networks" in Strict(64).reason(0.001, 100)
    assert "takes 400 networks" in Strict(8).reason(0.05, 300)
    carried = Skewed(10.0).reason(0.05, 1000)
    assert "a few networks carry the mean (sample skewness 10.0 with 1,000 networks)" in carried
    assert "some 4,566 networks" in carried
    assert math.ceil((10 / skewness_limit(0.05)) ** 2) == 4566
    assert Skewed(10.0).raw(0.05, 4566) == 0.05
    assert "takes 100 networks" in Skewed(0.0).reason(0.05, 50)
    assert "one value" in Skewed(math.nan).reason(0.05, 200)
    assert "tails of x take" not in FromNetworks(Everywhere(), 10, "x").reason(0.05, 10)
    assert "with the tails of x a t test takes 10 networks" in FromNetworks(Everywhere(), 10, "x").reason(0.05, 9)
    assert Refused("why").reason(0.4, 10**9) == "why"


def test_the_floor_of_an_average_is_that_of_its_narrowest_column():
    assert pooled_floor([Units(16), Units(4), Units(8)]) == Units(4, 3)
    assert pooled_floor([Units(16), Refused("no")]) == Refused("no")
    # Steps of pre-activations go together, and lean no less than one of them.
    assert pooled_floor([Units(16), Units(4, law="step"), Units(8, law="step")]) == Units(4, law="step")
