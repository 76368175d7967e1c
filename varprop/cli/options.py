"""What options of the command line stand for, folders and where blocks are sampled; and how far a run has come."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from varprop.cli.failures import fail
from varprop.cli.show import printable, say

if TYPE_CHECKING:
    from rich.progress import Task

    from varprop.engine.executors import ExecutorLike
    from varprop.study.filling import RunProgress


def folder(given: str | Path) -> Path:
    """Read the name of a folder; none at all, as an unset variable leaves it, would be the working folder."""
    if not str(given) or "\0" in str(given):
        msg = "it is empty (an unset variable?); write . for the working folder"
        raise typer.BadParameter(msg)
    return Path(given)


@contextlib.contextmanager
def executor_for(name: str | None, *, address: str | None, workers: int | None) -> Iterator[ExecutorLike]:
    """Give what ``--executor``, ``--address`` and ``--workers`` ask for, opened once for all studies of a call."""
    if name != "dask":
        if address is not None:
            fail("--address is a Dask scheduler's; add --executor dask")
        yield cast("ExecutorLike", name)
        return
    if address is not None and workers is not None:
        fail("the cluster at --address has workers of its own; leave --workers out")
    from varprop.engine.executors import dask_executor

    with contextlib.ExitStack() as stack:
        try:
            executor = stack.enter_context(dask_executor(address, workers=workers))
        except ModuleNotFoundError as error:
            fail(str(error))
        yield executor


# ---- progress --------------------------------------------------------------------------------------------------------


HEARTBEAT_SECONDS = 10.0


@dataclass(slots=True)
class Pace:
    """How many networks were sampled in how many seconds; what was on disk before does not count."""

    clock: Callable[[], float] = time.monotonic
    sampled: int = 0
    started: float = field(init=False)
    latest: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.latest = self.clock()

    def add(self, networks: int) -> None:
        """Count networks that were just sampled."""
        self.sampled += networks
        self.latest = self.clock()

    @property
    def rate(self) -> float:
        """Networks per second up to the latest block; 0 before the first."""
        seconds = self.latest - self.started
        return self.sampled / seconds if seconds > 0 else 0.0

    def summary(self) -> str:
        """Say what was sampled, and how fast."""
        if not self.sampled:
            return "nothing to sample: all networks were there"
        return f"sampled {self.sampled:,} networks in {self.latest - self.started:.1f} s ({_rate(self.rate)})"


@contextlib.contextmanager
def progress_of(name: str, pace: Pace) -> Iterator[Callable[[RunProgress], None]]:
    """Give what `run_study` calls after every block."""
    with _bar(name, pace) if sys.stderr.isatty() else contextlib.nullcontext(Heartbeat(name, pace)) as show:

        def report(progress: RunProgress) -> None:
            pace.add(progress.networks)
            show(progress)

        yield report


@dataclass(slots=True)
class Heartbeat:
    """A line on the error stream every ten seconds."""

    name: str
    pace: Pace
    said: float = field(init=False)

    def __post_init__(self) -> None:
        self.said = self.pace.clock()

    def __call__(self, progress: RunProgress) -> None:
        """Say how far the run is, if it is time."""
        now = self.pace.clock()
        if now - self.said < HEARTBEAT_SECONDS:
            return
        self.said = now
        say(
            f"{self.name}: {progress.done:,} of {progress.total:,} networks "
            f"({100 * progress.done // progress.total} %), {_rate(self.pace.rate)}, {_left(self.pace, progress)}"
        )


@contextlib.contextmanager
def _bar(name: str, pace: Pace) -> Iterator[Callable[[RunProgress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
    from rich.text import Text

    latest: list[RunProgress] = []

    class Speed(ProgressColumn):
        """Networks per second and time left, from what this process sampled."""

        def render(self, task: Task) -> Text:  # noqa: ARG002 - rich's signature
            return Text(f"{_rate(pace.rate)}, {_left(pace, latest[-1])}" if latest and pace.sampled else "")

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), Speed())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(printable(name), total=None)

        def show(progress: RunProgress) -> None:
            latest[:] = [progress]
            bar.update(task, completed=progress.done, total=progress.total)

        yield show


def _rate(rate: float) -> str:
    return f"{rate:,.0f} networks/s" if rate >= 10 else f"{rate:.2g} networks/s"


def _left(pace: Pace, progress: RunProgress) -> str:
    if not pace.rate:
        return "time left unknown"
    return f"{timedelta(seconds=round((progress.total - progress.done) / pace.rate))} left"
