"""Every test that a study may name is run from a file, and gives the verdict that is right."""

import pandas as pd
import pytest

import varprop as vp
from varprop.cli.show import print_verdicts, records
from varprop.verification.claims import TESTS

HEAD = """
schema = 1
title = "Every test"
seed = 11
networks = 8000

[network]
widths = "32x4"
activation = "relu"
weights = "he_normal"
"""
QUANTITIES = {
    "level": "derivative_second_moment",
    "zero_mean": "activation_mean",
    "weights_law": "weights",
    "activation_map": "activation_second_moment",
}
EXTRA = {
    "directional": "above = 0.5",
    "typical_directional": "below = 1.1",
    "level": "below = 0.6",
    "zero_mean": "margin = 0.9",
    "exact_law": "margin = 0.1",
    "pivot_law": "margin = 0.1",
}
FALSE = {"identity"}


def claim(test):
    rule = TESTS[test]
    forward = "preactivation_second_moment"
    quantity = QUANTITIES.get(test, forward if forward in rule.quantities else rule.quantities[0])
    lines = ["[[claims]]", f'id = "{test}"', f'test = "{test}"', f'quantity = "{quantity}"']
    lines += [f'expect = "{"refuted" if test in FALSE else "supported"}"']
    lines += ['theory = "he"'] * (rule.theory == "required")
    extra = EXTRA.get(test, "margin = 0.2" if rule.name != "identity" else "")
    return "\n".join([*lines, extra])


@pytest.mark.false_alarm(1e-9)
def test_a_study_with_every_test(tmp_path, capsys):
    """Margins are seven standard errors and more beyond what a verdict takes: one is missed with probability below 1e-9.

    The equality of random networks is the one false claim.
    """
    path = tmp_path / "every.toml"
    path.write_text("\n\n".join([HEAD, *map(claim, TESTS)]), encoding="utf-8")
    run = vp.run_study(vp.load_study(path), tmp_path / "runs", "serial")
    verdicts = run.verdicts()
    headline = verdicts[verdicts["verdict"].notna()].set_index("claim")
    assert headline.index.tolist() == list(TESTS)
    wrong = headline[(headline["verdict"] == "supported") == headline.index.isin(FALSE)]
    assert wrong[["verdict", "note"]].to_dict("index") == {}
    assert run.surprises() == ()
    assert headline["pvalue_adjusted"].between(0.0, 1.0).all()
    # Where a test has no margin there is none in any of the forms a verdict has.
    without = {name for name, rule in TESTS.items() if rule.margin is None}
    assert set(headline.index[headline["margin"].isna()]) == without
    written = pd.read_csv(tmp_path / "runs" / "every" / "verdicts.csv")
    assert set(written.loc[written["margin"].isna(), "claim"]) == without
    assert {row["claim"] for row in records(verdicts) if row["margin"] is None} == without
    print_verdicts(one for one in run.judged if one.claim.id in without)
    assert "margin" not in capsys.readouterr().out
