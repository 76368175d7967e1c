import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from varprop.stats.influence import log_means, standard_error, step_ratios

POSITIVE = hnp.arrays(np.float64, (6, 4), elements=st.floats(0.01, 100.0))


def jackknife(values):
    """Bias-corrected estimate of log E[values] and its standard error, leaving out one network at a time."""
    n = len(values)
    full, left_out = np.log(values.mean()), np.log((values.sum() - values) / (n - 1))
    return n * full - (n - 1) * left_out.mean(), np.sqrt((n - 1) ** 2 / n * left_out.var(ddof=1))


def test_agrees_with_the_jackknife(rng):
    """The jackknife corrects bias and finds the error without any formula; they agree to the next order in 1 / n."""
    values = rng.gamma(4.0, size=(500, 3))
    means = log_means(values)
    for column in range(3):
        estimate, se = jackknife(values[:, column])
        plain = np.log(values[:, column].mean())
        assert means.estimate[column] - plain == pytest.approx(estimate - plain, rel=0.02)
        assert means.se[column] == pytest.approx(se, rel=0.01)


def test_the_bias_of_the_logarithm_is_removed(rng):
    """20,000 studies of 10 networks: what is left of the bias is of the next order.

    The plain log mean is off by 1 / 80 = .0125, 11 standard errors of the simulation; false alarm 1e-6.
    """
    values = rng.gamma(4.0, 0.25, size=(10, 20_000))
    tolerance = 4.9 * 0.158 / np.sqrt(20_000) + 1e-3
    assert abs(log_means(values).estimate.mean()) < tolerance
    assert abs(np.log(values.mean(axis=0)).mean()) > tolerance


def test_influences_give_the_standard_errors(rng):
    values = rng.gamma(4.0, size=(50, 3))
    values[:10, 1] = np.nan
    means = log_means(values)
    assert means.at_risk.tolist() == [50, 40, 50]
    np.testing.assert_allclose(means.influence.mean(axis=0), 0.0, atol=1e-14)
    assert np.all(means.influence[:10, 1] == 0.0)
    np.testing.assert_allclose(standard_error(means.influence)[[0, 2]], means.se[[0, 2]], rtol=1e-12)
    np.testing.assert_allclose(standard_error(means.influence)[1], means.se[1], rtol=0.01)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1.1, 1e-300])
def test_equal_values_have_no_spread_at_all(value):
    values = np.full((30, 1), value)
    assert values.sum(axis=0)[0] / 30 != value  # what rounding would make of it
    means = log_means(np.vstack([values, [[np.nan]]]))
    assert (means.estimate[0], means.se[0]) == (np.log(value), 0.0)
    assert not means.influence.any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0], [-0.5]], "finite and >= 0"),
        ([[1.0], [np.inf]], "finite and >= 0"),
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
