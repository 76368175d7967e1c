"""Tables as files: six digits, text that stays text, and nothing a spreadsheet would run."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from varprop.report.csv_files import csv_text

HOSTILE = "<script>alert('x')</script> & \"q\", 100 % of {z_1} a|b `c` _d_ 漢字 😀 \\frac"


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_text_comes_back_as_it_was():
    assert read(csv_text(pd.DataFrame({HOSTILE: [HOSTILE]}))) == [{HOSTILE: HOSTILE}]


def test_numbers_have_six_digits_and_missing_ones_are_empty():
    frame = pd.DataFrame({"a": [2 / 3, np.nan], "n": pd.array([4000, None], dtype="Int64"), "t": ["x", None]})
    assert read(csv_text(frame)) == [{"a": "0.666667", "n": "4000", "t": "x"}, {"a": "", "n": "", "t": ""}]


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+x", "-x", "\t=1", "\r\n=1"])
def test_no_text_is_a_formula(text):
    (row,) = read(csv_text(pd.DataFrame({"note": [text]})))
    assert row["note"] == "'" + text.strip()


@pytest.mark.parametrize("text", ["-1.5", "+2", "-1e-24", "1=1", ""])
def test_what_is_no_formula_is_left_alone(text):
    assert csv_text(pd.DataFrame({"note": [text], "n": [1]})) == f"note,n\n{text},1\n"


def test_a_categorical_column_is_written_too():
    frame = pd.DataFrame({"quantity": pd.Categorical(["=a", "b"])})
    assert [row["quantity"] for row in read(csv_text(frame))] == ["'=a", "b"]
