"""The benchmark's tables and figure, from laps that were made up."""

import dataclasses
import itertools
import re

import numpy as np
import pandas as pd
import pytest

from benchmarks.comparisons import comparisons
from benchmarks.configuration import Configuration
from benchmarks.contenders.registry import CONTENDERS, NORMALS, OURS, PEERS, SERIAL
from benchmarks.figure import scaling_figure, series
from benchmarks.machine import describe_machine
from benchmarks.page import page
from benchmarks.ratios import Spread, number, ratio, slope
from benchmarks.targets import Target, fastest_peer, targets
from benchmarks.write import write

SPEED = {OURS: 1.0, SERIAL: 2.0, NORMALS: 4.0, PEERS[0]: 900.0, PEERS[1]: 400.0, PEERS[2]: 700.0}


def _row(suite, entrant, number_of_round, drift):
    """A lap of a machine whose speed drifts, and on which time is proportional to width, depth and contender."""
    each = entrant.configuration
    order = 2 if "dense" in entrant.contender else 1
    seconds = SPEED.get(entrant.contender, 1.1) * each.width**order * each.depth * 1e-9 * drift
    networks = entrant.networks or 1000
    return {
        "suite": suite,
        "contender": entrant.contender,
        "cores": entrant.cores,
        **{field.name: getattr(each, field.name) for field in dataclasses.fields(each)},
        "round": number_of_round,
        "networks": networks,
        "seconds": seconds * networks,
        "seconds_per_network": seconds,
        "peak_bytes": 2**28,
    }


@pytest.fixture
def laps():
    return pd.DataFrame(
        [
            _row(each.suite, entrant, number_of_round, drift=3.0 if number_of_round % 2 else 1.0)
            for each in comparisons()
            for number_of_round in range(each.rounds)
            for entrant in each.entrants
        ]
    )


@pytest.fixture
def machine():
    return describe_machine()


def test_a_ratio_is_taken_within_a_round(laps):
    """The machine of these laps is three times slower in every other round; no ratio sees it."""
    where = {"suite": "peers", "width": 256, "inputs": 1, "activation": "relu"}
    found = ratio(laps, {**where, "contender": PEERS[1]}, {**where, "contender": OURS})
    assert (found.median, found.low, found.high) == pytest.approx((400, 400, 400))


def test_a_ratio_to_who_took_no_part_is_none(laps):
    assert ratio(laps, {"contender": "nobody"}, {"contender": OURS}) is None


@pytest.mark.parametrize(("suite", "over", "order"), [("width", "width", 1), ("width, dense", "width", 2)])
def test_slopes_are_the_exponents_of_growth(laps, suite, over, order):
    assert slope(laps, {"suite": suite}, over).median == pytest.approx(order)


def test_the_slope_over_networks_is_that_of_the_whole_run(laps):
    assert slope(laps, {"suite": "networks"}, "networks").median == pytest.approx(1)


def test_no_slope_through_one_point(laps):
    assert slope(laps[laps["width"] == 256], {"suite": "width"}, "width") is None


def test_the_fastest_peer(laps):
    assert fastest_peer(laps, {"suite": "peers", "width": 1024, "inputs": 1, "activation": "relu"}) == PEERS[1]


@pytest.mark.parametrize(
    ("relation", "spread", "outcome"),
    [
        ("at least", Spread(2, 1.5, 3), "met"),
        ("at least", Spread(2, 0.5, 3), "met, not in every round"),
        ("at least", Spread(0.5, 0.4, 0.6), "**not met**"),
        ("at most", Spread(0.5, 0.4, 0.6), "met"),
        ("at most", Spread(2, 0.9, 3), "**not met**, not in every round"),
        ("at most", None, "not measured"),
    ],
)
def test_the_outcome_of_a_target(relation, spread, outcome):
    assert Target("", relation, 1.0, spread).outcome == outcome


def test_every_target_is_measured_by_a_full_run(laps):
    found = targets(laps)
    assert len(found) == 17
    assert [each.statement for each in found if each.measured is None] == []
    outcomes = {each.statement: each.outcome for each in found}
    assert outcomes[f"Time of the fastest peer ({PEERS[1]}) over ours, width 256, one input"] == "met"
    assert outcomes[f"Time of the fastest peer ({PEERS[1]}) over ours, width 1024, one input"] == "**not met**"


def test_what_was_not_measured_is_said(laps, machine):
    alone = laps[~laps["contender"].isin(PEERS)]
    text = page(alone, machine)
    assert text.count("not measured |") == 5
    assert f"was not installed: {', '.join(PEERS)}" in text


def test_the_page_has_a_row_for_every_entrant(laps, machine):
    text = page(laps, machine)
    for width, inputs in itertools.product((64, 256, 1024), ("1 input", "8 inputs")):
        assert f"| relu, {width}x20, {inputs} | {OURS} |" in text
    for line in (line for line in text.splitlines() if line.startswith("|")):
        assert line.count("|") in {5, 6}
    assert machine["processor"] in text
    assert not re.search(r"\bnan\b", text)


def test_a_short_run_is_called_that(laps, machine):
    assert "short version" in page(laps, {**machine, "quick": True})
    assert "short version" not in page(laps, machine)


def test_the_figure_shows_the_medians(laps):
    points = series(laps)
    mine = points[(points["panel"] == "width") & (points["contender"] == SERIAL)]
    assert mine["x"].tolist() == [2**power for power in range(4, 13)]
    np.testing.assert_allclose(mine["milliseconds"], 2.0 * mine["x"] * 20 * 1e-6)
    whole = points[points["panel"] == "networks"]
    np.testing.assert_allclose(whole["milliseconds"], 2.0 * 256 * 20 * 1e-6 * whole["x"])
    axes = scaling_figure(points).axes
    assert [each.get_xscale() for each in axes] == [each.get_yscale() for each in axes] == ["log"] * 3


def test_four_files_are_written_and_can_be_read_back(laps, machine, tmp_path):
    write(tmp_path, laps, machine)
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "benchmark.csv", "machine.json", "scaling.svg"}
    again = pd.read_csv(tmp_path / "benchmark.csv")
    assert page(again, machine) == (tmp_path / "README.md").read_text(encoding="utf-8")


def test_the_short_run_has_nothing_large():
    for each in comparisons(quick=True):
        assert each.rounds == 2
        assert max(entrant.configuration.width for entrant in each.entrants) <= 256


def test_comparisons_name_contenders_that_exist():
    named = {entrant.contender for each in comparisons() for entrant in each.entrants}
    assert named == set(CONTENDERS)


def test_the_label_of_a_configuration():
    assert Configuration(64, inputs=8, record="all").label == "relu, he_normal, 64x20, 8 inputs, all quantities"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234"), (12.34, "12.3"), (0.5, "0.500"), (0.9999, "1.00"), (1.0001, "1.00"), (0.0, "0.00")],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text
