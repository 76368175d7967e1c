"""A contender in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.comparisons import Comparison, Entrant
from benchmarks.configuration import Configuration
from benchmarks.contenders.ours import Ours
from benchmarks.contenders.registry import NORMALS, SERIAL
from benchmarks.measure import measure
from benchmarks.seat import Seat

ROOT = Path(__file__).resolve().parents[2]


def test_laps_of_a_comparison():
    configuration = Configuration(8, depth=2)
    entrants = (Entrant(NORMALS, configuration, cores=1), Entrant(SERIAL, configuration, cores=1, networks=501))
    told = []
    laps = measure([Comparison("draws", entrants, rounds=2, seconds=0.01)], tell=told.append)
    assert len(told) == 2
    assert laps.groupby("contender")["round"].apply(sorted).to_dict() == {NORMALS: [0, 1], SERIAL: [0, 1]}
    assert (laps["seconds"] > 0).all()
    ours = laps[laps["contender"] == SERIAL]
    granule = Ours(configuration).granule
    assert set(ours["networks"]) == {-(-501 // granule) * granule}
    assert (laps["seconds_per_network"] * laps["networks"]).tolist() == pytest.approx(laps["seconds"].tolist())


def test_a_contender_that_fails_is_named(capfd):
    """Its own traceback goes to the terminal, from the process that it ran in."""
    entrant = Entrant("PyTorch bmm", Configuration(8, activation="tanh"), cores=1)
    message = r"PyTorch bmm failed on tanh, he_normal, 8x20, 1 input"
    with Seat(entrant, seconds=0.01) as seat, pytest.raises(RuntimeError, match=message):
        seat.lap()
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="measured where there is /proc")  # noqa: PTH112
def test_peak_memory_includes_what_was_freed():
    """In a process of its own: this one may have had its peak in an earlier test."""
    lines = ["from benchmarks.memory import peak_bytes", "before = peak_bytes()", "bytearray(2**28)"]
    script = "; ".join([*lines, "raise SystemExit(0 if peak_bytes() - before > 2**27 else 1)"])
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT).returncode == 0
