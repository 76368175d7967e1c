"""From laps to what is compared: ratios and slopes within a round, and their median and spread over the rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Where = dict[str, object]
"""Column values that pick the laps of one entrant."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A number measured once a round."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: pd.Series) -> Spread:
        """Median, least and largest."""
        return cls(float(values.median()), float(values.min()), float(values.max()))

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)} to {number(self.high)})"


def number(value: float) -> str:
    """Three significant digits, thousands grouped."""
    exponent = int(f"{value:.2e}".partition("e")[2])  # of the rounded number: 0.9996 is 1.00
    return f"{value:,.{max(2 - exponent, 0)}f}"


def pick(laps: pd.DataFrame, where: Where) -> pd.DataFrame:
    """Return the laps whose columns have these values."""
    return laps[np.logical_and.reduce([laps[column] == value for column, value in where.items()])]


def times(laps: pd.DataFrame, where: Where) -> pd.Series:
    """Seconds of one network by round, for one entrant; empty if it did not take part."""
    return pick(laps, where).set_index("round")["seconds_per_network"]


def ratio(laps: pd.DataFrame, slower: Where, faster: Where) -> Spread | None:
    """Time of one entrant over another's in the same round; None if one of them did not take part."""
    ratios = (times(laps, slower) / times(laps, faster)).dropna()
    return Spread.of(ratios) if len(ratios) else None


def slope(laps: pd.DataFrame, where: Where, over: str) -> Spread | None:
    """Exponent of the growth of a network's time with a column, by least squares of logarithms within each round.

    Over "networks" it is the time of the whole run that grows.
    """
    chosen = pick(laps, where)
    if chosen[over].nunique() < 2:
        return None
    column = "seconds" if over == "networks" else "seconds_per_network"
    fitted = chosen.groupby("round")[[over, column]].apply(
        lambda one: np.polyfit(np.log(one[over]), np.log(one[column]), 1)[0]
    )
    return Spread.of(fitted)
