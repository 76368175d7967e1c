"""What the project wants to hold, and whether the laps show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmarks.contenders.registry import NORMALS, NORMS, OURS, PEERS, PROCESSES, SERIAL, THREADS
from benchmarks.ratios import Spread, Where, ratio, slope, times

if TYPE_CHECKING:
    import pandas as pd

_SLACK = 0.1  # of an exponent: what a change of cache level makes of a line


@dataclass(frozen=True, slots=True)
class Target:
    """A statement, its bound, and what was measured (None: nothing)."""

    statement: str
    relation: Literal["at least", "at most"]
    bound: float
    measured: Spread | None

    @property
    def outcome(self) -> str:
        """The median decides; a spread that crosses the bound is said."""
        if self.measured is None:
            return "not measured"
        inside = _holds(self.measured.median, self.relation, self.bound)
        every = all(_holds(end, self.relation, self.bound) == inside for end in (self.measured.low, self.measured.high))
        return ("met" if inside else "**not met**") + ("" if every else ", not in every round")


def _holds(value: float, relation: str, bound: float) -> bool:
    return value >= bound if relation == "at least" else value <= bound


def targets(laps: pd.DataFrame) -> list[Target]:
    """All targets, in the order of the page."""
    return [*_against_peers(laps), *_against_normals(laps), *_workers(laps), *_growth(laps), *_dense(laps)]


def fastest_peer(laps: pd.DataFrame, where: Where) -> str | None:
    """The peer with the least median time in these laps."""
    medians = {peer: times(laps, {**where, "contender": peer}).median() for peer in _present(laps, where, PEERS)}
    return min(medians, key=lambda peer: medians[peer]) if medians else None


def _present(laps: pd.DataFrame, where: Where, names: Iterable[str]) -> list[str]:
    return [name for name in names if len(times(laps, {**where, "contender": name}))]


def _against_peers(laps: pd.DataFrame) -> Iterator[Target]:
    for width, bound in ((256, 300), (1024, 1000)):
        where: Where = {"suite": "peers", "width": width, "inputs": 1, "activation": "relu"}
        peer = fastest_peer(laps, where)
        named = f" ({peer})" if peer else ""
        for name, how in ((OURS, "ours"), (NORMS, 'ours with method="norms"')):
            found = ratio(laps, {**where, "contender": peer}, {**where, "contender": name}) if peer else None
            yield Target(
                f"Time of the fastest peer{named} over {how}, width {width}, one input", "at least", bound, found
            )


def _against_normals(laps: pd.DataFrame) -> Iterator[Target]:
    for record, bound, what in (("three", 0.6, "three second moments"), ("all", 0.85, "all quantities")):
        for activation in ("relu", "tanh"):
            where: Where = {"suite": "draws", "activation": activation}
            found = ratio(laps, {**where, "contender": SERIAL, "record": record}, {**where, "contender": NORMALS})
            statement = f"Time of ours, {activation}, {what}, over that of drawing the normals with NumPy, one thread"
            yield Target(statement, "at most", bound, found)


def _workers(laps: pd.DataFrame) -> Iterator[Target]:
    for width in (256, 1024):
        where: Where = {"suite": "workers", "width": width}
        for name, kind in ((THREADS, "threads"), (PROCESSES, "processes")):
            found = ratio(laps, {**where, "contender": SERIAL}, {**where, "contender": name})
            yield Target(f"Speed of two {kind} over one, width {width}", "at least", 1.8, found)


def _growth(laps: pd.DataFrame) -> Iterator[Target]:
    for suite, over, order, what in (
        ("width", "width", 1, "width"),
        ("width, dense", "width", 2, "width, dense path"),
        ("depth", "depth", 1, "depth"),
        ("networks", "networks", 1, "the number of networks"),
    ):
        found = slope(laps, {"suite": suite}, over)
        yield Target(f"Exponent of the time's growth with {what}", "at most", order + _SLACK, found)


def _dense(laps: pd.DataFrame) -> Iterator[Target]:
    where: Where = {"suite": "dense"}
    found = ratio(laps, {**where, "contender": PEERS[1]}, {**where, "contender": OURS})
    yield Target(f"Time of {PEERS[1]} over ours, uniform weights, width 256", "at least", 1.0, found)
