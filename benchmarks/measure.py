"""Comparisons -> a tidy frame of laps, one row for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from benchmarks.comparisons import Comparison, Entrant
from benchmarks.contenders.registry import missing
from benchmarks.seat import Seat

if TYPE_CHECKING:
    import pandas as pd


def measure(comparisons: Iterable[Comparison], *, tell: Callable[[str], object]) -> pd.DataFrame:
    """Run every comparison, one after the other.

    Parameters
    ----------
    comparisons : iterable of Comparison
        What to run; contenders that are not installed are left out.
    tell : callable
        Hears what is being done.

    Returns
    -------
    DataFrame
        A row for each lap: the configuration's fields, contender, cores, round, networks, seconds, seconds of one
        network, and the contender's peak memory in this configuration.
    """
    import pandas as pd

    return pd.DataFrame([row for comparison in comparisons for row in _laps(comparison, tell)])


def _laps(comparison: Comparison, tell: Callable[[str], object]) -> list[dict[str, Any]]:
    entrants = [entrant for entrant in comparison.entrants if not missing(entrant.contender)]
    with ExitStack() as stack:
        seats = []
        for entrant in entrants:
            tell(f"{comparison.suite}: {entrant.contender}, {entrant.configuration.label}")
            seat = Seat(entrant, seconds=comparison.seconds)
            stack.enter_context(seat).lap()  # one at a time: none is sized while another starts
            seats.append(seat)
        laps = []
        for number in range(comparison.rounds):
            # Another one begins every round, so that none always follows the same neighbour's heat.
            order = [(number + step) % len(seats) for step in range(len(seats))]
            laps += [(number, index, seats[index].lap()) for index in order]
        peaks = [seat.peak_bytes() for seat in seats]
    return [
        {
            "suite": comparison.suite,
            **_columns(entrants[index]),
            "round": number,
            "networks": lap.networks,
            "seconds": lap.seconds,
            "seconds_per_network": lap.seconds / lap.networks,
            "peak_bytes": peaks[index],
        }
        for number, index, lap in laps
    ]


def _columns(entrant: Entrant) -> dict[str, Any]:
    """Columns that say what was run."""
    each = entrant.configuration
    return {
        "contender": entrant.contender,
        "cores": entrant.cores,
        "width": each.width,
        "depth": each.depth,
        "inputs": each.inputs,
        "activation": each.activation,
        "weights": each.weights,
        "record": each.record,
    }
