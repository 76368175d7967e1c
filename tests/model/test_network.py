"""Networks as trees of layers: where each stands, what feeds it, and what it is called."""

import pytest

import varprop as vp
from varprop.model.network import read_chain

pytestmark = pytest.mark.false_alarm(0)

CHAIN = vp.Network(
    4,
    [
        "tanh",
        vp.Dense(8, weights="he_normal", biases={"name": "normal", "std": 0.5}),
        "relu",
        vp.Dense(2, weights="zeros"),
    ],
)


def test_steps_of_a_chain():
    first, last = CHAIN.steps
    assert [step.number for step in CHAIN.steps] == [1, 2]
    assert (first.place, first.fan_in, first.units) == ((1, "1"), 4, 8)
    assert (first.weight_variance, first.gain, first.bias_variance) == pytest.approx((0.5, 2.0, 0.25))
    assert first.sources == ()
    assert last.sources == (first.site,)
    assert (first.activation_site.module, first.activation.name) == ("2", "relu")
    assert (last.activation_site, last.activation.name) == (None, "linear")


def test_a_chain_has_one_activation_after_each_layer_with_weights():
    assert read_chain(CHAIN, lead=True) == CHAIN.steps
    with pytest.raises(vp.UnsupportedError, match=r"module 0 \(tanh\) follows no layer with weights"):
        read_chain(CHAIN)
    twice = vp.Network(4, [vp.Dense(4, weights="he_normal"), "relu", "tanh"])
    assert [site.module for site in twice.steps[0].after] == ["1", "2"]
    with pytest.raises(
        vp.UnsupportedError, match=r"module 2 \(tanh\) follows another activation; here takes at most one"
    ):
        read_chain(twice, "here")
