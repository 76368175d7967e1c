from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.model.simulation import Samples, Simulation
from varprop.report.blocks import Claimed
from varprop.report.content import study_page
from varprop.report.index import index_page
from varprop.report.markdown import page_markdown
from varprop.report.pdf import page_html
from varprop.study.parsing import parse_study

NO_FIGURES = "[report]\nfigures = []"
CLAIMLESS = """\
schema = 1
title = "Only looking"
seed = 1
networks = 40
inputs = 3
network = { widths = "8x4", activation = "relu", weights = "he_normal" }
"""


@pytest.fixture
def document(plain_page):
    return plain_page


def told(page):
    """What is said of each claim."""
    return [block for block in page.walk() if isinstance(block, Claimed)]


def test_the_lead_counts_networks_configurations_and_verdicts(document):
    assert document.lead == (
        "40 random networks for each of 4 configurations. 5 verdicts: 2 supported, 2 refuted, 1 inconclusive."
    )


def test_the_guarantee_says_level_m_and_intervals(document):
    text = " ".join(document.texts)
    assert "m = 5 tests bear verdicts here, and each runs at level a = 0.8 alpha/m = 0.8 × 0.05/5." in text
    assert "the study may be looked at with 40, 160, 640 and so on networks" in text
    assert "even one verdict of this look or any other is false is at most 5 %" in text
    assert "level 1 - 2a, 98.4 % where" in text


def test_a_claim_says_how_it_is_tested(document):
    facts = told(document)[0].facts
    assert facts[0].startswith("Test cumulative_mean: ")
    assert facts[0].endswith("(theory: he).")
    assert "activation_second_moment is the mean of a^2 over the layer's units." in facts
    assert facts[-1] == "Expected: supported."
    (layers,) = document.section("layers").blocks
    assert layers.title == "he.forward"  # zero mean came without rows per layer


def test_a_claim_over_some_layers_with_a_bound_says_so(make_run, make_judged):
    more = (
        '[[claims]]\nid = "x"\nquantity = "gradient_second_moment"\ntest = "directional"\nbelow = 0.5\nlayers = [2, 4]'
    )
    rows = [{"claim": claim, "ratio": 1.0, "verdict": "supported"} for claim in ("he.forward", "goal.zero-mean", "x")]
    document = study_page(make_run(more=f"{more}\n{NO_FIGURES}", verdicts=make_judged(*rows)))
    assert told(document)[2].facts[-2:] == ("Layers 2 to 4.", "Claimed: below 0.5000 a layer.")


def test_profiles_show_what_is_claimed_where_it_is_claimed(document):
    pictures = {picture.name: picture for picture in document.pictures}
    first = pictures["profile-preactivation_second_moment"]
    assert {row[0].text for row in first.numbers.rows} == {"relu, he_normal", "leaky_relu(slope=0.1), he_normal"}
    assert [column.title for column in first.numbers.columns][-2:] == ["he", "mean-field"]
    assert "mean over 40 networks, with its 95 % interval" in first.caption
    assert "From" not in first.caption
    assert "the 5 % to the 95 % quantile over networks" in first.caption
    assert {row[0].text for row in pictures["profile-activation_mean"].numbers.rows} == {"relu, he_normal"}


def test_forests_follow_the_study_and_keep_means_apart_from_ratios(make_run):
    run = make_run()
    run.judged = run.judged[::-1]  # configuration by configuration, whatever the order
    svgs = {picture.name: picture.svg for picture in study_page(run).pictures}
    assert svgs["forest"].count(">he.forward<") == 1
    assert "goal.zero-mean" not in svgs["forest"]
    assert "goal.zero-mean" in svgs["forest-zero-mean"]


def claimless_run(make_run, samples):
    run = make_run(verdicts=())
    run.study = parse_study(CLAIMLESS, name="looking", source="looking.toml")
    simulation = Simulation(network=run.study.configurations[0].network, inputs=np.ones((3, 8)), samples=samples)
    run.simulations = lambda: {run.study.configurations[0].label: simulation}
    run.predictions = pd.DataFrame  # no theory covers it
    return run


def test_a_study_without_claims_shows_its_profiles(make_run):
    places = tuple((layer, str(layer)) for layer in range(1, 5))
    samples = {"preactivation_second_moment": Samples(np.ones((40, 4)), places)}
    run = claimless_run(make_run, samples)
    document = study_page(run)
    assert document.lead.endswith("Nothing is claimed, so there are no verdicts.")
    assert [picture.name for picture in document.pictures] == ["profile-preactivation_second_moment"]
    assert "## Claim" not in page_markdown(document).replace("## Claim ledger", "")
    assert "Claim by claim" not in page_html(document)
    (reproduction,) = document.section("reproduce").blocks
    assert dict(reproduction.facts)["Inputs"] == "3, Gaussian, each scaled to mean square 1"
    assert index_page([run]).rows == ()


def test_a_quantity_that_no_network_has_is_not_drawn(make_run):
    samples = {"preactivation_second_moment": Samples(np.full((40, 1), np.nan), ((1, "0"),))}
    assert study_page(claimless_run(make_run, samples)).pictures == ()


def test_a_page_says_whose_word_a_symmetry_is(make_run, plain_page):
    run = make_run(more=NO_FIGURES)
    own = vp.as_initializer(lambda shape, rng: rng.laplace(size=shape), variance=2.0, symmetric=True)
    net = vp.mlp([8] * 5, activation="relu", weights=own)
    first, *others = (c.label for c in run.study.configurations)

    class OfAnAuthor(type(run)):
        def simulations(self):
            found = super().simulations()
            return found | {first: replace(found[first], network=net)}

    page = study_page(OfAnAuthor(run.study, run.path, run.networks, run.judged))
    assert others
    assert [text for text in page.texts if "declared" in text] == [
        f"Weights declared symmetric by their author: {first}."
    ]
    assert not any("declared" in text for text in plain_page.texts)
