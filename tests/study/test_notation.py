"""Short texts for widths and names read back as what they were written from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varprop.model.activations import activation_names, get_activation
from varprop.model.initializers import get_initializer
from varprop.model.network import widths_label
from varprop.study.items import parse_named, parse_network, parse_widths


@given(st.lists(st.integers(1, 2**20), min_size=2, max_size=12))
def test_widths_read_back_from_their_label(widths):
    assert parse_widths(widths_label(widths)) == tuple(widths)


@given(st.lists(st.integers(1, 99), min_size=1, max_size=2), st.integers(1, 30))
def test_alternating_widths_read_back_from_their_label(pattern, depth):
    widths = [pattern[i % len(pattern)] for i in range(depth + 1)]
    assert parse_widths(widths_label(widths)) == tuple(widths)


@pytest.mark.parametrize(
    "text",
    ["", "256", "x20", "256x", "256x0", "256x-1", "256 x 20", "256x20x2", "a-b", "1-", "9" * 5000, "²x3", "8x65537"],
)
def test_other_texts_are_no_widths(text):
    with pytest.raises(ValueError, match=r"256x20|between 1 and 65536"):
        parse_widths(text)


@pytest.mark.parametrize("name", activation_names())
def test_activations_read_back_from_their_label(name):
    kind = get_activation(name)
    found, parameters = parse_named(kind.label)
    assert get_activation(found, **parameters) == kind


@pytest.mark.parametrize(
    "kind",
    [
        get_initializer("he_normal"),
        get_initializer("normal", std=1e-7),
        get_initializer("variance_scaling", scale=0.3, mode="fan_avg", distribution="uniform"),
    ],
    ids=lambda kind: kind.name,
)
def test_laws_read_back_from_their_label(kind):
    found, parameters = parse_named(kind.label)
    assert get_initializer(found, **parameters) == kind


@pytest.mark.parametrize(
    "text", ["", "relu(", "relu)", "relu(0.1)", "relu(a=)", "relu(=1)", "a b", "relu(a=1))x", "1relu"]
)
def test_other_texts_name_nothing(text):
    with pytest.raises(ValueError, match="expected a name"):
        parse_named(text)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"widths": "8by3"}, "widths: .*256x20"),
        ({"activation": "rellu"}, "activation: .*'relu'"),
        ({"weights": "he_norml"}, "weights: .*'he_normal'"),
        ({"weights": "normal(std=-1)"}, "weights: .*std"),
        ({"biases": "normal(std=abc)"}, "biases: .*std"),
        ({"widths": "0x3"}, "widths|between 1 and"),
    ],
    ids=str,
)
def test_an_error_says_which_of_the_texts_is_wrong(wrong, message):
    texts = {"widths": "8x3", "activation": "relu", "weights": "he_normal"}
    with pytest.raises(ValueError, match=message):
        parse_network(**texts | wrong)
