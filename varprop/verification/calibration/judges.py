"""The tests under calibration: what each is asked, and its answer about each of many studies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from varprop._arguments import quoted
from varprop.model.network import Network, read_chain
from varprop.model.simulation import Samples, Simulation
from varprop.stats.outcome import Outcome
from varprop.verification.claims import TESTS, Claim, Null
from varprop.verification.compare import gather
from varprop.verification.findings import Evidence
from varprop.verification.questions import Question
from varprop.verification.validity import has_law


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
