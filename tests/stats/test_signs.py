import itertools
import math

import numpy as np
import pytest

from varprop.stats import signs
from varprop.stats.signs import alike_lines, entries_needed, halves, mirror, transposed

LAWS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "signs": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "sparse": lambda rng, shape: rng.standard_normal(shape) * (rng.random(shape) < 0.1),
    "cauchy": lambda rng, shape: rng.standard_cauchy(shape),
}
SKEWED = {
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1.0,
    "fair signs, unequal sizes": lambda rng, shape: np.where(rng.random(shape) < 0.5, 2.0, -1.0) * rng.random(shape),
}


def holds(pvalue):
    """500 p-values: more than 54 at 5 % have probability 1e-7."""
    return sum(pvalue() <= 0.05 for _ in range(500)) <= 54


# ---- symmetry about 0 --------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("sizes", [range(1, 11), [1.0] * 10, [0.0, 0.0, 1, 1, 2, 3, 4, 5, 6]])
def test_every_pattern_of_signs_together_has_the_level(sizes):
    """All patterns for given magnitudes: for each p-value that occurs, at most that share has one so small."""
    found = np.array(
        [mirror(np.array(signs) * sizes).pvalue for signs in itertools.product((-1, 1), repeat=len(sizes))]
    )
    for p in np.unique(found):
        assert np.mean(found <= p) <= p + 1e-12
    assert found.min() < 0.02


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize("law", LAWS)
def test_symmetric_laws_pass_at_the_level(rng, law):
    assert holds(lambda: mirror(LAWS[law](rng, 60)).pvalue)


@pytest.mark.false_alarm(1e-12)
@pytest.mark.parametrize("law", SKEWED)
def test_asymmetric_laws_are_refuted(rng, law):
    """Distances of .26 and .25, of 20,000 draws 37 and 35 standard errors, of which 1e-12 takes seven."""
    look = mirror(SKEWED[law](rng, 20_000))
    assert look.pvalue < 1e-12
    assert look.estimate > 0.15


@pytest.mark.false_alarm(0)
def test_draws_of_zero_say_nothing():
    assert mirror(np.zeros(5)).pvalue == 1.0
    with pytest.raises(ValueError, match="mirror takes finite"):
        mirror([1.0, np.nan])


# ---- differences ---------------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
def test_differences_are_of_calls_two_by_two():
    assert halves([[1.0, 5.0], [0.0, 1.0], [2.0, 2.0], [0.0, 3.0], [9.0, 9.0]]).tolist() == [[0.25, 1.0], [0.5, -0.25]]
    assert not halves(np.ones((2, 3))).any()
    assert np.isfinite(halves([[1.7e308], [-1.7e308]])).all()
    with pytest.raises(ValueError, match="two calls or more, got 1"):
        halves([[1.0, 2.0]])


# ---- a matrix and its transpose ------------------------------------------------------------------------------------


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize("law", [*LAWS, *SKEWED])
def test_independent_entries_are_not_their_own_transpose(rng, law):
    draw = (LAWS | SKEWED)[law]
    assert holds(lambda: transposed(halves(draw(rng, (4, 5, 5)))).pvalue)


@pytest.mark.false_alarm(0)
def test_skewed_entries_themselves_would_break_the_level(rng):
    """The control: products of exponentials less 1 have no fair signs. 2,000 sets of 400 entries; the sum of products of 1.9e5
    entries without differences exceeds the bound by its skewness.
    """
    w = np.abs(rng.standard_normal((100, 20, 20)))
    assert transposed(w).pvalue < 1e-15
    assert transposed(halves(w)).pvalue > 1e-9


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_symmetric_matrix_is_found(rng, sign):
    """One 64 x 64: 2,016 products of entries that are alike, 336 in the exponent."""
    w = rng.standard_normal((1, 64, 64))
    w = np.triu(w, 1) + sign * np.swapaxes(np.triu(w, 1), 1, 2)
    look = transposed(w)
    assert look.estimate == pytest.approx(sign)
    assert look.pvalue < 1e-100
    kernels = rng.standard_normal((3, 16, 16, 3, 3))
    assert transposed(kernels + sign * np.swapaxes(kernels, 1, 2)).pvalue < 1e-100


@pytest.mark.false_alarm(0)
def test_only_square_matrices_have_a_transpose_to_compare(rng):
    with pytest.raises(ValueError, match=r"shape \(calls, n, n, ...\), got shape \(2, 3, 4\)"):
        transposed(rng.standard_normal((2, 3, 4)))


# ---- lines ---------------------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize("law", [*LAWS, *SKEWED])
def test_independent_lines_pass_at_the_level(rng, law):
    draw = (LAWS | SKEWED)[law]
    assert holds(lambda: alike_lines(halves(draw(rng, (8, 5, 10))), 0, rng=rng).pvalue)


@pytest.mark.false_alarm(0)
def test_it_is_the_bound_of_every_pair(rng):
    w = rng.standard_normal((3, 6, 4))
    lines = np.moveaxis(w, 1, 0).reshape(6, 12)
    pairs = [lines[i] * lines[j] for i, j in itertools.combinations(range(6), 2)]
    least = min(2 * math.exp(-(products.sum() ** 2) / (2 * np.sum(products**2))) for products in pairs)
    assert alike_lines(w, 0, rng=rng).pvalue == pytest.approx(min(1.0, 15 * least), rel=1e-9)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [1, -1])
def test_two_lines_alike_are_found_on_every_axis(rng, axis, sign):
    """Lines of 400 entries: 66 in the exponent. The lines are in different blocks of those that are compared at once."""
    w = np.moveaxis(rng.standard_normal((1, 1100, 20, 20)), 1, axis + 1)
    moved = np.moveaxis(w, axis + 1, 0)
    moved[1090] = sign * moved[7]
    look = alike_lines(w, axis, rng=rng)
    assert look.estimate == pytest.approx(sign)
    assert look.pvalue < 1e-12


@pytest.mark.false_alarm(0)
def test_of_many_lines_some_are_compared(rng, monkeypatch):
    monkeypatch.setattr(signs, "MOST_LINES", 50)
    w = np.repeat(rng.standard_normal((1, 40, 300)), 5, axis=1)
    assert alike_lines(w, 0, rng=rng).estimate == pytest.approx(1.0)


@pytest.mark.false_alarm(0)
def test_lines_that_are_not_there():
    one = alike_lines(np.ones((3, 1, 4)), 0, rng=np.random.default_rng(1))
    assert one.pvalue == alike_lines(np.zeros((3, 5, 4)), 0, rng=np.random.default_rng(1)).pvalue == 1.0
    with pytest.raises(ValueError, match="axis must be one of the 2"):
        alike_lines(np.ones((3, 1, 4)), 2, rng=np.random.default_rng(1))


@pytest.mark.false_alarm(0)
def test_so_many_entries_show_two_equal_lines(rng):
    """Fourth moments of 2,000 entries are within 40 % of 3 but for 1e-15 and more, so four times as many always do."""
    n = 4 * entries_needed(64, 1e-7)
    w = rng.standard_normal((1, 64, n))
    w[:, 3] = w[:, 60]
    assert alike_lines(w, 0, rng=rng).pvalue < 1e-7
