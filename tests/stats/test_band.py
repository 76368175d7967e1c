"""One band for all layers: joint level, and power that correlated layers keep."""

import math

import numpy as np
import pytest
from scipy import stats

from varprop.stats.band import band
from varprop.stats.floors import Refused, Units
from varprop.stats.means import step_mean_layers


@pytest.mark.false_alarm(2e-7)
def test_holds_its_joint_level(he_steps, at_level, rng):
    """Three correlated layers of width 16, 100 networks: the p-value and the band are the same event.

    False alarm 1e-7. Control: the layers' own intervals miss somewhere 11 % of the time, within the region with
    probability below 1e-9.
    """
    joint, outside, alone = 0, 0, 0
    for _ in range(2000):
        steps = he_steps(rng, (100, 3), 16)
        steps[:, 2] = 0.5 * (steps[:, 1] + steps[:, 2])
        found = band(steps, rng=rng)
        joint += found.pvalue <= 0.05
        outside += any(low > 0 or high < 0 for low, high in (layer.interval(0.95) for layer in found.layers))
        alone += min(layer.pvalue for layer in found.layers) <= 0.05
    assert joint in at_level
    assert outside in at_level
    assert abs(joint - outside) <= 3  # a count and its quantile, rounded on either side
    assert alone > at_level[-1]


@pytest.mark.false_alarm(1e-7)
@pytest.mark.montecarlo
@pytest.mark.parametrize(("width", "networks", "layers"), [(16, 100, 10), (64, 200, 20)])
def test_holds_its_joint_level_over_depth(he_steps, rejections, at_level, rng, width, networks, layers):  # noqa: PLR0917 - fixtures
    """False alarm 1e-7 a case."""
    assert rejections(lambda: band(he_steps(rng, (networks, layers), width), rng=rng).pvalue) in at_level


@pytest.mark.false_alarm(2e-9)
def test_one_layer_is_the_t_interval(rng):
    """Within the Monte Carlo error of a 95 % quantile from 20,000 draws.

    Its standard error is .0133; .08 is six of them, exceeded with probability 2e-9.
    """
    ratios = rng.gamma(8.0, 1 / 8, size=(150, 1))
    (layer,) = band(ratios, rng=rng).layers
    (single,) = step_mean_layers(ratios)
    low, high = layer.interval(0.95)
    assert (high - low) / (2 * single.se) == pytest.approx(stats.t.ppf(0.975, 149), abs=0.08)
    assert layer.p_above(0.1) == single.p_above(0.1)


@pytest.mark.false_alarm(2e-9)
def test_copies_of_a_layer_cost_nothing(rng):
    """Ten copies have the band of one, where Bonferroni's would be 1.43 times as wide. Quantiles as above, 2e-9."""
    ratios = rng.gamma(8.0, 1 / 8, size=(150, 1))
    layer = band(np.tile(ratios, 10), rng=rng).layers[4]
    low, high = layer.interval(0.95)
    assert (high - low) / (2 * layer.se) == pytest.approx(stats.t.ppf(0.975, 149), abs=0.08)


@pytest.mark.false_alarm(1e-12)
def test_independent_layers_have_sidaks_band(rng):
    """Twenty independent columns of 40,000: correlations below .03, so the quantile is that of independent maxima.

    The quantile, 3.0, has standard error .01; .12 is more than ten.
    """
    layer = band(rng.gamma(8.0, 1 / 8, size=(40_000, 20)), rng=rng).layers[0]
    low, high = layer.interval(0.95)
    assert (high - low) / (2 * layer.se) == pytest.approx(stats.norm.ppf(0.5 + 0.95 ** (1 / 20) / 2), abs=0.12)


@pytest.mark.false_alarm(0)
def test_far_out_bonferroni_takes_over(rng):
    found = band(rng.gamma(8.0, 1 / 8, size=(150, 5)), rng=rng)
    layer = found.layers[0]
    low, high = layer.interval(1 - 1e-6)
    assert (high - low) / (2 * layer.se) == pytest.approx(stats.t.isf(1e-7, 149), rel=1e-9)
    wrong = band(rng.gamma(8.0, 1.5 / 8, size=(150, 5)), rng=rng)
    smallest = min(layer.pvalue for layer in wrong.layers)
    assert wrong.pvalue == pytest.approx(5 * smallest, rel=1e-9)


@pytest.mark.false_alarm(1e-12)
def test_refutes_one_wrong_layer_and_not_a_right_one(rng):
    """4,000 networks of width 16, one of eight layers 20 % off: 24 standard errors beyond a margin of 5 %.

    Control: none is off, and 5 % are 9 standard errors."""
    ratios = rng.gamma(8.0, 1 / 8, size=(4000, 8))
    assert band(ratios, rng=rng).p_refute(math.log(1.05)) == 1.0
    ratios[:, 5] *= 1.2
    assert band(ratios, rng=rng).p_refute(math.log(1.05)) < 1e-9


@pytest.mark.false_alarm(0)
def test_the_same_generator_gives_the_same_band(rng):
    ratios = rng.gamma(8.0, 1 / 8, size=(150, 5))
    once, again = (band(ratios, rng=np.random.default_rng(3)) for _ in range(2))
    assert once == again
    assert once.layers[0].interval(0.95) == again.layers[0].interval(0.95)


@pytest.mark.false_alarm(0)
def test_networks_not_at_risk_leave_their_layers(rng):
    ratios = rng.gamma(8.0, 1 / 8, size=(150, 2))
    ratios[:20, 1] = np.nan
    assert [layer.n for layer in band(ratios, rng=rng).layers] == [150, 130]


@pytest.mark.false_alarm(0)
def test_what_has_no_band_is_refused(rng):
    with pytest.raises(ValueError, match="100 networks at risk"):
        band(np.ones((99, 3)), rng=rng)
    found = band(rng.gamma(8.0, 1 / 8, size=(100, 2)), rng=rng)
    with pytest.raises(ValueError, match="level"):
        found.layers[0].interval(0.0)
    with pytest.raises(ValueError, match="delta"):
        found.p_refute(0.0)


@pytest.mark.false_alarm(0)
def test_layers_without_spread_say_nothing(rng):
    for value in (1.0, 1.5):
        found = band(np.full((120, 3), value), rng=rng)
        assert (found.pvalue, found.p_refute(0.05)) == (1.0, 1.0)
        assert found.layers[0].interval(0.9) == (-np.inf, np.inf)


@pytest.mark.false_alarm(0)
def test_a_layer_that_is_refused_has_no_bound(rng):
    """Others keep theirs, and a joint p-value is one of those that are left, times the number of layers at most."""
    ratios = rng.gamma(8.0, 1 / 8, size=(300, 3))
    ratios[:, 2] *= 1.5
    plain = band(ratios, rng=np.random.default_rng(1))
    floored = band(ratios, rng=np.random.default_rng(1), floors=[Refused("why"), Units(16), Units(16)])
    assert floored.layers[0].interval(0.9) == (-np.inf, np.inf)
    assert floored.layers[0].p_above(-5.0) == 1.0
    assert floored.layers[0].refusal(0.05) == "why"
    low, high = floored.layers[2].interval(0.9)
    assert low < plain.layers[2].interval(0.9)[0]
    assert high > plain.layers[2].interval(0.9)[1]
    assert plain.p_refute(0.05) <= floored.p_refute(0.05) < 1e-6
    nothing = band(ratios, rng=np.random.default_rng(1), floors=[Refused("why")] * 3)
    assert (nothing.pvalue, nothing.p_refute(0.05)) == (1.0, 1.0)
