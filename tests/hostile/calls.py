"""Every public function with sound arguments, cheap ones, of which a suite replaces some; and what its docstring says it raises."""

import builtins
import concurrent.futures
import functools
import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import varprop as vp
from varprop import bridges, plot, theory
from varprop import study as studies
from varprop.model.sites import Module, ModuleNetwork
from varprop.verification import compare

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "index.rst"
STUDY = """
schema = 1
title = "A small study"
seed = 3
networks = 20
[network]
widths = "4x3"
activation = "relu"
[grid]
weights = ["he_normal", "xavier_normal"]
[[claims]]
id = "kept"
test = "zero_mean"
quantity = "activation_mean"
[report]
figures = []
"""

AMOUNTS = {"inputs", "n_networks", "networks", "repeats", "steps", "n_draws", "pilot"}
"""Arguments that are how much work is asked for: a million of them is no hostile value, it takes its time."""
MUCH = {"number: million"}


@dataclass(frozen=True)
class Call:
    """A function and what it is called with; what is made anew for each call is a function of the folder."""

    function: Callable[..., Any]
    sound: Mapping[str, Any]
    used_up: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    refused: bool = False  # whatever it is called with, since what it loads is not installed
    result: bool = False  # a class that only varprop itself makes: what its fields hold is its maker's business

    @property
    def parameters(self):
        """Names of what can be given."""
        return tuple(
            one.name
            for one in inspect.signature(self.function).parameters.values()
            if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        )

    @property
    def replaceable(self):
        """Names of all arguments that are replaced, those that a function takes by ``**`` too."""
        return tuple(dict.fromkeys((*self.parameters, *self.sound)))

    def __call__(self, **replaced):
        """Call with some arguments replaced."""
        arguments = {**self.sound, **{name: make() for name, make in self.used_up.items()}, **replaced}
        positional = [
            arguments.pop(one.name)
            for one in inspect.signature(self.function).parameters.values()
            if one.kind is one.POSITIONAL_ONLY
        ]
        found = self.function(*positional, **arguments)
        return list(found) if inspect.isgenerator(found) else found


def documented(call):
    """Classes of errors that a docstring names under Raises."""
    text = inspect.getdoc(call.function) or ""
    section = re.search(r"^Raises\n-+\n(.*?)(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    names = [
        name
        for line in (section[1] if section else "").splitlines()
        if not line.startswith(" ")
        for name in re.split(r",\s*|\s+or\s+", line)
    ]
    return (*map(_error, names), *((TypeError, ValueError) if call.result else ()))


def _error(name):
    for place in (
        builtins,
        vp,
        theory,
        bridges,
        studies,
        concurrent.futures,
        importlib.import_module("varprop.study.errors"),
    ):
        if hasattr(place, name):
            return getattr(place, name)
    msg = f"no error is called {name}"
    raise AssertionError(msg)


def _network():
    return vp.mlp([4] * 4, activation="relu", weights="he_normal")


def _simulation():
    return vp.simulate(_network(), n_networks=20, rng=1)


def _modules():
    """Measurements of a model of two modules, as a bridge makes them."""
    modules = tuple(Module(name=name, kind="Linear", layer=i + 1, weights=True) for i, name in enumerate("ab"))
    rows = [
        (network, module.layer, module.name, quantity, 1.0 + 0.1 * network)
        for network in range(20)
        for module in modules
        for quantity in ("activation_second_moment", "gradient_second_moment")
    ]
    frame = pd.DataFrame(rows, columns=["network", "layer", "module", "quantity", "value"])
    return vp.Simulation.from_frame(frame, ModuleNetwork(label="mine", modules=modules))


class Calls(dict):
    """Calls by name, of which a failure shows no more than that."""

    def __repr__(self):
        return f"{len(self)} calls"


@functools.cache
def calls(folder):
    """Sound calls by the names of what is called, with files in a folder.

    Parameters
    ----------
    folder : Path
        Of the tests' own; ``study.toml`` and a run of it are put there.
    """
    file = folder / "study.toml"
    file.write_text(STUDY, encoding="utf-8")
    study = vp.load_study(file)
    run = vp.run_study(study, folder / "runs", executor="serial")
    network, simulation = _network(), _simulation()
    many = vp.simulate(network, n_networks=400, rng=1)
    plan = vp.plan_study(study, folder / "runs", pilot=2)
    claim = {"id": "a", "quantity": "preactivation_second_moment", "test": "cumulative_mean", "theory": "he"}
    law = theory.finite_width_law(network, 2)
    initializer = vp.get_initializer("he_normal")
    counted = vp.histograms(network, n_networks=4, rng=1)
    audited = vp.audit(initializer, (8, 8), law="he_normal", n_draws=1024, rng=1)
    table = theory.phase_diagram("tanh", [1.0, 1.5], [0.1, 0.2], correlations=False)
    verdicts = run.verdicts()
    rectified = {"activation": "relu", "weight_variance": 2.0, "bias_variance": 0.0}
    kept = {"activation": "tanh", "weight_variance": 1.5, "q": 0.5, "keep_probability": 0.9}
    several = [
        vp.simulate(
            vp.mlp([4] * 7, activation="tanh", weights={"name": "variance_scaling", "scale": scale}),
            n_networks=4,
            rng=1,
        )
        for scale in (1, 2)
    ]
    found = {
        "mlp": Call(vp.mlp, {"widths": [4] * 4, "activation": "relu", "weights": "he_normal", "biases": "zeros"}),
        "Network": Call(vp.Network, {"input_shape": 4, "layers": [vp.Dense(4, weights="he_normal"), "relu"]}),
        "Dense": Call(vp.Dense, {"units": 4, "weights": "he_normal", "biases": "zeros"}),
        "Activation": Call(vp.Activation, {"name": "mine", "value": np.tanh}),
        "get_activation": Call(vp.get_activation, {"name": "leaky_relu", "slope": 0.1}),
        "activation_names": Call(vp.activation_names, {}),
        "Initializer": Call(vp.Initializer, {"name": "mine", "law": initializer.law}),
        "Initializer.mean": Call(initializer.mean, {"fan_in": 4, "fan_out": 4}),
        "Initializer.variance": Call(initializer.variance, {"fan_in": 4, "fan_out": 4}),
        "Initializer.kurtosis": Call(initializer.kurtosis, {"fan_in": 4, "fan_out": 4}),
        "Initializer.cdf": Call(initializer.cdf, {"x": [0.0, 1.0], "fan_in": 4, "fan_out": 4}),
        "Initializer.sample": Call(
            initializer.sample, {"shape": (4, 4), "fan_in": 4, "fan_out": 4, "rng": 1, "dtype": "float32"}
        ),
        "get_initializer": Call(vp.get_initializer, {"name": "normal", "std": 0.5}),
        "as_initializer": Call(
            vp.as_initializer,
            {
                "obj": lambda shape, rng: rng.standard_normal(shape),
                "name": "mine",
                "variance": 1.0,
                "kurtosis": 3.0,
                "mean": 0.0,
                "symmetric": True,
            },
        ),
        "initializer_names": Call(vp.initializer_names, {}),
        "simulate": Call(vp.simulate, {"network": network, "n_networks": 4, "rng": 1, "executor": "serial"}),
        "train": Call(vp.train, {"network": network, "steps": 1, "learning_rate": 0.1, "n_networks": 2, "rng": 1}),
        "Simulation": Call(
            vp.Simulation,
            {"network": network, "inputs": simulation.inputs, "samples": dict(simulation.samples)},
            result=True,
        ),
        "Simulation.values": Call(simulation.values, {"quantity": "pivot"}),
        "Simulation.column": Call(simulation.column, {"quantity": "pivot", "place": simulation.places("pivot")[0]}),
        "Simulation.chunks": Call(simulation.chunks, {}),
        "Simulation.summary": Call(simulation.summary, {"quantities": ["pivot"]}),
        "Simulation.places": Call(simulation.places, {"quantity": "pivot"}),
        "Simulation.layers": Call(simulation.layers, {"quantity": "pivot"}),
        "Simulation.to_frame": Call(simulation.to_frame, {}),
        "Simulation.from_frame": Call(vp.Simulation.from_frame, {"frame": simulation.to_frame(), "network": network}),
        "histograms": Call(vp.histograms, {"network": network, "n_networks": 2, "rng": 1}),
        "Histograms": Call(
            vp.Histograms,
            {
                "network": network,
                "n_networks": 4,
                "seed": "1",
                "activations": counted.activations,
                "gradients": counted.gradients,
            },
            result=True,
        ),
        "Histograms.of": Call(counted.of, {"quantity": "activation"}),
        "Histograms.to_frame": Call(counted.to_frame, {}),
        "predict": Call(vp.predict, {"network": network, "theory": ["he", "mean-field"]}),
        "verify": Call(vp.verify, {"simulation": simulation, "theory": "he", "margin": 0.1, "alpha": 0.05}),
        "verify-claims": Call(vp.verify, {"simulation": simulation, "claims": [claim]}),
        "Claim": Call(vp.Claim, claim),
        "Claim.level": Call(
            vp.Claim, {"id": "a", "quantity": "saturated_fraction", "test": "level", "below": 0.5, "above": None}
        ),
        "verification.compare.assess": Call(
            compare.assess, {"cases": [compare.Case("one", simulation, (vp.Claim(**claim),))], "alpha": 0.05}
        ),
        "verification.compare.Case": Call(
            compare.Case,
            {"configuration": "one", "simulation": simulation, "claims": (vp.Claim(**claim),)},
            result=True,
        ),
        "module_gains": Call(vp.module_gains, {"simulation": _modules(), "level": 0.95}),
        "required_networks": Call(
            vp.required_networks, {"test": "cumulative_mean", "width": 64, "depth": 10, "margin": 0.05, "theta": 0.0}
        ),
        "required_networks-of-a-variance": Call(vp.required_networks, {"variance": 0.8, "theta": 0.1, "claims": 21}),
        "detectable_difference": Call(
            vp.detectable_difference, {"test": "cumulative_mean", "width": 64, "depth": 10, "n_networks": 1000}
        ),
        "calibrate": Call(
            vp.calibrate, {"test": "step_mean", "widths": [4] * 4, "n_networks": 20, "repeats": 2, "rng": 1}
        ),
        "load_study": Call(vp.load_study, {"path": file}),
        "run_study": Call(
            vp.run_study, {"study": study, "directory": folder / "runs", "executor": "serial", "networks": 20}
        ),
        "load_run": Call(vp.load_run, {"path": run.path}),
        "check_run": Call(vp.check_run, {"path": run.path}),
        "plan_study": Call(vp.plan_study, {"study": study, "directory": folder / "runs", "pilot": 2, "workers": 1}),
        "Study": Call(vp.Study, {name: getattr(study, name) for name in study.__dataclass_fields__}, result=True),
        "Study.claims_about": Call(study.claims_about, {"label": study.configurations[0].label}),
        "Run": Call(vp.Run, {"study": study, "path": run.path, "networks": 20, "used": dict(run.used)}, result=True),
        "Run.summary": Call(run.summary, {}),
        "Run.verdicts": Call(run.verdicts, {}),
        "StudyPlan": Call(
            vp.StudyPlan, {"study": study, "claims": plan.claims, "costs": plan.costs, "cores": 1}, result=True
        ),
        "StudyPlan.seconds": Call(plan.seconds, {"networks": 20}),
        "StudyPlan.bytes": Call(plan.bytes, {"networks": 20}),
        "StudyError": Call(vp.StudyError, {"source": "one.toml", "problems": []}, result=True),
        "study.RunProgress": Call(
            studies.RunProgress, {"configuration": "a", "networks": 1, "done": 1, "total": 2}, result=True
        ),
        "sweep_data": Call(vp.sweep_data, {"data": several, "variable": "weight_variance", "first_layer": 2}),
        "write_report": Call(vp.write_report, {"run_or_runs": run, "directory": folder / "pages", "formats": ["md"]}),
        "audit": Call(
            vp.audit, {"initializer": initializer, "shape": (8, 8), "law": "he_normal", "n_draws": 1024, "rng": 1}
        ),
        "Audit": Call(vp.Audit, {name: getattr(audited, name) for name in audited.__dataclass_fields__}, result=True),
        "Audit.part": Call(audited.part, {"name": "variance"}),
        "bridges.Bridge": Call(bridges.Bridge, {"name": "a", "version": "1", "cases": ()}, result=True),
        "bridges.StatedInitializer": Call(
            bridges.StatedInitializer,
            {
                "name": "a",
                "initializer": initializer,
                "shape": (8, 8),
                "law": "he_normal",
                "statement": "a",
                "source": "b",
            },
            result=True,
        ),
        "bridges.load_bridge": Call(bridges.load_bridge, {"name": "no-such-bridge"}, refused=True),
        "bridges.bridge_names": Call(bridges.bridge_names, {}),
        "plot.profile": Call(plot.profile, {"data": simulation, "theories": ["he"]}),
        "plot.sweep": Call(plot.sweep, {"data": several, "variable": "weight_variance", "first_layer": 2}),
        "plot.forest": Call(plot.forest, {"verdicts": verdicts}),
        "plot.exact_law": Call(plot.exact_law, {"simulation": simulation, "layer": 2}),
        "plot.band": Call(plot.band, {"simulation": many, "theory": "he"}),
        "plot.pvalues": Call(plot.pvalues, {"values": [0.1, 0.5, 0.9]}),
        "plot.power": Call(plot.power, {"variance": 0.8, "margin": 0.05}),
        "plot.phase_diagram": Call(plot.phase_diagram, {"table": table}),
        "plot.length_map": Call(plot.length_map, rectified),
        "plot.correlation_map": Call(plot.correlation_map, {**rectified, "activation": "tanh", "bias_variance": 0.1}),
        "plot.histograms": Call(plot.histograms, {"found": counted}),
        "plot.distributions": Call(plot.distributions, {"simulation": simulation}),
        "theory.length_map": Call(theory.length_map, {**kept, "bias_variance": 0.1, "depth": 3}),
        "theory.chi_parallel": Call(theory.chi_parallel, kept),
        "theory.gradient_factor": Call(theory.gradient_factor, kept),
        "theory.correlation_map": Call(theory.correlation_map, {**kept, "bias_variance": 0.1, "c": 0.5, "depth": 3}),
        "theory.gradient_correlation": Call(
            theory.gradient_correlation, {**kept, "bias_variance": 0.1, "c": 0.5, "depth": 3}
        ),
        "theory.correlation_decay": Call(theory.correlation_decay, {"activation": "tanh", "q": 0.5}),
        "theory.fixed_points": Call(theory.fixed_points, {**rectified, "keep_probability": 1.0}),
        "theory.depth_scales": Call(theory.depth_scales, {**kept, "bias_variance": 0.1}),
        "theory.edge_of_chaos": Call(theory.edge_of_chaos, {"activation": "relu", "bias_variance": 0.0}),
        "theory.half_stable_points": Call(theory.half_stable_points, {"activation": "relu"}),
        "theory.phase_diagram": Call(
            theory.phase_diagram,
            {"activation": "relu", "weight_variances": [1.0], "bias_variances": [0.1], "correlations": False},
        ),
        "theory.recommend": Call(theory.recommend, {"activation": "relu", "depth": 10}),
        "theory.gain": Call(theory.gain, {"activation": "tanh", "q": 1.0}),
        "theory.torch_gain": Call(theory.torch_gain, {"activation": "relu"}),
        "theory.jacobian_moments": Call(
            theory.jacobian_moments, {"activation": "relu", "weight_variance": 2.0, "q": 1.0, "depth": 3}
        ),
        "theory.mean_singular_value": Call(theory.mean_singular_value, {"weight_variance": 2.0}),
        "theory.largest_squared_singular_value": Call(
            theory.largest_squared_singular_value, {"activation": "linear", "weight_variance": 1.0, "depth": 3}
        ),
        "theory.finite_width_law": Call(theory.finite_width_law, {"network": network, "layer": 2}),
        "theory.finite_width_predictions": Call(theory.finite_width_predictions, {"network": network}),
        "theory.layer_moments": Call(theory.layer_moments, {"network": network}),
        "theory.theory_names": Call(theory.theory_names, {}),
        "theory.get_theory": Call(theory.get_theory, {"name": "he"}),
        "theory.FiniteWidthLaw.moment": Call(law.moment, {"order": 2.0}),
        "theory.FiniteWidthLaw.cdf": Call(law.cdf, {"x": 1.0}),
        "theory.FiniteWidthLaw.pdf": Call(law.pdf, {"x": 1.0}),
        "theory.FiniteWidthLaw.ppf": Call(law.ppf, {"p": 0.5}),
        "theory.Theory.speaks_of": Call(theory.get_theory("he").speaks_of, {"quantity": "pivot"}),
    }
    return Calls(found)
