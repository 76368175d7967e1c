"""Runs that are looked at more than once: what is recorded, what is judged, and what is still promised."""

import json
import warnings

import pandas as pd
import pytest

from varprop.study import FewNetworksWarning, StudyError, load_run, load_study, run_study
from varprop.study.planning import plan_study
from varprop.study.standing import too_few

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

TABLES = """
[network]
widths = "16x3"
activation = "relu"
weights = "he_normal"

[[claims]]
id = "depth"
quantity = "preactivation_second_moment"
theory = "he"
test = "cumulative_mean"
margin = {margin}
"""
LABEL = "relu, he_normal"


@pytest.fixture
def run(write, tmp_path):
    """Run the study with a margin and a number of networks, in one folder."""

    def run(margin=0.05, networks=200, *, top="", more="", seed=3, **options):
        path = write(TABLES.format(margin=margin) + more, networks=networks, top=top, seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FewNetworksWarning)
            return run_study(load_study(path), tmp_path / "runs", "serial", **options)

    return run


def verdict_of(run, claim="depth"):
    rows = run.verdicts()
    return rows[(rows["claim"] == claim) & rows["verdict"].notna()].iloc[0]


def manifest_of(run):
    return json.loads((run.path / "manifest.json").read_text(encoding="utf-8"))


# ---- what is recorded --------------------------------------------------------------------------------------------------


def test_a_look_is_recorded_with_what_it_saw(run):
    first = run()
    row, (look,) = verdict_of(first), manifest_of(first)["looks"]
    assert {name: look[name] for name in ("networks", "rung", "seed", "stopping", "design", "alpha", "m")} == {
        "networks": 200, "rung": 1, "seed": 3, "stopping": "fixed", "design": "ladder", "alpha": 0.05, "m": 1,
    }  # fmt: skip
    (claim,) = look["claims"]
    assert (claim["id"], claim["configuration"], claim["quantity"]) == ("depth", LABEL, "preactivation_second_moment")
    assert claim["margin"] == 0.05
    assert (claim["p_support"], claim["p_refute"]) == (row["p_equivalence"], row["p_refute"])
    assert claim["level"] == row["level"] == pytest.approx(0.04)


def test_the_same_again_writes_the_same_bytes(run):
    first = run()
    before = (first.path / "manifest.json").read_bytes()
    again = run()
    assert (again.path / "manifest.json").read_bytes() == before
    run(fresh=True)  # the same draws once more
    assert (again.path / "manifest.json").read_bytes() == before
    pd.testing.assert_frame_equal(load_run(first.path).verdicts(), first.verdicts())
    assert (again.path / "manifest.json").read_bytes() == before


def test_opening_a_run_records_nothing(run):
    path = run().path
    (path / "study.toml").write_text((path / "study.toml").read_text().replace("0.05", "0.2"))
    before = (path / "manifest.json").read_bytes()
    opened = load_run(path)
    assert verdict_of(opened)["verdict"] == "inconclusive"
    assert "which was edited to margin 0.2" in verdict_of(opened)["note"]
    assert (path / "manifest.json").read_bytes() == before


def test_a_run_that_is_stopped_has_not_been_looked_at(run):
    def stop(progress):
        if progress.networks:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=stop)
    assert run(networks=900).standing.number == 1


def test_a_study_without_claims_is_not_looked_at(write, tmp_path):
    bare = TABLES.partition("[[claims]]")[0]
    found = run_study(load_study(write(bare)), tmp_path / "runs", "serial")
    assert manifest_of(found)["looks"] == []
    assert found.looks() == ()


# ---- the story ---------------------------------------------------------------------------------------------------------


def test_two_hundred_then_a_thousand_then_a_wider_margin(run):
    """Once "supported" under a promise of 5 %. The truth is exact here; what counts is that nothing is judged for nothing."""
    assert verdict_of(run())["verdict"] == "inconclusive"
    second = verdict_of(run(networks=1000))
    assert (second["verdict"], second["n_networks"]) == ("inconclusive", 800)
    assert "judged with 800 of 1,000 networks, the next rung is 3,200" in second["note"]
    widened = run(0.2, networks=1000)
    row = verdict_of(widened)
    assert row["p_equivalence"] < 1e-3  # as it used to be judged: at .05
    assert row["verdict"] == "inconclusive"
    assert "that is judged with the next rung, 3,200 networks, at half the level" in row["note"]
    assert row["n_required"] == 3200
    assert widened.standing.number == 3
    third = run(0.2, networks=3200)
    row = verdict_of(third)
    assert row["verdict"] == "supported"
    assert row["level"] == pytest.approx(0.5 * 0.05 * 0.05)
    assert (
        third.standing.promise == "the chance that even one verdict of this look or any other is false is at most 5 %"
    )


def test_more_networks_between_rungs_change_no_verdict(run):
    """What is judged are the first networks of the sample, whatever more there are."""
    whole = verdict_of(run(networks=200))
    more = run(networks=700)
    row = verdict_of(more)
    assert more.simulations()[LABEL].n_networks == 700
    assert (row["estimate"], row["p_refute"], row["n_networks"]) == (whole["estimate"], whole["p_refute"], 200)


def test_another_seed_is_a_look_and_says_why_it_gives_no_verdict(run):
    run()
    row = verdict_of(run(seed=4))
    assert row["verdict"] == "inconclusive"
    assert "200 networks were looked at with other draws" in row["note"]
    assert verdict_of(run(0.05, 800, seed=4))["level"] == pytest.approx(0.1 * 0.05)


def test_fewer_networks_than_at_first_give_no_verdict(run):
    run(networks=400)
    row = verdict_of(run(networks=300))
    assert (row["verdict"], row["n_networks"]) == ("inconclusive", 300)
    assert "fewer than the 400 of the first look" in row["note"]


EXACT = """
where = {{ weights = "he_normal" }}

[grid]
weights = ["he_normal", "zeros"]

[[claims]]
id = "silence"
where = {{ weights = "zeros" }}
quantity = "preactivation_second_moment"
test = "identity"
reason = "zero-weights"
equals = 0
"""


def test_an_exact_identity_is_judged_at_every_look(run, monkeypatch):
    """What does not share alpha waits for nothing, where the same study's other claim waits for the next rung."""
    monkeypatch.setitem(globals(), "TABLES", TABLES.replace('weights = "he_normal"\n', "", 1) + EXACT)
    run(networks=400)
    found = run(networks=300)
    assert verdict_of(found)["verdict"] == "inconclusive"
    assert verdict_of(found, "silence")["verdict"] == "supported"
    counted = {claim["id"]: claim.get("counts", True) for claim in manifest_of(found)["looks"][0]["claims"]}
    assert counted == {"depth": True, "silence": False}


# ---- runs of yesterday, and damage -------------------------------------------------------------------------------------


def forget(run):
    """Leave the manifest as a version without a record wrote it."""
    manifest = manifest_of(run)
    del manifest["looks"]
    (run.path / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def test_a_run_without_a_record_opens_as_a_first_look(run):
    first = run()
    verdicts = first.verdicts()
    forget(first)
    opened = load_run(first.path)
    pd.testing.assert_frame_equal(opened.verdicts(), verdicts)
    assert (opened.standing.number, opened.standing.first) == (1, 200)


def test_a_run_without_a_record_was_looked_at_once(run):
    forget(run())
    second = run(0.2, networks=1000)
    assert [look["networks"] for look in manifest_of(second)["looks"]] == [200, 800]
    assert verdict_of(second)["level"] == pytest.approx(0.5 * 0.1 * 0.05)
    assert "p_support" not in manifest_of(second)["looks"][0]["claims"][0]


def test_what_was_not_finished_or_cannot_be_read_was_not_looked_at(run):
    first = run()
    forget(first)
    (first.path / "study.toml").write_text("not TOML", encoding="utf-8")
    assert run(networks=1000).standing.number == 1
    first = run(networks=1000)
    manifest = manifest_of(first) | {"complete": False}
    del manifest["looks"]
    (first.path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert run(networks=1000).standing.first == 1000


@pytest.mark.parametrize(
    "harm",
    [
        "no list",
        {"a": 1},
        [None],
        [{}],
        lambda looks: [looks[0] | {"networks": "200"}],
        lambda looks: [looks[0] | {"networks": 0}],
        lambda looks: [looks[0] | {"alpha": 2.0}],
        lambda looks: [looks[0] | {"m": True}],
        lambda looks: [looks[0] | {"design": "other"}],
        lambda looks: [looks[0] | {"stopping": None}],
        lambda looks: [looks[0] | {"claims": {}}],
        lambda looks: [looks[0] | {"claims": [{"id": "depth"}]}],
        lambda looks: [looks[0] | {"claims": [looks[0]["claims"][0] | {"margin": "wide"}]}],
        lambda looks: [looks[0] | {"claims": [looks[0]["claims"][0] | {"statement": 7}]}],
    ],
)
def test_a_damaged_record_is_told_in_one_message(run, harm):
    first = run()
    manifest = manifest_of(first)
    manifest["looks"] = harm(manifest["looks"]) if callable(harm) else harm
    (first.path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    message = "looks: the record of its looks in manifest.json is damaged, and without it no verdict has a guarantee"
    for attempt in (lambda: load_run(first.path).verdicts(), run, lambda: run(networks=900)):
        with pytest.raises(StudyError, match=message) as caught:
            attempt()
        assert len(caught.value.problems) == 1
    assert manifest_of(first) == manifest  # nothing was written over it


@pytest.mark.parametrize("wrong", ["0", "2", '"two"', "true", "1.0", "[1]"])
def test_looks_that_are_not_one_are_refused_in_one_message(parse, wrong):
    with pytest.raises(
        StudyError, match=r"looks: must be 1 \(one look, with all of alpha\), got .*; leave it out"
    ) as caught:
        parse(top=f"looks = {wrong}")
    assert len(caught.value.problems) == 1


def test_looks_belong_at_the_top(parse):
    with pytest.raises(StudyError, match="looks belongs at the top of the file"):
        parse('[network]\nwidths = "6x3"\nactivation = "relu"\nweights = "he_normal"\nlooks = 1\n')
    assert (parse().looks, parse(top="looks = 1").looks) == (None, 1)


# ---- one answer to "how many" ------------------------------------------------------------------------------------------


def test_a_plan_and_a_run_name_the_same_numbers(run, write, tmp_path):
    """Before there is a run the warning and the plan, after it the table and the plan."""
    study = load_study(write(TABLES.format(margin=0.05), networks=200))
    before = plan_study(study, tmp_path / "runs").claims.iloc[0]
    assert f"and so on, {before['n_required']:,} do" in too_few(study)
    assert before["n_required"] in {200 * 4**k for k in range(9)}
    for networks in (200, 1000):
        ran = run(networks=networks)
        row, planned = verdict_of(ran), plan_study(study, tmp_path / "runs").claims.iloc[0]
        for column in ("n_required", "chance", "n_next", "chance_next"):
            assert planned[column] == row[column]
        assert pd.isna(planned["n_first"])
        assert planned["pilot"] == networks
        assert f"{row['n_required']:,} networks decide with a chance of" in planned["note"]
        assert too_few(study, looks=ran.looks()) == ""


@pytest.mark.false_alarm(1e-9)
def test_what_a_run_has_decided_needs_no_more(run, write, tmp_path):
    """A margin of a half is nine standard errors of 800 networks away."""
    assert verdict_of(run(0.5, networks=800))["verdict"] == "supported"
    planned = plan_study(load_study(write(TABLES.format(margin=0.5), networks=800)), tmp_path / "runs")
    assert (planned.claims["heads_for"][0], planned.claims["note"][0]) == ("supported", "decided by the run")
    assert planned.networks == 800
    assert planned.undecided.empty


def test_a_plan_is_no_look(run, write, tmp_path):
    study = load_study(write(TABLES.format(margin=0.05), networks=200))
    plan_study(study, tmp_path / "runs")
    first = run()
    before = (first.path / "manifest.json").read_bytes()
    plan_study(study, tmp_path / "runs")
    assert (first.path / "manifest.json").read_bytes() == before


def test_a_plan_for_a_changed_study_goes_by_its_record(run, write, tmp_path):
    """Another network has no samples yet; it is planned for the rungs that are left."""
    run(networks=200)
    other = TABLES.format(margin=0.05).replace("16x3", "17x3")
    planned = plan_study(load_study(write(other, networks=1000)), tmp_path / "runs").claims.iloc[0]
    assert planned["n_required"] in {800 * 4**k for k in range(9)}
    assert pd.isna(planned["n_first"])


def test_a_plan_of_one_look_says_the_number_itself(write, tmp_path):
    study = load_study(write(TABLES.format(margin=0.05), networks=200, top="looks = 1"))
    planned = plan_study(study, tmp_path / "runs")
    needed = planned.claims["n_first"][0]
    assert planned.claims["n_required"][0] == needed > 200
    assert f"with probability .9: {needed:,} do" in too_few(study)
    ladder = plan_study(load_study(write(TABLES.format(margin=0.05), networks=200)), tmp_path / "runs")
    # .8 of alpha: (z(.04) + z(.05))^2 instead of (z(.05) + z(.05))^2
    assert ladder.claims["n_first"][0] / planned.claims["n_first"][0] == pytest.approx(1.0654, abs=1e-3)
    assert "of its ladder" not in too_few(study)


# ---- one look ----------------------------------------------------------------------------------------------------------


def test_one_look_has_all_of_alpha_and_a_further_one_no_guarantee(run):
    first = run(top="looks = 1")
    assert verdict_of(first)["level"] == 0.05
    assert "(in a study of its own, since a further look at this one has no guarantee)" in verdict_of(first)["note"]
    second = run(networks=900, top="looks = 1")
    row = verdict_of(second)
    assert row["n_networks"] == 900
    assert "looked at 2 times: no guarantee" in row["note"]
    assert not second.standing.guaranteed
    assert not load_run(second.path).standing.guaranteed


# ---- sequential studies ------------------------------------------------------------------------------------------------

SEQUENTIAL = 'stopping = "sequential"'
LAW = '\n[[claims]]\nid = "law"\nquantity = "pivot"\ntest = "pivot_law"\nmargin = 0.02\n'


@pytest.mark.false_alarm(1e-12)
def test_a_raised_budget_leaves_what_is_decided_as_it_was(run):
    """The sequence is the one that was chosen for the first budget; a law, which has none, is judged on the next rung.

    The margin of .3 is decided at 20 standard errors, and a distance below .02 takes 10^4 networks and more to be shown.
    """
    more = LAW + "\n[[claims]]" + TABLES.format(margin=0.001).partition("[[claims]]")[2].replace("depth", "tight")
    first = run(0.3, networks=2000, top=SEQUENTIAL, more=more)
    second = run(0.3, networks=9000, top=SEQUENTIAL, more=more)
    before, after = verdict_of(first), verdict_of(second)
    assert before["verdict"] == "supported"
    for column in ("n_networks", "estimate", "p_equivalence", "ci_low", "ci_high", "level"):
        assert before[column] == after[column]
    laws = [verdict_of(one, "law") for one in (first, second)]
    assert [row["n_networks"] for row in laws] == [2000, 8000]
    assert [row["level"] * 3 / 0.05 for row in laws] == pytest.approx([0.8, 0.1])
    tight = verdict_of(second, "tight")
    assert (tight["verdict"], tight["n_networks"]) == ("inconclusive", 9000)
    assert tight["n_required"] in {9000 * 4**k for k in range(1, 9)}
    pd.testing.assert_frame_equal(load_run(second.path).verdicts(), second.verdicts())


def test_an_edited_margin_of_a_sequence_is_judged_at_half_and_counts_once_more(run):
    run(0.3, networks=2000, top=SEQUENTIAL)
    second = run(0.25, networks=2000, top=SEQUENTIAL)
    assert second.standing.m == 2
    assert verdict_of(second)["level"] == pytest.approx(0.05 / 2 / 2)
