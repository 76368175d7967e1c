"""The figure of units that stay alike shows the counts it is given, and a training study's report is made of a real run."""

import numpy as np
import pytest

import varprop as vp
from varprop.plot.sweeps import counts_of, rows_figure
from varprop.report.pictures import rows_pictures

pytestmark = pytest.mark.false_alarm(0)

STUDY = """\
schema = 1
title = "Symmetry & <b>more</b>"
seed = 5
networks = 3
inputs = 4

[training]
steps = 3
learning_rate = 0.1

[network]
widths = [4, 9, 9, 2]
activation = "tanh"

[grid]
weights = [{ name = "constant", value = 0.1 }, "xavier_normal"]

[[claims]]
id = "alike"
statement = "Units stay <i>alike</i>."
where = { weights = "constant" }
quantity = "most_distinct_rows"
layers = [1, 2]
test = "identity"
reason = "equal-units"
equals = 1
"""


CLAIM = """
[[claims]]
id = "{}"
where = {{ weights = "constant" }}
quantity = "most_distinct_rows"
layers = [1, 2]
test = "identity"
equals = 1
{}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    (folder / "small.toml").write_text(STUDY, encoding="utf-8")
    return vp.run_study(vp.load_study(folder / "small.toml"), folder / "runs", "serial")


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_counts_are_those_of_the_simulation(run):
    label, simulation = next(iter(run.simulations().items()))
    counts = counts_of(label, simulation)
    assert counts.ranges["rows"].tolist() == [[1, 1], [1, 1], [1, 2]]
    assert counts.ranges["columns"].tolist() == [[1, 4], [1, 1], [1, 1]]
    assert counts.networks == 3
    np.testing.assert_allclose(counts.change, simulation.values("weight_change").mean(axis=0), rtol=1e-12)


def test_a_cell_for_every_matrix(run):
    figure = rows_figure([counts_of(*item) for item in run.simulations().items()])
    shown = texts(figure)
    assert shown[:6] == ["1", "1", "1–2", "1–4", "1", "1"]
    assert shown[6:12] == ["9", "9", "2", "4", "9", "9"]
    assert shown[12:] == ["different rows", "different columns"]
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(run.simulations())
    faces = [patch.get_facecolor() for patch in axes.patches]
    assert len(set(faces)) == 3
    assert faces[0] == faces[1] != faces[2]


def test_rows_alone(run):
    only = vp.train(
        run.study.configurations[0].network,
        steps=1,
        learning_rate=0.1,
        n_networks=2,
        rng=1,
        quantities=["most_distinct_rows", "fewest_distinct_rows"],
    )
    (picture,) = rows_pictures({"one": only})
    assert "columns" not in picture.alternative
    assert [column.title for column in picture.numbers.columns] == [
        "Configuration",
        "Layer",
        "Networks",
        "Different rows",
    ]
    assert rows_pictures({"none": vp.simulate(only.network, n_networks=2, rng=1)}) == []


def test_a_claim_about_a_share_has_an_interval_and_a_level(tmp_path):
    """Beside one for a reason, which takes no part of alpha, and one about all networks."""
    shares = STUDY + CLAIM.format("share", "") + CLAIM.format("all", "share = 1")
    (tmp_path / "small.toml").write_text(shares, encoding="utf-8")
    run = vp.run_study(vp.load_study(tmp_path / "small.toml"), tmp_path / "runs", "serial")
    vp.write_report(run, tmp_path, formats=("md",))
    page = (tmp_path / "small" / "README.md").read_text(encoding="utf-8")
    assert "Claimed: exactly 1. Claimed of at least 99 % of all networks." in page
    assert "m = 1 test bears a verdict here, and each runs at level a = 0.8 alpha/m = 0.8 × 0.05/1." in page
    assert "one exception refutes it, and no number of networks supports it" in page
    assert "These verdicts take no part of alpha." in page
    assert run.verdicts()["verdict"].dropna().tolist() == ["supported", "inconclusive", "inconclusive"]


def test_the_report_of_a_training_study(run, tmp_path):
    written = {path.name for path in vp.write_report(run, tmp_path, formats=("html", "md", "png"))}
    assert {"rows.svg", "rows.png"} <= written
    page = (tmp_path / "small" / "README.md").read_text(encoding="utf-8")
    assert "Claimed: exactly 1 in every network." in page
    assert "3 steps of full-batch gradient descent on the mean squared error, rate 0.1, weights and biases" in page
    assert "Reason equal-units: units with equal weights put out the same" in page
    assert "have neither margin nor level" in page
    assert "±5 %" not in page
    html = (tmp_path / "small" / "index.html").read_text(encoding="utf-8")
    assert "<b>more</b>" not in html
    assert "Different rows and columns of every layer" in html
    assert "4 all alike in every step, 2 alike at the start only and 6 different from the start" in html
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    vp.write_report(run, tmp_path, formats=("html", "md", "png"))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
