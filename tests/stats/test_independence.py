"""Dependence between the entries of matrices, in six looks."""

import math

import numpy as np
import pytest

from varprop.stats.weights import independence

UNIFORM = {"variance": 1 / 3, "kurtosis": 1.8}
NORMAL = {"variance": 1.0, "kurtosis": 3.0}


@pytest.mark.false_alarm(7e-7)
def test_independent_entries_pass_at_their_level(at_level, rng):
    """Ten uniform matrices of 20 by 16, 2,000 times: every look, and all of them. False alarm 1e-7, seven times.

    Six looks at .05 / 6 each reject together at most .05 and, correlated little, not much less.
    """
    found = [independence(rng.uniform(-1, 1, (10, 20, 16)), **UNIFORM) for _ in range(2000)]
    for name in found[0].looks:
        assert sum(one.looks[name].pvalue <= 0.05 for one in found) in at_level, name
    assert sum(one.pvalue <= 0.05 for one in found) in at_level


@pytest.mark.false_alarm(0)
def test_excess_is_the_variance_of_sums(rng):
    """By definition: the mean square of the rows' sums, over what it is for independent entries."""
    w = rng.standard_normal((3, 5, 7))
    found = independence(w, **NORMAL)
    assert found.rows.theta == pytest.approx(np.mean(w.sum(axis=2) ** 2) / 7 - np.mean(w**2))
    assert found.columns.theta == pytest.approx(np.mean(w.sum(axis=1) ** 2) / 5 - np.mean(w**2))
    flat = w.ravel()
    assert found.serial.theta == pytest.approx(np.mean(flat[1:] * flat[:-1]))


CASES = ("orthogonal", "copied rows", "common factor of a column", "alternating", "scale of a row")


def dependent(case, rng):
    w = rng.standard_normal((200, 16, 16))
    if case == "orthogonal":
        return np.linalg.qr(w)[0] * 4.0
    if case == "copied rows":
        return np.repeat(w[:, ::2], 2, axis=1)
    if case == "common factor of a column":
        return (w + rng.standard_normal((200, 1, 16))) / math.sqrt(2)
    if case == "alternating":
        flat = w.ravel()
        return ((flat - 0.2 * np.roll(flat, 1)) / math.sqrt(1.04)).reshape(w.shape)
    sizes = np.sqrt(rng.choice([0.5, 1.5], size=(200, 16, 1)))
    return w * sizes


@pytest.mark.false_alarm(1e-12)
@pytest.mark.parametrize(
    ("case", "look"),
    [
        ("orthogonal", "squares in rows"),
        ("orthogonal", "squares in columns"),
        ("copied rows", "columns"),
        ("common factor of a column", "columns"),
        ("alternating", "neighbours"),
        ("scale of a row", "squares in rows"),
    ],
)
def test_dependence_is_found(case, look, rng):
    """51,200 entries; every case is thirty standard errors and more off, missed with probability below 1e-12."""
    found = independence(dependent(case, rng), **NORMAL)
    assert abs(found.looks[look].statistic) > 6.0
    assert found.pvalue < 1e-6


@pytest.mark.false_alarm(1.1e-8)
def test_orthogonal_matrices_pass_where_they_should(rng):
    """Entries of a Haar matrix are uncorrelated: only their squares give them away. False alarm 1e-8."""
    found = independence(dependent("orthogonal", rng), **NORMAL)
    assert found.serial.pvalue > 1e-8
    # All rows have one norm: the excess is minus all of the variance that the sums of independent squares would have.
    assert found.row_squares.theta < -0.8


@pytest.mark.parametrize(
    ("matrices", "law", "message"),
    [
        (np.ones(4), {}, "fan_out, fan_in"),
        (np.ones((1, 4)), {}, "2 by 2"),
        ([[1.0, np.nan], [1.0, 1.0]], {}, "finite matrices"),
        (np.ones((2, 2)), {"kurtosis": 1.0}, "kurtosis > 1"),
        (np.ones((2, 2)), {"variance": 0.0}, "variance > 0"),
    ],
)
def test_what_is_no_matrix_is_refused(matrices, law, message):
    with pytest.raises(ValueError, match=message):
        independence(matrices, **(NORMAL | law))
