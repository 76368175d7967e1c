"""Means over depth put together from steps: by hand, network by network, and against truths that algebra gives."""

import math

import numpy as np
import pytest

import varprop as vp
from varprop.model.simulation import Samples, Simulation
from varprop.stats.floors import Refused, Strict, Units
from varprop.verification.forms import form_of, is_product
from varprop.verification.questions import Measured

PLAIN = vp.mlp([6, 4, 5, 3, 4], activation="relu", weights="he_normal")
BIASED = vp.mlp([6, 4, 5, 3, 4], activation="relu", weights="he_normal", biases={"name": "normal", "std": 0.7})
LEAKY = vp.mlp([6, 4, 5, 3, 4], activation={"name": "leaky_relu", "slope": 0.3}, weights="he_uniform")
UNIFORM = vp.mlp(
    [6, 4, 5, 3, 4],
    activation={"name": "leaky_relu", "slope": 0.3},
    weights="he_uniform",
    biases={"name": "uniform", "limit": 0.9},
)
NETWORKS = {"plain": PLAIN, "biased": BIASED, "leaky": LEAKY, "uniform": UNIFORM}
FORMS = {
    "preactivation_second_moment": ("biased", "uniform"),
    "activation_second_moment": ("biased", "uniform"),
    "preactivation_variance": ("plain", "biased", "leaky", "uniform"),
    "activation_variance": ("plain", "biased"),
    "activation_mean": ("plain",),
    "gradient_variance": ("plain", "biased", "leaky", "uniform"),
    "weight_gradient_second_moment": ("plain", "biased", "leaky", "uniform"),
}
CASES = [(quantity, name) for quantity, names in FORMS.items() for name in names]


@pytest.fixture(scope="module")
def samples():
    """300 networks of each, as matrices that are multiplied out, some of which die."""
    made = {
        name: vp.simulate(network, n_networks=300, rng=71 + i, method="dense", executor="serial")
        for i, (name, network) in enumerate(NETWORKS.items())
    }
    assert (made["plain"].values("activation_second_moment")[:, -1] == 0).any()
    return made


def judged(simulation, quantity):
    """All outcomes of a form, as they are."""
    form = form_of(simulation, quantity)
    (table,) = form.tables(simulation)
    profile = form.profile(table.summed())
    return form.places, [profile.outcome("cumulative_mean", i) for i in range(len(form.places))], profile


# --- by hand --------------------------------------------------------------------------------------------------------


class ByHand:
    """Estimates whose influences are added up network by network, in plain loops over layers.

    A pair (estimate, influences) stands for the logarithm of one mean: influence number i is what network i adds to N times
    the estimate, so the standard error is that of the influences' mean.
    """

    def __init__(self, simulation, network):
        measured = Measured(simulation)
        dense, active = simulation.places("preactivation_second_moment"), simulation.places("activation_second_moment")

        def read(quantity, places):
            return [measured.at(quantity, place).mean(axis=1) for place in places]

        self.n = simulation.n_networks
        self.v = read("conditional_variance", dense)
        self.z2, self.zvar = read("preactivation_second_moment", dense), read("preactivation_variance", dense)
        self.a2, self.avar = read("activation_second_moment", active), read("activation_variance", active)
        self.amean = read("activation_mean", active)
        self.d2, self.dvar = read("gradient_second_moment", dense), read("gradient_variance", dense)
        layers = [layer for layer in network.layers if hasattr(layer, "weights")]
        fans = list(zip(network.widths[:-1], network.widths[1:], strict=True))
        self.gain = [f[0] * layer.weights.variance(*f) for layer, f in zip(layers, fans, strict=True)]
        self.added = [layer.biases.variance(*f) for layer, f in zip(layers, fans, strict=True)]
        self.depth = len(fans)
        self.at_risk = []

    def log_mean(self, values, among=None):
        present = np.ones(self.n, dtype=bool) if among is None else among
        x = values[present]
        self.at_risk.append(len(x))
        influence = np.zeros(self.n)
        influence[present] = (x / x.mean() - 1) * self.n / len(x)
        return math.log(x.mean()) + x.var(ddof=1) / (2 * len(x) * x.mean() ** 2), influence

    def ratio(self, values, below, among=None):
        present = (below > 0) if among is None else among & (below > 0)
        return self.log_mean(np.divide(values, below, out=np.zeros(self.n), where=below > 0), present)

    @staticmethod
    def product(*parts):
        return sum(part[0] for part in parts), sum(part[1] for part in parts)

    def carrier(self, layer):
        """log E v of a layer: a product without biases, else E v = gain m E v + bias variance, layer by layer."""
        if not any(self.added):
            found = math.log(self.v[0].mean()), np.zeros(self.n)
            for i in range(layer):
                found = self.product(found, self.ratio(self.v[i + 1], self.v[i]))
            return found
        mean, influence, bias = self.v[0].mean(), np.zeros(self.n), 0.0
        for i in range(layer):
            r = self.a2[i] / self.v[i]
            self.at_risk.append(self.n)
            m, s2 = r.mean(), r.var(ddof=1)
            after = self.gain[i + 1] * m * mean + self.added[i + 1]
            w = self.gain[i + 1] * m * mean / after
            influence = influence + r / m - 1
            variance = influence.var(ddof=1) / self.n
            bias = w * (bias + s2 / (2 * self.n * m**2)) - w * (1 - w) * variance / 2
            mean, influence = after, w * influence
        return math.log(mean) + bias, influence

    def preactivation_second_moment(self, layer):
        return self.product(self.carrier(layer), self.ratio(self.z2[layer], self.v[layer]))

    def preactivation_variance(self, layer):
        return self.product(self.carrier(layer), self.ratio(self.zvar[layer], self.v[layer]))

    def activation_second_moment(self, layer):
        return self.product(self.carrier(layer), self.ratio(self.a2[layer], self.v[layer]))

    def activation_variance(self, layer):
        return self.product(self.carrier(layer), self.ratio(self.avar[layer], self.v[layer]))

    def activation_mean(self, layer):
        roots = [np.sqrt(v) for v in self.v]
        found = math.log(roots[0].mean()), np.zeros(self.n)
        for i in range(layer):
            found = self.product(found, self.ratio(roots[i + 1], roots[i]))
        return self.product(found, self.ratio(self.amean[layer], roots[layer]))

    def gradient_variance(self, layer):
        if layer == self.depth - 1:
            return self.log_mean(self.dvar[layer])
        found = self.log_mean(self.d2[-1])
        for i in range(self.depth - 2, layer, -1):
            found = self.product(found, self.ratio(self.d2[i], self.d2[i + 1]))
        return self.product(found, self.ratio(self.dvar[layer], self.d2[layer + 1]))

    def weight_gradient_second_moment(self, layer):
        """What enters the layer times its gradient, the step below the readout among networks that live in the layer."""
        if layer == 0:
            entering = math.log((self.v[0].mean() - self.added[0]) / self.gain[0]), np.zeros(self.n)
        elif any(self.added):
            entering = self.product(self.carrier(layer - 1), self.ratio(self.a2[layer - 1], self.v[layer - 1]))
        else:
            entering = self.carrier(layer)
            entering = entering[0] - math.log(self.gain[layer]), entering[1]
        found = self.product(entering, self.log_mean(self.d2[-1]))
        for i in range(self.depth - 2, layer - 1, -1):
            among = self.v[layer] > 0 if i == self.depth - 2 else None
            found = self.product(found, self.ratio(self.d2[i], self.d2[i + 1], among))
        return found


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(("quantity", "name"), CASES)
def test_a_form_is_what_influences_added_up_by_hand_give(samples, quantity, name):
    simulation = samples[name]
    places, outcomes, _ = judged(simulation, quantity)
    assert [place[0] for place in places] == sorted(
        {place[0] for place in simulation.places(quantity)},
        reverse=quantity.endswith(("gradient_second_moment",)) or "gradient" in quantity,
    )
    for place, outcome in zip(places, outcomes, strict=True):
        hand = ByHand(simulation, NETWORKS[name])
        estimate, influence = getattr(hand, quantity)(place[0] - 1)
        assert outcome.theta == pytest.approx(estimate, rel=1e-9, abs=1e-9)
        assert outcome.se == pytest.approx(influence.std(ddof=1) / math.sqrt(300), rel=1e-7, abs=1e-12)
        if influence.any():
            assert (outcome.n, outcome.df) == (300, min(hand.at_risk) - 1)


@pytest.mark.false_alarm(0)
def test_a_rate_is_the_difference_of_two_places(samples):
    _, outcomes, profile = judged(samples["biased"], "preactivation_second_moment")
    hand = ByHand(samples["biased"], BIASED)
    (last, to_last), (first, to_first) = (hand.preactivation_second_moment(layer) for layer in (3, 1))
    rate = profile.rate("growth_rate_mean", 1, 3, steps=2, expected=0.1)
    assert rate.theta == pytest.approx((last - first) / 2 - 0.1, rel=1e-9)
    assert rate.se == pytest.approx((to_last - to_first).std(ddof=1) / math.sqrt(300) / 2, rel=1e-7)
    assert outcomes[3].theta == pytest.approx(last, rel=1e-9)


@pytest.mark.false_alarm(0)
def test_predictions_are_taken_off(samples):
    form = form_of(samples["biased"], "activation_variance")
    (table,) = form.tables(samples["biased"])
    plain, relative = form.profile(table.summed()), form.profile(table.summed(), [2.0, 3.0, 4.0, 5.0])
    for i, predicted in enumerate((2.0, 3.0, 4.0, 5.0)):
        one, other = plain.outcome("level", i), relative.outcome("level", i)
        assert (other.theta, other.se) == pytest.approx((one.theta - math.log(predicted), one.se), rel=1e-12)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(("quantity", "name"), CASES)
def test_pieces_of_a_sample_add_up(samples, quantity, name):
    simulation = samples[name]
    form = form_of(simulation, quantity)
    pieces = [
        Simulation(
            network=simulation.network,
            inputs=simulation.inputs,
            samples={
                quantity: Samples(simulation.values(quantity)[a:b], simulation.places(quantity))
                for quantity in simulation.quantities
            },
        )
        for a, b in ((0, 7), (7, 250), (250, 300))
    ]
    summed = [form.tables(piece)[0].summed() for piece in pieces]
    profile = form.profile(summed[0] + summed[1] + summed[2])
    _, outcomes, _ = judged(simulation, quantity)
    for i, outcome in enumerate(outcomes):
        again = profile.outcome("cumulative_mean", i)
        assert (again.theta, again.se, again.df) == pytest.approx(
            (outcome.theta, outcome.se, outcome.df), rel=1e-9, abs=1e-12
        )


# --- against truths -------------------------------------------------------------------------------------------------


def truths(network, squares):
    """Exact means of every quantity at every layer, under ReLU and Gaussian laws, for the mean squares of the inputs.

    Given v a layer's units are independent N(0, v): E a^2 = v/2 and E a_i a_j = v / 2 pi. A squared gradient is multiplied by
    n Var(W) / 2 in each layer, from that of the readout, 1, whatever biases there are, in networks that are alive in the layer
    below; given that, what enters the layer is independent of it. A layer of n units dies with probability 2^-n.
    """
    layers = [layer for layer in network.layers if hasattr(layer, "weights")]
    fans = list(zip(network.widths[:-1], network.widths[1:], strict=True))
    gain = [f[0] * layer.weights.variance(*f) for layer, f in zip(layers, fans, strict=True)]
    back = [f[1] * layer.weights.variance(*f) / 2 for layer, f in zip(layers, fans, strict=True)]
    added = [layer.biases.variance(*f) for layer, f in zip(layers, fans, strict=True)]
    v, entering = [gain[0] * np.mean(squares) + added[0]], [np.mean(squares)]
    for i in range(1, len(fans)):
        entering.append(v[-1] / 2)
        v.append(gain[i] * v[-1] / 2 + added[i])
    v = np.array(v)
    delta = np.array([math.prod(back[i + 1 :]) for i in range(len(fans))])
    alive = np.array(
        [1.0 if added[0] else math.prod(1 - 2.0**-n for n in network.widths[1 : i + 1]) for i in range(len(fans))]
    )
    alive[-1] = 1.0  # above the last layer there is the readout alone
    return {
        "preactivation_second_moment": v,
        "preactivation_variance": v,
        "activation_second_moment": v / 2,
        "activation_variance": v * (1 / 2 - 1 / (2 * math.pi)),
        "gradient_second_moment": delta * alive,
        "gradient_variance": delta * alive,
        "weight_gradient_second_moment": np.array(entering) * delta,
    }


DEEP = {
    "plain": vp.mlp([4] * 7, activation="relu", weights="he_normal"),
    "biased": vp.mlp([4] * 7, activation="relu", weights="he_normal", biases={"name": "normal", "std": 0.5}),
    "growing": vp.mlp(
        [3, 5, 4, 6, 5],
        activation="relu",
        weights={"name": "normal", "std": 0.8},
        biases={"name": "normal", "std": 0.3},
    ),
}


@pytest.fixture(scope="module")
def large():
    return {
        name: vp.simulate(network, n_networks=8000, rng=81 + i, executor="serial")
        for i, (name, network) in enumerate(DEEP.items())
    }


@pytest.mark.false_alarm(2e-8)
@pytest.mark.parametrize("name", list(DEEP))
def test_estimates_are_about_the_truth(large, name):
    """8,000 narrow networks, some 40 estimates: each within 6.5 standard errors of what algebra says.

    Estimates over depth are sums of many influences and close to normal: 8e-11 each, and 5e-10 with what skewness adds to
    either; false alarm 2e-8 a case. Negative control: at the deepest layers a truth 30 % off lies farther away than that.
    """
    exact = truths(DEEP[name], [1.0])
    said = vp.predict(DEEP[name], theory="finite-width")
    checked = 0
    for quantity in FORMS:
        if quantity not in exact or form_of(large[name], quantity) is None:
            continue
        places, outcomes, _ = judged(large[name], quantity)
        for place, outcome in zip(places, outcomes, strict=True):
            truth = exact[quantity][place[0] - 1]
            if outcome.se == 0.0:
                assert outcome.theta == pytest.approx(math.log(truth), abs=1e-6)
                continue
            assert abs(outcome.theta - math.log(truth)) < 6.5 * outcome.se
            assert abs(outcome.theta - math.log(1.3 * truth)) > 6.5 * outcome.se
            theirs = said[(said["quantity"] == quantity) & (said["layer"] == place[0])]
            if len(theirs) and theirs["exact"].iloc[0]:
                assert theirs["predicted"].iloc[0] == pytest.approx(truth, rel=1e-9)
            checked += 1
    assert checked >= 15


@pytest.mark.false_alarm(1e-8)
def test_a_mean_activation_is_about_its_truth(large):
    """E sqrt(v) over depth: one factor a layer, from the law of half of chi-square_K, K ~ Bin(n, 1/2), to the power 1/2.

    Within 6 standard errors, in six layers: 1e-8.
    """
    from scipy import special, stats

    k = np.arange(1, 5)
    factor = (stats.binom.pmf(k, 4, 0.5) * np.exp(special.gammaln((k + 1) / 2) - special.gammaln(k / 2))).sum()
    step = factor * math.sqrt(2 * 2 / 4)  # the root of (2/n) chi-square_K
    places, outcomes, _ = judged(large["plain"], "activation_mean")
    for i, (place, outcome) in enumerate(zip(places, outcomes, strict=True)):
        assert place[0] == i + 1
        truth = math.sqrt(2.0) * step**i / math.sqrt(2 * math.pi)
        assert abs(outcome.theta - math.log(truth)) < 6 * outcome.se
        assert abs(outcome.theta - math.log(truth * 1.15)) > 6 * outcome.se


@pytest.mark.false_alarm(1e-12)
def test_signal_and_gradient_are_independent_given_that_the_signal_lives(large):
    """In the last layer of 4x6 nets 28 % are dead: the product of the plain means is 28 % too small, the form is not.

    Of both the estimate lies within 6 standard errors of what it is to be; they are 7 and more apart.
    """
    simulation = large["plain"]
    places, outcomes, _ = judged(simulation, "weight_gradient_second_moment")
    at = [place[0] for place in places].index(5)
    plainly = (
        simulation.values("activation_second_moment")[:, 3].mean()
        * simulation.values("gradient_second_moment")[:, 4].mean()
    )
    alive = (1 - 2.0**-4) ** 4
    assert abs(outcomes[at].theta) < 6 * outcomes[at].se
    assert plainly == pytest.approx(alive, abs=0.07)
    assert math.log(plainly) < -6 * outcomes[at].se


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("per_input", [True, False])
@pytest.mark.parametrize("biases", ["zeros", {"name": "normal", "std": 0.4}])
def test_averages_over_inputs_keep_their_steps(biases, per_input):
    """Three inputs of different sizes: the mean over inputs and networks within 6.5 standard errors, some 20 of them: 1e-8."""
    network = vp.mlp([5, 4, 6, 4], activation="relu", weights="he_normal", biases=biases)
    inputs = np.array([[1.0] * 5, [0.2, -2, 0, 0, 0], [3, 1, -1, 2, 0.5]])
    simulation = vp.simulate(
        network, n_networks=4000, rng=91, inputs=inputs, per_input=per_input, executor="serial", method="dense"
    )
    exact = truths(network, (inputs**2).mean(axis=1))
    for quantity in (
        "preactivation_second_moment",
        "preactivation_variance",
        "activation_variance",
        "gradient_variance",
    ):
        if form_of(simulation, quantity) is None:
            assert is_product(network, quantity)
            continue
        for place, outcome in zip(*judged(simulation, quantity)[:2], strict=True):
            if outcome.se > 0.0:
                assert abs(outcome.theta - math.log(exact[quantity][place[0] - 1])) < 6.5 * outcome.se
    assert form_of(simulation, "weight_gradient_second_moment") is None
    has_roots = form_of(simulation, "activation_mean") is not None
    assert has_roots == (per_input and biases == "zeros")


# --- which form, and when none --------------------------------------------------------------------------------------


def has_form(quantity, activation="relu", weights="he_normal", biases="zeros", quantities=None):
    network = vp.mlp([4] * 4, activation=activation, weights=weights, biases=biases)
    simulation = vp.simulate(network, n_networks=2, rng=1, quantities=quantities, executor="serial", method="dense")
    return form_of(simulation, quantity) is not None


NORMAL = {"name": "normal", "std": 0.1}


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("quantity", "options", "expected"),
    [
        # Without biases second moments are products of their own steps, which is another matter.
        ("preactivation_second_moment", {}, False),
        ("preactivation_second_moment", {"biases": NORMAL}, True),
        ("preactivation_second_moment", {"biases": {"name": "constant", "value": 0.1}}, False),
        ("preactivation_second_moment", {"biases": NORMAL, "activation": "tanh"}, False),
        ("preactivation_second_moment", {"biases": NORMAL, "weights": "zeros"}, False),
        ("preactivation_second_moment", {"biases": NORMAL, "weights": {"name": "rademacher", "std": 0.5}}, True),
        ("preactivation_variance", {}, True),
        ("preactivation_variance", {"weights": "orthogonal"}, True),
        ("preactivation_variance", {"weights": "orthogonal", "biases": NORMAL}, True),
        ("activation_variance", {}, True),
        ("activation_variance", {"weights": "orthogonal"}, True),
        # A Haar matrix keeps the norm, and biases do not: what they are of v varies.
        ("activation_variance", {"weights": "orthogonal", "biases": NORMAL}, False),
        ("activation_variance", {"weights": "he_uniform"}, False),
        ("activation_variance", {"biases": {"name": "uniform", "limit": 0.1}}, False),
        ("activation_mean", {}, True),
        ("activation_mean", {"biases": NORMAL}, False),
        ("activation_mean", {"activation": "abs"}, True),
        ("activation_mean", {"activation": {"name": "leaky_relu", "slope": 0.1}}, False),
        ("gradient_variance", {}, True),
        ("gradient_variance", {"biases": NORMAL}, True),
        ("gradient_variance", {"weights": {"name": "rademacher", "std": 0.5}}, False),
        ("gradient_variance", {"weights": {"name": "rademacher", "std": 0.5}, "biases": NORMAL}, True),
        ("weight_gradient_second_moment", {}, True),
        ("weight_gradient_second_moment", {"weights": {"name": "sparse", "std": 0.5}}, False),
        ("weight_gradient_second_moment", {"activation": "gelu"}, False),
        ("cosine", {}, False),
        ("saturated_fraction", {}, False),
        # What the steps are made of has to have been recorded.
        ("preactivation_variance", {"quantities": ["preactivation_variance"]}, False),
        ("gradient_variance", {"quantities": ["gradient_variance", "gradient_second_moment"]}, True),
        ("gradient_variance", {"quantities": ["gradient_variance"]}, False),
    ],
)
def test_a_form_is_there_where_the_laws_allow_it(quantity, options, expected):
    assert has_form(quantity, **options) == expected


@pytest.mark.false_alarm(0)
def test_floors_are_those_of_the_narrowest_layer(samples):
    _, outcomes, _ = judged(samples["biased"], "preactivation_variance")
    assert outcomes[-1].floor == Strict(3)
    _, outcomes, _ = judged(samples["plain"], "weight_gradient_second_moment")
    assert isinstance(outcomes[-1].floor, Units)
    assert outcomes[-1].floor.width == 3
    assert outcomes[-1].floor.steps > 1
    heavy = vp.mlp([4] * 4, activation="relu", weights={"name": "student_t", "std": 0.5, "df": 3})
    simulation = vp.simulate(heavy, n_networks=20, rng=1, executor="serial", method="dense")
    _, outcomes, _ = judged(simulation, "preactivation_variance")
    assert isinstance(outcomes[-1].floor, Refused)
    assert "no fourth moment" in outcomes[-1].refusal(0.05)
    assert outcomes[-1].p_above(-100.0) == outcomes[-1].p_below(100.0) == 1.0
