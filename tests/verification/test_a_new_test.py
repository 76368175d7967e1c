"""A test that varprop does not have, written as one class, goes everywhere that its own go."""

import pandas as pd
import pytest

import varprop as vp
from varprop.cli.show import print_verdicts, records
from varprop.stats.means import step_mean_layers
from varprop.study.parsing import parse_study
from varprop.study.standing import too_few
from varprop.verification.calibration.cases import level_cases
from varprop.verification.claims import TESTS, Null, Test, claim_problems
from varprop.verification.columns import in_layers, jointly, step_floors
from varprop.verification.compare import needed_quantities
from varprop.verification.questions import Finding, Question, SampleTable, judging

STUDY = """
schema = 1
title = "A test of one's own"
seed = 3
networks = 3000
stopping = "{stopping}"
[network]
widths = "16x3"
activation = "relu"
weights = "he_normal"
[[claims]]
id = "mine"
test = "mean_pivot"
quantity = "pivot"
margin = 0.1
"""
NET = vp.mlp([16] * 4, activation="relu", weights="he_normal")


class MeanPivot(Test):
    """Every layer's mean pivot is 1."""

    name = "mean_pivot"
    meaning = "every layer's mean pivot is 1"
    quantities = ("pivot",)
    margin = "ratio"
    watched = True
    null = Null("pivot", ("pivot",), last_layer=True)

    def ask(self, claim, simulation):
        def tables(piece):
            return (in_layers(claim, SampleTable(piece.values("pivot"), piece.places("pivot"))),)

        def conclude(summed):
            (pivots,) = summed
            with judging():
                outcomes = step_mean_layers(pivots.moments, floors=step_floors(claim, simulation, pivots))
            findings = [Finding(place, one, 1.0) for place, one in zip(pivots.places, outcomes, strict=True)]
            return jointly(findings, claim.half_width, "a mean of one's own")

        return Question(tables, conclude)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Let claims name it while these tests run."""
    monkeypatch.setitem(TESTS, "mean_pivot", MeanPivot())


def study(**parts):
    text = STUDY.format(**({"stopping": "fixed"} | parts))
    return parse_study(text, name="mine", source="mine.toml")


@pytest.mark.false_alarm(1e-9)
def test_verdicts_are_given_and_read_from_python():
    """Seven standard errors lie between the margin and what 3,000 networks miss by."""
    sample = vp.simulate(NET, n_networks=3000, rng=5)
    claim = vp.Claim(id="mine", test="mean_pivot", quantity="pivot", margin=0.1)
    (verdict,) = vp.verify(sample, claims=[claim])["verdict"].dropna()
    assert verdict == "supported"
    assert needed_quantities(claim, NET, sample.inputs, {name: sample.places(name) for name in sample.quantities}) == {
        "pivot"
    }


def test_its_level_is_counted_with_all_others():
    """On networks that serve any test, as nobody chose others for it."""
    (case,) = (
        case
        for cases in level_cases(full=True, seed=1, studies=10)
        for case in cases
        if case.claim.test == "mean_pivot"
    )
    assert (case.name, case.truth, case.setting.n_networks) == ("mean_pivot", 0.0, 200)


def test_its_claims_are_checked_like_any_other():
    assert claim_problems(quantity="pivot", test="mean_pivot") == {}
    wrong = claim_problems(quantity="cosine", test="mean_pivot", theory="he", below=0.5, equals=1, share=0.5)
    assert set(wrong) == {"quantity", "theory", "below", "equals", "share"}
    assert wrong["below"] == "goes with tests directional, typical_directional, level only, not with 'mean_pivot'"


@pytest.mark.false_alarm(1e-9)
@pytest.mark.parametrize("stopping", ["fixed", "sequential"])
def test_a_study_that_names_it_ends_in_table_and_page(stopping, tmp_path, capsys):
    run = vp.run_study(study(stopping=stopping), tmp_path / "runs", "serial")
    verdicts = run.verdicts()
    assert verdicts["verdict"].dropna().tolist() == ["supported"]
    print_verdicts(run.judged)
    shown = capsys.readouterr().out
    assert "mine" in shown
    assert "supported" in shown
    assert records(verdicts)[0]["test"] == "mean_pivot"
    assert pd.read_csv(tmp_path / "runs" / "mine" / "verdicts.csv").loc[0, "test"] == "mean_pivot"
    vp.write_report([run], tmp_path / "reports", formats=("html", "md"))
    for page in ("index.html", "README.md"):
        assert "every layer's mean pivot is 1" in (tmp_path / "reports" / "mine" / page).read_text("utf-8").replace(
            "&#39;", "'"
        )


@pytest.mark.false_alarm(0)
def test_it_is_planned_from_a_pilot():
    plan = vp.plan_study(study(), pilot=200)
    assert plan.claims["test"].tolist() == ["mean_pivot"]
    assert plan.claims["n_required"].notna().all()
    assert too_few(study()) == ""  # its variance is not known before any data


@pytest.mark.false_alarm(8e-7)
def test_it_is_calibrated():
    """Its level in 500 studies lies in a region that a right one misses with a probability of 8e-7."""
    table = vp.calibrate("mean_pivot", widths=[16] * 4, n_networks=100, margin=0.2, repeats=500, rng=7)
    assert {"level", "coverage"} <= set(table["rate"])
    assert table.loc[table["rate"] == "level", "accepted"].all()
