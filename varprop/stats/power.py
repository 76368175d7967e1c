"""How many networks a verdict needs.

All of it uses the normal approximation and a per-network variance, as one plans before there is an estimate; below some
30 networks the t law asks for a few more.
"""

from __future__ import annotations

import math

from scipy import special

from varprop.stats.equivalence import Direction, check_budget
from varprop.stats.outcome import Outcome

# Beyond this nobody samples: an estimate that needs more sits on its margin.
MOST_NETWORKS = 10**9


def required_networks(
    *,
    unit_variance: float,
    margin: float,
    alpha: float = 0.05,
    m: int = 1,
    beta: float = 0.1,
    effect: float = 0.0,
    layers: int = 1,
) -> int:
    r"""Return the number of networks that gives the right verdict with probability 1 - beta.

    Parameters
    ----------
    unit_variance : float
        Variance of log(truth / prediction) that one network contributes, as `Outcome.unit_variance` of a pilot. Under ReLU
        and He at width n it is 5 L / n for a mean accumulated over L steps, forward or backward, and 2 / (n L) for the
        pooled forward step.
    margin : float
        Relative margin, > 0: 0.05 for 5 %.
    alpha : float
        Bound on the probability of any false verdict in the report, in (0, 0.5].
    m : int
        Number of verdicts in the report.
    beta : float
        Accepted probability of an inconclusive verdict, in (0, 0.5].
    effect : float
        The truth's log(truth / prediction). Inside the margin the claim is to be supported, outside it is to be refuted.
    layers : int
        Number of layers that a claim is about. All are to be supported; to refute, one that is off by `effect` is enough.

    Returns
    -------
    int
        At least 2.

    Raises
    ------
    ValueError
        If a parameter is out of range, or the effect lies on the margin, where no number of networks decides.

    Notes
    -----
    With delta = log(1 + margin) and z the normal quantile, supporting a truth of 0 takes

    .. math:: N = (z_{1-\alpha/m} + z_{1-\beta/(2K)})^2 \, \mathrm{Var} / \delta^2

    for K layers; for a truth elsewhere inside the margin the two ways to miss are no longer alike, and the equation
    "P(miss at the near margin) + P(miss at the far one) = beta / K" is solved instead. Refuting takes

    .. math:: N = (z_{1-\alpha/(mK)} + z_{1-\beta})^2 \, \mathrm{Var} / (|\theta| - \delta)^2 .

    The latter neglects the far tail of `p_refute`, which costs up to .07 of power if the effect is many times the margin.

    Examples
    --------
    >>> required_networks(unit_variance=5 * 10 / 64, margin=0.05)
    3552
    """
    if not 0.0 < margin < math.inf:
        msg = f"margin must be finite and > 0, got {margin}; for 5 % write 0.05"
        raise ValueError(msg)
    delta = math.log1p(margin)
    networks = _networks(unit_variance, delta, effect, alpha=alpha, m=m, beta=beta, layers=layers)
    if not math.isfinite(networks):
        msg = (
            f"an effect of {effect} lies on the margin of +-{delta:.6g}, where no number of networks decides; "
            "plan for a truth inside or outside it"
        )
        raise ValueError(msg)
    return max(2, math.ceil(networks))


def detectable_difference(
    *,
    unit_variance: float,
    n_networks: int,
    margin: float,
    alpha: float = 0.05,
    beta: float = 0.1,
    m: int = 1,
    layers: int = 1,
) -> float:
    """Return the smallest relative difference that a number of networks refutes with probability 1 - beta.

    Parameters
    ----------
    unit_variance : float
        As in `required_networks`.
    n_networks : int
        Number of networks, >= 2.
    margin : float
        Relative margin of the claim, > 0: 0.05 for 5 %.
    alpha, beta : float
        As in `required_networks`.
    m, layers : int
        As in `required_networks`.

    Returns
    -------
    float
        truth / prediction - 1, greater than the margin: 0.08 if a truth 8 % above the prediction is refuted. Below the
        prediction it takes a truth smaller by the same factor.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> difference = detectable_difference(unit_variance=5 * 10 / 64, n_networks=2000, margin=0.05)
    >>> difference
    0.1126
    """
    _check_plan(unit_variance, alpha, m, beta, layers)
    if not 0.0 < margin < math.inf or n_networks < 2:
        msg = f"need a finite margin > 0 and two networks or more, got margin={margin} and n_networks={n_networks}"
        raise ValueError(msg)
    quantiles = _upper(alpha / (m * layers)) + _upper(beta)
    return math.expm1(math.log1p(margin) + quantiles * math.sqrt(unit_variance / n_networks))


def networks_to_decide(
    outcome: Outcome, delta: float, *, alpha: float = 0.05, beta: float = 0.1, m: int = 1, layers: int = 1
) -> int | None:
    """Return the number of networks that would decide an inconclusive outcome, were its estimate the truth.

    Parameters
    ----------
    outcome : Outcome
        Estimate of theta, of the layer that decides.
    delta : float
        Half-width of the margin on the scale of theta: log(1 + margin) for a ratio, the margin itself for `zero_mean`.
    alpha, beta : float
        As in `required_networks`.
    m, layers : int
        As in `required_networks`.

    Returns
    -------
    int or None
        None if the estimate sits on the margin, so that no feasible number (more than 10^9) decides.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> pilot = Outcome.from_estimate("step_mean", theta=0.01, se=0.03, df=99, n=100)
    >>> networks_to_decide(pilot, 0.05)
    488
    >>> on_margin = Outcome.from_estimate("step_mean", theta=0.05, se=0.03, df=99, n=100)
    >>> networks_to_decide(on_margin, 0.05) is None
    True
    """
    if not 0.0 < delta < math.inf:
        msg = f"delta must be finite and > 0, got {delta}; for a margin of 5 % write log(1.05)"
        raise ValueError(msg)
    return _feasible(_networks(outcome.unit_variance, delta, outcome.theta, alpha=alpha, m=m, beta=beta, layers=layers))


def networks_to_decide_direction(
    outcome: Outcome,
    threshold: float,
    *,
    direction: Direction = "below",
    alpha: float = 0.05,
    beta: float = 0.1,
    m: int = 1,
    layers: int = 1,
) -> int | None:
    """Return the number of networks that would decide a `directional` claim, were its estimate the truth.

    Parameters
    ----------
    outcome : Outcome
        Estimate of theta.
    threshold : float
        The declared threshold on the scale of theta.
    direction : {"below", "above"}
        On which side the claim says that theta lies.
    alpha, beta : float
        As in `required_networks`.
    m, layers : int
        As in `required_networks`.

    Returns
    -------
    int or None
        None if the estimate sits on the threshold, so that no feasible number (more than 10^9) decides.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> pilot = Outcome.from_estimate("growth_rate_mean", theta=-0.02, se=0.02, df=99, n=100)
    >>> networks_to_decide_direction(pilot, 0.0)
    857
    """
    _check_plan(outcome.unit_variance, alpha, m, beta, layers)
    if not math.isfinite(threshold) or direction not in {"below", "above"}:
        msg = f"need a finite threshold and the direction 'below' or 'above', got {threshold} and {direction!r}"
        raise ValueError(msg)
    distance = threshold - outcome.theta if direction == "below" else outcome.theta - threshold
    if distance >= 0.0:
        quantiles = _upper(alpha / m) + _upper(beta / layers)
    else:
        quantiles = _upper(alpha / (m * layers)) + _upper(beta)
    return _feasible(_over_distance(outcome.unit_variance, quantiles, abs(distance)))


def _networks(
    unit_variance: float, delta: float, effect: float, *, alpha: float, m: int, beta: float, layers: int
) -> float:
    """Number of networks as a real number; infinity on the margin."""
    _check_plan(unit_variance, alpha, m, beta, layers)
    if not math.isfinite(effect):
        msg = f"effect must be a finite log(truth / prediction), got {effect}"
        raise ValueError(msg)
    if abs(effect) > delta:
        quantiles = _upper(alpha / (m * layers)) + _upper(beta)
        return _over_distance(unit_variance, quantiles, abs(effect) - delta)
    near, far = delta - abs(effect), delta + abs(effect)
    if near == 0.0:
        return math.inf
    return _over_distance(unit_variance, _support_quantiles(_upper(alpha / m), beta / layers, far / near), near)


def _support_quantiles(critical: float, miss: float, ratio: float) -> float:
    """Distance to the near margin, in standard errors, at which two one-sided tests miss with the given probability.

    The far margin is `ratio` >= 1 times as far away.
    """
    from scipy.optimize import brentq

    def excess(distance: float) -> float:
        return float(special.ndtr(critical - distance) + special.ndtr(critical - ratio * distance)) - miss

    # Neglecting the far margin asks for too little, counting it like the near one for too much.
    lowest, highest = critical + _upper(miss), critical + _upper(miss / 2.0)
    if excess(highest) >= 0.0:  # both margins equally far: rounding alone decides the sign
        return highest
    if excess(lowest) <= 0.0:  # the far margin is out of sight
        return lowest
    return float(brentq(excess, lowest, highest, xtol=1e-12))


def _over_distance(unit_variance: float, quantiles: float, distance: float) -> float:
    """(quantiles / distance)^2 times the variance, infinite at distance 0."""
    if distance == 0.0:
        return math.inf
    deviations = quantiles * math.sqrt(unit_variance) / distance
    return deviations * deviations


def _feasible(networks: float) -> int | None:
    """Round up to a number of networks, or None beyond what can be sampled."""
    return max(2, math.ceil(networks)) if networks <= MOST_NETWORKS else None


def _upper(probability: float) -> float:
    """Normal quantile that is exceeded with the given probability."""
    return -float(special.ndtri(probability))


def _check_plan(unit_variance: float, alpha: float, m: int, beta: float, layers: int) -> None:
    """Refuse a plan out of range."""
    check_budget(alpha, m)
    if not 0.0 <= unit_variance < math.inf or not 0.0 < beta <= 0.5 or layers < 1:
        msg = (
            "need a finite unit_variance >= 0, beta in (0, 0.5] and layers >= 1, "
            f"got unit_variance={unit_variance}, beta={beta} and layers={layers}"
        )
        raise ValueError(msg)
