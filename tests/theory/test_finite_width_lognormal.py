"""Log-normal approximations: their density and moments by plain sums, and which layers have one."""

import numpy as np
import pytest

import varprop as vp
from varprop.theory.finite_width.predictions import LogNormalLaw, log_normal_laws

QUANTITY = "preactivation_second_moment"


@pytest.mark.parametrize(("mean", "sd"), [(2.0, 0.1), (1e-8, 2e-8), (3e40, 3e41)])
def test_mass_mean_and_sd_are_those_that_were_given(mean, sd):
    """By a sum over a fine grid of ln q, which knows nothing of how log-normal moments are computed."""
    law = LogNormalLaw(mean=mean, sd=sd, rough=False)
    x = np.log(mean) + np.linspace(-60, 60, 400_001)
    mass, q = np.diff(law.cdf(x)), np.exp((x[:-1] + x[1:]) / 2 - np.log(mean))
    assert mass.sum() == pytest.approx(1.0, abs=1e-12)
    assert mass @ q == pytest.approx(1.0, rel=1e-6)
    assert np.sqrt(mass @ (q - 1) ** 2) == pytest.approx(
        sd / mean, rel=1e-4
    )  # far out differences of the cdf lose digits


def test_to_leading_order_it_is_the_exact_law():
    """Where the exact law is known, the moments of ln q differ by less than a multiple of the square of Var(q) / E[q]^2."""
    for width in (64, 1024):
        net = vp.mlp([width] * 6, activation="relu", weights="he_normal")
        for layer, law in log_normal_laws(net, QUANTITY).items():
            exact, r = vp.theory.finite_width_law(net, layer), (law.sd / law.mean) ** 2
            assert np.log1p(r) == pytest.approx(exact.var, abs=r**2)
            assert np.log(law.mean) - np.log1p(r) / 2 == pytest.approx(exact.mean, abs=r**2)
            assert law.cdf(np.array([exact.mean]))[0] == pytest.approx(exact.cdf(exact.mean), abs=0.2 * r**0.5)


def test_mean_and_sd_are_the_predictions():
    net = vp.mlp([32] * 5, activation="tanh", weights="xavier_normal")
    for quantity in (QUANTITY, "gradient_second_moment"):
        rows = vp.predict(net, theory="finite-width").query("quantity == @quantity")
        laws = log_normal_laws(net, quantity)
        assert list(laws) == rows["layer"].tolist()
        assert [law.mean for law in laws.values()] == rows["predicted"].tolist()
        assert [law.sd for law in laws.values()] == rows["predicted_sd"].tolist()


def test_what_is_constant_has_no_law():
    net = vp.mlp([8] * 3, activation="tanh", weights="he_normal")
    assert list(log_normal_laws(net, "conditional_variance")) == [2]  # given the input, that of layer 1 is a number


def test_rough_is_what_an_expansion_says_of_itself_and_never_an_exact_row():
    net = vp.mlp([8] * 6, activation="gelu", weights="he_normal")
    with pytest.warns(UserWarning, match="from layer 3 on the terms"):
        vp.predict(net, theory="finite-width")
    assert [law.rough for law in log_normal_laws(net, QUANTITY).values()] == [False, False, True, True, True]
    assert [law.rough for law in log_normal_laws(net, "gradient_second_moment").values()] == [True] * 4 + [False]
