"""The table of savings: its shortcuts against the tests themselves, and what it must show."""

import math

import numpy as np
import pytest

from varprop.stats.equivalence import p_equivalence
from varprop.stats.means import step_mean
from varprop.stats.sequential import at_any_look
from varprop.verification.watching import BUDGET, _running, _verdicts, look_schedule, mixture_for, sequential_savings

DELTA = math.log(1.05)


@pytest.mark.false_alarm(0)
def test_running_sums_are_the_tests_themselves():
    looks, width = np.array(look_schedule(3000)), 16
    theta, se = _running(np.random.default_rng(9), looks, width, 2)
    rng = np.random.default_rng(9)
    ratios = 4 / width * rng.standard_gamma(rng.binomial(width, 0.5, size=(2, 3000)) / 2)
    mixture = mixture_for(looks.tolist(), alpha=0.05, m=1)
    for truth in (-0.2, 0.02, 0.2):
        supported, refuted = _verdicts(theta + truth, se, looks, DELTA, alpha=0.05, m=1)
        for study in (0, 1):
            for i, look in enumerate(looks):
                outcome = at_any_look(step_mean(math.exp(truth) * ratios[study, :look]), mixture)
                assert (theta[study, i] + truth, se[study, i]) == pytest.approx((outcome.theta, outcome.se), rel=1e-9)
                assert supported[study, i] == (p_equivalence(outcome, DELTA) <= 0.05)
                assert refuted[study, i] == (outcome.p_outside(DELTA) <= 0.05)


@pytest.mark.false_alarm(1e-6)
def test_the_table_shows_where_looking_pays():
    """Means over 60 studies; what is asserted holds with ten standard errors to spare. False verdicts: at most .05 a row,
    more than 14 of 60 have probability below 1e-6.
    """
    table = sequential_savings(rng=12, margin=0.03, claims=[1], repeats=60).set_index("truth")
    assert table.loc[5.0, "mean_networks"] < table["planned_networks"].iloc[0]
    assert table.loc[0.5, "mean_networks"] > table.loc[0.0, "mean_networks"]
    assert (table["budget"] == BUDGET * table["planned_networks"]).all()
    assert table.loc[0.0, "fixed_networks"] == table.loc[0.0, "planned_networks"]
    assert (60 * table["false"] <= 14).all()
    assert (table.loc[[0.0, 5.0], "decided"] > 0.5).all()


@pytest.mark.false_alarm(0)
def test_misuse_is_named():
    with pytest.raises(ValueError, match="width of 1 to 1000"):
        sequential_savings(rng=1, width=0)
