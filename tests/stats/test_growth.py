import numpy as np
import pytest
from scipy import special

from varprop.numerics.moments import Moments
from varprop.stats.growth import growth_columns, growth_rate, step_outcomes
from varprop.stats.means import cumulative_mean


def typical_truth(width):
    """E[log r | alive] of a ReLU step with He's weights: log chi2_K has mean psi(K / 2) + log 2."""
    k = np.arange(1, width + 1)
    return special.binom(width, k) / (2.0**width - 1) @ (special.psi(k / 2) + np.log(4 / width))


@pytest.fixture
def profiles(he_steps):
    """q_1..q_K of He networks, of which q_1 itself is random."""

    def draw(rng, networks, layers, width):
        return np.cumprod(he_steps(rng, (networks, layers), width), axis=1)

    return draw


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize(("width", "rate"), [(16, typical_truth(16)), (4, typical_truth(4))])
def test_the_typical_rate_holds_its_level(profiles, rejections, at_level, rng, width, rate):  # noqa: PLR0917 - fixtures
    """100 networks, six layers; at width 4 a third of them die. False alarm 1e-7 a case."""

    def pvalue():
        return growth_rate(profiles(rng, 100, 6, width), expected=rate).typical_network.pvalue

    assert rejections(pvalue) in at_level


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize(("product", "layers", "width"), [(True, 20, 16), (False, 4, 48)])
def test_the_mean_rate_holds_its_level(profiles, rejections, at_level, rng, product, layers, width):  # noqa: PLR0917 - fixtures
    """False alarm 1e-7 a case."""
    assert (
        rejections(lambda: growth_rate(profiles(rng, 200, layers, width), product=product).mean_network.pvalue)
        in at_level
    )


@pytest.mark.false_alarm(1e-8)
def test_the_typical_network_shrinks_where_the_mean_is_kept(profiles, rng):
    """Why both rates are reported: a test of the typical rate against 0 refutes He, wrongly.

    Width 48: the typical rate is about -5 / (2 n) = -.053 a layer, 14 standard errors here; false alarm 1e-8 (six standard errors, twice).
    """
    rate = growth_rate(profiles(rng, 1000, 10, 48), product=True)
    assert abs(rate.mean_network.statistic) < 6
    assert rate.typical_network.statistic < -8
    truth = typical_truth(48)
    assert abs(rate.typical_network.theta - truth) < 6 * rate.typical_network.se


def test_the_truth_at_width_64():
    """-0.0401 a layer; the expansion E log r = -Var / 2 + ... gives its leading order, -5 / 128."""
    assert typical_truth(64) == pytest.approx(-0.0401, abs=5e-5)
    assert typical_truth(64) == pytest.approx(-5 / 128, rel=0.05)


@pytest.mark.false_alarm(1e-12)
def test_only_without_the_product_form_it_is_refused(profiles, rng):
    """Over 49 steps of width 16 a few of 200 networks carry the mean, and the rates of steps are as good as ever."""
    values = profiles(rng, 200, 50, 16)
    refused = growth_rate(values).mean_network
    assert "a few networks carry the mean" in refused.refusal(0.05)
    assert (refused.p_above(-9.0), refused.p_below(9.0)) == (1.0, 1.0)
    assert not growth_rate(values, product=True).mean_network.note
    assert not growth_rate(values, product=True, width=16).mean_network.refusal(1e-4)


@pytest.mark.false_alarm(0)
def test_the_mean_rate_is_the_cumulative_mean_per_layer(profiles, rng):
    """Starting from a first layer that is the same in all networks, both forms are the cumulative mean's."""
    values = np.column_stack([np.full(50, 2.0), 2.0 * profiles(rng, 50, 4, 16)])
    for product in (True, False):
        rate = growth_rate(values, product=product).mean_network
        total = cumulative_mean(values, np.full(5, 2.0), product=product)[-1]
        assert (4 * rate.theta, 4 * rate.se) == pytest.approx((total.theta, total.se), rel=1e-9)


@pytest.mark.false_alarm(1e-12)
def test_the_mean_rate_agrees_with_the_jackknife(profiles, rng):
    """A second road to estimate and error, when the first layer is random too: leaving out one network at a time."""
    values = profiles(rng, 500, 4, 32)
    left_out = np.log((values.sum(axis=0) - values) / 499) @ [-1 / 3, 0.0, 0.0, 1 / 3]
    plain = np.log(values[:, -1].mean() / values[:, 0].mean()) / 3
    rate = growth_rate(values).mean_network
    # As it is: Hall's test takes no bias off an estimate, since it needs no logarithm.
    assert rate.theta == pytest.approx(plain, rel=1e-9)
    assert rate.se == pytest.approx(np.sqrt(499**2 / 500 * left_out.var(ddof=1)), rel=0.02)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("product", [True, False])
def test_every_step_on_its_own_is_the_rate_of_two_layers(profiles, rng, product):
    """At width 4 some networks die on the way; two layers or all together, every step says the same."""
    values = profiles(rng, 120, 6, 4)
    assert 0 < np.count_nonzero(values[:, -1]) < len(values)
    columns, _ = growth_columns(values, product=product)
    every = step_outcomes(Moments.of(columns, joint=True), expected=0.1, product=product)
    assert len(every) == 5
    for i, step in enumerate(every):
        alone = growth_rate(values[:, i : i + 2], expected=0.1, product=product).mean_network
        assert (step.test, step.n, step.df) == (alone.test, alone.n, alone.df)
        assert step.se == pytest.approx(alone.se, rel=1e-9)
        # For exploration steps without the product form have the bias of logarithms taken off.
        first, last = (column.var(ddof=1) / column.mean() ** 2 / 240 for column in values[:, i : i + 2].T)
        assert step.theta - alone.theta == pytest.approx(0.0 if product else last - first, abs=1e-12)


def test_steady_growth_is_found_exactly():
    values = np.outer([1.0, 3.0, 0.5], 2.0 ** np.arange(5))
    rate = growth_rate(values, expected=np.log(2.0))
    assert rate.mean_network.theta == pytest.approx(0.0, abs=1e-12)
    assert rate.typical_network.theta == pytest.approx(0.0, abs=1e-12)
    assert rate.expected == np.log(2.0)


def test_equal_networks_have_no_spread():
    values = np.tile([1.0, 2.0, 4.0], (4, 1))
    rate = growth_rate(values)
    assert (rate.mean_network.se, rate.typical_network.se) == (0.0, 0.0)
    assert rate.typical_network.theta == pytest.approx(np.log(2.0))


def test_dead_networks_are_counted():
    values = np.array([[1.0, 2.0, 0.0], [1.0, 1.0, 1.0], [1.0, 1.0, 4.0]])
    rate = growth_rate(values)
    assert rate.typical_network.note == "1 of 3 networks are dead and left out"
    assert rate.typical_network.theta == pytest.approx(np.log(4.0) / 4)
    assert (rate.typical_network.n, rate.mean_network.n) == (2, 3)


@pytest.mark.false_alarm(3e-9)
def test_regression_and_increments_agree(profiles, rng):
    """Second road: where growth is steady, the networks' own slopes have the same mean.

    False alarm 3e-9 (their difference is less spread than either).
    """
    values = profiles(rng, 500, 6, 32)
    slopes = np.polyfit(np.arange(6), np.log(values).T, 1)[0]
    increments = growth_rate(values).typical_network
    assert abs(increments.theta - slopes.mean()) < 6 * max(increments.se, slopes.std(ddof=1) / np.sqrt(500))


@pytest.mark.false_alarm(1e-7)
def test_ordinary_errors_are_too_small(he_steps, at_level, rng):
    """Negative control: layers taken for independent observations, 50 networks of width 48 and 20 layers.

    The regression's own errors reject the true slope far more often than 5 %; the networks' slopes do not. False alarm 1e-7.
    """
    layers, networks = 20, 50
    depth = np.arange(layers) - (layers - 1) / 2
    logs = np.cumsum(np.log(he_steps(rng, (2000, networks, layers), 48)), axis=2) - typical_truth(48) * np.arange(
        layers
    )
    slopes = logs @ depth / (depth @ depth)
    slope = slopes.mean(axis=1)
    residuals = logs - logs.mean(axis=(1, 2), keepdims=True) - slope[:, None, None] * depth
    ordinary = np.sqrt(residuals.var(axis=(1, 2)) / (networks * (depth @ depth)))
    clustered = slopes.std(axis=1, ddof=1) / np.sqrt(networks)
    critical = special.stdtrit(networks - 1, 0.975)
    assert np.sum(np.abs(slope) > critical * clustered) in at_level
    assert np.sum(np.abs(slope) > critical * ordinary) > 500


@pytest.mark.parametrize(
    ("values", "expected", "message"),
    [
        ([[1.0], [1.0]], 0.0, "two or more layers"),
        ([[1.0, np.nan], [1.0, 1.0]], 0.0, "are NaN"),
        ([[1.0, 0.0], [1.0, 1.0]], 0.0, "1 of 2 networks stay alive"),
        ([[1.0, 1.0], [1.0, 1.0]], np.inf, "log-rate"),
    ],
)
def test_what_has_no_rate_is_refused(values, expected, message):
    with pytest.raises(ValueError, match=message):
        growth_rate(values, expected=expected)
