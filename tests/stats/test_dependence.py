import math

import numpy as np
import pytest
from scipy import stats

from varprop.stats.equivalence import p_refute
from varprop.stats.signs import dependence

LAWS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "cauchy": lambda rng, shape: rng.standard_cauchy(shape),
    "signs": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
}
LOOKS = {"over calls", "between calls", "along axis 0", "along axis 1", "neighbours", "successive calls"}


@pytest.mark.false_alarm(3e-7)
@pytest.mark.parametrize("law", LAWS)
def test_independent_entries_of_any_law_pass_at_the_level(at_level, rng, law):
    """2,000 sets of 120 entries, three looks. False alarm 1e-7, three times a case."""
    counts = {"along axis 0": 0, "between calls": 0, "successive calls, magnitudes": 0}
    for _ in range(2000):
        looks = dependence(LAWS[law](rng, (3, 8, 5)), rng=rng)
        for name in counts:
            counts[name] += looks[name].pvalue <= 0.05
    assert all(count in at_level for count in counts.values()), counts


@pytest.mark.false_alarm(0)
def test_the_looks_have_names(rng):
    names = set(dependence(rng.standard_normal((3, 4, 5)), rng=rng))
    assert names == LOOKS | {f"{name}, magnitudes" for name in LOOKS}
    assert "neighbours" not in dependence(rng.standard_normal((9, 1)), rng=rng)
    assert "between calls" not in dependence(rng.standard_normal((9, 5)), rng=rng)  # there it is "along axis 0"


@pytest.mark.false_alarm(1e-12)
def test_it_is_the_analysis_of_variance_of_scipy(rng):
    """Of normal scores, which for normal draws are the draws but for some 1 %: F by scipy.stats.f_oneway.

    The two statistics differ by .05 %, so that .5 % is nine standard deviations.
    """
    draws = rng.standard_normal((40, 30, 20))
    draws += 0.05 * rng.standard_normal((40, 30, 1))
    look = dependence(draws, rng=rng)["along axis 1"]
    f, _ = stats.f_oneway(*draws.reshape(1200, 20))
    assert look.statistic == pytest.approx(f, rel=0.005)
    assert look.pvalue == pytest.approx(2 * stats.f.sf(look.statistic, look.between, look.within), rel=1e-9)


@pytest.mark.false_alarm(1e-12)
def test_lags_are_correlations(rng):
    """An autoregression of 0.3: sqrt(n) 0.3 is 42 standard errors, and the estimate is within 0.05 of it.

    Which is seven standard errors, a false alarm of 1e-12.
    """
    x = rng.standard_normal((20, 1000))
    for i in range(1, 1000):
        x[:, i] = 0.3 * x[:, i - 1] + math.sqrt(1 - 0.09) * x[:, i]
    assert dependence(x, rng=rng)["neighbours"].theta == pytest.approx(0.3, abs=0.05)


@pytest.mark.false_alarm(1e-12)
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda x: np.repeat(x[:, ::2], 2, axis=1), "along axis 0"),
        (lambda x: np.repeat(x[:, :, ::2], 2, axis=2), "along axis 1"),
        (lambda x: np.repeat(x[::2], 2, axis=0), "successive calls"),
        (lambda x: x + 0.5 * x[:1], "over calls"),
        (lambda x: np.stack([np.roll(x[0], i) for i in range(40)]), "between calls"),
        (lambda x: np.linalg.qr(x)[0], "along axis 0, magnitudes"),
        (lambda x: x * np.exp(np.linspace(-1, 1, 40))[:, None], "along axis 1, magnitudes"),
    ],
)
def test_what_depends_is_found(make, name, rng):
    """Controls: each dependence is twenty standard errors of the look that is meant for it, of which 1e-12 takes seven."""
    look = dependence(make(rng.standard_normal((40, 40, 40))), rng=rng)[name]
    assert look.pvalue < 1e-12
    assert p_refute(look, 0.02) < 1e-12


@pytest.mark.false_alarm(0)
def test_a_margin_is_on_the_log_of_the_ratio(rng):
    look = dependence(rng.standard_normal((50, 20)), rng=rng)["along axis 0"]
    ratio = look.statistic
    assert look.p_above(math.log(ratio)) == pytest.approx(stats.f.sf(1.0, look.between, look.within))
    assert look.p_below(0.0) == pytest.approx(stats.f.cdf(ratio, look.between, look.within))
    assert look.p_above(-5.0) < 1e-9


@pytest.mark.false_alarm(0)
def test_lines_that_are_constant_are_certain(rng):
    look = dependence(np.repeat(rng.standard_normal((6, 4, 1)), 50, axis=2), rng=rng)["along axis 1"]
    assert math.isfinite(look.theta)
    assert look.pvalue < 1e-100


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("bad", [np.zeros(5), np.zeros((1, 2)), np.full((3, 4), np.nan)])
def test_what_cannot_be_looked_at_is_refused(bad, rng):
    with pytest.raises(ValueError, match="three or more finite"):
        dependence(bad, rng=rng)
