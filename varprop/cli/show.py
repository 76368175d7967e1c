"""Frames as text on a terminal, or as JSON for a program."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from varprop.cli.terminal import is_shown, out

if TYPE_CHECKING:
    import pandas as pd

    from varprop.verification.verdict import Forecast, Verdict

_UNBOUNDED = 10_000
"""Columns of a 'terminal' that is a file or a pipe: nothing is wrapped or cut."""
_FOLDED = frozenset({"claim", "configuration", "quantity", "meaning", "quantities", "defaults", "title", "path"})
_STYLES = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}


def print_json(value: object) -> None:
    """Print one JSON document; what is missing is null."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    out("".join(one if one == "\n" or is_shown(one) else json.dumps(one)[1:-1] for one in text))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON-able mappings; NaN, NA and the infinity of a missing bound as None."""
    text = frame.to_json(orient="records", double_precision=15)
    rows: list[dict[str, Any]] = json.loads(text, parse_float=_finite)
    return rows


def _finite(digits: str) -> float:
    """Read a number; the largest one there is, in 15 digits, would be infinite."""
    return max(-sys.float_info.max, min(float(digits), sys.float_info.max))


def print_table(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Print rows under a heading; texts are shown as they are, and no line is wrapped in a pipe."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        # On a narrow terminal names are folded; a verdict or a number is never cut.
        table.add_column(name, overflow="fold", no_wrap=not terminal or name not in _FOLDED)
    for row in rows:
        table.add_row(*(Text(plain(row[name]), style=_STYLES.get(str(row[name]), "")) for name in columns))
    console = Console(width=None if terminal else _UNBOUNDED, highlight=False)
    with console.capture() as captured:  # rich would end the command where nobody reads on
        console.print(table, soft_wrap=not terminal)
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
