import math

import pytest

from varprop.model.quantities import QUANTITIES
from varprop.plot import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.000"),
        (2.0, "2.000"),
        (1.00654321, "1.007"),
        (-0.011497, "-0.01150"),
        (1999.6, "2000"),
        (99999.0, "1.000e+05"),
        (3.14159e-7, "3.142e-07"),
        (0.0, "0"),
        (-0.0, "0"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (math.nan, wording.MISSING),
    ],
)
def test_number_has_four_significant_digits(value, text):
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "<0.0001"),
        (9e-5, "<0.0001"),
        (0.0312, "0.0312"),
        (1.0, ">0.9999"),
        (0.5, "0.5000"),
        (math.nan, wording.MISSING),
    ],
)
def test_pvalue_is_never_zero(value, text):
    assert wording.pvalue(value) == text


def test_counts_agree_with_their_noun():
    assert wording.count(1, "network") == "1 network"
    assert wording.count(2000, "network") == "2,000 networks"
    assert wording.count(3300) == "3,300"


def test_listings_and_sentences():
    assert [wording.listing("abc"[:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
    assert (wording.sentence("mean of z."), wording.sentence("")) == ("Mean of z.", "")


def test_margins():
    assert (wording.percent(0.05), wording.percent(0.1), wording.percent(0.025)) == ("5 %", "10 %", "2.5 %")


def test_plain_is_one_printable_line():
    assert wording.plain("a\x00b\n\tc\u2028d\x1b[31m") == "a b c d [31m"
    assert wording.plain("\u202eabc\u202c \ud800") == "abc ?"
    family = "\U0001f468\u200d\U0001f469"  # its joiner is no control character
    assert wording.plain(family) == family


def test_plain_lines_keep_indentation():
    assert wording.plain_lines("a\n  b\x07\n\n\tc") == "a\n  b\n\n    c"


def test_every_quantity_has_a_short_name_and_a_meaning():
    labels = [wording.axis_label(name) for name in QUANTITIES]
    assert len(set(labels)) == len(labels)
    assert max(map(len, labels)) < 12
    assert wording.axis_label("my_own") == "my own" == wording.meaning("my_own")
