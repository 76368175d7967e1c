"""Round numbers on an axis, also where it is logarithmic and spans a decade or less."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def set_round_ticks(axes: Axes, *, most: int) -> None:
    """Put at most so many round numbers on the horizontal axis, whose limits and scale are set already."""
    from matplotlib.ticker import NullFormatter, NullLocator

    axes.set_xticks(_ticks(*axes.get_xlim(), most))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.4g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers inside the axis, the centre among them; 1, 2, 5 in each decade where it spans one or two."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    span = high / low if low > 0 else 1.0
    locator: LogLocator | MaxNLocator
    if span > 6:
        # Over more decades 1, 2 and 5 would be too many, and matplotlib's locator then returns none at all.
        locator = LogLocator(subs=(1.0, 2.0, 5.0) if span <= 150 else (1.0,), numticks=most)
    else:
        locator = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])
    return [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high]
