"""The count of false verdicts: what it counts, what it lets pass and what it finds out."""

import math

import numpy as np
import pytest

import varprop as vp
from tests.two_samples import ks_pvalue
from varprop.stats.multiple import acceptance_region
from varprop.verification.calibration.cases import level_cases
from varprop.verification.calibration.counting import CONTROLS, WRONG_RULES, count_levels
from varprop.verification.calibration.levels import LEVELS, Sides, counted, kolmogorov_excess, pooled_rows
from varprop.verification.calibration.truths import has_forward_law, has_law, layer_norms
from varprop.verification.claims import TESTS


@pytest.mark.false_alarm(1e-6)
def test_uniform_p_values_are_let_pass(rng):
    """The bound on their excess is proved: below 1e-6 with at most that probability."""
    assert kolmogorov_excess(rng.random(20_000)) > 1e-6


@pytest.mark.false_alarm(1e-12)
def test_p_values_that_are_small_too_often_are_not(rng):
    """The negative control: half of them judged at twice the level, so that .15 lie below .1; ten standard errors and more."""
    p = rng.random(20_000)
    assert kolmogorov_excess(np.where(rng.random(20_000) < 0.5, p, p / 2.0)) < 1e-6


def test_the_excess_is_that_of_the_empirical_law():
    p = np.array([0.01, 0.02, 0.05, 0.3, 0.9])
    assert kolmogorov_excess(p) == pytest.approx(math.exp(-2.0 * 5 * (3 / 5 - 0.05) ** 2), rel=1e-12)
    assert kolmogorov_excess(np.ones(4)) == 1.0


def test_a_count_is_held_against_the_level():
    row = counted(np.array([0.0, 0.01, 0.04, 0.2, *[1.0] * 96]), 0.05)
    assert (row["events"], row["studies"], row["accept_high"]) == (3, 100, acceptance_region(100, 0.05)[1])
    assert row["accepted"] is True
    assert counted(np.zeros(100), 0.05)["accepted"] is False


def test_a_configuration_that_is_refused_does_not_dilute_the_others():
    speaking = Sides(("too low",), np.zeros((1, 10)), ("measured",) * len(LEVELS))
    silent = Sides(("too low",), np.ones((1, 90)), ("measured", "measured", "none", "none"))
    studies = [row["studies"] for row in pooled_rows("test", [speaking, silent])]
    assert studies == [100, 100, 10, 10]


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize("name", sorted(set(WRONG_RULES) - {"t test with a note on skewness"}))
def test_rules_that_do_not_hold_are_found_out(name):
    """The counts expected lie beyond the accepted ones by ten standard errors and more; the seed is that of the session."""
    studies, level = CONTROLS[name]
    assert not counted(WRONG_RULES[name](np.random.default_rng(7), studies), level)["accepted"]


def test_every_test_of_networks_takes_part():
    tests = {case.claim.test for group in level_cases(full=True, seed=1, studies=10) for case in group}
    assert set(TESTS) - tests == {"identity", "weights_law"}
    names = {case.name for group in level_cases(full=True, seed=1, studies=10) for case in group}
    assert {
        "cumulative_mean, biases",
        "level, shares",
        "means as they stand",
        "step_mean of pivots, student_t",
    } <= names


@pytest.mark.false_alarm(1e-8)
def test_the_law_of_norms_knows_gaussian_biases(rng):
    """Two roads to every layer's norms: the law, and matrices multiplied out. Nineteen Kolmogorov-Smirnov tests at 5e-10."""
    network = vp.mlp([8, 5, 7, 6], activation="relu", weights="he_normal", biases=vp.get_initializer("normal", std=0.5))
    assert has_forward_law(network)
    assert not has_law(network)
    law = layer_norms(network, n_networks=20_000, rng=rng)
    sampled = vp.simulate(network, n_networks=20_000, rng=rng, method="dense", quantities=law.quantities)
    for name in law.quantities:
        for mine, theirs in zip(law.values(name).T, sampled.values(name).T, strict=True):
            if np.nanstd(mine) > 1e-6:
                assert ks_pvalue(mine, theirs) > 5e-10


def test_a_few_studies_from_end_to_end():
    told = []
    frame = count_levels(full=False, seed=3, studies=6, executor="serial", progress=lambda *done: told.append(done))
    assert told[-1][0] == told[-1][1]
    assert set(frame["part"]) == {"levels", "pooled"}
    single = frame[frame["part"] == "levels"]
    two = single[(single["test"] == "zero_mean") & (single["n_networks"] == 2)]
    assert (two["events"] == 0).all()  # two networks exclude nothing
    again = count_levels(full=False, seed=3, studies=6, executor="threads")
    assert again.equals(frame)
