"""A sequential study stops where its claims are decided, and its bytes never depend on how it got there."""

import json
import math
import shutil
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from varprop.study import RunStoppedError, StudyError, load_run, load_study, run_study
from varprop.study.filling import RunProgress
from varprop.verification.compare import gather
from varprop.verification.watching import look_schedule

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

SEQUENTIAL = 'stopping = "sequential"'
BUDGET = 30_000
TABLES = """
[network]
widths = "16x3"
activation = "relu"

[grid]
weights = ["he_normal", "xavier_normal", "he_uniform"]

[[claims]]
id = "he.step"
test = "step_mean"
theory = "preserved"
quantity = "preactivation_second_moment"
margin = 0.1
where = { weights = ["he_normal", "xavier_normal"] }

[[claims]]
id = "he.depth"
test = "cumulative_mean"
theory = "he"
quantity = "preactivation_second_moment"
margin = 0.05
where = { weights = "he_normal" }

[[claims]]
id = "tight"
test = "pooled_step_mean"
theory = "he"
quantity = "preactivation_second_moment"
margin = 0.002
where = { weights = "he_uniform" }
"""
LABELS = ("he_normal", "xavier_normal", "he_uniform")


def contents(folder):
    """Everything in the folder but the lock."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != ".lock"
    }


class Stopper:
    """Interrupts after some blocks, as Ctrl-C would."""

    def __init__(self, blocks=10**9):
        self.blocks = blocks
        self.calls = []

    def __call__(self, progress: RunProgress):
        self.calls.append(progress)
        if len(self.calls) > self.blocks:
            raise KeyboardInterrupt

    @property
    def sampled(self):
        return sum(progress.networks for progress in self.calls)


def blocks_used(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    return {
        one["label"]: len(list((folder / "samples" / one["key"]).glob("part-*"))) for one in manifest["configurations"]
    }


@pytest.fixture
def study(write):
    return load_study(write(TABLES, networks=BUDGET, top=SEQUENTIAL))


@pytest.fixture(scope="module")
def sampled(write_in, tmp_path_factory):
    """The run of the study. Nothing may change it."""
    folder = tmp_path_factory.mktemp("sampled")
    study = load_study(write_in(folder, TABLES, networks=BUDGET, top=SEQUENTIAL))
    return run_study(study, folder / "undisturbed", "serial")


@pytest.fixture
def undisturbed(sampled, tmp_path):
    """A copy of it, opened again."""
    return load_run(shutil.copytree(sampled.path, tmp_path / "undisturbed" / sampled.path.name))


def headline(run):
    table = run.verdicts()
    return table[table["verdict"].notna()].set_index(["claim", "configuration"])


def test_stopping_is_fixed_unless_asked_for(parse):
    assert parse().stopping == "fixed"
    assert parse(top=SEQUENTIAL).stopping == "sequential"
    with pytest.raises(StudyError, match="stopping"):
        parse(top='stopping = "early"')


@pytest.mark.false_alarm(1e-9)
def test_each_configuration_stops_where_its_claims_are_decided(sampled):
    """True claims at 10 to 60 standard errors, one false by 50 %, and one that the budget is too small for.

    The last is decided if the estimate is within 0.04 standard errors of a margin of .2, which is never: the bound alone
    takes 2. False verdicts have probability below .05 in the study; these are far from their margins: below 1e-12.
    """
    verdicts = headline(sampled)
    assert verdicts["verdict"].to_dict() == {
        ("he.step", LABELS[0]): "supported",
        ("he.step", LABELS[1]): "refuted",
        ("he.depth", LABELS[0]): "supported",
        ("tight", LABELS[2]): "inconclusive",
    }
    used = sampled.used
    assert used[LABELS[1]] < used[LABELS[0]] < used[LABELS[2]] == BUDGET
    # The claims of one configuration are closed at looks of their own, and its sample ends with the last.
    closed = verdicts["n_networks"]
    assert closed["he.step", LABELS[0]] < closed["he.depth", LABELS[0]] == used[LABELS[0]]
    assert f"sequential: stopped after {used[LABELS[1]]:,} of at most 30,000" in verdicts["note"]["he.step", LABELS[1]]
    assert verdicts["n_required"]["tight", LABELS[2]] > BUDGET


def test_looks_are_those_of_the_schedule(study, sampled):
    for configuration in study.configurations:
        looks = look_schedule(BUDGET, block=study.plan(configuration).block)
        assert sampled.used[configuration.label] in looks


def test_only_what_was_used_is_on_disk_and_in_the_run(study, sampled):
    on_disk = blocks_used(sampled.path)
    for configuration in study.configurations:
        plan, used = study.plan(configuration), sampled.used[configuration.label]
        assert on_disk[configuration.label] == -(-used // plan.block)
        assert sampled.simulations()[configuration.label].n_networks == used
    manifest = sampled.manifest
    assert (manifest["stopping"], manifest["networks"], manifest["complete"]) == ("sequential", BUDGET, True)
    assert {one["label"]: one["networks"] for one in manifest["configurations"]} == sampled.used


def test_estimates_are_those_of_the_networks_used(sampled):
    """Another road: the fixed evidence on the sample as it is on disk, of the claim that was decided last."""
    row = headline(sampled).loc["he.depth", LABELS[0]]
    claim = next(c for c in sampled.study.claims if c.id == "he.depth")
    (fixed,) = gather([claim], sampled.simulations()[LABELS[0]], called="here")
    assert row["estimate"] == pytest.approx(fixed.headline.estimate, rel=1e-12)
    low, high = map(math.exp, fixed.headline.outcome.interval(0.95))
    assert row["ci_low"] < low < high < row["ci_high"]


def test_a_run_opens_again_with_the_same_verdicts(sampled):
    again = load_run(sampled.path)
    assert again.used == sampled.used
    pd.testing.assert_frame_equal(again.verdicts(), sampled.verdicts())


@pytest.mark.parametrize("blocks", [0, 2, 7])
def test_an_interrupted_run_goes_on_to_the_same_bytes(study, sampled, tmp_path, blocks):
    folder = tmp_path / "interrupted"
    with pytest.raises(KeyboardInterrupt):
        run_study(study, folder, "serial", Stopper(blocks))
    assert not (folder / "small" / "verdicts.csv").exists()
    run = run_study(study, folder, "serial")
    assert contents(run.path) == contents(sampled.path)


def test_workers_change_nothing(study, sampled, tmp_path):
    with ThreadPoolExecutor(3) as pool:
        run = run_study(study, tmp_path / "threads", pool)
    assert contents(run.path) == contents(sampled.path)


def test_a_finished_run_samples_nothing_again(study, undisturbed, tmp_path):
    progress = Stopper()
    before = contents(undisturbed.path)
    run_study(study, tmp_path / "undisturbed", "serial", progress)
    assert progress.sampled == 0
    assert contents(undisturbed.path) == before


def test_samples_of_a_fixed_run_are_used_as_far_as_they_are_needed(study, sampled, write, tmp_path):
    """The blocks are the same, so that what is there need not be sampled, and what is more than needed is not looked at.

    The fixed run was a look at the four statements, and the sequences are one of their own: m is 8.
    """
    fixed = load_study(write(TABLES, networks=BUDGET))
    run_study(fixed, tmp_path / "runs", "serial")
    progress = Stopper()
    again = run_study(study, tmp_path / "runs", "serial", progress)
    assert progress.sampled == 0
    assert again.standing.m == 2 * sampled.standing.m == 8
    for label, used in again.used.items():
        assert sampled.used[label] <= used <= BUDGET


def test_progress_ends_with_everything_that_is_wanted(study, tmp_path):
    progress = Stopper()
    run = run_study(study, tmp_path / "runs", "serial", progress)
    last = progress.calls[-1]
    assert last.done == last.total == sum(run.used.values()) == progress.sampled
    assert progress.calls[0].total == 3 * BUDGET
    assert all(call.done <= call.total for call in progress.calls)


def test_a_missing_part_is_named_and_a_damaged_one_sampled_again(study, undisturbed, tmp_path):
    part = next((undisturbed.path / "samples").rglob("part-*"))
    before = contents(undisturbed.path)
    part.unlink()
    with pytest.raises(StudyError, match="not finished"):
        load_run(undisturbed.path).verdicts()
    part.write_bytes(b"damaged")
    with pytest.warns(RuntimeWarning, match="damaged"):
        run_study(study, tmp_path / "undisturbed", "serial")
    assert contents(undisturbed.path) == before


def test_a_configuration_without_claims_is_sampled_to_the_budget(write, tmp_path):
    tables = TABLES.replace('id = "tight"', 'id = "loose"').replace("margin = 0.002", "margin = 0.5")
    tables = tables.replace('where = { weights = "he_uniform" }', 'where = { weights = "he_normal" }')
    run = run_study(load_study(write(tables, networks=4000, top=SEQUENTIAL)), tmp_path, "serial")
    assert run.used[LABELS[2]] == 4000
    bare = TABLES.partition("[[claims]]")[0]
    run = run_study(load_study(write(bare, networks=600, top=SEQUENTIAL, name="bare")), tmp_path, "serial")
    assert set(run.used.values()) == {600}
    assert run.verdicts().empty


@pytest.mark.false_alarm(1e-9)
def test_an_edited_claim_is_judged_on_the_samples_there(write, study, undisturbed, tmp_path):
    """A wider margin is decided earlier: nothing is sampled, and nothing that is there is removed."""
    wider = load_study(write(TABLES.replace("margin = 0.05", "margin = 0.2"), networks=BUDGET, top=SEQUENTIAL))
    progress = Stopper()
    run = run_study(wider, tmp_path / "undisturbed", "serial", progress)
    assert progress.sampled == 0
    assert run.used[LABELS[0]] < undisturbed.used[LABELS[0]]


def test_a_claim_that_cannot_be_tested_is_named(write, tmp_path):
    tables = TABLES.replace('test = "pooled_step_mean"\ntheory = "he"', 'test = "pivot_law"').replace(
        'preactivation_second_moment"\nmargin = 0.002', 'pivot"\nmargin = 0.1'
    )
    with pytest.raises((StudyError, RunStoppedError), match=r"tight.*he_uniform"):
        run_study(load_study(write(tables, networks=1200, top=SEQUENTIAL)), tmp_path, "serial")
