"""One BLAS thread while blocks run: n workers use n cores, not n times as many threads."""

from __future__ import annotations

import importlib
import os
import threading
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import TypeVar, cast

from threadpoolctl import ThreadpoolController

T = TypeVar("T")
ProcessName = tuple[uuid.UUID, int]

_DRAWN = uuid.uuid4()  # process numbers repeat from host to host; this alone is inherited by a fork
_capped = threading.local()


def this_process() -> ProcessName:
    """Return what no other process has, on whatever host."""
    return _DRAWN, os.getpid()


def one_blas_thread() -> AbstractContextManager[object]:
    """Cap this process's BLAS libraries at one thread, for a while."""
    return cast(AbstractContextManager[object], _controller().limit(limits=1, user_api="blas"))


def on_one_core(caller: ProcessName, call: Callable[[], T]) -> T:
    """Run a call with one BLAS thread, in a worker of any kind whose caller is inside `one_blas_thread`.

    In the caller's process, workers are threads under the caller's cap; to set it is the caller's, since to
    threadpoolctl the number belongs to one thread at a time. Any other process is there to work, and stays capped: were
    each call to put back what it found, the first of two that overlap in a worker would lift the cap of the other.
    """
    if this_process() != caller and not hasattr(_capped, "limiter"):
        _capped.limiter = _controller().limit(limits=1, user_api="blas")  # by thread, as OpenMP counts
    return call()


@cache
def _controller() -> ThreadpoolController:
    """The BLAS libraries of this process; looking for them takes longer than a short simulation."""
    for name in ("numpy", "scipy.special"):  # each brings a BLAS; one that is not loaded yet would not be found
        importlib.import_module(name)
    return ThreadpoolController()
