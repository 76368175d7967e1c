"""Claims put to a sample, and what a claim needs of one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.model.network import Network, Place
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.simulation import Samples, Simulation
from varprop.verification import validity
from varprop.verification.claims import Claim
from varprop.verification.findings import Evidence, UndecidableError, join_notes
from varprop.verification.forms import CARRIER
from varprop.verification.questions import Question, ask


def gather(claims: Sequence[Claim], simulation: Simulation, *, called: str) -> list[Evidence | UndecidableError]:
    """Test claims on one sample, which is read once for all of them (and again by a test that wants it whole)."""
    found: list[Evidence | Question[Evidence] | ValueError | TypeError] = []
    for claim in claims:
        try:
            found.append(claim.rule.ask(claim, simulation))
        except (ValueError, TypeError) as error:
            found.append(error)
    asked: list[Question[Evidence]] = [one for one in found if isinstance(one, Question)]
    answers = ask(asked, simulation)
    each = iter(answers)
    given = [next(each) if isinstance(one, Question) else one for one in found]
    checked = [_checked(one, claim, called) for one, claim in zip(given, claims, strict=True)]
    declared = validity.declared_symmetric(simulation.network)
    return [replace(one, note=join_notes(one.note, declared)) if isinstance(one, Evidence) else one for one in checked]


def _checked(found: Evidence | ValueError | TypeError, claim: Claim, called: str) -> Evidence | UndecidableError:
    """Raise what is about the question and not about the data, with the claim's name."""
    if isinstance(found, Evidence | UndecidableError):
        return found
    if len(found.args) != 1:
        raise found  # with more to it than a message: samples that cannot be read
    msg = f"claim {quoted(claim.id)} on {quoted(called)}: {found}"
    raise type(found)(msg) from found


def needed_quantities(
    claim: Claim, network: Network, inputs: Float64Array, where: Mapping[str, Sequence[Place]]
) -> frozenset[str]:
    """Find out before anything is sampled which quantities a claim's test needs.

    The test itself is asked, by letting it read from a sample of two networks in which every number is 1.
    """
    if claim.quantity not in ALL_QUANTITIES:
        return frozenset()  # weights are drawn for their test alone
    # What a test uses where it is there, and does without where it is not, is not needed.
    for names in ((claim.quantity,), [name for name in where if name != CARRIER]):
        read = _read(claim, network, inputs, {name: where[name] for name in names if name in where})
        if read is not None:
            return read
    return _read(claim, network, inputs, where) or frozenset(where)


def _read(
    claim: Claim, network: Network, inputs: Float64Array, where: Mapping[str, Sequence[Place]]
) -> frozenset[str] | None:
    """What a test reads of a sample of ones that has these quantities; None if they are not enough for it."""
    if not where:
        return None
    axes = (len(inputs),) if len(inputs) > 1 else ()
    samples = _Noting(
        (name, Samples(np.ones((2, len(places), *(() if ALL_QUANTITIES[name].joint else axes))), tuple(places)))
        for name, places in where.items()
    )
    ones = Simulation(network=network, inputs=inputs, samples=samples, per_input=len(inputs) > 1)
    # What a test may say of numbers that nobody measured is of no interest.
    with contextlib.suppress(ArithmeticError):
        try:
            gather([claim], ones, called=network.label)
        except (ValueError, TypeError):
            return None
    return frozenset(samples.read)


class _Noting(dict[str, Samples]):
    """Samples that remember which of them were asked for."""

    def __init__(self, samples: Iterable[tuple[str, Samples]]) -> None:
        super().__init__(samples)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Samples:
        self.read.add(name)
        return super().__getitem__(name)
