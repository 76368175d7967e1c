import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from varprop.stats.multiple import adjust_report, exploration_adjust, holm

PVALUES = st.lists(st.floats(0.0, 1.0, allow_subnormal=False), min_size=1, max_size=12)


@given(PVALUES)
def test_exploration_is_benjamini_yekutieli(pvalues):
    """From the definition: the smallest level at which the step-up rule with harmonic penalty rejects each."""
    p, n = np.array(pvalues), len(pvalues)
    order = np.argsort(p)
    penalty = sum(1 / k for k in range(1, n + 1))
    ranked = [min(p[order[j]] * n * penalty / (j + 1) for j in range(i, n)) for i in range(n)]
    expected = np.empty(n)
    expected[order] = np.minimum(ranked, 1.0)
    np.testing.assert_allclose(exploration_adjust(pvalues), expected, rtol=1e-12)


@given(PVALUES)
def test_holm_steps_down(pvalues):
    p, n = np.array(pvalues), len(pvalues)
    order = np.argsort(p)
    expected = np.empty(n)
    expected[order] = [min(1.0, max((n - j) * p[order[j]] for j in range(i + 1))) for i in range(n)]
    np.testing.assert_allclose(holm(pvalues), expected, rtol=1e-12)


@settings(max_examples=5)  # statsmodels collects garbage at every call: 50 ms and more
@given(PVALUES)
def test_holm_is_that_of_statsmodels_to_the_bit(pvalues):
    np.testing.assert_array_equal(holm(pvalues), multipletests(pvalues, method="holm")[1])


@given(PVALUES)
def test_adjustment_never_helps_and_keeps_the_order(pvalues):
    for adjust in (exploration_adjust, holm):
        adjusted = adjust(pvalues)
        assert np.all(adjusted >= np.array(pvalues) - 1e-15)
        assert np.all(np.diff(adjusted[np.argsort(pvalues)]) >= -1e-15)


@pytest.mark.parametrize("adjust", [exploration_adjust, holm])
@pytest.mark.parametrize("wrong", [[0.1, np.nan], [1.1], [-0.1], [[0.1, 0.2]]])
def test_what_is_no_p_value_is_refused(adjust, wrong):
    with pytest.raises(ValueError, match="p-values must"):
        adjust(wrong)


@pytest.mark.parametrize("adjust", [exploration_adjust, holm])
def test_nothing_to_adjust(adjust):
    assert adjust([]).shape == (0,)


@pytest.mark.false_alarm(0)
def test_point_nulls_have_a_budget_of_their_own(rng):
    """Whatever is explored beside them, the point nulls' adjusted values are Holm's among themselves, and vice versa."""
    p, exact = rng.random(30), rng.random(30) < 0.3
    adjusted = adjust_report(p, exact)
    np.testing.assert_array_equal(adjusted[exact], holm(p[exact]))
    np.testing.assert_array_equal(adjusted[~exact], exploration_adjust(p[~exact]))
    assert adjust_report([], []).shape == (0,)
    with pytest.raises(ValueError, match="as many marks"):
        adjust_report([0.5], [True, False])
