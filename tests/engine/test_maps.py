"""Matrix-free maps have the law of the matrices that they leave undrawn."""

import numpy as np
import pytest

from tests.two_samples import ks_pvalue
from varprop.engine.maps import DenseMap, GaussianMap, _inverse_and_root
from varprop.engine.signal import Streams, gram, row_dot
from varprop.model.initializers import get_initializer

NETWORKS = 20_000
FALSE_ALARM = 1e-8  # of one whole comparison, all statistics together


def inputs(case: str, n: int) -> np.ndarray:
    """Rows of one layer's inputs for each of the special cases."""
    base = np.random.default_rng(3).standard_normal((3, n))
    return {
        "one": base[:1],
        "three": base,
        "dead": np.zeros((1, n)),
        "one of three dead": base * np.array([[1.0], [0.0], [1.0]]),
        "collinear": np.stack([base[0], -2.0 * base[0], base[1]]),
        "more than fan_in": np.random.default_rng(4).standard_normal((n + 2, n)),
    }[case]


def through(linear, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One pass forward and back; the gradient depends on W through u alone, as in a network."""
    rows = np.broadcast_to(a, (NETWORKS, *a.shape))
    u = linear.apply(rows, row_dot(rows, rows))
    delta = np.tanh(u) + 0.5
    return u, linear.adjoint(delta, row_dot(delta, delta))


def statistics(u: np.ndarray, h: np.ndarray, a: np.ndarray) -> dict[str, np.ndarray]:
    """Joint statistics of what went forward and what came back, one number per network."""
    first, last = u[:, 0], u[:, -1]
    back, back_last = h[:, 0], h[:, -1]
    return {
        "u": first[:, 0],
        "u norm": (first**2).sum(-1),
        "u max": first.max(-1),
        "u product": (first * last).sum(-1),
        "u cubed": (first**3).sum(-1),
        "h": back[:, 0],
        "h norm": (back**2).sum(-1),
        "h max": back.max(-1),
        "h product": (back * back_last).sum(-1),
        "h last": back_last[:, -1],
        "h along a": (back * a[0]).sum(-1),
        "h across a": (back_last * a[0]).sum(-1),
        "u and h": first[:, 0] * back[:, 0],
        "norms": (first**2).sum(-1) * (back**2).sum(-1),
        "ratio": (back**2).sum(-1) / (1.0 + (first**2).sum(-1)),
        "signs": np.sign(first).sum(-1) * back.sum(-1),
        "u last": last[:, -1],
        "u sum": last.sum(-1),
        "h min": back_last.min(-1),
        "h sum": back.sum(-1),
        "h neighbours": back[:, 0] * back_last[:, 1],
        "h fourth": (back_last**4).sum(-1),
        "u and h, last": last[:, -1] * back_last[:, -1],
        "h on the active": (back * (a[-1] > 0)).sum(-1),
    }


def smallest_pvalue(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    """Bonferroni over two-sample tests; constants, as in a dead layer, have to be the same constant."""
    pvalues = []
    for name, x in one.items():
        y = other[name]
        if np.ptp(x) < 1e-9 and np.ptp(y) < 1e-9:
            assert abs(x[0] - y[0]) < 1e-9, name
        else:
            # Rounding splits ties that are exact in law (collinear inputs), so both samples are rounded alike.
            pvalues.append(ks_pvalue(x.round(9), y.round(9)))
    return min(1.0, len(pvalues) * min(pvalues, default=1.0))


def pair(case: str, fans: tuple[int, int], rng: np.random.Generator, *, dense_std: float) -> float:
    a = inputs(case, fans[0])
    law = get_initializer("normal", std=dense_std)
    dense = statistics(*through(DenseMap(law, fans, Streams(rng, dense=True)), a), a)
    free = statistics(*through(GaussianMap(0.4, fans, Streams(rng, dense=True)), a), a)
    if a.any():  # what goes into a dead layer comes out as 0, in both
        assert len({tuple(values[:9].round(9)) for values in free.values() if np.ptp(values) > 0}) >= 15
    return smallest_pvalue(free, dense)


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("fans", [(6, 6), (4, 9), (9, 4)], ids=["square", "tall", "wide"])
@pytest.mark.parametrize("case", ["one", "three", "dead", "one of three dead", "collinear", "more than fan_in"])
def test_gaussian_map_has_the_law_of_the_dense_definition(case, fans, rng):
    """24 joint statistics of both directions, 15 of them distinct at least. False alarm 1e-8 a case."""
    assert pair(case, fans, rng, dense_std=0.4) > FALSE_ALARM


@pytest.mark.false_alarm(0)
def test_a_standard_deviation_that_is_5_percent_off_is_seen(rng):
    """Negative control: the same comparison rejects sigma_w * 1.05."""
    assert pair("three", (6, 6), rng, dense_std=0.42) < FALSE_ALARM


@pytest.mark.false_alarm(0)
def test_forgetting_what_the_forward_pass_told_about_w_is_seen(rng):
    """Negative control: a fresh matrix for the way back has the right marginals and the wrong joint law."""
    a, fans = inputs("three", 6), (6, 6)
    law = get_initializer("normal", std=0.4)
    u, _ = through(DenseMap(law, fans, Streams(rng, dense=True)), a)
    fresh = DenseMap(law, fans, Streams(rng, dense=True))
    rows = np.broadcast_to(a, (NETWORKS, *a.shape))
    fresh.apply(rows, row_dot(rows, rows))
    delta = np.tanh(u) + 0.5
    h = fresh.adjoint(delta, row_dot(delta, delta))
    free = statistics(*through(GaussianMap(0.4, fans, Streams(rng, dense=True)), a), a)
    assert smallest_pvalue(free, statistics(u, h, a)) < FALSE_ALARM


@pytest.mark.false_alarm(0)
def test_dead_inputs_give_exactly_nothing_and_collinear_ones_stay_collinear(rng):
    a = np.stack([np.zeros(8), np.arange(8.0), 3.0 * np.arange(8.0)]).astype(np.float32)
    rows = np.broadcast_to(a, (50, 3, 8))
    u = GaussianMap(1.0, (8, 5), Streams(rng, dense=False)).apply(rows, row_dot(rows, rows))
    assert not u[:, 0].any()
    np.testing.assert_allclose(u[:, 2], 3.0 * u[:, 1], rtol=1e-5)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [0, 1, 3, 5])
def test_root_and_inverse_of_a_semidefinite_gram_matrix(rank, dtype, rng):
    """C C^T = K, and a^T K^+ a projects on the span of the rows: idempotent, with trace equal to the rank."""
    a = (rng.standard_normal((20, 5, rank)) @ rng.standard_normal((20, rank, 12))).astype(dtype)
    k = gram(a)
    inverse, root = _inverse_and_root(k, np.dtype(dtype))
    scale = np.abs(k).max() + 1.0
    np.testing.assert_allclose(root @ np.swapaxes(root, 1, 2), k, atol=1e-5 * scale)
    projector = np.swapaxes(a, 1, 2) @ inverse @ a
    np.testing.assert_allclose(np.trace(projector, axis1=1, axis2=2), rank, atol=1e-3)
    np.testing.assert_allclose(projector @ projector, projector, atol=1e-3)
