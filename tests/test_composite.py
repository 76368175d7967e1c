"""A layer that holds others, made outside of varprop of a class and two rules: everything that reads networks takes it or refuses it."""

import dataclasses
import pickle

import numpy as np
import pytest

import varprop as vp
from varprop.engine.propagate import segments
from varprop.engine.rules import Passage, Probe, forward
from varprop.engine.signal import Signal, Streams
from varprop.model.layers import Dense, Layer, shape_after
from varprop.model.network import read_steps
from varprop.model.sites import leaves_of
from varprop.theory.state import GradientState, advance
from varprop.theory.steps import expected_steps
from varprop.verification.columns import step_ratios

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


# ---- the layer: one class, one rule of the engine, one rule of theory ------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Residual(Layer):
    """y = skip S(x) + scale B(x)."""

    branch: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()
    scale: float = 1.0
    skip: float = 1.0

    @property
    def label(self):
        return f"residual(scale={self.scale:g}, skip={self.skip:g})"

    @property
    def parts(self):
        return {"branch": self.branch, "shortcut": self.shortcut}

    def output_shape(self, input_shape):
        branch, shortcut = (shape_after(part, input_shape) for part in self.parts.values())
        if branch != shortcut:
            msg = f"a residual adds what has one shape, got {branch} and {shortcut}"
            raise ValueError(msg)
        return branch

    def describe(self):
        parts = {name: [layer.describe() for layer in part] for name, part in self.parts.items()}
        return {"residual": parts | {"scale": self.scale, "skip": self.skip}}


@forward.register(Residual)
def _engine(layer, x, site, passage):
    inside, back_inside = passage.through(site["branch"], x)
    past, back_past = passage.through(site["shortcut"], x)
    y = Signal(layer.skip * past.true_values("a residual") + layer.scale * inside.true_values("a residual"))

    def backward(delta, *, onward=True):
        d = delta.true_values("a residual")
        ways = back_inside(Signal(layer.scale * d), onward=onward), back_past(Signal(layer.skip * d), onward=onward)
        return Signal(ways[0].true_values("a residual") + ways[1].true_values("a residual")) if onward else delta

    return y, backward


@advance.register(Residual)
def _theory(layer, state, site, walk):
    """Squares add: the branch ends in fresh weights of mean 0, so that the product of both has mean 0."""
    inside, past = walk.through(site["branch"], state), walk.through(site["shortcut"], state)
    carried = layer.skip**2 * past.carried + layer.scale**2 * inside.carried

    def backward(gradient):
        one = inside.backward(GradientState(layer.scale**2 * gradient.square, gradient.exact))
        other = past.backward(GradientState(layer.skip**2 * gradient.square, gradient.exact))
        return GradientState(one.square + other.square, one.exact and other.exact)

    exact = inside.exact and past.exact
    return dataclasses.replace(inside, carried=carried, q=carried, backward=backward, exact=exact, shared=None)


# ---- networks ------------------------------------------------------------------------------------------------------


def dense(units, weights="he_normal", biases="zeros"):
    return Dense(units, weights=weights, biases=biases)


def relu_net(scale=0.5, skip=1.0, width=32):
    block = Residual((dense(width), vp.get_activation("relu"), dense(width, "lecun_normal")), scale=scale, skip=skip)
    return vp.Network(width, [dense(width, "lecun_normal"), block, block, dense(width, "lecun_normal")])


TANH = vp.get_activation("tanh")
SMALL = {"name": "normal", "std": 0.3}
MIXED = vp.Network(
    6,
    [
        dense(9, biases=SMALL),
        TANH,
        Residual((dense(7), TANH, dense(9, biases=SMALL)), scale=0.7, skip=0.9),
        Residual((dense(5), TANH), (dense(5, "lecun_normal"),), scale=1.3),
        dense(4),
        "tanh",
    ],
)


def test_a_tree_says_where_everything_stands():
    assert [site.place for site in leaves_of(MIXED.sites)] == [
        (1, "0"), (1, "1"), (2, "2.branch.0"), (2, "2.branch.1"), (3, "2.branch.2"), (4, "3.branch.0"), (4, "3.branch.1"),
        (5, "3.shortcut.0"), (6, "4"), (6, "5"),
    ]  # fmt: skip
    assert (MIXED.depth, MIXED.widths, MIXED.is_chain) == (6, (6, 9, 7, 9, 5, 5, 4), False)
    fed = {step.site.module: [source.module for source in step.sources] for step in MIXED.steps}
    assert fed == {
        "0": [],
        "2.branch.0": ["0"],
        "2.branch.2": ["2.branch.0"],
        "3.branch.0": ["2.branch.2", "0"],
        "3.shortcut.0": ["2.branch.2", "0"],
        "4": ["3.branch.0", "3.shortcut.0"],
    }
    assert [step.activation_site is not None for step in MIXED.steps] == [True, True, False, True, False, True]
    assert [step.fan_in for step in read_steps(MIXED, "here")] == [6, 9, 7, 9, 9, 5]


def test_its_identity_is_the_trees():
    net = relu_net()
    assert net.label == "relu, lecun_normal/he_normal, 32x6, 2 x residual(scale=0.5, skip=1)"
    assert net == relu_net() != relu_net(scale=0.6)
    assert net.describe() != relu_net(scale=0.6).describe()
    assert (
        net.describe()["layers"][1]["residual"]["branch"][1] == TANH.describe() | vp.get_activation("relu").describe()
    )
    assert "residual(scale=0.5, skip=1)" in net._repr_html_()
    assert pickle.loads(pickle.dumps(dataclasses.replace(MIXED.steps[0].site))).place == (1, "0")
    with pytest.raises(ValueError, match="one shape"):
        vp.Network(4, [Residual((dense(5),))])


# ---- engine --------------------------------------------------------------------------------------------------------


def defined(x, rng):
    """MIXED written out: by module what is measured there, and by module of a layer with weights the gradient at its output."""

    def drawn(layer, inputs):
        fans = {"fan_in": inputs, "fan_out": layer.units}
        w = rng.standard_normal((1, layer.units, inputs))[0] * np.sqrt(layer.weights.variance(**fans))
        if layer.biases.name == "zeros":
            return w, 0.0
        return w, layer.biases.sample((1, layer.units), **fans, rng=rng, dtype=np.float64)[0]

    first, _, block, other, last, _ = MIXED.layers
    w0, b0 = drawn(first, 6)
    z0 = x @ w0.T + b0
    a0 = np.tanh(z0)
    w1, _ = drawn(block.branch[0], 9)
    z1 = a0 @ w1.T
    a1 = np.tanh(z1)
    w2, b2 = drawn(block.branch[2], 7)
    z2 = a1 @ w2.T + b2
    y = 0.9 * a0 + 0.7 * z2
    w3, _ = drawn(other.branch[0], 9)
    z3 = y @ w3.T
    a3 = np.tanh(z3)
    w4, _ = drawn(other.shortcut[0], 9)
    z4 = y @ w4.T
    w5, _ = drawn(last, 5)
    z5 = (z4 + 1.3 * a3) @ w5.T
    d5 = rng.standard_normal((1, *z5.shape))[0]
    stream = d5 @ w5
    d4, d3 = stream, 1.3 * stream * (1 - a3**2)
    below = d3 @ w3 + d4 @ w4
    d2 = 0.7 * below
    d1 = (d2 @ w2) * (1 - a1**2)
    d0 = (0.9 * below + d1 @ w1) * (1 - a0**2)
    z = {"0": z0, "2.branch.0": z1, "2.branch.2": z2, "3.branch.0": z3, "3.shortcut.0": z4, "4": z5}
    a = {"1": a0, "2.branch.1": a1, "3.branch.1": a3, "5": np.tanh(z5)}
    return z, a, dict(zip(z, (d0, d1, d2, d3, d4, d5), strict=True))


def recorded(network, x, rng, **kwargs):
    from varprop.engine.propagate import places, propagate

    names = ("preactivation_second_moment", "activation_mean", "gradient_second_moment", "gradient_mean")
    found = {}
    propagate(
        network,
        x,
        Streams(rng, dense=True, normals="ziggurat"),
        networks=1,
        where={name: places(network, name, inputs=len(x)) for name in names},
        record=lambda name, place, values: found.__setitem__((name, place[1]), values[0]),
        **kwargs,
    )
    return found


@pytest.mark.parametrize("cut", [False, True], ids=["kept", "in segments"])
def test_the_engine_does_what_the_definition_says(monkeypatch, cut):
    if cut:
        monkeypatch.setattr("varprop.engine.propagate._KEPT", 0)
        assert len(segments(MIXED.sites, networks=1, inputs=3, dense=True, itemsize=8)) > 1
    x = np.random.default_rng(1).standard_normal((3, 6))
    z, a, d = defined(x, np.random.default_rng(2))
    found = recorded(MIXED, x, np.random.default_rng(2))
    expected = {
        **{("preactivation_second_moment", module): (values**2).mean(1) for module, values in z.items()},
        **{("activation_mean", module): values.mean(1) for module, values in a.items()},
        **{("gradient_second_moment", module): (values**2).mean(1) for module, values in d.items()},
        **{("gradient_mean", module): values.mean(1) for module, values in d.items()},
    }
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-10, atol=1e-13, err_msg=str(key))


def test_a_network_that_ends_in_it_has_its_readout_at_the_end():
    """Gradients at the end of the branch are those of the readout, times the scale."""
    net = vp.Network(200, [dense(200), Residual((dense(200),), scale=0.5)])
    sim = vp.simulate(net, n_networks=400, rng=1, executor="serial", quantities=["gradient_second_moment"])
    assert sim.places("gradient_second_moment") == ((1, "0"), (2, "1.branch.0"))
    mean = sim.values("gradient_second_moment").mean(axis=0)
    assert mean == pytest.approx([1 + 0.25 * 2, 0.25], rel=0.02)  # he_normal has gain 2


def test_what_no_gradient_needs_is_not_computed():
    calls = []

    class Counting(Probe):
        def read(self, _readings, _at, site):
            calls.append(site.module)

    passage = Passage(Streams(np.random.default_rng(1), dense=True), Counting({}, None, None), keeps=False)
    _, way = passage.through(MIXED.sites, Signal(np.ones((2, 1, 6))))
    assert calls == [site.module for site in leaves_of(MIXED.sites)]
    calls.clear()
    way(Signal(np.ones((2, 1, 4))))
    assert calls == []


# ---- theory --------------------------------------------------------------------------------------------------------


def test_second_moments_add():
    """Both ways exactly, at any width: a block multiplies by skip^2 + scale^2 C1 C2 / 2, here 1 + scale^2."""
    table = vp.predict(relu_net(scale=0.5), theory="mean-field").set_index(["quantity", "module"])
    said = table.predicted
    z = said["preactivation_second_moment"]
    assert z["0"] == pytest.approx(1.0)
    assert z[["1.branch.0", "1.branch.2"]].tolist() == pytest.approx([2.0, 1.0])
    assert z[["2.branch.0", "2.branch.2", "3"]].tolist() == pytest.approx([2.5, 1.25, 1.25**2])
    d = said["gradient_second_moment"]
    assert d[["0", "1.branch.2", "2.branch.2", "3"]].tolist() == pytest.approx([1.25**2, 0.25 * 1.25, 0.25, 1.0])
    rows = table.exact
    assert rows["preactivation_second_moment"].all()
    assert rows["gradient_second_moment"].all()


@pytest.mark.false_alarm(1e-8)
def test_prediction_and_simulation_meet():
    """Exact second moments, 10 of each kind, means over 20,000 networks within 7 standard errors. False alarm 1e-8, skewness included.

    The control: with a scale of 0.52 the last mean is 4 % larger, which is some twenty standard errors.
    """
    net = relu_net(scale=0.5)
    sim = vp.simulate(net, n_networks=20_000, rng=7, executor="serial")
    off = {}
    for told in (net, relu_net(scale=0.52)):
        table = vp.predict(told, theory="mean-field")
        rows = table[table["exact"] & table["quantity"].isin(sim.quantities)]
        assert len(rows) >= 20
        scores = []
        for row in rows.itertuples():
            values = sim.column(row.quantity, (row.layer, row.module))
            error = max(values.std(ddof=1) / np.sqrt(len(values)), 1e-6 * row.predicted)
            scores.append(abs(values.mean() - row.predicted) / error)
        off[told.label] = max(scores)
    right, wrong = off.values()
    assert right < 7.0 < wrong - 5.0


def test_a_step_starts_from_what_was_measured():
    sim = vp.simulate(MIXED, n_networks=40, rng=3, executor="serial", per_input=True, inputs=2)
    at = {
        (quantity, place[1]): sim.column(quantity, place)
        for quantity in ("conditional_variance", "gradient_second_moment")
        for place in sim.places(quantity)
    }
    v = {module: values for (name, module), values in at.items() if name == "conditional_variance"}
    d = {module: values for (name, module), values in at.items() if name == "gradient_second_moment"}
    mean_field, inputs = vp.theory.get_theory("mean-field"), sim.inputs

    def steps(quantity):
        found = expected_steps(MIXED, mean_field, quantity, lambda name, place: at[name, place[1]], inputs=inputs)
        return {site.module: expected for site, expected in found}

    variance = {step.site.module: step.weight_variance for step in MIXED.steps}
    second, slope = TANH.second_moment, TANH.derivative_second_moment
    stream = 0.81 * second(v["0"]) + 0.49 * v["2.branch.2"]
    expected = {
        "2.branch.0": 2 * second(v["0"]),
        "2.branch.2": 2 * second(v["2.branch.0"]) + 0.09,
        "3.branch.0": 2 * stream,
        "3.shortcut.0": stream,
        "4": 2 * (v["3.shortcut.0"] + 1.69 * second(v["3.branch.0"])),
    }
    found = steps("preactivation_second_moment")
    assert found.keys() == expected.keys()
    for module, value in expected.items():
        np.testing.assert_allclose(found[module], value, rtol=1e-12, err_msg=module)
    above = 4 * variance["4"] * d["4"]
    below = 5 * variance["3.branch.0"] * d["3.branch.0"] + 5 * variance["3.shortcut.0"] * d["3.shortcut.0"]
    expected = {
        "3.shortcut.0": above,
        "3.branch.0": 1.69 * above * slope(v["3.branch.0"]),
        "2.branch.2": 0.49 * below,
        "2.branch.0": 9 * variance["2.branch.2"] * d["2.branch.2"] * slope(v["2.branch.0"]),
        "0": (0.81 * below + 7 * variance["2.branch.0"] * d["2.branch.0"]) * slope(v["0"]),
    }
    found = steps("gradient_second_moment")
    assert found.keys() == expected.keys()
    for module, value in expected.items():
        np.testing.assert_allclose(found[module], value, rtol=1e-12, err_msg=module)


# ---- verdicts, frames and pages --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample():
    return vp.simulate(relu_net(), n_networks=6000, rng=9, executor="serial")


def test_it_is_verified(sample):
    """The right theory is refuted nowhere, the one of a slightly larger scale is."""
    table = vp.verify(sample, theory="mean-field", margin=0.2)
    assert set(table["verdict"]) == {"supported"}
    assert len(table) > 30
    claims = [
        {"id": f"{test} {quantity}", "test": test, "quantity": quantity, "theory": "mean-field", "margin": 0.1}
        for test, quantity in (
            ("step_mean", "pivot"),
            ("step_mean", "preactivation_second_moment"),
            ("step_mean", "gradient_second_moment"),
            ("cumulative_mean", "preactivation_second_moment"),
        )
    ]
    assert set(vp.verify(sample, claims=claims)["verdict"].dropna()) == {"supported"}
    wrong = dataclasses.replace(sample, network=relu_net(scale=0.8))
    assert set(vp.verify(wrong, claims=claims[1:])["verdict"].dropna()) == {"refuted"}
    ratios, places = step_ratios(sample, vp.theory.get_theory("mean-field"), "preactivation_second_moment")
    assert (len(places), ratios.shape) == (5, (6000, 5))


def test_a_frame_of_it_is_read_back(sample):
    again = vp.Simulation.from_frame(sample.to_frame(), sample.network)
    assert again.places("gradient_second_moment") == sample.places("gradient_second_moment")
    np.testing.assert_array_equal(again.values("pivot"), sample.values("pivot"))
    some = sample.summary(["pivot"])
    assert some.module.tolist() == ["0", "1.branch.0", "1.branch.2", "2.branch.0", "2.branch.2", "3"]


def test_a_study_of_it_has_a_report(tmp_path):
    path = tmp_path / "residual.toml"
    path.write_text(
        'schema = 1\ntitle = "Two blocks"\nseed = 1\nnetworks = 400\n[network]\nwidths = [32, 32]\nbiases = "zeros"\n'
        '[grid]\nactivation = ["relu"]\nweights = ["he_normal"]\n'
        '[[claims]]\nid = "x"\nquantity = "pivot"\ntest = "step_mean"\ntheory = "mean-field"\nmargin = 0.2\n'
        '[[claims]]\nid = "y"\nquantity = "preactivation_second_moment"\ntest = "cumulative_mean"\ntheory = "mean-field"\nmargin = 0.5\n'
    )
    study = vp.load_study(path)
    (configuration,) = study.configurations
    study = dataclasses.replace(study, configurations=(dataclasses.replace(configuration, network=relu_net()),))
    run = vp.run_study(study, tmp_path / "run", executor="serial")
    vp.write_report([run], tmp_path / "report")
    assert set(run.verdicts()["verdict"].dropna()) == {"supported"}
    assert "2.branch.2" in (tmp_path / "report" / "residual" / "tables" / "layers" / "y.csv").read_text()


# ---- what cannot have it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "refused",
    [
        lambda net: vp.simulate(net, n_networks=2, rng=1, method="norms"),
        lambda net: vp.predict(net, theory="finite-width"),
        lambda net: vp.theory.finite_width_law(net, 1),
        lambda net: vp.train(net, steps=1, learning_rate=0.1, n_networks=2, rng=1),
        lambda net: vp.verify(
            vp.simulate(net, n_networks=200, rng=1, executor="serial"),
            claims=[{"id": "x", "test": "exact_law", "quantity": "preactivation_second_moment"}],
        ),
    ],
    ids=["norms", "finite width", "exact law", "training", "test of an exact law"],
)
def test_what_takes_a_chain_refuses_it(refused):
    with pytest.raises(vp.UnsupportedError, match=r"has no rule for a layer of type Residual"):
        refused(relu_net())
