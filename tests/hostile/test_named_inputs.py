"""Inputs that once ended in a traceback, a hang or a wrong answer; each is refused with one message, or handled."""

import time

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.model.sites import Module, ModuleNetwork
from varprop.study.errors import StudyError
from varprop.study.parsing import parse_study

pytestmark = pytest.mark.false_alarm(0)  # whatever is drawn, the question is what is said

DIGITS = "1" + "0" * 400
HEXADECIMAL = "0x" + "f" * 6000  # Python refuses to print it as a decimal number

STUDY = """
schema = 1
title = "One of many"
seed = 1
networks = 20
{top}
[network]
widths = {widths}
activation = {activation}
weights = {weights}
[[claims]]
id = "a"
quantity = "preactivation_second_moment"
theory = "he"
test = "cumulative_mean"
margin = {margin}
{sweep}
"""
PLAIN = {"top": "", "widths": '"16x3"', "activation": '"relu"', "weights": '"he_normal"', "margin": "0.1", "sweep": ""}
SWEEP = '[sweep]\nvariable = "depth"\nfrom = 1\nto = 65536\npoints = 1000\nscale = "linear"'

STUDIES = {
    "list-as-quantity": ({"top": 'quantities = [["pivot"]]'}, "quantities[0]: must be a text"),
    "table-as-quantity": ({"top": "quantities = [{}]"}, "quantities[0]: must be a text"),
    **{
        f"{name}-of-{kind}": (part, f"{where}: must be a")
        for kind, value in (("400-digits", DIGITS), ("6000-hexadecimal-digits", HEXADECIMAL))
        for name, part, where in (
            ("slope", {"activation": f'{{ name = "leaky_relu", slope = {value} }}'}, "network.activation.slope"),
            ("std", {"weights": f'{{ name = "normal", std = {value} }}'}, "network.weights.std"),
            ("margin", {"margin": value}, "claims[0].margin"),
        )
    },
    "std-whose-square-is-infinite": ({"weights": '{ name = "normal", std = 1e200 }'}, "std must be 0 or lie between"),
    "std-whose-square-is-0": ({"weights": '{ name = "normal", std = 1e-200 }'}, "std must be 0 or lie between"),
    "margin-of-everything": ({"margin": "1e308"}, "claims[0].margin: must be <= 1000000"),
    "margin-of-nothing": ({"margin": "1e-320"}, "claims[0].margin: must be >= 1e-09"),
    "alpha-that-has-no-shares": ({"top": "alpha = 1e-320"}, "alpha: must be >= 1e-100"),
    "too-many-layers": ({"widths": '"1x65536"', "sweep": SWEEP}, "at most 1048576: write several studies"),
}


@pytest.mark.parametrize(("parts", "message"), STUDIES.values(), ids=STUDIES.keys())
def test_a_study_is_refused(parts, message):
    with pytest.raises(StudyError) as caught:
        parse_study(STUDY.format(**{**PLAIN, **parts}), name="one", source="one.toml")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_the_same_study_without_these_is_read():
    assert len(parse_study(STUDY.format(**PLAIN), name="one", source="one.toml").claims) == 1


@pytest.mark.parametrize("depths", ["[1048576]", "[65536, 65535]"], ids=["in-one", "in-two"])
def test_the_limit_of_layers_is_of_all_configurations_together(depths):
    """Just below it is no refusal for the number of layers: 65,536 layers are the most of one network."""
    sweep = f'[sweep]\nvariable = "depth"\nvalues = {depths}'
    text = STUDY.format(**{**PLAIN, "widths": '"1x3"', "sweep": sweep})
    if depths == "[1048576]":
        with pytest.raises(StudyError, match="whole numbers between 1 and 65536"):
            parse_study(text, name="one", source="one.toml")
    else:
        many = (
            text.replace('weights = "he_normal"', "")
            + "\n[grid]\nweights = ["
            + ", ".join(f'{{ name = "normal", std = {i} }}' for i in range(1, 10))
            + "]"
        )  # 9 times 131,071
        with pytest.raises(StudyError, match="crosses to 1179639 weight layers in all"):
            parse_study(many, name="one", source="one.toml")


def test_many_deep_networks_in_a_grid_are_refused_before_they_are_spelt_out():
    """It took 5 s and 300 MB."""
    many = ", ".join(f'"1x{65536 - i}"' for i in range(200))
    text = STUDY.format(**PLAIN).replace('widths = "16x3"', "") + f"\n[grid]\nwidths = [{many}]"
    before = time.process_time()
    with pytest.raises(StudyError, match=r"grid.widths: has 13087300 weight layers in all"):
        parse_study(text, name="one", source="one.toml")
    assert time.process_time() - before < 1.0


@pytest.fixture(scope="module")
def net():
    return vp.mlp([16] * 4, activation="relu", weights="he_normal")


def test_a_dtype_of_numpy_is_its_name(net):
    named, given = (vp.simulate(net, n_networks=4, rng=1, dtype=one) for one in ("float32", np.dtype("float32")))
    for quantity in named.samples:
        assert np.array_equal(named.values(quantity), given.values(quantity), equal_nan=True)


ROW = np.ones((1, 16))
INPUTS = {
    "a-billion": (10**9, ValueError, "inputs must lie between 1 and"),
    "2-to-the-62": (2**62, ValueError, "inputs must lie between 1 and"),
    "none-at-all": (0, ValueError, "inputs must lie between 1 and"),
    "masked": (np.ma.masked_array(ROW, mask=ROW), TypeError, "masked array"),
    "masked-row-in-a-list": ([np.ma.masked_array(ROW[0], mask=ROW[0])], TypeError, "masked array"),
    "complex": (ROW * 1j, TypeError, "real numbers, got complex128"),
    "texts": ([["1.0"] * 16], TypeError, "real numbers, got <U3"),
    "texts-as-objects": (np.array([["1.0"] * 16], dtype=object), TypeError, "real numbers, got object"),
    "set": (set(range(16)), TypeError, "real numbers, got set"),
    "mapping": ({0: ROW}, TypeError, "real numbers, got dict"),
    "dates": (ROW.astype("M8[s]"), TypeError, "real numbers, got datetime64"),
    "ragged": ([[1.0] * 16, [1.0]], ValueError, "rows of one length"),
    "400-digits": ([[10**400] * 16], ValueError, "float64 can hold"),
}


@pytest.mark.parametrize(("inputs", "error", "message"), INPUTS.values(), ids=INPUTS.keys())
@pytest.mark.parametrize(
    "ask",
    [
        lambda net, inputs: vp.simulate(net, n_networks=4, rng=1, inputs=inputs),
        lambda net, inputs: vp.predict(net, theory="mean-field", inputs=inputs),
        lambda net, inputs: vp.predict(net, theory="finite-width", inputs=inputs),
    ],
    ids=["simulate", "mean-field", "finite-width"],
)
def test_inputs_are_refused(net, ask, inputs, error, message):
    with pytest.raises(error, match=message):
        ask(net, inputs)


@pytest.mark.parametrize("inputs", [[[1] * 16], np.ones((1, 16), bool), np.ones((1, 16), np.float16)], ids=repr)
def test_other_real_numbers_are_inputs(net, inputs):
    told = vp.simulate(net, n_networks=4, rng=1, inputs=np.asarray(inputs, dtype=float))
    assert np.array_equal(
        vp.simulate(net, n_networks=4, rng=1, inputs=inputs).values("pivot"), told.values("pivot"), equal_nan=True
    )


@pytest.mark.parametrize("rng", [[], (), "", "1", ["1"], [1.5], [True], True, 1.5, {1, 2}, b"1"], ids=repr)
def test_a_seed_is_refused(net, rng):
    with pytest.raises(TypeError, match="rng must be an integer seed"):
        vp.simulate(net, n_networks=4, rng=rng)


@pytest.mark.parametrize("other", [None, "a network", [], 1.5], ids=["None", "text", "list", "number"])
@pytest.mark.parametrize(
    "call",
    [
        vp.predict,
        lambda other: vp.predict(other, theory="finite-width", inputs=3),
        lambda other: vp.simulate(other, n_networks=4, rng=1),
        lambda other: vp.train(other, steps=1, learning_rate=0.1, n_networks=4, rng=1),
        lambda other: vp.histograms(other, n_networks=4, rng=1),
        lambda other: vp.verify(other, theory="he"),
    ],
    ids=["predict", "predict-finite-width", "simulate", "train", "histograms", "verify"],
)
def test_what_is_no_network_is_told_so(call, other):
    with pytest.raises(TypeError, match=r"takes a (Network|Simulation), got "):
        call(other)


@pytest.mark.parametrize("other", [None, "runs", [None], ["runs/a"], 1.5], ids=repr)
def test_what_is_no_run_is_told_so(other, tmp_path):
    with pytest.raises(TypeError, match="write_report takes runs, got "):
        vp.write_report(other, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"margin": 1e308}, "margin must be a number > 0, between"),
        ({"margin": 1e-320}, "margin must be a number > 0, between"),
        ({"margin": int(DIGITS)}, "margin must be a number that float64 can hold"),
        ({"alpha": 1e-320}, "alpha must lie in"),
    ],
    ids=["largest", "least", "400-digits", "alpha"],
)
def test_a_margin_or_alpha_beyond_the_numbers_is_refused(net, part, message):
    sim = vp.simulate(net, n_networks=20, rng=1, quantities=["preactivation_second_moment"])
    with pytest.raises(ValueError, match=message):
        vp.verify(sim, theory="he", **part)


@pytest.mark.parametrize("name", ["normal", "truncated_normal", "rademacher", "student_t", "sparse"])
@pytest.mark.parametrize(
    "std", [1e200, 1e-200, int(DIGITS), int(HEXADECIMAL, 16)], ids=["large", "small", "400", "hex"]
)
def test_a_law_without_a_finite_fourth_moment_in_float64_is_refused(name, std):
    with pytest.raises(ValueError, match="std must be"):
        vp.get_initializer(name, std=std)


def test_half_a_formula_as_a_name_is_drawn(tmp_path):
    phi = vp.Activation(name=r"$\frac{$", value=np.tanh)
    laws = [{"name": "variance_scaling", "scale": scale} for scale in (1, 2)]
    sims = [vp.simulate(vp.mlp([8] * 9, activation=phi, weights=law), n_networks=4, rng=1) for law in laws]
    axes = vp.plot.sweep(sims, variable="weight_variance", theory=None)
    axes.figure.savefig(tmp_path / "sweep.svg")
    assert any(r"$\frac{$" in text.get_text() for text in axes.get_legend().get_texts())


def _of_itself():
    found = []
    found.append(found)
    return found


@pytest.mark.parametrize("rng", [[], (), "1", [1.5], True, range(10**9), _of_itself()], ids=type)
@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: vp.get_initializer("he_normal").sample((2, 2), fan_in=2, fan_out=2, rng=rng),
        lambda rng: vp.audit(vp.get_initializer("he_normal"), (8, 8), law="he_normal", n_draws=1000, rng=rng),
        lambda rng: vp.calibrate("step_mean", widths=[4] * 4, n_networks=20, repeats=2, rng=rng),
        lambda rng: vp.histograms(vp.mlp([4] * 4, activation="relu", weights="he_normal"), n_networks=2, rng=rng),
    ],
    ids=["sample", "audit", "calibrate", "histograms"],
)
def test_a_seed_is_refused_wherever_one_is_taken(draw, rng):
    """NumPy reads [] as a seed, and a list that contains itself ends the process."""
    with pytest.raises(TypeError, match="rng must be an integer seed"):
        draw(rng)


def test_a_seed_of_so_many_digits_is_refused(net):
    with pytest.raises(ValueError, match="rng must be a number from 0 to"):
        vp.simulate(net, n_networks=4, rng=int(HEXADECIMAL, 16))


CALLS = {
    "a-billion-widths": (
        lambda: vp.mlp(range(1, 10**9), activation="relu", weights="he_normal"),
        ValueError,
        "at most",
    ),
    "a-billion-points": (
        lambda: vp.get_initializer("he_normal").cdf(range(10**9), fan_in=2, fan_out=2),
        ValueError,
        "at most",
    ),
    "a-billion-quantities": (
        lambda: vp.simulate(_small(), n_networks=2, rng=1, quantities=range(10**9)),
        ValueError,
        "at most",
    ),
    "a-million-layers": (
        lambda: vp.theory.length_map("tanh", weight_variance=1, q=1, depth=10**6),
        ValueError,
        "65536 at most",
    ),
    "steps-to-plan-for": (
        lambda: vp.required_networks("cumulative_mean", width=64, depth=2**31),
        ValueError,
        "depth from 1 to 65536",
    ),
    "q-of-1e200": (
        lambda: vp.theory.correlation_map("tanh", weight_variance=1, q=1e200, c=0.5, depth=3),
        ValueError,
        "at most",
    ),
    "variance-of-1e308": (
        lambda: vp.theory.depth_scales("tanh", weight_variance=1e308),
        ValueError,
        "1e\\+150 at most",
    ),
    "moment-beyond-all": (
        lambda: vp.theory.finite_width_law(_small(), 2).moment(2**31),
        ValueError,
        "past the largest float",
    ),
    "edge-beyond-all": (
        lambda: vp.theory.largest_squared_singular_value("linear", weight_variance=1e150, depth=9),
        ValueError,
        "past the largest float",
    ),
    "inputs-of-1e308": (lambda: vp.predict(_small(), inputs=np.full((1, 4), 1e308)), ValueError, "must lie within"),
    "inputs-beyond-float32": (
        lambda: vp.simulate(_small(), n_networks=2, rng=1, inputs=np.full((1, 4), 1e100)),
        ValueError,
        "float32 can hold",
    ),
    "slope-beyond-float32": (lambda: vp.get_activation("leaky_relu", slope=1e100), ValueError, "is not finite at z"),
    "complex-points": (lambda: vp.get_initializer("he_normal").cdf(1j, fan_in=2, fan_out=2), TypeError, "real numbers"),
    "text-as-margin": (
        lambda: vp.required_networks(variance=1.0, margin="0.1"),
        TypeError,
        "margin must be a number, got str",
    ),
    "bool-as-margin": (
        lambda: vp.required_networks(variance=1.0, margin=True),
        TypeError,
        "margin must be a number, got bool",
    ),
    "numbers-as-claims": (lambda: vp.verify(_measured(), claims=[1]), TypeError, "a claim is a Claim or a mapping"),
    "texts-as-cases": (lambda: vp.verification.compare.assess(["a"]), TypeError, "assess takes cases, got str"),
    "name-of-5000-letters": (
        lambda: vp.Activation(name="a" * 5000, value=np.tanh),
        ValueError,
        "200 characters at most",
    ),
    "path-of-5000-letters": (lambda: vp.check_run("a" * 5000), ValueError, "manifest.json"),
    "array-as-executor": (
        lambda: vp.simulate(_small(), n_networks=2, rng=1, executor=np.ones(3)),
        TypeError,
        "executor must be",
    ),
    "frame-of-levels": (
        lambda: vp.plot.forest(pd.DataFrame([[1]], columns=[["a"], ["b"]])),
        ValueError,
        "has no column",
    ),
}


def _small():
    return vp.mlp([4] * 4, activation="relu", weights="he_normal")


def _measured():
    return vp.simulate(_small(), n_networks=20, rng=1)


@pytest.mark.parametrize(("call", "error", "message"), CALLS.values(), ids=CALLS.keys())
def test_a_call_is_refused(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("name", [r"$\frac{$", "$ $", "_mine"], ids=["half-a-formula", "two-dollars", "underscore"])
def test_any_name_stands_in_the_legends_of_maps(name, tmp_path):
    phi = vp.Activation(name=name, value=np.tanh)
    for draw in (vp.plot.length_map, vp.plot.correlation_map):
        axes = draw(phi, weight_variance=1.5, bias_variance=0.1)
        axes.figure.savefig(tmp_path / "map.svg")
        assert any(name in text.get_text() for text in axes.get_legend().get_texts())


def test_any_name_of_a_module_stands_below_a_profile(tmp_path):
    name = r"$\frac{$"
    frame = pd.DataFrame({"network": range(4), "module": name, "quantity": "activation_second_moment", "value": 1.0})
    network = ModuleNetwork(label="mine", modules=(Module(name=name, kind="Linear", layer=1, weights=True),))
    axes = vp.plot.profile(vp.Simulation.from_frame(frame, network))
    axes.figure.savefig(tmp_path / "profile.svg")
    assert [text.get_text() for text in axes.get_xticklabels()] == [name]


@pytest.mark.parametrize("bound", [1e-320, 1e-200, 1e200, 1e308])
@pytest.mark.parametrize("side", ["below", "above"])
def test_a_bound_whose_square_is_no_number_is_refused(side, bound):
    with pytest.raises(ValueError, match=r"must be a number > 0, between 1e-150 and 1e\+150"):
        vp.Claim(id="a", quantity="cosine", test="level", **{side: bound})


def test_a_whole_number_beyond_64_bits_is_a_number(net):
    law = vp.theory.finite_width_law(net, 2)
    assert law.cdf(2**64) == 1.0
    with pytest.raises(ValueError, match="p must lie between"):
        law.ppf(2**64)
