"""Every way in which a command can end: exit statuses, and messages in place of tracebacks."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shlex
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn, cast

import typer

from varprop.cli.show import flush, open_streams, printable, say

CONTRADICTED, BAD_INPUT, STOPPED, BROKEN = 1, 2, 3, 4
"""Exit statuses beside 0: the answer contradicts what is expected; the input is bad; stopped early, the same call resumes; a
fault of varprop's own. An error ends the command, whatever verdicts were given before, and the first is the one that counts;
bad input is looked for first."""

STATUSES = (
    "Exit status: 0 done; 1 the answer contradicts what is expected; 2 bad input; 3 stopped early, to be resumed; 4 an error of "
    "varprop's own. Of several 2 wins, then 3 and 4, then 1."
)

DISK_FULL = frozenset(filter(None, (errno.ENOSPC, getattr(errno, "EDQUOT", None), errno.EFBIG)))
_UsageError: type[Exception] = typer.BadParameter.__base__ or Exception  # typer has a copy of click, or click itself
_PATIENCE_SECONDS = 3.0  # in which a command that was asked to stop does so; ending workers takes a tenth of a second
_LONGEST = 400  # characters of a line
_LONGEST_PATH = 4096  # characters, more than any system opens
_UNFINISHED = 130
"""What typer makes of a KeyboardInterrupt."""


@dataclass(slots=True)
class _State:
    """What this process has come to."""

    debug: bool = False
    asked_to_stop: float | None = None
    """When a signal did, by the monotonic clock."""
    told: bool = False


_state = _State()


def run(command: Callable[[], object]) -> NoReturn:
    """Run a command to its exit status, whatever happens in it."""
    open_streams()
    _on_signals(_asked_to_stop)
    try:
        with guarded():
            status = command()
    except _UsageError as error:
        shown = io.StringIO()
        cast("Any", error).show(file=shown)
        say("\n".join(map(_cut, shown.getvalue().rstrip().splitlines())))
        status = BAD_INPUT
    except typer.Exit as error:
        status = error.exit_code
    except SystemExit:  # typer's word for a reader that left while it printed help
        status = 0
    if status == _UNFINISHED:
        say("varprop: stopped")
        status = STOPPED
    flush()
    _on_signals(signal.SIG_IGN)  # nothing is left that could be stopped, and Python's end sets what is not ignored back
    sys.exit(status if isinstance(status, int) else 0)


def _cut(line: str) -> str:
    """A line of a usage error, which quotes what was written, however long that is."""
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Turn what may go wrong into a message and an exit status."""
    try:
        with _warnings_said():
            yield
    except (typer.Exit, _UsageError):
        raise
    except BrokenPipeError:
        raise typer.Exit(0) from None  # typer's own printing, of help: the reader has seen enough
    except KeyboardInterrupt:
        stop("stopped")
    except MemoryError:
        fail("there is not enough memory for this; use narrower layers, fewer networks or fewer inputs")
    except OSError as error:
        name = f"{_shortened(str(error.filename))}: " if error.filename else ""
        if error.errno in DISK_FULL:
            stop(f"{name}the disk is full ({error.strerror}); make room")
        fail(f"{name}{error.strerror or error}")
    except Exception as error:  # noqa: BLE001 - whatever it is, it has a status and a line
        _sort(error)


def _shortened(path: str) -> str:
    """Leave the middle of a path out that is longer than any file's may be; whoever wrote it knows it by its ends."""
    return path if len(path) <= _LONGEST_PATH else f"{path[:100]}...{path[-100:]}"


def _sort(error: Exception) -> NoReturn:
    """Tell bad input, and a run that stopped, from what should not have happened."""
    # Imported here and not above: these load NumPy, and `varprop --help` has to be quick.
    try:
        from varprop.model.layers import UnsupportedError
        from varprop.study.errors import RunStoppedError
    except ImportError as broken:  # NumPy itself cannot be loaded
        _unexpected(broken)
    if isinstance(error, RunStoppedError):
        stop(str(error))
    if isinstance(error, ValueError | UnsupportedError):  # StudyError too
        fail(str(error))
    _unexpected(error)


def _unexpected(error: Exception) -> NoReturn:
    if _state.debug:
        say("".join(traceback.format_exception(error)).rstrip())
    first = (str(error).strip().splitlines() or ["without a word"])[0]
    where = "" if _state.debug else f"; for the traceback: {shlex.join(['varprop', '--debug', *sys.argv[1:]])}"
    say(f"varprop: this should not have happened ({type(error).__name__}: {first}){where}")
    raise typer.Exit(BROKEN)


def show_tracebacks(wanted: bool) -> None:
    """Print tracebacks of errors that are varprop's own."""
    _state.debug = wanted


def fail(message: str) -> NoReturn:
    """End for bad input."""
    say(f"varprop: {message}")
    raise typer.Exit(BAD_INPUT)


def stop(message: str) -> NoReturn:
    """End early; say how to go on."""
    _state.told = True
    say(_stopped(message))
    raise typer.Exit(STOPPED)


def _stopped(message: str) -> str:
    if sys.argv[1:2] != ["run"]:
        return f"varprop: {message}"
    # --fresh would begin anew instead of going on.
    again = ["varprop", *(argument for argument in sys.argv[1:] if argument != "--fresh")]
    return f"varprop: {message}\nWhat is finished is kept. To go on:\n  {shlex.join(again)}"


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


def _on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """Handle a scheduler's SIGTERM and the end of a terminal as Ctrl-C; what the caller ignores, as nohup does, stays so."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _asked_to_stop(_signal: int, _frame: FrameType | None) -> None:
    """Stop in good order; asked again after some time, end at once, which runs and worker processes bear at any moment."""
    if _state.asked_to_stop is not None:
        if time.monotonic() < _state.asked_to_stop + _PATIENCE_SECONDS:
            return
        if not _state.told:
            with contextlib.suppress(OSError):  # past Python's own stream, which may be in the middle of a line
                os.write(2, (printable(_stopped("stopped")) + "\n").encode(errors="backslashreplace"))
        os._exit(STOPPED)
    _state.asked_to_stop = time.monotonic()
    raise KeyboardInterrupt
