"""What a study takes to be decisive: networks, time and disk, measured on a small pilot."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from varprop._arguments import checked
from varprop.engine.executors import usable_cores
from varprop.engine.plan import Plan
from varprop.engine.simulate import assemble, run_block
from varprop.model.simulation import Simulation
from varprop.study.errors import Problem, StudyError
from varprop.study.judgement import judgement
from varprop.study.looks import read_looks
from varprop.study.manifest import looks_so_far, networks_used, read_manifest
from varprop.study.standing import mixture_of, stand
from varprop.study.store import encode_part
from varprop.study.study import Study
from varprop.verification.compare import Case, judge
from varprop.verification.prospects import Planned, plan_table

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
        The columns of `varprop.verification.prospects.COLUMNS`, one row per claim, configuration and quantity.
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
        """Networks per configuration to write into the study, so that every claim is decided that any number decides.

        Before the first look it is the number that does so there, to two digits, since it may still be any. After it, it is
        the rung of the ladder that does. None if no claim can be decided.
        """
        first = self.claims["n_first"].dropna()
        return _round_up(int(first.max())) if len(first) else self.on_ladder

    @property
    def on_ladder(self) -> int | None:
        """Networks per configuration that do so if the first look has the study's own number, or had it."""
        required = self.claims["n_required"].dropna()
        return int(required.max()) if len(required) else None

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

    @checked
    def seconds(self, networks: int) -> float:
        """Time that so many networks per configuration take on all cores.

        Raises
        ------
        TypeError
            If an argument is of another kind.
        ValueError
            If it is a number of more than 63 bits.
        """
        return networks * math.fsum(cost.seconds for cost in self.costs) / self.cores

    @checked
    def bytes(self, networks: int) -> float:
        """Disk that so many networks per configuration take.

        Raises
        ------
        TypeError
            If an argument is of another kind.
        ValueError
            If it is a number of more than 63 bits.
        """
        return networks * math.fsum(cost.bytes for cost in self.costs)

    def to_frame(self) -> pd.DataFrame:
        """Return the claims' table."""
        return self.claims.copy()


@checked
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
    TypeError
        If an argument is of another kind.

    Notes
    -----
    Times are those of one core in this process, one configuration after the other, divided by the number of cores.

    Examples
    --------
    >>> from varprop.study.parsing import parse_study
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
    samples, costs = {}, []
    for configuration in study.configurations:
        sampled, cost = _pilot(study.plan(configuration, networks=pilot), study.seed, configuration.label)
        costs.append(cost)
        samples[configuration.label] = sampled
    folder = None if directory is None else Path(directory) / study.name
    try:
        table = plan_table(_planned_by_run(study, folder) or _planned_by_pilot(study, folder, samples))
    except StudyError:  # a part that cannot be read
        raise
    except (TypeError, ValueError) as error:
        raise StudyError(study.name, [Problem("claims", str(error))]) from error
    return StudyPlan(study, table, tuple(costs), workers or usable_cores())


def _planned_by_run(study: Study, folder: Path | None) -> list[Planned]:
    """Every claim as the run in a folder judges it; nothing if it lacks samples of a configuration."""
    from varprop.study.run import Run

    if folder is None:
        return []
    try:
        manifest = read_manifest(folder)
        used = networks_used(manifest)
        run = Run(study, folder, manifest["networks"], {c.label: used[c.label] for c in study.configurations})
        simulations = run.simulations()
    except (KeyError, StudyError):
        return []  # there is none, it is not finished, or has other configurations
    judged = judgement(stand(study, read_looks(folder, manifest), run.networks), run.found)
    return [
        Planned(
            configuration=one.configuration,
            claim=one.claim,
            network=simulations[one.configuration].architecture,
            inputs=study.n_inputs,
            networks=simulations[one.configuration].n_networks,
            evidence=one.evidence,
            allowance=allowance,
            verdict=one.verdict,
        )
        for one, allowance in zip(judged.verdicts, judged.standing.allowances(), strict=True)
        if one.evidence is not None
    ]


def _planned_by_pilot(study: Study, folder: Path | None, samples: Mapping[str, Simulation]) -> list[Planned]:
    """Every claim as a pilot shows it, and the numbers of networks at which it may be judged."""
    standing = stand(study, () if folder is None else looks_so_far(folder), study.networks)
    found = judge(
        [
            Case(label, simulation, claims)
            for label, simulation in samples.items()
            if (claims := study.claims_about(label))
        ]
    )
    standing = standing.counting(claim.counts for _, claim, _ in found)
    rows = zip(found, standing.stated, standing.prospects(), strict=True)
    return [
        Planned(
            configuration=label,
            claim=claim,
            network=samples[label].architecture,
            inputs=study.n_inputs,
            networks=samples[label].n_networks,
            evidence=evidence,
            allowance=allowance,
            fresh=not standing.looks,
            ladder=standing.design == "ladder" or bool(standing.looks),
            mixture=mixture_of(standing) if stated.watched else None,
        )
        for (label, claim, evidence), stated, allowance in rows
    ]


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
