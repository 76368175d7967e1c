"""A frame -> the text of a CSV file: six digits, and texts that a spreadsheet does not take for formulas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from varprop.report.wording import plain

if TYPE_CHECKING:
    import pandas as pd

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_text(frame: pd.DataFrame) -> str:
    """Write a frame as CSV.

    Parameters
    ----------
    frame : DataFrame
        The index is left out.

    Returns
    -------
    str
        Numbers have six digits: what another machine's last bits change stays out of a file that is committed. A text
        that a spreadsheet would run as a formula begins with an apostrophe, which tells it not to.

    Examples
    --------
    >>> import pandas as pd
    >>> print(csv_text(pd.DataFrame({"ratio": [2 / 3], "note": ["=1+1"]})), end="")
    ratio,note
    0.666667,'=1+1
    """
    safe = frame.copy(deep=False)
    for name in frame.columns:
        if frame[name].dtype == object or frame[name].dtype.name in {"str", "string", "category"}:
            safe[name] = frame[name].map(_cell)
    written: str = safe.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return written


def _cell(value: object) -> object:
    """A text without control characters and formulas; anything else as it is."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@"} and not _NUMBER.fullmatch(text) else text
