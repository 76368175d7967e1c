"""A layer of a type that a part of varprop has no rule for is refused by that part, whatever is asked of it."""

import ast
import dataclasses
import inspect
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.engine.descent import dense_sites
from varprop.engine.norms import why_not_norms
from varprop.engine.plan import sizes
from varprop.engine.propagate import places
from varprop.engine.rules import forward as engine_rule
from varprop.model.layers import Layer, UnsupportedError
from varprop.model.network import read_chain
from varprop.model.simulation import Samples
from varprop.plot.phases import phase_points
from varprop.plot.spreads import ridges
from varprop.report.law_pictures import point_names
from varprop.study.sweep_data import value_in, with_variance
from varprop.theory.finite_width.predictions import log_normal_laws
from varprop.theory.state import advance
from varprop.theory.steps import expected_steps
from varprop.verification import validity
from varprop.verification.as_they_stand import columns_of
from varprop.verification.claims import TESTS, Claim
from varprop.verification.forms import is_product
from varprop.verification.prospects import known_before
from varprop.verification.reasons import check_reason
from varprop.verification.tests.of_weights import draw_weights
from varprop.verification.validity import dead_probabilities

pytestmark = pytest.mark.false_alarm(0)


class Doubling(Layer):
    """Multiplies what comes by two: nothing in varprop knows it."""


def with_layer(layer):
    """A network of two weight layers, with a layer between the first and its activation."""
    network = vp.mlp([16, 16, 16], activation="relu", weights="he_normal")
    return vp.Network(16, [network.layers[0], layer, *network.layers[1:]])


@cache
def measured():
    """Numbers of such a network, without its having been sampled."""
    plain = vp.mlp([16, 16, 16], activation="relu", weights="he_normal")
    sim = vp.simulate(plain, n_networks=120, rng=1, executor="serial")
    samples = {
        name: Samples(sim.values(name), tuple((layer, str(int(m) + (m != "0"))) for layer, m in sim.places(name)))
        for name in sim.quantities
    }
    samples["cosine"] = Samples(np.full((120, 2), 0.5), ((1, "2"), (2, "4")))
    return dataclasses.replace(sim, network=FOREIGN, samples=samples)


FOREIGN = with_layer(Doubling())
FRAME = pd.DataFrame({"network": [0, 1], "layer": 1, "quantity": "pivot", "value": [0.9, 1.1]})


def phases():
    return vp.theory.phase_diagram("tanh", [0.5, 4.0], [0.0, 1.0], correlations=False)


def claim(test, quantity, **kwargs):
    rule = TESTS[test]
    theory = {"theory": "he"} if rule.theory == "required" else {}
    bound = {"above": 0.5} if test in {"directional", "typical_directional", "level"} else {}
    return Claim(id="x", test=test, quantity=quantity, **(theory | bound | kwargs))


def study(tmp_path):
    path = tmp_path / "foreign.toml"
    path.write_text(
        'schema = 1\ntitle = "x"\nseed = 1\nnetworks = 20\n[network]\nwidths = [16, 16]\nbiases = "zeros"\n'
        '[grid]\nactivation = ["relu"]\nweights = ["he_normal"]\n'
        '[[claims]]\nid = "x"\nquantity = "pivot"\ntest = "step_mean"\ntheory = "he"\n'
    )
    loaded = vp.load_study(path)
    (configuration,) = loaded.configurations
    return dataclasses.replace(loaded, configurations=(dataclasses.replace(configuration, network=FOREIGN),))


READ_NO_LAYER = {"zero_mean", "identity"}
"""Tests that take numbers as they are, whatever network they come from: of identity, those without a reason or a theory."""

ENTRIES = {
    "Network.describe": lambda _: FOREIGN.describe(),
    "Network card": lambda _: FOREIGN._repr_html_(),
    "Simulation.from_frame": lambda _: vp.Simulation.from_frame(FRAME, FOREIGN),
    "Simulation.from_frame with modules": lambda _: vp.Simulation.from_frame(FRAME.assign(module="0"), FOREIGN),
    **{
        f"simulate {method}": lambda _, method=method: vp.simulate(FOREIGN, n_networks=4, rng=1, method=method)
        for method in ("auto", "dense", "norms")
    },
    "train": lambda _: vp.train(FOREIGN, steps=1, learning_rate=0.1, n_networks=2, rng=1),
    "histograms": lambda _: vp.histograms(FOREIGN, n_networks=4, rng=1),
    **{
        f"predict {theory}": lambda _, theory=theory: vp.predict(FOREIGN, theory=theory)
        for theory in vp.theory.theory_names()
    },
    **{
        f"verify {theory}": lambda _, theory=theory: vp.verify(measured(), theory=theory)
        for theory in vp.theory.theory_names()
    },
    **{
        f"verify {test} of {quantity}": lambda _, test=test, quantity=quantity: vp.verify(
            measured(), claims=[claim(test, quantity)]
        )
        for test, rule in TESTS.items()
        for quantity in rule.quantities
        if test not in READ_NO_LAYER
    },
    **{
        f"verify step_mean {theory}": lambda _, theory=theory: vp.verify(
            measured(), claims=[claim("step_mean", "pivot", theory=theory)]
        )
        for theory in vp.theory.theory_names()
    },
    "verify identity for a reason": lambda _: vp.verify(
        measured(), claims=[claim("identity", "pivot", reason="orthogonal", equals=1.0)]
    ),
    "verify identity with a theory": lambda _: vp.verify(measured(), claims=[claim("identity", "pivot", theory="he")]),
    "theory.finite_width_law": lambda _: vp.theory.finite_width_law(FOREIGN, 1),
    "theory.finite_width_predictions": lambda _: vp.theory.finite_width_predictions(FOREIGN),
    "theory.layer_moments": lambda _: vp.theory.layer_moments(FOREIGN),
    "sweep_data": lambda _: vp.sweep_data([measured(), measured()], variable="depth"),
    "plot.sweep": lambda _: vp.plot.sweep(
        [measured(), measured()], variable="depth", quantity="gradient_second_moment"
    ),
    "plot.profile with a theory": lambda _: vp.plot.profile(measured(), theories=["he"]),
    "plot.exact_law": lambda _: vp.plot.exact_law(measured()),
    "plot.band": lambda _: vp.plot.band(measured(), theory="he"),
    "plot.distributions": lambda _: vp.plot.distributions(measured()),
    "plot.phase_diagram": lambda _: vp.plot.phase_diagram(phases(), networks={"x": FOREIGN}),
    "run_study": lambda tmp_path: vp.run_study(study(tmp_path), tmp_path / "run", executor="serial"),
    "plan_study": lambda tmp_path: vp.plan_study(study(tmp_path)),
}
"""Everything public that takes a network, or what was measured of one."""

PARTS = {
    "read_chain": read_chain,
    **{
        f"validity.{rule.__name__}": rule
        for rule in (
            validity.narrowest,
            validity.is_forward_product,
            validity.is_forward_affine,
            validity.is_backward_product,
            validity.independent_rows,
            validity.directionless,
            validity.heaviest_tail,
        )
    },
    "validity.without_spread": lambda network: validity.without_spread(network, "preactivation_second_moment"),
    "validity.pivot_excess": lambda network: validity.pivot_excess(network, (1, "0")),
    "is_product": lambda network: is_product(network, "preactivation_second_moment"),
    "dead_probabilities": dead_probabilities,
    "draw_weights": lambda _: list(draw_weights(measured())),
    "columns_of": lambda network: columns_of(network, "activation_mean", [(1, "2")], []),
    "known_before": lambda network: known_before(claim("step_mean", "pivot"), network),
    "check_reason": lambda network: check_reason("orthogonal", "pivot", [1], network),
    "expected_steps": lambda network: list(
        expected_steps(network, vp.theory.get_theory("preserved"), "pivot", lambda *_: 1.0, inputs=np.ones((1, 16)))
    ),
    "log_normal_laws": lambda network: log_normal_laws(network, "preactivation_second_moment"),
    "engine places": lambda network: places(network, "pivot", inputs=1),
    "engine sizes": lambda network: sizes(network, 1, dense=False),
    "norms": lambda network: why_not_norms(network, 1),
    "gradient descent": dense_sites,
    "engine rule": lambda network: engine_rule(network.layers[1], None, None, None),
    "theory rule": lambda network: advance(network.layers[1], None, network.sites[1], None),
    "phase_points": lambda network: phase_points({"x": network}),
    "point_names": lambda network: point_names({"x": network}),
    "value_in": lambda network: value_in(network, "depth"),
    "with_variance": lambda network: with_variance(network, "weight_variance", 1.0),
    "ridges": lambda _: ridges(measured(), "preactivation_second_moment"),
}
"""The parts that read layers themselves."""


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_foreign_layer_is_refused(entry, tmp_path):
    with pytest.raises(vp.UnsupportedError, match=r"has no rule for a layer of type Doubling"):
        ENTRIES[entry](tmp_path)


ABOUT_OTHERS = {
    "module_gains",  # refuses every network that is not a model of another framework
    "write_report",  # takes runs, which run_study does not make
}


def test_every_public_function_is_among_them():
    found = set()
    for before, module in (("", vp), ("plot.", vp.plot), ("theory.", vp.theory)):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            kinds = [str(one.annotation) for one in inspect.signature(function).parameters.values()]
            if any(word in kind for kind in kinds for word in ("Network", "Simulation", "Study", "Run")):
                found.add("predict" if function is vp.predict else before + name)
    assert found - {entry.split()[0] for entry in ENTRIES} == ABOUT_OTHERS


@pytest.mark.parametrize("part", PARTS)
def test_every_reader_refuses_it_by_itself(part):
    with pytest.raises(vp.UnsupportedError, match=r"has no rule for a layer of type Doubling"):
        PARTS[part](FOREIGN)


def test_what_is_known_is_not_refused():
    """The negative control: the same network with an activation in the place of the foreign layer."""
    network = with_layer(vp.get_activation("linear"))
    assert network.label == "linear/relu, he_normal, 16x2"
    assert is_product(network, "preactivation_second_moment") is False  # one activation after another
    assert vp.simulate(network, n_networks=2, rng=1, executor="serial").n_networks == 2


def test_what_reads_no_layer_refuses_none():
    assert FOREIGN.label == "doubling/relu, he_normal, 16x2"
    assert not measured().summary(["pivot"]).empty


def test_a_verdict_says_whether_laws_were_declared_and_so_reads_them():
    """Of claims too that are about numbers alone."""
    for one in (claim("zero_mean", "activation_mean"), claim("identity", "pivot")):
        with pytest.raises(UnsupportedError, match="Doubling"):
            vp.verify(measured(), claims=[one])


def test_nothing_else_walks_the_layers():
    """Only `model.network`, which refuses what a part does not know, looks at `sites`, or at the layers of a network."""
    root = Path(vp.__file__).parent
    walks = set()
    for path in root.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if not (".sites" in text or "network.layers" in text or "architecture.layers" in text):
            continue  # most files: parsing takes time
        if any(is_walk(node) for node in ast.walk(ast.parse(text))):
            walks.add(path.relative_to(root).as_posix())
    assert walks == {"model/network.py"}


def is_walk(node):
    if not isinstance(node, ast.Attribute):
        return False
    of_a_network = ast.unparse(node.value).endswith(("network", "architecture")) if node.attr == "layers" else False
    return node.attr == "sites" or of_a_network
