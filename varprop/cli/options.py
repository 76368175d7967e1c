"""What options of the command line stand for: folders, and where blocks are sampled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from varprop.cli.failures import fail

if TYPE_CHECKING:
    from varprop.engine.executors import ExecutorLike


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
    from varprop.engine.cluster import dask_executor

    with contextlib.ExitStack() as stack:
        try:
            executor = stack.enter_context(dask_executor(address, workers=workers))
        except ModuleNotFoundError as error:
            fail(str(error))
        yield executor
