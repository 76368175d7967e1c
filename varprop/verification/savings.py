"""What looking early saves: networks that a sequential claim takes, beside those of a fixed plan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from varprop._typing import Float64Array, RNGLike
from varprop.numerics.streams import generator_of
from varprop.stats.power import required_networks
from varprop.verification.watching import look_schedule, mixture_for

if TYPE_CHECKING:
    import pandas as pd

TRUTHS = (0.0, 0.5, 2.0, 5.0)
"""In units of the margin, on the logarithmic scale: exactly right, half a margin off, and far outside."""
BUDGET = 8
"""Times the plan for a prediction that is exactly right: enough for a truth at half the margin, which takes over thrice as
many networks."""

_DRAWS = 2**22


def sequential_savings(
    *,
    rng: RNGLike,
    width: int = 64,
    margin: float = 0.01,
    alpha: float = 0.05,
    claims: Sequence[int] = (1, 21),
    repeats: int = 500,
) -> pd.DataFrame:
    r"""Simulate how many networks a sequential claim about one step takes, under ReLU and He.

    Notes
    -----
    The step's ratio is (4 / n) times half of a chi-square number with K degrees of freedom, K ~ Bin(n, 1/2): the law of
    activations of a layer given the one before, with mean 1 and variance 5 / n. A truth off by a factor multiplies every
    ratio by it, so all truths are judged on the same draws.

    Examples
    --------
    >>> table = sequential_savings(rng=1, margin=0.05, claims=[1], repeats=20)
    >>> table[["truth", "verdict", "planned_networks"]].to_numpy().tolist()[0]
    [0.0, 'supported', 356]
    """
    import pandas as pd

    if not 1 <= width <= 1000 or repeats < 1:
        msg = f"need a width of 1 to 1000 and one study or more, got width={width} and repeats={repeats}"
        raise ValueError(msg)
    generator, delta = generator_of(rng), math.log1p(margin)
    rows = []
    for m in claims:
        plan = {
            truth: required_networks(variance=5.0 / width, margin=margin, alpha=alpha, claims=m, theta=truth * delta)
            for truth in TRUTHS
        }
        looks = np.array(look_schedule(BUDGET * plan[0.0]))
        theta, se = _running(generator, looks, width, repeats)
        for truth in TRUTHS:
            supported, refuted = _verdicts(theta + truth * delta, se, looks, delta, alpha=alpha, m=m)
            decided = supported | refuted
            used = np.where(decided.any(axis=1), looks[decided.argmax(axis=1)], looks[-1])
            first = decided & (np.cumsum(decided, axis=1) == 1)
            wrong = refuted if truth < 1.0 else supported
            rows.append(
                {
                    "claims": m,
                    "truth": truth,
                    "verdict": "supported" if truth < 1.0 else "refuted",
                    "repeats": repeats,
                    "budget": int(looks[-1]),
                    "planned_networks": plan[0.0],
                    "fixed_networks": plan[truth],
                    "mean_networks": float(used.mean()),
                    "quantile_90": float(np.quantile(used, 0.9)),
                    "decided": float(decided.any(axis=1).mean()),
                    "false": float((first & wrong).any(axis=1).mean()),
                }
            )
    return pd.DataFrame(rows)


def _running(
    rng: np.random.Generator, looks: np.ndarray, width: int, repeats: int
) -> tuple[Float64Array, Float64Array]:
    """Estimates of log E[ratio] and their standard errors at every look, shape (repeats, looks), as `step_mean` has them."""
    sums: Float64Array = np.zeros((2, repeats, len(looks)))
    edges = np.concatenate([[0], looks])
    at_once = max(1, _DRAWS // int(looks[-1]))
    for start in range(0, repeats, at_once):
        shape = (min(at_once, repeats - start), int(looks[-1]))
        ratios = 4.0 / width * rng.standard_gamma(rng.binomial(width, 0.5, size=shape) / 2.0)
        for power in (1, 2):
            between = np.add.reduceat(ratios**power, edges[:-1], axis=1)
            sums[power - 1, start : start + shape[0]] = np.cumsum(between, axis=1)
    mean = sums[0] / looks
    squared_cv = (sums[1] / looks - mean**2) / mean**2 * looks / (looks - 1)
    return np.log(mean) + squared_cv / (2 * looks), np.sqrt(squared_cv / looks)


def _verdicts(
    theta: Float64Array, se: Float64Array, looks: np.ndarray, delta: float, *, alpha: float, m: int
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each look supports and whether it refutes that |theta| is below delta."""
    mixture, needed = mixture_for(looks.tolist(), alpha=alpha, m=m), math.log(m / alpha)
    inside = [mixture.log_e_value((delta + sign * theta) / se, looks) >= needed for sign in (-1.0, 1.0)]
    outside = [mixture.log_e_value((sign * theta - delta) / se, looks) for sign in (-1.0, 1.0)]
    return inside[0] & inside[1], np.logaddexp(*outside) - math.log(2.0) >= needed
