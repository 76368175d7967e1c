import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from varprop.numerics.moments import Moments
from varprop.stats.floors import SKEWNESS_LIMIT, Units
from varprop.stats.influence import log_means, step_ratios
from varprop.stats.means import cumulative_mean, cumulative_outcomes, pooled_step_mean, step_mean, step_mean_layers

POSITIVE = hnp.arrays(np.float64, (6, 3), elements=st.floats(0.01, 100.0))


# --- one step -------------------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize(("width", "networks"), [(16, 200), (16, 50), (4, 200)])
def test_step_mean_holds_its_level(he_steps, rejections, at_level, rng, width, networks):  # noqa: PLR0917 - fixtures
    """False alarm 1e-7 a case, by the design of `at_level`."""
    assert rejections(lambda: step_mean(he_steps(rng, networks, width)).pvalue) in at_level


@pytest.mark.false_alarm(1e-7)
def test_step_mean_intervals_cover_the_truth(he_steps, at_level, rng):
    """2,000 studies whose truth is 30 % above the prediction: 95 % intervals miss as often as they say.

    False alarm 1e-7.
    """
    intervals = np.array([step_mean(1.3 * he_steps(rng, 200, 16)).interval(0.95) for _ in range(2000)])
    misses = np.sum((intervals[:, 0] > math.log(1.3)) | (intervals[:, 1] < math.log(1.3)))
    assert misses in at_level


@pytest.mark.false_alarm(1e-8)
def test_step_mean_finds_a_wrong_variance(he_steps, rng):
    """sigma_w^2 5 % too large, against a prediction that does not move with it: ten pooled layers of 4,000 networks.

    z = 17 is expected, less than 10 has probability below 1e-9. Negative control: nothing is found where nothing is wrong,
    false alarm 1e-8.
    """
    ratios = he_steps(rng, (4000, 10), 16)
    assert pooled_step_mean(1.05 * ratios).statistic > 10
    assert abs(pooled_step_mean(ratios).statistic) < 6


@pytest.mark.false_alarm(1e-7)
def test_pooled_step_mean_holds_its_level(he_steps, rejections, at_level, rng):
    """False alarm 1e-7."""
    assert rejections(lambda: pooled_step_mean(he_steps(rng, (100, 5), 16)).pvalue) in at_level


@pytest.mark.false_alarm(1e-7)
def test_pooling_survives_correlated_layers(he_steps, rejections, at_level, rng):
    """Two layers that are the same numbers are worth one. Control: taken for independent they reject far too often.

    False alarm 1e-7; the control would pass with probability below 1e-9 (its level is .17).
    """

    def twice():
        return np.tile(he_steps(rng, (100, 1), 16), 2)

    def independent():
        first, second = step_mean_layers(twice())
        return 2 * stats.t.sf(abs(first.theta + second.theta) / math.hypot(first.se, second.se), 198)

    assert rejections(lambda: pooled_step_mean(twice()).pvalue) in at_level
    assert rejections(independent) > at_level[-1]


@pytest.mark.false_alarm(0)
def test_pooling_one_layer_is_its_step_mean(he_steps, rng):
    ratios = he_steps(rng, (50, 1), 16)
    ratios[:5] = np.nan
    pooled, single = pooled_step_mean(ratios), step_mean(ratios[:, 0])
    assert (pooled.theta, pooled.se) == pytest.approx((single.theta, single.se), rel=1e-12)
    assert (pooled.df, pooled.n, single.n) == (44, 45, 45)


@pytest.mark.false_alarm(1e-12)
def test_pooling_neurons_fails(rng):
    """Negative control: a t-test of all neurons of 100 networks of width 16, layer 10, rejects a true null.

    Neurons of a layer share v, the norm of the layer below. 48 to 74 % are rejected; at most 156 of 2,000 would be with
    probability below 1e-9. Meanwhile the network means of z^2 / v, one each, hold the level (next test).
    """
    norm = np.prod(4 / 16 * rng.standard_gamma(rng.binomial(16, 0.5, size=(2000, 100, 9)) / 2), axis=2)
    squares = norm[..., None] * rng.standard_normal((2000, 100, 16)) ** 2
    rejected = np.sum(stats.ttest_1samp(squares.reshape(2000, -1), 1.0, axis=1).pvalue <= 0.05)
    assert rejected > 800


@pytest.mark.false_alarm(1e-7)
def test_the_network_is_the_replicate(rejections, at_level, rng):
    """The cure of the previous test: pivots of width 16, 100 networks. False alarm 1e-7."""
    assert rejections(lambda: step_mean(rng.standard_gamma(8.0, 100) / 8.0).pvalue) in at_level


def test_networks_not_at_risk_are_dropped():
    ratios = np.array([1.2, np.nan, 0.8, 0.0, np.nan])
    outcome = step_mean(ratios)
    assert outcome == step_mean(ratios[~np.isnan(ratios)])
    assert (outcome.n, outcome.df) == (3, 2)


def test_no_spread_is_no_evidence():
    """Two networks or twenty that show one value: how others vary they do not say."""
    assert step_mean([1.0] * 5).pvalue == 1.0
    outcome = step_mean([1.1] * 20)
    assert (outcome.theta, outcome.se, outcome.pvalue) == (math.log(1.1), 0.0, 1.0)
    assert outcome.p_above(-5.0) == outcome.p_below(5.0) == 1.0
    assert "one value" in outcome.refusal(0.05)


def test_a_floor_is_the_layers_own():
    outcome = step_mean([0.9, 1.3, 0.8, 1.1], floor=Units(16))
    assert "takes 20 networks" in outcome.refusal(0.05)
    assert (outcome.pvalue, outcome.bounds(0.05)) == (1.0, (-math.inf, math.inf))
    plain = step_mean([0.9, 1.3, 0.8, 1.1])
    assert (outcome.theta, outcome.se) == (plain.theta, plain.se)
    pooled = pooled_step_mean([[0.9, 1.0], [1.3, 1.1], [0.8, 1.0]], floor=Units(16))
    assert pooled.refusal(0.05)


@pytest.mark.parametrize("ratios", [[0.0, 0.0], [1.0, -1.0], [1.0, np.inf], [1.0], [1.0, np.nan], [], [[1.0], [1.0]]])
def test_step_mean_refuses_what_is_no_step(ratios):
    with pytest.raises(ValueError, match=r"networks|step_mean|finite"):
        step_mean(ratios)


# --- over depth -----------------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize(("depth", "width"), [(10, 16), (50, 16)])
def test_the_product_of_step_means_holds_its_level_where_t_fails(he_steps, at_level, rng, depth, width):
    """200 networks each: the product form is right, a t-test of E q_L is not (14 % and 73 % for 5 %).

    False alarm 1e-7 a case; the control would pass with probability below 1e-9.
    """
    product, naive, limit = 0, 0, stats.t.ppf(0.975, 199)
    for _ in range(2000):
        q = np.cumprod(he_steps(rng, (200, depth), width), axis=1)
        product += cumulative_mean(q, np.ones(depth), product=True)[-1].pvalue <= 0.05
        naive += abs(q[:, -1].mean() - 1) / (q[:, -1].std(ddof=1) / math.sqrt(200)) > limit
    assert product in at_level
    assert naive > (1200 if depth == 50 else at_level[-1])


@pytest.mark.false_alarm(0)
def test_steps_without_covariances_have_the_errors_of_those_that_have_none():
    """Columns that are uncorrelated in this very sample: both roads give one error. Control: not of columns that are alike."""
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=4)))
    for table, same in ((1.0 + 0.3 * signs, True), (1.0 + 0.3 * signs[:, [0, 0, 1, 1]], False)):
        joint, alone = (log_means(Moments.of(table, joint=joint)) for joint in (True, False))
        assert np.allclose(joint.cumulative_errors(), alone.cumulative_errors(), rtol=1e-12) is same
        assert np.allclose(joint.standard_error(np.ones(4)), alone.standard_error(np.ones(4)), rtol=1e-12) is same


@pytest.mark.false_alarm(1e-7)
@pytest.mark.montecarlo
def test_steps_without_covariances_hold_their_level(he_steps, rejections, at_level, rng):
    """300 layers of 16 units, 200 networks, of which some 1 in 220 dies on the way. False alarm 1e-7."""

    def pvalue():
        steps = step_ratios(np.cumprod(he_steps(rng, (200, 301), 16), axis=1))
        return cumulative_outcomes(Moments.of(steps))[-1].pvalue

    assert rejections(pvalue) in at_level


@pytest.mark.false_alarm(1e-7)
def test_the_product_form_survives_dying_networks(he_steps, rejections, at_level, rng):
    """Width 4, ten layers: 48 % of the networks die on the way, and the mean is still kept. False alarm 1e-7."""

    def pvalue():
        q = np.cumprod(he_steps(rng, (400, 10), 4), axis=1)
        return cumulative_mean(q, np.ones(10), product=True)[-1].pvalue

    assert rejections(pvalue) in at_level


@pytest.mark.false_alarm(1e-8)
def test_dropping_the_dead_would_be_wrong(he_steps, rng):
    """Negative control: among the networks alive at the end, the mean is 1 / P(alive) = 1.9, not 1.

    With 20,000 networks a t statistic of 19 is expected; below 10 with probability below 1e-9. False alarm 1e-8.
    """
    q = np.cumprod(he_steps(rng, (20_000, 10), 4), axis=1)
    alive = q[q[:, -1] > 0]
    assert abs(cumulative_mean(q, np.ones(10), product=True)[-1].statistic) < 6
    assert cumulative_mean(alive, np.ones(10), product=True)[-1].statistic > 10


@pytest.mark.false_alarm(1e-8)
def test_the_product_form_finds_a_wrong_variance(he_steps, rng):
    """sigma_w^2 5 % too large over 20 layers of width 32, 1,000 networks: z = 17. Missed with probability below 1e-9.

    Negative control: against a prediction that moves with it nothing is found, false alarm 1e-8.
    """
    gains = 1.05 ** np.arange(1, 21)
    q = gains * np.cumprod(he_steps(rng, (1000, 20), 32), axis=1)
    assert cumulative_mean(q, np.ones(20), product=True)[-1].statistic > 10
    assert abs(cumulative_mean(q, gains, product=True)[-1].statistic) < 6


def test_the_product_form_by_hand():
    """Three networks, three layers, one death: every number worked out on paper."""
    q = np.array([[2.0, 2.0, 4.0], [1.0, 0.0, 0.0], [3.0, 6.0, 6.0]])
    outcomes = cumulative_mean(q, [1.0, 2.0, 2.0], product=True)
    # Steps: 2, 1, 3 (mean 2, variance 1); 1/2, 0, 1 (mean 1/2, variance 1/4); 2, -, 1 (mean 3/2, variance 1/2).
    expected = np.cumsum([np.log(2) + 1 / 24, np.log(1 / 2) + 1 / 6, np.log(3 / 2) + 1 / 18])
    assert [outcome.theta for outcome in outcomes] == pytest.approx(expected, rel=1e-14)
    influences = np.cumsum([[0.0, 0.0, 1 / 2], [-1 / 2, -1.0, 0.0], [1 / 2, 1.0, -1 / 2]], axis=1)
    errors = [np.sqrt(np.sum(column**2) / 2 / 3) for column in influences.T]
    assert [outcome.se for outcome in outcomes] == pytest.approx(errors, rel=1e-14)
    assert [(outcome.n, outcome.df) for outcome in outcomes] == [(3, 2), (3, 2), (3, 1)]


@pytest.mark.false_alarm(0)
def test_both_forms_agree_in_the_first_layer(he_steps, rng):
    """But for the bias of a logarithm, se^2 / 2, which the product form takes off lest it add up."""
    q = 3.0 * he_steps(rng, (50, 1), 16)
    product, separate = (cumulative_mean(q, [2.0], product=form)[0] for form in (True, False))
    assert (product.se, product.df) == pytest.approx((separate.se, separate.df))
    assert product.theta == pytest.approx(step_mean(q[:, 0] / 2.0).theta, rel=1e-12)
    assert separate.theta == pytest.approx(product.theta - product.se**2 / 2, rel=1e-12)


@pytest.mark.false_alarm(1e-7)
def test_the_separate_form_holds_its_level_over_few_layers(he_steps, rejections, at_level, rng):
    """Two layers of width 32, 200 networks, where q is not yet skewed. False alarm 1e-7.

    The t test itself; together with bets it has nine tenths of the level.
    """

    def pvalue():
        q = np.cumprod(he_steps(rng, (200, 2), 32), axis=1)
        outcome = cumulative_mean(q, np.ones(2), product=False)[-1]
        assert outcome.pvalue >= outcome.t_test.pvalue
        return outcome.t_test.pvalue

    assert rejections(pvalue) in at_level


@pytest.mark.false_alarm(1e-12)
def test_the_separate_form_refuses_where_it_fails(he_steps, rng):
    """Depth 50 at width 16, where t rejects 73 %: refused in each of 200 studies; after one step at width 48 in none.

    In 20,000 deep studies the sample skewness never fell below .30 sqrt(n), twice the limit; after one step it is .7 on
    average, and 5.9, the limit, takes a network twenty standard deviations out: false alarm below 1e-12.
    """
    for _ in range(200):
        q = np.cumprod(he_steps(rng, (200, 50), 16), axis=1)
        (deep,) = cumulative_mean(q[:, -1:], [1.0], product=False)
        assert "a few networks carry the mean" in deep.refusal(0.05)
        assert deep.p_below(0.0) == 1.0
        assert not cumulative_mean(he_steps(rng, (1600, 1), 48), [1.0], product=False)[-1].refusal(0.05)


@pytest.mark.false_alarm(1e-11)
def test_the_limit_of_skewness_is_where_the_tails_are_off_by_half(rng):
    """The rule's constant by simulation: gamma data whose skewness is the limit times sqrt(n), n = 60.

    The lower tail of a nominal 95 % interval's t statistic holds about .0375 instead of .025; 200,000 studies, and the
    next order, of size 1 / n, is allowed for.
    """
    n, z = 60, stats.norm.ppf(0.975)
    assert SKEWNESS_LIMIT * (2 * z**2 + 1) * stats.norm.pdf(z) / 6 == pytest.approx(0.0125, rel=0.01)
    shape = 4 / (SKEWNESS_LIMIT**2 * n)
    values = rng.standard_gamma(shape, size=(200_000, n)).astype(np.float32)
    t = (values.mean(axis=1) - shape) / (values.std(axis=1, ddof=1) / math.sqrt(n))
    critical = stats.t.ppf(0.975, n - 1)
    assert 0.0325 < np.mean(t < -critical) < 0.0525
    assert 0.005 < np.mean(t > critical) < 0.0175


def test_what_is_said_of_skewness_and_of_absent_networks():
    values = np.array([1.0] * 199 + [100.0, np.nan])
    outcome = cumulative_mean(values[:, None], [1.0], product=False)[0]
    assert outcome.note.startswith("1 of 201 networks have no value and are left out; assumes that no rarer")
    assert "a few networks carry the mean (sample skewness 14.0 with 200 networks)" in outcome.refusal(0.05)


@given(POSITIVE, st.floats(1e-3, 1e3), st.booleans())
def test_only_ratios_matter(values, scale, product):
    """Units cancel, and a truth larger by a factor is an estimate larger by its logarithm."""
    predicted = np.array([1.0, 2.0, 0.5])
    plain = cumulative_mean(values, predicted, product=product)
    both = cumulative_mean(scale * values, scale * predicted, product=product)
    one = cumulative_mean(scale * values, predicted, product=product)
    for reference, same, larger in zip(plain, both, one, strict=True):
        assert (same.theta, same.se) == pytest.approx((reference.theta, reference.se), rel=1e-6, abs=1e-9)
        assert larger.theta == pytest.approx(reference.theta + math.log(scale), rel=1e-6, abs=1e-9)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("product", [True, False])
def test_a_known_start_moves_the_prediction(he_steps, rng, product):
    q = 5.0 * np.cumprod(he_steps(rng, (50, 3), 16), axis=1)
    moved = cumulative_mean(q, [2.0, 4.0, 8.0], product=product, start=5.0)
    assert moved == cumulative_mean(q, [5.0, 10.0, 20.0], product=product)


def test_networks_without_spread_say_nothing():
    """But that values >= 0 which are never small have a mean that is not: bets from below, whatever the law."""
    values = np.tile([0.1, 0.2, 0.4], (70, 1))
    for outcome in cumulative_mean(values, [0.1, 0.2, 0.2], product=True):
        assert (outcome.se, outcome.pvalue, outcome.p_above(-3.0), outcome.p_below(3.0)) == (0.0, 1.0, 1.0, 1.0)
    for outcome in cumulative_mean(values, [0.1, 0.2, 0.2], product=False):
        assert (outcome.se, outcome.p_below(3.0), outcome.t_test.pvalue) == (0.0, 1.0, 1.0)
        assert outcome.p_above(outcome.theta - 3.0) < 1e-6
        assert outcome.guarantee(0.05) == "proved"


@pytest.mark.parametrize(
    ("values", "predicted", "product", "start", "message"),
    [
        (np.ones((3, 2)), [1.0], True, None, r"shape \(2,\)"),
        (np.ones((3, 2)), [1.0, 0.0], True, None, "predictions must be finite and > 0"),
        (np.ones((3, 2)), [1.0, np.nan], False, None, "predictions must be finite and > 0"),
        (np.ones((3, 2)), [1.0, 1.0], False, 0.0, "start must be finite and > 0"),
        (np.ones((3, 2)), [1e-300, 1e10], False, 1.0, "exceeds the range"),
        ([[1e300, 1.0]] * 2, [1e-300, 1.0], False, None, "exceeds the range"),
        ([[1.0, np.nan], [1.0, 1.0]], [1.0, 1.0], True, None, "are NaN"),
        ([[1.0, np.nan], [1.0, 1.0]], [1.0, 1.0], False, None, "1 of 2 networks have a value"),
        ([[1.0, 0.0], [1.0, 0.0]], [1.0, 1.0], True, None, "is 0 in all networks"),
        ([[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]], [1.0, 1.0, 1.0], True, None, "has 1 networks at risk"),
        ([[0.0, 1.0], [1.0, 1.0]], [1.0, 1.0], True, None, "product=False"),
        ([[-1.0, 1.0], [1.0, 1.0]], [1.0, 1.0], False, None, "value -1 of row 0 in column 0 lies outside"),
    ],
)
def test_cumulative_mean_refuses_what_it_cannot_judge(values, predicted, product, start, message):
    with pytest.raises(ValueError, match=message):
        cumulative_mean(values, predicted, product=product, start=start)
