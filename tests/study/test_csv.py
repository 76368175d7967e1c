"""Tables as files: six digits, text that stays text, and nothing a spreadsheet would run."""

import csv
import io
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from varprop import study
from varprop.study.files import csv_text, unguarded

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


@pytest.mark.parametrize(
    "text",
    [
        "a;=1+1",
        "a; =1+1",
        ";=1+1",
        "\uff1d1+1",
        "\uff0b1+A1",
        "\uff20SUM(A1)",
        "\u200b=1+1",
        "\ufeff=1+1",
        "\u2060 @x",
        "\u00ad+x",
        "\u3164=1",
        "\u0301=1",
        "\ufe661",
        "x;y;\u200b\uff0d2+3",
        "-1+2",
        "a;-1+2",
    ],
    ids=range(16),
)
def test_no_text_is_a_formula_whatever_hides_it(text):
    """Neither as it is, nor where a semicolon divides cells; and it is read back as it was."""
    frame = pd.DataFrame({text: [text], "category": pd.Categorical([text])})
    (row,) = read(csv_text(frame))
    for written in (*row, *row.values()):
        if written == "category":
            continue
        for part in written.split(";"):
            seen = [c for c in unicodedata.normalize("NFKC", part) if unicodedata.category(c) not in {"Cf", "Mn", "Lo"}]
            assert "".join(seen).strip()[:1] not in {"=", "+", "-", "@"}
        assert unguarded(written) == text


@pytest.mark.parametrize("text", ["-1.5", "+2", "-1e-24", "1=1", "", "a;-1.5;b", "x - y", "it's", "a; b"])
def test_what_is_no_formula_is_left_alone(text):
    assert csv_text(pd.DataFrame({"note": [text], "n": [1]})) == f"note,n\n{text},1\n"


def test_digits_are_six_or_all():
    frame = pd.DataFrame({"a": [2 / 3]})
    assert (csv_text(frame), csv_text(frame, digits=None)) == ("a\n0.666667\n", f"a\n{2 / 3!r}\n")


def test_a_categorical_column_is_written_too():
    frame = pd.DataFrame({"quantity": pd.Categorical(["=a", "b"])})
    assert [row["quantity"] for row in read(csv_text(frame))] == ["'=a", "b"]


def test_every_csv_file_is_written_there():
    package = Path(study.__file__).parents[1]
    found = [path.name for path in package.rglob("*.py") if ".to_csv(" in path.read_text(encoding="utf-8")]
    assert found == ["files.py"]
