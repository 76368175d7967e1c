import pytest

import varprop as vp
from varprop.study.run import UNTESTED

pytestmark = pytest.mark.false_alarm(0)

CLAIMS = """
[network]
widths = "6x3"
activation = "relu"

[grid]
weights = ["he_normal", "xavier_normal"]

[[claims]]
id = "kept"
statement = "ReLU <script>keeps</script> the signal & more."
quantity = "preactivation_second_moment"
theory = "preserved"
test = "cumulative_mean"
margin = 1.0
expect = "supported"
"""
TITLE = 'title = "A <script>small</script> study"'


@pytest.fixture
def run(write, tmp_path):
    path = write(CLAIMS)
    path.write_text(path.read_text(encoding="utf-8").replace('title = "A small study"', TITLE), encoding="utf-8")
    return vp.run_study(vp.load_study(path), tmp_path / "runs", executor="serial")


def test_a_runs_card_counts_the_verdicts_of_each_claim(run):
    html = run._repr_html_()
    verdicts = run.verdicts().dropna(subset="verdict")["verdict"].astype(str).tolist()
    assert len(verdicts) == 2
    symbols = {"supported": "✓", "refuted": "✗", "inconclusive": "?"}
    for verdict in set(verdicts):
        assert f"{symbols[verdict]} {verdicts.count(verdict)} {verdict}" in html
    assert UNTESTED not in html
    assert "40 of each configuration" in html
    assert "2: he_normal; xavier_normal" in html


def test_a_card_of_an_opened_run_tests_nothing(run, monkeypatch):
    opened = vp.load_run(run.path)
    monkeypatch.delattr("varprop.verification.compare.assess")
    monkeypatch.delattr("varprop.study.run.Store")
    assert UNTESTED in opened._repr_html_()
    assert "A <script>small" in opened.study.title
    assert "claims" in repr(opened)


def test_titles_and_statements_are_text(run):
    for html in (run._repr_html_(), run.study._repr_html_()):
        assert "A &lt;script&gt;small&lt;/script&gt; study" in html
        assert "ReLU &lt;script&gt;keeps&lt;/script&gt; the signal &amp; more." in html
        assert "<script" not in html


def test_a_study_shows_its_claims_and_samples_nothing(parse):
    html = parse(CLAIMS)._repr_html_()
    assert "cumulative_mean of preactivation_second_moment, preserved" in html
    assert "supported" in html
