"""HaarMap has the law of the orthogonal matrices that it leaves undrawn."""

import numpy as np
import pytest

import varprop as vp
from tests.two_samples import ks_pvalue
from varprop.engine.maps import DenseMap, GaussianMap, HaarMap
from varprop.engine.rules import is_undrawn, linear_map
from varprop.engine.signal import Streams, row_dot
from varprop.model.initializers import get_initializer
from varprop.model.layers import Dense

NETWORKS = 20_000
FOR_CONTROLS = 80_000  # with which every error below is ten standard errors and more beyond what is allowed
FALSE_ALARM = 1e-8  # of one whole comparison, all statistics together
GAIN = 1.3
FANS = {
    "square": (6, 6),
    "tall": (4, 9),
    "wide": (9, 4),
    "nearly square": (5, 6),
    "nearly square, wide": (6, 5),
    "one by one": (1, 1),
    "from one": (1, 4),
    "to one": (4, 1),
    "two to one": (2, 1),
    "one to two": (1, 2),
    "two by two": (2, 2),
}


def streams(rng):
    return Streams(np.random.Generator(np.random.SFC64(rng.integers(2**63))), dense=True)


def signals(case: str, fan_in: int, networks: int) -> np.ndarray:
    """(networks, 1, fan_in): what the layer receives, in each network the same unless the case says otherwise."""
    a = np.random.default_rng(3).standard_normal(fan_in)
    rows = np.broadcast_to(a, (networks, 1, fan_in)).copy()
    if case == "dead":
        rows[:] = 0.0
    elif case == "some dead":
        rows[::3] = 0.0
    return rows


def through(linear, a: np.ndarray, *, parallel: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One pass forward and back; the gradient depends on W through u alone, as in a network."""
    u = linear.apply(a, row_dot(a, a))
    delta = 2.0 * u if parallel else np.tanh(u) + 0.5 * np.cos(np.arange(u.shape[-1]))
    h = linear.adjoint(delta, row_dot(delta, delta))
    return u[:, 0], delta[:, 0], h[:, 0]


def statistics(u: np.ndarray, delta: np.ndarray, h: np.ndarray, a: np.ndarray) -> dict[str, np.ndarray]:
    """Joint statistics of what went forward and what came back, one number per network."""
    a = a[:, 0]
    return {
        "u first": u[:, 0],
        "u last": u[:, -1],
        "u norm": (u**2).sum(-1),
        "u max": u.max(-1),
        "u sum": u.sum(-1),
        "u product": u[:, 0] * u[:, -1],
        "delta norm": (delta**2).sum(-1),
        "delta along u": (delta * u).sum(-1),
        "h first": h[:, 0],
        "h last": h[:, -1],
        "h norm": (h**2).sum(-1),
        "h max": h.max(-1),
        "h min": h.min(-1),
        "h sum": h.sum(-1),
        "h product": h[:, 0] * h[:, -1],
        "h along a": (h * a).sum(-1),
        "h and a, active": (h * (a > 0)).sum(-1),
        "u and h": u[:, 0] * h[:, 0],
        "sums": u.sum(-1) * h.sum(-1),
        "norms": (u**2).sum(-1) * (h**2).sum(-1),
        "h norm over delta norm": (h**2).sum(-1) / (1e-9 + (delta**2).sum(-1)),
        "h norm given u": (h**2).sum(-1) * np.sign(u[:, 0]),
    }


def smallest_pvalue(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    """Bonferroni over two-sample Kolmogorov-Smirnov tests; constants have to be the same constant."""
    pvalues = []
    for name, x in one.items():
        y = other[name]
        if np.ptp(x) < 1e-9 and np.ptp(y) < 1e-9:
            assert abs(x[0] - y[0]) < 1e-9, name
        else:
            # What is constant or two-valued in law has values that differ by rounding: both samples are rounded alike.
            pvalues.append(ks_pvalue(x.round(7), y.round(7)))
    return min(1.0, len(pvalues) * min(pvalues, default=1.0))


def dense(fans, rng, gain: float = GAIN) -> DenseMap:
    return DenseMap(get_initializer("orthogonal", gain=gain), fans, streams(rng))


def compared(linear, fans, rng, *, case: str = "live", parallel: bool = False, networks: int = NETWORKS) -> float:
    """P-value of a map against the dense definition."""
    a = signals(case, fans[0], networks)
    free = statistics(*through(linear, a, parallel=parallel), a)
    drawn = statistics(*through(dense(fans, rng), a, parallel=parallel), a)
    assert len(free) >= 15
    assert all(np.isfinite(x).all() for x in free.values())
    return smallest_pvalue(free, drawn)


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("case", ["live", "dead", "some dead"])
@pytest.mark.parametrize("fans", FANS.values(), ids=FANS)
def test_haar_map_has_the_law_of_the_dense_definition(fans, case, rng):
    """22 joint statistics of both directions, 20,000 networks. False alarm 1e-8 a case."""
    assert compared(HaarMap(GAIN, fans, streams(rng)), fans, rng, case=case) > FALSE_ALARM


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("fans", FANS.values(), ids=FANS)
def test_a_gradient_parallel_to_the_output(fans, rng):
    """Likewise where nothing of delta is across u. False alarm 1e-8 a case."""
    assert compared(HaarMap(GAIN, fans, streams(rng)), fans, rng, parallel=True) > FALSE_ALARM


class TwoVectors(HaarMap):
    """The way back as two directions, h and g, drawn one by one, in place of their sum's one direction."""

    orthogonal = True  # g to h

    def adjoint(self, delta, squares):  # noqa: ARG002  the protocol has it
        fan_in, fan_out = self._fans
        e = (self._a / np.sqrt(self._squares)[..., None])[:, 0]
        d = (row_dot(delta, self._u) / self._length)[:, 0]
        v = self._u[:, 0] / self._length
        across = np.linalg.norm(delta[:, 0] - d[:, None] * v, axis=-1)
        h = self.unit([e])
        if fan_out < fan_in:
            t = self._share[:, 0]
            g = self.unit([e, h] if self.orthogonal else [e])
            back = (d * np.sqrt(t))[:, None] * e + (d * np.sqrt(1 - t))[:, None] * h + across[:, None] * g
        else:
            m = self._streams.rng.beta((fan_in - 1) / 2, (fan_out - fan_in) / 2, len(e)) if fan_out > fan_in else 1.0
            back = d[:, None] * e + (across * np.sqrt(m))[:, None] * h
        return self._gain * back[:, None]

    def unit(self, orthonormal):
        """Uniform unit vectors orthogonal to these."""
        x = self._streams.rng.standard_normal(orthonormal[0].shape)
        for other in orthonormal:
            x -= (x * other).sum(-1, keepdims=True) * other
        return x / np.linalg.norm(x, axis=-1, keepdims=True)


class NotOrthogonal(TwoVectors):
    """An error to be found: g may lean towards h."""

    orthogonal = False


class WrongBeta(HaarMap):
    """An error to be found: one degree of freedom too many in the share that stays in the corner."""

    def _chi_square(self, degrees, shape):
        return super()._chi_square(degrees + 1 if degrees > 0 else degrees, shape)


class WrongBetaBack(HaarMap):
    """An error to be found: the share on the way back as if W were still unknown along e, n of m and not n - 1 of m - 1."""

    def adjoint(self, delta, squares):
        free, self._squares = self._squares, np.zeros_like(self._squares)
        back = super().adjoint(delta - (row_dot(delta, self._u) / self._length**2)[..., None] * self._u, squares)
        along = row_dot(delta, self._u) / self._length
        e = self._a / np.sqrt(free)[..., None]
        back -= (back * e).sum(-1, keepdims=True) * e
        return back + self._gain * along[..., None] * e


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("fans", [(6, 6), (4, 9), (9, 4)], ids=["square", "tall", "wide"])
def test_two_directions_drawn_one_by_one_are_another_road_to_the_same_law(fans, rng):
    """The textbook form, h and g apart, and Beta variables as such. False alarm 1e-8 a case."""
    assert compared(TwoVectors(GAIN, fans, streams(rng)), fans, rng) > FALSE_ALARM


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("wrong", "fans"),
    [
        (NotOrthogonal, (9, 4)),
        (WrongBeta, (9, 4)),
        (WrongBeta, (4, 9)),
        (WrongBetaBack, (4, 9)),
        (WrongBetaBack, (4, 6)),
    ],
)
def test_errors_in_the_law_are_seen(wrong, fans, rng):
    """Negative controls of the same comparison."""
    assert compared(wrong(GAIN, fans, streams(rng)), fans, rng, networks=FOR_CONTROLS) < FALSE_ALARM


@pytest.mark.false_alarm(0)
def test_gaussian_weights_of_the_same_variance_are_seen(rng):
    """Negative control: what is compared tells orthogonal weights from independent ones."""
    assert compared(GaussianMap(GAIN / 3, (9, 4), streams(rng)), (9, 4), rng, networks=FOR_CONTROLS) < FALSE_ALARM


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(("dtype", "rel"), [(np.float32, 2e-6), (np.float64, 1e-13)])
@pytest.mark.parametrize("fans", [*FANS.values(), (700, 700), (300, 800), (800, 300), (3000, 1)])
def test_identities_of_every_single_draw(fans, dtype, rel, rng):
    """W^T delta . a = delta . W a; lengths stay forward unless the layer narrows, and backward unless it widens."""
    fan_in, fan_out = fans
    linear = HaarMap(GAIN, fans, streams(rng))
    a = rng.standard_normal((50, 1, fan_in)).astype(dtype)
    u = linear.apply(a, row_dot(a, a))
    delta = (rng.standard_normal(u.shape) + u).astype(dtype)
    h = linear.adjoint(delta, row_dot(delta, delta))
    assert u.dtype == h.dtype == dtype
    size = np.sqrt(row_dot(a, a) * row_dot(delta, delta))
    np.testing.assert_allclose(row_dot(h, a) / size, row_dot(delta, u) / size, rtol=0, atol=rel)
    forward = np.sqrt(row_dot(u, u) / row_dot(a, a)) / GAIN
    back = np.sqrt(row_dot(h, h) / row_dot(delta, delta)) / GAIN
    if fan_out >= fan_in:
        np.testing.assert_allclose(forward, 1.0, rtol=rel)
    if fan_out <= fan_in:
        np.testing.assert_allclose(back, 1.0, rtol=rel)
    assert forward.max() <= 1 + rel
    assert back.max() <= 1 + rel


@pytest.mark.false_alarm(0)
def test_a_layer_of_one_unit_is_a_sign(rng):
    linear = HaarMap(GAIN, (1, 1), streams(rng))
    a = np.full((1000, 1, 1), 2.0, np.float32)
    u = linear.apply(a, row_dot(a, a))
    h = linear.adjoint(np.ones_like(u), np.ones((1000, 1)))
    np.testing.assert_allclose(np.abs(u), 2 * GAIN, rtol=1e-6)
    np.testing.assert_allclose(h, u / 2, rtol=1e-6)
    assert 300 < (u > 0).sum() < 700


@pytest.mark.false_alarm(0)
def test_a_gain_of_zero_gives_exactly_nothing(rng):
    linear = HaarMap(0.0, (5, 3), streams(rng))
    a = rng.standard_normal((10, 1, 5))
    u = linear.apply(a, row_dot(a, a))
    delta = np.ones_like(u)
    assert not u.any()
    assert not linear.adjoint(delta, row_dot(delta, delta)).any()


class Zeros(Streams):
    """A source whose first vectors are 0, as one number in ten million is in single precision."""

    __slots__ = ("asked",)

    def standard_normal(self, shape, dtype):
        drawn = super().standard_normal(shape, dtype)
        if not hasattr(self, "asked"):
            object.__setattr__(self, "asked", True)
            drawn[::2] = 0.0
        return drawn


@pytest.mark.false_alarm(0)
def test_a_normal_vector_of_zero_is_drawn_again():
    linear = HaarMap(1.0, (1, 1), Zeros(np.random.Generator(np.random.SFC64(5)), dense=False))
    a = np.ones((100, 1, 1), np.float32)
    np.testing.assert_allclose(np.abs(linear.apply(a, row_dot(a, a))), 1.0, rtol=1e-6)


@pytest.mark.false_alarm(0)
def test_one_input_is_left_undrawn_and_several_are_not():
    layer = Dense(5, weights="orthogonal")
    source = Streams(np.random.Generator(np.random.SFC64(5)), dense=False)
    assert isinstance(linear_map(layer, (4, 5), 1, source), HaarMap)
    assert isinstance(linear_map(layer, (4, 5), 2, source), DenseMap)
    assert isinstance(linear_map(Dense(5, weights="he_normal"), (4, 5), 2, source), GaussianMap)
    assert not is_undrawn(get_initializer("rademacher", std=1.0), 1)


# ---- whole networks ----------------------------------------------------------------------------------------------

WIDTHS = {"several widths": [7, 5, 9, 9, 4, 6], "down to one unit": [3, 4, 1, 3, 2, 2]}


def sample(widths, activation, seed, *, method, gain=1.4, inputs=None, biases="zeros", networks=NETWORKS):
    net = vp.mlp(widths, activation=activation, weights={"name": "orthogonal", "gain": gain}, biases=biases)
    return vp.simulate(net, n_networks=networks, rng=seed, inputs=inputs, method=method, executor="serial")


def joint_statistics(sim) -> dict[str, np.ndarray]:
    """Every recorded number, and products that tie the first layer to the last and forward to backward."""
    found = {}
    for quantity in sim.quantities:
        for i, (layer, _) in enumerate(sim.places(quantity)):
            found[f"{quantity} {layer}"] = sim.values(quantity)[:, i]
    forward, back = sim.values("preactivation_second_moment"), sim.values("gradient_second_moment")
    found["first and last"] = forward[:, 1] * forward[:, -1]
    found["forward and backward"] = forward[:, -1] * back[:, 0]
    found["both ends of the gradient"] = back[:, 0] * back[:, -1]
    found["weights' gradients"] = sim.values("weight_gradient_second_moment").prod(axis=1)
    found["means"] = sim.values("preactivation_mean")[:, -1] * sim.values("gradient_mean")[:, 0]
    return found


def network_pvalue(one, other) -> tuple[float, int]:
    """As above, NaN (no value in a dead network) as a value of its own; rounded to what float32 holds."""
    pvalues, theirs = [], joint_statistics(other)
    for name, x in joint_statistics(one).items():
        y = theirs[name]
        scale = max(np.nanmax(np.abs(x)), 1e-30)
        a, b = (np.nan_to_num(np.round(values / scale, 5), nan=-9.0) for values in (x, y))
        if np.ptp(a) > 2e-5 or np.ptp(b) > 2e-5:
            pvalues.append(ks_pvalue(a, b))
        elif abs(a[0] - b[0]) > 2e-5:
            return 0.0, len(pvalues)  # two constants that differ
    return min(1.0, len(pvalues) * min(pvalues)), len(pvalues)


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("widths", WIDTHS.values(), ids=WIDTHS)
def test_networks_have_the_law_of_those_with_matrices(widths, activation):
    """All recorded quantities and products over layers, 20,000 networks. False alarm 1e-8 a case."""
    free = sample(widths, activation, 61, method="auto")
    drawn = sample(widths, activation, 62, method="dense")
    assert (free.method, drawn.method) == ("matrix-free", "dense")
    pvalue, comparisons = network_pvalue(free, drawn)
    assert comparisons >= 30
    assert pvalue > FALSE_ALARM


@pytest.mark.false_alarm(0)
def test_a_wrong_beta_variable_is_seen_through_networks(monkeypatch):
    """Negative control of the comparison of networks: every length's mean changes by a few per cent."""
    drawn = sample(WIDTHS["several widths"], "tanh", 64, method="dense")
    right = HaarMap._chi_square
    monkeypatch.setattr(HaarMap, "_chi_square", lambda self, m, shape: right(self, m + 1 if m > 0 else m, shape))
    free = sample(WIDTHS["several widths"], "tanh", 63, method="auto")
    assert network_pvalue(free, drawn)[0] < FALSE_ALARM


@pytest.mark.false_alarm(0)
def test_gradients_that_forget_the_forward_pass_are_seen(monkeypatch):
    """Negative control: a fresh matrix for the way back has the right marginals and the wrong joint law."""

    def forgetful(self, delta, squares):
        self._u, self._length = np.zeros_like(self._u), np.zeros_like(self._length)
        self._squares = np.zeros_like(self._squares)
        return whole(self, delta, squares)

    whole = HaarMap.adjoint
    drawn = sample(WIDTHS["several widths"], "tanh", 65, method="dense", networks=FOR_CONTROLS)
    monkeypatch.setattr(HaarMap, "adjoint", forgetful)
    free = sample(WIDTHS["several widths"], "tanh", 66, method="auto", networks=FOR_CONTROLS)
    assert network_pvalue(free, drawn)[0] < FALSE_ALARM


@pytest.mark.false_alarm(0)
def test_linear_networks_of_one_width_keep_every_length():
    """A square orthogonal network without activations is one rotation: each layer's signal and gradient keep theirs."""
    sim = sample([64] * 12, "linear", 67, method="auto", gain=1.0)
    np.testing.assert_allclose(sim.values("preactivation_second_moment"), 1.0, rtol=1e-5)
    back = sim.values("gradient_second_moment")
    np.testing.assert_allclose(back, np.broadcast_to(back[:, -1:], back.shape), rtol=1e-5)


@pytest.mark.false_alarm(0)
def test_several_inputs_take_the_definition():
    x = np.random.default_rng(9).standard_normal((2, 4))
    sim = sample([4, 3, 4], "relu", 68, method="auto", inputs=x)
    assert sim.method == "dense"
    # Mixed with a layer that can be left undrawn, the sample is matrix-free in part.
    net = vp.Network(4, [Dense(3, weights="orthogonal"), vp.get_activation("relu"), Dense(2, weights="he_normal")])
    assert vp.simulate(net, n_networks=4, rng=1, inputs=x, executor="serial").method == "matrix-free"


def test_a_plan_counts_what_is_drawn():
    from varprop.engine.plan import make_plan

    net = vp.mlp([50, 40, 30], activation="relu", weights="orthogonal")
    gaussian = vp.mlp([50, 40, 30], activation="relu", weights="he_normal")
    one, several, full = (
        make_plan(net, n_networks=10, rng=1, **kwargs) for kwargs in ({}, {"inputs": 2}, {"method": "dense"})
    )
    assert (one.method, several.method, full.method) == ("matrix-free", "dense", "dense")
    assert one.draws == make_plan(gaussian, n_networks=10, rng=1).draws
    assert full.draws - one.draws == 10 * (50 * 40 + 40 * 30)


@pytest.mark.false_alarm(1e-8)
def test_biases_beside_orthogonal_weights():
    """Biases are added, not rotated: 20,000 networks against the definition. False alarm 1e-8."""
    biases = {"name": "normal", "std": 0.5}
    free = sample([5, 6, 4], "relu", 69, method="auto", biases=biases)
    drawn = sample([5, 6, 4], "relu", 70, method="dense", biases=biases)
    assert network_pvalue(free, drawn)[0] > FALSE_ALARM
