"""Means as they stand: which values take a quantity's place, the ends that they have, and what is proved of them."""

import math

import numpy as np
import pytest

import varprop as vp
from varprop.model.activations import activation_names
from varprop.model.initializers import as_initializer
from varprop.stats.capital import Capital, CapitalMean
from varprop.stats.positive import EitherMean
from varprop.verification.as_they_stand import StandingColumn, columns_of, plain_means, plain_rate
from varprop.verification.questions import UndecidableError, ask

Z, V = "preactivation_second_moment", "conditional_variance"
NAMES = sorted(activation_names())
VALUES = (
    "activation_mean",
    "activation_second_moment",
    "activation_variance",
    "derivative_second_moment",
    "saturated_fraction",
    "dead_fraction",
    "cosine",
    Z,
    "preactivation_variance",
    "preactivation_mean",
    "gradient_second_moment",
    "gradient_mean",
)


def simulated(activation, networks=40, inputs=3):
    """Narrow layers with large weights, which fill whatever range an activation has; e^e^e overflows."""
    std = 0.2 if activation == "exp" else 3.0
    laws = {"weights": {"name": "normal", "std": std}, "biases": {"name": "normal", "std": std}}
    net = vp.mlp([3, 2, 4, 3], activation=activation, **laws)
    return vp.simulate(
        net, n_networks=networks, rng=5, inputs=inputs, per_input=True, executor="serial", method="dense"
    )


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("name", NAMES)
def test_no_value_lies_beyond_the_ends_that_it_has_by_definition(name):
    """Every activation of the catalogue, at its defaults: what is measured lies between the ends, or bets would refuse it."""
    sample = simulated(name)
    for quantity in VALUES:
        if quantity not in sample.quantities:
            continue
        places = sample.places(quantity)
        for column in columns_of(sample.network, quantity, places, sample.quantities):
            values = sample.column(column.quantity, column.place)
            low, high = np.nanmin(values), np.nanmax(values)
            slack = 1e-5 * max(1.0, abs(column.low) if math.isfinite(column.low) else 0.0, abs(high))
            assert column.low - slack <= low
            assert high <= column.high + slack
            assert column.ends == sum(map(math.isfinite, (column.low, column.high)))


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("biases", ["zeros", {"name": "normal", "std": 0.5}])
def test_a_conditional_variance_takes_the_place_of_a_mean_square(biases):
    """After a bounded activation, of the same mean, with ends, and less variable: means of 5,000 networks within 6 errors.

    Not in the first layer, where it would be the same in all networks; not where it was not recorded.
    """
    net = vp.mlp([4, 5, 4, 3], activation="tanh", weights={"name": "normal", "std": 0.8}, biases=biases)
    sample = vp.simulate(net, n_networks=5000, rng=6, executor="serial", quantities=[Z, V, "preactivation_variance"])
    added = 0.25 if biases != "zeros" else 0.0
    for quantity in (Z, "preactivation_variance"):
        places = sample.places(quantity)
        first, *others = columns_of(net, quantity, places, sample.quantities)
        assert first == StandingColumn(quantity, places[0], 0.0)
        for column, place, width in zip(others, places[1:], (5, 4), strict=True):
            assert column == StandingColumn(V, place, pytest.approx(added), pytest.approx(added + 0.64 * width))
            mine, theirs = sample.column(V, place), sample.column(quantity, place)
            assert abs((mine - theirs).mean()) < 6 * (mine - theirs).std() / math.sqrt(5000)
            assert mine.std() < theirs.std()
        assert columns_of(net, quantity, places, [quantity])[1].quantity == quantity
    for weights in ("orthogonal", as_initializer(lambda shape, rng: rng.normal(size=shape), variance=1.0)):
        other = vp.mlp([4, 5, 4], activation="tanh", weights=weights)
        assert columns_of(other, Z, sample.places(Z)[:2], [Z, V])[1].quantity == Z
    grown = vp.mlp([4, 5, 4], activation="relu", weights="he_normal")
    assert columns_of(grown, Z, sample.places(Z)[:2], [Z, V])[1] == StandingColumn(Z, sample.places(Z)[1], 0.0)


def means_of(sample, quantity, nulls, **options):
    (found,) = ask([plain_means("level", sample, quantity, nulls, **options)], sample)
    return dict(found)


@pytest.mark.false_alarm(0)
def test_every_place_is_judged_by_what_it_has():
    """Two ends, one, or none in one question; each as it would be alone."""
    sample = vp.simulate(
        vp.Network(4, [vp.Dense(4, weights="he_normal"), "tanh", vp.Dense(4, weights="he_normal"), "relu"]),
        n_networks=300,
        rng=2,
        executor="serial",
    )
    first, second = sample.places("activation_second_moment")
    found = means_of(sample, "activation_second_moment", {first: 0.5, second: 1.0})
    assert list(found) == [first, second]
    bounded, half = found[first], found[second]
    assert isinstance(bounded, EitherMean)
    assert math.isfinite(bounded.bets.bounds(0.05)[1])
    assert math.isinf(half.bets.bounds(0.05)[1])
    direct = Capital.of(sample.column("activation_second_moment", first)[:, None], low=0.0, high=1.0)
    assert bounded.bets.p_above(-0.5) == pytest.approx(direct.p_above(0, 0.5 * math.exp(-0.5)), rel=1e-9)
    (alone,) = means_of(sample, "activation_second_moment", {first: 0.5}, bets_alone=True, scale="relative").values()
    assert isinstance(alone, CapitalMean)
    assert alone.guarantee(1e-9) == "proved"
    linear = vp.simulate(
        vp.mlp([4, 4], activation="linear", weights="he_normal"), n_networks=300, rng=2, executor="serial"
    )
    (place,) = linear.places("activation_mean")
    (found,) = means_of(linear, "activation_mean", {place: 0.5}, scale="relative").values()
    assert not isinstance(found, EitherMean)  # without ends nothing is bet


@pytest.mark.false_alarm(0)
def test_what_the_law_keeps_the_same_is_certain():
    """Haar matrices keep a norm: to the last bit or by a t test of the last bits, right or wrong without a doubt."""
    net = vp.mlp([4, 4, 4], activation="linear", weights="orthogonal")
    sample = vp.simulate(net, n_networks=50, rng=2, executor="serial", method="dense", quantities=[Z])
    table = vp.verify(sample, theory="preserved", margin=0.05)
    assert set(table["verdict"]) == {"supported"}
    zeros = vp.mlp([4, 4, 4], activation="tanh", weights={"name": "constant", "value": 0.1})
    alike = vp.simulate(zeros, n_networks=5, rng=2, executor="serial", method="dense")
    claims = [
        {"id": "a", "test": "level", "quantity": "activation_mean", "above": 0.3, "layers": (1, 1)},
        {"id": "b", "test": "level", "quantity": "derivative_second_moment", "below": 0.1, "layers": (1, 1)},
    ]
    table = vp.verify(alike, claims=claims)
    assert table[table["verdict"].notna()]["verdict"].tolist() == ["supported", "refuted"]


@pytest.mark.false_alarm(0)
def test_places_without_values_leave_the_others():
    sample = vp.simulate(
        vp.mlp([4] * 4, activation="gelu", weights="he_normal"), n_networks=300, rng=2, executor="serial"
    )
    values = sample.values(Z)
    values[:, 1] = np.nan
    values[:7, 2] = np.nan
    nulls = dict.fromkeys(sample.places(Z), 1.0)
    first, second, third = means_of(sample, Z, nulls, scale="logarithm").values()
    assert isinstance(second, UndecidableError)
    assert "0 of 300 networks have a value" in str(second)
    assert (first.n, third.n) == (300, 293)
    assert third.note.startswith("7 of 300 networks have no value and are left out")


@pytest.mark.false_alarm(0)
def test_growth_after_a_bounded_activation_is_proved_on_both_sides():
    """tanh, from layer 2 to 4: bets on conditional variances bound the rate, whatever a t test says."""
    net = vp.mlp([16] * 5, activation="tanh", weights="xavier_normal")
    sample = vp.simulate(net, n_networks=3000, rng=2, executor="serial", quantities=[Z, V])
    places = sample.places(Z)
    (found,) = ask([plain_rate("growth_rate_mean", sample, Z, (places[1], places[3]), steps=2, expected=0.0)], sample)
    means = [sample.column(V, place).mean() for place in (places[1], places[3])]
    assert found.theta == pytest.approx(math.log(means[1] / means[0]) / 2, rel=1e-9)
    low, high = found.bets.bounds(0.0005)
    assert low < found.theta < high
    assert high - low < 0.3
    assert found.bets.last.bets.guarantee(1e-9) == "proved"
    (unbounded,) = ask(
        [plain_rate("g", simulated_gelu(), Z, simulated_gelu().places(Z)[:2], steps=1, expected=0.0)], simulated_gelu()
    )
    assert math.isfinite(unbounded.bounds(0.05)[0])


def simulated_gelu():
    return vp.simulate(
        vp.mlp([16] * 3, activation="gelu", weights="he_normal"),
        n_networks=300,
        rng=2,
        executor="serial",
        quantities=[Z],
    )
