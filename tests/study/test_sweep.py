"""One variable taken through values: configurations, labels, keys, and what a claim picks from them."""

import numpy as np
import pytest

import varprop as vp
from varprop.model.initializers import get_initializer
from varprop.study import StudyError
from varprop.study.parsing import parse_study
from varprop.study.sweep import SweepTable, value_text

HEAD = 'schema = 1\ntitle = "t"\nseed = 1\nnetworks = 10\n'
TANH = '[network]\nwidths = "6x3"\nactivation = "tanh"\n'
CLAIM = """
[[claims]]
id = "c"
test = "cumulative_mean"
theory = "mean-field"
quantity = "preactivation_second_moment"
"""


def study(sweep, *, network=TANH, more=""):
    return parse_study(f"{HEAD}{network}\n[sweep]\n{sweep}\n{more}", name="s", source="s.toml")


def problems(sweep, *, network=TANH, more=""):
    with pytest.raises(StudyError) as caught:
        study(sweep, network=network, more=more)
    return {problem.path: problem.message for problem in caught.value.problems}


def weight_variances(values="[0.5, 1, 2, 4]", **given):
    return study(f'variable = "weight_variance"\nvalues = {values}', **given)


def test_weights_of_every_variance_are_crossed_with_the_grid():
    found = weight_variances("[0.5, 4]", network='[network]\nwidths = "6x3"\n[grid]\nactivation = ["tanh", "relu"]')
    assert [c.label for c in found.configurations] == [
        "tanh, weight_variance 0.5",
        "tanh, weight_variance 4",
        "relu, weight_variance 0.5",
        "relu, weight_variance 4",
    ]
    assert [(c.series, c.swept) for c in found.configurations[1:3]] == [("tanh", 4.0), ("relu", 0.5)]
    network = found.configurations[1].network
    assert network.layers[0].weights.variance(6, 9) * 6 == pytest.approx(4.0)
    assert dict(found.configurations[1].fields)["weight_variance"] == "4"


def test_a_point_of_a_sweep_is_the_plain_configuration():
    """The same network, so the same key: what was sampled for one is there for the other."""
    swept = weight_variances("[2]")
    weights = 'weights = { name = "variance_scaling", scale = 2 }'
    plain = parse_study(f"{HEAD}{TANH}{weights}", name="s", source="s.toml")
    (one,), (other,) = swept.configurations, plain.configurations
    assert one.network == other.network
    assert swept.plan(one).key == plain.plan(other).key


@pytest.mark.parametrize(
    ("sweep", "label", "check"),
    [
        (
            'variable = "bias_variance"\nvalues = [0, 0.25]',
            "tanh, bias_variance 0.25",
            lambda net: net.layers[0].biases,
        ),
        (
            'variable = "bias_variance"\nvalues = [0.25]\ndistribution = "uniform"',
            "tanh, bias_variance 0.25",
            lambda net: net.layers[0].biases,
        ),
    ],
)
def test_biases_have_the_variance(sweep, label, check):
    found = study(sweep, network=TANH + 'weights = "xavier_normal"')
    last = found.configurations[-1]
    assert last.label == label
    assert check(last.network).variance(6, 6) == pytest.approx(0.25)
    if len(found.configurations) == 2:
        assert check(found.configurations[0].network) == get_initializer("zeros")


@pytest.mark.parametrize(("variable", "widths"), [("depth", [(6,) * 3, (6,) * 6]), ("width", [(2,) * 4, (5,) * 4])])
def test_depth_and_width_change_the_widths(variable, widths):
    found = study(f'variable = "{variable}"\nvalues = [2, 5]', network=TANH + 'weights = "xavier_normal"')
    assert [c.network.widths for c in found.configurations] == widths
    assert found.configurations[1].label == f"tanh, {variable} 5"


@pytest.mark.parametrize(
    ("text", "values", "scale"),
    [
        ("from = 0.25\nto = 256\npoints = 11", [2.0**i for i in range(-2, 9)], "log"),
        ("from = 1\nto = 3\npoints = 5", [1.0, 1.5, 2.0, 2.5, 3.0], "linear"),
        ('from = 1\nto = 100\npoints = 3\nscale = "linear"', [1.0, 50.5, 100.0], "linear"),
        ('from = 1\nto = 2\npoints = 3\nscale = "log"', [1.0, 1.414, 2.0], "log"),
        ("values = [3, 1, 2.5]", [3.0, 1.0, 2.5], "linear"),
        ("values = [1, 20]", [1.0, 20.0], "log"),
    ],
)
def test_values_are_those_listed_or_evenly_spaced(text, values, scale):
    found = study(f'variable = "weight_variance"\n{text}').sweep
    assert found.values == tuple(values)
    assert found.scale == scale


def test_a_generated_value_is_what_its_label_says():
    found = study('variable = "weight_variance"\nfrom = 0.1\nto = 7\npoints = 50')
    assert [float(value_text(value)) for value in found.sweep.values] == list(found.sweep.values)
    assert len({c.label for c in found.configurations}) == 50
    assert found.sweep.values == pytest.approx(np.geomspace(0.1, 7, 50), rel=1e-3)


@pytest.mark.parametrize(
    ("where", "values"),
    [
        ("weight_variance = 2", [2.0]),
        ("weight_variance = [4, 0.5]", [0.5, 4.0]),
        ("weight_variance = { from = 1.0 }", [1.0, 2.0, 4.0]),
        ("weight_variance = { to = 1.0 }", [0.5, 1.0]),
        ("weight_variance = { from = 0.6, to = 2 }", [1.0, 2.0]),
        ('activation = "tanh"', [0.5, 1.0, 2.0, 4.0]),
    ],
)
def test_where_picks_by_value_or_by_range(where, values):
    found = weight_variances(more=f"{CLAIM}where = {{ {where} }}")
    by_label = {c.label: c.swept for c in found.configurations}
    assert [by_label[label] for label in found.scopes[0].labels] == values


WRONG = [
    ("values = [1]", "sweep.variable", "is required; write for example variable ="),
    ('variable = "widht"\nvalues = [1]', "sweep.variable", "did you mean 'width'?"),  # codespell:ignore
    ('variable = "weight_variance"', "sweep.values", "or from, to and points are required"),
    ('variable = "weight_variance"\nvalues = []', "sweep.values", "must have at least 1 items"),
    ('variable = "weight_variance"\nvalues = [1, 2, 1]', "sweep.values[2]", "is the same as an earlier item"),
    ('variable = "weight_variance"\nvalues = [1, -1]', "sweep.values[1]", "must be >= 0, got -1"),
    ('variable = "weight_variance"\nvalues = [0, 1]', "sweep.values", "must be > 0, got 0"),
    ('variable = "weight_variance"\nvalues = [1]\npoints = 3', "sweep.points", "is given beside values"),
    ('variable = "weight_variance"\nfrom = 1\nto = 2', "sweep.points", "is required with the others"),
    ('variable = "weight_variance"\nfrom = 2\nto = 1\npoints = 3', "sweep.to", "must be > from, got 1.0"),
    ('variable = "weight_variance"\nfrom = 0\nto = 1\npoints = 3', "sweep.from", "must be > 0, got 0"),
    ('variable = "bias_variance"\nfrom = 0\nto = 1\npoints = 3\nscale = "log"', "sweep.from", "must be > 0 with scale"),
    ('variable = "bias_variance"\nvalues = [0, 1]\nscale = "log"', "sweep.scale", 'must be "linear" with a value of 0'),
    (
        'variable = "bias_variance"\nvalues = [1]\ndistribution = "truncated_normal"',
        "sweep.distribution",
        "normal or un",
    ),
    (
        'variable = "weight_variance"\nfrom = 1\nto = 1.001\npoints = 9',
        "sweep.points",
        "asks for more numbers of 4 digits",
    ),
    ('variable = "depth"\nvalues = [1.5]', "sweep.values", "must be whole numbers between 1 and"),
    ('variable = "depth"\nfrom = 1\nto = 3\npoints = 4', "sweep.points", "asks for more whole numbers"),
    (
        'variable = "width"\nvalues = [2]\ndistribution = "normal"',
        "sweep.distribution",
        "does not go with a sweep of width",
    ),
    ('variable = "depth"\nvalues = [2]\nvalue = 3', "sweep.value", "did you mean 'values'?"),
]


@pytest.mark.parametrize(("text", "path", "message"), WRONG, ids=[f"{i}:{case[1]}" for i, case in enumerate(WRONG)])
def test_an_error_stands_at_its_key_with_what_to_write(text, path, message):
    found = problems(text, network=TANH + 'weights = "xavier_normal"')
    assert path in found
    assert message in found[path]


@pytest.mark.parametrize(
    ("sweep", "network", "path", "message"),
    [
        (
            "weight_variance",
            TANH + 'weights = "he_normal"',
            "network.weights",
            "is set by the sweep of weight_variance",
        ),
        ("weight_variance", TANH + '[grid]\nweights = ["he_normal"]', "grid.weights", "is set by the sweep"),
        ("bias_variance", TANH + 'weights = "he_normal"\nbiases = "zeros"', "network.biases", "is set by the sweep"),
        ("bias_variance", TANH, "network.weights", "is required"),
        ("depth", TANH.replace('"6x3"', "[6, 4]") + 'weights = "he_normal"', "network.widths", "must all be equal"),
        (
            "width",
            '[network]\nactivation = "tanh"\nweights = "he_normal"\n[grid]\nwidths = ["6x3"]',
            "grid.widths",
            "does not go with a sweep of width",
        ),
    ],
)
def test_what_the_sweep_sets_stands_nowhere_else(sweep, network, path, message):
    assert message in problems(f'variable = "{sweep}"\nvalues = [2]', network=network)[path]


@pytest.mark.parametrize(
    ("where", "path", "message"),
    [
        ("weight_variance = 3", "claims[0].where", "there are weight_variance 0.5, 1, 2, 4"),
        ("depth = 3", "claims[0].where", "depth: no [sweep] takes it through values"),
        ('weight_variance = "2"', "claims[0].where.weight_variance", "must be a number, a list of numbers, or a range"),
        ("weight_variance = {}", "claims[0].where.weight_variance.from", "or to is required"),
        ("weight_variance = { from = 2, to = 1 }", "claims[0].where.weight_variance.to", "must be >= from"),
        ("weight_variance = { form = 2 }", "claims[0].where.weight_variance.form", "did you mean 'from'?"),
    ],
)
def test_a_where_that_picks_nothing_is_told(where, path, message):
    text = 'variable = "weight_variance"\nvalues = [0.5, 1, 2, 4]'
    assert message in problems(text, more=f"{CLAIM}where = {{ {where} }}")[path]


def test_too_many_points_are_refused():
    widths = ", ".join(f'"{n}x2"' for n in range(1, 30))
    network = f'[network]\nactivation = "tanh"\n[grid]\nwidths = [{widths}]'
    text = 'variable = "weight_variance"\nfrom = 1\nto = 1000\npoints = 500'
    assert "crosses to 14500 configurations" in problems(text, network=network)["grid"]


def test_every_error_is_told_at_once():
    text = 'variable = "weight_variance"\nfrom = 2\nto = 1\npoints = 3'
    found = problems(text, network=TANH.replace("tanh", "tanhh"))  # codespell:ignore
    assert set(found) == {"network.activation", "sweep.to"}


def test_the_table_says_the_same_from_python():
    table = SweepTable.model_validate({"variable": "width", "from": 8, "to": 64, "points": 4, "scale": "log"})
    assert table.sweep().values == (8.0, 16.0, 32.0, 64.0)


@pytest.mark.false_alarm(0)
def test_a_sweep_is_run_planned_and_stopped_like_any_study(tmp_path):
    """Far from every margin: ReLU halves at 1 and doubles at 4."""
    text = HEAD.replace("networks = 10", "networks = 5000") + 'stopping = "sequential"\n'
    text += '[network]\nwidths = "16x4"\nactivation = "relu"\n[sweep]\nvariable = "weight_variance"\nvalues = [1, 4]\n'
    for name, side, value in (("down", "below", 1), ("up", "above", 4)):
        text += f'[[claims]]\nid = "{name}"\ntest = "directional"\nquantity = "gradient_second_moment"\n{side} = 1.0\n'
        text += f'where = {{ weight_variance = {value} }}\nexpect = "supported"\n'
    path = tmp_path / "s.toml"
    path.write_text(text, encoding="utf-8")
    loaded = vp.load_study(path)
    assert vp.plan_study(loaded, workers=1).claims["heads_for"].tolist() == ["supported", "supported"]
    run = vp.run_study(loaded, tmp_path / "runs", "serial")
    assert run.surprises() == ()
    assert [one["weight_variance"] for one in run.manifest["configurations"]] == ["1", "4"]
    assert all(one["networks"] < 5000 for one in run.manifest["configurations"])
