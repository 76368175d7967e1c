"""A Dask cluster as an executor: one on this machine, or one that runs somewhere else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import varprop as vp
from varprop._arguments import quoted
from varprop.engine.executors import leave_interrupts_to_the_parent, usable_cores

if TYPE_CHECKING:
    from distributed import Client

_ANSWER_SECONDS = 10.0  # in which a scheduler has to answer; a busy one takes a second or two
_GREETING_SECONDS = 2.0  # after which one that took the call, but says nothing that Dask knows, is none


@contextlib.contextmanager
def dask_executor(address: str | None = None, *, workers: int | None = None) -> Iterator[Executor]:
    """Start a Dask cluster on this machine, or connect to one, and give an executor that runs tasks there."""
    try:
        import distributed
    except ModuleNotFoundError as error:
        msg = f"a Dask executor needs {error.name}; pip install varprop[dask]"
        raise ModuleNotFoundError(msg, name=error.name) from error

    with contextlib.ExitStack() as stack:
        # What Dask logs of workers that come and go is not the user's business; what is comes as an error.
        stack.enter_context(distributed.utils.silence_logging_cmgr(logging.CRITICAL))
        scheduler: str | distributed.LocalCluster
        if address is None:
            scheduler = distributed.LocalCluster(
                n_workers=workers or usable_cores(),
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # None would ask for port 8787, and complain where it is taken
                memory_limit=0,  # a share of the machine's memory each would be a guess, and workers die of it
                silence_logs=logging.CRITICAL,  # of the workers
            )
            stack.enter_context(scheduler)
        else:
            asyncio.run(_knock(address))
            scheduler = address
        client = stack.enter_context(distributed.Client(scheduler, timeout=_ANSWER_SECONDS, set_as_default=False))
        if address is None:  # workers that run elsewhere are not this terminal's
            client.register_worker_callbacks(leave_interrupts_to_the_parent)
        _check_workers(client)
        yield client.get_executor(pure=False)


async def _knock(address: str) -> None:
    """See whether a Dask scheduler is at home; what else may answer there could keep a Client waiting for ever."""
    from distributed.comm import connect

    answer = asyncio.ensure_future(connect(address, timeout=_ANSWER_SECONDS))
    # Longer than Dask's own limit, which tells more: that nobody is there at all.
    done, _ = await asyncio.wait({answer}, timeout=_ANSWER_SECONDS + _GREETING_SECONDS)
    if not done:
        answer.cancel()
    error = answer.exception() if done else "it does not speak Dask's protocol"
    if error is not None:
        msg = f"no Dask scheduler answers at {quoted(address)} ({error}); an address looks like tcp://10.0.0.1:8786"
        raise ConnectionError(msg)
    answer.result().abort()


def _check_workers(client: Client) -> None:
    """See whether the workers have the same varprop; what is sampled depends on it."""
    if not client.nthreads():
        msg = "the Dask cluster has no worker yet; waiting for one"
        warnings.warn(msg, RuntimeWarning, stacklevel=5)
        client.wait_for_workers(1)
    try:
        found = set(client.run(_installed).values())
    except ImportError as error:
        msg = f"the cluster's workers cannot load varprop ({error}); install varprop {vp.__version__} there"
        raise ValueError(msg) from error
    if found != {vp.__version__}:
        versions = ", ".join(sorted(found))
        msg = f"the cluster's workers have varprop {versions}; install varprop {vp.__version__} there"
        raise ValueError(msg)


def _installed() -> str:
    """Run by every worker, which has to load this module for it."""
    return vp.__version__
