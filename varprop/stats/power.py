"""How many networks a verdict needs, and what a number of networks can decide.

All of it takes the variance that one network contributes, known in advance for ReLU and He, else from a pilot, and an
estimate that is normal about the truth. Where fewer than 200 networks are alive to the last layer, the estimated standard
error matters too, and the noncentral t law takes the normal one's place; beyond, that adds three networks or so and is left
out.
"""

from __future__ import annotations

import math
from functools import partial

from varprop._arguments import checked, quoted
from varprop._limits import MAX_NETWORKS
from varprop.stats import distances
from varprop.stats.band import FEWEST_NETWORKS as FEWEST_IN_A_BAND
from varprop.stats.equivalence import MARGINS, Direction, check_budget
from varprop.stats.floors import Units
from varprop.stats.outcome import Outcome
from varprop.stats.variances import Known, known_variance

_LARGEST = math.log(1e300)


_ONE_STEP = frozenset({"step_mean", "activation_map", "log_mean"})
_STEPS_ALONE = frozenset({"step_mean", "pooled_step_mean"})
_OF_LOGARITHMS = frozenset({"log_mean", "typical_directional"})
_OF_STEPS = _ONE_STEP | {"pooled_step_mean", "cumulative_mean", "growth_rate", "directional", "typical_directional"}
"""Tests by the t law of steps, which takes some networks in narrow layers."""


@checked
def required_networks(
    test: str | None = None,
    *,
    quantity: str = "preactivation_second_moment",
    width: int | None = None,
    depth: int | None = None,
    variance: float | None = None,
    margin: float = 0.05,
    theta: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.9,
    claims: int = 1,
    layers: int = 1,
) -> int:
    r"""Return the number of networks that gives the right verdict with a wanted probability.

    Parameters
    ----------
    test : {"cumulative_mean", "growth_rate", "step_mean", "pooled_step_mean"}, optional
        Test whose variance is known under ReLU and He, from width and depth. Leave it out where ``variance`` is given.
    quantity : {"preactivation_second_moment", "activation_second_moment", "gradient_second_moment", "pivot"}
        What is tested; the pivot by single steps only.
    width, depth : int, optional
        Units of a layer, and the number of steps that the test is about.
    variance : float, optional
        Variance of log(truth / prediction) that one network contributes, >= 0: for other networks and tests, n se^2 of a
        pilot of n networks.
    margin : float
        Relative margin, > 0: 0.05 for 5 %.
    theta : float
        The truth's log(truth / prediction). Inside the margin the claim is to be supported, outside it is to be refuted.
    alpha : float
        Bound on the probability of any false verdict in the report, in (0, 0.5].
    power : float
        Probability of the right verdict, in [0.5, 1); what is missing to 1 is that of an inconclusive one.
    claims : int
        Number of verdicts in the report.
    layers : int
        Number of layers that a claim is about. All are to be supported; to refute, one that is off by ``theta`` is enough.

    Returns
    -------
    int
        At least as many as the test takes.

    Raises
    ------
    ValueError
        If a parameter is out of range, variance and test are both given or both left out, theta lies on the margin,
        where no number of networks decides, or next to no network lives through so many steps.
    TypeError
        If an argument is of another kind.

    See Also
    --------
    detectable_difference : The inverse.

    Notes
    -----
    With delta = log(1 + margin), m claims, beta = 1 - power and z the normal quantile, supporting a truth of 0 takes

    .. math:: N = (z_{1-\alpha/m} + z_{1-\beta/(2K)})^2 \, \mathrm{Var} / \delta^2

    for K layers; for a truth elsewhere inside the margin the two ways to miss are no longer alike, and the equation
    "P(miss at the near margin) + P(miss at the far one) = beta / K" is solved instead. Refuting takes

    .. math:: N = (k + z_{1-\beta})^2 \, \mathrm{Var} / (|\theta| - \delta)^2,
        \qquad P(Z > k) + P(Z > k + 2 \delta / \mathrm{se}) = \alpha / (mK), \qquad \mathrm{se}^2 = \mathrm{Var} / N,

    for ``p_refute`` counts estimates beyond either margin: k is :math:`z_{1-\alpha/(mK)}` where the margin is wide beside a
    standard error, and :math:`z_{1-\alpha/(2mK)}` where it is narrow, as for a truth many margins away. Fewer than 200
    networks are counted by the noncentral t law of N - 1 degrees of freedom instead, to refute with three to five of them
    up to .02 of power too favourably. Skewed values are not allowed for.

    At width n Var is 5 L / n for a mean accumulated over L steps, forward or backward, and 5 / (n L) for its rate per
    layer. For one step it is 2 / n of the pivot, which starts from what this network has in the layer before, 5 / n of
    activations and gradients, and 7 / n of pre-activations. For L steps pooled it is an L-th of these, but 11 - 4 / L
    instead of 7, for neighbouring steps of pre-activations share a layer. All of it is for wide layers: in narrow ones
    networks die, and step l is measured on a share :math:`a_l = (1 - 2^{-n})^{l-1}` of them alone. Its part of Var is divided
    by that share, and degrees of freedom are :math:`N a_L - 1`. Of layers with several inputs, or others than ReLU, a pilot
    tells the variance.

    A study of the default kind looks on a ladder, so that its first look has .8 of alpha: plan with ``alpha=0.04`` for .05.

    Examples
    --------
    >>> required_networks("cumulative_mean", width=64, depth=10, margin=0.05)
    3552
    >>> required_networks("pooled_step_mean", quantity="pivot", width=64, depth=10, margin=0.01)
    342
    >>> required_networks("growth_rate", width=4, depth=20, margin=0.1)
    154
    >>> required_networks(variance=0.8, margin=0.05, theta=0.1, claims=21)
    5139
    """
    needed = _networks(
        _variance(test, quantity, width, depth, variance),
        _delta(margin),
        theta,
        alpha=alpha,
        m=claims,
        beta=_beta(power),
        layers=layers,
    )
    if not math.isfinite(needed):
        msg = (
            f"theta = {theta} lies on the margin of +-{_delta(margin):.6g}, where no number of networks decides; "
            "plan for a truth inside or outside it"
        )
        raise ValueError(msg)
    return max(
        least_networks(test, level=alpha / claims, width=width, steps=depth, quantity=quantity), math.ceil(needed)
    )


def least_networks(
    test: str | None, *, level: float, width: int | None = None, steps: int | None = None, quantity: str | None = None
) -> int:
    """Return the fewest networks with which a test gives verdicts at all.

    Parameters
    ----------
    test : str or None
        As a claim names it.
    level : float
        One-sided level of a verdict.
    width : int, optional
        Units of the narrowest layer.
    steps : int, optional
        Steps that the test adds up.
    quantity : str, optional
        What it is about: steps of pre-activations take more.

    Returns
    -------
    int
        A plan that ends below says this number instead.

    Examples
    --------
    >>> [least_networks("step_mean", level=level, width=8) for level in (0.05, 0.05 / 150)]
    [20, 24]
    """
    if test == "band":
        return FEWEST_IN_A_BAND
    if test not in _OF_STEPS or width is None:
        return 2
    if test in _STEPS_ALONE and (quantity or "").startswith("preactivation_"):
        return Units(width, law="step").least(level)
    several = 1 if steps is None or test in _ONE_STEP else max(1, steps)
    return Units(width, several, "logarithm" if test in _OF_LOGARITHMS else "square").least(level)


@checked
def detectable_difference(
    test: str | None = None,
    *,
    n_networks: int,
    quantity: str = "preactivation_second_moment",
    width: int | None = None,
    depth: int | None = None,
    variance: float | None = None,
    margin: float | None = None,
    alpha: float = 0.05,
    power: float = 0.9,
    claims: int = 1,
    layers: int = 1,
) -> float:
    """Return the smallest relative difference that a number of networks tells from the margin, or the smallest margin.

    Parameters
    ----------
    test : str, optional
        As in `required_networks`.
    n_networks : int
        Number of networks, >= 2.
    quantity : str
        As in `required_networks`.
    width, depth : int, optional
        As in `required_networks`.
    variance : float, optional
        As in `required_networks`.
    margin : float, optional
        Relative margin of the claim, > 0: 0.05 for 5 %. If None, it is what is asked for.
    alpha, power : float
        As in `required_networks`.
    claims, layers : int
        As in `required_networks`.

    Returns
    -------
    float
        With a margin: truth / prediction - 1, greater than the margin, that is refuted with that probability: 0.11 for a
        truth 11 % above the prediction; below it, it takes a truth smaller by the same factor. Without: the smallest
        margin within which a prediction that is exactly right is supported with that probability.

    Raises
    ------
    ValueError
        If a parameter is out of range, variance and test are both given or both left out, or the networks are so few
        that no difference is large enough.
    TypeError
        If an argument is of another kind.

    See Also
    --------
    required_networks : The inverse, with the formulas.

    Examples
    --------
    >>> difference = detectable_difference("cumulative_mean", n_networks=2000, width=64, depth=10, margin=0.05)
    >>> difference
    0.1126
    >>> smallest = detectable_difference("cumulative_mean", n_networks=3552, width=64, depth=10)
    >>> smallest
    0.0500
    """
    beta, known = _beta(power), _variance(test, quantity, width, depth, variance)
    _check_plan(known.variance, alpha, claims, beta, layers)
    if n_networks - known.spare < 2 or n_networks * known.alive < 2.0:
        msg = f"need two networks or more that live through all layers, got n_networks={n_networks}"
        raise ValueError(msg)
    df = distances.degrees(n_networks, known.alive)
    se = distances.standard_error(known.variance, n_networks, known.alive, known.spare)
    if margin is None:
        difference = distances.to_inside(alpha / claims, beta / layers, df, far=1.0) * se
    else:
        delta = _delta(margin)
        apart = 2.0 * delta / se if se else math.inf
        difference = delta + distances.beyond_margins(alpha / (claims * layers), beta, df, apart=apart) * se
    if difference > _LARGEST:
        msg = f"{n_networks} networks tell no difference, however large, from chance; take more"
        raise ValueError(msg)
    return math.expm1(difference)


def planned_power(
    *, n_networks: int, variance: float, margin: float, theta: float = 0.0, alpha: float = 0.05, claims: int = 1
) -> float:
    """Return the probability of the right verdict about one number that a plan counts on.

    Parameters
    ----------
    n_networks : int
        Number of networks, >= 2.
    variance, margin, theta, alpha : float
        As in `required_networks`, of which this is the inverse in `power`; the variance > 0.
    claims : int
        As in `required_networks`.

    Returns
    -------
    float
        Of "supported" if theta lies inside the margin, of "refuted" if outside. 0 where the union bound over the two
        one-sided tests promises nothing.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> planned_power(n_networks=3552, variance=5 * 10 / 64, margin=0.05)
    0.900
    """
    _check_plan(variance, alpha, claims, 0.5, 1)
    if n_networks < 2 or variance == 0.0 or not math.isfinite(theta):
        msg = f"need n_networks >= 2, variance > 0 and a finite theta, got {n_networks}, {variance} and {theta}"
        raise ValueError(msg)
    df, se, delta = distances.degrees(n_networks), math.sqrt(variance / n_networks), _delta(margin)
    near, far = abs(abs(theta) - delta) / se, (abs(theta) + delta) / se
    if abs(theta) < delta:
        critical = distances.upper(alpha / claims, df)
        return max(0.0, 1.0 - distances.below(critical, near, df) - distances.below(critical, far, df))
    return 1.0 - distances.below(distances.critical_value(alpha / claims, df, apart=2.0 * delta / se), near, df)


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
    alpha : float
        As in `required_networks`.
    beta : float
        Accepted probability of an inconclusive verdict, in (0, 0.5]: 1 - power.
    m : int
        Number of verdicts in the report.
    layers : int
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
    known = Known(outcome.unit_variance)
    return _feasible(_networks(known, delta, outcome.theta, alpha=alpha, m=m, beta=beta, layers=layers))


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
        As in `networks_to_decide`.
    m, layers : int
        As in `networks_to_decide`.

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
        msg = f"need a finite threshold and the direction 'below' or 'above', got {threshold} and {quoted(direction)}"
        raise ValueError(msg)
    distance = threshold - outcome.theta if direction == "below" else outcome.theta - threshold
    tail, miss = (alpha / m, beta / layers) if distance >= 0.0 else (alpha / (m * layers), beta)
    return _feasible(
        distances.count(outcome.unit_variance, abs(distance), partial(distances.to_either_side, tail, miss))
    )


def _networks(known: Known, delta: float, theta: float, *, alpha: float, m: int, beta: float, layers: int) -> float:
    """Number of networks as a real number; infinity on the margin."""
    _check_plan(known.variance, alpha, m, beta, layers)
    if not math.isfinite(theta):
        msg = f"theta must be a finite log(truth / prediction), got {theta}"
        raise ValueError(msg)
    near = abs(abs(theta) - delta)
    if near == 0.0:
        return math.inf
    if abs(theta) > delta:
        wanted = partial(distances.to_outside, alpha / (m * layers), beta, apart=2.0 * delta / near)
    else:
        wanted = partial(distances.to_inside, alpha / m, beta / layers, far=(delta + abs(theta)) / near)
    return distances.count(known.variance, near, wanted, alive=known.alive, spare=known.spare)


def _feasible(networks: float) -> int | None:
    """Round up to a number of networks, or None beyond what can be sampled."""
    return max(2, math.ceil(networks)) if networks <= MAX_NETWORKS else None


def _delta(margin: float) -> float:
    """Half-width of a relative margin on the scale of theta."""
    low, high = MARGINS
    if not low <= margin <= high:
        msg = f"margin must lie between {low:g} and {high:g}, got {margin}; for 5 % write 0.05"
        raise ValueError(msg)
    return math.log1p(margin)


def _beta(power: float) -> float:
    """Probability of missing the verdict."""
    if not 0.5 <= power < 1.0:
        msg = f"power must lie in [0.5, 1), got {power}; for nine studies of ten to be decided write 0.9"
        raise ValueError(msg)
    return 1.0 - power


def _variance(test: str | None, quantity: str, width: int | None, depth: int | None, variance: float | None) -> Known:
    """Variance of one network: as given, or the known one."""
    if variance is not None:
        if (test, width, depth) != (None, None, None):
            msg = "give a variance, or a test with width and depth, not both: the latter have a variance of their own"
            raise ValueError(msg)
        return Known(variance)
    return known_variance(test, quantity, width, depth)


def _check_plan(unit_variance: float, alpha: float, m: int, beta: float, layers: int) -> None:
    """Refuse a plan out of range."""
    check_budget(alpha, m)
    if not 0.0 <= unit_variance < math.inf or not 0.0 < beta <= 0.5 or layers < 1:
        msg = (
            "need a finite variance >= 0, beta in (0, 0.5] and layers >= 1, "
            f"got {unit_variance}, beta={beta} and layers={layers}"
        )
        raise ValueError(msg)
