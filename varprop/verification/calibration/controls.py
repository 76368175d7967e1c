"""Tests that are known to be wrong, and networks that are not what they are taken for: a check that sees them can see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from varprop.model.simulation import Simulation
from varprop.stats.means import mean_outcome
from varprop.stats.outcome import Outcome


def naive_t(study: Simulation, _rng: np.random.Generator) -> Outcome:
    """Test the mean of the last layer's mean square over networks as it stands, close to log-normal over depth."""
    values = study.values("preactivation_second_moment")[:, -1]
    first = study.values("conditional_variance")[0, 0]  # the same in all networks: what every layer has on average
    return mean_outcome("naive t", values / first, null=1.0)


def pooled_neurons_t(study: Simulation, rng: np.random.Generator) -> Outcome:
    """Test the mean of z^2 over all units of the last layer in all networks, as if units were independent.

    Given its conditional variance v a unit is N(0, v), so that its square is v chi2_1.
    """
    v = study.values("conditional_variance")
    units = v[:, [-1]] * rng.chisquare(1.0, size=(len(v), study.architecture.widths[-1]))
    return mean_outcome("t over pooled neurons", units.ravel() / v[0, 0], null=1.0)


WRONG_TESTS: dict[str, Callable[[Simulation, np.random.Generator], Outcome]] = {
    "naive t": naive_t,
    "t over pooled neurons": pooled_neurons_t,
}
"""Both take ReLU networks with He's weights, whose mean square is the same in expectation in every layer."""
