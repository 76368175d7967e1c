"""From a study file to its report, with nothing made by hand."""

import pandas as pd
import pytest

import varprop as vp

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

STUDY = """\
schema = 1
title = "He, small"
seed = 20150206
networks = 120
network = { widths = "16x3" }

[grid]
activation = ["relu", "tanh"]
weights = ["he_normal"]

[[claims]]
id = "he.forward"
statement = "ReLU keeps the second moment."
where = { activation = "relu" }
quantity = ["preactivation_second_moment", "gradient_second_moment"]
theory = "he"
test = "cumulative_mean"
margin = 0.3

[[claims]]
id = "goal.zero-mean"
quantity = "activation_mean"
test = "zero_mean"

[[claims]]
id = "he.normal"
where = { activation = "relu" }
quantity = "weights"
theory = "he"
test = "weights_law"

[[claims]]
id = "large.explode"
where = { activation = "tanh" }
quantity = "preactivation_second_moment"
test = "directional"
above = 1.5
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    (folder / "small.toml").write_text(STUDY, encoding="utf-8")
    return vp.run_study(vp.load_study(folder / "small.toml"), folder / "runs", "serial")


@pytest.fixture(scope="module")
def report(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return folder, vp.write_report(run, folder, formats=["html", "md"])


def test_the_report_has_every_verdict_of_the_run(run, report):
    folder, _ = report
    verdicts = run.verdicts()
    kept = pd.read_csv(folder / "small" / "verdicts.csv")
    assert kept["verdict"].fillna("").tolist() == verdicts["verdict"].fillna("").tolist()
    readme = (folder / "small" / "README.md").read_text(encoding="utf-8").splitlines()
    index = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    decided = verdicts[verdicts["verdict"].notna()]
    for claim, verdict in set(zip(decided["claim"], decided["verdict"], strict=True)):
        assert any(line.startswith(f"| {claim} | {verdict} |") for line in readme)
    for claim, verdicts_of in decided.groupby("claim")["verdict"]:
        worst = next(word for word in ("refuted", "inconclusive", "supported") if word in set(verdicts_of))
        few = (verdicts_of == worst).sum()
        told = worst if few == len(verdicts_of) else f"{worst} in {few} of {len(verdicts_of)}"
        assert sum(line.startswith(f"| {claim} | {told} |") for line in index) == 1
    text = "\n".join(readme)
    assert "varprop run small.toml\n" in text
    assert f"varprop {vp.__version__}, numpy" in text
    assert "nan" not in text.lower().replace("dominan", "")


def test_a_run_that_is_opened_again_gives_the_same_bytes(run, report, tmp_path):
    _, first = report
    second = vp.write_report(vp.load_run(run.path), tmp_path, formats=["html", "md"])
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_run_is_plotted(run):
    with pytest.raises(ValueError, match="pass configuration= one of 'relu', 'tanh'"):
        vp.plot.profile(run)
    ax = vp.plot.profile(run, configuration="tanh", theories=["mean-field"])
    assert [line for line in ax.lines if line.get_marker() == "o"]
    vp.plot.forest(run.verdicts())
    from matplotlib import pyplot as plt

    plt.close("all")
