"""What laws allow: a table of laws, activations and biases, forward and backward; what has no spread, and whose tails refuse."""

import math

import numpy as np
import pytest

import varprop as vp
from varprop.model.initializers import as_initializer
from varprop.model.layers import UnsupportedError
from varprop.stats.floors import FromNetworks, Refused, Units
from varprop.verification import validity


def exponential(shape, rng):
    """Mean 0, variance 1/2, and not alike on both sides of 0."""
    return (rng.exponential(size=shape) - 1.0) / math.sqrt(2)


def laplace(shape, rng):
    return rng.laplace(size=shape) / 2


def shifted(shape, rng):
    return 0.3 + 0.5 * rng.standard_normal(shape)


LAWS = {
    "normal": "he_normal",
    "uniform": "he_uniform",
    "truncated": {"name": "truncated_normal", "std": 0.5},
    "haar": "orthogonal",
    "student 3": {"name": "student_t", "std": 0.5, "df": 3},
    "student 12": {"name": "student_t", "std": 0.5, "df": 12},
    "signs": {"name": "rademacher", "std": 0.5},
    "sparse": {"name": "sparse", "std": 0.5, "density": 0.5},
    "zeros": "zeros",
    "constant": {"name": "constant", "value": 0.5},
    "asymmetric": as_initializer(exponential, variance=0.5),
    "shifted": as_initializer(shifted, variance=0.25, mean=0.3),
    "declared": as_initializer(laplace, variance=0.5, symmetric=True),
    "undeclared": as_initializer(laplace, variance=0.5),
    "unknown": as_initializer(laplace, symmetric=True),
}
BIASES = {
    "none": "zeros",
    "normal": {"name": "normal", "std": 0.1},
    "uniform": {"name": "uniform", "limit": 0.1},
    "signs": {"name": "rademacher", "std": 0.1},
    "constant": {"name": "constant", "value": 0.1},
    "asymmetric": as_initializer(exponential, variance=0.5),
}


def network(weights, biases="none", activation="relu", widths=(4, 5, 3, 4)):
    weights = LAWS[weights] if isinstance(weights, str) else weights
    biases = BIASES[biases] if isinstance(biases, str) else biases
    return vp.mlp(list(widths), activation=activation, weights=weights, biases=biases)


# Weights; forward under ReLU, backward under it, backward under the identity.
TABLE = [
    ("normal", True, True, True),
    ("uniform", True, True, True),
    ("truncated", True, True, True),
    ("haar", True, True, True),
    ("student 3", True, True, True),
    ("student 12", True, True, True),
    # A lattice meets z = 0, where a slope is that of neither side.
    ("signs", True, False, True),
    ("sparse", True, False, True),
    ("zeros", True, False, True),
    ("constant", False, False, False),
    ("asymmetric", False, False, False),
    ("shifted", False, False, False),
    # What is declared of a sampler is believed, but not that it has no atoms.
    ("declared", True, False, True),
    ("undeclared", False, False, False),
    ("unknown", False, False, False),
]


def plainly(value):
    """An id of a parameter that is the same in every process: a sampler has no name of its own."""
    return f"{value.name} {value.law.kurtosis}" if hasattr(value, "law") else str(value)


@pytest.mark.parametrize(("weights", "forward", "backward", "linear"), TABLE)
def test_where_steps_multiply(weights, forward, backward, linear):
    assert validity.is_forward_product(network(weights)) == forward
    assert validity.is_forward_affine(network(weights)) == forward
    assert validity.is_backward_product(network(weights)) == backward
    assert validity.is_backward_product(network(weights, activation="linear")) == linear


@pytest.mark.parametrize("weights", [row[0] for row in TABLE])
@pytest.mark.parametrize(
    ("biases", "affine", "atomless"),
    [
        ("normal", True, True),
        ("uniform", True, True),
        ("signs", True, False),
        ("constant", False, False),
        ("asymmetric", False, False),
    ],
)
def test_where_biases_add_to_steps(weights, biases, affine, atomless):
    """With biases no product forward; backward they may be any that are symmetric, and keep z from 0 if they have no atoms."""
    _, forward, backward, linear = next(row for row in TABLE if row[0] == weights)
    biased = network(weights, biases)
    assert not validity.is_forward_product(biased)
    assert validity.is_forward_affine(biased) == (forward and affine)
    assert validity.is_backward_product(biased) == (linear and affine and (backward or atomless))
    assert validity.is_backward_product(network(weights, biases, activation="linear")) == (linear and affine)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("linear", True),
        ("relu", True),
        ("abs", True),
        ({"name": "leaky_relu", "slope": 0.2}, True),
        ({"name": "prelu", "slope": 0.2}, True),
        ("gelu", False),
        ("silu", False),
        ("elu", False),
        ("softplus", False),
        ("tanh", False),
        ("relu6", False),
        ("step", False),
    ],
)
def test_only_two_half_lines_multiply(activation, expected):
    net = network("normal", activation=activation)
    assert validity.is_forward_product(net) == expected
    assert validity.is_backward_product(net) == expected
    assert validity.is_forward_affine(network("normal", "normal", activation=activation)) == expected


def test_one_layer_that_does_not_spoils_the_whole():
    def mixed(*pairs):
        return vp.Network(4, [layer for pair in pairs for layer in pair])

    good, bad = (vp.Dense(4, weights=LAWS[law]) for law in ("normal", "asymmetric"))
    assert validity.is_forward_product(mixed((good, "relu"), (good, "relu")))
    assert not validity.is_forward_product(mixed((good, "relu"), (bad, "relu")))
    assert not validity.is_forward_product(mixed((good, "relu"), (good, "tanh")))
    assert not validity.is_forward_product(vp.Network(4, [good, "relu", "relu", good]))
    assert validity.narrowest(mixed((good, "relu"), (vp.Dense(2, weights="he_normal"), "relu"))) == 2


@pytest.mark.parametrize(
    ("weights", "biases", "rows", "direction"),
    [
        ("normal", "none", True, True),
        ("normal", "normal", True, True),
        ("normal", "uniform", True, False),
        ("uniform", "none", True, False),
        ("haar", "none", True, True),
        ("haar", "normal", True, False),
        ("signs", "none", True, False),
        ("zeros", "none", True, False),
        ("declared", "none", False, False),
    ],
)
def test_rows_alike_and_laws_without_a_direction(weights, biases, rows, direction):
    assert validity.independent_rows(network(weights, biases)) == rows
    assert validity.directionless(network(weights, biases)) == direction


# --- what has no spread ---------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("weights", "biases", "activation", "widths", "expected"),
    [
        ("zeros", "none", "relu", (4, 4, 4), {1, 2}),
        ("constant", "constant", "tanh", (4, 4, 4), {1, 2}),
        ("zeros", "normal", "relu", (4, 4, 4), set()),
        ("haar", "none", "linear", (4, 4, 6), {1, 2}),
        ("haar", "none", "abs", (4, 6, 6), {1, 2}),
        ("haar", "none", "linear", (4, 6, 3), {1}),
        ("haar", "none", "relu", (4, 4, 4), {1}),
        ("haar", "normal", "linear", (4, 4, 4), set()),
        ("normal", "none", "linear", (4, 4, 4), set()),
    ],
)
def test_what_is_the_same_in_all_networks(weights, biases, activation, widths, expected):
    """Of pre-activations' mean squares; and so a sample of five has it."""
    net = network(weights, biases, activation, widths)
    quantity = "preactivation_second_moment"
    sample = vp.simulate(net, n_networks=5, rng=1, quantities=[quantity], executor="serial", method="dense")
    same = {place[0] for place in validity.without_spread(net, quantity) if place in sample.places(quantity)}
    assert same == expected
    for place in sample.places(quantity):
        column = sample.column(quantity, place)
        assert (np.ptp(column) <= 1e-5 * np.abs(column).max()) == (place[0] in expected)
    # Means over units keep no norm.
    if weights == "haar":
        assert not validity.without_spread(net, "activation_mean")


# --- tails ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "biases", "networks", "why"),
    [
        ("normal", "none", 0, ""),
        ("uniform", "none", 0, ""),
        ("truncated", "none", 0, ""),
        ("haar", "none", 0, ""),
        ("signs", "none", 0, ""),
        ("zeros", "none", 0, ""),
        ({"name": "student_t", "std": 0.5, "df": 30}, "none", 200, ""),
        ("student 12", "none", 200, ""),
        ({"name": "student_t", "std": 0.5, "df": 8}, "none", 2000, ""),
        ({"name": "student_t", "std": 0.5, "df": 7}, "none", 0, "are too heavy for a t test"),
        ({"name": "student_t", "std": 0.5, "df": 5}, "none", 0, "kurtosis 9"),
        ({"name": "student_t", "std": 0.5, "df": 4}, "none", 0, "no fourth moment"),
        ("student 3", "none", 0, "no fourth moment"),
        ("normal", {"name": "student_t", "std": 0.1, "df": 3}, 0, "no fourth moment"),
        ({"name": "sparse", "std": 0.5, "density": 0.9}, "none", 200, ""),
        ({"name": "sparse", "std": 0.5, "density": 0.1}, "none", 0, "weights other than 0 on average"),
        ("asymmetric", "none", 0, "is not known"),
        ("unknown", "none", 0, "is not known"),
        (as_initializer(laplace, variance=0.5, kurtosis=6.0), "none", 0, "kurtosis 6"),
        (as_initializer(laplace, variance=0.5, kurtosis=3.5), "none", 200, ""),
        (as_initializer(laplace, variance=0.5, kurtosis=1.8), "none", 0, ""),
    ],
    ids=plainly,
)
def test_what_the_heaviest_tail_asks_for(weights, biases, networks, why):
    net = network(weights, biases)
    tail = validity.heaviest_tail(net)
    assert tail.networks == networks
    assert why in tail.reason
    assert bool(tail.reason) == bool(why)
    floor = validity.law_floor(validity.heaviest_tail(net), 4)
    if why:
        assert floor == Refused(tail.reason)
        assert floor.reason(0.5, 10**9) == tail.reason
    elif networks:
        assert floor == FromNetworks(Units(4), networks, tail.label)
        assert floor.reason(0.05, networks - 1)
        assert not floor.reason(0.05, networks)
    else:
        assert floor == Units(4)


@pytest.mark.parametrize(
    ("weights", "biases", "excess"),
    [
        ("normal", "none", 2.0),
        ("uniform", "none", 2.0),
        ("signs", "none", 2.0),
        ({"name": "student_t", "std": 0.5, "df": 5}, "none", 8.0),
        ({"name": "student_t", "std": 0.5, "df": 6}, "normal", 5.0),
        ("normal", {"name": "student_t", "std": 0.1, "df": 5}, 8.0),
        (as_initializer(laplace, variance=0.5, kurtosis=6.0), "none", 5.0),
    ],
    ids=plainly,
)
def test_a_pivot_varies_no_more_than_its_laws_kurtosis_says(weights, biases, excess):
    """(2 + kappa) / n where kappa > 0, which one weight alone attains: the variance of w^2, averaged over n units."""
    net = network(weights, biases)
    for step in net.steps:
        assert validity.pivot_excess(net, step.place) == pytest.approx(excess / step.units)


def test_of_other_pivots_no_bound_is_known():
    place = network("normal").steps[0].place
    for weights in ("student 3", {"name": "student_t", "std": 0.5, "df": 4}):
        with pytest.raises(UnsupportedError, match="no bound is known"):
            validity.pivot_excess(network(weights), place)
    with pytest.raises(UnsupportedError, match="no bound is known"):
        validity.pivot_excess(network("normal"), (9, "9"))
    with pytest.raises(ValueError, match="kurtosis"):
        validity.pivot_excess(network("asymmetric"), place)


@pytest.mark.false_alarm(0)
def test_a_verdict_says_whose_word_a_symmetry_is():
    said = "weights declared symmetric by their author"
    for declared in (True, False):
        own = vp.as_initializer(laplace, variance=0.5, kurtosis=6.0, symmetric=declared)
        sim = vp.simulate(vp.mlp([4] * 3, activation="relu", weights=own), n_networks=50, rng=1)
        claim = {"id": "a", "quantity": "preactivation_second_moment", "test": "cumulative_mean", "theory": "he"}
        rows = [vp.verify(sim, theory="he"), vp.verify(sim, claims=[claim])]
        notes = [note for frame in rows for note in frame.loc[frame["verdict"].notna(), "note"]]
        assert all((said in note) == declared for note in notes)
