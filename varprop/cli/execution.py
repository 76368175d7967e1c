"""Where the command line has blocks sampled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import cast

from varprop.cli.failures import fail
from varprop.engine.cluster import dask_executor
from varprop.engine.executors import ExecutorLike


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
    with contextlib.ExitStack() as stack:
        try:
            executor = stack.enter_context(dask_executor(address, workers=workers))
        except ModuleNotFoundError as error:
            fail(str(error))
        yield executor
