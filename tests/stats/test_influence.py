import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from varprop.numerics.moments import Moments
from varprop.stats.influence import log_means, step_ratios

POSITIVE = hnp.arrays(np.float64, (6, 4), elements=st.floats(0.01, 100.0))


def jackknife(values):
    """Bias-corrected estimate of log E[values] and its standard error, leaving out one network at a time."""
    n = len(values)
    full, left_out = np.log(values.mean()), np.log((values.sum() - values) / (n - 1))
    return n * full - (n - 1) * left_out.mean(), np.sqrt((n - 1) ** 2 / n * left_out.var(ddof=1))


@pytest.mark.false_alarm(0)
def test_agrees_with_the_jackknife(rng):
    """The jackknife corrects bias and finds the error without any formula; they agree to the next order in 1 / n."""
    values = rng.gamma(4.0, size=(500, 3))
    means = log_means(values)
    for column in range(3):
        estimate, se = jackknife(values[:, column])
        plain = np.log(values[:, column].mean())
        assert means.estimate[column] - plain == pytest.approx(estimate - plain, rel=0.02)
        assert means.se[column] == pytest.approx(se, rel=0.01)


@pytest.mark.false_alarm(2e-9)
def test_the_bias_of_the_logarithm_is_removed(rng):
    """100,000 studies of 10 networks: what is left of the bias is of the next order.

    The plain log mean is off by 1 / 80 = .0125, 25 standard errors of the simulation; false alarm 2e-9.
    """
    values = rng.gamma(4.0, 0.25, size=(10, 100_000))
    tolerance = 6 * 0.159 / np.sqrt(100_000) + 1e-3
    assert abs(log_means(values).estimate.mean()) < tolerance
    assert abs(np.log(values.mean(axis=0)).mean()) > tolerance


def influences(values):
    """What each network contributes to the log means, (value / mean - 1) N / n, written out over the networks."""
    values = values[~np.isnan(values).all(axis=1)]
    return np.nan_to_num((values / np.nanmean(values, axis=0) - 1) * len(values) / np.sum(~np.isnan(values), axis=0))


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("pieces", [1, 2, 7, 50])
def test_the_covariance_is_that_of_the_networks_influences(rng, pieces):
    """The road from the moments, of one piece or many, and the one that keeps every network's influence."""
    values = rng.gamma(4.0, size=(50, 4)) * [1.0, 1e-30, 1e200, 3.0]
    values[:10, 1] = np.nan
    values[8:20, 2] = np.nan
    values[9] = np.nan  # at risk nowhere
    moments = Moments.sum(Moments.of(piece, joint=True) for piece in np.array_split(values, pieces))
    means = log_means(moments)
    assert means.at_risk.tolist() == [49, 40, 38, 49]
    influence = influences(values)
    np.testing.assert_allclose(means.covariance, np.cov(influence, rowvar=False) / 49, rtol=1e-12, atol=1e-16)
    weights = rng.normal(size=(5, 4))
    expected = (influence @ weights.T).std(axis=0, ddof=1) / np.sqrt(49)
    np.testing.assert_allclose(means.standard_error(weights), expected, rtol=1e-12)
    np.testing.assert_allclose(means.cumulative_errors(), means.standard_error(np.tri(4)), rtol=1e-12)
    np.testing.assert_allclose(means.standard_error(np.eye(4))[[0, 3]], means.se[[0, 3]], rtol=1e-12)
    np.testing.assert_allclose(means.standard_error(np.eye(4)), means.se, rtol=0.01)
    plain = log_means(values)
    np.testing.assert_allclose(means.estimate, plain.estimate, rtol=1e-12)
    np.testing.assert_allclose(means.se, plain.se, rtol=1e-12)


def test_influences_that_cancel_leave_no_error():
    """A network above the mean in one column is below it in the other by as much: their sum is certain."""
    means = log_means(Moments.of([[1.0, 3.0], [3.0, 1.0], [1.5, 2.5], [2.5, 1.5]], joint=True))
    assert means.standard_error([1.0, 1.0]) == pytest.approx(0.0, abs=1e-8)
    assert means.standard_error([1.0, -1.0]) > 0.1


def test_columns_alone_have_no_covariance():
    with pytest.raises(ValueError, match="joint=True"):
        _ = log_means([[1.0, 2.0], [3.0, 5.0]]).covariance


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1.1, 1e-300])
def test_equal_values_have_no_spread_at_all(value):
    values = np.full((30, 1), value)
    assert values.sum(axis=0)[0] / 30 != value  # what rounding would make of it
    means = log_means(np.vstack([values, [[np.nan]]]))
    assert (means.estimate[0], means.se[0]) == (np.log(value), 0.0)
    assert means.moments.spread.tolist() == [0.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0], [-0.5]], "finite and >= 0"),
        ([[1.0], [np.inf]], "must be finite"),
        ([[1.0, 0.0], [1.0, 0.0]], "column 1 .* is 0 in all networks"),
        ([[1.0, 1.0], [1.0, np.nan]], "column 1 .* has 1 networks at risk"),
        ([[np.nan], [np.nan]], "column 0 .* has 0 networks at risk"),
        ([[1.0, 2.0]], "two networks or more"),
        ([1.0, 2.0], "shape"),
        (np.ones((3, 0)), "shape"),
        (np.ones((0, 3)), "shape"),
    ],
)
def test_what_has_no_log_mean_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        log_means(values)


@given(POSITIVE)
def test_steps_multiply_back_to_the_values(values):
    np.testing.assert_allclose(values[:, :1] * np.cumprod(step_ratios(values), axis=1), values[:, 1:], rtol=1e-12)


def test_a_network_dies_once():
    ratios = step_ratios([[1.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 0.0]])
    np.testing.assert_array_equal(ratios, [[0.0, np.nan, np.nan], [2.0, 1.5, 0.0]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]], "product=False"),
        ([[1.0, np.nan], [1.0, 1.0]], "first of network 0 in column 1"),
        ([[1.0, -1.0], [1.0, 1.0]], "finite and >= 0"),
        ([[1.0, np.inf], [1.0, 1.0]], "finite and >= 0"),
        ([[1e-300, 1e300], [1.0, 1.0]], "exceeds the range"),
        ([[1.0], [1.0]], "two or more columns"),
    ],
)
def test_what_has_no_steps_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        step_ratios(values)
