"""Grids become labelled networks, and claims find the configurations they are about."""

import pytest

from varprop.model.network import mlp


def labels(study):
    return [configuration.label for configuration in study.configurations]


def test_one_network_is_labelled_by_activation_and_weights(parse):
    study = parse()
    assert labels(study) == ["relu, he_normal"]
    assert study.configurations[0].network == mlp([6] * 4, activation="relu", weights="he_normal")
    assert dict(study.configurations[0].fields) == {
        "activation": "relu",
        "weights": "he_normal",
        "biases": "zeros",
        "widths": "6x3",
    }


def test_labels_name_what_varies(parse):
    study = parse("""
        [network]
        activation = "relu"
        [grid]
        widths = ["6x3", [6, 5, 4], { input = 6, hidden = 3, depth = 4 }, { input = 6, hidden = [3, 6], depth = 5 }]
        weights = ["he_normal", { name = "normal", std = 0.5 }]
        biases = ["zeros", "lecun_normal"]
    """)
    assert len(labels(study)) == len(set(labels(study))) == 16
    assert labels(study)[0] == "he_normal, biases zeros, 6x3"
    assert labels(study)[-1] == "normal(std=0.5), biases lecun_normal, 6-3x5"
    widths = [configuration.network.widths for configuration in study.configurations[:4]]
    assert widths == [(6, 6, 6, 6), (6, 5, 4), (6, 3, 3, 3, 3), (6, 3, 6, 3, 6, 3)]


def test_several_grids_are_a_union(parse):
    study = parse("""
        [network]
        widths = "6x3"
        [[grid]]
        activation = ["relu", "tanh"]
        weights = ["he_normal"]
        [[grid]]
        activation = ["tanh"]
        weights = ["xavier_normal", "he_normal"]
    """)
    assert labels(study) == ["relu, he_normal", "tanh, he_normal", "tanh, xavier_normal"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", ["relu|he|6x3", "relu|he|4x2", "leaky_relu(slope=0.1)|he|6x3", "leaky_relu(slope=0.2)|he|6x3"]),
        ('activation = "leaky_relu"', ["leaky_relu(slope=0.1)|he|6x3", "leaky_relu(slope=0.2)|he|6x3"]),
        ('activation = { name = "leaky_relu" }', ["leaky_relu(slope=0.1)|he|6x3", "leaky_relu(slope=0.2)|he|6x3"]),
        ('activation = { name = "leaky_relu", slope = 0.2 }', ["leaky_relu(slope=0.2)|he|6x3"]),
        (
            'activation = ["relu", { name = "leaky_relu", slope = 0.1 }]\nwidths = "6x3"',
            ["relu|he|6x3", "leaky_relu(slope=0.1)|he|6x3"],
        ),
        ("widths = [4, 4, 4]", ["relu|he|4x2"]),
        ('widths = ["4x2", { input = 9, hidden = [9] }]', ["relu|he|4x2"]),
        ('weights = "kaiming_normal"\nwidths = "4x2"', ["relu|he|4x2"]),
    ],
)
def test_where_finds_what_a_claim_is_about(parse, where, expected):
    study = parse(f"""
[network]
weights = "he_normal"
[[grid]]
activation = ["relu"]
widths = ["6x3", "4x2"]
[[grid]]
activation = [{{ name = "leaky_relu", slope = 0.1 }}, {{ name = "leaky_relu", slope = 0.2 }}]
widths = ["6x3"]
[[claims]]
id = "c"
test = "cumulative_mean"
theory = "mean-field"
quantity = "preactivation_second_moment"
[claims.where]
{where}
""")
    named = {c.label: "{activation}|he|{widths}".format(**dict(c.fields)) for c in study.configurations}
    assert [named[label] for label in study.scopes[0].labels] == expected


def test_a_claim_of_several_quantities_is_one_claim_each(parse):
    study = parse("""
        [network]
        widths = "6x3"
        activation = "relu"
        [grid]
        weights = ["he_normal", "xavier_normal"]
        [[claims]]
        id = "c"
        statement = "s"
        test = "cumulative_mean"
        theory = "preserved"
        quantity = ["preactivation_second_moment", "gradient_second_moment"]
        margin = 0.1
        expect = "refuted"
        layers = [1, 3]
        where = { weights = "he_normal" }
    """)
    assert [claim.quantity for claim in study.claims] == ["preactivation_second_moment", "gradient_second_moment"]
    assert {(c.id, c.margin, c.expect, c.layers, c.statement) for c in study.claims} == {
        ("c", 0.1, "refuted", (1, 3), "s")
    }
    assert study.claims_about("he_normal") == study.claims
    assert study.claims_about("xavier_normal") == ()


def test_parameters_that_labels_do_not_tell_apart_get_numbers(parse, monkeypatch):
    monkeypatch.setattr("varprop.model.activations.Activation.label", property(lambda one: one.name))
    study = parse("""
        [network]
        widths = "6x3"
        weights = "he_normal"
        [grid]
        activation = ["relu", { name = "elu", alpha = 1 }, { name = "elu", alpha = 2 }]
    """)
    assert labels(study) == ["relu", "elu", "elu (2)"]


def test_a_list_of_wheres_means_either_of_two(parse):
    study = parse("""
        [network]
        widths = "6x3"
        [grid]
        activation = ["relu", "tanh"]
        weights = ["he_normal", "xavier_normal"]
        [[claims]]
        id = "own"
        test = "cumulative_mean"
        theory = "mean-field"
        quantity = "preactivation_second_moment"
        where = [{ activation = "relu", weights = "he_normal" }, { activation = "tanh", weights = "xavier_normal" }]
    """)
    assert study.scopes[0].labels == ("relu, he_normal", "tanh, xavier_normal")
