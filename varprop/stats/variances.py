"""What one network contributes to an estimate's variance, where that is known before anything is sampled."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from varprop._arguments import quoted

# Variance of one step's ratio under ReLU and He, by width n. A layer of n units has K ~ Bin(n, 1/2) positive ones, the
# squares of the two kinds being chi2_K and chi2_{n-K}. What a layer's activations keep is (2 / n) chi2_K, of variance 5 / n,
# 0 where K is 0; what its weights add is the pivot chi2_n / n, of variance 2 / n. A step of pre-activations is what the layer
# before keeps times this layer's pivot, of variance 7 / n to order 1 / n. Of one and the same layer the two have covariance
# 2 / n, so that neighbouring steps of pre-activations are correlated, and over depth they add up to as much as activations do.
_KEPT, _PIVOT, _COMMON = 5.0, 2.0, 2.0
_SPARE = 2
"""Networks that a mean's logarithm takes beyond those by the delta method, where there are few."""
_FEWEST_ALIVE = 1e-8
_MOST_STEPS = 2**16  # no network has more layers
"""Below this a billion networks leave ten alive."""


class Known(NamedTuple):
    """What a plan has to know of a test.

    ``variance`` is what one network contributes, ``alive`` the share of networks that are still at risk at the last step,
    ``spare`` how many networks the formula is short of where there are few.
    """

    variance: float
    alive: float = 1.0
    spare: int = 0


def _at_risk(width: int, steps: int) -> list[float]:
    """Shares of networks that are alive before each step: a layer of n units is dead with probability 2^-n."""
    return [float((1.0 - 2.0**-width) ** step) for step in range(steps)]


def _accumulated(width: int, steps: int) -> float:
    """Variance of a product over depth: each step is measured on the networks that are left."""
    return sum(_KEPT / width / share for share in _at_risk(width, steps))


def _pooled(variance: float) -> Callable[[int, int], float]:
    """Variance of the mean of independent steps."""
    return lambda n, steps: sum(variance / n / share for share in _at_risk(n, steps)) / steps**2


def _pooled_preactivations(width: int, steps: int) -> float:
    """Variance of the mean of steps of which neighbours share a layer."""
    shares = _at_risk(width, steps)
    alone = sum((_KEPT + _PIVOT) / width / share for share in shares)
    return (alone + sum(2.0 * _COMMON / width / share for share in shares[:-1])) / steps**2


def _last(variance: float) -> Callable[[int, int], float]:
    """Variance of the deepest of single steps, which has the fewest networks left."""
    return lambda n, steps: variance / n / _at_risk(n, steps)[-1]


_OVER_DEPTH = ("preactivation_second_moment", "activation_second_moment", "gradient_second_moment")
_VARIANCES: dict[tuple[str, str], Callable[[int, int], float]] = {
    **{("cumulative_mean", quantity): _accumulated for quantity in _OVER_DEPTH},
    **{("growth_rate", quantity): lambda n, steps: _accumulated(n, steps) / steps**2 for quantity in _OVER_DEPTH},
    ("step_mean", "pivot"): _last(_PIVOT),
    ("step_mean", "preactivation_second_moment"): _last(_KEPT + _PIVOT),
    ("step_mean", "activation_second_moment"): _last(_KEPT),
    ("step_mean", "gradient_second_moment"): _last(_KEPT),
    ("pooled_step_mean", "pivot"): _pooled(_PIVOT),
    ("pooled_step_mean", "preactivation_second_moment"): _pooled_preactivations,
    ("pooled_step_mean", "activation_second_moment"): _pooled(_KEPT),
    ("pooled_step_mean", "gradient_second_moment"): _pooled(_KEPT),
}


def known_variance(test: str | None, quantity: str, width: int | None, steps: int | None) -> Known:
    r"""Return the variance of log(truth / prediction) that one network contributes under ReLU and He.

    Parameters
    ----------
    test, quantity : str
        "cumulative_mean" or "growth_rate" of a second moment, "step_mean" or "pooled_step_mean" of one or of the pivot.
    width, steps : int
        Units of a layer, and the number of steps that the test is about.

    Returns
    -------
    Known
        The variance to order 1 / width, deaths counted, and the share of networks that are alive at the last step.

    Raises
    ------
    ValueError
        If it is not known, a number is missing or not positive, or so few networks live through all steps that no number
        of them would do.

    Notes
    -----
    A network whose signal has died is at risk in no later step, so the mean of step l is taken over a share
    :math:`a_l = (1 - 2^{-n})^{l - 1}` of them, and a sum of logarithms over L steps has the variance
    :math:`\sum_l V_l / (N a_l)` for N networks, :math:`V_l = \mathbb{E} r_l^2 / (\mathbb{E} r_l)^2 - 1`.

    Examples
    --------
    >>> known_variance("cumulative_mean", "gradient_second_moment", 50, 10).variance
    1.0
    >>> known_variance("growth_rate", "gradient_second_moment", 4, 20)
    Known(variance=0.123, alive=0.293, spare=2)
    """
    known = _VARIANCES.get((test or "", quantity))
    if known is None or width is None or steps is None or width < 1 or not 1 <= steps <= _MOST_STEPS:
        tests = ", ".join(dict.fromkeys(name for name, _ in _VARIANCES))
        msg = (
            f"need variance, or a test of {tests} with a quantity that it knows, width >= 1 and depth from 1 to {_MOST_STEPS}, "
            f"got test={quoted(test)}, quantity={quoted(quantity)}, width={width} and depth={steps}; "
            "a pilot's variance is its n times se^2"
        )
        raise ValueError(msg)
    alive = _at_risk(width, steps)[-1]
    if alive < _FEWEST_ALIVE:
        msg = (
            f"at width {width} one network in {1.0 / alive:.1g} lives through {steps} steps, so that no feasible number "
            "of networks shows what the last of them do; plan for fewer steps"
        )
        raise ValueError(msg)
    return Known(known(width, steps), alive, _SPARE)
