"""Sequential studies: configurations are sampled until their claims are decided, look by look as the schedule says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from varprop.engine.plan import Plan
from varprop.model.simulation import Samples, Simulation
from varprop.study.errors import Problem, StudyError
from varprop.study.stored import Store
from varprop.verification.sequential import Watch, look_schedule

if TYPE_CHECKING:
    from varprop.study.study import Study

Goals = Mapping[str, int]
"""Number of networks that is wanted of each configuration, by its label."""


def follow(study: Study, folder: Path, plans: Mapping[str, Plan], bring: Callable[[Goals], None]) -> dict[str, Watch]:
    """Judge a study's claims look by look, until every claim is closed.

    Parameters
    ----------
    study : Study
        Whose claims.
    folder : Path
        The run's.
    plans : mapping of str to Plan
        By the configurations' labels, with the budget as their number of networks.
    bring : callable
        Called before each round of looks with what has to be in the folder then.

    Returns
    -------
    dict of str to Watch
        By label, all closed. What they say depends on the samples and the schedule alone, never on how often sampling was
        interrupted, or how many workers there were.

    Raises
    ------
    StudyError
        If a part is missing or damaged, or a test does not apply to what was sampled.
    """
    m = sum(len(study.claims_about(label)) for label in plans)
    watches = {
        label: Watch(
            label,
            study.claims_about(label),
            looks=look_schedule(plan.n_networks, block=plan.block),
            alpha=study.alpha,
            m=max(m, 1),
        )
        for label, plan in plans.items()
    }
    while goals := {label: look for label, watch in watches.items() if (look := watch.next_look) is not None}:
        bring(goals)
        for label, look in goals.items():
            store = Store(folder, replace(plans[label], n_networks=look))
            store.check()
            watch = watches[label]
            try:
                watch.look(_pieces(store, watch.networks), store.simulation())
            except StudyError:  # a part that cannot be read
                raise
            except (TypeError, ValueError) as error:
                raise StudyError(str(folder / "study.toml"), [Problem("claims", str(error))]) from error
    return watches


def _pieces(store: Store, first: int) -> Iterator[Simulation]:
    """The networks of a store from one number on, a block at a time; looks are whole blocks apart."""
    whole = store.simulation()
    for block in store.plan.blocks:
        if block.first >= first:
            values = store.read(block)
            samples = {name: Samples(values[name], places) for name, places in store.plan.where.items()}
            yield replace(whole, samples=samples, first=block.first, pieces=None)
