import numpy as np
import pytest
from scipy import stats

from varprop.stats.weights import stepped_law


@pytest.mark.false_alarm(0)
def test_without_atoms_it_is_scipys_distance(rng):
    draws = rng.standard_normal(500)
    fit, expected = stepped_law(draws, stats.norm.cdf, test="weights_law"), stats.kstest(draws, "norm")
    assert fit.theta == pytest.approx(expected.statistic, rel=1e-12)
    assert fit.pvalue == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_of_two_values_it_is_the_difference_of_their_shares(share):
    draws = np.repeat([-1.0, 1.0], [round(10 * (1 - share)), round(10 * share)])
    fit = stepped_law(draws, lambda x: ((x >= -1) + 1.0 * (x >= 1)) / 2, test="weights_law")
    assert fit.theta == pytest.approx(abs(share - 0.5))


def test_a_value_beside_an_atom_is_off_it():
    fit = stepped_law([0.999, -1.0], lambda x: ((x >= -1) + 1.0 * (x >= 1)) / 2, test="weights_law")
    assert fit.theta == pytest.approx(0.5)


@pytest.mark.false_alarm(0)
def test_an_atom_that_is_too_light_is_found(rng):
    """Half the draws 0 where the law has 90 %: a distance of 0.2 on either side of 0, known to within 0.03."""
    draws = np.where(rng.random(20_000) < 0.5, 0.0, rng.standard_normal(20_000))
    fit = stepped_law(draws, lambda x: 0.1 * stats.norm.cdf(x) + 0.9 * (x >= 0), test="weights_law")
    assert fit.theta == pytest.approx(0.2, abs=0.03)
    assert fit.pvalue < 1e-100


@pytest.mark.parametrize("bad", [[1.0], [1.0, np.nan]])
def test_what_is_no_sample_is_refused(bad):
    with pytest.raises(ValueError, match="two or more finite"):
        stepped_law(bad, stats.norm.cdf, test="weights_law")
