"""Every way in which a command can end: exit statuses, and messages in place of tracebacks."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

import typer

CONTRADICTED, BAD_INPUT, STOPPED = 1, 2, 3
"""Exit statuses beside 0: a verdict contradicts ``expect``; the input is bad; stopped early, the same call resumes."""


def say(message: str) -> None:
    """Print a line for people, which never mixes with what a program reads."""
    with contextlib.suppress(BrokenPipeError):
        typer.echo(message, err=True)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Turn what may go wrong for a user into a message and an exit status."""
    # Imported here and not above: these load NumPy, and `varprop --help` has to be quick.
    from varprop.model.layers import UnsupportedError
    from varprop.study.errors import RunStoppedError

    try:
        with _warnings_said():
            yield
    except BrokenPipeError:
        _leave_pipe()
        raise typer.Exit(0) from None  # the reader has seen enough, as in `varprop list tests | head -1`
    except KeyboardInterrupt:
        stop("stopped")
    except RunStoppedError as error:
        stop(str(error))
    except (ValueError, UnsupportedError) as error:  # StudyError too
        fail(str(error))
    except MemoryError:
        fail("there is not enough memory for this; use narrower layers, fewer networks or fewer inputs")
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        fail(f"{name}{error.strerror or error}")


def fail(message: str) -> NoReturn:
    """End for bad input."""
    say(f"varprop: {message}")
    raise typer.Exit(BAD_INPUT)


def stop(message: str) -> NoReturn:
    """End early; say how to go on."""
    say(f"varprop: {message}")
    if sys.argv[1:2] == ["run"]:
        # --fresh would begin anew instead of going on.
        again = ["varprop", *(argument for argument in sys.argv[1:] if argument != "--fresh")]
        say(f"What is finished is kept. To go on:\n  {shlex.join(again)}")
    raise typer.Exit(STOPPED)


@contextlib.contextmanager
def _warnings_said() -> Iterator[None]:
    """Show warnings as one line each, without the place in the code."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        say(f"varprop: warning: {message}")

    with warnings.catch_warnings():
        for category in (RuntimeWarning, UserWarning):
            warnings.simplefilter("always", category)
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let a scheduler's SIGTERM stop a run as Ctrl-C does, so that it says how to go on."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave_pipe() -> None:
    """Send what is still buffered nowhere, so that Python's exit does not complain."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
