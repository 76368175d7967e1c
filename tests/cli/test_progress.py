"""What is said of a run while it runs."""

import pytest

from varprop.cli.options import Heartbeat, Pace, progress_of
from varprop.study.filling import RunProgress


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_pace_counts_what_was_sampled_and_not_what_was_there(clock):
    pace = Pace(clock)
    assert pace.summary() == "nothing to sample: all networks were there"
    clock.now += 4
    pace.add(2000)
    clock.now += 60  # testing the claims is not sampling
    assert pace.rate == 500
    assert pace.summary() == "sampled 2,000 networks in 4.0 s (500 networks/s)"


def test_a_heartbeat_is_a_line_every_ten_seconds(clock, capsys):
    pace = Pace(clock)
    beat = Heartbeat("deep", pace)
    for seconds in range(1, 26):
        clock.now = 100 + seconds
        pace.add(100)
        beat(RunProgress("relu", 100, 1000 + 100 * seconds, 6000))
    assert capsys.readouterr().err.splitlines() == [
        "deep: 2,000 of 6,000 networks (33 %), 100 networks/s, 0:00:40 left",
        "deep: 3,000 of 6,000 networks (50 %), 100 networks/s, 0:00:30 left",
    ]


def test_a_terminal_gets_a_bar(clock, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    pace = Pace(clock)
    with progress_of("deep [red]", pace) as report:
        report(RunProgress("relu", 0, 500, 2000))
        clock.now += 2
        report(RunProgress("relu", 500, 1000, 2000))
    shown = capsys.readouterr().err
    assert "deep [red]" in shown  # a study's name is text, not markup
    assert "1000/2000" in shown
    assert "250 networks/s, 0:00:04 left" in shown
