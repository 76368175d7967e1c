"""The tests under calibration: what each is asked, and its answer about each of many studies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from varprop._arguments import quoted
from varprop.model.network import Network
from varprop.model.simulation import Samples, Simulation
from varprop.stats.outcome import Outcome
from varprop.verification.calibration.bounds import mean_gain, mean_squared_slope, typical_gain
from varprop.verification.calibration.truths import has_law
from varprop.verification.chain import links
from varprop.verification.claims import Claim
from varprop.verification.evidence import GATHER, gather
from varprop.verification.findings import Evidence
from varprop.verification.questions import Question


@dataclass(frozen=True, slots=True)
class Judge:
    """What a test is asked when it is calibrated.

    Parameters
    ----------
    quantity : str
        What it is about.
    reads : tuple of str
        Everything that it reads.
    theory : str, optional
        What it is held against.
    last_layer : bool
        Whether the claim is about the last layer alone, so that its p-value is that of one test.
    exact : {"steps", "products", "norms", "always", "never"}
        Where the null holds to the last digit: of single steps, of products of steps, where the law of norms is known,
        wherever the test takes the network, or nowhere that one could tell without looking at the activation.
    estimates : bool
        Whether the answer is an estimate of one number with its interval, and not a statement about a whole law or about
        several layers.
    level : {"exact", "at most"}
        Whether the p-value is uniform under the null, or as a discrete one at most as small as it says.
    bound : callable, optional
        From a network to the bound of a claim that states one: the truth where it is exact.
    """

    quantity: str
    reads: tuple[str, ...]
    theory: str | None = None
    last_layer: bool = False
    exact: Literal["steps", "products", "norms", "always", "never"] = "always"
    estimates: bool = True
    level: Literal["exact", "at most"] = "exact"
    bound: Callable[[Network], float] | None = None


_Z, _V, _A = "preactivation_second_moment", "conditional_variance", "activation_second_moment"
_SLOPES = "derivative_second_moment"
JUDGES = {
    "step_mean": Judge(_Z, (_Z, _V), "mean-field", last_layer=True, exact="steps"),
    "pooled_step_mean": Judge(_Z, (_Z, _V), "mean-field", exact="steps"),
    "band": Judge(_Z, (_Z, _V), "mean-field", exact="steps", estimates=False),
    "cumulative_mean": Judge(_Z, (_Z,), "mean-field", exact="products"),
    "growth_rate": Judge(_Z, (_Z,), "mean-field", exact="products"),
    "directional": Judge(_Z, (_Z,), exact="products", bound=mean_gain),
    "typical_directional": Judge(_Z, (_Z,), exact="norms", bound=typical_gain),
    "level": Judge(_SLOPES, (_SLOPES,), last_layer=True, exact="norms", bound=mean_squared_slope),
    "zero_mean": Judge("activation_mean", ("activation_mean", _A), last_layer=True, exact="never"),
    "activation_map": Judge(_A, (_A, _V), last_layer=True, exact="steps"),
    "pivot_law": Judge("pivot", ("pivot",), last_layer=True, estimates=False),
    "exact_law": Judge(_Z, (_Z,), last_layer=True, estimates=False),
    "log_mean": Judge(_Z, (_Z,), last_layer=True),
    "dead_rate": Judge(_A, (_A,), last_layer=True, estimates=False, level="at most"),
    "spread": Judge("pivot", ("pivot",), last_layer=True),
}
"""One line a test. Not here: ``identity``, which has no error of chance; ``weights_law``, which samples no networks."""


def claim_of(test: str, network: Network, *, margin: float) -> Claim:
    """Return the claim by which a test is calibrated.

    Raises
    ------
    ValueError
        If the test is not one of `JUDGES`.
    """
    if test not in JUDGES:
        msg = f"test must be one of {', '.join(JUDGES)}, got {quoted(test)}"
        raise ValueError(msg)
    judge = JUDGES[test]
    layers = (network.depth, network.depth) if judge.last_layer else None
    return Claim(
        id=test,
        quantity=judge.quantity,
        test=test,
        theory=judge.theory,
        margin=margin,
        layers=layers,
        below=None if judge.bound is None else judge.bound(network),
    )


def null_is_exact(test: str, network: Network) -> bool:
    """Tell whether a test's null is known to hold exactly, so that the truth need not be measured."""
    kind = JUDGES[test].exact
    if kind in ("always", "never"):
        return kind == "always"
    if kind == "norms":
        return has_law(network)
    chain = links(network)
    products = all(
        link.activation.homogeneous and link.noun.weights.symmetric and link.noun.biases.name == "zeros"
        for link in chain
    )
    gaussian = all(
        link.noun.weights.gaussian and (link.noun.biases.gaussian or link.noun.biases.name == "zeros") for link in chain
    )
    return products or (kind == "steps" and gaussian)


def judged(claim: Claim, simulation: Simulation, studies: int) -> Iterator[Outcome | None]:
    """Cut a sample into studies of equal size and test each on its own.

    Parameters
    ----------
    claim : Claim
        What is tested.
    simulation : Simulation
        In memory, of a multiple of `studies` networks.
    studies : int
        How many.

    Yields
    ------
    Outcome or None
        The number that the claim's verdict is about, with its p-value; None where a study admits no test, as one with
        too few living networks.
    """
    size = simulation.n_networks // studies
    found = GATHER[claim.test](claim, simulation) if claim.test not in _WHOLE else None
    if isinstance(found, Question):
        yield from _answers(found, simulation, studies, size)
        return
    for i in range(studies):
        (evidence,) = gather([claim], _piece(simulation, i * size, size), called=simulation.network.label)
        yield evidence.headline.outcome if isinstance(evidence, Evidence) else None


_WHOLE = frozenset({"pivot_law", "exact_law", "log_mean", "dead_rate", "spread"})
"""Tests that read a sample as a whole; on all studies together their answer would be for nothing."""


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
