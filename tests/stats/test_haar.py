import math

import numpy as np
import pytest
from scipy import stats

from varprop.stats.haar_battery import draws_needed, fourth_powers, haar
from varprop.stats.inspections import family, worst


def fixed(matrices):
    """Q of a QR decomposition whose R has a positive diagonal."""
    q, r = np.linalg.qr(matrices)
    return q * np.sign(np.einsum("nii->ni", r))[:, None, :]


def rotations(rng, n, d, k=None):
    return fixed(rng.standard_normal((n, d, k or d)))


def evidence(matrices):
    """Against all kinds of looks together."""
    found = haar(matrices)
    return min(1.0, len(found) * min(family(looks) for looks in found.values()))


def permutations(rng, n, d):
    return np.stack([np.eye(d)[rng.permutation(d)] for _ in range(n)])


def symmetric(rng, n, d):
    q, signs = rotations(rng, n, d), rng.choice([-1.0, 1.0], (n, 1, d))
    return (q * signs) @ np.swapaxes(q, 1, 2)


def blocks(rng, n, d):
    made = np.zeros((n, d, d))
    made[:, : d // 2, : d // 2], made[:, d // 2 :, d // 2 :] = rotations(rng, n, d // 2), rotations(rng, n, d // 2)
    return made


def reflections(rng, n, d):
    v = rng.standard_normal((n, d))
    v /= np.linalg.norm(v, axis=1)[:, None]
    return np.eye(d) - 2 * v[:, :, None] * v[:, None, :]


def of_svd(rng, n, d):
    u, _, v = np.linalg.svd(rng.random((n, d, d)))
    return u @ v


DEPARTURES = {
    "QR with signs as they came": lambda rng, n, d: np.linalg.qr(rng.standard_normal((n, d, d)))[0],
    "QR of uniform numbers": lambda rng, n, d: np.linalg.qr(rng.random((n, d, d)))[0],
    "QR of uniform numbers, signs fixed": lambda rng, n, d: fixed(rng.random((n, d, d))),
    "permutations": permutations,
    "signed permutations": lambda rng, n, d: permutations(rng, n, d) * rng.choice([-1.0, 1.0], (n, 1, d)),
    "symmetric": symmetric,
    "block diagonal": blocks,
    "reflections": reflections,
    "U V' of an SVD of uniform numbers": of_svd,
    "the same every time": lambda rng, n, d: np.repeat(rotations(rng, 1, d), n, axis=0),
    "rows in another order": lambda rng, n, d: permutations(rng, n, d) @ rotations(rng, 1, d),
}


@pytest.mark.false_alarm(2e-9)
@pytest.mark.parametrize("name", DEPARTURES)
@pytest.mark.parametrize(("d", "n"), [(8, 250), (64, 20), (256, 2)])
def test_departures_are_found_by_a_list_in_full(name, d, n, rng):
    """The nearest is QR with its signs, two of 256: traces of -9 with standard deviations of 1, a sum of 12.7 standard deviations,
    of which 1e-9 takes 6.8; missed with probability 2e-9."""
    assert evidence(DEPARTURES[name](rng, n, d)) < 1e-9


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize(
    ("n", "d", "k"), [(250, 8, 8), (5, 64, 64), (2, 256, 256), (60, 12, 5), (3, 128, 80), (60, 40, 1)]
)
def test_haar_matrices_are_left_alone(n, d, k, rng):
    """The list has p <= 1e-8 with that probability at most."""
    assert evidence(rotations(rng, n, d, k)) > 1e-8


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize(("d", "k"), [(4, 4), (7, 3)])
def test_the_list_holds_its_level(d, k, rng):
    """300 lists: more than 38 at 5 % have probability 1e-7; those of the next test are the control."""
    assert sum(evidence(rotations(rng, 5, d, k)) <= 0.05 for _ in range(300)) <= 38


@pytest.mark.false_alarm(0)
def test_the_list_that_holds_its_level_has_power(rng):
    """QR with its signs, twelve of 4 x 4: the first entry is negative in all, 2^-11, and others mostly; some 180 of 300 are found."""
    raw = (np.linalg.qr(rng.standard_normal((12, 4, 4)))[0] for _ in range(300))
    assert sum(evidence(q) <= 0.05 for q in raw) > 38


@pytest.mark.montecarlo
@pytest.mark.false_alarm(3e-7)
@pytest.mark.parametrize(("n", "d", "lists"), [(5, 8, 20_000), (3, 64, 4000)])
def test_the_list_holds_its_level_far_out(n, d, lists, fresh_seed):
    """Counts at 5, 1 and .1 %: more have probability 1e-7 each, if the level is as large as that."""
    rng = np.random.default_rng(fresh_seed)
    found = np.array([evidence(rotations(rng, n, d)) for _ in range(lists)])
    for level in (0.05, 0.01, 0.001):
        assert np.sum(found <= level) <= stats.binom.isf(1e-7, lists, level)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(("d", "n"), [(1, 5000), (2, 20_000), (3, 5000)])
def test_single_precision_is_no_departure(d, n, rng):
    """Of 20,000 rotations of the plane some have a cosine that single precision rounds to 1."""
    q = rotations(rng, n, d).astype(np.float32)
    assert d != 2 or (q == 1).any()
    looks = {name: look for found in haar(q).values() for name, look in found.items()}
    assert looks["largest entry"].pvalue > 1e-6
    assert looks["row sums"].pvalue > 1e-6


@pytest.mark.false_alarm(0)
def test_every_look_by_a_plain_loop(rng):
    """Statistics of three matrices, one by one: what was seen is what was there."""
    q = rotations(rng, 3, 5)
    seen = {name: look.estimate for name, look in haar(q)["draws"].items()}
    assert seen["column sums"] == pytest.approx(max(abs(m[:, j].sum()) for m in q for j in range(5)) / math.sqrt(5))
    assert seen["row sums"] == pytest.approx(max(abs(m[i].sum()) for m in q for i in range(5)) / math.sqrt(5))
    assert seen["total"] == pytest.approx(max(abs(m.sum()) for m in q) / 5)
    assert seen["largest entry"] == pytest.approx(np.abs(q).max())
    assert seen["column signs"] == max(max((m[:, j] > 0).sum(), (m[:, j] < 0).sum()) for m in q for j in range(5)) / 5
    assert seen["diagonal signs, pooled"] == pytest.approx(sum((np.diag(m) > 0).sum() for m in q) / 15)
    assert abs(seen["trace"]) == pytest.approx(max(abs(np.trace(m)) for m in q))
    assert seen["Tr Q^2, pooled"] == pytest.approx(np.mean([(np.trace(m @ m) - 1) / math.sqrt(2) for m in q]))
    assert "fourth powers" not in seen
    assert "fourth powers" in haar(rotations(rng, 1, 64))["draws"]


@pytest.mark.false_alarm(0)
def test_rotations_lead_from_one_draw_to_the_next(rng):
    """The two kinds of rotations are what the looks at draws say of Q' Q'^T and Q^T Q', taken for draws themselves."""
    q = rotations(rng, 4, 6)
    found = haar(q)
    right = haar(np.swapaxes(q[:-1], 1, 2) @ q[1:])["draws"]
    left = haar(q[1:] @ np.swapaxes(q[:-1], 1, 2))["draws"]
    for name, look in found["right rotations"].items():
        assert look.pvalue == pytest.approx(right[name].pvalue), name
    for name, look in found["left rotations"].items():
        assert look.pvalue == pytest.approx(left[name].pvalue), name


@pytest.mark.false_alarm(0)
def test_a_wide_matrix_is_a_tall_one_on_its_side(rng):
    q = rotations(rng, 6, 9, 4)
    tall, wide = haar(q), haar(np.swapaxes(q, 1, 2))
    assert tall["draws"]["row sums"].pvalue == pytest.approx(wide["draws"]["column sums"].pvalue)
    assert tall["right rotations"]["total"].pvalue == pytest.approx(wide["left rotations"]["total"].pvalue)
    assert tall["left rotations"]["column signs"].pvalue == pytest.approx(wide["right rotations"]["row signs"].pvalue)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("name", ["QR with signs as they came", "the same every time"])
def test_rectangular_departures_are_found(name, rng):
    made = DEPARTURES[name](rng, 40, 60)[:, :, :20] if name == "the same every time" else None
    q = np.linalg.qr(rng.standard_normal((40, 60, 20)))[0] if made is None else made
    assert evidence(q) < 1e-9
    assert evidence(np.swapaxes(q, 1, 2)) < 1e-9


@pytest.mark.false_alarm(0)
def test_determinants_of_enough_matrices_are_looked_at(rng):
    q = rotations(rng, 40, 6)
    q[:, :, 0] *= np.sign(np.linalg.det(q))[:, None]
    assert worst(haar(q)["determinants"]) in {"signs", "changes"}
    assert haar(q)["determinants"]["signs"].pvalue == pytest.approx(2.0**-39)
    assert "determinants" not in haar(q[:20])
    assert "determinants" not in haar(q[:, :, :5])


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize(("rows", "columns", "d"), [(6, 6, 6), (9, 4, 9), (3, 3, 7)])
def test_fourth_powers_have_this_mean_and_variance(rows, columns, d, rng):
    """15,000 corners: the mean within 6 standard errors, and the variance within 6 of its own, whose kurtosis is below 12."""
    sums = np.sum(rotations(rng, 15_000, d)[:, :rows, :columns] ** 4, axis=(1, 2))
    mean, variance = fourth_powers(rows, columns, d)
    assert abs(sums.mean() - mean) < 6 * math.sqrt(variance / 15_000)
    assert abs(sums.var() / variance - 1) < 6 * math.sqrt(11 / 15_000)


@pytest.mark.false_alarm(0)
def test_traces_of_the_plane_have_moments_below_the_normal_laws():
    """By hand for d = 2: half are rotations by an angle t, of trace 2 cos t, half reflections, of trace 0 and of Tr Q^2 = 2.

    The even moments of Tr Q are at most (2m - 1)!!, and those of Tr Q^2 up to the second those of N(1, 2): 1 and 3.
    """
    t = (np.arange(720) + 0.5) * math.pi / 360
    for m in range(1, 12):
        moment = np.mean((2 * np.cos(t)) ** (2 * m)) / 2
        assert moment <= math.prod(range(1, 2 * m, 2)) + 1e-9
    squares = np.concatenate([2 * np.cos(2 * t), np.full(720, 2.0)])
    assert [np.mean(squares), np.mean(squares**2)] == pytest.approx([1.0, 3.0])
    assert np.mean(squares**3) < 1 + 3 * 2  # E (1 + sqrt(2) Z)^3 = 7, which order 3 > d need not reach


@pytest.mark.false_alarm(0)
def test_how_many_draws_a_list_takes():
    assert [draws_needed(d, d) for d in (1, 8, 63, 64, 1000)] == [2000, 250, 32, 2, 2]
    assert draws_needed(200, 60) == draws_needed(60, 200) == 34


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("bad", [np.eye(3), np.full((2, 3, 3), np.nan), np.zeros((1, 2, 2, 2))])
def test_what_is_no_stack_of_matrices_is_refused(bad):
    with pytest.raises(ValueError, match="haar takes"):
        haar(bad)
