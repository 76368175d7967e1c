"""The fast normals against the normal law: moments, shape, both tails, independence; and what they promise of numbers."""

import math

import numpy as np
import pytest
from scipy import special, stats

from tests.two_samples import ks_pvalue
from varprop.numerics import randomness
from varprop.numerics.randomness import SOURCES, box_muller, choose_normals

FALSE_ALARM = 1e-8
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
SIZE = 2**20


def sfc(rng: np.random.Generator) -> np.random.Generator:
    """The engine's bit generator, seeded from the test's own stream."""
    return np.random.Generator(np.random.SFC64(rng.integers(2**63)))


@pytest.fixture(scope="module")
def radii32() -> tuple[np.ndarray, float]:
    """Every radius above 3 that float32 draws can have, by the definition, and the probability of each."""
    odd = np.arange(1, int(2**32 * math.exp(-4.4)), 2, dtype=np.uint32)
    uniform = odd.astype(np.float32) * np.float32(2.0**-32 * (1 - 2.0**-24))
    return np.sqrt(np.float32(-2) * np.log(uniform)).astype(np.float64), 2.0**-31


@pytest.mark.parametrize(
    ("x", "tolerance"), [(3.5, 1e-6), (4.0, 1e-6), (4.5, 1e-5), (5.0, 1e-5), (5.5, 3e-4), (6.0, 3e-3)]
)
def test_tails_in_float32_are_those_of_the_normal_law(x, tolerance, radii32):
    """No sampling: P(r cos > x) summed over every radius there is."""
    radius, each = radii32
    beyond = radius[radius > x]
    tail = each * np.sum(np.arccos(x / beyond)) / math.pi
    assert tail == pytest.approx(special.ndtr(-x), rel=tolerance)


def test_the_coarser_source_that_drops_the_odd_bits_would_fail_in_the_tail():
    """Negative control of the test above: 24 bits, as a float32 uniform has them, end at 5.77."""
    uniform = np.arange(1, 2**24, 2) * 2.0**-24
    radius = np.sqrt(-2 * np.log(uniform))
    beyond = radius[radius > 5.5]
    assert 2.0**-23 * np.sum(np.arccos(5.5 / beyond)) / math.pi != pytest.approx(special.ndtr(-5.5), rel=0.02)


class Words:
    """A bit generator that hands out stated words."""

    def __init__(self, words: np.ndarray) -> None:
        self.words = words

    def random_raw(self, size: int) -> np.ndarray:
        return self.words[:size].copy()


def extreme(kind: str, dtype: np.dtype) -> np.ndarray:
    """What the smallest and the largest words become."""
    words = np.array({"least": [0, 0], "most": [2**64 - 1, 2**64 - 1]}[kind], dtype=np.uint64)
    first, second, scratch = np.empty((3, 2), dtype)
    source = type("Source", (), {"bit_generator": Words(words)})
    (randomness._fill32 if dtype == F32 else randomness._fill64)(source, first, second, scratch)
    return np.hypot(first.astype(float), second.astype(float))


@pytest.mark.parametrize(("dtype", "longest", "shortest"), [(F32, 6.6604, 3.45e-4), (F64, 8.5716, 1.49e-8)])
def test_radii_end_where_it_is_said(dtype, longest, shortest):
    np.testing.assert_allclose(extreme("least", dtype), longest, rtol=1e-4)
    np.testing.assert_allclose(extreme("most", dtype), shortest, rtol=0.01)


def pvalues(x: np.ndarray) -> dict[str, float]:
    """Tests of one sample: its law, both halves of its tails, its first moments, its pairs and its neighbours."""
    flat = x.ravel().astype(np.float64)
    n = len(flat)
    half = n // 2
    counts = np.histogram(special.ndtr(flat), bins=1000, range=(0, 1))[0]
    found = {
        "ks": stats.kstest(flat, "norm").pvalue,
        "bins": stats.chisquare(counts).pvalue,
        "mean": 2 * special.ndtr(-abs(flat.mean()) * math.sqrt(n)),
        "square": 2 * special.ndtr(-abs((flat**2).mean() - 1) * math.sqrt(n / 2)),
        "fourth": 2 * special.ndtr(-abs((flat**4).mean() - 3) * math.sqrt(n / 96)),
        "zeros": 1.0 if (flat == 0).sum() < 10 else 0.0,
    }
    for cut in (3.0, 4.0):
        share = 2 * special.ndtr(-cut)
        found[f"beyond {cut}"] = stats.binomtest(int((np.abs(flat) > cut).sum()), n, share).pvalue
    # Pairs share a radius and an angle, and stand half a block apart; neighbours share nothing.
    pairs = randomness._PAIRS
    for lag in (1, 2, pairs, 2 * pairs):
        one, other = flat[:-lag], flat[lag:]
        for name, f in (("values", lambda v: v), ("squares", lambda v: (v**2 - 1) / math.sqrt(2))):
            found[f"{name} at lag {lag}"] = 2 * special.ndtr(-abs((f(one) * f(other)).mean()) * math.sqrt(n - lag))
    found["halves"] = ks_pvalue(flat[:half], flat[half:])
    return found


@pytest.mark.false_alarm(2e-8)
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("name", SOURCES)
def test_normals_are_normal(name, dtype, rng):
    """Seventeen tests of 2^20 draws, Bonferroni at 1e-8; fourth powers are skewed: false alarm 2e-8 a case."""
    found = pvalues(SOURCES[name](sfc(rng), (SIZE,), dtype))
    assert min(found.values()) > FALSE_ALARM / len(found), found


def twelve_uniforms(rng):
    return rng.random((12, SIZE), dtype=np.float32).sum(axis=0) - 6


def scaled(rng):
    return box_muller(rng, (SIZE,), F32) * np.float32(1.01)


def repeated(rng):
    half = box_muller(rng, (SIZE // 2,), F32).reshape(-1, randomness._PAIRS)
    return np.repeat(half, 2, axis=0)


def common_radius(rng):
    """Pairs that share a radius but not as sine and cosine: their squares are correlated."""
    radius, angle = np.sqrt(-2 * np.log(rng.random(SIZE // 2))), 2 * np.pi * rng.random((2, SIZE // 2))
    both = np.stack([radius * np.cos(angle[0]), radius * np.cos(angle[1])])
    return both.reshape(2, -1, randomness._PAIRS).swapaxes(0, 1)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("wrong", [twelve_uniforms, scaled, repeated, common_radius])
def test_wrong_normals_are_found(wrong, rng):
    """Negative controls, decided by tens of standard errors."""
    found = pvalues(wrong(sfc(rng)))
    assert min(found.values()) < FALSE_ALARM / len(found)


@pytest.mark.false_alarm(2e-8)
@pytest.mark.montecarlo
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_a_thousand_million_draws_have_the_normal_law(dtype, fresh_seed):
    """10^9 float32 draws (10^8 in float64): 4,096 equal bins, tails to 6, three moments. False alarm 2e-8 a case."""
    rng = np.random.Generator(np.random.SFC64(fresh_seed))
    rounds, size = (250 if dtype == F32 else 25), 4_000_000
    edges = np.concatenate([[-np.inf], special.ndtri(np.arange(1, 4096) / 4096), [np.inf]])
    cuts = np.array([4.0, 4.5, 5.0, 5.5, 6.0])
    counts, beyond, sums = np.zeros(4096), np.zeros((2, 5)), np.zeros(4)
    for _ in range(rounds):
        x = box_muller(rng, (size,), dtype)
        counts += _binned(x, edges)
        far = x[np.abs(x) > 4]
        beyond += [[(side * far > cut).sum() for cut in cuts] for side in (1, -1)]
        sums += [np.sum(x**power, dtype=np.float64) for power in (1, 2, 3, 4)]
    n = rounds * size
    moments = sums / n
    spread = np.sqrt(np.array([1.0, 2.0, 15.0, 96.0]) / n)
    found = {"bins": stats.chisquare(counts, np.full(4096, n / 4096)).pvalue}
    found |= {f"moment {k + 1}": 2 * special.ndtr(-abs(moments[k] - (0, 1, 0, 3)[k]) / spread[k]) for k in range(4)}
    for side, row in zip(("above", "below"), beyond, strict=True):
        for cut, count in zip(cuts, row, strict=True):
            found[f"{side} {cut}"] = stats.binomtest(int(count), n, special.ndtr(-cut)).pvalue
    assert min(found.values()) > FALSE_ALARM / len(found), found


def _binned(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Counts between edges; a sorted sample finds them by bisection of the few edges instead of the many draws."""
    return np.diff(np.searchsorted(np.sort(x), edges[1:-1].astype(x.dtype)), prepend=0, append=len(x))


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2**15,), (2**15 + 1,), (7, 3, 2**12), (0,), (4, 0)])
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_any_shape_is_filled(shape, dtype, rng):
    drawn = box_muller(sfc(rng), shape, dtype)
    assert (drawn.shape, drawn.dtype) == (shape, dtype)
    assert np.isfinite(drawn).all()


@pytest.mark.false_alarm(0)
def test_the_same_bits_give_the_same_normals():
    first, second = (box_muller(np.random.Generator(np.random.SFC64(5)), (100_001,), F32) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.PCG64DXSM, np.random.Philox])
def test_other_generators_of_64_bit_words_will_do(bits):
    x = box_muller(np.random.Generator(bits(7)), (1000,), F32)
    assert 0.5 < x.std() < 1.5


@pytest.mark.false_alarm(0)
def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(TypeError, match="64-bit words such as SFC64, got MT19937"):
        box_muller(np.random.Generator(np.random.MT19937(1)), (3,), F32)
    with pytest.raises(TypeError, match="float32 or float64, got float16"):
        box_muller(np.random.Generator(np.random.SFC64(1)), (3,), np.dtype(np.float16))
    with pytest.raises(ValueError, match="normals must be 'auto'"):
        choose_normals("polar", "float32")
