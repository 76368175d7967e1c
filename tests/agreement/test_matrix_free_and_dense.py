"""Whole networks sampled without their matrices have the law of those sampled with them, jointly over layers."""

import numpy as np
import pytest

import varprop as vp
from tests.two_samples import ks_pvalue

FALSE_ALARM = 1e-8  # of one comparison, all its statistics together

CASES = {
    "tanh, three inputs": {"widths": [12, 10, 14, 12], "activation": "tanh", "inputs": 3},
    "relu, one input": {"widths": [6, 5, 8, 6], "activation": "relu", "inputs": None},
    "relu, two inputs, biases": {
        "widths": [6, 5, 8, 6],
        "activation": "relu",
        "inputs": 2,
        "biases": {"name": "normal", "std": 0.5},
    },
    "sigmoid, more inputs than units": {"widths": [3, 4, 3, 5], "activation": "sigmoid", "inputs": 6},
    "relu, dying": {"widths": [3, 2, 2, 3, 3], "activation": "relu", "inputs": 2},
}


def sample(case: str, *, networks: int, seed: int, method: str, scale: float = 2.0) -> vp.Simulation:
    about = CASES[case]
    net = vp.mlp(
        about["widths"],
        activation=about["activation"],
        weights={"name": "variance_scaling", "scale": scale},
        biases=about.get("biases", "zeros"),
    )
    # The same inputs for both samples, whatever their seeds.
    x = None if about["inputs"] is None else np.random.default_rng(9).standard_normal((about["inputs"], net.widths[0]))
    return vp.simulate(net, n_networks=networks, rng=seed, inputs=x, method=method, executor="serial")


def joint_statistics(sim: vp.Simulation) -> dict[str, np.ndarray]:
    """Every recorded number, and products that tie the first layer to the last and forward to backward."""
    found = {}
    for quantity in sim.quantities:
        values = sim.values(quantity)
        for i, (layer, _) in enumerate(sim.places(quantity)):
            found[f"{quantity} {layer}"] = values[:, i]
    forward, back = sim.values("preactivation_second_moment"), sim.values("gradient_second_moment")
    found["first and last"] = forward[:, 0] * forward[:, -1]
    found["forward and backward"] = forward[:, -1] * back[:, 0]
    found["both ends of the gradient"] = back[:, 0] * back[:, -1]
    found["weights' gradients"] = sim.values("weight_gradient_second_moment").prod(axis=1)
    found["means"] = sim.values("preactivation_mean")[:, -1] * sim.values("gradient_mean")[:, 0]
    return found


def smallest_pvalue(one: vp.Simulation, other: vp.Simulation) -> tuple[float, int]:
    """Bonferroni over two-sample Kolmogorov-Smirnov tests, NaN (no value in a dead network) as a value of its own."""
    pvalues = []
    theirs = joint_statistics(other)
    for name, x in joint_statistics(one).items():
        # Rounded alike: ties that are exact in law may be split by the last bits of float32.
        a, b = (np.nan_to_num(values, nan=-1e30).astype(np.float32) for values in (x, theirs[name]))
        scale = max(np.abs(a[a > -1e29]).max(initial=0.0), 1e-30)
        a, b = np.round(a / scale, 5), np.round(b / scale, 5)
        if np.ptp(a) > 0 or np.ptp(b) > 0:
            pvalues.append(ks_pvalue(a, b))
    return min(1.0, len(pvalues) * min(pvalues)), len(pvalues)


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("case", CASES)
def test_the_law_is_the_same(case):
    """Two-sample tests of 30 and more joint statistics, 8,000 networks. False alarm 1e-8 a case."""
    free = sample(case, networks=8_000, seed=51, method="auto")
    dense = sample(case, networks=8_000, seed=52, method="dense")
    assert (free.method, dense.method) == ("matrix-free", "dense")
    pvalue, compared = smallest_pvalue(free, dense)
    assert compared >= 30
    assert pvalue > FALSE_ALARM


@pytest.mark.false_alarm(0)
def test_a_variance_that_is_5_percent_off_is_seen():
    """Negative control of the same comparison, at sixteen times the networks that a shift of .05 / sd needs."""
    free = sample("tanh, three inputs", networks=8_000, seed=53, method="auto")
    dense = sample("tanh, three inputs", networks=8_000, seed=54, method="dense", scale=2.1)
    assert smallest_pvalue(free, dense)[0] < FALSE_ALARM


@pytest.mark.false_alarm(1e-8)
@pytest.mark.montecarlo
@pytest.mark.parametrize("case", CASES)
def test_the_law_is_the_same_in_the_large(case, fresh_seed):
    """The same with 200,000 networks, which sees a departure five times smaller. False alarm 1e-8 a case."""
    free = sample(case, networks=200_000, seed=fresh_seed, method="auto")
    dense = sample(case, networks=200_000, seed=fresh_seed + 1, method="dense")
    assert smallest_pvalue(free, dense)[0] > FALSE_ALARM
