"""What a study takes to be decisive: networks, time and disk, measured on a small pilot."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from varprop.engine.executors import usable_cores
from varprop.engine.plan import Plan
from varprop.engine.simulate import assemble, run_block
from varprop.model.simulation import Simulation
from varprop.study.configurations import Configuration
from varprop.study.earlier import plan_there
from varprop.study.errors import Problem, StudyError
from varprop.study.store import encode_part
from varprop.study.stored import Store
from varprop.study.study import Study
from varprop.verification.compare import Case
from varprop.verification.planning import foreseen, plan_claims

if TYPE_CHECKING:
    import pandas as pd

PILOT = 200
_PILOT_STREAMS = 2
"""First word of the pilot's spawn key; 0 and 1 are a run's blocks and inputs."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one network of a configuration takes: seconds of one core, and bytes on disk."""

    configuration: str
    seconds: float
    bytes: float


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a study takes to be decisive.

    Parameters
    ----------
    study : Study
        What was asked.
    claims : DataFrame
        The columns of `varprop.verification.planning.COLUMNS`, one row per claim, configuration and quantity.
    costs : tuple of Cost
        Per configuration.
    cores : int
        Cores that the times are for.
    """

    study: Study
    claims: pd.DataFrame
    costs: tuple[Cost, ...]
    cores: int

    @property
    def networks(self) -> int | None:
        """Networks per configuration that decide every claim that any number decides, to two digits; None if there is none."""
        required = self.claims["n_required"].dropna()
        return _round_up(int(required.max())) if len(required) else None

    @property
    def undecidable(self) -> pd.DataFrame:
        """The claims that no number of networks decides."""
        return self.claims[self.claims["n_required"].isna()]

    @property
    def undecided(self) -> pd.DataFrame:
        """The claims that the study's own number of networks leaves open: too few, or expected and undecidable."""
        short = (self.claims["n_required"] > self.study.networks).fillna(value=False).astype(bool)
        lost = self.claims["n_required"].isna() & self.claims["expect"].notna()
        return self.claims[short | lost]

    def seconds(self, networks: int) -> float:
        """Time that so many networks per configuration take on all cores."""
        return networks * math.fsum(cost.seconds for cost in self.costs) / self.cores

    def bytes(self, networks: int) -> float:
        """Disk that so many networks per configuration take."""
        return networks * math.fsum(cost.bytes for cost in self.costs)

    def to_frame(self) -> pd.DataFrame:
        """Return the claims' table."""
        return self.claims.copy()


def plan_study(
    study: Study, directory: str | Path | None = None, *, pilot: int = PILOT, workers: int | None = None
) -> StudyPlan:
    """Foresee how many networks decide a study's claims, and what they cost.

    Parameters
    ----------
    study : Study
        What is to be decided.
    directory : str or Path, optional
        Parent of runs' folders. Where a configuration's samples are there in full, they are the pilot.
    pilot : int
        Networks per configuration of the pilot, from random streams that no run uses; of networks that are trained not more
        than the study's, since every number decides their claims.
    workers : int, optional
        Cores that the times are for; the usable ones if None.

    Returns
    -------
    StudyPlan

    Raises
    ------
    ValueError
        If the pilot has fewer than two networks.
    StudyError
        If the study has no claims, or a configuration cannot be sampled or tested.

    Notes
    -----
    Times are those of one core in this process, one configuration after the other, divided by the number of cores.

    Examples
    --------
    >>> from varprop.study.study import parse_study
    >>> text = '''
    ... schema = 1
    ... title = "He"
    ... seed = 1
    ... networks = 100
    ... network = { widths = "16x3", activation = "relu", weights = "he_normal" }
    ... [[claims]]
    ... id = "he.forward"
    ... quantity = "preactivation_second_moment"
    ... theory = "he"
    ... test = "cumulative_mean"
    ... '''
    >>> plan = plan_study(parse_study(text, name="he", source="he.toml"))
    >>> (plan.networks or 0) > 1000, len(plan.undecided)
    (True, 1)
    """
    if pilot < 2:
        msg = f"a pilot takes 2 networks or more, got {pilot}; write for example pilot=200"
        raise ValueError(msg)
    if not study.claims:
        raise StudyError(study.name, [Problem("claims", "there is none to plan for; say what the study is to decide")])
    if study.training is not None:
        pilot = max(2, min(pilot, study.networks))
    cases, costs = [], []
    for configuration in study.configurations:
        sampled, cost = _pilot(study.plan(configuration, networks=pilot), study.seed, configuration.label)
        costs.append(cost)
        claims = study.claims_about(configuration.label)
        there = None if directory is None else _stored(study, configuration, Path(directory) / study.name)
        if claims:
            cases.append(Case(configuration=configuration.label, simulation=there or sampled, claims=claims))
    try:
        table = plan_claims(cases, alpha=study.alpha)
    except StudyError:  # a part that cannot be read
        raise
    except (TypeError, ValueError) as error:
        raise StudyError(study.name, [Problem("claims", str(error))]) from error
    return StudyPlan(study, table, tuple(costs), workers or usable_cores())


def too_few(study: Study, networks: int | None = None) -> str:
    """Warn, before anything is sampled, that a study cannot decide some of its claims.

    Parameters
    ----------
    study : Study
        What is about to run.
    networks : int, optional
        Networks per configuration, in place of the study's own number.

    Returns
    -------
    str
        One sentence; empty if nothing is known to be too few. It takes arithmetic alone.
    """
    given = study.networks if networks is None else networks
    claims = {c.label: study.claims_about(c.label) for c in study.configurations}
    needed = foreseen(claims, {c.label: c.network for c in study.configurations}, alpha=study.alpha)
    short = {name: count for name, count in needed.items() if count > given}
    if not short:
        return ""
    worst = max(short, key=lambda name: short[name])
    others = f" and {len(short) - 1} more" if len(short) > 1 else ""
    return (
        f"{given:,} networks are too few to decide {worst}{others} with probability .9: that takes "
        f"{short[worst]:,}; `varprop plan` says what each claim takes"
    )


def _pilot(plan: Plan, seed: int, label: str) -> tuple[Simulation, Cost]:
    """Sample a pilot in this process, and take the time."""
    import pyarrow.parquet  # noqa: F401 - loaded here, so that its loading is no part of the time

    plan = replace(plan, root=np.random.SeedSequence(seed, spawn_key=(_PILOT_STREAMS,)))
    values, seconds, size = [], 0.0, 0
    try:
        for block in plan.blocks:
            started = time.process_time()
            values.append(run_block(plan, block.index))
            size += len(encode_part(plan, block, values[-1]))
            seconds += time.process_time() - started
    except (ValueError, ArithmeticError, MemoryError) as error:
        raise StudyError(label, [Problem("", str(error) or "needs more memory than there is")]) from error
    # A tile begun is sampled whole.
    sampled = sum(-(-block.networks // plan.tile) * plan.tile for block in plan.blocks)
    return assemble(plan, values), Cost(label, seconds / sampled, size / plan.n_networks)


def _stored(study: Study, configuration: Configuration, folder: Path) -> Simulation | None:
    """The samples of a configuration if all are there."""
    store = Store(folder, plan_there(study, configuration, folder))
    try:
        store.check()
    except StudyError:
        return None
    return store.simulation()


def _round_up(networks: int) -> int:
    """Up to two digits."""
    unit = int(f"1{'0' * max(0, len(str(networks)) - 2)}")
    return -(-networks // unit) * unit


def labels_of(rows: pd.DataFrame) -> Sequence[str]:
    """Names of a plan's claims for people."""
    return [
        f"{claim} ({configuration}, {quantity})"
        for claim, configuration, quantity in rows[["claim", "configuration", "quantity"]].itertuples(index=False)
    ]
