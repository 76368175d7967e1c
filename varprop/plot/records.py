"""Reading one row of a verdict frame: what pandas calls missing, in whatever way, becomes NaN or an empty text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from varprop.verification.claims import TESTS

Record = Mapping[Any, Any]
"""A row as ``DataFrame.to_dict("records")`` gives it."""


def value_in(record: Record, name: str) -> float:
    """A number of the row, NaN if it is missing."""
    import pandas as pd

    value = record[name]
    return math.nan if pd.isna(value) else float(value)


def text_in(record: Record, name: str) -> str:
    """A text of the row, empty if it is missing."""
    import pandas as pd

    value = record.get(name)
    return "" if value is None or pd.isna(value) else str(value)


def is_standardised(record: Record) -> bool:
    """Tell whether the row's estimate is a standardised mean, for which there is no ratio to a prediction of 0."""
    test = TESTS.get(str(record["test"]))
    return test is not None and test.standardised and math.isnan(value_in(record, "ratio"))


def margin_in(record: Record) -> float:
    """The row's margin, NaN where its test has none."""
    test = TESTS.get(str(record["test"]))
    return math.nan if test is not None and test.margin is None else value_in(record, "margin")


def compared_in(record: Record) -> float:
    """What the row's interval and margin are about: a standardised mean, or measured over predicted."""
    return value_in(record, "estimate" if is_standardised(record) else "ratio")
