"""What is measured: as data, so that the page can list it and a short run can cut it down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.configuration import Configuration
from benchmarks.contenders.registry import NORMALS, NORMS, OURS, PEERS, PROCESSES, SERIAL, THREADS

Suite = Literal["peers", "draws", "workers", "width", "width, dense", "depth", "networks", "dense"]
CORES = 2  # for every contender that uses more than one, whatever the machine has


@dataclass(frozen=True, slots=True)
class Entrant:
    """A contender in a comparison."""

    contender: str
    configuration: Configuration
    cores: int = CORES
    networks: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Entrants that take turns: in every round each runs once, so that what disturbs the machine disturbs them alike."""

    suite: Suite
    entrants: tuple[Entrant, ...]
    rounds: int = 7
    seconds: float = 1.5


def comparisons(*, quick: bool = False) -> tuple[Comparison, ...]:
    """Everything that a run measures; the short version has two short rounds, and no large configuration."""
    full = (*_peers(), *_draws(), *_workers(), *_growth(), _dense_uniform())
    if not quick:
        return full
    small = (replace(each, entrants=_cut(each.entrants), rounds=2, seconds=0.1) for each in full)
    return tuple(each for each in small if each.entrants)


def _cut(entrants: tuple[Entrant, ...]) -> tuple[Entrant, ...]:
    return tuple(
        entrant
        for entrant in entrants
        if entrant.configuration.width * entrant.configuration.inputs <= 512
        and entrant.configuration.width < 512
        and (entrant.networks or 0) <= 10_000
        and not _slow(entrant)
    )


def _slow(entrant: Entrant) -> bool:
    return entrant.contender.endswith("dense") and entrant.configuration.width > 128


def _peers() -> Iterable[Comparison]:
    ours = (OURS, f"{OURS}, ziggurat")
    for inputs in (1, 8):
        for width in (64, 256, 1024):
            configuration = Configuration(width, inputs=inputs)
            alone = (NORMS,) if inputs == 1 else ()
            names = (*ours, *alone, f"{OURS}, dense", *PEERS)
            yield Comparison("peers", tuple(Entrant(name, configuration) for name in names), rounds=5)
        yield Comparison(
            "peers", tuple(Entrant(name, Configuration(256, inputs=inputs, activation="tanh")) for name in ours)
        )


def _draws() -> Iterable[Comparison]:
    names = (NORMALS, SERIAL, f"{SERIAL}, ziggurat")
    for activation in ("relu", "tanh"):
        three = Configuration(256, activation=activation)
        recorded = (Entrant(name, three, cores=1) for name in names)
        everything = Entrant(SERIAL, replace(three, record="all"), cores=1)
        yield Comparison("draws", (*recorded, everything), rounds=15)


def _workers() -> Iterable[Comparison]:
    for width in (256, 1024):
        serial = Entrant(SERIAL, Configuration(width), cores=1)
        both = (Entrant(name, Configuration(width)) for name in (THREADS, PROCESSES))
        yield Comparison("workers", (serial, *both), rounds=9, seconds=6)


def _growth() -> Iterable[Comparison]:
    """Serial, so that what is fitted is the work and not the workers."""

    def series(suite: Suite, contender: str, configurations: Iterable[Configuration]) -> Comparison:
        return Comparison(suite, tuple(Entrant(contender, each, cores=1) for each in configurations), 5, 0.5)

    yield series("width", SERIAL, (Configuration(2**power) for power in range(4, 13)))
    yield series("width, dense", f"{SERIAL}, dense", (Configuration(2**power) for power in range(4, 10)))
    yield series("depth", SERIAL, (Configuration(256, depth=depth) for depth in (5, 10, 20, 50, 100)))
    numbers = (2000, 4000, 10_000, 20_000, 40_000, 100_000)  # whole blocks
    sizes = tuple(Entrant(SERIAL, Configuration(256), cores=1, networks=number) for number in numbers)
    yield Comparison("networks", sizes, 5)


def _dense_uniform() -> Comparison:
    configuration = Configuration(256, weights="he_uniform")
    return Comparison("dense", tuple(Entrant(name, configuration) for name in (OURS, PEERS[1])), rounds=9)
