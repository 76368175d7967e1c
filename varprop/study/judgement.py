"""From the evidence for a study's claims to its verdicts at this look, and to the record of its looks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from varprop.engine.plan import Plan
from varprop.model.simulation import Samples, Simulation
from varprop.study.errors import Problem, StudyError
from varprop.study.looks import Look, judged_by, with_look
from varprop.study.manifest import Store
from varprop.study.standing import Standing
from varprop.verification.compare import Found, verdicts_on
from varprop.verification.verdict import Verdict
from varprop.verification.watching import Watch, look_schedule, mixture_for


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdicts, how the study stood when they were given, and all looks, this one among them."""

    verdicts: tuple[Verdict, ...]
    standing: Standing
    looks: tuple[Look, ...]


def judgement(standing: Standing, find: Callable[[Standing], list[Found]]) -> Judgement:
    """Judge everything that a study states."""
    if not standing.stated:  # a study may sample and plot without claiming anything
        return Judgement((), standing, standing.looks)
    found = find(standing)
    standing = standing.counting(claim.counts for _, claim, _ in found)
    verdicts = verdicts_on(found, standing.allowances(), alpha=standing.alpha)
    p_values = [(one.p_support, one.p_refute) for one in verdicts]
    return Judgement(verdicts, standing, with_look(standing.looks, judged_by(standing.look(), p_values)))


# ---- sequential studies ---------------------------------------------------------------------------------------------

Goals = Mapping[str, int]
"""Number of networks that is wanted of each configuration, by its label."""


def follow(
    standing: Standing, folder: Path, plans: Mapping[str, Plan], bring: Callable[[Goals], None]
) -> dict[str, Watch]:
    """Judge a study's claims look by look, until every claim is closed."""
    study, levels = standing.study, [allowance.level for allowance in standing.allowances()]
    alpha, m, budget = _first_design(standing)
    watches: dict[str, Watch] = {}
    for label, plan in plans.items():
        claims = study.claims_about(label)
        watches[label] = Watch(
            label,
            claims,
            looks=look_schedule(plan.n_networks, block=plan.block),
            levels=[levels.pop(0) for _ in claims],
            mixture=mixture_for(look_schedule(budget, block=plan.block), alpha=alpha, m=m),
        )
    while goals := {label: look for label, watch in watches.items() if (look := watch.next_look) is not None}:
        bring(goals)
        for label, look in goals.items():
            store = Store(folder, replace(plans[label], n_networks=look))
            store.check()
            watch = watches[label]
            first = Store(folder, replace(plans[label], n_networks=min(look, standing.judged)))
            try:
                watch.look(_pieces(store, watch.networks), store.simulation(), first=first.simulation())
            except StudyError:  # a part that cannot be read
                raise
            except (TypeError, ValueError) as error:
                raise StudyError(str(folder / "study.toml"), [Problem("claims", str(error))]) from error
    return watches


def _first_design(standing: Standing) -> tuple[float, int, int]:
    """Return alpha, the number of statements and the budget of the first sequential look.

    What a sequence is tuned for has to be fixed by then, or it would be another one after a look.
    """
    before = next((look for look in standing.looks if look.stopping == "sequential"), None)
    if before is None:
        return standing.alpha, max(1, len(standing.stated)), standing.networks
    return before.alpha, max(1, len(before.sightings)), before.networks


def _pieces(store: Store, first: int) -> Iterator[Simulation]:
    """The networks of a store from one number on, a block at a time; looks are whole blocks apart."""
    whole = store.simulation()
    for block in store.plan.blocks:
        if block.first >= first:
            values = store.read(block)
            samples = {name: Samples(values[name], places) for name, places in store.plan.where.items()}
            yield replace(whole, samples=samples, first=block.first, pieces=None)


# ---- what a run is, in sixteen digits -------------------------------------------------------------------------------

DIGITS = 16


def digest(content: object) -> str:
    """Hash plain data to as many digits as a page shows."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:DIGITS]


def fingerprint_of(standing: Standing, samples: Mapping[str, tuple[str, int]]) -> str:
    """Return the fingerprint of a run."""
    study = standing.study
    look = [
        standing.number,
        standing.design,
        standing.rung,
        standing.judged,
        standing.m,
        standing.alpha,
        standing.promised,
    ]
    return digest([study.name, study.text, {label: list(one) for label, one in samples.items()}, look])
