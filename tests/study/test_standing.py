"""Which look at a study is which, and what a verdict may spend there: rules, without a sample."""

import itertools
import math
import textwrap

import pytest

from varprop.numerics.randomness import DRAWS_VERSION
from varprop.stats import multiple
from varprop.study.looks import read_looks, sightings, with_look
from varprop.study.parsing import parse_study
from varprop.study.standing import stand

ALPHA = 0.05
CLAIMS = """
[network]
widths = "8x3"
activation = "relu"
weights = "he_normal"

[[claims]]
id = "mean"
quantity = "preactivation_second_moment"
theory = "he"
test = "cumulative_mean"
margin = 0.05

[[claims]]
id = "bound"
quantity = "activation_mean"
test = "level"
above = 0.1
"""
EDITED = CLAIMS.replace("margin = 0.05", "margin = 0.2")
WEIGHTS = """
[[claims]]
id = "weights"
quantity = "weights"
test = "weights_law"
theory = "he"
"""


class History:
    """Looks one after the other, of whatever the study says then."""

    def __init__(self):
        self.looks = ()

    def look(self, tables=CLAIMS, networks=200, *, top="", seed=3):
        """How the study stands at this look, which is recorded."""
        head = f'schema = 1\ntitle = "A study"\nseed = {seed}\nnetworks = 40\n{top}\n'
        study = parse_study(head + textwrap.dedent(tables), name="small", source="small.toml")
        standing = stand(study, self.looks, networks)
        self.looks = with_look(self.looks, standing.look())
        again = stand(study, self.looks, networks)  # as it is opened later
        assert again.allowances() == standing.allowances()
        assert (again.number, again.m, again.guaranteed) == (standing.number, standing.m, standing.guaranteed)
        return standing


@pytest.fixture
def history():
    return History()


def levels(standing):
    """Levels in units of alpha / m; None where nothing is judged."""
    unit = ALPHA / standing.m
    return [None if one.waits else pytest.approx(one.level / unit) for one in standing.allowances()]


# ---- the ladder --------------------------------------------------------------------------------------------------------


def test_each_rung_has_its_share(history):
    for rung, share in enumerate((0.8, 0.1, 0.05, 0.025), start=1):
        standing = history.look(networks=200 * 4 ** (rung - 1))
        assert (standing.number, standing.rung, standing.judged) == (rung, rung, 200 * 4 ** (rung - 1))
        assert levels(standing) == [share, share]
        assert standing.m == 2
        assert standing.guaranteed
        assert standing.promised == ALPHA


def test_what_lies_between_rungs_is_judged_by_the_lower_one(history):
    history.look(networks=200)
    standing = history.look(networks=1000)
    assert (standing.rung, standing.judged, standing.next) == (2, 800, 3200)
    (one, _) = standing.allowances()
    assert one.note == "judged with 800 of 1,000 networks, the next rung is 3,200"
    assert one.networks == 800
    assert one.later[:2] == ((3200, pytest.approx(0.05 * ALPHA / 2)), (12800, pytest.approx(0.025 * ALPHA / 2)))
    assert "judged with 800 of 1,000" in standing.told[-1]


def test_the_same_networks_and_claims_are_no_new_look(history):
    history.look(networks=200)
    for networks in (200, 300, 799):
        assert history.look(networks=networks).number == 1
    assert len(history.looks) == 1
    assert history.look(networks=800).number == history.look(networks=1000).number == 2
    assert history.look(networks=200).number == 2
    assert len(history.looks) == 2


def test_rungs_may_be_left_out(history):
    history.look(networks=10)
    standing = history.look(networks=10_000)
    assert (standing.rung, standing.judged, standing.number) == (5, 2560, 2)
    assert levels(standing) == [multiple.share(5)] * 2
    back = history.look(networks=50)  # fewer again: their rung has been looked at by nobody
    assert (back.rung, back.judged) == (2, 40)
    assert levels(back) == [0.1, 0.1]


def test_fewer_networks_than_at_first_give_no_verdict(history):
    history.look(networks=200)
    standing = history.look(networks=100)
    assert standing.rung == 0
    assert levels(standing) == [None, None]
    assert "100 networks are fewer than the 200 of the first look" in standing.allowances()[0].waits
    assert standing.allowances()[0].later[0] == (200, pytest.approx(0.8 * ALPHA / 2))


def test_all_looks_together_have_alpha(history):
    """The sum over rungs of what is spent at them is no more than alpha, whatever the order and however often."""
    spent = {}
    for networks in (50, 60, 200, 1000, 50, 4000, 800, 10**6, 200, 3200):
        standing = history.look(networks=networks)
        spent[standing.rung] = math.fsum(one.level for one in standing.allowances())
    assert math.fsum(spent.values()) <= ALPHA * (1 + 1e-12)


# ---- margins and bounds ------------------------------------------------------------------------------------------------


def test_an_edited_margin_waits_for_the_next_rung_and_has_half(history):
    history.look(networks=200)
    standing = history.look(EDITED, networks=200)
    assert levels(standing) == [None, 0.8]
    assert standing.allowances()[0].waits == (
        "200 networks were looked at with margin 0.05, which was edited to margin 0.2: that is judged with the next rung, "
        "800 networks, at half the level"
    )
    assert standing.allowances()[0].later[0] == (800, pytest.approx(0.5 * 0.1 * ALPHA / 2))
    assert levels(history.look(EDITED, networks=800)) == [0.05, 0.1]
    assert levels(history.look(EDITED, networks=3200)) == [0.025, 0.05]  # it was chosen after a look, and stays so
    assert history.looks[-1].sightings[0].edited


def test_a_margin_edited_and_sampled_for_at_once_has_half_too(history):
    history.look(networks=200)
    assert levels(history.look(EDITED, networks=1000)) == [0.05, 0.1]


def test_going_back_to_the_margin_gives_back_its_verdict_and_no_more(history):
    history.look(networks=200)
    history.look(EDITED, networks=200)
    assert levels(history.look(networks=200)) == [0.8, 0.8]  # as it was judged before the edit
    assert levels(history.look(networks=800)) == [0.05, 0.1]  # one of two margins, chosen after a look


def test_no_two_margins_are_judged_on_one_rung(history):
    history.look(networks=200)
    history.look(EDITED, networks=800)
    again = history.look(CLAIMS.replace("margin = 0.05", "margin = 0.1"), networks=800)
    assert levels(again) == [None, 0.1]
    assert levels(history.look(EDITED, networks=800)) == [0.05, 0.1]


def test_a_bound_is_a_margin_and_its_direction_is_not(history):
    history.look(networks=200)
    assert levels(history.look(CLAIMS.replace("above = 0.1", "above = 0.2"), networks=200)) == [0.8, None]
    standing = history.look(CLAIMS.replace("above = 0.1", "below = 0.2"), networks=200)
    assert levels(standing) == [0.8, 0.8]
    assert standing.m == 3


def test_another_id_hides_no_edit(history):
    history.look(networks=200)
    renamed = EDITED.replace('id = "mean"', 'id = "mine"')
    standing = history.look(renamed, networks=200)
    assert levels(standing) == [None, 0.8]
    assert standing.m == 3
    assert levels(history.look(renamed, networks=800)) == [0.05, 0.1]
    # Only renamed, it is judged as it was, and counts once more.
    same = history.look(CLAIMS.replace('id = "mean"', 'id = "other"'), networks=200)
    assert levels(same) == [0.8, 0.8]
    assert same.m == 4


def test_two_margins_from_the_start_are_two_statements(history):
    both = CLAIMS + EDITED[EDITED.index("[[claims]]") : EDITED.index('[[claims]]\nid = "bound"')].replace(
        "mean", "wide", 1
    )
    assert levels(history.look(both, networks=200)) == [0.8, 0.8, 0.8]
    assert levels(history.look(both, networks=800)) == [0.1, 0.1, 0.1]


def test_words_and_expectations_change_nothing(history):
    history.look(networks=200)
    worded = CLAIMS.replace(
        'id = "mean"', 'id = "mean"\nstatement = "As said."\ncorrected = "Not so."\nexpect = "refuted"'
    )
    standing = history.look(worded, networks=200)
    assert (standing.number, standing.m) == (1, 2)


# ---- statements --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('quantity = "preactivation_second_moment"', 'quantity = "activation_second_moment"'),
        ('theory = "he"', 'theory = "preserved"'),
        ('test = "cumulative_mean"', 'test = "growth_rate"'),
        ("margin = 0.05", "margin = 0.05\nlayers = [1, 2]"),
    ],
)
def test_another_statement_is_judged_at_once_and_counts(history, before, after):
    history.look(networks=200)
    standing = history.look(CLAIMS.replace(before, after), networks=200)
    assert levels(standing) == [0.8, 0.8]
    assert (standing.m, standing.deleted) == (3, 1)
    assert history.look(networks=200).m == 3  # what was looked at once counts for good


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('widths = "8x3"', 'widths = "9x3"'),
        ('weights = "he_normal"', 'weights = "he_uniform"'),
        ("[network]", "[network]\n"),
    ],
)
def test_another_network_is_another_statement(history, before, after):
    history.look(networks=200)
    standing = history.look(CLAIMS.replace(before, after), networks=200)
    assert levels(standing) == [0.8, 0.8]
    assert standing.m == (2 if after == "[network]\n" else 4)


def test_other_inputs_are_other_statements(history):
    history.look(networks=200)
    standing = history.look(networks=200, top="inputs = 3")
    assert standing.m == 4


def test_the_place_in_a_grid_and_its_label_are_no_part_of_a_statement(history):
    history.look(networks=200)
    grid = CLAIMS.replace('weights = "he_normal"', "").replace(
        "[[claims]]", '[grid]\nweights = ["xavier_normal", "he_normal"]\n\n[[claims]]', 1
    )
    standing = history.look(grid, networks=200)
    assert len(standing.stated) == 4
    assert standing.m == 4  # two of which were there


def test_what_holds_without_chance_is_no_part_of_m(history):
    standing = history.look(networks=200).counting([True, False])
    assert standing.m == 1
    assert standing.allowances()[0].level == pytest.approx(0.8 * ALPHA)


# ---- seeds -------------------------------------------------------------------------------------------------------------


def test_another_seed_needs_a_rung_of_its_own(history):
    history.look(networks=200)
    standing = history.look(networks=200, seed=4)
    assert levels(standing) == [None, None]
    assert "200 networks were looked at with other draws" in standing.allowances()[0].waits
    assert standing.number == 2
    assert levels(history.look(networks=800, seed=4)) == [0.1, 0.1]
    assert levels(history.look(networks=800)) == [None, None]  # and then it is taken
    assert levels(history.look(networks=3200)) == [0.05, 0.05]
    assert levels(history.look(networks=200)) == [0.8, 0.8]


@pytest.mark.parametrize("top", ['dtype = "float64"', 'method = "dense"', 'normals = "ziggurat"'])
def test_other_ways_to_draw_are_other_draws(history, top):
    history.look(networks=200)
    assert levels(history.look(networks=200, top=top)) == [None, None]


def test_another_version_of_draws_is_another_sample(history, monkeypatch):
    history.look(networks=200)
    monkeypatch.setattr("varprop.engine.plan.DRAWS_VERSION", DRAWS_VERSION + 1)
    assert levels(history.look(networks=200)) == [None, None]
    assert levels(history.look(networks=800)) == [0.1, 0.1]


def test_recorded_quantities_are_no_part_of_the_draws(history):
    history.look(networks=200)
    listed = 'quantities = ["preactivation_second_moment", "activation_mean"]'
    assert history.look(networks=200, top=listed).number == 1


def test_draws_of_its_own_belong_to_the_first_rung_they_were_seen_on(history):
    """A million weights, the same with every number of networks: sampling more of these is no further look at them."""
    tables = CLAIMS + WEIGHTS
    assert levels(history.look(tables, networks=200)) == [0.8, 0.8, 0.8]
    assert levels(history.look(tables, networks=800)) == [0.1, 0.1, 0.8]
    assert levels(history.look(tables, networks=100)) == [None, None, 0.8]
    assert levels(history.look(tables, networks=200, seed=4)) == [None, None, None]
    assert levels(history.look(tables, networks=3200, seed=4)) == [0.05, 0.05, 0.05]
    assert levels(history.look(tables, networks=12_800, seed=4)) == [0.025, 0.025, 0.05]
    wider = tables + "margin = 0.2\n"
    standing = history.look(wider, networks=51_200)
    assert levels(standing) == [0.0125, 0.0125, None]
    assert "judged with draws of its own" in standing.allowances()[2].waits


# ---- alpha -------------------------------------------------------------------------------------------------------------


def test_alpha_raised_after_a_look_waits_for_the_next_rung(history):
    history.look(networks=200)
    standing = history.look(networks=200, top="alpha = 0.2")
    assert (standing.alpha, standing.promised, standing.number) == (ALPHA, ALPHA, 1)
    assert "alpha was 0.05 when these networks were looked at" in " ".join(standing.told)
    later = history.look(networks=800, top="alpha = 0.2")
    assert (later.alpha, later.promised) == (0.2, 0.2)


def test_alpha_raised_after_draws_were_seen_is_not_theirs(history):
    """The draws of `weights_law` are those of the first look, and so is the alpha that they are judged at."""
    history.look(CLAIMS + WEIGHTS, networks=200)
    standing = history.look(CLAIMS + WEIGHTS, networks=800, top="alpha = 0.2")
    assert [one.level for one in standing.allowances()] == pytest.approx([0.1 * 0.2 / 3, 0.1 * 0.2 / 3, 0.8 * 0.05 / 3])


def test_alpha_lowered_after_a_look_does_not_take_back_the_promise(history):
    history.look(networks=200)
    standing = history.look(networks=200, top="alpha = 0.01")
    assert (standing.alpha, standing.promised, standing.number) == (0.01, 0.05, 2)
    assert standing.allowances()[0].level == pytest.approx(0.8 * 0.01 / 2)


# ---- one look ----------------------------------------------------------------------------------------------------------

ONE = "looks = 1"


def test_one_look_has_all_of_alpha(history):
    standing = history.look(networks=200, top=ONE)
    assert levels(standing) == [1.0, 1.0]
    assert standing.guaranteed
    assert standing.promise == "the chance that even one verdict of this look is false is at most 5 %"
    assert (history.look(networks=200, top=ONE).number, standing.told) == (1, ())


@pytest.mark.parametrize(
    "further",
    [{"networks": 300}, {"networks": 100}, {"networks": 200, "seed": 4}, {"networks": 200, "tables": EDITED}],
    ids=["more networks", "fewer", "another seed", "another margin"],
)
def test_a_further_look_of_one_has_no_guarantee(history, further):
    history.look(networks=200, top=ONE)
    standing = history.look(top=ONE, **further)
    assert not standing.guaranteed
    assert standing.promise == "looked at 2 times: no guarantee"
    assert "looked at 2 times: no guarantee" in standing.told[0]
    assert standing.allowances()[0].note == "looked at 2 times: no guarantee"
    assert levels(standing) == [1.0, 1.0]
    assert standing.judged == further["networks"]
    # Which of the two is shown was chosen after both: going back does not help.
    assert not history.look(networks=200, top=ONE).guaranteed


def test_another_statement_is_no_further_look_at_the_others(history):
    history.look(networks=200, top=ONE)
    standing = history.look(CLAIMS + WEIGHTS, networks=200, top=ONE)
    assert standing.guaranteed
    assert standing.m == 3


def test_what_is_declared_after_the_first_look_comes_too_late(history):
    history.look(networks=200)
    standing = history.look(networks=200, top=ONE)
    assert levels(standing) == [0.8, 0.8]
    assert "too late" in standing.told[0]
    other = History()
    other.look(networks=200, top=ONE)
    kept = other.look(networks=200)
    assert levels(kept) == [1.0, 1.0]
    assert "that stays" in kept.told[0]
    assert not other.look(networks=800).guaranteed


# ---- sequential studies ------------------------------------------------------------------------------------------------

SEQUENTIAL = 'stopping = "sequential"'
PIVOTS = CLAIMS + '\n[[claims]]\nid = "law"\nquantity = "pivot"\ntest = "pivot_law"\n'


def test_a_raised_budget_costs_a_sequence_nothing(history):
    """What has no sequential form is judged once on each rung of the ladder."""
    assert levels(history.look(PIVOTS, networks=1000, top=SEQUENTIAL)) == [1.0, 1.0, 0.8]
    standing = history.look(PIVOTS, networks=5000, top=SEQUENTIAL)
    assert levels(standing) == [1.0, 1.0, 0.1]
    assert (standing.judged, standing.m) == (4000, 3)
    assert levels(history.look(PIVOTS, networks=500, top=SEQUENTIAL)) == [1.0, 1.0, None]


def test_an_edited_margin_of_a_sequence_counts_once_more_and_has_half(history):
    """There is no rung without earlier networks: both margins at once take two parts of alpha, of which both sides of the
    second have one between them."""
    history.look(networks=1000, top=SEQUENTIAL)
    standing = history.look(EDITED, networks=1000, top=SEQUENTIAL)
    assert standing.m == 3
    assert levels(standing) == [0.5, 1.0]
    third = history.look(CLAIMS.replace("margin = 0.05", "margin = 0.3"), networks=1000, top=SEQUENTIAL)
    assert (third.m, levels(third)) == (3, [0.5, 1.0])  # read off the same two-sided sequence
    assert levels(history.look(networks=1000, top=SEQUENTIAL)) == [1.0, 1.0]


def test_another_seed_of_a_sequence_is_another_sequence(history):
    history.look(networks=1000, top=SEQUENTIAL)
    standing = history.look(networks=1000, top=SEQUENTIAL, seed=4)
    assert standing.m == 4
    assert levels(standing) == [1.0, 1.0]


def test_a_fixed_look_and_a_sequence_are_two(history):
    history.look(networks=1000)
    assert history.look(networks=1000, top=SEQUENTIAL).m == 4


# ---- the record --------------------------------------------------------------------------------------------------------


def test_the_record_comes_back_from_plain_data(history, tmp_path):
    history.look(CLAIMS + WEIGHTS, networks=200)
    history.look(EDITED + WEIGHTS, networks=200)
    history.look(EDITED, networks=900, seed=5)
    history.look(PIVOTS, networks=900, top=SEQUENTIAL)
    described = [look.describe() for look in history.looks]
    again = read_looks(tmp_path, {"looks": described})
    assert [look.describe() for look in again] == described
    assert all(look.same_as(one) for look, one in zip(again, history.looks, strict=True))
    assert [look.rung for look in again] == [1, 1, 2, 2]
    assert all(not one.same_as(other) for one, other in itertools.combinations(again, 2))


def test_every_statement_of_a_study_has_its_own_hash(history):
    stated = sightings(history.look(PIVOTS + WEIGHTS, networks=10).study)
    assert len({one.statement for one in stated}) == len({one.about for one in stated}) == 4
    assert {one.draws for one in stated} == {stated[0].draws}
    assert [one.tolerance for one in stated] == [
        (("margin", 0.05),),
        (("above", 0.1),),
        (("margin", 0.05),),
        (("margin", 0.05),),
    ]
