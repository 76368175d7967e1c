"""One row for each claim, whatever studies its tests come from."""

import io

import pandas as pd
import pytest

from varprop.report.blocks import Cell
from varprop.report.index import index_page
from varprop.report.ledger import FAMILIES, Contribution, families, group_of, ledger_frame, plain_ledger


@pytest.fixture
def contribution(make_verdicts):
    """A statement with tests given by their verdicts, ``contribution("he.half", "refuted", "supported")``."""

    def contribution(claim, *verdicts, study="one", statement="", corrected="", expect=None, **given):
        rows = [
            {"claim": claim, "ratio": 1.0 + i / 10, "ci_low": 0.9, "ci_high": 1.2, "verdict": verdict} | given
            for i, verdict in enumerate(verdicts)
        ]
        return Contribution(
            claim=claim,
            statement=statement,
            corrected=corrected,
            expect=expect,
            rows=tuple(make_verdicts(*rows).to_dict("records")),
            page=Cell(study, study=study, claim=claim),
        )

    return contribution


def rows_of(*contributions):
    return [row for _, family in families(contributions) for row in family.rows]


@pytest.mark.parametrize(
    ("claim", "group"),
    [("he.half", "he.half"), ("he.half.second-moment", "he.half"), ("a.b.c.d", "a.b"), ("mine", "mine")],
)
def test_a_group_is_the_first_two_parts(claim, group):
    assert group_of(claim) == group


def test_the_claim_of_the_groups_id_leads_whatever_its_place(contribution):
    (row,) = rows_of(
        contribution("he.half.second-moment", "supported", statement="b"),
        contribution("he.half", "refuted", statement="a", corrected="c"),
    )
    assert (row.claim, row.leading.claim, row.leading.text) == ("he.half", "he.half", "a")
    assert (row.leading.corrected, row.leading.outcome) == ("c", "refuted")
    assert [one.claim for one in row.further] == ["he.half.second-moment"]


def test_the_first_leads_where_no_claim_has_the_groups_id(contribution):
    (row,) = rows_of(contribution("he.x.second", "supported"), contribution("he.x.first", "refuted"))
    assert (row.claim, row.leading.claim) == ("he.x", "he.x.second")
    assert [one.claim for one in row.further] == ["he.x.first"]


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        (["supported"], "supported"),
        (["supported", "refuted", "refuted"], "refuted in 2 of 3"),
        (["supported", "inconclusive"], "inconclusive in 1 of 2"),
        (["inconclusive", "refuted"], "refuted in 1 of 2"),
        (["refuted"] * 36, "refuted"),
    ],
)
def test_a_statement_is_as_good_as_its_worst_test_and_says_how_many(contribution, verdicts, outcome):
    (row,) = rows_of(contribution("he.half", *verdicts))
    assert row.leading.outcome == outcome


def test_the_estimate_is_the_largest_departure_of_the_tests_with_the_verdict(contribution):
    (row,) = rows_of(contribution("he.half", "refuted", "refuted", "supported"))
    assert row.leading.estimate == "measured/predicted 1.100 (0.9000 to 1.200)"
    assert row.leading.where == "relu, he_normal · z²"
    assert row.leading.margin == "±10 %"
    assert row.leading.value == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("given", "estimate"),
    [
        ({"test": "directional", "ratio": 0.5}, "gain per layer/claimed bound 0.5000 (0.9000 to 1.200)"),
        ({"test": "growth_rate"}, "gain per layer, measured/predicted 1.000 (0.9000 to 1.200)"),
        (
            {"test": "zero_mean", "ratio": float("nan"), "estimate": 0.56},
            "mean/root mean square 0.5600 (0.9000 to 1.200)",
        ),
        ({"test": "identity", "ratio": float("nan"), "estimate": 0.0, "ci_low": float("nan")}, "measured 0"),
        ({"test": "identity", "ratio": float("nan"), "estimate": 0.995}, "share of networks 0.9950 (0.9000 to 1.200)"),
        ({"test": "identity", "ratio": float("nan")}, ""),
    ],
)
def test_an_estimate_says_what_it_is(contribution, given, estimate):
    (row,) = rows_of(contribution("he.half", "supported", **given))
    assert row.leading.estimate == estimate


def test_a_group_spans_studies_and_one_id_of_several_is_told_apart_below(contribution):
    (row,) = rows_of(
        contribution("he.half", "supported", study="one", statement="a"),
        contribution("he.half", "refuted", study="two", statement="b"),
        contribution("he.half.more", "supported", study="two"),
    )
    assert row.leading.outcome == "refuted in 1 of 2"
    assert [source.study for source in row.leading.sources] == ["one", "two"]
    assert [(one.claim, one.outcome, one.sources[0].study) for one in row.further] == [
        ("he.half", "supported", "one"),
        ("he.half", "refuted", "two"),
        ("he.half.more", "supported", "two"),
    ]
    assert "2 tests" in row.picture.caption


def test_families_have_the_articles_order_and_others_come_last(contribution):
    ids = ["mine", "framework.defaults", "he.half", "large.explode", "small.vanish", "symmetry.forward", "other.claim"]
    found = families([contribution(claim, "supported") for claim in ids])
    assert [[row.claim for row in family.rows] for _, family in found] == [
        ["symmetry.forward"],
        ["small.vanish", "large.explode"],
        ["he.half"],
        ["framework.defaults"],
        ["mine", "other.claim"],
    ]
    assert found[-1][1].title == "Further claims"
    assert len({name for name, _ in found}) == len(found)
    assert [family.title for _, family in found[:-1]] == [
        FAMILIES[name] for name in ("symmetry", "small", "he", "framework")
    ]


def test_a_contradicted_expectation_is_told_in_the_row(contribution):
    (row,) = rows_of(contribution("he.half", "refuted", expect="supported"))
    assert row.leading.remark == "CONTRADICTS the expectation (supported)."
    (row,) = rows_of(contribution("he.half", "refuted", expect="refuted"))
    assert row.leading.remark == ""
    (row,) = rows_of(contribution("he.half", "inconclusive", n_required=3300, chance=0.62))
    assert row.leading.remark == "3,300 networks would decide it with a chance of 62 %."


def test_a_strip_says_n_band_and_verdicts(contribution):
    (row,) = rows_of(contribution("he.half", "refuted", "supported"))
    assert row.picture.caption == "2 tests, n = 40 networks. Band: the margin, ±10 %."
    assert "1 supported and 1 refuted" in row.picture.alternative
    assert f'aria-label="{row.picture.alternative}"' in row.picture.svg
    assert row.picture.svg.count("strip-he.half-") > 0  # several stand on one page


def test_a_strip_stays_small_however_many_tests(contribution):
    (row,) = rows_of(contribution("he.half", *["supported"] * 60))
    (few,) = rows_of(contribution("he.half", "supported"))
    assert row.picture.draw().get_figheight() <= 1.5
    assert few.picture.draw().get_figheight() < 0.6
    assert len(few.picture.svg) < 8_000


def test_a_strip_of_weights_counts_draws_and_of_exact_tests_has_no_margin(contribution):
    (row,) = rows_of(contribution("he.normal", "supported", quantity="weights", n_networks=10**6))
    assert "n = 1,000,000 draws" in row.picture.caption
    (row,) = rows_of(contribution("he.half", "supported", margin=float("nan")))
    assert row.picture.caption.endswith("No margin.")


def test_exact_tests_are_a_mark_each(contribution):
    exact = {"test": "identity", "margin": float("nan"), "ci_low": float("nan")}
    (row,) = rows_of(contribution("he.half", *["supported"] * 13, "refuted", **exact))
    assert row.picture.caption == "14 tests, n = 40 networks. A mark each; exact, so there is no margin."
    assert "13 supported and 1 refuted" in row.picture.alternative
    (axes,) = row.picture.draw().axes
    assert len({tuple(line.get_xydata()[0]) for line in axes.lines}) == 14
    assert [line.get_marker() for line in axes.lines].count("X") == 1


def test_the_plain_ledger_and_its_file_have_every_statement(contribution):
    rows = rows_of(
        contribution("he.half", "refuted", statement="a", corrected="c"),
        contribution("he.half.more", "supported", "refuted", statement="=b"),
    )
    table = plain_ledger(rows, file="f.csv")
    assert [row[0].text for row in table.rows] == ["he.half", "↳ he.half.more"]
    kept = pd.read_csv(io.StringIO(table.csv), keep_default_na=False)
    assert kept["claim"].tolist() == ["he.half", "he.half.more"]
    assert kept["group"].tolist() == ["he.half", "he.half"]
    assert kept["estimate"].tolist() == [1.0, 1.1]
    assert kept["tests_with_verdict"].tolist() == [1, 1]
    assert kept["tests"].tolist() == [1, 2]
    assert kept["statement"].tolist() == ["a", "'=b"]  # no formula for a spreadsheet
    assert kept["corrected"].tolist() == ["c", ""]
    assert ledger_frame(rows)["statement"].tolist() == ["a", "=b"]


def test_what_is_supported_needs_no_correction(contribution):
    (row,) = rows_of(contribution("he.half", "supported", corrected="c"))
    assert row.leading.corrected == ""
    (row,) = rows_of(contribution("he.half", "inconclusive", corrected="c"))
    assert row.leading.corrected == "c"


def test_the_index_counts_claims_and_tells_studies_apart(make_run):
    index = index_page([make_run(name="one"), make_run(name="two", title="Second")])
    assert index.lead == "2 claims: 2 refuted. They are tested in 2 studies."
    assert [row.claim for row in index.rows] == ["goal.zero-mean", "he.forward"]
    assert [[source.study for source in row.leading.sources] for row in index.rows] == [["one", "two"]] * 2
    assert index.contradictions[-1].startswith("Second: goal.zero-mean")
    assert [[cell.text for cell in row] for row in index.section("introduction").blocks[-1].table.rows] == [
        ["supported", "0", "0"],
        ["refuted", "2", "6"],
        ["inconclusive", "0", "0"],
        ["in all", "2", "6"],
    ]
    assert [row[0].study for row in index.section("studies").blocks[0].table.rows] == ["one", "two"]


def test_a_row_has_the_statement_and_the_correction_of_the_study(make_run):
    more = '[[claims]]\nid = "he.half"\nstatement = "Half."\ncorrected = "Not half."\nquantity = "activation_mean"\ntest = "zero_mean"'
    run = make_run(more=more)
    extra = run.frame[run.frame["claim"] == "goal.zero-mean"].assign(claim="he.half")
    run.frame = pd.concat([run.frame, extra], ignore_index=True)
    row = next(row for row in index_page([run]).rows if row.claim == "he.half")
    assert (row.leading.text, row.leading.corrected) == ("Half.", "Not half.")
