"""Step ratios, written out by hand from the measured values."""

import numpy as np
import pytest

import varprop as vp
from varprop.theory import get_theory
from varprop.verification.columns import step_ratios

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

WIDTHS = [30, 24, 36, 20]


def sample(activation="tanh", weights="he_normal", **kwargs):
    net = vp.mlp(WIDTHS, activation=activation, weights=weights, biases={"name": "normal", "std": 0.2})
    return vp.simulate(net, **({"n_networks": 50, "rng": 7, "executor": "serial"} | kwargs))


def test_forward_ratios_start_from_this_networks_conditional_variance():
    sim = sample()
    z2, v = sim.values("preactivation_second_moment"), sim.values("conditional_variance")
    tanh = vp.get_activation("tanh")
    ratios, places = step_ratios(sim, get_theory("mean-field"), "preactivation_second_moment")
    assert [layer for layer, _ in places] == [2, 3]
    # He: fan_in Var(W) = 2.
    np.testing.assert_allclose(ratios, z2[:, 1:] / (2 * tanh.second_moment(v[:, :-1]) + 0.04), rtol=1e-12)
    np.testing.assert_allclose(
        step_ratios(sim, get_theory("he"), "preactivation_second_moment")[0], z2[:, 1:] / (v[:, :-1] + 0.04)
    )
    np.testing.assert_allclose(
        step_ratios(sim, get_theory("preserved"), "preactivation_second_moment")[0], z2[:, 1:] / v[:, :-1]
    )
    var = sim.values("activation_variance")
    np.testing.assert_allclose(
        step_ratios(sim, get_theory("xavier-variance"), "preactivation_second_moment")[0],
        z2[:, 1:] / (2 * var[:, :-1] + 0.04),
    )


def test_activation_ratios():
    sim = sample("relu")
    v, a2 = sim.values("conditional_variance"), sim.values("activation_second_moment")
    va, vz = sim.values("activation_variance"), sim.values("preactivation_variance")
    np.testing.assert_allclose(step_ratios(sim, get_theory("he"), "activation_second_moment")[0], a2 / (v / 2))
    np.testing.assert_allclose(step_ratios(sim, get_theory("he-variance"), "activation_variance")[0], va / (vz / 2))
    np.testing.assert_allclose(
        step_ratios(sim, get_theory("preserved"), "activation_second_moment")[0], a2[:, 1:] / a2[:, :-1]
    )
    np.testing.assert_allclose(
        step_ratios(sim, get_theory("mean-field"), "activation_variance")[0],
        va / vp.get_activation("relu").variance(v),
    )


def test_backward_ratios_start_from_the_gradient_above():
    sim = sample("tanh")
    d2, v = sim.values("gradient_second_moment"), sim.values("conditional_variance")
    slope = vp.get_activation("tanh").derivative_second_moment(v[:, :-1])
    # fan_out Var(W) of the layer above, with He's 2 / fan_in: 36 * 2 / 24 and 20 * 2 / 36.
    expected = d2[:, :-1] / (np.array([36 * 2 / 24, 20 * 2 / 36]) * slope * d2[:, 1:])
    ratios, places = step_ratios(sim, get_theory("mean-field"), "gradient_second_moment")
    assert [layer for layer, _ in places] == [2, 1]
    np.testing.assert_allclose(ratios, expected[:, ::-1], rtol=1e-12)


def test_ratios_are_taken_per_input_and_then_averaged():
    sim = sample(inputs=3, per_input=True)
    z2, v = sim.values("preactivation_second_moment"), sim.values("conditional_variance")
    ratios, _ = step_ratios(sim, get_theory("he"), "preactivation_second_moment")
    np.testing.assert_allclose(ratios, (z2[:, 1:] / (v[:, :-1] + 0.04)).mean(axis=2))
    with pytest.raises(ValueError, match="per_input=True"):
        step_ratios(sample(inputs=3), get_theory("he"), "preactivation_second_moment")


def test_dead_networks_leave_the_risk_set_after_the_layer_where_they_die():
    net = vp.mlp([2, 3, 3, 3], activation="relu", weights="he_normal")
    sim = vp.simulate(net, n_networks=400, rng=1)
    ratios, _ = step_ratios(sim, get_theory("he"), "preactivation_second_moment")
    dead_1 = sim.values("activation_second_moment")[:, 0] == 0
    dead_2 = (sim.values("activation_second_moment")[:, 1] == 0) & ~dead_1
    assert dead_1.any()
    assert dead_2.any()
    assert (ratios[dead_1, 0] == 0).all()  # z_2 = 0 though z_1 was not: counted
    assert np.isnan(ratios[dead_1, 1]).all()  # and gone afterwards
    assert (ratios[dead_2, 1] == 0).all()


def test_what_a_step_needs_must_be_there():
    sim = sample(quantities=["preactivation_second_moment"])
    with pytest.raises(ValueError, match=r"conditional_variance.* was not recorded"):
        step_ratios(sim, get_theory("he"), "preactivation_second_moment")
    with pytest.raises(vp.UnsupportedError, match="says nothing of gradient_second_moment; use one of 'xavier', 'he'"):
        step_ratios(sample(), get_theory("he-variance"), "gradient_second_moment")
    with pytest.raises(vp.UnsupportedError, match="says nothing of activation_variance"):
        step_ratios(sample(), get_theory("he"), "activation_variance")
    one = vp.simulate(vp.mlp([4, 4], activation="relu", weights="he_normal"), n_networks=5, rng=1)
    with pytest.raises(ValueError, match="has no step"):
        step_ratios(one, get_theory("he"), "preactivation_second_moment")


@pytest.mark.parametrize("quantity", ["preactivation_second_moment", "gradient_second_moment"])
@pytest.mark.parametrize("test", ["step_mean", "cumulative_mean"])
def test_he_puts_no_half_where_no_activation_is(test, quantity):
    """Without activations He's variance doubles the signal, by step and over the depth.

    A step's relative variance is 2/64, so over 2,000 networks the margin of 10 % is 20 standard errors, and a half too
    much or too little, the negative control, 90 or more beyond it: less than 1e-15 of chance.
    """
    net = vp.Network(64, [vp.Dense(64, weights="he_normal") for _ in range(3)])
    sim = vp.simulate(net, n_networks=2000, rng=13, executor="serial")
    claim = {"id": "x", "quantity": quantity, "test": test, "theory": "he", "margin": 0.1}
    assert vp.verify(sim, claims=[claim]).verdict[0] == "supported"
    halved = vp.Network(64, [one for layer in net.layers for one in (layer, "linear")][:-1])
    again = vp.simulate(halved, n_networks=2000, rng=13, executor="serial")
    assert vp.verify(again, claims=[claim]).verdict[0] == "refuted"


def he(units=3, **kwargs):
    return vp.Dense(units, weights="he_normal", **kwargs)


LEAKY = vp.get_activation("leaky_relu", slope=0.6)
DYING = {
    "relu": vp.mlp([3] * 7, activation="relu", weights="he_normal"),
    "none above": vp.Network(3, [he(), "relu", he(), "relu", he(), he(), he()]),
    "leaky above": vp.Network(3, [he(), "relu", he(), "relu", he(), LEAKY, he(), "linear", he()]),
    "biases above": vp.Network(
        3, [he(), "relu", he(), "relu", he(), LEAKY, he(biases={"name": "normal", "std": 0.5}), "relu", he()]
    ),
}


@pytest.mark.false_alarm(1e-9)
@pytest.mark.parametrize("net", DYING)
def test_steps_and_means_of_finite_width_hold_where_networks_die(net):
    """Ratios of networks of width 3 have mean 1, counted over those whose gradient above is not 0.

    Seven standard errors of some 10,000 ratios or more, of skewness 3: 2.6e-12 for normal means, four times that with
    Cramer's correction exp(3 7^3 / (6 100)) to the tail, in five columns of either side and the means of the last two
    layers below the readout, whose skewness is no larger. The negative control, theory "he", is off by twelve standard
    errors and more in some step of every network.
    """
    quantities = ["gradient_second_moment", "conditional_variance"]
    sim = vp.simulate(DYING[net], n_networks=40_000, rng=3, executor="serial", quantities=quantities)

    def errors(theory):
        ratios, _ = step_ratios(sim, get_theory(theory), "gradient_second_moment")
        at_risk = (~np.isnan(ratios)).sum(axis=0)
        return (np.nanmean(ratios, axis=0) - 1) / (np.nanstd(ratios, axis=0) / np.sqrt(at_risk))

    assert np.abs(errors("finite-width")).max() < 7
    assert np.abs(errors("he")).max() > 7
    table = vp.predict(DYING[net], theory="finite-width")
    said = table[table.quantity == "gradient_second_moment"].predicted.to_numpy()[-3:-1]
    measured = sim.values("gradient_second_moment")[:, -3:-1]
    assert (np.abs(measured.mean(axis=0) - said) < 7 * measured.std(axis=0) / 200).all()


@pytest.mark.parametrize("test", ["step_mean", "cumulative_mean"])
def test_a_blank_input_refutes_nothing(test):
    """One input of ten is all zero, so that ReLU lets no gradient of it through.

    The step back has a relative variance below 7/64 + 2/64 whatever the inputs have in common, a standard error below
    .006 over 4,000 networks: the margin of 7 % is 11 of them. Predicted without the blank input, 1 in place of .9, the
    ratio is .9 and misses the margin by 6: the negative control.
    """
    net = vp.mlp([64] * 3, activation="relu", weights="he_normal")
    inputs = np.vstack([np.random.default_rng(1).choice([-1.0, 1.0], size=(9, 64)), np.zeros((1, 64))])
    sim = vp.simulate(net, n_networks=4000, rng=4, inputs=inputs, per_input=True, executor="serial")
    claim = {"id": "x", "quantity": "gradient_second_moment", "test": test, "theory": "he", "margin": 0.07}
    assert vp.verify(sim, claims=[claim]).verdict[0] == "supported"
    ratios = sim.values("gradient_second_moment")[:, 0].mean(axis=1)
    assert ratios.mean() < 0.95
