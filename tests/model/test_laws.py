"""Laws with atoms, heavy tails or dependent entries: moments by another road, and draws against what is stated."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

import varprop as vp
from tests.two_samples import ks_pvalue
from varprop.model import shapes
from varprop.model.initializers import get_initializer

FANS = {"fan_in": 60, "fan_out": 25}
FALSE_ALARM = 1e-8  # of each test
LIMIT = 5.74  # a standard normal exceeds it, on either side, with probability 1e-8
floats = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def moment(initializer, power, fans, far=np.inf):
    """E |w|^power of a symmetric law from its distribution function, which may jump at 0."""

    def integrand(x):
        return power * x ** (power - 1) * 2 * float(initializer.cdf(-x, **fans))

    std = math.sqrt(initializer.variance(**fans))
    near = min(20 * std, far)
    inner = integrate.quad(integrand, 0, near, limit=400, epsabs=0, epsrel=1e-10)[0]
    return inner + (integrate.quad(integrand, near, far, limit=400, epsrel=1e-9)[0] if near < far else 0.0)


def proportion_score(count, n, p):
    return (count - n * p) / math.sqrt(n * p * (1 - p))


@pytest.mark.parametrize(
    "initializer",
    [
        get_initializer("sparse", std=0.3, density=0.1),
        get_initializer("sparse", std=0.3, density=0.7),
        get_initializer("student_t", std=0.3, df=12.0),
        get_initializer("student_t", std=0.3),
    ],
    ids=lambda i: i.label,
)
def test_moments_agree_with_the_distribution_function(initializer):
    variance = moment(initializer, 2, FANS)
    assert initializer.variance(**FANS) == pytest.approx(variance, rel=1e-7)
    assert initializer.kurtosis(**FANS) == pytest.approx(moment(initializer, 4, FANS) / variance**2, rel=1e-6)
    assert (initializer.mean(**FANS), initializer.symmetric, initializer.iid) == (0.0, True, True)


@pytest.mark.parametrize("d", [2, 3, 8, 60])
def test_moments_of_an_orthogonal_entry(d):
    fans, gain = {"fan_in": d, "fan_out": max(d // 2, 1)}, 1.5
    law = get_initializer("orthogonal", gain=gain)
    variance = moment(law, 2, fans, far=gain)
    assert law.variance(**fans) == pytest.approx(variance, rel=1e-8)
    assert law.kurtosis(**fans) == pytest.approx(moment(law, 4, fans, far=gain) / variance**2, rel=1e-8)
    turned = {"fan_in": fans["fan_out"], "fan_out": d}
    assert law.variance(**turned) == law.variance(**fans)


def test_distribution_functions_that_are_known():
    x = np.linspace(-1.2, 1.2, 13)
    law = get_initializer("orthogonal", gain=1.2)
    # A coordinate of the unit circle has the arcsine law, of the unit sphere the uniform one (Archimedes).
    assert law.cdf(x, fan_in=2, fan_out=1) == pytest.approx(0.5 + np.arcsin(x / 1.2) / np.pi)
    assert law.cdf(x, fan_in=3, fan_out=2) == pytest.approx((x / 1.2 + 1) / 2)
    assert law.cdf([-9.0, 9.0], fan_in=3, fan_out=2).tolist() == [0.0, 1.0]
    one = {"fan_in": 1, "fan_out": 1}
    assert law.cdf([-1.3, -1.2, 0.0, 1.2], **one).tolist() == [0.0, 0.5, 0.5, 1.0]
    assert (law.variance(**one), law.kurtosis(**one)) == (1.2**2, 1.0)
    signs = get_initializer("rademacher", std=0.3)
    assert signs.cdf([-0.31, -0.3, 0.0, 0.3], **FANS).tolist() == [0.0, 0.5, 0.5, 1.0]
    assert (signs.variance(**FANS), signs.kurtosis(**FANS)) == (pytest.approx(0.09), 1.0)
    # Student's t with 3 degrees of freedom has variance 3 and a distribution function in closed form.
    t = x * math.sqrt(3) / 0.3
    closed = 0.5 + (t / math.sqrt(3) / (1 + t**2 / 3) + np.arctan(t / math.sqrt(3))) / np.pi
    assert get_initializer("student_t", std=0.3, df=3).cdf(x, **FANS) == pytest.approx(closed)
    sparse = get_initializer("sparse", std=1.0, density=0.25)
    assert sparse.cdf([-1e-12, 0.0], **FANS) == pytest.approx([0.125, 0.875])


def test_a_fourth_moment_that_does_not_exist_is_infinite():
    assert get_initializer("student_t", std=1.0, df=4).kurtosis(**FANS) == math.inf
    assert get_initializer("student_t", std=1.0, df=4.5).kurtosis(**FANS) == 15.0


def test_sparse_without_zeros_is_normal():
    full = get_initializer("sparse", std=0.3, density=1)
    assert full.gaussian
    assert full.label == "sparse(std=0.3, density=1)"
    assert not get_initializer("sparse", std=0.3, density=0.99).gaussian


@pytest.mark.false_alarm(1e-8)
@floats
def test_signs(dtype, rng):
    """Both values and nothing else, as often as each other, whatever stands before. False alarm 1e-8, 17 z-tests."""
    draws = get_initializer("rademacher", std=0.3).sample((501, 1999), **FANS, rng=rng, dtype=dtype)
    assert draws.dtype == dtype
    assert np.unique(draws).tolist() == [-dtype(0.3), dtype(0.3)]
    positive = (draws > 0).ravel()
    scores = [proportion_score(positive.sum(), positive.size, 0.5)]
    scores += [proportion_score((positive[k:] == positive[:-k]).sum(), positive.size - k, 0.5) for k in range(1, 17)]
    assert np.abs(scores).max() < -stats.norm.ppf(FALSE_ALARM / 17 / 2)


def test_signs_of_any_number():
    """Bits come eight at a time; the rest of a byte is left, not kept for later."""
    law = get_initializer("rademacher", std=1.0)
    assert [law.sample((n,), **FANS, rng=1).size for n in range(20)] == list(range(20))
    scaled = get_initializer("variance_scaling", scale=2.0, distribution="rademacher")
    assert np.abs(scaled.sample((9,), **FANS, rng=1)) == pytest.approx(math.sqrt(2 / 60))


@pytest.mark.false_alarm(3e-8)
@floats
def test_student_t(dtype, rng):
    """Kolmogorov's test of 400,000 draws, and the tails beyond 6 and 12 standard deviations. False alarm 1e-8 each."""
    law = get_initializer("student_t", std=0.3)
    draws = law.sample((400, 1000), **FANS, rng=rng, dtype=dtype)
    assert draws.dtype == dtype
    assert stats.kstest(draws.ravel(), lambda x: law.cdf(x, **FANS)).pvalue > FALSE_ALARM
    for deviations in (6, 12):
        tail = 2 * float(law.cdf(-deviations * 0.3, **FANS))
        found = int((np.abs(draws) > deviations * 0.3).sum())
        assert stats.binomtest(found, draws.size, tail).pvalue > FALSE_ALARM
    # Negative controls: the law before it is shrunk to its variance, and other degrees of freedom in the tail.
    assert stats.kstest(draws.ravel(), lambda x: stats.t.cdf(x / 0.3, 5)).pvalue < FALSE_ALARM
    other = 2 * float(get_initializer("student_t", std=0.3, df=6).cdf(-1.8, **FANS))
    assert stats.binomtest(int((np.abs(draws) > 1.8).sum()), draws.size, other).pvalue < FALSE_ALARM


@pytest.mark.false_alarm(4e-8)
@floats
def test_sparse(dtype, rng, monkeypatch):
    """How many are not 0, where they stand, and their values. False alarm 1e-8 for each of the four tests."""
    monkeypatch.setattr(shapes, "_SPARSE_CHUNK", 7001)  # so that the draws are of many chunks, and the last is short
    law = get_initializer("sparse", std=0.3, density=0.2)
    draws = law.sample((400, 1000), **FANS, rng=rng, dtype=dtype)
    assert draws.dtype == dtype
    there = draws != 0
    assert abs(proportion_score(there.sum(), there.size, 0.2)) < LIMIT
    # Independent places: the count in each column is binomial, and neighbours are both there as often as should be.
    columns = there.sum(axis=0)
    assert stats.chi2.sf(((columns - 80) ** 2).sum() / (400 * 0.2 * 0.8), 1000) > FALSE_ALARM
    pairs = (there[:, ::2] & there[:, 1::2]).sum()
    assert abs(proportion_score(pairs, there.size // 2, 0.04)) < LIMIT
    values = draws[there].astype(np.float64)
    assert stats.kstest(values, "norm", args=(0, 0.3 / math.sqrt(0.2))).pvalue > FALSE_ALARM
    assert stats.kstest(values, "norm", args=(0, 0.33 / math.sqrt(0.2))).pvalue < FALSE_ALARM  # negative control


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fans", [(6, 6), (4, 9), (9, 4), (1, 1), (1, 3), (3, 1)], ids=str)
def test_orthogonal_matrices_are_orthogonal(fans, dtype, rng):
    fan_in, fan_out = fans
    law = get_initializer("orthogonal", gain=1.5)
    stack = law.sample((50, fan_out, fan_in), fan_in=fan_in, fan_out=fan_out, rng=rng, dtype=dtype)
    assert (stack.shape, stack.dtype) == ((50, fan_out, fan_in), dtype)
    short = stack if fan_out <= fan_in else np.swapaxes(stack, 1, 2)
    eye = np.eye(min(fans)) * 1.5**2
    error = np.abs(short @ np.swapaxes(short, 1, 2) - eye).max()
    assert error < (2e-6 if dtype is np.float32 else 1e-13)
    one = law.sample((fan_out, fan_in), fan_in=fan_in, fan_out=fan_out, rng=rng, dtype=dtype)
    assert one.shape == (fan_out, fan_in)


def haar_statistics(q):
    return {
        "first": q[:, 0, 0],
        "last": q[:, -1, -1],
        "trace": np.einsum("nii->n", q),
        "trace of the square": np.einsum("nij,nji->n", q, q),
        "product": q[:, 0, 0] * q[:, 1, 1],
        "largest": np.abs(q).max(axis=(1, 2)),
        "sum": q.sum(axis=(1, 2)),
        "determinant": np.linalg.det(q).round(6),
    }


def haar_pvalue(q, other):
    pvalues = [ks_pvalue(x, haar_statistics(other)[name]) for name, x in haar_statistics(q).items()]
    return min(1.0, len(pvalues) * min(pvalues))


@pytest.mark.false_alarm(1e-8)
def test_orthogonal_matrices_are_uniform(rng):
    """Eight statistics against SciPy's Haar matrices (Householder reflections), 5,000 of each. False alarm 1e-8."""
    drawn = get_initializer("orthogonal").sample((5000, 4, 4), fan_in=4, fan_out=4, rng=rng)
    other = stats.ortho_group.rvs(4, size=5000, random_state=rng)
    assert haar_pvalue(drawn, other) > FALSE_ALARM
    # Negative control: without the signs of R's diagonal, QR's own convention shows in Q.
    assert haar_pvalue(np.linalg.qr(rng.standard_normal((5000, 4, 4)))[0], other) < FALSE_ALARM


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("fans", [(5, 5), (3, 8), (8, 3), (2, 1)], ids=str)
def test_an_entry_of_an_orthogonal_matrix(fans, rng):
    """Kolmogorov's test of one entry of each of 160,000 matrices. False alarm 1e-8 a case.

    The control's distance is 8 / sqrt(n), ten standard errors beyond what is allowed.
    """
    fan_in, fan_out = fans
    law = get_initializer("orthogonal", gain=1.5)
    drawn = law.sample((160_000, fan_out, fan_in), fan_in=fan_in, fan_out=fan_out, rng=rng)[:, -1, 0]
    assert stats.kstest(drawn, lambda x: law.cdf(x, fan_in=fan_in, fan_out=fan_out)).pvalue > FALSE_ALARM
    normal = stats.norm(0, math.sqrt(law.variance(fan_in=fan_in, fan_out=fan_out)))
    assert stats.kstest(drawn, normal.cdf).pvalue < FALSE_ALARM  # negative control: the same variance


@pytest.mark.parametrize("shape", [(25,), (60, 25), (2, 2, 25, 60), (25, 60, 1)], ids=str)
def test_orthogonal_refuses_what_is_no_matrix_of_the_layer(shape):
    with pytest.raises(ValueError, match=r"matrices of shape \(25, 60\), or a stack of them"):
        get_initializer("orthogonal").sample(shape, **FANS, rng=1)


def test_what_is_known_of_each():
    known = {
        name: (law.iid, law.batched, law.continuous, law.for_biases, law.gaussian)
        for name, law in {
            "orthogonal": get_initializer("orthogonal"),
            "rademacher": get_initializer("rademacher", std=1),
            "sparse": get_initializer("sparse", std=1),
            "student_t": get_initializer("student_t", std=1),
            "he_normal": get_initializer("he_normal"),
        }.items()
    }
    assert known == {
        "orthogonal": (False, True, True, False, False),
        "rademacher": (True, True, False, True, False),
        "sparse": (True, True, False, True, False),
        "student_t": (True, True, True, True, False),
        "he_normal": (True, True, True, True, True),
    }
    assert not get_initializer("student_t", std=0).continuous
    nothing = get_initializer("orthogonal", gain=0)
    assert not nothing.continuous
    assert nothing.cdf([-1.0, 0.0], **FANS).tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="has variance 0"):
        nothing.kurtosis(**FANS)


def test_orthogonal_biases_are_refused():
    with pytest.raises(ValueError, match=r"orthogonal\(gain=1\) is a law of matrices.*biases='zeros'"):
        vp.Dense(5, weights="he_normal", biases="orthogonal")
