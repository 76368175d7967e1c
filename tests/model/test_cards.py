import re

import numpy as np
import pytest

import varprop as vp
from varprop.model.cards import MAX_ROWS, card
from varprop.model.initializers import as_initializer
from varprop.model.simulation import Samples, Simulation
from varprop.model.sites import Module, ModuleNetwork

pytestmark = pytest.mark.false_alarm(0)

SCRIPT = "<script>alert('&')</script>"
ESCAPED = "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;"


def cells(html):
    """The rows of all tables in it, as lists of texts."""
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_a_networks_card_has_a_row_for_each_layer_with_fans_law_and_variance():
    net = vp.Network(
        8,
        [
            vp.Dense(4, weights="he_normal"),
            "relu",
            vp.Dense(2, weights="xavier_normal", biases=vp.get_initializer("constant", value=0.1)),
        ],
    )
    assert cells(net._repr_html_())[-2:] == [
        ["1", "8", "4", "he_normal", "0.25", "zeros", "relu"],
        ["2", "4", "2", "xavier_normal", "0.3333", "constant(value=0.1)", ""],
    ]


def test_layers_alike_share_a_row_and_of_many_others_the_middle_is_left_out():
    (alike,) = cells(vp.mlp([16] * 51, activation="tanh", weights="he_normal")._repr_html_())[-1:]
    assert alike[0] == "1 to 50"
    other = vp.mlp([8, 16] * 200, activation="tanh", weights="he_normal")._repr_html_()
    layers = [row[0] for row in cells(other) if row[0].isdigit()]
    assert len(layers) == MAX_ROWS
    assert (layers[0], layers[-1]) == ("1", "399")
    assert f"{399 - MAX_ROWS} more" in other


def test_what_comes_before_the_first_weights_is_said():
    net = vp.Network(8, ["tanh", vp.Dense(4, weights="he_normal")])
    assert ["before layer 1", "tanh"] in cells(net._repr_html_())


def test_a_variance_that_nobody_stated_is_not_guessed():
    law = as_initializer(lambda shape, rng: rng.normal(size=shape))
    assert "not stated" in vp.mlp([4, 4], activation="relu", weights=law)._repr_html_()


def test_what_is_declared_of_a_sampler_is_said_to_be():
    law = as_initializer(lambda shape, rng: rng.normal(size=shape), name="own", variance=1.0, symmetric=True)
    assert "own, declared symmetric" in vp.mlp([4, 4], activation="relu", weights=law)._repr_html_()


def test_a_name_of_ones_own_is_text_everywhere():
    phi = vp.Activation(name=SCRIPT, value=np.tanh)
    net = vp.mlp([4, 4], activation=phi, weights="he_normal")
    for html in (
        net._repr_html_(),
        vp.simulate(net, n_networks=2, rng=1)._repr_html_(),
        card(SCRIPT, {SCRIPT: SCRIPT}),
    ):
        assert ESCAPED in html
        assert "<script" not in html


def test_a_simulations_card_says_what_was_sampled_and_how():
    sim = vp.simulate(vp.mlp([8] * 4, activation="relu", weights="he_normal"), n_networks=1234, rng=7, method="dense")
    rows = cells(sim._repr_html_())
    assert ["of", "relu, he_normal, 8x3"] in rows
    assert ["networks", "1,234"] in rows
    assert ["method", f"dense, normals {sim.normals}"] in rows
    assert ["seed", sim.seed] in rows
    told = {row[0]: row[1] for row in rows if len(row) == 3}
    assert {name: told[name] for name in sim.quantities} == dict.fromkeys(sim.quantities, "1 to 3")


class Unread:
    """Samples that nobody may read."""

    n_networks = 10**6
    places = ((1, "0"), (2, "2"))

    @property
    def values(self):
        pytest.fail("a card read the samples")

    def column(self, _index):
        pytest.fail("a card read the samples")


def test_no_card_reads_samples():
    net = vp.mlp([4, 4, 4], activation="relu", weights="he_normal")
    sim = Simulation(network=net, inputs=np.ones((1, 4)), samples={"pivot": Unread()})
    assert "1,000,000" in sim._repr_html_()
    assert "1000000 networks" in repr(sim)


def test_a_model_of_modules_has_a_card_too():
    net = ModuleNetwork(label=SCRIPT, modules=(Module(name="fc", kind="Linear", layer=1, weights=True),))
    samples = {"activation_second_moment": Samples(np.ones((2, 1)), ((1, "fc"),))}
    html = Simulation(network=net, inputs=np.ones((1, 1)), samples=samples)._repr_html_()
    assert ESCAPED in html
    assert "activation_second_moment" in html


def test_a_card_takes_its_colours_from_the_page():
    html = vp.mlp([4, 4], activation="relu", weights="he_normal")._repr_html_()
    assert not re.search(r"color|background|<style|<script|src=|href=", html)
