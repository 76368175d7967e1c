"""A run resumes, extends and re-tests without losing or repeating work, and its bytes never depend on how."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.engine.plan import make_plan
from varprop.numerics.randomness import DRAWS_VERSION
from varprop.study import RunStoppedError, StudyError, load_run, load_study, run_study
from varprop.study.files import locked

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

CONFIGURATIONS = 4
TABLES = """
[network]
widths = "6x3"

[grid]
activation = ["relu", "tanh"]
weights = ["he_normal", "xavier_uniform"]

[[claims]]
id = "he.step"
test = "step_mean"
theory = "he"
quantity = ["preactivation_second_moment", "gradient_second_moment"]
margin = 0.5
expect = "supported"
where = { activation = "relu", weights = "he_normal" }

[[claims]]
id = "zero"
test = "zero_mean"
quantity = "activation_mean"
expect = "refuted"
where = { activation = "relu" }
"""
BLOCK = make_plan(vp.mlp([6] * 4, activation="relu", weights="he_normal"), n_networks=1, rng=0).block
NETWORKS = 2 * BLOCK + 177


def parts(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


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

    def __call__(self, progress):
        self.calls.append(progress)
        if len(self.calls) > self.blocks:
            raise KeyboardInterrupt

    @property
    def sampled(self):
        return sum(progress.networks for progress in self.calls)


@pytest.fixture(scope="module")
def sampled(write_in, tmp_path_factory):
    """A run of three blocks, the last one short, in each of four configurations. Nothing may change it."""
    folder = tmp_path_factory.mktemp("sampled")
    study = load_study(write_in(folder, TABLES, networks=NETWORKS))
    assert {study.plan(configuration).block for configuration in study.configurations} == {BLOCK}
    return study, run_study(study, folder / "undisturbed", "serial")


@pytest.fixture
def undisturbed(sampled, tmp_path):
    """A copy of it, opened again."""
    study, run = sampled
    return study, load_run(shutil.copytree(run.path, tmp_path / "undisturbed" / run.path.name))


def test_a_run_is_the_simulations_of_its_configurations(sampled):
    study, run = sampled
    assert list(run.simulations()) == [configuration.label for configuration in study.configurations]
    for configuration in study.configurations:
        expected = vp.simulate(configuration.network, n_networks=NETWORKS, rng=study.seed)
        found = run.simulations()[configuration.label]
        assert found.quantities == expected.quantities
        for quantity in expected.quantities:
            np.testing.assert_array_equal(found.values(quantity), expected.values(quantity))


@pytest.mark.false_alarm(1e-12)
def test_frames_have_a_column_for_the_configuration(sampled):
    _, run = sampled
    samples, predictions, verdicts = run.samples(), run.predictions(), run.verdicts()
    labels = list(run.simulations())
    assert list(samples.columns) == ["configuration", "network", "layer", "module", "quantity", "value"]
    assert list(samples["configuration"].cat.categories) == labels
    assert len(samples) == sum(len(simulation.to_frame()) for simulation in run.simulations().values())
    assert set(predictions.loc[predictions["configuration"] == labels[0], "theory"]) == {"he", "mean-field"}
    assert set(predictions.loc[predictions["configuration"] == labels[-1], "theory"]) == {"mean-field"}
    headline = verdicts[verdicts["verdict"].notna()]
    assert list(zip(headline["claim"], headline["configuration"], headline["quantity"], strict=True)) == [
        ("he.step", labels[0], "preactivation_second_moment"),
        ("he.step", labels[0], "gradient_second_moment"),
        ("zero", labels[0], "activation_mean"),
        ("zero", labels[1], "activation_mean"),
    ]
    assert set(headline["verdict"]) == {"supported", "refuted"}
    assert run.surprises() == ()


def test_the_folder_says_what_it_is(sampled):
    study, run = sampled
    assert (run.path / "study.toml").read_text(encoding="utf-8") == study.text
    manifest = json.loads((run.path / "manifest.json").read_text(encoding="utf-8"))
    assert run.manifest == manifest
    assert manifest["complete"] is True
    assert (manifest["seed"], manifest["networks"], manifest["draws_version"]) == (3, NETWORKS, DRAWS_VERSION)
    assert manifest["environment"]["versions"]["varprop"] == vp.__version__
    assert set(manifest["environment"]) == {"versions", "git_commit", "platform", "blas"}
    for configuration in manifest["configurations"]:
        assert len(list((run.path / "samples" / configuration["key"]).glob("part-*.parquet"))) == 3
    saved = pd.read_csv(run.path / "verdicts.csv")
    assert list(saved["claim"]) == list(run.verdicts()["claim"])


def test_a_run_opens_again_with_the_same_verdicts(sampled):
    _, run = sampled
    again = load_run(run.path)
    assert again.networks == NETWORKS
    pd.testing.assert_frame_equal(again.verdicts(), run.verdicts())


# ---- resume, extend, re-test -------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [0, 1, 4, 7])
def test_an_interrupted_run_goes_on_to_the_same_bytes(sampled, tmp_path, blocks):
    study, run = sampled
    folder = tmp_path / "interrupted"
    with pytest.raises(KeyboardInterrupt):
        run_study(study, folder, "serial", Stopper(blocks))
    assert len(parts(folder)) == blocks
    with pytest.raises(StudyError, match="not finished"):
        load_run(folder / "small").verdicts()
    resumed = Stopper()
    run_study(study, folder, "serial", resumed)
    assert len(resumed.calls) == 12 - blocks + 1
    assert contents(folder / "small") == contents(run.path)


def test_a_finished_run_is_not_sampled_again_unless_asked(undisturbed):
    study, run = undisturbed
    before = contents(run.path)
    stopper = Stopper()
    run_study(study, run.path.parent, "serial", stopper)
    assert stopper.sampled == 0
    assert [(p.done, p.total) for p in stopper.calls] == [(CONFIGURATIONS * NETWORKS,) * 2]
    stopper = Stopper()
    run_study(study, run.path.parent, "serial", stopper, fresh=True)
    assert stopper.sampled == CONFIGURATIONS * NETWORKS
    assert contents(run.path) == before


@pytest.mark.false_alarm(1e-12)
def test_an_edited_claim_is_tested_without_sampling(undisturbed, write):
    """Another quantity is another statement, and judged at once; what is expected is no part of it."""
    _, run = undisturbed
    edited = (
        TABLES.replace('quantity = ["preactivation_second_moment", "gradient_second_moment"]', 'quantity = "pivot"')
        .replace('"supported"', '"x"')
        .replace('"refuted"', '"inconclusive"')
    )
    edited = edited.replace('"x"', '"refuted"')
    study = load_study(write(edited, networks=NETWORKS).rename(run.path.parent / "small.toml"))
    stopper, before = Stopper(), parts(run.path)
    again = run_study(study, run.path.parent, "serial", stopper)
    assert stopper.sampled == 0
    assert parts(run.path) == before
    assert [(s.claim, s.expect, s.verdict, s.contradicts) for s in again.surprises()] == [
        ("he.step", "refuted", "supported", True),
        ("zero", "inconclusive", "refuted", False),  # only the opposite contradicts
        ("zero", "inconclusive", "refuted", False),
    ]
    assert again.standing.m == 5  # the two that are gone were looked at


@pytest.mark.false_alarm(1e-12)
def test_texts_change_neither_samples_nor_verdicts(sampled, write, tmp_path):
    _, run = sampled
    worded = TABLES.replace("[[claims]]", '[[claims]]\nstatement = "As made."\ncorrected = "As it is."')
    study = load_study(write(worded, networks=NETWORKS))
    assert {(claim.statement, claim.corrected) for claim in study.claims} == {("As made.", "As it is.")}
    again = run_study(study, tmp_path / "worded", "serial")
    assert parts(again.path) == parts(run.path)
    assert again.verdicts().equals(run.verdicts())


def test_what_is_sampled_does_not_depend_on_the_place_in_the_grid(sampled, write, tmp_path):
    _, run = sampled
    moved = TABLES.replace('["relu", "tanh"]', '["tanh", "elu", "relu"]')
    study = load_study(write(moved, networks=NETWORKS, name="moved", top="alpha = 0.01"))
    other = run_study(study, tmp_path / "moved", "serial")
    assert parts(run.path).items() <= parts(other.path).items()


def test_another_seed_gives_other_samples_beside_the_old_ones(undisturbed, write):
    _, run = undisturbed
    before = parts(run.path)
    study = load_study(write(TABLES, networks=NETWORKS, seed=4))
    run_study(study, run.path.parent, "serial")
    after = parts(run.path)
    assert before.items() <= after.items()
    assert len(after) == 2 * len(before)


def test_a_longer_run_extends_a_shorter_one(sampled, tmp_path):
    study, run = sampled
    folder = tmp_path / "grown"
    run_study(study, folder, "serial", networks=BLOCK + 9)
    before, stopper = parts(folder / "small"), Stopper()
    assert load_run(folder / "small").networks == BLOCK + 9
    run_study(study, folder, "serial", stopper)
    assert stopper.sampled == CONFIGURATIONS * (NETWORKS - BLOCK)  # the second block was partial, the third is new
    assert parts(folder / "small") == parts(run.path)
    assert sum(parts(run.path)[name] == data for name, data in before.items()) == 4


def test_a_shorter_run_needs_no_sampling_and_loses_nothing(undisturbed):
    study, run = undisturbed
    before, stopper = parts(run.path), Stopper()
    short = run_study(study, run.path.parent, "serial", stopper, networks=BLOCK + 9)
    assert stopper.sampled == 0
    assert parts(run.path) == before
    assert {simulation.n_networks for simulation in short.simulations().values()} == {BLOCK + 9}


@pytest.mark.parametrize("executor", ["threads", "processes", "pool"])
def test_bytes_do_not_depend_on_the_executor(sampled, tmp_path, executor):
    study, run = sampled
    if executor == "pool":
        with ThreadPoolExecutor(2) as pool:
            other = run_study(study, tmp_path / executor, pool)
    else:
        other = run_study(study, tmp_path / executor, executor, workers=2)
    assert contents(other.path) == contents(run.path)


def test_several_inputs_are_kept_apart(write, tmp_path):
    study = load_study(write(TABLES, networks=300, top="inputs = 3"))
    run = run_study(study, tmp_path, "serial")
    simulation = next(iter(run.simulations().values()))
    assert simulation.values("pivot").shape == (300, 3, 3)
    assert run.verdicts()["verdict"].notna().sum() == 4
    assert "input" in run.samples().columns


def test_a_study_without_claims_is_sampled(write, tmp_path):
    run = run_study(load_study(write()), tmp_path, "serial")
    assert run.verdicts().empty
    assert run.surprises() == ()
    assert len(run.samples()) > 0


# ---- what can go wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-7], lambda _: b"", lambda data: data[: len(data) // 2] + b"x" * 99]
)
def test_a_damaged_part_is_sampled_again_with_a_warning(undisturbed, harm):
    study, run = undisturbed
    before = parts(run.path)
    victim = run.path / sorted(before)[4]
    victim.write_bytes(harm(victim.read_bytes()))
    with pytest.raises(StudyError, match="is damaged"):
        load_run(run.path).samples()
    with pytest.raises(StudyError, match="is damaged"):
        load_run(run.path).verdicts()
    with pytest.raises(StudyError, match="is damaged"):
        load_run(run.path).summary()
    stopper = Stopper()
    with pytest.warns(RuntimeWarning, match=rf"{victim.name} is damaged .* sampled again"):
        run_study(study, run.path.parent, "serial", stopper)
    assert stopper.sampled == BLOCK
    assert parts(run.path) == before


def test_a_damaged_manifest_is_written_anew(undisturbed):
    study, run = undisturbed
    before = contents(run.path)
    (run.path / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(StudyError, match="damaged"):
        load_run(run.path)
    with pytest.warns(RuntimeWarning, match="the looks that it recorded are lost"):
        run_study(study, run.path.parent, "serial")
    assert contents(run.path) == before


def test_the_manifest_remembers_who_sampled(undisturbed, monkeypatch):
    study, run = undisturbed
    old = run.manifest
    monkeypatch.setattr("varprop.study.manifest.platform.platform", lambda: "another")
    run_study(study, run.path.parent, "serial")
    assert run.manifest == old
    run_study(study, run.path.parent, "serial", networks=NETWORKS + 1)
    assert run.manifest["environment"]["platform"] == "another"
    assert run.manifest["earlier_environments"] == [old["environment"]]


def test_two_processes_do_not_work_in_one_folder(undisturbed):
    study, run = undisturbed
    with locked(run.path), pytest.raises(StudyError, match="another varprop is at work"):
        run_study(study, run.path.parent, "serial")
    run_study(study, run.path.parent, "serial")


def test_a_folder_that_cannot_be_made_is_bad_input(sampled, tmp_path):
    study, _ = sampled
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match=r"cannot be written \(Not a directory\)"):
        run_study(study, tmp_path / "file", "serial")


def test_a_full_disk_stops_a_run_that_can_go_on(sampled, tmp_path, monkeypatch):
    study, run = sampled
    sync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(RunStoppedError, match="the disk is full"):
            run_study(study, tmp_path / "full", "serial")
    assert not list((tmp_path / "full").rglob("*.tmp"))
    run_study(study, tmp_path / "full", "serial")
    assert contents(tmp_path / "full" / "small") == contents(run.path)


def test_a_configuration_that_cannot_be_sampled_is_named(write, tmp_path):
    study = load_study(
        write('[network]\nwidths = "4x40"\nactivation = "linear"\nweights = { name = "normal", std = 1e30 }\n')
    )
    with pytest.raises(StudyError, match=r"linear, normal\(std=1e\+30\): "):
        run_study(study, tmp_path, "serial")


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"no manifest\.json"):
        load_run(tmp_path)
    with pytest.raises(StudyError, match=r"no manifest\.json"):
        load_run(tmp_path / "none")


def test_errors_survive_the_way_between_processes(tmp_path):
    # Not forked, as is the default: a fork of a process that has threads, from other tests, may wait forever for a lock.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool, pytest.raises(StudyError, match="no such file"):
        pool.submit(load_study, tmp_path / "none.toml").result()


def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(write, tmp_path):
    """SIGKILL, several times at moments that differ from run to run; the outcome may not."""
    path = write(TABLES, networks=20 * BLOCK)
    study = load_study(path)
    code = f"import varprop as vp; vp.run_study(vp.load_study({str(path)!r}), {str(tmp_path / 'killed')!r}, 'serial')"
    kills = 0
    for attempt in range(2):
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        samples = tmp_path / "killed" / "small" / "samples"
        have = len(list(samples.rglob("*.parquet")))
        while process.poll() is None and len(list(samples.rglob("*.parquet"))) <= have + attempt:
            time.sleep(0.002)
        time.sleep(0.001 * (time.time_ns() % 11))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills
    assert 0 < len(parts(tmp_path / "killed")) < 20 * CONFIGURATIONS
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a killed run leaves nothing damaged
        resumed = run_study(study, tmp_path / "killed", "serial")
    assert contents(resumed.path) == contents(run_study(study, tmp_path / "whole", "serial").path)
