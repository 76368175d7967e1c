"""Samples that an earlier version made, which recorded fewer quantities: they serve where claims need no more."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from varprop.engine.plan import Plan
from varprop.model.quantities import ADDED
from varprop.model.simulation import Simulation
from varprop.study.configurations import Configuration
from varprop.study.study import Study
from varprop.verification.compare import needed_quantities


def plan_there(study: Study, configuration: Configuration, folder: Path, *, networks: int | None = None) -> Plan:
    """Return the plan whose samples a run's folder has or will have."""
    plan = study.plan(configuration, networks=networks)
    before = _before(study, plan, folder)
    return plan if before is None or _lacking(study, configuration, before) else before


def plans_to_fill(study: Study, folder: Path, *, networks: int | None, fresh: bool) -> dict[str, Plan]:
    """Return the plan of every configuration that a run is to fill."""
    if fresh:
        return {c.label: study.plan(c, networks=networks) for c in study.configurations}
    plans = {c.label: plan_there(study, c, folder, networks=networks) for c in study.configurations}
    lacking: dict[str, None] = {}
    again = 0
    for configuration in study.configurations:
        before = _before(study, plans[configuration.label], folder)
        if before is not None and (lacks := _lacking(study, configuration, before)):
            again += 1
            lacking |= dict.fromkeys(lacks)
    if again:
        msg = (
            f"{folder}: the samples of {again} of {len(plans)} configurations were made by a version that did not record "
            f"{', '.join(lacking)}, which claims need; these are sampled again, and the old parts are kept"
        )
        warnings.warn(msg, RuntimeWarning, stacklevel=3)
    return plans


def unrecorded(study: Study, simulations: Mapping[str, Simulation]) -> list[str]:
    """Name the quantities that samples lack because an earlier version made them."""
    if study.quantities is not None or study.training is not None:
        return []
    lacking = {
        name
        for configuration in study.configurations
        for name in set(study.plan(configuration).where) - set(simulations[configuration.label].quantities)
    }
    return [name for name in ADDED if name in lacking]


def _before(study: Study, plan: Plan, folder: Path) -> Plan | None:
    """Find the plan of the newest earlier version that left parts, if there are none with all quantities."""
    if study.quantities is not None or _has_parts(folder, plan):
        return None
    return next((before for before in _with_fewer_quantities(plan) if _has_parts(folder, before)), None)


def _with_fewer_quantities(plan: Plan) -> Iterator[Plan]:
    """The plan as earlier versions made it, the newest first."""
    for first in reversed(range(len(ADDED))):
        where = {name: places for name, places in plan.where.items() if name not in ADDED[first:]}
        if where and len(where) < len(plan.where):
            yield replace(plan, where=where)


def _has_parts(folder: Path, plan: Plan) -> bool:
    return any((folder / "samples" / plan.key).glob("part-*.parquet"))


def _lacking(study: Study, configuration: Configuration, before: Plan) -> list[str]:
    """Quantities that claims about the configuration need and the earlier version did not record."""
    everything = study.plan(configuration).where
    needed = {
        name
        for claim in study.claims_about(configuration.label)
        for name in needed_quantities(claim, before.network, before.inputs, everything)
    }
    return sorted(needed - set(before.where))
