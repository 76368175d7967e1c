"""Networks of which the truth is known, from an exact law or the engine, and how each test is judged on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.engine.simulate import simulate
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_chain
from varprop.model.simulation import Samples, Simulation
from varprop.model.sites import Place
from varprop.stats.outcome import Outcome
from varprop.verification.claims import TESTS, Claim, Null
from varprop.verification.compare import gather
from varprop.verification.questions import Evidence, Question
from varprop.verification.validity import has_law

Source = Literal["auto", "law", "norms", "engine"]

RECORDED = (
    "preactivation_second_moment",
    "conditional_variance",
    "pivot",
    "activation_mean",
    "activation_second_moment",
    "derivative_second_moment",
)
"""What the tests under calibration read; the law of norms knows no means of activations."""


def draw(
    network: Network, *, n_networks: int, seed: np.random.SeedSequence, source: Source, quantities: Sequence[str]
) -> Simulation:
    """Sample networks by their law, or by the engine in this process."""
    if source == "law" or (source == "auto" and has_law(network) and "activation_mean" not in quantities):
        return layer_norms(network, n_networks=n_networks, rng=np.random.default_rng(seed))
    method = "norms" if source == "norms" else "auto"
    return simulate(network, n_networks=n_networks, rng=seed, quantities=quantities, executor="serial", method=method)


def has_forward_law(network: Network) -> bool:
    """Tell whether the law of the layers' norms is known on the way forward: Gaussian biases do no harm to it."""
    return all(
        step.activation.homogeneous and step.weights.gaussian and (step.biases.gaussian or step.biases.name == "zeros")
        for step in read_chain(network)
    )


def layer_norms(network: Network, *, n_networks: int, rng: np.random.Generator) -> Simulation:
    r"""Sample the norms of every layer without sampling any weight.

    Notes
    -----
    Given the layer below, z has n independent entries N(0, v), v = Var(W) \|a\|^2 + Var(b). Of these K ~ Bin(n, 1/2) are positive,
    and the squares of the two kinds add up to v chi2_K and v chi2_{n-K}, independent given K. With slopes s and t the
    activations' squares add up to s^2 times the one plus t^2 times the other, and so on with v for the next layer. Their
    slopes' squares add up to s^2 K + t^2 (n - K), in a layer that got nothing to n times that of the slope at 0.
    """
    if not has_forward_law(network):
        msg = (
            "the law of norms takes Gaussian weights, zero or Gaussian biases and activations of two slopes, not "
            f"{network.label}"
        )
        raise UnsupportedError(msg)
    columns: dict[str, list[Float64Array]] = {name: [] for name in RECORDED if name != "activation_mean"}
    places: dict[str, list[Place]] = {name: [] for name in columns}
    squares = np.full(n_networks, float(network.widths[0]))  # of the signal below, summed over its units
    for step in read_chain(network):
        units = step.units
        v = step.weight_variance * squares + step.bias_variance
        up = rng.binomial(units, 0.5, size=n_networks)
        positive = 2.0 * rng.standard_gamma(up / 2.0)
        negative = 2.0 * rng.standard_gamma((units - up) / 2.0)
        total = positive + negative
        found = {
            "conditional_variance": v,
            "preactivation_second_moment": v * total / units,
            "pivot": np.where(v > 0.0, total / units, np.nan),
        }
        slopes = np.asarray(step.activation(np.array([1.0, -1.0])), dtype=np.float64)
        squares = v * (slopes[0] ** 2 * positive + slopes[1] ** 2 * negative)
        if step.activation_site is not None:
            at_zero = step.activation.slope(np.zeros(1)).item() ** 2
            among = (slopes[0] ** 2 * up + slopes[1] ** 2 * (units - up)) / units
            after = {
                "activation_second_moment": squares / units,
                "derivative_second_moment": np.where(v > 0.0, among, at_zero),
            }
            for name, column in after.items():
                columns[name].append(column)
                places[name].append(step.activation_site.place)
        for name, column in found.items():
            columns[name].append(column)
            places[name].append(step.place)
    samples = {name: Samples(np.column_stack(found), tuple(places[name])) for name, found in columns.items() if found}
    return Simulation(network=network, inputs=np.ones((1, network.widths[0])), samples=samples, method="law of norms")


# ---- judges ----------------------------------------------------------------------------------------------------------


def null_of(test: str) -> Null:
    """Return what a test is asked when it is calibrated."""
    null = TESTS[test].null if test in TESTS else None
    if null is None:
        known = [name for name, rule in TESTS.items() if rule.null is not None]
        msg = f"test must be one of {', '.join(known)}, got {quoted(test)}"
        raise ValueError(msg)
    return null


def claim_of(test: str, network: Network, *, margin: float) -> Claim:
    """Return the claim by which a test is calibrated."""
    null = null_of(test)
    layers = (network.depth, network.depth) if null.last_layer else None
    return Claim(
        id=test,
        quantity=null.quantity,
        test=test,
        theory=null.theory,
        margin=margin,
        layers=layers,
        below=None if null.bound is None else null.bound(network),
    )


def null_is_exact(test: str, network: Network) -> bool:
    """Tell whether a test's null is known to hold exactly, so that the truth need not be measured."""
    kind = null_of(test).exact
    if kind in ("always", "never"):
        return kind == "always"
    if kind == "norms":
        return has_law(network)
    chain = read_chain(network)
    products = all(
        step.activation.homogeneous and step.weights.symmetric and step.biases.name == "zeros" for step in chain
    )
    gaussian = all(step.weights.gaussian and (step.biases.gaussian or step.biases.name == "zeros") for step in chain)
    return products or (kind == "steps" and gaussian)


def judged(claim: Claim, simulation: Simulation, studies: int) -> Iterator[Outcome | None]:
    """Cut a sample into studies of equal size and test each on its own."""
    size = simulation.n_networks // studies
    # What reads a sample as a whole would answer about all studies together, for nothing.
    found = None if claim.rule.whole else claim.rule.ask(claim, simulation)
    if isinstance(found, Question):
        yield from _answers(found, simulation, studies, size)
        return
    for i in range(studies):
        (evidence,) = gather([claim], _piece(simulation, i * size, size), called=simulation.network.label)
        yield evidence.headline.outcome if isinstance(evidence, Evidence) else None


def _answers(question: Question[Evidence], simulation: Simulation, studies: int, size: int) -> Iterator[Outcome | None]:
    """Rows of all studies are made at once, and each study's are summed and judged on their own."""
    tables = question.tables(simulation)
    for i in range(studies):
        rows = slice(i * size, (i + 1) * size)
        try:
            yield question.conclude(tuple(table.summed(rows) for table in tables)).headline.outcome
        except ValueError:  # what statistics refuse is a matter of this study's data
            yield None


def _piece(simulation: Simulation, first: int, size: int) -> Simulation:
    """One study of many."""
    samples = {
        name: Samples(sample.values[first : first + size], sample.places) for name, sample in simulation.samples.items()
    }
    return replace(simulation, samples=samples, first=first)
