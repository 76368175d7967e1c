import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varprop.stats.multiple import exploration_adjust, holm

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


@settings(max_examples=20)  # statsmodels collects garbage at every call: 50 ms
@given(PVALUES)
def test_holm_steps_down(pvalues):
    p, n = np.array(pvalues), len(pvalues)
    order = np.argsort(p)
    expected = np.empty(n)
    expected[order] = [min(1.0, max((n - j) * p[order[j]] for j in range(i + 1))) for i in range(n)]
    np.testing.assert_allclose(holm(pvalues), expected, rtol=1e-12)


@settings(max_examples=20)
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
