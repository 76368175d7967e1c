"""How often a test is wrong, and how often right, on networks whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, get_args

import numpy as np

from varprop._arguments import checked, quoted
from varprop._typing import RNGLike
from varprop.engine.executors import ExecutorLike, run_tasks
from varprop.model.activations import Activation
from varprop.model.initializers import Initializer
from varprop.model.network import Network, mlp
from varprop.model.simulation import Simulation
from varprop.numerics.randomness import root_sequence
from varprop.stats.equivalence import check_budget
from varprop.stats.outcome import Outcome
from varprop.verification.calibration.rates import Rate, bound_rates, estimate_rates, point_rates
from varprop.verification.calibration.truths import Source, claim_of, draw, judged, null_is_exact, null_of
from varprop.verification.claims import Claim

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "test",
    "configuration",
    "n_networks",
    "rate",
    "alpha",
    "theta",
    "repeats",
    "events",
    "value",
    "ci_low",
    "ci_high",
    "planned",
    "accept_low",
    "accept_high",
    "accepted",
)
"""Of every frame of rates, in this order."""

_CHUNK = 2**20
"""Networks times layers that are in memory at once."""
_REFERENCE, _MANY_STUDIES = 100_000, 400
"""Networks by which a truth is measured that is not known: so many, and as many studies, so that its error is at most a
twentieth of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is sampled, what it is taken for, and how many networks each study has."""

    network: Network
    drawn: Network
    n_networks: int
    repeats: int
    source: Source
    root: np.random.SeedSequence

    def child(self, *key: int) -> np.random.SeedSequence:
        """Seed of a part."""
        return np.random.SeedSequence(self.root.entropy, spawn_key=(*self.root.spawn_key, *key))

    @property
    def chunks(self) -> list[int]:
        """Numbers of studies that are sampled at once."""
        size = max(1, _CHUNK // (self.n_networks * self.network.depth))
        return [min(size, self.repeats - first) for first in range(0, self.repeats, size)]


@checked
def calibrate(
    test: str,
    *,
    widths: Sequence[int],
    activation: str | Activation | Callable[[np.ndarray], np.ndarray] = "relu",
    weights: str | Initializer = "he_normal",
    biases: str | Initializer = "zeros",
    drawn_weights: str | Initializer | None = None,
    n_networks: int = 200,
    repeats: int = 2000,
    margin: float = 0.05,
    theta: float | None = None,
    alpha: float = 0.05,
    source: Source = "auto",
    rng: RNGLike,
    executor: ExecutorLike = "serial",
) -> pd.DataFrame:
    r"""Check a test on networks of a known truth: its level, its coverage, its power and its false verdicts.

    Parameters
    ----------
    test : str
        Name of a test: "step_mean", "pooled_step_mean", "band", "cumulative_mean", "growth_rate", "directional",
        "typical_directional", "level", "zero_mean", "activation_map", "pivot_law", "exact_law", "log_mean", "dead_rate" or
        "spread".
    widths : sequence of int
        Units per layer, input first, as `mlp` takes them.
    activation : str, Activation or callable
        After every weight layer.
    weights, biases : str or Initializer
        Their laws, as `mlp` takes them.
    drawn_weights : str or Initializer, optional
        What the weights are really drawn from, where a test is to find out that they are not ``weights``.
    n_networks : int
        Networks in one simulated study.
    repeats : int
        Simulated studies.
    margin : float
        Margin of the claim, as `Claim` has it.
    theta : float, optional
        log(truth / prediction) that is to be refuted; by default one that is refuted in nine studies of ten, as planned.
        Of a claim that states a bound, how far beyond it the truth is to be refuted, and as far on the claimed side supported.
    alpha : float
        Level, in (0, 0.5].
    source : {"auto", "law", "engine"}
        Where networks come from: "law" samples the layers' norms by their exact law (Gaussian weights, zero biases,
        activations of two slopes), "engine" samples networks, "auto" takes the law where there is one.
    rng : None, int, SeedSequence or Generator
        Seed; the result depends on it and on the other arguments, not on the executor.
    executor : None, "serial", "threads", "processes" or concurrent.futures.Executor
        Where studies are simulated.

    Returns
    -------
    DataFrame
        One row per ``rate``: "level" (rejections of the true point null), "coverage" of the interval of level
        1 - alpha, "false support" and "false refutation" with the truth ``theta`` at an end of the margin or at the bound,
        and the power of "support" (theta = 0, or on the claimed side of the bound) and of "refutation". ``events`` of
        ``repeats`` studies are the share ``value`` with its 95 % interval (Clopper and Pearson); ``planned`` is what was
        promised, and ``accepted`` tells whether the count lies in the region from ``accept_low`` to ``accept_high``, which
        errs once in a million. With ``drawn_weights`` there is one row, "rejection", of which nothing was promised.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    UnsupportedError
        If the test does not apply to the network.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    A claim is about the last layer, or about the whole depth where the test is; one that states a bound says "below" the
    truth. Where prediction or bound are exact the truth is theta = 0. Elsewhere theta is measured by 100,000 other networks or
    more, and they are moved by it. A study whose data admit no test decides nothing, and counts.

    Of 2,000 studies at a nominal .05 from 56 to 151 rejections are accepted: a level of .096 or more, or .018 or less, is
    found with probability .999. The planned power is that of `required_networks`.

    Examples
    --------
    >>> table = calibrate("pooled_step_mean", widths=[16] * 11, n_networks=100, repeats=200, rng=7)
    >>> table[["rate", "accepted"]].head(2).to_numpy().tolist()
    [['level', True], ['coverage', True]]
    """
    network = mlp(widths, activation=activation, weights=weights, biases=biases)
    drawn = None if drawn_weights is None else mlp(widths, activation=activation, weights=drawn_weights, biases=biases)
    return calibrate_network(
        test,
        network,
        drawn=drawn,
        n_networks=n_networks,
        repeats=repeats,
        margin=margin,
        theta=theta,
        alpha=alpha,
        source=source,
        rng=rng,
        executor=executor,
    )


def calibrate_network(
    test: str,
    network: Network,
    *,
    drawn: Network | None = None,
    n_networks: int,
    repeats: int,
    margin: float,
    theta: float | None = None,
    alpha: float,
    source: Source = "auto",
    rng: RNGLike,
    executor: ExecutorLike = "serial",
) -> pd.DataFrame:
    """Check a test on a given network; the arguments are those of `calibrate`, and so is what comes back."""
    check_budget(alpha, 1)
    if n_networks < 2 or repeats < 1 or not 0.0 < margin < math.inf or not (theta is None or math.isfinite(theta)):
        msg = (
            "need n_networks >= 2, repeats >= 1, a finite margin > 0 and a finite theta, "
            f"got {n_networks}, {repeats}, {margin} and {theta}"
        )
        raise ValueError(msg)
    if source not in get_args(Source):
        msg = f"source must be one of {', '.join(get_args(Source))}, got {quoted(source)}"
        raise ValueError(msg)
    claim = claim_of(test, network, margin=margin)
    setting = Setting(
        network=network,
        drawn=network if drawn is None else drawn,
        n_networks=n_networks,
        repeats=repeats,
        source=source,
        root=root_sequence(rng),
    )
    (outcomes,) = studies_of([claim], setting, executor)
    truth = measured_truth(claim, setting) if needs_truth(claim, setting) else 0.0
    rows = rates_of(claim, setting, outcomes, truth=truth, alphas=[alpha], theta=theta)
    return rates_frame([(claim, setting, rate) for rate in rows])


def studies_of(
    claims: Sequence[Claim], setting: Setting, executor: ExecutorLike = "serial"
) -> list[list[Outcome | None]]:
    """Test every claim on the same simulated studies."""
    tasks = [(tuple(claims), setting, size, i) for i, size in enumerate(setting.chunks)]
    chunks = dict(run_tasks(judge_studies, tasks, executor))
    return [[one for i in range(len(tasks)) for one in chunks[i][c]] for c in range(len(claims))]


def judge_studies(claims: Sequence[Claim], setting: Setting, studies: int, index: int) -> list[list[Outcome | None]]:
    """Simulate and test some of the studies, in a worker."""
    reads = tuple(dict.fromkeys(name for claim in claims for name in (*null_of(claim.test).reads, claim.quantity)))
    drawn = draw(
        setting.drawn,
        n_networks=studies * setting.n_networks,
        seed=setting.child(0, index),
        source=setting.source,
        quantities=reads,
    )
    return [list(judged(claim, taken_for(setting.network, drawn), studies)) for claim in claims]


def taken_for(network: Network, drawn: Simulation) -> Simulation:
    """The same measurements, said to be of another network of the same shape."""
    return drawn if drawn.network == network else replace(drawn, network=network)


def rates_of(
    claim: Claim,
    setting: Setting,
    outcomes: Sequence[Outcome | None],
    *,
    truth: float,
    alphas: Sequence[float],
    theta: float | None = None,
) -> list[Rate]:
    """Return every rate of one test; verdicts are counted at the first level."""
    asked, null = null_of(claim.test), setting.drawn == setting.network
    rates = [
        rate
        for alpha in alphas
        for rate in point_rates(outcomes, alpha=alpha, truth=truth, at_most=asked.level == "at most", null=null)
    ]
    if asked.estimates and null:
        verdicts = bound_rates if asked.bound else partial(estimate_rates, delta=claim.half_width)
        rates += verdicts(outcomes, alpha=alphas[0], truth=truth, n_networks=setting.n_networks, theta=theta)
    return rates


def needs_truth(claim: Claim, setting: Setting) -> bool:
    """Tell whether the truth has to be measured: the null is none to the last digit."""
    return setting.drawn == setting.network and not null_is_exact(claim.test, setting.network)


def measured_truth(claim: Claim, setting: Setting, *, quantities: Sequence[str] | None = None) -> float:
    """Estimate theta from many networks that no study has; quantities are what is sampled, the judge's own if None."""
    size = max(setting.n_networks, _CHUNK // setting.network.depth)
    pieces = -(-max(_REFERENCE, _MANY_STUDIES * setting.n_networks) // size)
    thetas = []
    for piece in range(pieces):
        reference = draw(
            setting.network,
            n_networks=size,
            seed=setting.child(1, piece),
            source=setting.source,
            quantities=null_of(claim.test).reads if quantities is None else quantities,
        )
        (outcome,) = judged(claim, reference, 1)
        if outcome is None:
            msg = f"{claim.test} admits no answer on {setting.network.label}: its truth cannot be measured"
            raise ValueError(msg)
        thetas.append(outcome.theta)
    return math.fsum(thetas) / pieces


def rates_frame(rows: Sequence[tuple[Claim, Setting, Rate]]) -> pd.DataFrame:
    """Put rates into a frame."""
    import pandas as pd

    frame = pd.DataFrame(
        [
            {
                "test": claim.id,
                "configuration": setting.network.label,
                "n_networks": setting.n_networks,
                **rate.row(),
            }
            for claim, setting, rate in rows
        ],
        columns=list(COLUMNS),
    )
    whole = {"accept_low": "Int64", "accept_high": "Int64", "accepted": "boolean", "test": "str", "rate": "str"}
    return frame.astype(whole)
