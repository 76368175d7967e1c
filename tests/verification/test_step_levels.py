"""One-sided levels of means over depth put together from steps, both sides apart, at .05 and .05/20; slow."""

import math

import numpy as np
import pytest
from scipy import special, stats

import varprop as vp
from varprop.stats.means import step_mean_layers
from varprop.stats.multiple import acceptance_region
from varprop.verification.calibration.truths import layer_norms
from varprop.verification.forms import form_of

LEVELS = (0.05, 0.05 / 20)
Z, A, V = "preactivation_second_moment", "activation_second_moment", "conditional_variance"
FALSE_ALARM = 1e-6

pytestmark = pytest.mark.montecarlo


def mlp(width, depth, std=0.0):
    return vp.mlp(
        [width] * (depth + 1),
        activation="relu",
        weights="he_normal",
        biases={"name": "normal", "std": std} if std else "zeros",
    )


def norms(network, networks, seed):
    wanted = [V, Z, A, "gradient_second_moment", "weight_gradient_second_moment"]
    return vp.simulate(network, n_networks=networks, rng=seed, method="norms", executor="serial", quantities=wanted)


def forward_norms(network, networks, seed):
    return layer_norms(network, n_networks=networks, rng=np.random.default_rng(seed))


def engine(network, networks, seed):
    names = [
        V,
        Z,
        "preactivation_variance",
        "activation_variance",
        "activation_mean",
        "gradient_variance",
        "gradient_second_moment",
    ]
    return vp.simulate(network, n_networks=networks, rng=seed, executor="serial", quantities=names)


def counted(network, quantity, layer, truth, *, draw, studies, networks, piece=200):
    """How many studies exclude the truth on either side, at each level: by steps, and by a plain t test of the logarithm."""
    by_steps, plain = np.zeros((2, len(LEVELS)), dtype=int), np.zeros((2, len(LEVELS)), dtype=int)
    for seed in np.random.SeedSequence(20).spawn(studies // piece):
        sample = draw(network, piece * networks, seed)
        form = form_of(sample, quantity)
        at = next(i for i, place in enumerate(form.places) if place[0] == layer)
        (table,) = form.tables(sample)
        for i in range(piece):
            outcome = form.profile(table.summed(slice(i * networks, (i + 1) * networks))).outcome("level", at)
            by_steps += [[p(math.log(truth)) <= a for a in LEVELS] for p in (outcome.p_below, outcome.p_above)]
        column = sample.column(quantity, form.places[at]).reshape(piece, networks).T / truth
        for outcome in step_mean_layers(column):
            plain += [[p(0.0) <= a for a in LEVELS] for p in (outcome.p_below, outcome.p_above)]
    return by_steps, plain


def mean_activation(width, depth):
    """E sqrt(v) by its steps, times E relu of a standard normal number."""
    k = np.arange(1, width + 1)
    roots = np.exp(special.gammaln((k + 1) / 2) - special.gammaln(k / 2))
    step = math.sqrt(2 / width) * math.sqrt(2) * (stats.binom.pmf(k, width, 0.5) * roots).sum()
    return math.sqrt(2) * step ** (depth - 1) / math.sqrt(2 * math.pi)


CASES = {
    # A weight's gradient, by the signal below and the gradient above: 1 in every layer.
    "weight gradient, layer 25 of 16x50": (mlp(16, 50), "weight_gradient_second_moment", 25, 1.0, norms, 200, 6000),
    "weight gradient, layer 15 of 8x30": (mlp(8, 30), "weight_gradient_second_moment", 15, 1.0, norms, 200, 6000),
    # Biases: 2 + (l - 1) Var(b), and what enters the next layer.
    "biases of 1e-6, 16x50": (mlp(16, 50, 0.001), Z, 50, 2 + 50e-6, forward_norms, 200, 6000),
    "biases of .01, 16x50": (mlp(16, 50, 0.1), Z, 50, 2.5, forward_norms, 200, 6000),
    "biases of 1, 8x30": (mlp(8, 30, 1.0), Z, 30, 32.0, forward_norms, 400, 6000),
    "biases of .01, 8x30, activations": (mlp(8, 30, 0.1), A, 30, 1.15, forward_norms, 400, 6000),
    # Variances over units and mean activations, by the last step's ratio.
    "preactivation variance, 8x30": (mlp(8, 30), "preactivation_variance", 30, 2.0, engine, 500, 4000),
    "activation variance, 8x30": (mlp(8, 30), "activation_variance", 30, 1 - 1 / math.pi, engine, 500, 4000),
    "gradient variance, 8x30": (mlp(8, 30), "gradient_variance", 1, 1.0, engine, 500, 4000),
    "activation mean, 8x30": (mlp(8, 30), "activation_mean", 30, mean_activation(8, 30), engine, 500, 4000),
    "activation mean, 16x50": (mlp(16, 50), "activation_mean", 50, mean_activation(16, 50), engine, 250, 4000),
}


@pytest.mark.false_alarm(4e-6)
@pytest.mark.parametrize("name", list(CASES))
def test_steps_hold_their_level_where_plain_means_do_not(name):
    """Both sides at both levels, of thousands of studies: no more than 1.3 times the level at .05, and 1.6 times at .05/20.

    So much is left of the steps' skewness by what was measured: 1.2 and 1.5 times. False alarm 1e-6 of each of four upper ends
    of acceptance regions. Negative control: the plain t test of the logarithm errs on the low side more than twice as often as
    is allowed, by more than five standard errors.
    """
    network, quantity, layer, truth, draw, networks, studies = CASES[name]
    by_steps, plain = counted(network, quantity, layer, truth, draw=draw, studies=studies, networks=networks)
    most = [
        acceptance_region(studies, slack * a, false_alarm=2 * FALSE_ALARM)[1]
        for slack, a in zip((1.3, 1.6), LEVELS, strict=True)
    ]
    assert (by_steps <= most).all()
    assert (plain[0] > 2 * np.array(most)).all()
