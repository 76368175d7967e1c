"""The theory against 201 values collected from papers, source files and derivations made elsewhere.

Each entry of tests/data/reference.json has an id, a quantity, a configuration, a value and a tolerance. `ROADS` says which
public function answers an entry, `NOT_COVERED` which entries nothing answers yet. An entry in neither fails the suite.
"""

import itertools
import json
import math
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import varprop as vp
from varprop import theory
from varprop.model.initializers import Initializer
from varprop.model.laws import Scaled
from varprop.model.shapes import Shape

ENTRIES = {
    entry["id"]: entry
    for entry in json.loads((Path(__file__).parents[1] / "data" / "reference.json").read_text(encoding="utf-8"))
}

NOT_COVERED = {
    "no residual blocks yet": ("C.res.tanh.q100",),
    "no normalisation yet": (
        "C.bn.relu.rate",
        "C.bn.linear.B16",
        "C.bn.relu.B8",
        "C.bn.tanh.rate",
        "C.ln.kurt.n64",
        "E.nfnet.beta1",
    ),
    "no convolutions yet": ("C.conv.zeropad.7x7.asym", "E.he.ratio"),
    "two rays of a network with one input may die together: not derived here": (
        "D.lu.lower.N2.H2",
        "D.lu.lower.N4.H2",
        "E.lu.dead.N3",
        "E.lu.dead.N10",
    ),
    "no transformed activations yet": (
        "E.dks.softplus.DKS",
        "E.dks.tanh.TAT",
        "E.dks.reluconst",
        "E.tat.lrelu.slope",
        "E.tat.lrelu.scale",
    ),
    "laws with a mean are outside of the theory": ("E.snn.J22", "E.snn.mu.lo"),
    "eigenvalues of products are not computed": ("E.saxe.eig5",),
}
UNCOVERED = frozenset(itertools.chain.from_iterable(NOT_COVERED.values()))

MOMENTS = {
    "m1": "mean",
    "m2": "second_moment",
    "var": "variance",
    "d2": "derivative_second_moment",
    "fd": "value_derivative_moment",
}


def _phi(config):
    """The activation of a configuration; selu's two constants are its own, other parameters are passed on."""
    name = config["activation"]
    parameters = {key: config[key] for key in ("slope", "alpha") if key in config and name != "selu"}
    if name == "leaky_relu" and config["slope"] == -1:
        name, parameters = "abs", {}
    return vp.get_activation(name, **parameters)


def _maps(config):
    """Variances of weights and biases of a configuration, as the maps take them."""
    return {
        "weight_variance": config.get("sigma_w2", config.get("sigma_w", 1.0) ** 2),
        "bias_variance": config.get("sigma_b2", config.get("sigma_b", 0.0) ** 2),
    }


# Mean field.


def _edge(config):
    return theory.edge_of_chaos(_phi(config), _maps(config)["bias_variance"])


def _attractor(phi, **laws):
    """The fixed point to which a signal goes: the one that is stable."""
    (stable,) = [point for point in theory.fixed_points(phi, **laws) if point.stable]
    return stable


def _stable_correlation(point):
    (c,) = [c.c for c in point.correlations if c.stable]
    return c


def _gradient_products(phi, depths, *, weight_variance):
    """Products of the gradient factors of the first layers, from q = 1."""
    lengths = theory.length_map(phi, weight_variance=weight_variance, q=1.0, depth=max(depths))
    factors = [theory.gradient_factor(phi, weight_variance=weight_variance, q=q) for q in lengths.tolist()]
    return {depth: float(np.prod(factors[:depth])) for depth in depths}


def _after_ten(config):
    return theory.length_map(_phi(config), **_maps(config), q=1.0, depth=config["L"] + 1)[-1]


def _torch_gain_point(config):
    variance = theory.torch_gain(_phi(config)) ** 2
    point = _attractor(_phi(config), weight_variance=variance)
    return [point.q, point.chi_1]


def _dropout_correlation(config):
    """With dropout every q is kept, at one stable correlation."""
    (point,) = theory.fixed_points(_phi(config), weight_variance=config["sigma_w2"], keep_probability=config["keep"])
    return _stable_correlation(point)


def _xavier_factors(config):
    """Of a linear layer, seen in a network that has one before it."""
    network = vp.mlp([10, config["n_in"], config["n_out"]], activation="linear", weights="xavier_normal")
    table = vp.predict(network, theory="xavier").set_index(["quantity", "layer"])["predicted"]
    q, gradient = table["preactivation_second_moment"], table["gradient_second_moment"]
    return [q[2] / q[1], gradient[1] / gradient[2]]


# Finite width.


def _variance_scaling(scale):
    return {"name": "variance_scaling", "scale": scale, "mode": "fan_in", "distribution": "normal"}


def _rectifier_network(config):
    """Rectifiers with the variance that keeps the second moment."""
    phi = _phi({"activation": "relu"} | config)
    widths = config["widths"] if "widths" in config else [config["n"]] * config["L"]
    weights = _variance_scaling(theory.gain(phi) ** 2)
    return vp.mlp([config.get("n0", widths[0]), *widths], activation=phi, weights=weights)


def _relative_variance(law):
    return law.second_moment_variance / law.second_moment_mean**2


def _signal_variance(config, *, orthogonal=False):
    network = _rectifier_network(config)
    law = theory.finite_width_law(network, network.depth, quantity="activation_second_moment", orthogonal=orthogonal)
    return _relative_variance(law)


def _one_step(config, *, orthogonal=False):
    """Law of M_1 / M_0 for one layer: M_0 of the input is 1."""
    network = _rectifier_network(config | {"L": 1})
    return theory.finite_width_law(network, 1, quantity="activation_second_moment", orthogonal=orthogonal)


def _log_moments(config, **kwargs):
    law = _one_step(config, **kwargs)
    return [law.mean, law.var]


SIGNS = Initializer(
    name="random_signs",
    law=Scaled(
        Shape(
            variance=1.0,
            kurtosis=1.0,
            cdf=lambda x: (np.sign(x + 1) + np.sign(x - 1) + 2) / 4,
            sample=lambda shape, scale, rng, dtype: rng.choice(np.array([-scale, scale], dtype), size=shape),
        ),
        2.0,
        "fan_in",
    ),
)
"""Weights of He's variance that are -std or std: an initialiser of one's own, with the smallest kurtosis there is."""


def _other_law_variance(config):
    """Var(M_L) relative to its mean for weights that are not Gaussian, of which the input matters: all ones."""
    distribution = {"uniform": "uniform", "trunc": "truncated_normal"}.get(config["weights"])
    weights = SIGNS if distribution is None else _variance_scaling(2.0) | {"distribution": distribution}
    widths = config["widths"] if "widths" in config else [config["n"]] * config["L"]
    network = vp.mlp([widths[0], *widths], activation="relu", weights=weights)
    last = theory.layer_moments(network)[-1].activation
    return last.variance / last.mean**2


def _biased(config):
    """He and Gaussian biases; the input is such that q_1, which is not random, is 1."""
    n = config["n"]
    biases = {"name": "normal", "std": math.sqrt(config["sigma_b2"])}
    network = vp.mlp([n] * (config["L"] + 1), activation="relu", weights="he_normal", biases=biases)
    x = np.full(n, math.sqrt((1 - config["sigma_b2"]) / 2))
    z = theory.layer_moments(network, inputs=x)[-1].preactivation
    return [z.mean, z.variance]


@cache
def _expansion(activation, weight_variance, bias_variance=0.0, *, q=1.0, depth, distribution="normal"):
    """Rows K, V and G1 of every layer. All are terms of an expansion in 1/n, so that any n will do: a large one."""
    n = 4096
    network = vp.mlp(
        [n] * (depth + 1),
        activation=activation,
        weights=_variance_scaling(weight_variance) | {"distribution": distribution},
        biases={"name": "normal", "std": math.sqrt(bias_variance)} if bias_variance else "zeros",
    )
    x = np.full(n, math.sqrt((q - bias_variance) / weight_variance))
    found = [layer.preactivation for layer in theory.layer_moments(network, inputs=x)]
    return [[z.mean_field, z.variance * n, (z.mean - z.mean_field) * n] for z in found]


def _corrections(config):
    rows = _expansion(config["activation"], config["C_W"], config["C_b"], q=config["K_1"], depth=config["layer"])
    return rows[-1]


def _uniform_corrections(config):
    rows = _expansion(config["activation"], config["C_W"], depth=5, distribution=config["weights"])
    return [correction for _, _, correction in rows[1:]]


def _tanh_ratio(_):
    k, v, _ = _expansion("tanh", 1.0, depth=400)[-1]
    return v / (k**2 * 400)


def _squared_input_gradient(config):
    """E|dLoss/dx|^2 for a readout of random signs on the activations of the last layer.

    Weights of variance 1/n put on top turn varprop's readout of normal numbers on a pre-activation into one, of the
    same mean square, on these activations. Down to x there is one more factor n_0 Var(W) = 2 for the sum of squares.
    """
    widths = config["widths"]
    layers = [part for n in widths for part in (vp.Dense(n, weights="he_normal"), "relu")]
    network = vp.Network(config["n0"], [*layers, vp.Dense(widths[-1], weights="lecun_normal")])
    table = vp.predict(network, theory="he").set_index(["quantity", "layer"])["predicted"]
    return table["gradient_second_moment", 1] * widths[0] * 2


def _weight_gradient_spread(config):
    """E g^2 / (E g)^2 for every layer, with random signs on the last activations in place of varprop's readout.

    That readout's own factor is 1 + 2/n: the kurtosis of |v|^2. Half of the random signs count, as masks have it: 1 + 1/n.
    """
    widths = config["widths"]
    network = vp.mlp([config["n0"], *widths], activation="relu", weights="he_normal")
    spreads = []
    for layer in range(1, network.depth + 1):
        law = theory.finite_width_law(network, layer, quantity="weight_gradient_second_moment")
        spreads.append((_relative_variance(law) + 1) / (1 + 2 / widths[-1]) * (1 + 1 / widths[-1]))
    assert np.ptp(spreads) < 1e-9, "the same in every layer"
    return spreads[0]


# Singular values of the Jacobian.


def _jacobian_spread(config):
    """On the edge of chaos: at its q where biases are given, else at any."""
    edge = _edge(config)
    moments = theory.jacobian_moments(
        _phi(config),
        weight_variance=edge.weight_variance,
        bias_variance=_maps(config)["bias_variance"],
        q=edge.q or 1.0,
        depth=config["L"],
        orthogonal=config["orthogonal"],
    )
    return moments.relative_variance


# What answers which entry: the first pattern that matches the whole id.

ROADS = {
    r"A\..*\.(m1|m2|var|d2|fd)\.q[\d.]+": lambda c, kind: getattr(_phi(c), MOMENTS[kind])(c["q"]),
    r"B\..*\.k": lambda c: _phi(c).covariance(c["q1"], c["q2"], c["rho"]),
    r"B\.relu\.cmap10": lambda c: theory.correlation_map(_phi(c), **_maps(c), q=1.0, c=c["c0"], depth=11)[1:],
    r"C\.tanh\.eoc\.sb2_.*|E\.schoenholz\.crit": lambda c: _edge(c).weight_variance,
    r"C\.\w+\.eoc\.sb0\.2": lambda c: [math.sqrt(_edge(c).weight_variance), _edge(c).q],
    r"C\.tanh\.eoc\.beta": lambda c: theory.correlation_decay(_phi(c), q=_edge(c).q),
    r"C\.(?:poole|schoenholz)\.qstar\..*|C\.saxe\.qinf\.g2": lambda c: _attractor(_phi(c), **_maps(c)).q,
    r"C\.poole\.cstar\..*": lambda c: _stable_correlation(_attractor(_phi(c), **_maps(c))),
    r"C\.schoenholz\.chi1\..*|C\.sigmoid\.xavier\.chi1": lambda c: _attractor(_phi(c), **_maps(c)).chi_1,
    r"C\.schoenholz\.xiq\..*": lambda c: theory.depth_scales(_phi(c), **_maps(c)).xi_q,
    r"C\.tanh\.xavier\.decay": lambda c: dict(
        enumerate(theory.length_map(_phi(c), **_maps(c), q=c["q_pre_1"], depth=201).tolist())
    ),
    r"C\.tanh\.xavier\.grad100": lambda c: _gradient_products(_phi(c), [c["L"]], weight_variance=1.0)[c["L"]],
    r"C\.elu\.he\.grad": lambda c: _gradient_products(_phi(c), [1, 10, 50, 100], weight_variance=2.0),
    r"C\.(?:silu|selu|hard_swish)\.he\.q10": _after_ten,
    r"C\.torchgain\.selu\.0\.75": _torch_gain_point,
    r"C\.dropout\.relu\.cstar\..*": _dropout_correlation,
    r"C\.relu\.gradcorr\.L100": lambda c: theory.gradient_correlation(
        _phi(c), weight_variance=2.0, q=1.0, c=c["c0"], depth=c["L"] + 1
    )[0],
    r"C\.lsuv\.tanh": lambda c: theory.gain(_phi(c)),
    r"C\.xavier\.fwd\.784_256": _xavier_factors,
    r"D\.relu\.var\..*|D\.lrelu\.var\..*": _signal_variance,
    r"D\.orth\.relu\.var\.n64\.L10": lambda c: _signal_variance(c, orthogonal=True),
    r"D\.(?:relu|linear)\.log\.n64": _log_moments,
    r"D\.orth\.relu\.log\.n16": lambda c: _log_moments(c, orthogonal=True),
    r"D\.relu\.rawmoments\.n64": lambda c: [_one_step(c).moment(k) for k in (1, 2, 3, 4)],
    r"D\.relu\.(?:uniform|trunc|rademacher)\..*": _other_law_variance,
    r"D\.relu\.bias\.var": _biased,
    r"D\.kurt\.relu\.n64": lambda c: theory.layer_moments(_rectifier_network(c))[-1].kurtosis,
    r"D\.dead\.single\.n5\.H10": lambda c: (
        theory.finite_width_law(
            _rectifier_network({"n": c["n"], "L": c["hidden"]}), c["hidden"], quantity="activation_second_moment"
        ).dead_probability
    ),
    r"D\.grad\.relu\.mean\.signs": _squared_input_gradient,
    r"D\.wgrad\.relu\.second": _weight_gradient_spread,
    r"D\.nlo\.tanh\.uniform": _uniform_corrections,
    r"D\.nlo\.tanh\.ratio": _tanh_ratio,
    r"D\.nlo\..*": _corrections,
    r"D\.jac\.(?:linear|relu|hard_tanh)\..*": _jacobian_spread,
    r"D\.jac\.lin\.edge\..*": lambda c: theory.largest_squared_singular_value(
        "linear", weight_variance=1.0, depth=c["L"]
    ),
    r"D\.trunc\.std|F\.keras\.trunc": lambda _: math.sqrt(
        vp.get_initializer("truncated_normal", std=1.0).variance(1, 1)
    ),
    r"F\.torch\.linear": lambda _: vp.get_initializer("torch_linear").variance(100, 30) * 100,
    r"F\.torch\.gain\.(\w+)": lambda _, name: theory.torch_gain(name),
    r"F\.kaiming\.bound": lambda _: math.sqrt(3 * vp.get_initializer("he_uniform").variance(100, 30)),
    r"E\.he\.std\..*": lambda c: math.sqrt(
        vp.get_initializer("variance_scaling", scale=2.0, mode="fan_out").variance(1, c["k"] ** 2 * c["d"])
    ),
    r"E\.he\.xavier30": lambda c: math.sqrt(
        theory.length_map("relu", weight_variance=1.0, q=1.0, depth=c["L"] + 1)[-1]
    ),
    # The limit of deep layers, where tanh is linear; published as "drops to .5".
    r"E\.glorot\.sv\.standard": lambda _: theory.mean_singular_value(weight_variance=1 / 3),
    r"E\.saxe\.gc": lambda c: math.sqrt(_edge(c).weight_variance),
    r"E\.snn\.alpha": lambda _: -_selu(-100.0) / _selu(1.0),
    r"E\.snn\.lambda": lambda _: _selu(1.0),
    r"E\.nfnet\.gamma\..*": lambda c: 1 / math.sqrt(_phi(c).variance(1.0)),
    r"E\.pdlt\.gelu\.K": lambda c: theory.half_stable_points(_phi(c))[0].q,
    r"E\.pdlt\.gelu\.CW": lambda c: theory.half_stable_points(_phi(c))[0].weight_variance,
    r"E\.pdlt\.gelu\.Cb": lambda c: theory.half_stable_points(_phi(c))[0].bias_variance,
    r"E\.pdlt\.tanh": lambda c: 1000 * theory.length_map(_phi(c), weight_variance=1.0, q=1.0, depth=1000)[-1],
    r"E\.blog\.reluvar": lambda _: vp.get_activation("relu").variance(1.0),
    r"E\.pretorius": lambda c: 1 / theory.gradient_factor("relu", weight_variance=1.0, q=1.0, keep_probability=c["p"]),
}


def _selu(z):
    return float(vp.get_activation("selu")(np.array([z]))[0])


def _road(identifier):
    """The road of an entry with the parts of its id that it asks for, or None."""
    for pattern, road in ROADS.items():
        match = re.fullmatch(pattern, identifier)
        if match:
            return road, match.groups()
    return None


def _is_met(found, value, tolerance):
    """Whether every number is within the tolerance; a dictionary has to have the keys of the value."""
    if isinstance(value, dict):
        return all(_is_met(found[int(key)], wanted, tolerance) for key, wanted in value.items())
    if isinstance(value, list):
        return len(found) == len(value) and all(map(_is_met, found, value, itertools.repeat(tolerance)))
    return math.isclose(found, value, rel_tol=tolerance.get("rel", 0.0), abs_tol=tolerance.get("abs", 0.0))


@pytest.mark.parametrize("identifier", sorted(ENTRIES.keys() - UNCOVERED))
def test_theory_meets_the_reference(identifier):
    entry = ENTRIES[identifier]
    road = _road(identifier)
    assert road is not None, "no function answers this entry: add a road, or say in NOT_COVERED why there is none"
    found = road[0](entry["config"], *road[1])
    assert _is_met(found, entry["value"], entry["tolerance"]), f"{found} is not {entry['value']}"


def test_the_list_of_what_is_not_covered_is_true():
    """All of it is in the file, once, and nothing of it has a road."""
    listed = list(itertools.chain.from_iterable(NOT_COVERED.values()))
    assert len(listed) == len(UNCOVERED)
    assert ENTRIES.keys() >= UNCOVERED
    assert [identifier for identifier in listed if _road(identifier)] == []


def test_every_road_leads_to_an_entry():
    unused = set(ROADS) - {
        next((pattern for pattern in ROADS if re.fullmatch(pattern, identifier)), None) for identifier in ENTRIES
    }
    assert unused == set()


@pytest.mark.parametrize("identifier", sorted(ENTRIES))
def test_a_value_beside_the_reference_is_seen(identifier):
    """The comparison itself: each value meets its own tolerance, and fails it when moved by four times as much."""
    value, tolerance = ENTRIES[identifier]["value"], ENTRIES[identifier]["tolerance"]

    def moved(x):
        if isinstance(x, dict):
            return {int(key): moved(part) for key, part in x.items()}
        if isinstance(x, list):
            return [moved(part) for part in x]
        return x + 4 * max(tolerance.get("abs", 0.0), tolerance.get("rel", 0.0) * abs(x), 1e-14)

    itself = {int(key): part for key, part in value.items()} if isinstance(value, dict) else value
    assert _is_met(itself, value, tolerance)
    assert not _is_met(moved(value), value, tolerance)
