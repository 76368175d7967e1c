"""What a command puts out: tables for people, JSON for a program, and streams that are closed, full or read no more."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import json
import math
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

if TYPE_CHECKING:
    import pandas as pd

    from varprop.verification.verdict import Forecast, Verdict

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


_UNBOUNDED = 10_000
"""Columns of a 'terminal' that is a file or a pipe: nothing is wrapped or cut."""
_AT_ONCE = 1000
"""Rows that are laid out together there."""
_WORDS = 100_000
"""Of JSON, which are written together."""
_FOLDED = frozenset({"claim", "configuration", "quantity", "meaning", "quantities", "defaults", "title", "path"})
_STYLES = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}


def print_json(value: object) -> None:
    """Print one JSON document; what is missing is null."""
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False)
    words = iter(encoder.iterencode(value))
    while text := "".join(itertools.islice(words, _WORDS)):  # as a whole it would take ten times what it says
        out(
            text.translate({ord(one): json.dumps(one)[1:-1] for one in set(text) - {"\n"} if not is_shown(one)}), end=""
        )
    out("")


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON-able mappings; NaN, NA and the infinity of a missing bound as None."""
    return list(_one_by_one(frame))


def _one_by_one(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows as `records` has them, of which only some exist at a time."""
    for first in range(0, len(frame), _AT_ONCE):
        text = frame.iloc[first : first + _AT_ONCE].to_json(orient="records", double_precision=15)
        yield from json.loads(text, parse_float=_finite)


def _finite(digits: str) -> float:
    """Read a number; the largest one there is, in 15 digits, would be infinite."""
    return max(-sys.float_info.max, min(float(digits), sys.float_info.max))


def print_table(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Print rows under a heading; texts are shown as they are, and no line is wrapped in a pipe.

    In a pipe a long table goes out in pieces of one width: laid out as a whole it would take several times its size.
    """
    given = list(rows)
    widths: list[int] | None = None
    if not sys.stdout.isatty():
        from rich.cells import cell_len

        widths = [max([cell_len(name), *(cell_len(plain(row[name])) for row in given)]) for name in columns]
    size = _AT_ONCE if widths else max(len(given), 1)
    for first in range(0, max(len(given), 1), size):
        _print_piece(given[first : first + size], columns, widths, headed=not first)


def _print_piece(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str], widths: Sequence[int] | None, *, headed: bool
) -> None:
    """Print some rows of a table; without widths on a terminal, whose own limits them."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", show_header=headed)
    for i, name in enumerate(columns):
        # On a narrow terminal names are folded; a verdict or a number is never cut.
        folds, least = (name in _FOLDED, None) if widths is None else (False, widths[i])
        table.add_column(name, overflow="fold", no_wrap=not folds, min_width=least)
    for row in rows:
        table.add_row(*(Text(plain(row[name]), style=_STYLES.get(str(row[name]), "")) for name in columns))
    console = Console(width=None if widths is None else _UNBOUNDED, highlight=False)
    with console.capture() as captured:  # rich would end the command where nobody reads on
        console.print(table, soft_wrap=widths is not None)
    out(captured.get().removesuffix("\n"))


def print_verdicts(verdicts: Iterable[Verdict]) -> None:
    """Print verdicts, a line each; columns that are empty are left out."""
    shown = [
        {
            "verdict": one.verdict,
            "claim": one.claim.id,
            "configuration": one.configuration,
            "layer": one.measured.place[0] if one.measured.place else None,
            "quantity": one.claim.quantity,
            "ratio": _finite_or_none(one.measured.ratio),
            # A standardised mean has no ratio; where there is one it says the same as the estimate.
            "estimate": _finite_or_none(one.measured.estimate) if not math.isfinite(one.measured.ratio) else None,
            "interval": _interval(*map(_finite_or_none, one.measured.interval)),
            "margin": percent(_finite_or_none(one.claim.shown_margin)),
            "level": one.guarantee,
            "needs": _needs(one.required),
        }
        for one in verdicts
    ]
    filled = [name for name in shown[0] if any(row[name] is not None for row in shown)] if shown else []
    if filled:
        print_table(shown, filled)


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _needs(required: Forecast) -> str | None:
    """How many networks decide what is open, and with what chance."""
    if required.networks is None or required.chance is None:
        return None
    return f"{required.networks:,} networks (chance {chance(required.chance)})"


def chance(value: float) -> str:
    """A chance as a percentage, which is never said to be a certainty."""
    return "over 99 %" if value > 0.99 else f"{100 * value:.0f} %"


def percent(margin: float | None) -> str | None:
    """Write a margin, if there is one."""
    return None if margin is None else f"{100 * margin:.4g} %"


def _interval(low: float | None, high: float | None) -> str | None:
    """An interval, of which one end may be open."""
    if low is None and high is None:
        return None
    left = "(-inf" if low is None else f"[{_number(low)}"
    return f"{left}, inf)" if high is None else f"{left}, {_number(high)}]"


def _number(value: float) -> str:
    """Four digits; what is beyond all numbers is said to be."""
    if abs(value) == sys.float_info.max:
        return "> 1e308" if value > 0.0 else "< -1e308"
    return f"{value:#.4g}"


def plain(value: object) -> str:
    """One printable line: numbers to four digits, control characters out."""
    if value is None:
        return ""
    text = _number(value) if isinstance(value, float) else str(value)
    return "".join(one if is_shown(one) else " " for one in text)
