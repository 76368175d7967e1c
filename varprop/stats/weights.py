"""Draws of an initialiser against the law that it states."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from varprop._typing import Float64Array
from varprop.stats.law_fits import LawFit, law_fit
from varprop.stats.means import mean_outcome
from varprop.stats.outcome import Outcome

_ROUNDING = 1e-6
"""An entry beyond a law's bounds by less than this share of itself was rounded there: single precision has seven digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsLaw:
    """Single draws against the law that they should follow.

    Parameters
    ----------
    mean : Outcome
        theta estimates (E[w] - mean) / sigma, sigma the law's standard deviation.
    variance : Outcome
        theta estimates log(E[(w - mean)^2] / sigma^2).
    distribution : LawFit, optional
        Kolmogorov distance from the law; None if no distribution function was given. Its second test is of the smallest
        and the largest draw, which finds what lies outside the law's bounds, and a cut where there is none.
    within_bounds : bool
        False if a draw lies where the law never does.

    See Also
    --------
    varprop.stats.independence.independence : Dependence between the entries of a matrix.
    """

    mean: Outcome
    variance: Outcome
    distribution: LawFit | None = None
    within_bounds: bool = True


def weights_law(
    draws: ArrayLike,
    *,
    mean: float = 0.0,
    variance: float,
    kurtosis: float,
    cdf: Callable[[Float64Array], Float64Array] | None = None,
) -> WeightsLaw:
    """Test independent draws against their law: mean, variance, distribution and bounds.

    Parameters
    ----------
    draws : array_like
        Any shape: the unit of replication is the entry, not the network.
    mean : float
        The law's mean.
    variance : float
        The law's variance, > 0.
    kurtosis : float
        The law's E[(w - mean)^4] / variance^2, > 1 (normal 3, uniform 1.8).
    cdf : callable, optional
        The law's distribution function, continuous, from an array to an array.

    Returns
    -------
    WeightsLaw
        The mean by a t-test with the draws' own standard deviation, so that a wrong variance does not fail it; the variance
        by a normal test with the law's own standard error; the distribution by Kolmogorov and Smirnov's test.

    Raises
    ------
    ValueError
        If there are fewer than two draws, one is not finite, all equal the mean, a parameter is out of range, or the
        distribution function leaves [0, 1].

    Notes
    -----
    Entries must be independent: the draws of orthogonal matrices are not, and their squares sum to a constant.

    (w - mean)^2 has variance (kurtosis - 1) sigma^4, so the logarithm of its average over n entries has standard error
    sqrt((kurtosis - 1) / n). The law's kurtosis, not the sample's: the null fixes it, and the sample's is least reliable for
    the heavy tails where it matters.

    The largest of n draws has F(w)^n uniform, and the smallest likewise.

    Examples
    --------
    >>> law = weights_law([0.5, -0.5, 1.0, -1.0], variance=1.0, kurtosis=3.0)
    >>> law.mean.theta, law.variance.theta, law.variance.se
    (0.0, -0.47, 0.707)
    """
    entries = np.asarray(draws, dtype=np.float64).ravel()
    if len(entries) < 2 or not np.isfinite(entries).all():
        msg = f"draws must be two or more finite numbers, got {len(entries)}, {int((~np.isfinite(entries)).sum())} not finite"
        raise ValueError(msg)
    if not math.isfinite(mean) or not 0.0 < variance < math.inf or not 1.0 < kurtosis < math.inf:
        msg = (
            f"a law needs a finite mean, a variance > 0 and a kurtosis > 1, got {mean}, {variance} and {kurtosis}; "
            "a constant or two-valued law is compared draw by draw, not by a test"
        )
        raise ValueError(msg)
    squares = (entries - mean) ** 2
    if not squares.any():
        msg = f"all {len(entries)} draws equal the law's mean {mean}: they are constant, which no law of variance {variance} is"
        raise ValueError(msg)
    spread = Outcome.from_estimate(
        "weights_law_variance",
        theta=math.log(squares.mean() / variance),
        se=math.sqrt((kurtosis - 1.0) / len(entries)),
        df=math.inf,
        n=len(entries),
    )
    extremes = np.array([entries.min(), entries.max()])
    # Seen from inside by a rounding error, so that a draw on the bound is not outside.
    inside = None if cdf is None else cdf(mean + (extremes - mean) * (1.0 - _ROUNDING))
    return WeightsLaw(
        mean=mean_outcome("weights_law_mean", (entries - mean) / math.sqrt(variance)),
        variance=spread,
        distribution=None if cdf is None else _distribution(entries, cdf),
        within_bounds=inside is None or bool(inside[0] > 0.0 and inside[1] < 1.0),
    )


def matching_variances(draws: ArrayLike, candidates: Mapping[str, float], *, kurtosis: float) -> tuple[str, ...]:
    """Name the variances that draws of mean 0 are compatible with: which fan a law was scaled by, for example.

    Parameters
    ----------
    draws : array_like
        Any shape, independent entries.
    candidates : mapping of str to float
        Variances > 0 by what they would mean.
    kurtosis : float
        The law's E[w^4] / E[w^2]^2, > 1.

    Returns
    -------
    tuple of str
        Those within five standard errors of the draws' mean square, in the order given.

    Raises
    ------
    ValueError
        As `weights_law`.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(0.0, 0.1, size=10_000)
    >>> matching_variances(draws, {"fan_in": 0.02, "fan_out": 0.01}, kurtosis=3.0)
    ('fan_out',)
    """
    found = {name: weights_law(draws, variance=v, kurtosis=kurtosis).variance for name, v in candidates.items()}
    return tuple(name for name, outcome in found.items() if abs(outcome.theta) <= 5.0 * outcome.se)


def _distribution(entries: Float64Array, cdf: Callable[[Float64Array], Float64Array]) -> LawFit:
    """All draws against a distribution function, and the two at the ends."""
    u = np.asarray(cdf(entries), dtype=np.float64)
    if not ((u >= 0.0) & (u <= 1.0)).all():
        msg = "the law's distribution function must lie in [0, 1] at every draw"
        raise ValueError(msg)
    n = len(u)
    # P(all n below the largest) and P(all n above the smallest), uniform each; both sides of both.
    ends = [math.exp(n * math.log(end)) if end > 0.0 else 0.0 for end in (float(u.max()), 1.0 - float(u.min()))]
    tail = min(min(end, 1.0 - end) for end in ends)
    return law_fit("weights_law_distribution", u, second_test="extremes", second_pvalue=min(1.0, 4.0 * tail))
