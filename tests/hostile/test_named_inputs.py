"""Inputs that once ended in a traceback, a hang or a wrong answer; each is refused with one message, or handled."""

import numpy as np
import pytest

import varprop as vp
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
        ({"margin": int(DIGITS)}, "margin must be a number > 0, between"),
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
