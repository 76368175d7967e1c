import numpy as np
import pytest

from varprop.report.tables import layer_table, ledger_entries, ledger_table, verdict_table


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def headings(table):
    return [column.title for column in table.columns]


def ledger(run):
    entries = ledger_entries(run.judged, run.study.claims)
    return entries, ledger_table(entries, caption="c")


def test_a_claim_has_a_row_for_each_of_its_verdicts(make_run):
    entries, table = ledger(make_run())
    assert [row[:2] for row in texts(table)] == [
        ["he.forward", "supported"],
        ["he.forward", "refuted"],
        ["he.forward", "inconclusive"],
        ["goal.zero-mean", "refuted"],
    ]
    assert [(len(entry.rows), entry.n_tests) for entry in entries] == [(2, 4), (1, 4), (1, 4), (1, 1)]


def test_the_ledger_names_the_largest_departure_and_its_margin(make_run):
    _, table = ledger(make_run())
    rows = [dict(zip(headings(table), row, strict=True)) for row in texts(table)]
    assert (
        rows[1]["Largest departure"]
        == "measured/predicted 7.100 (6.900 to 7.300); leaky_relu(slope=0.1), he_normal · z²"
    )
    assert [row["Margin"] for row in rows] == ["±10 %"] * 3 + ["±0.05"]
    assert rows[3]["Largest departure"] == "mean/root mean square 0.5600 (0.5500 to 0.5700); relu, he_normal · mean a"


def test_the_largest_departure_counts_in_ratios_not_differences(make_run, make_judged):
    rows = [{"ratio": r, "estimate": r, "verdict": "refuted"} for r in (3.0, 0.2, 1.5)]
    zero = {"claim": "goal.zero-mean", "test": "zero_mean", "estimate": 0.1, "verdict": "refuted"}
    _, table = ledger(make_run(verdicts=make_judged(*rows, zero)))
    assert texts(table)[0][4].startswith("measured/predicted 0.2000;")


def test_remarks_compare_with_the_expectation_and_say_what_would_decide(make_run):
    entries, table = ledger(make_run())
    assert [row[-1] for row in texts(table)] == [
        "as expected",
        "CONTRADICTS the expectation (supported)",
        "expected: supported; 3,300 networks would decide it with a chance of 62 %",
        "CONTRADICTS the expectation (supported)",
    ]
    assert [entry.contradicts for entry in entries] == [False, True, False, True]


def test_an_inconclusive_row_that_nothing_decides_says_so(make_run, make_judged):
    open_rows = [
        {"ratio": 1.1, "verdict": "inconclusive"},
        {"ratio": 1.1, "verdict": "inconclusive", "n_required": 900},
    ]
    zero = {"claim": "goal.zero-mean", "test": "zero_mean", "estimate": 0.1, "verdict": "inconclusive"}
    _, table = ledger(make_run(verdicts=make_judged(*open_rows, zero)))
    assert texts(table)[0][-1].endswith("900 networks would decide 1 of these 2")
    assert texts(table)[1][-1].endswith("no feasible number of networks would decide it")


def test_every_row_has_its_statement_wherever_it_is_sorted_to(make_run):
    _, table = ledger(make_run(statement="Again."))
    assert [row[2] for row in texts(table)] == ["Again."] * 3 + [""]


def test_a_claim_without_a_verdict_is_no_finished_run(make_run, make_judged):
    run = make_run(verdicts=make_judged({"ratio": 1.0, "verdict": "supported"}))
    with pytest.raises(ValueError, match=r"no verdict on the claim 'goal\.zero-mean'"):
        ledger(run)


def test_verdict_table_has_every_number_and_no_empty_column(make_run):
    mine = [one for one in make_run().judged if one.claim.id == "he.forward"]
    table = verdict_table(mine, caption="c", file="f.csv")
    first = dict(zip(headings(table), texts(table)[0], strict=True))
    assert first == {
        "Configuration": "relu, he_normal",
        "Verdict": "supported",
        "Quantity": "z²",
        "Measured": "2.010",
        "Predicted": "2.000",
        "Ratio": "1.005",
        "Interval": "0.9800 to 1.030",
        "Margin": "±10 %",
        "p, no difference": "0.3500",
        "p, equivalence": "<0.0001",
        "p, refutation": "0.9900",
        "Replicates": "40",
        "Note": "",
    }
    assert len(table.rows) == 4


def test_a_directional_claim_shows_no_margin(make_judged):
    verdicts = make_judged({"test": "directional", "ratio": 0.5, "verdict": "supported"})
    assert "Margin" not in headings(verdict_table(verdicts, caption="c", file="f.csv"))


def test_layer_table_has_the_rows_without_verdict(make_run):
    verdicts = make_run().judged
    table = layer_table(verdicts, caption="c", file="f.csv")
    assert [row[headings(table).index("Layer")] for row in texts(table)] == ["1", "2", "3", "4"]
    assert layer_table(verdicts[1:], caption="c", file="f.csv") is None


def test_missing_numbers_are_marked_never_nan(make_judged):
    verdicts = make_judged(
        {"verdict": "refuted", "estimate": 0.0, "ratio": 0.0, "note": np.nan}, {"verdict": "refuted"}
    )
    assert not any(
        "nan" in cell.lower() or "<NA>" in cell
        for row in texts(verdict_table(verdicts, caption="c", file="f.csv"))
        for cell in row
    )
