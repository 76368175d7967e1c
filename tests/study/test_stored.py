"""A run's samples stay on disk until they are asked for, and a study may say which quantities are recorded."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.study import StudyError, load_run, load_study, manifest, run_study

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

TABLES = """
[network]
widths = "6x3"
biases = "zeros"

[grid]
activation = ["relu", "tanh"]
weights = ["he_normal"]

[[claims]]
id = "he.step"
test = "step_mean"
theory = "he"
quantity = ["preactivation_second_moment", "gradient_second_moment"]
where = { activation = "relu" }

[[claims]]
id = "he.depth"
test = "cumulative_mean"
theory = "he"
quantity = "preactivation_second_moment"
where = { activation = "relu" }
"""
NEEDED = ["preactivation_second_moment", "conditional_variance", "gradient_second_moment"]


@pytest.fixture
def run(write, tmp_path):
    study = load_study(write(TABLES, networks=4500, top="looks = 1"))
    return run_study(study, tmp_path / "runs", "serial")


def test_values_come_from_disk_when_they_are_asked_for(run, monkeypatch):
    read = []
    real = manifest.read_part
    monkeypatch.setattr("varprop.study.manifest.read_part", lambda *a: read.append(a[2].index) or real(*a))
    simulation = load_run(run.path).simulations()["relu"]
    assert simulation.n_networks == 4500
    assert simulation.places("pivot")[0] == (1, "0")
    assert not read
    values = simulation.values("pivot")
    assert values.shape == (4500, 3)
    assert read == list(range(len(read)))
    np.testing.assert_array_equal(simulation.column("pivot", (2, "2")), values[:, 1])


@pytest.mark.parametrize("numbers", [1, 10**6])
def test_pieces_are_the_whole_in_order(run, monkeypatch, numbers):
    """Of one block each, or of several."""
    monkeypatch.setattr(manifest, "_PIECE", numbers)
    simulation = load_run(run.path).simulations()["relu"]
    pieces = list(simulation.chunks())
    expected = vp.simulate(simulation.network, n_networks=4500, rng=3)
    assert (len(pieces) > 1) == (numbers == 1)
    assert pieces[-1].first + pieces[-1].n_networks == 4500
    for quantity in expected.quantities:
        found = np.concatenate([piece.values(quantity) for piece in pieces])
        np.testing.assert_array_equal(found, expected.values(quantity))
    frames = pd.concat([piece.to_frame() for piece in pieces], ignore_index=True)
    assert set(frames["network"]) == set(range(4500))


def test_verdicts_and_summaries_are_those_of_the_samples_in_memory(run, monkeypatch):
    monkeypatch.setattr(manifest, "_PIECE", 1)
    again = load_run(run.path)
    network = again.simulations()["relu"].network
    whole = vp.simulate(network, n_networks=4500, rng=3)
    claims = again.study.claims_about("relu")
    from varprop.verification.compare import Case, assess

    expected, found = assess([Case("relu", whole, claims)]), again.verdicts()
    # A study adds that it is its own first look.
    found["note"] = found["note"].str.replace(
        " (in a study of its own, since a further look at this one has no guarantee)", ""
    )
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9)
    summary = again.summary()
    assert list(summary.columns[:2]) == ["configuration", "layer"]
    assert list(summary["configuration"].cat.categories) == ["relu", "tanh"]
    mine = summary[summary["configuration"] == "relu"].drop(columns="configuration").reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, whole.summary(), rtol=1e-9)


def test_a_missing_part_is_told_without_reading_any(run):
    next((run.path / "samples").rglob("part-00000.parquet")).unlink()
    for ask in (lambda run: run.simulations(), lambda run: run.summary(), lambda run: run.predictions()):
        with pytest.raises(StudyError, match="not finished"):
            ask(load_run(run.path))


# ---- quantities --------------------------------------------------------------------------------------------------


def test_only_what_is_asked_for_is_recorded(run, write, tmp_path):
    study = load_study(
        write(TABLES, networks=4500, top=f"looks = 1\nquantities = {NEEDED}".replace("'", '"'), name="few")
    )
    few = run_study(study, tmp_path / "runs", "serial")
    assert set(few.simulations()["relu"].quantities) == set(NEEDED)
    pd.testing.assert_frame_equal(few.verdicts(), run.verdicts())
    for quantity in NEEDED:
        expected = run.simulations()["tanh"].values(quantity)
        np.testing.assert_array_equal(few.simulations()["tanh"].values(quantity), expected)
    sizes = [sum(p.stat().st_size for p in one.path.rglob("*.parquet")) for one in (few, run)]
    assert sizes[0] < sizes[1] / 3


@pytest.mark.parametrize(
    ("quantities", "messages"),
    [
        (NEEDED[:2], [r"claims\[0\]: needs gradient_second_moment too; add that to quantities"]),
        (
            ["pivot"],
            [
                r"claims\[0\]: needs conditional_variance, preactivation_second_moment too",
                r"claims\[0\]: needs conditional_variance, gradient_second_moment too",
                r"claims\[1\]: needs preactivation_second_moment too",
            ],
        ),
        (["pivott"], [r"quantities\[0\]: .*did you mean 'pivot'"]),
        (["pivot", "pivot"], [r"quantities\[1\]: is the same as item \[0\]"]),
        ([], ["quantities: must have at least 1 items"]),
    ],
)
def test_claims_that_need_more_than_is_recorded_are_refused_before_sampling(write, quantities, messages):
    path = write(TABLES, top=f"quantities = {quantities}".replace("'", '"'))
    with pytest.raises(StudyError) as refused:
        load_study(path)
    for message in messages:
        refused.match(message)


# ---- memory ------------------------------------------------------------------------------------------------------

_PEAK = """
import resource, sys
import varprop as vp
run = vp.run_study(vp.load_study(sys.argv[1]), sys.argv[2], "serial", networks=int(sys.argv[3]))
run.summary()
vp.write_report(run, sys.argv[2] + "/reports")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_of_a_run(path, folder, networks):
    """Peak memory in MB of a process that samples in itself, tests, summarises and reports."""
    command = [sys.executable, "-c", _PEAK, str(path), str(folder), str(networks)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kilobytes = int(done.stdout.split()[-1]) / (1024 if sys.platform == "darwin" else 1)
    return kilobytes / 1024


@pytest.mark.montecarlo
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no getrusage")
def test_a_run_of_any_size_takes_the_same_memory(write, tmp_path):
    """A million networks, of which the samples alone are 1.2 GB, and a hundred thousand; sampled, tested, reported."""
    path = write(TABLES.replace('"6x3"', '"64x10"').replace(', "tanh"', ""), networks=100)
    few = peak_of_a_run(path, tmp_path / "few", 10**5)
    many = peak_of_a_run(path, tmp_path / "many", 10**6)
    assert many < 500
    assert many < 1.15 * few
