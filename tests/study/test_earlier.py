"""Runs of a version that recorded fewer quantities: their folders are what that version would have left."""

import warnings

import numpy as np
import pytest

from varprop.model.quantities import ADDED, QUANTITIES
from varprop.report.content import study_page
from varprop.study import load_run, load_study, run_study

pytestmark = pytest.mark.false_alarm(0)

TABLES = """
[network]
widths = "6x3"

[grid]
activation = ["relu", "tanh"]
weights = ["he_normal"]

[[claims]]
id = "zero"
test = "zero_mean"
quantity = "activation_mean"
where = { activation = "relu" }
"""
NEEDS_MORE = """
[[claims]]
id = "slope"
test = "level"
quantity = "derivative_second_moment"
above = 0.1
where = { activation = "tanh" }
"""
KNOWN_BEFORE = [name for name in QUANTITIES if name not in ADDED]


@pytest.fixture
def sampled(write, tmp_path):
    """Make a run that records these quantities, in a folder whose study then says nothing of them.

    What the parts of a run are called depends on the quantities that are in them, not on whether the study names them or its
    version knew no others.
    """

    def sample(quantities):
        study = load_study(write(TABLES, top=f"quantities = {quantities!r}"))
        return run_study(study, tmp_path, "serial").path

    return sample


def run_again(write, folder, tables=TABLES, **options):
    """Run the study without ``quantities``: networks that were sampled, warnings, and the run."""
    networks = {"networks": options.pop("networks")} if "networks" in options else {}
    told = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run = run_study(load_study(write(tables, **networks)), folder.parent, "serial", told.append, **options)
    return sum(progress.networks for progress in told), [str(one.message) for one in said], run


def parts(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def test_old_samples_are_taken_as_they_are(sampled, write):
    folder = sampled(KNOWN_BEFORE)
    before = parts(folder)
    n_sampled, said, run = run_again(write, folder)
    assert (n_sampled, said) == (0, [])
    assert parts(folder) == before
    for opened in (run, load_run(folder)):
        assert set(opened.samples()["quantity"].unique()) == set(KNOWN_BEFORE) - {"cosine"}
        assert opened.verdicts()["verdict"].notna().any()


def test_a_longer_run_extends_old_samples(sampled, write):
    folder = sampled(KNOWN_BEFORE)
    keys = {path.name for path in (folder / "samples").iterdir()}
    first = load_run(folder).samples()
    n_sampled, said, run = run_again(write, folder, networks=60)
    assert n_sampled == 2 * 60  # a block begun is sampled whole, here as ever
    assert said == []
    assert {path.name for path in (folder / "samples").iterdir()} == keys
    longer = run.samples().query("network < 40")
    order = ["configuration", "quantity", "module", "network"]
    np.testing.assert_array_equal(longer.sort_values(order)["value"], first.sort_values(order)["value"])


def test_what_a_claim_needs_and_old_samples_lack_is_sampled_and_said_in_a_line(sampled, write):
    folder = sampled(KNOWN_BEFORE)
    before = parts(folder)
    n_sampled, said, run = run_again(write, folder, TABLES + NEEDS_MORE)
    assert n_sampled == 40
    (line,) = said
    assert line == (
        f"{folder}: the samples of 1 of 2 configurations were made by a version that did not record "
        "derivative_second_moment, which claims need; these are sampled again, and the old parts are kept"
    )
    assert before.items() <= parts(folder).items()
    assert "derivative_second_moment" in run.simulations()["tanh"].quantities
    assert "derivative_second_moment" not in run.simulations()["relu"].quantities
    assert run_again(write, folder, TABLES + NEEDS_MORE)[:2] == (0, [])


def test_all_quantities_are_sampled_if_that_is_asked(sampled, write):
    folder = sampled(KNOWN_BEFORE)
    n_sampled, said, run = run_again(write, folder, fresh=True)
    assert (n_sampled, said) == (80, [])
    assert "derivative_second_moment" in run.simulations()["relu"].quantities
    assert run_again(write, folder)[:2] == (0, [])
    assert "derivative_second_moment" in load_run(folder).simulations()["relu"].quantities


def lacking(run):
    """What a report says of quantities that were not recorded."""
    return [text for text in study_page(run).texts if "did not record" in text]


def test_a_report_says_what_old_samples_lack(sampled, write):
    folder = sampled(KNOWN_BEFORE)
    assert lacking(load_run(folder)) == []  # its study names what is recorded
    _, _, run = run_again(write, folder)
    (remark,) = lacking(run)
    assert (
        "did not record derivative_second_moment, which no claim needs; varprop run --fresh samples with it" in remark
    )
    _, _, run = run_again(write, folder, fresh=True)
    assert lacking(run) == []


def test_a_choice_of_quantities_is_no_earlier_version(sampled, write):
    """Control: who left out a quantity that has always been there, and now wants all, gets all."""
    folder = sampled([name for name in KNOWN_BEFORE if name != "pivot"])
    n_sampled, said, run = run_again(write, folder)
    assert (n_sampled, said) == (80, [])
    assert {"pivot", "derivative_second_moment"} <= set(run.simulations()["relu"].quantities)


def test_every_quantity_that_came_later_is_listed():
    """Whoever adds one to the sampler adds it here and to ``ADDED``, at the end."""
    assert ADDED == ("derivative_second_moment",)
    assert len(KNOWN_BEFORE) == 15
