"""What goes out: lines for people, the answer for whoever reads it, and streams that are closed, full or read no more."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import unicodedata
from typing import Annotated, TextIO

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")]
_NOBODY = frozenset({errno.EPIPE, errno.EIO})
"""What writing gives when nobody reads any more: the other end of the pipe is closed, or the terminal."""


def say(message: str) -> None:
    """Print a line for people, which never mixes with what a program reads; where it cannot be had, it is not missed."""
    try:
        typer.echo(printable(message), err=True)
    except OSError:
        _to_nowhere(sys.stderr)


def out(answer: str, *, end: str = "\n") -> None:
    """Print what was asked for; a reader that has seen enough, as in ``| head -1``, is no error and stops nothing."""
    try:
        typer.echo(answer + end, nl=False)
    except OSError as error:
        _to_nowhere(sys.stdout)
        if error.errno not in _NOBODY:
            raise


def printable(text: str) -> str:
    r"""Write what a terminal would obey, or would not show, as escapes; lines and spaces of any width stay.

    Examples
    --------
    >>> print(printable("a\x9b31m\u202eb"))
    a\x9b31m\u202eb
    """
    return "".join(one if one == "\n" or is_shown(one) else one.encode("unicode_escape").decode() for one in text)


def is_shown(character: str) -> bool:
    """Tell whether a terminal shows a character and does nothing else with it."""
    return character.isprintable() or unicodedata.category(character) == "Zs"


def open_streams() -> None:
    """Make the streams fit to be written to, whatever the caller has left of them.

    A closed one (``>&-``) is opened to nowhere. Else the next file to be opened would get its number, and what some
    library says on stderr would go into a run's part. Workers inherit them.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:  # it was closed when Python began
            setattr(sys, name, open(os.devnull, "r" if number == 0 else "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - stays open
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a title that the terminal's encoding lacks is no error


def flush() -> None:
    """Send off what is buffered, so that Python's exit finds nothing that it could complain of."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _to_nowhere(stream)


def _to_nowhere(stream: TextIO) -> None:
    """Let a stream be written to without effect from here on, with what it has buffered."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
